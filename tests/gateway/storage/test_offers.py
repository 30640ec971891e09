"""Retailers' messages: each is answered once, in an order that nobody can twist."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config.home import BrandKey
from gateway.domain.delivery.promise import Body, Cancel, State
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Outcome, Phase, Refusal
from gateway.protocol.hash_chain import check
from gateway.protocol.jws import Fault, Rejected, public_x, sign, verify
from gateway.storage import Answer, Overtaken, Store
from gateway.storage.offers import NOTED_AN_HOUR
from tests.gateway.domain.delivery.house import OPEN, delivery, opened, release, reserve, reserved, state, step, told
from tests.gateway.domain.delivery.shop import (
    BOX,
    NOON,
    NOW,
    PARCEL,
    SECRETS,
    after,
    cancel,
    claims,
    home,
    keys,
    offer,
    signed,
    update,
    window,
)


def words(answer: Answer) -> tuple[bool | None, str | None, State | None]:
    return answer.result.accepted, answer.result.code, answer.result.state


async def test_an_offer_is_answered_with_its_number_and_its_state(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        message = claims(offer())
        answer = await store.accept(signed(message), message, NOW)
        assert words(answer) == (True, None, State.SCHEDULED)
        assert (answer.result.answers, answer.result.brand, answer.result.delivery) == (message.jti, "shop", "d1")
        assert answer.changed == ("shop.d1",)
        assert store.changed(NOW) == ()  # it was told just now
        found = store.promise("shop.d1")
        assert found is not None
        assert found.parcels == {PARCEL}


async def test_a_brand_without_a_permission_asks_once_however_often_it_announces_something(tmp_path: Path) -> None:
    asking = home(shop={"state": "pending"})
    async with opened(tmp_path, asking) as store:
        await store.enlist(["phone"], NOW)
        first = await told(store, offer())
        assert first.asks is not None
        assert first.result.state is State.AWAITING_PERMISSION
        flood = [
            await told(store, offer(id=f"more-{n}", parcels=(f"more-{n}",), courier_sha256=f"{n:064x}"))
            for n in range(30)
        ]
        flood.append(await told(store, update()))
        assert {answer.asks for answer in flood} == {None}
        assert [answer.result.accepted for answer in flood] == [True] * 31
    async with opened(tmp_path, asking) as store:  # a restart is no reason to ask again
        assert (await told(store, offer(id="later", parcels=("later",), courier_sha256="c" * 64))).asks is None
        owed = store.owed("phone", NOW, until=after(minutes=1).utc)
        assert [one.id for one in owed] == [first.asks]
        assert store.matches("8L20524752032", now=NOW)[0].delivery.refusal is Refusal.AWAITING_PERMISSION


async def test_a_brand_that_was_decided_on_and_one_whose_offer_does_not_count_ask_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, home(shop={"state": "pending"}, farm={"state": "refused"})) as store:
        assert (await told(store, offer(entrance="cellar"))).asks is None
        assert (await told(store, offer(), brand="farm")).asks is None
        assert (await told(store, offer())).asks is not None


async def test_what_stands_on_a_key_that_is_trusted_no_longer_opens_no_more(tmp_path: Path) -> None:
    x = home().brands["shop"].keys[0].x
    async with opened(tmp_path) as store:
        assert [(one.kid, one.used, one.distrusted) for one in store.brand_keys()] == [
            ("farm-1", None, None), ("shop-1", None, None)
        ]  # fmt: skip
        await told(store, offer())
        await told(store, offer(id="farms", parcels=("farms",), courier_sha256="f" * 64), brand="farm")
        assert store.brand_keys()[1].used == NOW.utc
        message = claims(offer(id="d2", parcels=("d2",), courier_sha256="d" * 64))
        scheduled = delivery(store)
        await store.distrust(x, after(minutes=1), by="p-anna")
        with pytest.raises(LookupError):
            await store.distrust("nobody's", NOW, by="p-anna")
        refused = await store.accept(signed(message), message, after(minutes=2))
        assert (refused.result.accepted, refused.result.code) == (False, "key_distrusted")
        assert "sign with another one" in (refused.result.why or "")
        assert isinstance(await store.commit(reserve(scheduled)), Overtaken)
    async with opened(tmp_path) as store:  # it holds over a restart, and the file's own word does not enrol it again
        assert delivery(store).refusal is Refusal.KEY_DISTRUSTED
        assert delivery(store, "farm.farms").refusal is None
        assert [(one.delivery, one.reason) for one in store.changed(after(minutes=2)) if one.reason] == [
            ("d1", "key_distrusted")
        ]
        distrusted = store.brand_keys()[1]
        assert (distrusted.distrusted, distrusted.by) == (after(minutes=1).utc, "p-anna")
        await store.trust(x, after(minutes=3), by="p-anna")
        assert delivery(store).refusal is None
        assert (await store.accept(signed(message), message, after(minutes=3))).result.accepted, "nothing was used up"
        assert store.brand_keys()[1].since == after(minutes=3).utc


async def test_the_same_brand_signs_anew_with_a_key_that_is_trusted(tmp_path: Path) -> None:
    """What stands is the newest version; one from before keys were noted stands on none that is distrusted."""
    house = home()
    shop = house.brands["shop"]
    other = BrandKey(kid="shop-2", x=public_x(SECRETS["stranger"]))
    both = shop.model_copy(update={"keys": (*shop.keys, other)})
    house = house.model_copy(update={"brands": {**house.brands, "shop": both}})
    async with opened(tmp_path, house) as store:
        await told(store, offer())
        await told(store, offer(id="old", parcels=("old",), courier_sha256="e" * 64))
        await store._writer.do(  # noqa: SLF001 - as a database from before
            lambda db: db.execute("UPDATE delivery SET signed_by = NULL WHERE id = 'old'")
        )
        await store.distrust(shop.keys[0].x, NOW)
        assert delivery(store, "shop.old").refusal is Refusal.KEY_DISTRUSTED
        message = claims(update())
        answer = await store.accept(sign(message, SECRETS["stranger"], kid="shop-2"), message, NOW)
        assert answer.result.accepted
        assert delivery(store).refusal is None


async def test_the_same_signed_bytes_get_the_same_answer_whatever_happened_meanwhile(tmp_path: Path) -> None:
    message = claims(offer())
    async with opened(tmp_path) as store:
        first = await store.accept(signed(message), message, NOW)
        await told(store, cancel())
    async with opened(tmp_path) as store:
        again = await store.accept(signed(message), message, after(minutes=30))
        assert again.result == first.result
        assert (again.again, again.changed) == (True, ())
        late = verify(signed(message), keys(), box=BOX, now=after(days=2))
        assert isinstance(late, Rejected)
        assert (await store.accept(signed(message), late, after(days=2))).result == first.result


async def test_a_number_is_used_once_by_a_brand_and_over_a_restart(tmp_path: Path) -> None:
    first = claims(offer())
    async with opened(tmp_path) as store:
        await store.accept(signed(first), first, NOW)
    async with opened(tmp_path) as store:
        second = claims(offer(id="d2", parcels=("other",), courier_sha256="c" * 64), jti=first.jti)
        assert words(await store.accept(signed(second), second, NOW)) == (False, "jti_reused", None)
        assert store.facts("shop.d2", NOW) is None
        farm = claims(offer(parcels=("other",), courier_sha256="c" * 64), brand="farm", jti=first.jti)
        assert words(await store.accept(signed(farm), farm, NOW)) == (True, None, State.SCHEDULED)


async def test_what_is_not_believed_is_answered_and_noted_but_fills_no_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        head = store.head().seq
        for number in range(NOTED_AN_HOUR + 20):
            answer = await store.accept(f"forged-{number}".encode(), Rejected(Fault.WRONG_SIGNATURE, "no"), NOW)
            assert words(answer) == (False, "wrong_signature", None)
        assert store.head().seq == head + NOTED_AN_HOUR
        await store.accept(b"later", Rejected(Fault.WRONG_SIGNATURE, "no"), after(hours=2))
        assert store.head().seq == head + NOTED_AN_HOUR + 1
        assert check(store.entries()) is None


def far(number: int, **changes: Any) -> Body:  # noqa: ANN401 - any field of an offer
    """A delivery of its own, in a window that is years away: it would stay until then."""
    unique = {
        "parcels": (f"P{number}",),
        "courier_sha256": None,
        "entrance": "garage",
        "window": window(90_000, 90_001),
    }
    return offer(id=f"far-{number}", **unique | changes)


async def test_a_brand_that_is_let_in_fills_no_disk_however_much_it_announces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.offers.MOST", 5)  # of an entrance, and this house has two
    async with opened(tmp_path) as store:
        for number in range(10):
            assert words(await told(store, far(number)))[0] is True
        grown = store.head().seq
        for said in (far(10), update(id="far-1"), cancel(id="nobody-s"), cancel(id="far-3", version=1)):
            assert words(await told(store, said)) == (False, "too_many", None)
        known = claims(far(11), jti="message-of-long-ago")
        assert words(await store.accept(signed(known), known, NOW))[1] == "too_many"
        assert store.head().seq == grown, "and nothing is kept of it"
        assert store.facts("shop.far-10", NOW) is None
        assert words(await told(store, far(1, parcels=("F1",)), brand="farm"))[0] is True, (
            "another brand says what it has to"
        )
        assert words(await told(store, cancel(id="far-0"), now=after(minutes=1))) == (True, None, State.CANCELLED)
        assert words(await told(store, far(10), now=after(days=2)))[1] == "too_many", "those of before are there still"


async def test_a_brand_that_was_too_loud_is_heard_again_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.storage.offers.MOST", 5)
    async with opened(tmp_path) as store:
        await told(store, offer())
        for version in range(2, 11):
            assert words(await told(store, update(version=version)))[0] is True
        assert words(await told(store, update(version=11))) == (False, "too_many", None)
        assert words(await told(store, update(version=14), now=after(hours=2)))[1] == "too_many"
        assert words(await told(store, offer(id="d2", window=window(26, 27)), now=after(hours=25)))[0] is True


async def test_versions_rise(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert words(await told(store, update())) == (False, "unknown_delivery", State.REFUSED)
        await told(store, offer(version=3))
        assert words(await told(store, offer(version=4))) == (False, "already_offered", State.SCHEDULED)
        for version in (2, 3):
            assert words(await told(store, update(version=version))) == (False, "version_too_low", State.SCHEDULED)
            assert words(await told(store, cancel(version=version))) == (False, "version_too_low", State.SCHEDULED)
        answer = await told(store, update(version=4, parcels=("new",), window=window(4, 5), courier_sha256="c" * 64))
        assert words(answer) == (True, None, State.SCHEDULED)
        assert store.matches(PARCEL, now=NOW) == ()
        assert len(store.matches("new", now=NOW)) == 1
        assert delivery(store, now=NOW).start == NOON + timedelta(hours=4)
        assert delivery(store, now=NOW).version == 4


async def test_a_label_may_come_later(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert words(await told(store, offer(parcels=()))) == (True, None, State.AWAITING_LABEL)
        assert words(await told(store, update())) == (True, None, State.SCHEDULED)


async def test_a_cancel_before_any_reservation_wins(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer())
        under = delivery(store)
        await store.commit(step(state(under, phase=Phase.RINGING)))  # a visit has begun, nothing is reserved
        answer = await told(store, cancel())
        assert (answer.result.accepted, answer.changed) == (True, ("shop.d1",))
        assert delivery(store).refusal is Refusal.CANCELLED
        assert words(await told(store, cancel(version=3))) == (False, "cancelled", State.CANCELLED)
        assert words(await told(store, update(version=3))) == (False, "cancelled", State.CANCELLED)
        assert words(await told(store, offer(version=3))) == (False, "cancelled", State.CANCELLED)


@pytest.mark.parametrize("said", [cancel(), update()])
async def test_after_a_reservation_it_is_too_late(tmp_path: Path, said: Body | Cancel) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer())
        await reserved(store)
        assert (await told(store, said, now=OPEN)).result.code == "too_late"
        await store.commit(release(delivery(store), withdrawal=False))  # the bolt has moved
        assert (await told(store, said, now=OPEN)).result.code == "too_late"


async def test_a_reservation_that_was_certainly_not_sent_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer())
        await reserved(store)
        await store.commit(release(delivery(store), withdrawal=True))
        assert words(await told(store, cancel(), now=OPEN)) == (True, None, State.CANCELLED)


async def test_a_cancel_that_comes_before_its_offer_leaves_a_tombstone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert words(await told(store, cancel())) == (True, None, State.CANCELLED)
    async with opened(tmp_path) as store:
        for version in (1, 2, 9):
            assert words(await told(store, offer(version=version))) == (False, "cancelled", State.CANCELLED)
        assert store.facts("shop.d1", NOW) is None
        assert words(await told(store, offer(), brand="farm")) == (True, None, State.SCHEDULED)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"entrance": "cellar"}, "unknown_entrance"),
        ({"place": "attic"}, "unknown_place"),
        ({"max_celsius": 4.0}, "place_not_cold"),
        ({"max_celsius": 4.0, "place": "fridge"}, None),
        ({"courier_sha256": None}, "courier_code_missing"),
        ({"courier_sha256": None, "entrance": "garage"}, None),
        ({"window": window(-3, -1)}, "expired"),
        ({"window": window(-3, 1)}, None),
        ({"carrier": "Chronopost"}, "carrier_not_permitted"),
    ],
)
async def test_what_the_house_cannot_take_is_refused_at_once(
    tmp_path: Path, changes: dict[str, Any], code: str | None
) -> None:
    async with opened(tmp_path) as store:
        answer = await told(store, offer(**changes))
        assert (answer.result.accepted, answer.result.code) == (code is None, code)
        assert (store.facts("shop.d1", NOW) is None) is (code is not None)
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
    async with opened(tmp_path, home(shop=changes)) as store:
        assert (await told(store, offer())).result.code == code


async def test_an_update_that_is_refused_leaves_the_promise_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer())
        before = store.promise("shop.d1")
        assert words(await told(store, update(place="attic"))) == (False, "unknown_place", State.SCHEDULED)
        assert store.promise("shop.d1") == before


async def collide(store: Store, **changes: Any) -> str | None:  # noqa: ANN401 - any field of an offer
    other = {"id": "other", "courier_sha256": "c" * 64} | changes
    return (await told(store, offer(**other), brand="farm")).result.code


async def again(store: Store, **changes: Any) -> str | None:  # noqa: ANN401 - any field of an offer
    """The same brand announces another delivery."""
    other = {"id": "other", "courier_sha256": "c" * 64} | changes
    return (await told(store, offer(**other))).result.code


@pytest.mark.parametrize("standing", ["granted", "pending"])
async def test_what_a_brand_announces_blocks_no_other_brand_and_tells_it_nothing(tmp_path: Path, standing: str) -> None:
    """A stranger announced the shop's parcel too, before it or after: both are taken as if the other had not."""
    for first in (True, False):
        folder = tmp_path / str(first)
        folder.mkdir()
        async with opened(folder, home(farm={"state": standing})) as store:
            if first:
                assert await collide(store) is None
            assert (await told(store, offer())).result.code is None, "the one is not blocked"
            if not first:
                assert await collide(store) is None, "and the other does not learn that it is promised"
            brands = [match.delivery.brand for match in store.matches(PARCEL, now=after(hours=2))]
            assert sorted(brands) == ["farm", "shop"]


