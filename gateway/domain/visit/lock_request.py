"""Locks on request when no visit runs: the procedure of each private closure, once, the innermost first.

Only then does the gateway report the entrance as locked. It sends no lock command without a closure's fresh "closed"
before it. The person may request it again.
"""

from gateway.domain.frozen import replace
from gateway.domain.visit import procedure
from gateway.domain.visit.closures.contract import START, Move, Pause, Verdict
from gateway.domain.visit.commands import LogNote
from gateway.domain.visit.predicates import is_open
from gateway.domain.visit.state import LockRequest, LockRequestResult, Securing, Timer
from gateway.domain.visit.step import Step


def begin(step: Step, ident: str) -> None:
    """Start a lock request, unless one runs already."""
    running = step.state.lock_request
    if running is not None and running.result is None:
        return
    step.state = replace(step.state, lock_request=LockRequest(id=ident))
    if step.state.visit is not None:
        _end(step, LockRequestResult.VISIT)
    elif step.state.broker_session is None:
        _end(step, LockRequestResult.NO_LINK)
    else:
        _go_to_next(step)


def settle(step: Step, running: LockRequest) -> None:
    """Go one step on or report the result; remove a result that was shown long enough."""
    if running.result is not None:
        if step.timer_expired(Timer.LOCKUP):
            step.state = replace(step.state, lock_request=None)
            step.clear_timers(Timer.LOCKUP)
        return
    if step.state.visit is not None:
        _end(step, LockRequestResult.VISIT)
    elif step.state.broker_session is None:
        _end(step, LockRequestResult.NO_LINK)
    elif is_open(step.state):
        _end(step, LockRequestResult.DOOR_OPEN)
    else:
        _advance(step, running)


def _advance(step: Step, running: LockRequest) -> None:
    closure = step.closure(running.securing.closure or "")
    grace_visit = step.state.grace_visit
    runner = procedure.Runner(
        timer=Timer.LOCKUP,
        ident=running.id,
        attempt=1,
        command_valid_until=0.0 if grace_visit is None else grace_visit.entry.command_valid_until,
    )
    before = running.securing.run
    run, result = procedure.advance(step, closure, closure.secure, before, runner)
    is_closed = running.is_closed or (isinstance(result, Move) and before.step != START)
    securing = replace(running.securing, run=run)
    step.state = replace(step.state, lock_request=replace(running, securing=securing, is_closed=is_closed))
    if result is Verdict.DONE:
        _go_to_next(step)
    elif result is Verdict.AGAIN or isinstance(result, Pause):
        _end(step, LockRequestResult.NOT_PROVEN if is_closed else LockRequestResult.DOOR_UNKNOWN)


def _go_to_next(step: Step) -> None:
    """Go to the innermost private closure that is not proven secured; if there is none, it is done."""
    for closure in reversed(step.state.rules.closures):
        if closure.is_private and not closure.secured(step.view(closure)):
            if step.state.lock_request is not None:
                securing = Securing(is_waiting=False, closure=closure.id)
                step.state = replace(step.state, lock_request=replace(step.state.lock_request, securing=securing))
            step.clear_timers(Timer.LOCKUP)
            return
    _end(step, LockRequestResult.PROVEN)


def _end(step: Step, result: LockRequestResult) -> None:
    if step.state.lock_request is not None:
        step.emit(LogNote(what=f"lockup_{result.value}"))
        step.state = replace(step.state, lock_request=replace(step.state.lock_request, result=result))
        step.set_timer(Timer.LOCKUP, step.state.rules.lockup_shown)
