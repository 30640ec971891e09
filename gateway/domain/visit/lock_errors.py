"""Handles a lock's report of why it did not execute a command.

The report proves nothing about the bolt: after a radio's "timeout" the lock may have moved all the same, and a late
copy may still arrive. So the gateway only queries at once, instead of after the lock's latency, and notifies the owner
of the reason. It never repeats an unlock because of such a report; locking has its usual three tries.
"""

from devices.reports import OperationError
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import transitions
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm
from gateway.domain.visit.conditions import is_locked
from gateway.domain.visit.events import LockFailed
from gateway.domain.visit.state import LockRequest, Phase, RelockStep, Timer, Visit
from gateway.domain.visit.step import Step

# The lock, or its guard, refused the command and does not store it. The other errors (unspecified, unreachable,
# timeout) come from a radio that got no answer: it may still have the command in its queue.
REFUSING_ERRORS = frozenset(OperationError) - {
    OperationError.UNSPECIFIED,
    OperationError.UNREACHABLE,
    OperationError.TIMEOUT,
    OperationError.REPEATED,
}

AWAITING_BOLT = (RelockStep.BOLT_MOVES, RelockStep.BOLT_ANSWERS)


def on_failure(step: Step, event: LockFailed) -> None:
    """Handle a lock's error; ignore it for a command that nothing waits for, or for a copy of an obeyed one."""
    if event.failure is OperationError.REPEATED:
        return
    visit, lockup = step.state.visit, step.state.lock_request
    if visit is not None and _concerns(event, visit.id) and _awaits_lock(visit):
        if not visit.refusal_notified:
            _notify(step, event.failure)
        if event.failure in REFUSING_ERRORS and visit.phase is Phase.UNLOCKING:
            step.visit = replace(step.visit, unlock_unanswered=False)
        at_once = visit.phase is Phase.UNLOCKING or visit.relock is RelockStep.BOLT_MOVES
        step.visit = replace(step.visit, lock_refused=at_once, refusal_notified=True)
    elif lockup is not None and _concerns(event, lockup.id) and _awaits_bolt(lockup):
        _notify(step, event.failure)
        step.state = replace(step.state, lock_request=replace(lockup, lock_refused=True))


def _notify(step: Step, failure: OperationError) -> None:
    step.emit(RaiseAlarm(code=AlarmCode.LOCK_REFUSED, detail=failure.value))


def _concerns(event: LockFailed, order: str) -> bool:
    """Return whether the error may concern this command; most locks do not name the command."""
    return event.command is None or event.command == order or event.command.startswith(f"{order}-lock-")


def _awaits_lock(visit: Visit) -> bool:
    return visit.phase is Phase.UNLOCKING or (visit.phase is Phase.RELOCKING and visit.relock in AWAITING_BOLT)


def _awaits_bolt(lockup: LockRequest) -> bool:
    return lockup.result is None and lockup.step is RelockStep.BOLT_MOVES and not lockup.lock_refused


def on_unlock_refused(step: Step) -> bool:
    """Query at once after a refused unlock, end the waiting on the answer "locked"; return whether it did either."""
    visit = step.visit
    if not visit.lock_refused:
        return False
    if not visit.queried:
        step.query("lock")
        step.visit = replace(visit, queried=True)
        step.set_timer(Timer.ANSWER, step.state.rules.latency)
        return True
    if is_locked(step.state):
        step.visit = replace(visit, lock_refused=False)
        transitions.refuse_and_relock(step, Refusal.NOT_READY)
        return True
    return False
