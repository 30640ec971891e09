"""From the intent to an open door: one unlock, one opening, and what an uncertain answer costs."""

import pytest

from devices.reports import DoorReport, DoorState, LockReport, LockState, OperationSource
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.house import SimulatedHome
from tests.house.reports import door_report, lock_report
from tests.house.story import RINGING_S, announce_delivery, good_day, unlocked


def scanned(**rules: object) -> SimulatedHome:
    house = good_day(**rules)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(10)
    return house


def again(house: SimulatedHome) -> None:
    house.scan("d0-1")
    house.run(RINGING_S + 1)


def test_the_reservation_stands_before_the_unlock_and_carries_the_versions() -> None:
    house = scanned()
    house.run(RINGING_S)
    kinds = [type(x) for _, x in house.did]
    assert kinds.index(c.ReserveOpening) + 1 == kinds.index(c.Unlock)
    reserve = house.all(c.ReserveOpening)[0]
    assert (reserve.version, reserve.permission_version, reserve.stop_epoch) == (1, 1, 0)


def test_go_is_said_when_the_lock_reports_unlocked_and_not_before() -> None:
    house = scanned()
    house.faults.slow_unlock = 2.0
    house.run(RINGING_S - 10)
    assert str(house.all(c.AnswerScan)[-1].answer) == "wait"
    house.run(3)
    assert str(house.all(c.AnswerScan)[-1].answer) == "go"
    assert str(house.all(c.ShowSignal)[-1].light) == "green"


def test_a_lock_that_only_unlatches_opens_too() -> None:
    house = scanned()
    house.faults.mute = True
    house.run(RINGING_S - 10)
    report = LockReport(bolt=LockState.UNLATCHED, source=OperationSource.REMOTE)
    house.feed(lock_report(report=report, context=e.ReportContext(session=1)))
    assert house.phase == "unlocked"


def test_a_bolt_that_is_half_way_is_not_unlocked() -> None:
    house = scanned()
    house.faults.mute = True
    house.run(RINGING_S - 10)
    report = LockReport(bolt=LockState.NOT_FULLY_LOCKED, source=OperationSource.REMOTE)
    house.feed(lock_report(report=report, context=e.ReportContext(session=1)))
    assert house.phase == "unlocking"


@pytest.mark.parametrize(
    ("why", "refusal"),
    [
        (e.UnsentReason.STOP, "stopped_by_owner"),
        (e.UnsentReason.PROOF_TOO_OLD, "camera_unavailable"),
        (e.UnsentReason.BROKER, "not_ready"),
        (e.UnsentReason.EXPIRED, "not_ready"),
    ],
)
def test_an_unlock_that_was_held_back_costs_nothing(why: str, refusal: str) -> None:
    house = scanned()
    house.faults.held_back = why
    house.run(RINGING_S - 10)
    assert house.refusals == [refusal]
    assert (house.promises["d0"].used, house.promises["d0"].withdrawals) == (0, 0)
    assert house.phase == "ready"
    assert house.physical == []


def test_an_unlock_held_back_costs_nothing_though_the_stop_was_known_first() -> None:
    house = scanned()
    house.faults.held_back = e.UnsentReason.STOP
    house.run(10.05)
    house.feed(e.Stopped(epoch=1))
    assert house.phase == "relocking"
    house.run(40)
    assert (house.promises["d0"].used, house.promises["d0"].withdrawals) == (0, 0)
    assert house.physical == []


def test_the_old_proof_holds_the_unlock_back_and_a_second_scan_opens() -> None:
    house = scanned()
    house.faults.held_back = e.UnsentReason.PROOF_TOO_OLD
    house.run(RINGING_S)
    assert house.refusals == ["camera_unavailable"]
    assert house.physical == []
    house.faults.held_back = None
    again(house)
    assert house.phase == "unlocked"


