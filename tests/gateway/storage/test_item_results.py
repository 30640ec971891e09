"""What is kept of the items of a visit, and what their retailer gets of it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from devices.reports import DoorState
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.promise import ItemResult
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit.commands import AnswerScan, ReportDoorResult, ReportParcelResult, ScanAnswer
from gateway.domain.visit.conditions import ColdChain, FridgeReported
from gateway.domain.visit.conditions.cold_chain import Fridge, FridgeState
from gateway.domain.visit.events import CodeMatch, Scanned
from gateway.domain.visit.state import CodeKind, Entrance, Phase, Rules
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    entrance_state,
    make_step,
    open_store,
    receive,
    reserve_step,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_offer, make_offer_v2, noon_plus
from tests.gateway.storage.test_hub_journal import Hub, accepted, signer, synced

FISH = "(01)04006381333931(21)fish-1"
ITEMS = (
    {"code": FISH, "place": "fridge", "profile": FoodProfile.FISH},
    {"code": "milk", "place": "fridge", "max_celsius": 6.0},
)
RULES = Rules(
    conditions=(ColdChain(fridges={"fridge": Fridge(device="cooler")}),), place_scanners={"fridge-scanner": "fridge"}
)


def at(seconds: float) -> Now:
    return noon_plus(hours=2, seconds=seconds)


def air(celsius: float) -> FridgeReported:
    return FridgeReported(place="fridge", fridge=FridgeState(temp_c=celsius, door=DoorState.CLOSED))


async def visit(store: Store, *, house: DoorResult = DoorResult.LOCKED_AGAIN, visit: str = "v1") -> None:
    """A visit that stows the fish and not the milk."""
    under = visit_delivery(store, now=at(0))
    begun = entrance_state(under, visit=visit, phase=Phase.RINGING)
    reading = air(1.0)
    begun = replace(begun, rules=RULES, surroundings={reading.source: reading})
    matches = (CodeMatch(kind=CodeKind.PARCEL, delivery=under),)
    scan = Scanned(id=visit, scanner="scanner", code=PARCEL, matches=matches)
    stow = Scanned(id="stow", scanner="fridge-scanner", code=FISH)
    wait, go = (AnswerScan(scan="s", scanner="x", answer=word) for word in (ScanAnswer.WAIT, ScanAnswer.GO))

    async def commit(event: Any, *commands: Any, phase: Phase, seconds: float) -> None:  # noqa: ANN401 - any event
        state: Entrance = replace(begun, visit=replace(begun.visit, phase=phase)) if begun.visit is not None else begun
        await store.commit(make_step(state, *commands, event=event, now=at(seconds)))

    await commit(scan, wait, phase=Phase.RINGING, seconds=0)
    await store.commit(reserve_step(under, visit=visit, now=at(20)))
    await commit(stow, go, phase=Phase.INSIDE, seconds=50)
    await commit(air(1.5), phase=Phase.INSIDE, seconds=60)
    ended = ReportParcelResult(visit=visit, delivery=under.id, outcome=Outcome.DELIVERED)
    await commit(air(1.4), ended, phase=Phase.RELOCKING, seconds=70)
    last = ReportDoorResult(visit=visit, delivery=under.id, door_result=house)
    await commit(air(1.4), last, phase=Phase.LOCKED_AGAIN, seconds=80)


def results(store: Store) -> tuple[ItemResult, ...] | None:
    result = store.deliveries.result("shop.d1", at(100))
    assert result is not None
    return result.cold_chain


async def test_the_retailer_gets_a_verdict_on_each_item_once_the_way_in_is_secured(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=ITEMS))
        assert results(store) is None
        await visit(store)
        assert results(store) == (
            ItemResult(code=FISH, verdict="conformant", seconds=50.0, lowest_c=1.0, highest_c=1.5),
            ItemResult(
                code="milk", verdict="unknown", reasons=("not_stowed", "no_air_after"), lowest_c=1.0, highest_c=1.5
            ),
        )
        (changed,) = store.deliveries.changed_results(at(100))
        assert changed.cold_chain == results(store)
        await store.deliveries.mark_reported(changed, at(100))
        assert store.deliveries.changed_results(at(101)) == ()


async def test_a_hub_gets_the_verdicts_once_it_reads_them(tmp_path: Path) -> None:
    hub = Hub()
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(signer(), NOW)
        await accepted(store, make_offer_v2(items=ITEMS))
        await visit(store)
        await synced(store, hub, at(100))
        assert {one.result.cold_chain for one in hub.events if one.result is not None} == {None}, "an older hub"
        await store.hub_journal.set_event_format(2)
        await synced(store, hub, at(200))
    told = [one.result.cold_chain for one in hub.events if one.result is not None][-1]
    assert told is not None
    assert [item.verdict for item in told] == ["conformant", "unknown"]


async def test_a_door_that_is_locked_after_it_was_handed_over_changes_no_verdict(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=ITEMS))
        await visit(store, house=DoorResult.HANDED_TO_OWNER)
        before = results(store)
        assert before is not None
        locked = ReportDoorResult(visit="v1", delivery="shop.d1", door_result=DoorResult.LOCKED_AGAIN)
        await store.commit(make_step(Entrance(id="front"), locked, event=air(30.0), now=at(900)))
        assert results(store) == before


async def test_what_is_kept_of_a_visit_names_no_code(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=ITEMS))
        await visit(store)
    with closing(sqlite3.connect(tmp_path / "perron.sqlite")) as database:
        ((kept,),) = database.execute("SELECT items FROM visit").fetchall()
        logged = "".join(str(body) for (body,) in database.execute("SELECT body FROM entry"))
    assert "conformant" in kept
    assert "fish" not in kept
    assert FISH not in logged


async def test_a_delivery_without_items_has_no_verdict(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer(place="fridge", max_celsius=6.0))
        await visit(store)
        assert results(store) is None


async def test_the_items_of_an_order_are_kept_over_a_restart_and_replaced_as_a_whole(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer_v2(items=ITEMS, min_celsius=0.0, place="fridge"))
    async with open_store(tmp_path) as store:
        under = visit_delivery(store)
        assert [item.code for item in under.items] == [FISH, "milk"]
        assert under.items[0].profile is FoodProfile.FISH
        assert (under.limits["fridge"].min_c, under.limits["fridge"].max_c) == (0.0, 2.0)


async def test_items_go_only_to_places_that_the_house_has_keeps_cold_and_permits(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for place, code in (("cellar", "unknown_place"), ("hall", "place_not_cold"), ("fridge", None)):
            offer = make_offer_v2(id=f"d-{place}", parcels=(place,), items=({**ITEMS[1], "place": place},))
            answer = await receive(store, offer)
            assert answer.result.code == code
