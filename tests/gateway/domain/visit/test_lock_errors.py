"""A lock that says why it did not obey: asked at once, told to the owner in words, and never believed blindly."""

import pytest

from devices.reports import OperationError
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import LockRequestResult
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, good_day, inside, unlocked


def scanned(**rules: object) -> SimulatedHome:
    """The courier scanned, and the bolt is about to move."""
    house = good_day(**rules)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S - 0.6)
    assert house.phase == "ringing"
    return house


def refused(house: SimulatedHome, failure: OperationError = OperationError.BUSY) -> SimulatedHome:
    house.faults.refuses = failure
    house.run(1)
    return house


def told(house: SimulatedHome) -> list[str]:
    return [alarm.detail for alarm in house.all(c.RaiseAlarm) if alarm.code is c.AlarmCode.LOCK_REFUSED]


def test_a_refused_unlock_is_asked_about_at_once_and_told_with_its_reason() -> None:
    house = refused(scanned(latency=60.0))
    assert [x.sensor for x in house.all(c.QuerySensor)][-3:].count("lock") >= 1
    assert told(house) == ["busy"]
    assert house.phase == "relocking", "the lock's own answer ended the waiting, long before its latency"


def test_a_refused_unlock_is_never_sent_again() -> None:
    house = refused(scanned())
    house.faults.refuses = None
    house.run(120)
    assert len(house.all(c.Unlock)) == 1
    assert house.houses == ["locked_again"]
    assert house.physical == [line for line in house.physical if "withdrawn" not in str(line)]


def test_the_courier_hears_no_and_the_opening_comes_back() -> None:
    house = refused(scanned())
    house.faults.refuses = None
    house.run(60)
    assert house.refusals[-1] == "not_ready"
    assert house.promises["d0"].used == 0
    assert "unlock_unknown" not in house.alarms


def test_a_refusal_of_a_lock_that_is_silent_then_ends_as_silence_does() -> None:
    house = scanned()
    house.faults.silent = True
    refused(house, OperationError.TIMEOUT)
    house.run(10)
    assert told(house) == ["timeout"]
    assert "unlock_unknown" in house.alarms
    assert house.outcomes == ["unknown"]
    assert house.promises["d0"].used == 1


def test_a_lock_that_says_no_says_locked_and_then_moves_all_the_same_is_locked_again() -> None:
    house = scanned()
    house.faults.refused_yet_done = True
    refused(house, OperationError.TIMEOUT)
    assert house.phase == "relocking"
    assert house.premises.withdrawals, "it moved"
    house.run(60)
    assert house.premises.bolt_out
    assert house.houses == ["locked_again"]
    assert told(house) == ["timeout"]


def test_a_refusal_does_not_shorten_the_time_in_which_a_late_copy_may_act() -> None:
    house = refused(scanned(guarded=False, command_life=20.0))
    house.faults.refuses = None
    house.run(15)
    assert house.phase == "relocking"
    assert not house.houses
    house.run(20)
    assert house.houses == ["locked_again"]


def test_a_refused_lock_is_asked_about_at_once_tried_again_and_handed_over() -> None:
    house = inside(latency=20.0)
    house.faults.refuses = OperationError.UNREACHABLE
    house.close()
    house.run(35)
    assert told(house) == ["unreachable"], "once a visit"
    assert len(house.all(c.Lock)) == 2, "the first try did not wait for its latency twice"
    house.run(40)
    assert len(house.all(c.Lock)) == 3
    assert house.houses == ["handed_to_owner"]


def test_a_lock_that_refuses_and_yet_locks_is_proven_by_its_answer() -> None:
    house = inside()
    house.faults.refuses, house.faults.refused_yet_done = OperationError.TIMEOUT, True
    house.close()
    house.run(20)
    assert house.houses == ["locked_again"]
    assert told(house) == ["timeout"]


def test_a_refusal_that_nobody_waits_for_changes_nothing() -> None:
    for house in (good_day(), unlocked()):
        before = house.mem
        house.feed(e.LockFailed(failure=OperationError.BUSY))
        assert house.mem == before
        assert told(house) == []


@pytest.mark.parametrize(
    ("failure", "command"),
    [(OperationError.REPEATED, None), (OperationError.BUSY, "another-visit"), (OperationError.BUSY, "x-lock-1")],
)
def test_a_copy_that_was_refused_or_another_order_is_none_of_this_visit(
    failure: OperationError, command: str | None
) -> None:
    house = scanned()
    house.faults.mute = True
    house.run(1)
    assert house.phase == "unlocking"
    house.feed(e.LockFailed(failure=failure, command=command))
    assert told(house) == []
    assert not house.mem.visit or not house.mem.visit.refused


def test_a_lock_that_names_the_order_is_understood() -> None:
    house = scanned()
    house.faults.mute = True
    house.run(1)
    assert house.mem.visit is not None
    house.feed(e.LockFailed(failure=OperationError.BUSY, command=f"{house.mem.visit.id}-door"))
    assert told(house) == ["busy"]


def test_somebody_who_asks_to_lock_is_told_too_and_need_not_wait() -> None:
    house = good_day(latency=20.0)
    house.by_hand(unlock=True)
    house.run(300)
    house.faults.refuses = OperationError.INSUFFICIENT_BATTERY
    house.lock_now()
    house.run(25)
    assert told(house) == ["insufficient_battery"]
    assert house.mem.lock_request is not None
    assert house.mem.lock_request.result is LockRequestResult.NOT_PROVEN, "asked at once, so one latency and not two"


def test_a_lock_that_repeats_its_refusal_during_a_lock_up_is_told_of_once() -> None:
    house = inside()
    house.close()
    house.run(60)
    house.faults.silent = True
    house.kill(seconds=1)
    house.run(2)  # until the unlock of before can act no more, no answer counts: the lock-up waits
    house.faults.refuses = OperationError.BUSY
    house.lock_now()
    house.run(0.1)
    assert house.mem.lock_request is not None
    assert house.mem.lock_request.securing.run.refused
    for _ in range(30):
        house.feed(e.LockFailed(failure=OperationError.BUSY))
    assert told(house) == ["busy"]
