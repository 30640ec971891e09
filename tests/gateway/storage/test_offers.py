"""Retailers' messages: each is answered once, in an order that nobody can twist."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config.home import BrandKeySection
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import Cancel, DeliveryBody, State
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit.events import FactsChanged
from gateway.domain.visit.state import Phase
from gateway.protocol.delivery_message import sign_delivery, verify_delivery
from gateway.protocol.hash_chain import find_break
from gateway.protocol.jws import RejectedMessage, RejectionCode
from gateway.storage.deliveries import RefuseProblem
from gateway.storage.models import MessageAnswer
from gateway.storage.offers import MAX_NOTED_REJECTIONS_PER_HOUR
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    IN_WINDOW,
    commit_reservation,
    entrance_state,
    make_step,
    open_store,
    receive,
    release_step,
    reserve_step,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import (
    BOX,
    NOON,
    NOW,
    PARCEL,
    SECRETS,
    enrolled_keys,
    make_cancel,
    make_claims,
    make_home,
    make_offer,
    make_update,
    make_window,
    noon_plus,
    sign_claims,
)


def words(answer: MessageAnswer) -> tuple[bool | None, str | None, State | None]:
    return answer.result.accepted, answer.result.code, answer.result.state


async def test_an_offer_is_answered_with_its_number_and_its_state(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        message = make_claims(make_offer())
        answer = await store.deliveries.accept(sign_claims(message), message, NOW)
        assert words(answer) == (True, None, State.SCHEDULED)
        assert (answer.result.answers, answer.result.brand, answer.result.delivery) == (message.jti, "shop", "d1")
        assert answer.changed == ("shop.d1",)
        assert store.deliveries.changed_results(NOW) == ()  # it was told just now
        found = store.deliveries.order("shop.d1")
        assert found is not None
        assert found.parcels == {PARCEL}


async def test_a_brand_without_a_permission_asks_once_however_often_it_announces_something(tmp_path: Path) -> None:
    asking = make_home(shop={"state": "pending"})
    async with open_store(tmp_path, asking) as store:
        await store.phones.set_recipients(["phone"], NOW)
        first = await receive(store, make_offer())
        assert first.permission_message is not None
        assert first.result.state is State.AWAITING_PERMISSION
        flood = [
            await receive(store, make_offer(id=f"more-{n}", parcels=(f"more-{n}",), courier_sha256=f"{n:064x}"))
            for n in range(30)
        ]
        flood.append(await receive(store, make_update()))
        assert {answer.permission_message for answer in flood} == {None}
        assert [answer.result.accepted for answer in flood] == [True] * 31
    async with open_store(tmp_path, asking) as store:  # a restart is no reason to ask again
        assert (
            await receive(store, make_offer(id="later", parcels=("later",), courier_sha256="c" * 64))
        ).permission_message is None
        owed = store.phones.pending("phone", NOW, until=noon_plus(minutes=1).utc)
        assert [one.id for one in owed] == [first.permission_message]
        assert store.deliveries.matches("8L20524752032", now=NOW)[0].delivery.refusal is Refusal.AWAITING_PERMISSION


async def test_a_brand_that_was_decided_on_and_one_whose_offer_does_not_count_ask_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path, make_home(shop={"state": "pending"}, farm={"state": "refused"})) as store:
        assert (await receive(store, make_offer(entrance="cellar"))).permission_message is None
        assert (await receive(store, make_offer(), brand="farm")).permission_message is None
        assert (await receive(store, make_offer())).permission_message is not None


async def test_what_stands_on_a_key_that_is_trusted_no_longer_opens_no_more(tmp_path: Path) -> None:
    x = make_home().brands["shop"].keys[0].x
    async with open_store(tmp_path) as store:
        assert [(one.kid, one.used, one.distrusted) for one in store.brands.all_keys()] == [
            ("farm-1", None, None), ("shop-1", None, None)
        ]  # fmt: skip
        await receive(store, make_offer())
        await receive(store, make_offer(id="farms", parcels=("farms",), courier_sha256="f" * 64), brand="farm")
        assert store.brands.all_keys()[1].used == NOW.utc
        message = make_claims(make_offer(id="d2", parcels=("d2",), courier_sha256="d" * 64))
        scheduled = visit_delivery(store)
        await store.brands.distrust(x, noon_plus(minutes=1), by="p-anna")
        with pytest.raises(LookupError):
            await store.brands.distrust("nobody's", NOW, by="p-anna")
        refused = await store.deliveries.accept(sign_claims(message), message, noon_plus(minutes=2))
        assert (refused.result.accepted, refused.result.code) == (False, "key_distrusted")
        assert "sign with another one" in (refused.result.why or "")
        assert isinstance(await store.commit(reserve_step(scheduled)), FactsChanged)
    # It holds over a restart, and the file's own word does not enrol it again
    async with open_store(tmp_path) as store:
        assert visit_delivery(store).refusal is Refusal.KEY_DISTRUSTED
        assert visit_delivery(store, "farm.farms").refusal is None
        assert [
            (one.delivery, one.reason) for one in store.deliveries.changed_results(noon_plus(minutes=2)) if one.reason
        ] == [("d1", "key_distrusted")]
        distrusted = store.brands.all_keys()[1]
        assert (distrusted.distrusted, distrusted.by) == (noon_plus(minutes=1).utc, "p-anna")
        await store.brands.trust(x, noon_plus(minutes=3), by="p-anna")
        assert visit_delivery(store).refusal is None
        assert (await store.deliveries.accept(sign_claims(message), message, noon_plus(minutes=3))).result.accepted, (
            "nothing was used up"
        )
        assert store.brands.all_keys()[1].since == noon_plus(minutes=3).utc


async def test_the_same_brand_signs_anew_with_a_key_that_is_trusted(tmp_path: Path) -> None:
    """What stands is the newest version; one from before keys were noted stands on none that is distrusted."""
    house = make_home()
    shop = house.brands["shop"]
    other = BrandKeySection(kid="shop-2", x=SECRETS["stranger"].public.text)
    both = shop.model_copy(update={"keys": (*shop.keys, other)})
    house = house.model_copy(update={"brands": {**house.brands, "shop": both}})
    async with open_store(tmp_path, house) as store:
        await receive(store, make_offer())
        await receive(store, make_offer(id="old", parcels=("old",), courier_sha256="e" * 64))
        await store._writer.do(  # noqa: SLF001 - as a database from before
            lambda db: db.execute("UPDATE delivery SET signed_by = NULL WHERE id = 'old'")
        )
        await store.brands.distrust(shop.keys[0].x, NOW)
        assert visit_delivery(store, "shop.old").refusal is Refusal.KEY_DISTRUSTED
        message = make_claims(make_update())
        answer = await store.deliveries.accept(sign_delivery(message, SECRETS["stranger"], kid="shop-2"), message, NOW)
        assert answer.result.accepted
        assert visit_delivery(store).refusal is None


async def test_the_same_signed_bytes_get_the_same_answer_whatever_happened_meanwhile(tmp_path: Path) -> None:
    message = make_claims(make_offer())
    async with open_store(tmp_path) as store:
        first = await store.deliveries.accept(sign_claims(message), message, NOW)
        await receive(store, make_cancel())
    async with open_store(tmp_path) as store:
        again = await store.deliveries.accept(sign_claims(message), message, noon_plus(minutes=30))
        assert again.result == first.result
        assert again.changed == ()
        late = verify_delivery(sign_claims(message), enrolled_keys(), box=BOX, now=noon_plus(days=2))
        assert isinstance(late, RejectedMessage)
        assert (await store.deliveries.accept(sign_claims(message), late, noon_plus(days=2))).result == first.result


async def test_a_number_is_used_once_by_a_brand_and_over_a_restart(tmp_path: Path) -> None:
    first = make_claims(make_offer())
    async with open_store(tmp_path) as store:
        await store.deliveries.accept(sign_claims(first), first, NOW)
    async with open_store(tmp_path) as store:
        second = make_claims(make_offer(id="d2", parcels=("other",), courier_sha256="c" * 64), jti=first.jti)
        assert words(await store.deliveries.accept(sign_claims(second), second, NOW)) == (False, "jti_reused", None)
        assert store.deliveries.facts("shop.d2", NOW) is None
        farm = make_claims(make_offer(parcels=("other",), courier_sha256="c" * 64), brand="farm", jti=first.jti)
        assert words(await store.deliveries.accept(sign_claims(farm), farm, NOW)) == (True, None, State.SCHEDULED)


async def test_what_is_not_believed_is_answered_and_noted_but_fills_no_disk(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        head = store.log.head().seq
        for number in range(MAX_NOTED_REJECTIONS_PER_HOUR + 20):
            answer = await store.deliveries.accept(
                f"forged-{number}".encode(), RejectedMessage(RejectionCode.WRONG_SIGNATURE, "no"), NOW
            )
            assert words(answer) == (False, "wrong_signature", None)
        assert store.log.head().seq == head + MAX_NOTED_REJECTIONS_PER_HOUR
        await store.deliveries.accept(
            b"later", RejectedMessage(RejectionCode.WRONG_SIGNATURE, "no"), noon_plus(hours=2)
        )
        assert store.log.head().seq == head + MAX_NOTED_REJECTIONS_PER_HOUR + 1
        assert find_break(store.log.entries()) is None


def far(number: int, **changes: Any) -> DeliveryBody:  # noqa: ANN401 - any field of an offer
    """A delivery of its own, in a window that is years away: it would stay until then."""
    unique = {
        "parcels": (f"P{number}",),
        "courier_sha256": None,
        "entrance": "garage",
        "window": make_window(90_000, 90_001),
    }
    return make_offer(id=f"far-{number}", **unique | changes)


async def test_a_brand_that_is_let_in_fills_no_disk_however_much_it_announces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.offers.MAX_MESSAGES_PER_ENTRANCE", 5)  # of an entrance, and this house has two
    async with open_store(tmp_path) as store:
        for number in range(10):
            assert words(await receive(store, far(number)))[0] is True
        grown = store.log.head().seq
        for said in (far(10), make_update(id="far-1"), make_cancel(id="nobody-s"), make_cancel(id="far-3", version=1)):
            assert words(await receive(store, said)) == (False, "too_many", None)
        known = make_claims(far(11), jti="message-of-long-ago")
        assert words(await store.deliveries.accept(sign_claims(known), known, NOW))[1] == "too_many"
        assert store.log.head().seq == grown, "and nothing is kept of it"
        assert store.deliveries.facts("shop.far-10", NOW) is None
        assert words(await receive(store, far(1, parcels=("F1",)), brand="farm"))[0] is True, (
            "another brand says what it has to"
        )
        assert words(await receive(store, make_cancel(id="far-0"), now=noon_plus(minutes=1))) == (
            True,
            None,
            State.CANCELLED,
        )
        assert words(await receive(store, far(10), now=noon_plus(days=2)))[1] == "too_many", (
            "those of before are there still"
        )


async def test_a_brand_that_was_too_loud_is_heard_again_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.offers.MAX_MESSAGES_PER_ENTRANCE", 5)
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        for version in range(2, 11):
            assert words(await receive(store, make_update(version=version)))[0] is True
        assert words(await receive(store, make_update(version=11))) == (False, "too_many", None)
        assert words(await receive(store, make_update(version=14), now=noon_plus(hours=2)))[1] == "too_many"
        assert (
            words(await receive(store, make_offer(id="d2", window=make_window(26, 27)), now=noon_plus(hours=25)))[0]
            is True
        )


async def test_versions_rise(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert words(await receive(store, make_update())) == (False, "unknown_delivery", State.REFUSED)
        await receive(store, make_offer(version=3))
        assert words(await receive(store, make_offer(version=4))) == (False, "already_offered", State.SCHEDULED)
        for version in (2, 3):
            assert words(await receive(store, make_update(version=version))) == (
                False,
                "version_too_low",
                State.SCHEDULED,
            )
            assert words(await receive(store, make_cancel(version=version))) == (
                False,
                "version_too_low",
                State.SCHEDULED,
            )
        answer = await receive(
            store, make_update(version=4, parcels=("new",), window=make_window(4, 5), courier_sha256="c" * 64)
        )
        assert words(answer) == (True, None, State.SCHEDULED)
        assert store.deliveries.matches(PARCEL, now=NOW) == ()
        assert len(store.deliveries.matches("new", now=NOW)) == 1
        assert visit_delivery(store, now=NOW).start == NOON + timedelta(hours=4)
        assert visit_delivery(store, now=NOW).version == 4


async def test_a_label_may_come_later(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert words(await receive(store, make_offer(parcels=()))) == (True, None, State.AWAITING_LABEL)
        assert words(await receive(store, make_update())) == (True, None, State.SCHEDULED)


async def test_a_cancel_before_any_reservation_wins(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        under = visit_delivery(store)
        # A visit has begun, nothing is reserved
        await store.commit(make_step(entrance_state(under, phase=Phase.RINGING)))
        answer = await receive(store, make_cancel())
        assert (answer.result.accepted, answer.changed) == (True, ("shop.d1",))
        assert visit_delivery(store).refusal is Refusal.CANCELLED
        assert words(await receive(store, make_cancel(version=3))) == (False, "cancelled", State.CANCELLED)
        assert words(await receive(store, make_update(version=3))) == (False, "cancelled", State.CANCELLED)
        assert words(await receive(store, make_offer(version=3))) == (False, "cancelled", State.CANCELLED)


async def test_what_the_household_refused_stays_refused_after_a_restart_and_for_each_new_version(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert await store.deliveries.refuse("shop.d1", NOW, by="p-anna") is None
    async with open_store(tmp_path) as store:
        assert visit_delivery(store).refusal is Refusal.DECLINED_BY_HOUSEHOLD
        (told,) = store.deliveries.changed_results(NOW)
        assert (told.state, told.reason) == (State.REFUSED, "declined_by_household")
        assert words(await receive(store, make_update())) == (False, "declined_by_household", State.REFUSED)
        assert visit_delivery(store).refusal is Refusal.DECLINED_BY_HOUSEHOLD
        (row,) = store.log.newest_bodies(("delivery_refused",), at_most=9)
        assert (row["by"], row["delivery"], row["version"]) == ("p-anna", "shop.d1", 1)
        assert await store.deliveries.refuse("shop.d1", NOW, by="p-anna") is RefuseProblem.UNKNOWN_DELIVERY
        assert words(await receive(store, make_cancel(version=3)))[2] is State.CANCELLED


async def test_once_the_door_was_opened_for_it_the_household_cannot_refuse_it(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await commit_reservation(store, "shop.d1")
        assert await store.deliveries.refuse("shop.d1", NOW, by=None) is RefuseProblem.TOO_LATE
        assert await store.deliveries.refuse("shop.nothing", NOW, by=None) is RefuseProblem.UNKNOWN_DELIVERY


@pytest.mark.parametrize("said", [make_cancel(), make_update()])
async def test_after_a_reservation_it_is_too_late(tmp_path: Path, said: DeliveryBody | Cancel) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await commit_reservation(store)
        assert (await receive(store, said, now=IN_WINDOW)).result.code == "too_late"
        await store.commit(release_step(visit_delivery(store), withdrawal=False))  # the bolt has moved
        assert (await receive(store, said, now=IN_WINDOW)).result.code == "too_late"


async def test_a_reservation_that_was_certainly_not_sent_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await commit_reservation(store)
        await store.commit(release_step(visit_delivery(store), withdrawal=True))
        assert words(await receive(store, make_cancel(), now=IN_WINDOW)) == (True, None, State.CANCELLED)


async def test_a_cancel_that_comes_before_its_offer_leaves_a_tombstone(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert words(await receive(store, make_cancel())) == (True, None, State.CANCELLED)
    async with open_store(tmp_path) as store:
        for version in (1, 2, 9):
            assert words(await receive(store, make_offer(version=version))) == (False, "cancelled", State.CANCELLED)
        assert store.deliveries.facts("shop.d1", NOW) is None
        assert words(await receive(store, make_offer(), brand="farm")) == (True, None, State.SCHEDULED)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"entrance": "cellar"}, "unknown_entrance"),
        ({"place": "attic"}, "unknown_place"),
        ({"max_celsius": 4.0}, "place_not_cold"),
        ({"max_celsius": 4.0, "place": "fridge"}, None),
        ({"courier_sha256": None}, "courier_code_missing"),
        ({"courier_sha256": None, "entrance": "garage"}, None),
        ({"window": make_window(-3, -1)}, "expired"),
        ({"window": make_window(-3, 1)}, None),
        ({"carrier": "Chronopost"}, "carrier_not_permitted"),
    ],
)
async def test_what_the_house_cannot_take_is_refused_at_once(
    tmp_path: Path, changes: dict[str, Any], code: str | None
) -> None:
    async with open_store(tmp_path) as store:
        answer = await receive(store, make_offer(**changes))
        assert (answer.result.accepted, answer.result.code) == (code is None, code)
        assert (store.deliveries.facts("shop.d1", NOW) is None) is (code is not None)
        if code is not None:
            assert (answer.result.state, answer.result.reason, answer.changed) == (State.REFUSED, code, ())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "refused"}, "brand_not_permitted"),
        ({"state": "pending"}, None),
        ({"state": "pending", "carriers": []}, None),
        ({"entrances": []}, "brand_not_permitted"),
        ({"places": ["fridge"]}, "brand_not_permitted"),
        ({"hours": "08:00-16:00"}, "outside_window"),
        ({"expires": "2026-06-09"}, "brand_not_permitted"),
    ],
)
async def test_what_the_owner_does_not_allow_is_refused_at_once(
    tmp_path: Path, changes: dict[str, Any], code: str | None
) -> None:
    async with open_store(tmp_path, make_home(shop=changes)) as store:
        assert (await receive(store, make_offer())).result.code == code


async def test_an_update_that_is_refused_leaves_the_promise_as_it_was(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        before = store.deliveries.order("shop.d1")
        assert words(await receive(store, make_update(place="attic"))) == (False, "unknown_place", State.SCHEDULED)
        assert store.deliveries.order("shop.d1") == before


async def collide(store: Store, **changes: Any) -> str | None:  # noqa: ANN401 - any field of an offer
    other = {"id": "other", "courier_sha256": "c" * 64} | changes
    return (await receive(store, make_offer(**other), brand="farm")).result.code


async def again(store: Store, **changes: Any) -> str | None:  # noqa: ANN401 - any field of an offer
    """The same brand announces another delivery."""
    other = {"id": "other", "courier_sha256": "c" * 64} | changes
    return (await receive(store, make_offer(**other))).result.code


@pytest.mark.parametrize("standing", ["granted", "pending"])
async def test_what_a_brand_announces_blocks_no_other_brand_and_tells_it_nothing(tmp_path: Path, standing: str) -> None:
    """A stranger announced the shop's parcel too, before it or after: both are taken as if the other had not."""
    for first in (True, False):
        folder = tmp_path / str(first)
        folder.mkdir()
        async with open_store(folder, make_home(farm={"state": standing})) as store:
            if first:
                assert await collide(store) is None
            assert (await receive(store, make_offer())).result.code is None, "the one is not blocked"
            if not first:
                assert await collide(store) is None, "and the other does not learn that it is promised"
            brands = [match.delivery.brand for match in store.deliveries.matches(PARCEL, now=noon_plus(hours=2))]
            assert sorted(brands) == ["farm", "shop"]