def test_a_jam_is_alarmed_and_the_door_locked() -> None:
    house = scanned()
    house.faults.jam = True
    house.run(RINGING_S - 10)
    house.faults.jam = False
    house.run(60)
    assert house.alarms == ["lock_jammed"]
    assert house.houses == ["locked_again"]
    assert str(house.all(c.AnswerScan)[-1].answer) == "no"


def test_silence_is_asked_about_then_spent_unknown_and_never_sent_again() -> None:
    house = scanned()
    house.faults.mute = True
    house.faults.slow_unlock = 60.0
    house.run(RINGING_S - 10 + 7)
    assert "unlock_unknown" in house.alarms
    assert house.outcomes == ["unknown"]
    house.faults.mute = False
    house.run(120)
    assert house.promises["d0"].used == 1
    again(house)
    assert len(house.all(c.Unlock)) == 1
    assert house.refusals[-1] == "already_used"


def test_a_late_opening_of_a_basic_lock_belongs_to_its_visit() -> None:
    house = scanned(guarded=False)
    house.faults.silent = True
    house.faults.slow_unlock = 20.0
    house.run(RINGING_S - 10 + 8)
    assert "unlock_unknown" in house.alarms
    house.faults.silent = False
    house.run(8)
    assert house.physical == []
    house.run(40)
    assert house.physical[:1] == ["withdrawn"]
    assert house.physical[-1] == "thrown"
    assert house.promises["d0"].used == 1
    assert house.mem.incident is None


def test_a_guarded_lock_never_acts_late() -> None:
    house = scanned()
    house.faults.slow_unlock = 20.0
    house.run(RINGING_S + 90)
    assert house.physical.count("withdrawn") == 0
    assert house.houses == ["locked_again"]


def test_locked_is_not_final_while_an_unlock_may_still_act() -> None:
    house = scanned()
    house.faults.slow_unlock = 4.5
    house.faults.lag = 0.0
    house.run(RINGING_S - 10)
    house.stop(stopped=True)
    house.stopped = False
    house.run(9)
    assert house.physical[:1] == ["withdrawn"]
    assert not house.houses
    house.run(40)
    assert house.houses == ["locked_again"]
    assert house.premises.bolt_out


def test_never_entered_gives_the_opening_back_and_a_second_try_works() -> None:
    house = unlocked()
    house.run(50)
    assert house.houses == ["locked_again"]
    assert house.premises.bolt_out
    assert (house.promises["d0"].used, house.promises["d0"].withdrawals) == (0, 1)
    assert not house.outcomes  # the promise is still open
    house.run(20)
    again(house)
    house.open()
    house.run(1)
    house.close()
    house.run(20)
    assert house.outcomes == ["delivered"]


def test_never_entered_twice_is_not_delivered() -> None:
    house = unlocked()
    house.run(80)
    again(house)
    house.run(80)
    assert house.outcomes == ["not_delivered"]
    again(house)
    assert house.refusals == ["already_used"]


def test_through_the_door_while_nobody_watched_is_spent() -> None:
    house = unlocked()
    house.broker_down()
    house.open()
    house.close()
    house.run(5)
    house.broker_up()
    house.run(80)
    assert house.promises["d0"].used == 1
    assert house.outcomes == ["unknown"]
    assert house.houses == ["locked_again"]


@pytest.mark.parametrize("lost", ["hole", "boot", "device", "missed", "unclear"])
def test_broken_observation_ends_the_claim_that_nobody_went_in(lost: str) -> None:
    house = unlocked()
    if lost == "hole":
        house.seqs["door"] += 1
        house.open()
        house.faults.loses_open = True
        house.close()
    elif lost == "boot":
        house.reboot("door")
    elif lost == "device":
        house.feed(e.SensorOffline(sensor="door"))
    elif lost == "missed":
        house.feed(e.ReportsMissed())
    else:
        house.feed(door_report(report=DoorReport(door=DoorState.ERROR), context=e.ReportContext(session=1)))
    house.run(80)
    assert house.promises["d0"].used == 1
    assert house.houses == ["locked_again"]


