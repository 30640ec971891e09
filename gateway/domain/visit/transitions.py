"""Performs the moves of a visit: its begin, its changes of phase and its end. `decide` decides when."""

from devices.commands import Light, Sound
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import film
from gateway.domain.visit.events import Scanned
from gateway.domain.visit.state import ClosingStep, Phase, RelockStep, Timer, Visit
from gateway.domain.visit.step import Step

WAIT = c.ShowSignal(light=Light.AMBER, sound=Sound.WAIT)
GO = c.ShowSignal(light=Light.GREEN, sound=Sound.GO)
NO = c.ShowSignal(light=Light.RED, sound=Sound.NO)
INSIDE = c.ShowSignal(light=Light.AMBER, sound=Sound.NONE)
CLOSE_THE_DOOR = c.ShowSignal(light=Light.AMBER, sound=Sound.CLOSE_THE_DOOR)
LIFT_THE_HANDLE = c.ShowSignal(light=Light.AMBER, sound=Sound.LIFT_THE_HANDLE)
LEAVE = c.ShowSignal(light=Light.RED, sound=Sound.LEAVE)
TROUBLE = c.ShowSignal(light=Light.RED, sound=Sound.ALARM)
DARK = c.ShowSignal(light=Light.OFF, sound=Sound.NONE)

DEFAULT_OPEN_LIMIT_S = 120.0  # seconds, for a place without a limit of its own


def begin(step: Step, scan: Scanned, delivery: VisitDelivery, parcels: frozenset[str]) -> None:
    """Accept a scan: ring, film, notify the owner, and query lock and door once more."""
    rules = step.state.rules
    notification = c.Notification.ASKS_FOR_YES if delivery.needs_yes else c.Notification.AT_THE_DOOR
    step.emit(
        c.AnswerScan(scan=scan.id, scanner=scan.scanner, answer=c.ScanAnswer.WAIT),
        WAIT,
        c.RingBell(visit=scan.id),
        c.NotifyOwner(notification=notification, delivery=delivery.id, visit=scan.id, picture=True),
    )
    film.begin(step, scan.id, 1)
    visit = Visit(id=scan.id, delivery=delivery, phase=Phase.RINGING, scanner=scan.scanner, parcels=parcels)
    step.state = replace(step.state, visit=visit, pending_scan=None, grace_visit=None)
    step.clear_timers(Timer.HALF, Timer.WATCH, Timer.HELD, Timer.SIGNAL)
    step.query("lock", "door")
    step.transition(Phase.RINGING, {Timer.RING: rules.timing.ring, Timer.BELL: rules.timing.bell})


def end_unopened(step: Step) -> None:
    """Return to ready: nobody came in, so the film is deleted."""
    visit = step.visit
    step.emit(
        c.StopRecording(visit=visit.id, part=visit.part, keep=False),
        c.ReportDoorResult(visit=visit.id, delivery=visit.delivery.id, door_result=DoorResult.NOT_OPENED),
    )
    step.clear_phase_timers()
    step.state = replace(step.state, visit=None)


def refuse(step: Step, refusal: Refusal) -> None:
    """End the visit with a refusal; the delivery stays as it was."""
    visit = step.visit
    answer_no(step, visit.id, visit.scanner, refusal)
    step.notify_of_visit(c.Notification.NOT_OPENED, detail=refusal)
    end_unopened(step)


def end_attended(step: Step) -> None:
    """End the visit without refusal or opening: somebody of the household attends to the courier."""
    step.emit(DARK)
    step.notify_of_visit(c.Notification.ATTENDED)
    record_outcome(step, Outcome.ATTENDED)
    end_unopened(step)


def answer_no(step: Step, scan: str, scanner: str, refusal: Refusal) -> None:
    """Answer "no" neutrally at the door. The signal is not changed while another visit uses it."""
    step.emit(c.AnswerScan(scan=scan, scanner=scanner, answer=c.ScanAnswer.NO, refusal=refusal))
    if step.state.visit is None or step.visit.id == scan:
        step.emit(NO)
        step.set_timer(Timer.SIGNAL, step.state.rules.signal)


def order_unlock(step: Step) -> None:
    """Reserve an opening and emit the one unlock of the visit. The store writes both before the unlock leaves."""
    visit, rules = step.visit, step.state.rules
    step.emit(
        c.ReserveOpening(
            visit=visit.id,
            delivery=visit.delivery.id,
            version=visit.delivery.version,
            permission_version=visit.delivery.permission_version,
            stop_epoch=step.state.stop_epoch,
        ),
        c.Unlock(visit=visit.id, life=rules.timing.command_life),
    )
    step.invalidate("lock")
    armed_until = step.now.mono + rules.timing.command_life + rules.timing.skew
    step.visit = replace(
        visit, unlock_intent=True, observed_throughout=True, command_valid_until=armed_until, unlock_unanswered=True
    )
    step.transition(Phase.UNLOCKING, {Timer.ANSWER: rules.latency})


def release_unsent_opening(step: Step, why: Refusal) -> None:
    """Release opening and withdrawal of an unlock that certainly was not sent; the courier may scan again at once."""
    step.query("lock")
    step.emit(c.ReleaseOpening(visit=step.visit.id, delivery=step.visit.delivery.id, withdrawal=True))
    refuse(step, why)


