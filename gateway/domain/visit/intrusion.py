"""Who used the door when no visit explains it: the household, somebody unexpected, or the courier on his way out."""

from devices.reports import DoorState, LockReport, LockState, OperationSource
from gateway.domain.frozen import replace
from gateway.domain.visit import events as e
from gateway.domain.visit import film, presence
from gateway.domain.visit.commands import AlarmCode, LogNote, RaiseAlarm, StopRecording
from gateway.domain.visit.rules import (
    NOT_LOCKED,
    OPEN_DOOR_STATES,
    before_intent,
    closed,
    door_open,
    explained_only_by_unlock,
    is_explained,
    locked,
    unlock_unanswered,
)
from gateway.domain.visit.state import Phase, Timer
from gateway.domain.visit.step import Step

# Nobody touched the door when a lock bolts itself by its own timer.
AUTOMATIC_SOURCES = frozenset({OperationSource.AUTO, OperationSource.SCHEDULE})
# A person who is not our own command: at the door, or in the maker's app.
MANUAL_SOURCES = frozenset(
    {
        OperationSource.MANUAL,
        OperationSource.KEYPAD,
        OperationSource.BUTTON,
        OperationSource.RFID,
        OperationSource.BIOMETRIC,
        OperationSource.PROPRIETARY_REMOTE,
    }
)


def on_bolt_moved(step: Step, before: LockState, event: e.LockReported) -> None:
    """Judge a bolt's new position: by the household, by a visit, or by nobody we know.

    A report that only repeats what was known says nothing of who moved it.
    """
    report = event.report
    if report.bolt is LockState.UNKNOWN or report.bolt is before:
        return
    hand = _by_hand(step, report)
    if report.bolt in NOT_LOCKED:
        step.state = replace(step.state, by_hand=hand)
        if not hand and before not in NOT_LOCKED:
            _unlock_obeyed(step)
    elif report.source in AUTOMATIC_SOURCES or _lock_requested(step):
        return
    if is_explained(step.state) and not (hand and explained_only_by_unlock(step.state)):
        return
    if not hand:
        if report.bolt in NOT_LOCKED and before not in NOT_LOCKED:
            begin_incident(step, AlarmCode.UNEXPECTED_UNLOCK)
    elif _move_observed(before, event):
        _on_manual_use(step, unlocked=report.bolt in NOT_LOCKED)


def _unlock_obeyed(step: Step) -> None:
    """The bolt moved and no hand is known to have done it: the unlock of the running visit has its answer.

    Once the door was proven locked again it comes late, and is alarmed. The watch after a visit sees to its own.
    """
    if step.state.visit is None:
        return
    if step.visit.phase is Phase.LOCKED_AGAIN:
        step.emit(RaiseAlarm(code=AlarmCode.LATE_UNLOCK))
    step.visit = replace(step.visit, unlock_unanswered=False)


def _lock_requested(step: Step) -> bool:
    """A lock-up of ours moves the bolt: no hand did."""
    lockup = step.state.lock_request
    return lockup is not None and lockup.lock_sent and lockup.result is None


def _move_observed(before: LockState, event: e.LockReported) -> bool:
    """A bolt found so after a break, or found locked when asked, was moved nobody knows when."""
    asked = event.context.answers is not None
    if before is LockState.UNKNOWN:
        return not asked and event.report.source is not OperationSource.UNSPECIFIED
    return not asked or event.report.bolt in NOT_LOCKED


def _by_hand(step: Step, report: LockReport) -> bool:
    """A named user or the maker's app is the household too; a lock that names no source is, unless all are away.

    While an unlock of ours may still act, only a source that is known to be a hand is one.
    """
    if unlock_unanswered(step.state):
        return report.source in MANUAL_SOURCES
    if report.user is not None:
        return True
    if report.source is OperationSource.UNSPECIFIED:
        return not presence.household_away(step.state)
    return report.source is not OperationSource.REMOTE


def _on_manual_use(step: Step, *, unlocked: bool) -> None:
    step.state = replace(step.state, by_hand_at=step.now.mono)
    if before_intent(step.state):
        step.visit = replace(step.visit, attended=True)
    if unlocked and presence.household_away(step.state):
        step.emit(RaiseAlarm(code=AlarmCode.HAND_USE_WHILE_AWAY))
    elif unlocked:
        step.emit(LogNote(what="household_use"))


def on_door_moved(step: Step, before: DoorState, heard: e.ReportContext) -> None:
    """Judge a door's new position. A door that opens while the bolt is locked is asked about before it is forced.

    A door that is found closed when asked was closed nobody knows when.
    """
    by_hand = step.state.by_hand and step.state.bolt.value in NOT_LOCKED
    if is_explained(step.state) and not (by_hand and explained_only_by_unlock(step.state)):
        return
    opens = before is DoorState.CLOSED and door_open(step.state)
    closes = before in OPEN_DOOR_STATES and step.state.door.value is DoorState.CLOSED and heard.answers is None
    if opens and step.state.bolt.value is LockState.LOCKED:
        step.invalidate("lock")
        step.query("lock")
        step.set_timer(Timer.FORCED, step.state.rules.latency + 1)
    elif opens or closes:
        step.state = replace(step.state, by_hand_at=step.now.mono)


def begin_incident(step: Step, code: AlarmCode) -> None:
    """Alarm, and film as an incident of its own until all is proven good or its time is over."""
    step.emit(RaiseAlarm(code=code))
    if step.state.incident is None:
        ident = f"incident-{step.now.utc:%Y%m%d-%H%M%S}-{step.state.last_query_id}"
        step.state = replace(step.state, incident=ident)
        film.begin(step, ident, 1)
    step.set_timer(Timer.INCIDENT, step.state.rules.timing.incident)


def settle_incident(step: Step) -> None:
    """A suspicion becomes an incident when its time is over; an incident ends when all is proven good."""
    if step.timer_expired(Timer.FORCED):
        step.clear_timer(Timer.FORCED)
        unexplained = step.state.bolt.value is LockState.LOCKED and not is_explained(step.state)
        if unexplained and door_open(step.state):
            begin_incident(step, AlarmCode.DOOR_FORCED_OPEN)
    if step.state.incident is None:
        return
    proven_good = locked(step.state) and closed(step.state) and not step.state.safe_mode
    if proven_good or step.timer_expired(Timer.INCIDENT):
        step.emit(StopRecording(visit=step.state.incident, part=1, keep=True))
        step.state = replace(step.state, incident=None)
        step.clear_timer(Timer.INCIDENT)
