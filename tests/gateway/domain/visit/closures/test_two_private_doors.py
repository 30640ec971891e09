"""A garden gate before the front door: both have a bolt, and both are the home's own."""

from gateway.domain.visit import commands as c
from tests.house.entrances import build, walk
from tests.house.story import announce_delivery
from tests.house.things.bolted_door import BoltedLeaf
from tests.house.ways import EntranceHouse


def leaf(house: EntranceHouse, ident: str) -> BoltedLeaf:
    thing = house.things[ident]
    assert isinstance(thing, BoltedLeaf)
    return thing


def until(step: str) -> EntranceHouse:
    house = build("gate and front door")
    house.run(5)
    assert walk(house, announce_delivery(house), step)[-1] == step, house.refusals
    return house


def test_the_gate_is_locked_behind_him_before_the_door_opens_and_both_are_locked_at_the_end() -> None:
    house = until("out of gate")
    house.run(60)
    assert house.orders[:3] == ["Unlock gate", "Lock gate", "Unlock front"]
    assert set(house.orders[3:]) == {"Lock front", "Lock gate"}
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]
    assert len(house.all(c.Unlock)) == 2


def test_a_gate_that_does_not_lock_behind_him_keeps_the_front_door_locked() -> None:
    house = until("in gate")
    house.faults.jam = True
    leaf(house, "gate").shut()
    house.run(30)
    house.scan("d0-1", scanner="at-front")
    house.run(2)
    assert "Unlock front" not in house.orders
    house.run(300)
    assert house.houses == ["handed_to_owner"]
    assert leaf(house, "front").is_secured()


def test_a_gate_that_somebody_unlocks_behind_him_is_locked_again_before_the_door_opens() -> None:
    house = until("before front")
    leaf(house, "gate").turn(unlock=True)
    house.run(20)
    assert house.orders == ["Unlock gate", "Lock gate", "Lock gate"]
    assert leaf(house, "gate").is_secured()


def test_whoever_goes_back_through_the_gate_before_the_door_opened_delivered_nothing() -> None:
    house = until("before front")
    leaf(house, "gate").leave()
    house.run(300)  # so long the gate waits for him at the front door
    assert "Unlock front" not in house.orders
    assert house.outcomes == ["not_delivered"]
    assert house.houses == ["locked_again"]
    assert leaf(house, "gate").is_secured()


def test_a_front_door_that_is_not_ready_keeps_even_the_gate_locked() -> None:
    house = build("gate and front door")
    leaf(house, "front").turn(unlock=True)
    house.run(60)
    announce_delivery(house)
    house.scan("d0-1")
    assert house.refusals
    assert not house.orders


def test_a_door_that_stays_unopened_is_locked_again_and_he_delivered_nothing() -> None:
    house = until("before front")
    house.scan("d0-1", scanner="at-front")
    house.run(120)
    assert house.orders[:3] == ["Unlock gate", "Lock gate", "Unlock front"]
    assert house.outcomes == ["not_delivered"]
    assert house.houses == ["locked_again"]


def test_a_lock_request_locks_the_inner_door_first() -> None:
    house = build("gate and front door")
    house.run(5)
    for ident in ("gate", "front"):
        leaf(house, ident).turn(unlock=True)
    house.run(1)
    house.lock_now()
    house.run(20)
    assert house.orders == ["Lock front", "Lock gate"]
    assert house.notes[-1] == "lockup_proven"


def test_three_crashes_lead_to_safe_mode_which_locks_both() -> None:
    house = build("gate and front door")
    house.run(5)
    for ident in ("gate", "front"):
        leaf(house, ident).turn(unlock=True)
    for _ in range(3):
        house.kill(seconds=1.0)
        house.run(2)
    house.run(120)
    assert leaf(house, "front").is_secured()
    assert leaf(house, "gate").is_secured()
    assert not house.all(c.Unlock)
