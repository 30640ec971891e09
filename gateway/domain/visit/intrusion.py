"""Decides who used the door when no visit explains it: the household, an intruder, or the departing courier."""

from devices.reports import DoorState, LockReport, LockState, OperationSource
from gateway.domain.frozen import replace
from gateway.domain.visit import events as e
from gateway.domain.visit import film, presence
from gateway.domain.visit.commands import AlarmCode, LogNote, RaiseAlarm, StopRecording
from gateway.domain.visit.conditions import (
    NOT_LOCKED,
    OPEN_DOOR_STATES,
    is_closed,
    is_door_open,
    is_explained,
    is_explained_only_by_unlock,
    is_locked,
    is_unlock_unanswered,
)
from gateway.domain.visit.state import Phase, Timer
from gateway.domain.visit.step import Step

# A lock that bolts itself by its own timer was touched by nobody.
AUTOMATIC_SOURCES = frozenset({OperationSource.AUTO, OperationSource.SCHEDULE})
# A person, not a command of the gateway: at the door, or in the manufacturer's app.
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
    """Attribute a bolt's new position to the household, to a visit, or to an unknown person."""
    report = event.report
    if report.bolt is LockState.UNKNOWN or report.bolt is before:  # a repetition does not say who moved it
        return
    hand = _by_hand(step, report)
    if report.bolt in NOT_LOCKED:
        step.state = replace(step.state, by_hand=hand)
        if not hand and before not in NOT_LOCKED:
            _unlock_obeyed(step)
    elif report.source in AUTOMATIC_SOURCES or _lock_requested(step):
        return
    if is_explained(step.state) and not (hand and is_explained_only_by_unlock(step.state)):
        return
    if not hand:
        if report.bolt in NOT_LOCKED and before not in NOT_LOCKED:
            begin_incident(step, AlarmCode.UNEXPECTED_UNLOCK)
    elif _move_observed(before, event):
        _on_manual_use(step, unlocked=report.bolt in NOT_LOCKED)


def _unlock_obeyed(step: Step) -> None:
    """Record that the lock obeyed the visit's unlock: the bolt moved, and no known hand moved it."""
    if step.state.visit is None:  # the grace handles its own moves
        return
    if step.visit.phase is Phase.LOCKED_AGAIN:  # already proven: the move is late
        step.emit(RaiseAlarm(code=AlarmCode.LATE_UNLOCK))
    step.visit = replace(step.visit, unlock_unanswered=False)


def _lock_requested(step: Step) -> bool:
    """Return whether a lock request of the gateway, not a hand, moves the bolt."""
    lockup = step.state.lock_request
    return lockup is not None and lockup.lock_sent and lockup.result is None


def _move_observed(before: LockState, event: e.LockReported) -> bool:
    """Return whether the move was observed; a bolt found so after a break, or found locked on a query, was not."""
    is_answer = event.context.answers is not None
    if before is LockState.UNKNOWN:
        return not is_answer and event.report.source is not OperationSource.UNSPECIFIED
    return not is_answer or event.report.bolt in NOT_LOCKED


def _by_hand(step: Step, report: LockReport) -> bool:
    """Return whether a hand moved the bolt.

    A named user or the manufacturer's app counts as the household; a lock that names no source does too, unless all are
    away. While an unlock of the gateway may still act, only a source that is known to be a hand counts.
    """
    if is_unlock_unanswered(step.state):
        return report.source in MANUAL_SOURCES
    if report.user is not None:
        return True
    if report.source is OperationSource.UNSPECIFIED:
        return not presence.is_household_away(step.state)
    return report.source is not OperationSource.REMOTE


def _on_manual_use(step: Step, *, unlocked: bool) -> None:
    step.state = replace(step.state, by_hand_at=step.now.mono)
    step.attend()
    if unlocked and presence.is_household_away(step.state):
        step.emit(RaiseAlarm(code=AlarmCode.HAND_USE_WHILE_AWAY))
    elif unlocked:
        step.emit(LogNote(what="household_use"))


def on_door_moved(step: Step, before: DoorState, context: e.ReportContext) -> None:
    """Judge a door's new position; query a door that opens while the bolt is locked before calling it forced."""
    by_hand = step.state.by_hand and step.state.bolt.value in NOT_LOCKED
    if is_explained(step.state) and not (by_hand and is_explained_only_by_unlock(step.state)):
        return
    opens = before is DoorState.CLOSED and is_door_open(step.state)
    # Of a door that a query finds closed, the time at which it closed is unknown
    closes = before in OPEN_DOOR_STATES and step.state.door.value is DoorState.CLOSED and context.answers is None
    if opens and step.state.bolt.value is LockState.LOCKED:
        step.invalidate("lock")
        step.query("lock")
        step.set_timer(Timer.FORCED, step.state.rules.latency + 1)
    elif opens or closes:
        step.state = replace(step.state, by_hand_at=step.now.mono)


def begin_incident(step: Step, code: AlarmCode) -> None:
    """Raise an alarm, and film an incident until everything is proven good or its time is over."""
    step.emit(RaiseAlarm(code=code))
    if step.state.incident is None:
        ident = f"incident-{step.now.utc:%Y%m%d-%H%M%S}-{step.state.last_query_id}"
        step.state = replace(step.state, incident=ident)
        film.begin(step, ident, 1)
    step.set_timer(Timer.INCIDENT, step.state.rules.timing.incident)


def settle_incident(step: Step) -> None:
    """Turn a suspicion into an incident when its time is over; end an incident when everything is proven good."""
    if step.timer_expired(Timer.FORCED):
        step.clear_timers(Timer.FORCED)
        unexplained = step.state.bolt.value is LockState.LOCKED and not is_explained(step.state)
        if unexplained and is_door_open(step.state):
            begin_incident(step, AlarmCode.DOOR_FORCED_OPEN)
    if step.state.incident is None:
        return
    proven_good = is_locked(step.state) and is_closed(step.state) and not step.state.safe_mode
    if proven_good or step.timer_expired(Timer.INCIDENT):
        step.emit(StopRecording(visit=step.state.incident, part=1, keep=True))
        step.state = replace(step.state, incident=None)
        step.clear_timers(Timer.INCIDENT)
