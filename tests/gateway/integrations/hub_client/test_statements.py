"""What a box states about itself to its hub: when, to whom, and how often."""

from dataclasses import replace
from pathlib import Path

from gateway.domain.delivery.features import SPEAKS, entrance_features
from gateway.domain.delivery.permission import PermissionStatus
from gateway.integrations.hub_client.statements import MAX_STATEMENTS, StatementBook
from gateway.protocol.box_statement import RENEWAL_AGE, STATEMENT_LIFETIME, BoxStatement, verify_statement
from gateway.protocol.keys import BoxKey
from tests.gateway.domain.delivery.shop import NOW, make_offer, noon_plus
from tests.gateway.integrations.hub_client.test_session import HOME, at_work, hub, section, uplink
from tests.hubs import homes_broker
from tests.shell.box import box as made_box
from tests.waiting import assert_stays, wait_until

KEY = BoxKey.generate()
FRONT, BOTH = {"shop": frozenset({"front"})}, {"shop": frozenset({"front", "garage"})}


def read(token: bytes, key: BoxKey = KEY) -> BoxStatement:
    found = verify_statement(token, key.public, home=HOME, utc=NOW.utc)
    assert isinstance(found, BoxStatement)
    return found


def test_a_brand_is_told_once_what_the_entrances_understand_that_it_may_use() -> None:
    book = StatementBook(HOME, KEY)
    ((brand, token),) = book.unsent(FRONT, NOW).items()
    said = read(token)
    assert (brand, said.sub, said.iss) == ("shop", "shop", HOME)
    assert (said.speaks, said.entrances) == (SPEAKS, {"front": entrance_features(robots=False)})
    assert said.exp - said.iat == STATEMENT_LIFETIME.total_seconds()
    assert book.unsent(FRONT, NOW) == {"shop": token}, "it did not leave yet"
    book.mark_sent("shop")
    assert book.unsent(FRONT, NOW) == {}


def test_an_entrance_with_robots_says_so() -> None:
    book = StatementBook(HOME, KEY, robot_entrances=frozenset({"front"}))
    ((_, token),) = book.unsent(FRONT, NOW).items()
    assert read(token).entrances == {"front": SPEAKS.needs}


def test_it_is_told_anew_in_each_session_after_each_change_and_each_day() -> None:
    book = StatementBook(HOME, KEY)
    book.unsent(FRONT, NOW)
    book.mark_sent("shop")
    assert read(book.unsent(BOTH, NOW)["shop"]).entrances.keys() == {"front", "garage"}
    book.mark_sent("shop")
    assert book.unsent(BOTH, noon_plus(hours=23)) == {}
    assert book.unsent(BOTH, noon_plus(seconds=RENEWAL_AGE.total_seconds())).keys() == {"shop"}
    book.mark_sent("shop")
    book.on_session()
    assert book.unsent(BOTH, NOW).keys() == {"shop"}
    assert book.unsent({}, NOW) == {}


def test_without_the_time_and_to_endless_brands_nothing_is_told() -> None:
    book = StatementBook(HOME, KEY)
    assert book.unsent(FRONT, replace(NOW, trusted=False)) == {}
    many = {f"brand-{number:03}": frozenset({"front"}) for number in range(100)}
    assert len(book.unsent(many, NOW)) == MAX_STATEMENTS


async def test_a_brand_that_came_through_the_hub_is_told_and_no_other(tmp_path: Path) -> None:
    async with (
        homes_broker(HOME) as broker, made_box(tmp_path) as made, hub(made, broker, tmp_path) as there,
        at_work(uplink(made, section(broker, tmp_path))),
    ):  # fmt: skip
        await wait_until(lambda: there.hellos)
        await assert_stays(lambda: not there.statements, 0.3, "the hub does not know the house's own brands")
        await there.receipt(there.offers(make_offer()))
        await wait_until(lambda: there.statements)
        found = verify_statement(there.statements[0], made.key.public, home=HOME, utc=made.clock.now().utc)
        assert isinstance(found, BoxStatement)
        assert (found.sub, set(found.entrances)) == ("shop", {"front", "garage"})
        before = made.store.brands.permission("shop")
        assert before is not None
        narrower = replace(before.terms, entrances=frozenset({"garage"}))
        await made.store.brands.decide("shop", PermissionStatus.GRANTED, made.clock.now(), terms=narrower)
        await wait_until(lambda: len(there.statements) == 2)
        found = verify_statement(there.statements[1], made.key.public, home=HOME, utc=made.clock.now().utc)
        assert isinstance(found, BoxStatement)
        assert set(found.entrances) == {"garage"}, "it learns of no entrance that it may not use"
        await made.store.brands.decide("shop", PermissionStatus.REVOKED, made.clock.now())
        await wait_until(lambda: there.decisions and there.decisions[-1].standing == "revoked")
        await assert_stays(lambda: len(there.statements) == 2, 1.2, "a brand that is not let in is told nothing more")
