"""An unlock that the lock obeys after its visit has ended."""

import pytest

from devices.reports import LockReport, LockState, OperationSource
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.house import SimulatedHome
from tests.house.reports import lock_report
from tests.house.story import RINGING_S, announce_delivery, good_day, unlocked

HOLD = 900.0
DEAF = 60  # a visit whose unlock nobody answered has ended by then


def parts(house: SimulatedHome) -> list[int]:
    return [film.part for film in house.all(c.StartRecording)]


def unanswered(holds: float, **rules: object) -> SimulatedHome:
    """A radio takes the unlock in time, says nothing, and hands it over so many seconds later; the visit has ended."""
    house = good_day(**rules)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S - 1)
    house.faults.holds = holds
    house.run(DEAF)
    assert (house.phase, house.houses) == ("ready", ["locked_again"]), (house.phase, house.alarms)
    assert "unlock_unknown" in house.alarms
    return house


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("holds", [70.0, 400.0, HOLD - 10])
def test_a_lock_that_obeys_after_its_visit_is_alarmed_filmed_and_locked_again(holds: float, guarded: bool) -> None:
    house = unanswered(holds, guarded=guarded)
    house.run(holds - DEAF + 60)
    assert house.physical == ["withdrawn", "thrown"]
    assert house.alarms[-1] == "late_unlock"
    assert parts(house) == [1, 2]
    assert house.houses == ["locked_again", "locked_again"]
    told = [tell.visit for tell in house.all(c.NotifyOwner) if tell.notification is c.Notification.LOCKED_AGAIN]
    assert told == ["v1", "v1"], "the owner is told of the visit that it belongs to"
    assert house.promises["d0"].used == 1


def test_a_late_unlock_is_locked_at_once_and_not_after_the_time_that_a_hand_is_given() -> None:
    house = unanswered(70.0)
    house.run(70 - DEAF + 3)
    assert house.physical == ["withdrawn", "thrown"]


def test_a_lock_that_obeys_late_and_tells_nothing_is_found_by_asking() -> None:
    house = unanswered(70.0)
    house.faults.mute = True
    house.run(70 - DEAF + 2)
    assert house.physical == ["withdrawn"]
    house.faults.mute = False
    house.run(90)
    assert house.alarms[-1] == "late_unlock"
    assert house.physical[-1] == "thrown"


def test_a_late_unlock_whose_lock_names_no_source_is_no_hand_of_the_household() -> None:
    house = unanswered(1e6)
    report = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.UNSPECIFIED)
    house.feed(lock_report(report=report, context=e.ReportContext(session=1)))
    assert house.alarms[-1] == "late_unlock"
    assert parts(house) == [1, 2]


def test_a_door_that_opens_while_an_unlock_is_unanswered_is_alarmed_though_the_lock_is_mute() -> None:
    house = unanswered(70.0)
    house.faults.mute = True
    house.run(70 - DEAF + 2)
    house.open()
    house.run(1)
    assert house.alarms[-1] == "late_unlock"
    assert parts(house) == [1, 2]


def test_the_watch_ends_only_when_the_door_is_proven_locked_after_the_longest_hold() -> None:
    house = unanswered(1e6, watch=60.0)
    house.faults.mute = True
    house.run(HOLD + 100)
    assert "held" in house.mem.timers
    house.faults.mute = False
    house.run(61)
    assert not house.mem.timers.keys() & {"held", "watch"}


def test_no_other_delivery_is_let_in_while_an_unlock_may_still_act() -> None:
    house = unanswered(1e6)
    other = announce_delivery(house, "d1")
    house.feed(e.PreflightDue(delivery=other.facts()))
    house.scan("d1-1")
    assert house.refusals[-1] == "not_ready"
    house.run(10)
    assert house.all(c.ReportReadiness)[-1].lacking == ("lock",)
    house.run(HOLD)
    house.scan("d1-1")
    assert house.phase == "ringing"


def test_a_restart_watches_for_the_whole_time_again() -> None:
    house = unanswered(1300.0)
    house.run(600)
    house.kill(seconds=1)
    house.run(10)
    assert house.mem.grace_visit is not None
    house.run(1300 - 611 - DEAF + 60)
    assert house.alarms[-1] == "late_unlock"
    assert house.physical == ["withdrawn", "thrown"]


def test_after_a_restart_the_watch_ends_too() -> None:
    house = unanswered(1e6)
    house.kill(seconds=1)
    house.run(HOLD + 70)
    announce_delivery(house, "d1")
    house.scan("d1-1")
    assert house.phase == "ringing", house.refusals


def test_after_a_quarter_of_an_hour_the_household_s_own_hand_is_its_own_though_an_unlock_is_still_held() -> None:
    house = unanswered(1e6, command_hold=3600.0)
    house.run(HOLD + 10)
    house.by_hand(unlock=True)
    house.open()
    house.close()
    house.run(2)
    house.by_hand(unlock=False)
    house.run(10)
    assert parts(house) == [1]
    assert "late_unlock" not in house.alarms
    assert house.mem.grace_visit is not None


def test_a_lock_that_answers_its_unlock_leaves_nothing_to_watch_for() -> None:
    house = unlocked()
    house.run(80)
    assert house.mem.grace_visit is None
    assert house.promises["d0"].used == 0


def test_an_unlock_that_never_left_leaves_nothing_to_watch_for() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.faults.held_back = e.UnsentReason.STOP
    house.run(RINGING_S - 1 + DEAF)
    assert (house.phase, house.mem.grace_visit) == ("ready", None)


def test_a_hand_at_the_moment_of_the_unlock_is_no_answer_to_it() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S - 1)
    house.faults.holds = 200.0
    house.run(1.5)
    house.by_hand(unlock=True)
    house.run(1)
    assert house.phase == "unlocked"
    house.run(80)
    assert (house.phase, house.promises["d0"].used) == ("ready", 1)
    house.run(200)
    assert house.alarms[-1] == "late_unlock"
    assert house.physical[-1] == "thrown"


def test_the_opening_is_not_given_back_while_the_lock_may_still_open_the_door() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S - 1)
    house.faults.holds = 100.0
    house.run(1.5)
    house.stop(stopped=True)
    house.run(DEAF)
    house.stop(stopped=False)
    assert (house.promises["d0"].used, house.outcomes) == (1, ["unknown"])


def test_a_lock_that_opens_by_radio_while_the_film_still_runs_is_alarmed() -> None:
    house = unlocked()
    house.open()
    house.run(1)
    house.close()
    house.run(14)
    assert house.phase == "locked_again"
    house.remote_unlock()
    house.run(3)
    assert house.alarms == ["late_unlock"]
    assert house.physical[-1] == "thrown"
