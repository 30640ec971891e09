"""For how many things a fridge still has room: the household counts, and a basket that is too large is refused."""

from pathlib import Path

import pytest

from gateway.domain.delivery.promise import DeliveryBody
from gateway.domain.delivery.result import DoorResult
from gateway.domain.visit import commands as c
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    commit_reservation,
    entrance_state,
    make_step,
    open_store,
    receive,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import NOW, make_offer, make_offer_v2

THREE = tuple({"code": f"milk-{number}", "place": "fridge", "max_celsius": 6.0} for number in range(3))


def full(store: Store) -> frozenset[str]:
    return visit_delivery(store).full_places


def room(store: Store) -> int | None:
    counted = store.free_room.all().get(("front", "fridge"))
    return None if counted is None else counted.free


async def bring(store: Store, house: DoorResult = DoorResult.LOCKED_AGAIN, *, is_opened: bool = True) -> None:
    """A visit for it, in which something was opened or not; then its first result of the door."""
    await commit_reservation(store, "shop.d1")
    if is_opened:
        await store.commit(make_step(entrance_state(), c.ConsumeOpening(visit="v1", delivery="shop.d1")))
    else:
        released = c.ReleaseOpening(visit="v1", delivery="shop.d1", withdrawal=False)
        await store.commit(make_step(entrance_state(), released))
    result = c.ReportDoorResult(visit="v1", delivery="shop.d1", door_result=house)
    await store.commit(make_step(entrance_state(), result))


@pytest.mark.parametrize(
    ("offer", "needed"),
    [
        (make_offer_v2(items=THREE, place="fridge"), 3),
        (make_offer_v2(items=THREE, place="hall"), 3),
        (make_offer(place="fridge", parcels=("a-1", "a-2"), max_celsius=6.0), 2),
    ],
    ids=["a basket", "a basket whose bag stays in the hall", "parcels without items"],
)
async def test_what_needs_more_room_than_there_is_finds_the_fridge_full(
    tmp_path: Path,
    offer: DeliveryBody,
    needed: int,
) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, offer)
        assert full(store) == frozenset(), "nobody counts"
        for free in range(needed + 2):
            await store.free_room.say("front", "fridge", free, NOW)
            assert full(store) == (frozenset() if free >= needed else {"fridge"})
        await store.free_room.say("front", "fridge", 0, NOW)
        await store.free_room.say("front", "fridge", None, NOW)
        assert full(store) == frozenset(), "nobody counts any longer"


async def test_a_count_of_another_place_or_entrance_says_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=THREE, place="fridge"))
        await store.free_room.say("front", "hall", 0, NOW)
        await store.free_room.say("garage", "fridge", 0, NOW)
        assert full(store) == frozenset()


async def test_the_count_is_kept_over_a_restart_and_the_log_says_who_counted(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=THREE, place="fridge"))
        await store.free_room.say("front", "fridge", 2, NOW, by="p-anna")
    async with open_store(tmp_path) as store:
        assert full(store) == {"fridge"}
        assert room(store) == 2
        assert store.free_room.all()["front", "fridge"].at == NOW.utc


@pytest.mark.parametrize("house", [DoorResult.LOCKED_AGAIN, DoorResult.HANDED_TO_OWNER])
async def test_what_a_courier_may_have_brought_is_taken_off_once(tmp_path: Path, house: DoorResult) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=THREE, place="fridge"))
        await store.free_room.say("front", "fridge", 5, NOW)
        await bring(store, house)
        assert room(store) == 2
        again = c.ReportDoorResult(visit="v1", delivery="shop.d1", door_result=DoorResult.LOCKED_AGAIN)
        await store.commit(make_step(entrance_state(), again))
        assert room(store) == 2, "the owner acknowledged it: nothing more came"


async def test_there_is_never_less_than_no_room(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=THREE, place="fridge"))
        await store.free_room.say("front", "fridge", 1, NOW)
        await bring(store)
        assert room(store) == 0


async def test_a_visit_that_opened_nothing_takes_no_room(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=THREE, place="fridge"))
        await store.free_room.say("front", "fridge", 5, NOW)
        await bring(store, is_opened=False)
        assert room(store) == 5
