"""What a report proves: bad news at once, good news only when asked for."""

import pytest

from devices.reports import DoorReport, DoorState, LockReport, LockState, OperationSource
from gateway.domain.visit import events as e
from tests.house.door import is_closed, is_locked
from tests.house.house import SimulatedHome
from tests.house.reports import door_report, lock_report
from tests.house.story import good_day


def heard(house: SimulatedHome, device: str, **fields: object) -> e.ReportContext:
    """The device's next message."""
    house.seqs[device] += 1
    own: dict[str, object] = {
        "session": house.session,
        "boot": f"{device}{house.boots[device]}",
        "seq": house.seqs[device],
        **fields,
    }
    return e.ReportContext(**own)  # type: ignore[arg-type] # a story names the fields that it changes


def lock_says(house: SimulatedHome, bolt: LockState, **fields: object) -> None:
    report = LockReport(bolt=bolt, source=OperationSource.AUTO)
    house.feed(lock_report(report=report, context=heard(house, "lock", **fields)))


def door_says(house: SimulatedHome, door: DoorState, **fields: object) -> None:
    house.feed(door_report(report=DoorReport(door=door), context=heard(house, "door", **fields)))


def doubting() -> SimulatedHome:
    """Nothing is proven, no answer comes by itself, and questions have been asked."""
    house = good_day()
    house.faults.mute = house.faults.door_mute = True
    house.feed(e.ReportsMissed())
    house.run(1)
    assert not is_locked(house.mem)
    assert not is_closed(house.mem)
    return house


def test_an_answer_proves() -> None:
    house = doubting()
    lock_says(house, LockState.LOCKED, answers=house.mem.last_query_id)
    door_says(house, DoorState.CLOSED, answers=house.mem.last_query_id)
    assert is_locked(house.mem)
    assert is_closed(house.mem)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"answers": 1},
        {"retained": True, "answers": 99},
        {"session": 99, "answers": 99},
        {"seq": 0, "answers": 99},
    ],
    ids=["unasked", "an old answer", "retained", "another session", "overtaken"],
)
def test_what_does_not_prove(fields: dict[str, object]) -> None:
    house = doubting()
    lock_says(house, LockState.LOCKED, **fields)
    door_says(house, DoorState.CLOSED, **fields)
    assert not is_locked(house.mem)
    assert not is_closed(house.mem)


def test_unproven_good_news_is_asked_about_at_once() -> None:
    house = doubting()
    before = house.mem.last_query_id
    lock_says(house, LockState.LOCKED)
    door_says(house, DoorState.CLOSED)
    assert house.mem.last_query_id == before + 2


@pytest.mark.parametrize(
    "bad", [LockState.UNLOCKED, LockState.NOT_FULLY_LOCKED, LockState.UNKNOWN, LockState.UNLATCHED]
)
def test_bad_news_of_the_bolt_is_believed_at_once(bad: LockState) -> None:
    house = good_day()
    lock_says(house, bad)
    assert not is_locked(house.mem)
    assert house.mem.facts["lock"].value is bad


@pytest.mark.parametrize(
    "bad", [DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN, DoorState.JAMMED, DoorState.ERROR, DoorState.UNKNOWN]
)
def test_bad_news_of_the_door_is_believed_at_once(bad: DoorState) -> None:
    house = good_day()
    door_says(house, bad)
    assert not is_closed(house.mem)


def test_a_retained_unlocked_is_no_news_at_all() -> None:
    house = good_day()
    lock_says(house, LockState.UNLOCKED, retained=True)
    assert is_locked(house.mem)


def test_an_answer_to_a_question_from_before_the_bad_news_does_not_prove() -> None:
    house = good_day()
    house.faults.mute = True
    house.feed(e.ReportsMissed())
    asked = house.mem.last_query_id - 1
    lock_says(house, LockState.UNLOCKED)
    lock_says(house, LockState.LOCKED, answers=asked)
    assert not is_locked(house.mem)


def test_what_is_proven_stays_proven_while_it_is_repeated() -> None:
    house = good_day()
    lock_says(house, LockState.LOCKED)
    door_says(house, DoorState.CLOSED)
    assert is_locked(house.mem)
    assert is_closed(house.mem)


def test_a_hole_in_the_sequence_ends_the_proof_until_it_is_answered_again() -> None:
    house = good_day()
    house.seqs["lock"] += 1
    house.faults.mute = True
    lock_says(house, LockState.LOCKED)
    assert not is_locked(house.mem)
    lock_says(house, LockState.LOCKED, answers=house.mem.last_query_id)
    assert is_locked(house.mem)


def test_a_lock_that_started_anew_must_answer_anew() -> None:
    house = good_day()
    house.faults.mute = True
    house.reboot("lock")
    lock_says(house, LockState.LOCKED, answers=house.mem.last_query_id)
    assert not is_locked(house.mem)
    lock_says(house, LockState.LOCKED, answers=house.mem.last_query_id)
    assert is_locked(house.mem)


@pytest.mark.parametrize("device", ["lock", "door"])
def test_a_lost_device_is_unknown_and_the_other_is_not(device: str) -> None:
    house = good_day()
    house.feed(e.SensorOffline(sensor=device))
    assert (is_locked(house.mem), is_closed(house.mem)) == (device == "door", device == "lock")


def test_a_lost_broker_makes_all_unknown_and_a_new_session_asks() -> None:
    house = good_day()
    house.broker_down()
    assert (house.mem.facts["lock"].value, house.mem.facts["door"].value) == (LockState.UNKNOWN, DoorState.UNKNOWN)
    house.broker_up()
    house.run(1)
    assert is_locked(house.mem)
    assert is_closed(house.mem)


def test_a_device_without_sequence_numbers_is_believed_in_the_order_of_arrival() -> None:
    house = doubting()
    lock_says(house, LockState.UNLOCKED, seq=None, boot=None)
    lock_says(house, LockState.LOCKED, seq=None, boot=None)
    assert not is_locked(house.mem)
    lock_says(house, LockState.LOCKED, seq=None, boot=None, answers=house.mem.last_query_id)
    assert is_locked(house.mem)


def test_a_basic_door_s_live_word_counts_and_a_retained_one_does_not() -> None:
    house = good_day(door_answers=False)
    house.feed(e.ReportsMissed())
    door_says(house, DoorState.CLOSED, retained=True)
    assert not is_closed(house.mem)
    house.reboot("door")
    door_says(house, DoorState.CLOSED)
    assert is_closed(house.mem)