def confirm_opened(step: Step) -> None:
    """Go on after the lock reported unlocked."""
    step.emit(c.AnswerScan(scan=step.visit.id, scanner=step.visit.scanner, answer=c.ScanAnswer.GO), GO)
    step.transition(Phase.UNLOCKED, {Timer.NEVER: step.state.rules.timing.never})


def refuse_and_relock(step: Step, refusal: Refusal) -> None:
    """Show the courier the refusal and go to RELOCKING; the visit goes on until the door is proven locked."""
    step.emit(c.AnswerScan(scan=step.visit.id, scanner=step.visit.scanner, answer=c.ScanAnswer.NO, refusal=refusal), NO)
    wait_then_lock(step, 0)


def begin_inside(step: Step) -> None:
    """Go on with the open door: the opening is consumed."""
    step.emit(INSIDE)
    consume_opening(step)
    limit = step.state.rules.open_limit.get(step.visit.delivery.place, DEFAULT_OPEN_LIMIT_S)
    visit = replace(step.visit, opened=True, lock_tries=0, lock_tries_refunded=0, open_notifications=0)
    step.visit = replace(visit, courier_left=False, closing=ClosingStep.NOT, close_commands=0)
    step.transition(Phase.INSIDE, {Timer.OPEN_LONG: limit})


def wait_then_lock(step: Step, seconds: float) -> None:
    """Relock after this many seconds without the door opening again."""
    if step.state.rules.lift_handle and step.visit.opened:
        step.emit(LIFT_THE_HANDLE)
    step.visit = replace(step.visit, relock=RelockStep.WAIT, lock_tries=0)
    step.transition(Phase.RELOCKING, {Timer.RELOCK: seconds})


def consume_opening(step: Step) -> None:
    """Consume the reserved opening, once."""
    if not step.visit.reservation_settled:
        step.emit(c.ConsumeOpening(visit=step.visit.id, delivery=step.visit.delivery.id))
        step.visit = replace(step.visit, reservation_settled=True)


def record_outcome(step: Step, outcome: Outcome) -> None:
    """Record and report the parcels' result once; later events do not change it."""
    visit = step.visit
    if visit.outcome is None:
        partly = outcome is Outcome.PARTLY_DELIVERED
        missing = len(visit.delivery.parcels - visit.parcels) if partly else 0
        step.emit(c.ReportParcelResult(visit=visit.id, delivery=visit.delivery.id, outcome=outcome, missing=missing))
        step.visit = replace(visit, outcome=outcome)


def record_outcome_if_opened(step: Step) -> None:
    """Before the bolt is thrown: if the courier was inside, what was scanned counts as delivered."""
    visit = step.visit
    if visit.opened:
        complete = visit.parcels >= visit.delivery.parcels
        record_outcome(step, Outcome.DELIVERED if complete else Outcome.PARTLY_DELIVERED)


def hand_over_to_owner(step: Step, code: c.AlarmCode) -> None:
    """Hand the door over to the owner because the box cannot repair it; the alarm repeats until they acknowledge."""
    record_outcome_if_opened(step)
    record_outcome(step, Outcome.UNKNOWN)
    consume_opening(step)
    visit = step.visit
    step.emit(c.RaiseAlarm(code=code), TROUBLE)
    if visit.door_result is None:
        step.emit(
            c.ReportDoorResult(visit=visit.id, delivery=visit.delivery.id, door_result=DoorResult.HANDED_TO_OWNER)
        )
    step.notify_of_visit(c.Notification.LOOK_AFTER_THE_DOOR, picture=True)
    step.visit = replace(visit, door_result=DoorResult.HANDED_TO_OWNER, acknowledged=False)
    step.transition(Phase.HANDED_TO_OWNER, {Timer.ALARM: step.state.rules.timing.alarm_again})


def enter_locked_again(step: Step) -> None:
    """Report that door and bolt are proven, and enter LOCKED_AGAIN. `relocking` has made the queries before."""
    visit = step.visit
    _settle_reservation(step)
    step.emit(c.ReportDoorResult(visit=visit.id, delivery=visit.delivery.id, door_result=DoorResult.LOCKED_AGAIN))
    step.notify_of_visit(c.Notification.LOCKED_AGAIN, picture=True)
    step.emit(DARK)
    step.visit = replace(step.visit, door_result=visit.door_result or DoorResult.LOCKED_AGAIN)
    step.transition(Phase.LOCKED_AGAIN, {Timer.POST_ROLL: step.state.rules.timing.post_roll})


def _settle_reservation(step: Step) -> None:
    """Settle the reservation; release it only when the door, observed without a break, was never seen open."""
    visit = step.visit
    # A basic door proves no "never", nor does an unanswered unlock: it may open the door after the visit
    never_opened = (
        not visit.opened and visit.observed_throughout and step.state.rules.door_answers and not visit.unlock_unanswered
    )
    if visit.reservation_settled or not never_opened:
        record_outcome_if_opened(step)
        record_outcome(step, Outcome.NOT_DELIVERED if never_opened else Outcome.UNKNOWN)
        consume_opening(step)
        return
    unsent = visit.not_sent is not None
    step.emit(c.ReleaseOpening(visit=visit.id, delivery=visit.delivery.id, withdrawal=unsent))
    withdrawals_left = visit.delivery.withdrawals_left if unsent else visit.delivery.withdrawals_left - 1
    step.visit = replace(visit, reservation_settled=True)
    if withdrawals_left < 1:
        record_outcome(step, Outcome.NOT_DELIVERED)
    else:
        step.visit = replace(step.visit, outcome=Outcome.NOT_DELIVERED)
