"""The chain of questions at the end, and what happens when it breaks."""

import pytest

from devices.reports import LockReport, LockState, OperationSource
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.house import SimulatedHome
from tests.house.reports import lock_report
from tests.house.story import inside, locked_again


def closing(**rules: object) -> SimulatedHome:
    """The courier closed the door a moment ago."""
    house = inside(**rules)
    house.close()
    house.run(2.5)
    assert house.phase == "relocking"
    return house


def test_door_then_bolt_then_bolt_s_answer_then_door_again() -> None:
    house = closing()
    done = len(house.did)
    house.run(12)
    chain = [
        x.sensor if isinstance(x, c.QuerySensor) else type(x).__name__
        for _, x in house.did[done:]
        if isinstance(x, (c.QuerySensor, c.Lock, c.ReportDoorResult))
    ]
    assert chain == ["door", "Lock", "lock", "door", "ReportDoorResult"]


def test_a_parcel_of_the_visit_that_is_scanned_while_the_bolt_goes_out_is_told_to_wait() -> None:
    house = closing()
    house.scan(min(house.promises[min(house.promises)].parcels))
    assert house.phase == "relocking"
    assert house.all(c.AnswerScan)[-1].answer is c.ScanAnswer.WAIT


def test_the_owner_hears_locked_again_with_a_picture() -> None:
    house = locked_again()
    tell = house.all(c.NotifyOwner)[-1]
    assert (tell.notification, tell.picture) == (c.Notification.LOCKED_AGAIN, True)


def test_locked_by_its_own_word_alone_is_not_locked_again() -> None:
    house = closing()
    house.faults.silent = True
    house.run(9)
    assert house.premises.bolt_out
    assert not house.houses


def test_a_lock_that_lies_about_a_jam_is_the_owner_s() -> None:
    house = closing()
    house.faults.jam = True
    house.faults.lies = True
    house.run(40)
    assert house.houses == ["handed_to_owner"]
    assert "not_locked" in house.alarms
    assert not house.premises.bolt_out


def test_an_answer_to_an_older_question_proves_nothing() -> None:
    house = closing()
    house.faults.mute = True
    house.run(8)
    report = LockReport(bolt=LockState.LOCKED, source=OperationSource.REMOTE)
    old = house.mem.facts["lock"].min_query_id - 1
    house.feed(lock_report(report=report, context=e.ReportContext(session=1, answers=old)))
    house.run(1)
    assert not house.mem.facts["lock"].proven
    assert not house.houses


def test_a_jam_is_tried_three_times_then_handed_over() -> None:
    house = closing()
    house.faults.jam = True
    house.run(30)
    assert len(house.all(c.Lock)) == 3
    assert [lock.attempt for lock in house.all(c.Lock)] == [1, 2, 3]
    assert house.phase == "handed_to_owner"
    assert house.alarms[:2] == ["lock_jammed", "not_locked"]


def test_a_jam_that_clears_in_time_ends_locked_again() -> None:
    house = closing()
    house.faults.jam = True
    house.run(8.2)
    house.faults.jam = False
    house.run(20)
    assert house.houses == ["locked_again"]


def test_opening_while_the_bolt_is_about_to_move_is_the_same_visit() -> None:
    house = closing()
    house.run(7)
    house.open()
    house.run(1)
    assert house.phase == "inside"
    house.close()
    house.run(30)
    assert house.houses == ["locked_again"]
    assert house.promises["d0"].used == 1


def test_a_door_that_does_not_answer_is_never_locked() -> None:
    house = closing()
    house.faults.door_mute = True
    house.run(60)
    assert not house.all(c.Lock)
    assert house.phase == "handed_to_owner"


def test_tries_count_only_while_connected() -> None:
    house = closing()
    house.broker_down()
    house.run(50)
    assert house.phase == "relocking"
    house.broker_up()
    house.run(20)
    assert house.houses == ["locked_again"]
    assert [lock.attempt for lock in house.all(c.Lock)] == [1]


def test_a_minute_without_the_broker_hands_over() -> None:
    house = closing()
    house.broker_down()
    house.run(72)
    assert house.houses == ["handed_to_owner"]
    assert house.alarms == ["not_locked"]


def handed_over() -> SimulatedHome:
    house = closing()
    house.faults.jam = True
    house.run(30)
    assert house.phase == "handed_to_owner"
    return house


def test_handed_over_alarms_every_minute_films_on_and_blocks_the_entrance() -> None:
    house = handed_over()
    before = len(house.alarms)
    house.run(180)
    assert house.alarms[before:] == ["not_locked"] * 3
    assert "v1" in house.clips
    house.promises["d1"] = house.promises["d0"]
    house.scan("d0-1")
    assert house.refusals == ["not_ready"]


def test_a_door_that_becomes_good_by_itself_still_waits_for_the_owner() -> None:
    house = handed_over()
    house.faults.jam = False
    house.by_hand(unlock=False)
    house.run(130)
    assert house.phase == "handed_to_owner"


def test_the_owner_s_acknowledgement_tries_three_times_more() -> None:
    house = handed_over()
    house.feed(e.OwnerAcknowledged(visit="v1"))
    house.run(30)
    assert house.phase == "handed_to_owner"
    assert len(house.all(c.Lock)) == 6
    house.faults.jam = False
    house.feed(e.OwnerAcknowledged(visit="v1"))
    house.run(20)
    assert house.houses == ["handed_to_owner", "locked_again"]


def test_another_visit_s_acknowledgement_changes_nothing() -> None:
    house = handed_over()
    house.feed(e.OwnerAcknowledged(visit="v9"))
    house.feed(e.OwnerAcknowledged(visit=None))
    assert house.phase == "handed_to_owner"


def test_an_acknowledgement_that_came_too_early_does_not_count() -> None:
    house = closing()
    house.feed(e.OwnerAcknowledged(visit="v1"))
    house.faults.jam = True
    house.run(30)
    assert house.phase == "handed_to_owner"


@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_a_slow_lock_is_given_its_time(seconds: float) -> None:
    house = closing()
    house.faults.lag = seconds
    house.run(30)
    assert house.houses == ["locked_again"]
    assert len(house.all(c.Lock)) == 1


def test_a_broker_that_is_kept_coming_and_going_does_not_put_the_hand_over_off() -> None:
    house = inside()
    house.close()
    house.run(3)
    assert house.phase == "relocking"
    house.faults.silent = True
    house.faults.mute = True
    for _ in range(10):
        house.run(1)  # too short for any try to end
        house.broker_down()
        house.run(50)  # too short to be an outage
        house.broker_up()
    assert house.phase == "handed_to_owner"
    assert "not_locked" in house.alarms
