"""A key safe, alone and before the door of its key: the key comes back in time, or its owner is reminded."""

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.entrances import build, walk
from tests.house.story import announce_delivery
from tests.house.things.key_safe import Safe
from tests.house.things.keyed_door import KeyedLeaf
from tests.house.ways import EntranceHouse


def safe(house: EntranceHouse) -> Safe:
    thing = house.things["safe"]
    assert isinstance(thing, Safe)
    return thing


def door(house: EntranceHouse) -> KeyedLeaf:
    thing = house.things["front"]
    assert isinstance(thing, KeyedLeaf)
    return thing


def until(layout: str, step: str) -> EntranceHouse:
    house = build(layout)
    house.run(5)
    assert walk(house, announce_delivery(house), step)[-1] == step, house.refusals
    return house


def key_out() -> EntranceHouse:
    """The key is taken, the flap is shut, nobody opened a door."""
    house = until("key safe alone", "in safe")
    safe(house).shut()
    house.run(5)
    assert house.phase == "inside"
    return house


def inside() -> EntranceHouse:
    house = until("key safe", "in front")
    assert house.phase == "inside"
    assert house.mem.visit is not None
    assert house.mem.visit.entry.stage == 1
    return house


def acknowledge(house: EntranceHouse) -> None:
    assert house.mem.visit is not None
    house.feed(e.OwnerAcknowledged(visit=house.mem.visit.id))


def test_the_key_is_taken_and_comes_back() -> None:
    house = key_out()
    house.run(300)
    safe(house).leave()
    house.run(60)
    assert house.notes == ["key_taken", "key_returned"]
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]
    assert not house.alarms


def test_locked_again_is_never_reported_while_the_key_is_out() -> None:
    house = key_out()
    house.run(3000)
    assert "locked_again" not in house.houses


def test_of_a_key_that_is_late_the_owner_is_reminded_and_then_has_to_look_after_it() -> None:
    house = key_out()
    house.run(600 + 70)
    assert house.alarms == ["key_late"]
    house.run(300)
    assert house.houses == ["handed_to_owner"]
    safe(house).leave()
    house.run(5)
    acknowledge(house)
    house.run(60)
    assert house.houses == ["handed_to_owner", "locked_again"]


def test_a_key_that_goes_while_the_flap_reports_closed_is_taken_all_the_same() -> None:
    house = build("key safe alone")
    house.run(5)
    thing = safe(house)
    values = thing.values
    thing.values = lambda: {**values(), "flap": "closed"}  # type: ignore[method-assign] # a sensor lies
    walk(house, announce_delivery(house), "in safe")
    thing.shut()
    house.run(5)
    assert house.phase == "inside"
    assert house.promises["d0"].used == 1
    assert len(house.all(c.ConsumeOpening)) == 1


def test_a_hook_that_answers_nothing_is_no_key_that_came_back() -> None:
    house = key_out()
    house.faults.silent = True
    house.feed(e.SensorOffline(sensor="safe/key"))
    house.run(120)
    assert house.notes == ["key_taken"]
    assert not house.houses


def test_a_hook_that_falls_silent_while_the_safe_is_secured_is_not_locked_again() -> None:
    house = key_out()
    safe(house).leave()
    house.run(4)
    assert house.phase == "relocking"
    house.unplugged.add("safe/key")
    house.feed(e.SensorOffline(sensor="safe/key"))
    house.run(60)
    assert house.houses == ["handed_to_owner"]


def test_while_the_key_is_out_nobody_else_gets_it() -> None:
    house = key_out()
    announce_delivery(house, "d1")
    house.scan("d1-1")
    assert house.refusals == ["busy"]


def test_a_safe_without_its_key_opens_to_nobody() -> None:
    house = build("key safe alone")
    safe(house).has_key = False
    house.run(5)
    announce_delivery(house)
    house.scan("d0-1")
    assert not house.orders
    assert house.refusals


def test_whoever_opens_the_flap_and_takes_no_key_delivered_nothing() -> None:
    house = until("key safe alone", "let in")
    safe(house).shut()
    house.run(60)
    assert house.outcomes == ["not_delivered"]
    assert house.notes == []


def test_a_key_that_goes_while_all_are_away_is_an_incident() -> None:
    house = build("key safe alone")
    house.run(5)
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    safe(house).open_by_code()
    house.run(1)
    assert house.alarms == ["unexpected_unlock"]


def test_the_key_opens_the_door_and_at_the_end_the_door_is_closed_and_the_key_is_back() -> None:
    house = inside()
    door(house).shut()
    house.run(60)
    assert house.houses == []
    safe(house).leave()
    house.run(60)
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]
    assert house.orders == ["Unlock safe"]
    assert not house.alarms


def test_the_time_of_a_late_key_runs_from_when_it_went_whatever_the_door_does() -> None:
    house = inside()
    went_at = house.t
    while house.t - went_at < 540:
        door(house).shut()
        house.run(20)
        door(house).enter()
        house.run(20)
    door(house).shut()
    house.run(went_at + 590 - house.t)
    assert "key_late" not in house.alarms
    house.run(80)
    assert "key_late" in house.alarms


def test_a_key_that_is_back_while_the_door_stands_open_is_not_locked_again() -> None:
    house = inside()
    safe(house).leave()
    house.run(300)
    assert "locked_again" not in house.houses
    assert "door_left_open" in house.alarms


def test_a_door_that_answers_nothing_is_not_locked_again_though_the_key_is_back() -> None:
    house = inside()
    door(house).shut()
    house.run(20)  # the box waits for the key now
    door(house).values = lambda: {"door": "error"}  # type: ignore[method-assign] # a sensor lies
    house.feed(e.SensorOffline(sensor="front/door"))
    safe(house).leave()
    house.run(120)
    assert house.houses == ["handed_to_owner"]


def test_a_key_that_opened_no_door_delivered_nothing() -> None:
    house = until("key safe", "in safe")
    safe(house).leave()
    house.run(60)
    assert house.outcomes == ["not_delivered"]
    assert house.houses == ["locked_again"]


@pytest.mark.parametrize("layout", ["key safe", "key safe in the hall"])
def test_a_door_that_stands_open_lets_nobody_have_the_key(layout: str) -> None:
    house = build(layout)
    inner = list(house.things.values())[-1]
    assert isinstance(inner, KeyedLeaf)
    inner.is_open = True
    house.run(5)
    announce_delivery(house)
    house.scan("d0-1")
    assert house.refusals
    assert not house.orders
