"""Somebody asks to lock now: only a door that answers "closed", and called locked only when it is proven."""

from collections.abc import Callable
from typing import Any

import pytest

from devices.reports import OperationSource
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import LockRequestResult
from tests.house.house import SimulatedHome
from tests.house.story import announce_delivery, good_day, unlocked


def left_unlocked(**rules: object) -> SimulatedHome:
    """The household went out and did not lock; that was a while ago."""
    house = good_day(**rules)
    house.by_hand(unlock=True)
    house.run(300)
    return house


def result(house: SimulatedHome) -> LockRequestResult | None:
    return None if house.mem.lock_request is None else house.mem.lock_request.result


def asked(house: SimulatedHome, seconds: float = 12.0) -> LockRequestResult | None:
    house.lock_now()
    house.run(seconds)
    return result(house)


def chain(house: SimulatedHome, since: int) -> list[str]:
    return [
        x.sensor if isinstance(x, c.QuerySensor) else type(x).__name__
        for _, x in house.did[since:]
        if isinstance(x, (c.QuerySensor, c.Lock))
    ]


def test_the_door_is_asked_then_the_bolt_thrown_then_both_are_asked_again() -> None:
    house = left_unlocked()
    done = len(house.did)
    assert asked(house) is LockRequestResult.PROVEN
    assert chain(house, done)[:2] == ["door", "Lock"]
    assert chain(house, done)[-1] == "door"
    assert house.physical == ["withdrawn", "thrown"]
    assert house.premises.log[-1].why.startswith("lockup-1")


def test_a_door_that_was_left_open_is_never_locked_and_it_is_said_why() -> None:
    house = left_unlocked()
    house.open()
    house.run(1)
    assert asked(house) is LockRequestResult.DOOR_OPEN
    assert not house.all(c.Lock)


def test_a_door_that_does_not_answer_is_not_taken_for_closed() -> None:
    house = left_unlocked()
    house.faults.door_mute = True
    assert asked(house) is LockRequestResult.DOOR_UNKNOWN
    assert not house.all(c.Lock)


def test_a_door_that_opens_before_the_bolt_is_proven_ends_it() -> None:
    house = left_unlocked()
    house.faults.lag = 2.9
    house.lock_now()
    house.run(0.2)
    assert house.all(c.Lock)
    house.open()
    house.run(0.2)
    assert result(house) is LockRequestResult.DOOR_OPEN


def jam(house: SimulatedHome) -> None:
    house.faults.jam = True


def jam_and_lie(house: SimulatedHome) -> None:
    house.faults.jam = house.faults.lies = True


def go_silent(house: SimulatedHome) -> None:
    house.faults.silent = True


def go_mute(house: SimulatedHome) -> None:
    house.faults.mute = True


@pytest.mark.parametrize("fault", [jam, jam_and_lie, go_silent, go_mute])
def test_a_lock_that_does_not_prove_it_is_never_called_locked(fault: Callable[[SimulatedHome], None]) -> None:
    house = left_unlocked()
    fault(house)
    assert asked(house) is LockRequestResult.NOT_PROVEN


def test_whoever_asked_may_ask_again() -> None:
    house = left_unlocked()
    house.faults.jam = True
    asked(house)
    house.faults.jam = False
    assert asked(house) is LockRequestResult.PROVEN


def test_asked_twice_at_once_it_locks_once() -> None:
    house = left_unlocked()
    house.lock_now()
    assert asked(house) is LockRequestResult.PROVEN
    assert len(house.all(c.Lock)) == 1


def test_a_door_that_is_proven_locked_is_left_alone() -> None:
    house = good_day()
    assert asked(house) is LockRequestResult.PROVEN
    assert not house.all(c.Lock)


def test_without_the_broker_it_is_said_that_nothing_can_be_sent() -> None:
    house = left_unlocked()
    house.broker_down()
    assert asked(house) is LockRequestResult.NO_LINK


def test_a_broker_that_is_lost_meanwhile_leaves_it_unknown() -> None:
    house = left_unlocked()
    house.faults.lag = 2.9
    house.lock_now()
    house.run(0.2)
    house.broker_down()
    assert result(house) is LockRequestResult.NO_LINK


def test_while_a_visit_runs_it_is_the_visit_that_locks() -> None:
    house = unlocked()
    house.lock_now()
    assert result(house) is LockRequestResult.VISIT
    assert not house.all(c.Lock)


def test_a_restart_forgets_it_and_what_it_would_have_said() -> None:
    house = left_unlocked()
    house.faults.lag = 2.9
    house.lock_now()
    house.run(0.2)
    house.kill(seconds=1.0)
    house.run(10)
    assert house.mem.lock_request is None


def test_its_result_stands_for_a_minute() -> None:
    house = left_unlocked()
    assert asked(house) is LockRequestResult.PROVEN
    house.run(61)
    assert house.mem.lock_request is None


def test_the_log_tells_what_came_of_it() -> None:
    house = left_unlocked()
    asked(house)
    assert house.all(c.LogNote)[-1].what == "lockup_proven"


def test_a_bolt_that_moves_at_our_word_is_no_sign_of_somebody_at_home() -> None:
    house = left_unlocked()
    announce_delivery(house)
    says = house.devices.lock_says

    def names_nobody(_: OperationSource, **facts: Any) -> None:  # noqa: ANN401 - what else a report tells
        says(OperationSource.UNSPECIFIED, **facts)

    house.devices.lock_says = names_nobody  # type: ignore[assignment]  # a lock that never says who moved it
    assert asked(house) is LockRequestResult.PROVEN
    house.scan("d0-1")
    assert (house.refusals, house.phase) == ([], "ringing")


def test_a_basic_door_s_live_word_counts_as_it_stands() -> None:
    house = left_unlocked(door_answers=False)
    assert asked(house) is LockRequestResult.PROVEN
    house.by_hand(unlock=True)
    house.open()
    house.run(1)
    assert asked(house) is LockRequestResult.DOOR_OPEN
