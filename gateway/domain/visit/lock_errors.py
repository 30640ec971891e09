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
from gateway.domain.visit.events import LockFailed
from gateway.domain.visit.state import LockRequest, Once, Phase, Timer
from gateway.domain.visit.step import Step

# The lock, or its guard, refused the command and does not store it. The other errors (unspecified, unreachable,
# timeout) come from a radio that got no answer: it may still have the command in its queue.
REFUSING_ERRORS = frozenset(OperationError) - {
    OperationError.UNSPECIFIED,
    OperationError.UNREACHABLE,
    OperationError.TIMEOUT,
    OperationError.REPEATED,
}


def on_failure(step: Step, event: LockFailed) -> None:
    """Handle a closure's error; ignore it for a command that nothing waits for, or for a copy of an obeyed one."""
    if event.failure is OperationError.REPEATED:
        return
    visit, request = step.state.visit, step.state.lock_request
    if visit is not None and _concerns(event, visit.id) and _awaits_effect(step, event.closure):
        if not step.notified_once(Once.REFUSAL):
            _notify(step, event)
        entry = visit.entry
        if event.failure in REFUSING_ERRORS and visit.phase is Phase.UNLOCKING:
            entry = replace(entry, unanswered=entry.unanswered - {event.closure})
        run = visit.securing.run
        at_once = visit.phase is Phase.UNLOCKING or run.step == run.sent_in
        step.visit = replace(step.visit, refused=at_once, entry=entry)
    elif request is not None and _concerns(event, request.id) and _awaits_lock(request, event.closure):
        _notify(step, event)
        securing = replace(request.securing, run=replace(request.securing.run, refused=True))
        step.state = replace(step.state, lock_request=replace(request, securing=securing))


def _notify(step: Step, event: LockFailed) -> None:
    closure = step.named(event.closure)
    step.emit(RaiseAlarm(code=AlarmCode.LOCK_REFUSED, detail=event.failure.value, closure=closure))


def _concerns(event: LockFailed, order: str) -> bool:
    """Return whether the error may concern this order's command; most locks do not name the command."""
    return event.command is None or event.command == order or event.command.startswith(f"{order}-")


def _awaits_effect(step: Step, closure: str) -> bool:
    """Return whether a command of the visit went to this closure and no answer has come."""
    visit = step.visit
    if visit.phase is Phase.UNLOCKING:
        return step.here.id == closure
    securing = visit.securing
    if visit.phase not in (Phase.RELOCKING, Phase.ADVANCING) or securing.closure != closure or securing.is_waiting:
        return False
    secured = step.closure(closure)
    return securing.run.sent_in is not None and not secured.holds(step.view(secured))


def _awaits_lock(request: LockRequest, closure: str) -> bool:
    run = request.securing.run
    is_waiting = run.sent_in is not None and run.step == run.sent_in and not run.refused
    return request.result is None and request.securing.closure == closure and is_waiting


def on_unlock_refused(step: Step) -> bool:
    """Query at once after a refused unlock, end the waiting on a proof that it holds; return whether it did either."""
    visit, closure = step.visit, step.here
    if not visit.refused:
        return False
    if not visit.entry.queried:
        step.query_closure(closure, *closure.opening().query)
        step.visit = replace(visit, entry=replace(visit.entry, queried=True))
        step.set_timer(Timer.ANSWER, closure.latency)
        return True
    if closure.holds(step.view(closure)):
        step.visit = replace(visit, refused=False)
        transitions.refuse_and_relock(step, Refusal.NOT_READY)
        return True
    return False
