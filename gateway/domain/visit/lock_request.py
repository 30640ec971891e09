"""Locks on request when no visit runs: the chain of queries of `relocking`, once.

Door closed, bolt moves, bolt locked, door still closed: only then is the door reported as locked. The gateway sends no
lock command without the door's fresh "closed" before it. The person may request it again.
"""

from devices.reports import LockState
from gateway.domain.frozen import replace
from gateway.domain.visit.commands import Lock, LogNote
from gateway.domain.visit.conditions import is_closed, is_door_open, is_locked
from gateway.domain.visit.state import LockRequest, LockRequestResult, RelockStep, Timer
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
    elif is_locked(step.state) and is_closed(step.state):
        _end(step, LockRequestResult.PROVEN)
    else:
        _query_door(step)


def settle(step: Step) -> None:
    """Go one step along the chain or report the result; remove a result that was shown long enough."""
    running = step.state.lock_request
    if running is None:
        return
    if running.result is not None:
        if step.timer_expired(Timer.LOCKUP):
            step.state = replace(step.state, lock_request=None)
            step.clear_timers(Timer.LOCKUP)
        return
    if step.state.visit is not None:
        _end(step, LockRequestResult.VISIT)
    elif step.state.broker_session is None:
        _end(step, LockRequestResult.NO_LINK)
    elif is_door_open(step.state):
        _end(step, LockRequestResult.DOOR_OPEN)
    elif not _advance(step, running) and step.timer_expired(Timer.LOCKUP):
        _end(step, LockRequestResult.NOT_PROVEN if running.lock_sent else LockRequestResult.DOOR_UNKNOWN)


def _advance(step: Step, running: LockRequest) -> bool:
    state = step.state
    match running.step:
        case RelockStep.DOOR_BEFORE if is_closed(state):
            if not state.rules.garage_door:  # a closed garage door is locked
                step.emit(Lock(visit=running.id, attempt=1, life=state.rules.timing.command_life))
            step.invalidate("lock")
            _enter_step(step, RelockStep.BOLT_MOVES)
            step.set_timer(Timer.LOCKUP, state.rules.latency)
        case RelockStep.BOLT_MOVES if (
            state.bolt.value is LockState.LOCKED or running.lock_refused or step.timer_expired(Timer.LOCKUP)
        ):
            armed_until = 0.0 if state.grace_visit is None else state.grace_visit.command_valid_until
            if step.now.mono < armed_until:  # the unlock of the visit before may still act: no answer counts before
                step.set_timer(Timer.LOCKUP, armed_until - step.now.mono)
                return True
            _enter_step(step, RelockStep.BOLT_ANSWERS)
            step.invalidate("lock")
            step.query("lock")
            step.set_timer(Timer.LOCKUP, state.rules.latency)
        case RelockStep.BOLT_ANSWERS if is_locked(state):
            _enter_step(step, RelockStep.DOOR_AFTER)
            _query_door(step)
        case RelockStep.DOOR_AFTER if is_locked(state) and is_closed(state):
            _end(step, LockRequestResult.PROVEN)
        case _:
            return False
    return True


def _query_door(step: Step) -> None:
    if step.state.rules.door_answers:
        step.invalidate("door")
        step.query("door")
    step.set_timer(Timer.LOCKUP, step.state.rules.latency)


def _enter_step(step: Step, at: RelockStep) -> None:
    if step.state.lock_request is not None:
        step.state = replace(step.state, lock_request=replace(step.state.lock_request, step=at, lock_sent=True))


def _end(step: Step, result: LockRequestResult) -> None:
    if step.state.lock_request is not None:
        step.emit(LogNote(what=f"lockup_{result.value}"))
        step.state = replace(step.state, lock_request=replace(step.state.lock_request, result=result))
        step.set_timer(Timer.LOCKUP, step.state.rules.lockup_shown)
