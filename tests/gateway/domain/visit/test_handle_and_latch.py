"""Doors that need more than a bolt: a latch that must be pulled, and a handle that somebody must lift."""

from gateway.domain.visit import commands as c
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, good_day, inside


def shown(house: SimulatedHome) -> list[str]:
    return [str(show.sound) for show in house.all(c.ShowSignal)]


def told(house: SimulatedHome) -> list[str]:
    return [str(tell.notification) for tell in house.all(c.NotifyOwner)]


# ---- a fixed knob outside -------------------------------------------------------------------------------------------


def scanned(*, latch_stuck: bool = False) -> SimulatedHome:
    house = good_day(unlatch=True)
    house.faults.latch_stuck = latch_stuck
    announce_delivery(house)
    house.scan("d0-1")
    return house


def test_the_courier_is_let_in_when_the_latch_is_pulled_and_not_before() -> None:
    house = scanned()
    while house.phase != "unlocked":
        assert "go" not in shown(house)
        house.run(0.05)
        assert house.t < 200
    assert house.mem.facts["lock"].value == "unlatched"
    assert shown(house)[-1] == "go"


def test_a_bolt_without_the_latch_opens_nothing_and_is_locked_again() -> None:
    house = scanned(latch_stuck=True)
    house.run(RINGING_S + 8)
    assert "go" not in shown(house)
    assert "unlock_unknown" in house.alarms
    assert len(house.all(c.Unlock)) == 1
    house.run(60)
    assert house.houses == ["locked_again"]


def test_a_door_that_opens_needs_no_word_of_the_latch() -> None:
    house = scanned(latch_stuck=True)
    house.run(RINGING_S + 0.5)
    house.premises.door_open = True
    house.devices.door_says()
    house.run(0.5)
    assert house.phase == "inside"


def test_a_latch_that_springs_back_before_anybody_came_is_locked_as_ever() -> None:
    house = scanned()
    house.run(RINGING_S + 5)
    assert house.phase == "unlocked"
    assert house.mem.facts["lock"].value == "unlocked"
    house.run(60)
    assert house.houses == ["locked_again"]
    assert house.promises["d0"].used == 0


# ---- a handle to be lifted ------------------------------------------------------------------------------------------


def closed_behind(house: SimulatedHome) -> SimulatedHome:
    house.close()
    house.run(2.5)
    assert house.phase == "relocking"
    return house


def test_whoever_closes_the_door_is_asked_to_lift_the_handle_before_the_bolts_move() -> None:
    house = closed_behind(inside(lift_handle=True))
    assert shown(house)[-1] == "lift_the_handle"
    assert not house.all(c.Lock)
    house.run(30)
    assert house.houses == ["locked_again"]
    assert "lift_the_handle" not in told(house), "it was lifted: nobody need be told"


def test_a_handle_that_stays_down_is_prompted_told_once_and_handed_over_never_called_locked() -> None:
    house = inside(lift_handle=True)
    house.faults.handle_down = True
    closed_behind(house)
    prompts = shown(house).count("lift_the_handle")
    house.run(120)
    assert shown(house).count("lift_the_handle") >= prompts + 2
    assert told(house).count("lift_the_handle") == 1
    assert house.houses == ["handed_to_owner"]
    assert len(house.all(c.Lock)) == 3
    assert not house.premises.bolt_out


def test_a_handle_that_is_lifted_at_the_second_prompt_is_locked_again() -> None:
    house = inside(lift_handle=True)
    house.faults.handle_down = True
    closed_behind(house)
    house.run(20)
    assert "lift_the_handle" in told(house)
    assert not house.houses
    house.faults.handle_down = False
    house.run(40)
    assert house.houses == ["locked_again"]
    assert house.premises.bolt_out


def test_a_half_thrown_bolt_of_any_other_lock_is_tried_again_at_once() -> None:
    house = inside()
    house.faults.handle_down = True
    closed_behind(house)
    house.run(60)
    assert house.houses == ["handed_to_owner"]
    assert "lift_the_handle" not in shown(house)