def test_a_battery_s_report_is_no_hole() -> None:
    house = unlocked()
    house.seqs["lock"] += 1
    heard = e.ReportContext(session=1, boot="lock1", seq=house.seqs["lock"])
    house.feed(e.SequenceAdvanced(sensor="lock", context=heard))
    house.run(80)
    assert house.promises["d0"].used == 0


@pytest.mark.parametrize("device", ["lock", "door"])
def test_a_hole_that_only_another_report_s_number_shows_ends_the_claim_that_nobody_went_in(device: str) -> None:
    house = unlocked()
    house.seqs[device] += 2  # its "open" was lost; a battery's report bears the next number
    context = e.ReportContext(session=1, boot=house.mem.facts[device].boot,
                              seq=house.seqs[device])  # fmt: skip
    house.feed(e.SequenceAdvanced(sensor=device, context=context))
    house.run(80)
    assert house.houses == ["locked_again"]
    assert house.promises["d0"].used == 1


def test_an_opened_message_that_comes_after_the_closed_one_still_spends() -> None:
    house = unlocked()
    door, seq = house.mem.facts["door"], house.mem.facts["door"].seq
    said = DoorReport(door=DoorState.CLOSED)
    house.feed(door_report(report=said, context=e.ReportContext(session=1, boot=door.boot, seq=seq + 2)))
    said = DoorReport(door=DoorState.OPEN)
    house.feed(door_report(report=said, context=e.ReportContext(session=1, boot=door.boot, seq=seq + 1)))
    house.run(80)
    assert house.promises["d0"].used == 1


def test_a_basic_door_gives_nothing_back() -> None:
    house = good_day(door_answers=False)
    house.run(60)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S + 80)
    assert house.houses == ["locked_again"]
    assert house.promises["d0"].used == 1


def test_a_stop_with_the_door_still_closed_locks_at_once() -> None:
    house = unlocked()
    house.stop(stopped=True)
    house.run(1)
    assert house.physical == ["withdrawn", "thrown"]
    assert str(house.all(c.AnswerScan)[-1].refusal) == "stopped_by_owner"
    house.run(30)
    assert house.houses == ["locked_again"]


def test_a_stale_locked_right_after_unlocking_does_not_lock_the_courier_out() -> None:
    house = scanned()
    house.faults.stale = True
    house.run(RINGING_S - 10 + 2)
    assert house.phase == "unlocked"
    house.run(5)
    assert house.phase == "unlocked"


def test_an_unasked_locked_while_the_courier_may_open_is_asked_about_and_does_not_lock_him_out() -> None:
    house = unlocked()
    house.devices.lock_says(OperationSource.REMOTE, bolt=LockState.LOCKED)
    house.run(5)
    assert house.phase == "unlocked"


def test_a_lock_that_bolts_itself_again_ends_the_waiting() -> None:
    house = unlocked()
    house.by_hand(unlock=False)
    house.run(2)
    assert house.phase == "relocking"
    house.run(20)
    assert house.houses == ["locked_again"]


@pytest.mark.parametrize("phase", ["unlocking", "unlocked"])
def test_the_window_s_end_changes_no_visit_past_its_intent(phase: str) -> None:
    house = good_day()
    announce_delivery(house, "d0", RINGING_S + 0.5)
    house.faults.slow_unlock = 2.0
    house.scan("d0-1")
    house.run(RINGING_S)
    assert house.phase == "unlocking"
    if phase == "unlocked":
        house.run(4)
    house.faults.untrusted = True
    house.run(4)
    house.open()
    house.run(10)
    house.close()
    house.run(40)
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]


def test_two_openings_allow_two_visits_and_no_third() -> None:
    house = good_day()
    announce_delivery(house, allowance=2)
    for _ in range(2):
        again(house)
        house.open()
        house.run(5)
        house.close()
        house.run(60)
    again(house)
    assert house.outcomes == ["delivered", "delivered"]
    assert house.refusals == ["already_used"]
