"""Whenever the gateway is killed on the way in or out: nothing opens twice, and all ends secured or with the owner."""

from collections import Counter

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.entrance_life import honest_courier_delivers, left_open
from tests.house.entrances import LAYOUTS, PLACE, build, courier
from tests.house.faults import CRASH_POINTS
from tests.house.promise import SimulatedDelivery
from tests.house.story import announce_delivery
from tests.house.ways import EntranceHouse

WAYS = [(name, place) for name, layout in LAYOUTS.items() for place in (layout.routes or {PLACE: ()})]


def built(layout: str, place: str) -> tuple[EntranceHouse, SimulatedDelivery]:
    house = build(layout)
    house.run(5)
    return house, announce_delivery(house, place=place)


def ordered_on(layout: str, place: str) -> list[str]:
    """The closures that the box opens on this way."""
    house = build(layout)
    route = house.rules.routes.get(place, (tuple(house.things),))[0]
    return [ident for ident in route if house.things[ident].closure.opening().is_ordered]


def steps_of(layout: str, place: str) -> list[str]:
    """The steps of an honest courier on this way."""
    return list(courier(*built(layout, place)))


def ends_well(house: EntranceHouse) -> None:
    """Everybody goes, the household looks after what is left, and the next courier delivers."""
    assert all(times == 1 for times in Counter(house.orders_open).values()), "an order to open was sent twice"
    for _ in range(10):
        house.run(30)
        for thing in reversed(house.things.values()):
            thing.tidy()
        if house.mem.visit is not None:
            house.feed(e.OwnerAcknowledged(visit=house.mem.visit.id))
    house.run(1000)
    assert house.mem.visit is None
    assert house.mem.grace_visit is None
    for thing in reversed(house.things.values()):
        thing.tidy()
    house.run(60)
    assert not left_open(house)
    results = {result.visit: result.door_result for result in house.all(c.ReportDoorResult)}
    ordered = {visit for visit, _ in house.orders_open}
    assert ordered <= set(results), "a visit ended without a result"
    honest_courier_delivers(house)


KILLED_AT_AN_ORDER = [
    pytest.param(layout, place, ident, point, id=f"{layout}-{place}-{ident}-{point}")
    for layout, place in WAYS
    for ident in ordered_on(layout, place)
    for point in CRASH_POINTS
]


@pytest.mark.parametrize(("layout", "place", "ident", "point"), KILLED_AT_AN_ORDER)
def test_a_gateway_that_is_killed_at_an_order_to_open_never_opens_twice(
    layout: str, place: str, ident: str, point: str
) -> None:
    house, promise = built(layout, place)
    house.crash_at, house.crash_closure = point, ident
    for _ in courier(house, promise):
        pass
    reports_of_its_own_accord = house.things[ident].acknowledges is not None or point != "after-report"
    assert house.crashes or not reports_of_its_own_accord, f"it was never killed {point}"
    house.crash_at = None
    house.run(40)
    assert [of for _, of in house.orders_open].count(ident) <= 1
    ends_well(house)


KILLED_AFTER_A_STEP = [
    pytest.param(layout, place, step, id=f"{layout}-{place}-{step}")
    for layout, place in WAYS
    for step in steps_of(layout, place)
]


@pytest.mark.parametrize(("layout", "place", "step"), KILLED_AFTER_A_STEP)
def test_a_gateway_that_is_killed_while_the_courier_is_on_his_way_opens_nothing_more(
    layout: str, place: str, step: str
) -> None:
    house, promise = built(layout, place)
    opened_before: set[tuple[str, str]] = set()
    for reached in courier(house, promise):
        if reached == step:
            opened_before = set(house.orders_open)
            house.kill(seconds=3.0)
    visit = promise.id
    assert house.crashes
    house.run(40)
    of_this_visit = {order for order in house.orders_open if house.intents[order[0]] == visit}
    assert of_this_visit <= opened_before or step == "scanned", "a restarted gateway went on opening"
    ends_well(house)


@pytest.mark.parametrize(("layout", "place"), WAYS)
def test_a_gateway_that_is_killed_again_and_again_lets_nobody_in_and_films(layout: str, place: str) -> None:
    house, promise = built(layout, place)
    for _ in range(3):
        house.kill(seconds=1.0)
        house.run(2)
    house.run(30)
    for _ in courier(house, promise):
        pass
    assert house.mem.safe_mode
    assert not house.orders_open
    house.feed(e.OwnerAcknowledged(visit=None))
    house.run(60)
    honest_courier_delivers(house)