async def test_a_code_of_another_open_delivery_at_that_time_and_door_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer(parcels=(PARCEL, "second")))
        assert await again(store) == "code_collision"
        assert await again(store, parcels=("third", "second")) == "code_collision"
        assert await again(store, parcels=("third",), courier_sha256="ab" * 32) == "code_collision"
        assert await again(store, window=window(2.5, 4)) == "code_collision"
        assert await again(store, parcels=("third",)) is None


@pytest.mark.parametrize(
    "changes",
    [{"window": window(3, 4)}, {"window": window(0, 1)}, {"entrance": "garage"}],
)
async def test_a_code_may_stand_again_at_another_time_or_door(tmp_path: Path, changes: dict[str, Any]) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer())
        assert await again(store, **changes) is None


async def test_a_code_is_free_again_when_its_delivery_is_cancelled_or_delivered(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer())
        assert await again(store) == "code_collision"
        await told(store, cancel())
        assert await again(store) is None
        await store.commit(
            step(state(), c.ReportParcelResult(visit="v1", delivery="shop.other", outcome=Outcome.DELIVERED))
        )
        assert await again(store, id="third", courier_sha256="d" * 64) is None


async def test_an_update_may_not_take_anothers_code_and_may_keep_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer())
        await again(store, parcels=("third",))
        assert (await told(store, update(parcels=(PARCEL, "third")))).result.code == "code_collision"
        assert (await told(store, update(parcels=(PARCEL, "fourth")))).result.code is None


async def test_an_answer_is_forgotten_only_when_its_message_is_no_longer_valid_anyway(tmp_path: Path) -> None:
    message = claims(offer(window=window(1, 30)))
    async with opened(tmp_path) as store:
        first = await store.accept(signed(message), message, NOW)
        await store.forget(after(minutes=59), before=NOON)
        assert (await store.accept(signed(message), message, after(minutes=59))).result == first.result
        await store.forget(after(minutes=61), before=NOON)
        late = verify(signed(message), keys(), box=BOX, now=after(minutes=61))
        answer = await store.accept(signed(message), late, after(minutes=61))
        assert words(answer) == (False, "no_longer_valid", None)
        assert store.facts("shop.d1", NOW) is not None


async def test_a_permission_that_changes_is_told_and_overtakes(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await told(store, offer())
        permission = store.permission("shop")
        assert permission is not None
        narrow = replace(permission.terms, carriers=frozenset({"Chronopost"}))
        await store.permit("shop", NOW, terms=narrow)
        (result,) = store.changed(NOW)
        assert (result.state, result.reason) == (State.REFUSED, "carrier_not_permitted")
        assert delivery(store).refusal is Refusal.CARRIER_NOT_PERMITTED