async def test_a_code_of_another_open_delivery_at_that_time_and_door_is_refused(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer(parcels=(PARCEL, "second")))
        assert await again(store) == "code_collision"
        assert await again(store, parcels=("third", "second")) == "code_collision"
        assert await again(store, parcels=("third",), courier_sha256="ab" * 32) == "code_collision"
        assert await again(store, window=make_window(2.5, 4)) == "code_collision"
        assert await again(store, parcels=("third",)) is None


@pytest.mark.parametrize(
    "changes",
    [{"window": make_window(3, 4)}, {"window": make_window(0, 1)}, {"entrance": "garage"}],
)
async def test_a_code_may_stand_again_at_another_time_or_door(tmp_path: Path, changes: dict[str, Any]) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert await again(store, **changes) is None


async def test_a_code_is_free_again_when_its_delivery_is_cancelled_or_delivered(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert await again(store) == "code_collision"
        await receive(store, make_cancel())
        assert await again(store) is None
        await store.commit(
            make_step(
                entrance_state(), c.ReportParcelResult(visit="v1", delivery="shop.other", outcome=Outcome.DELIVERED)
            )
        )
        assert await again(store, id="third", courier_sha256="d" * 64) is None


async def test_an_update_may_not_take_anothers_code_and_may_keep_its_own(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await again(store, parcels=("third",))
        assert (await receive(store, make_update(parcels=(PARCEL, "third")))).result.code == "code_collision"
        assert (await receive(store, make_update(parcels=(PARCEL, "fourth")))).result.code is None


async def test_an_answer_is_forgotten_only_when_its_message_is_no_longer_valid_anyway(tmp_path: Path) -> None:
    message = make_claims(make_offer(window=make_window(1, 30)))
    async with open_store(tmp_path) as store:
        first = await store.deliveries.accept(sign_claims(message), message, NOW)
        await store.forget(noon_plus(minutes=59), before=NOON)
        assert (
            await store.deliveries.accept(sign_claims(message), message, noon_plus(minutes=59))
        ).result == first.result
        await store.forget(noon_plus(minutes=61), before=NOON)
        late = verify_delivery(sign_claims(message), enrolled_keys(), box=BOX, now=noon_plus(minutes=61))
        answer = await store.deliveries.accept(sign_claims(message), late, noon_plus(minutes=61))
        assert words(answer) == (False, "no_longer_valid", None)
        assert store.deliveries.facts("shop.d1", NOW) is not None


async def test_a_permission_that_changes_is_told_and_overtakes(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        permission = store.brands.permission("shop")
        assert permission is not None
        narrow = replace(permission.terms, carriers=frozenset({"Chronopost"}))
        await store.brands.decide("shop", PermissionStatus.GRANTED, NOW, terms=narrow)
        (result,) = store.deliveries.changed_results(NOW)
        assert (result.state, result.reason) == (State.REFUSED, "carrier_not_permitted")
        assert visit_delivery(store).refusal is Refusal.CARRIER_NOT_PERMITTED
