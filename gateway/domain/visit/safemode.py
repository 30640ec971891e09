"""Safe mode after repeated crashes: the box films, alarms, locks what it can prove closed, and lets nobody in."""

from gateway.domain.frozen import replace
from gateway.domain.visit import intrusion, procedure
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import Move, Verdict, sensor_name
from gateway.domain.visit.commands import AlarmCode, Notification, NotifyOwner, RaiseAlarm
from gateway.domain.visit.predicates import has_unlock_intent
from gateway.domain.visit.state import SafeMode, Securing, Timer
from gateway.domain.visit.step import Step

SAFE_MODE = "safe-mode"  # stands for the visit in a lock command when the incident's film is over


def begin(step: Step) -> None:
    """Start safe mode, or restart it after one more crash. A visit past its intent films and locks by itself."""
    step.state = replace(step.state, safe=SafeMode())
    if has_unlock_intent(step.state):
        step.emit(RaiseAlarm(code=AlarmCode.SAFE_MODE))
    else:
        intrusion.begin_incident(step, AlarmCode.SAFE_MODE)
    step.emit(NotifyOwner(notification=Notification.SAFE_MODE))
    step.set_timer(Timer.SAFE, step.state.rules.latency)


def end(step: Step) -> None:
    """End safe mode after the owner's acknowledgement. The film ends once everything is proven good."""
    step.state = replace(step.state, safe=None)
    step.clear_timers(Timer.SAFE)


def settle(step: Step, safe: SafeMode) -> None:
    """Query every closure in rounds, and secure one on a round's own answers; a few times, and once a round at most."""
    if step.state.visit is not None:
        if not safe.securing.is_waiting or step.timer_expired(Timer.SAFE):
            _wait(step, safe)
        return
    if not safe.securing.is_waiting:
        _advance(step, safe)
        return
    if not step.timer_expired(Timer.SAFE):
        found = next((x for x in reversed(step.state.rules.closures) if _round_says_unsecured(step, safe, x)), None)
        if found is not None:
            securing = Securing(is_waiting=False, closure=found.id)
            step.state = replace(step.state, safe=replace(safe, first_query_id=0, securing=securing))
            step.clear_timers(Timer.SAFE)
        return
    if safe.first_query_id or step.state.broker_session is None:
        _wait(step, safe)  # when the round is over, its answers no longer count
    else:
        step.state = replace(step.state, safe=replace(safe, first_query_id=step.state.last_query_id + 1))
        step.query_all()
        step.set_timer(Timer.SAFE, step.state.rules.latency)


def _wait(step: Step, safe: SafeMode) -> None:
    step.state = replace(step.state, safe=SafeMode(lock_tries=safe.lock_tries))
    step.set_timer(Timer.SAFE, step.state.rules.timing.probe)


def _round_says_unsecured(step: Step, safe: SafeMode, closure: AnyClosure) -> bool:
    """Return whether this round proved the closure closed and not secured, without recent use by hand."""
    seen, rules = step.view(closure), step.state.rules
    if not closure.is_private or safe.first_query_id == 0 or safe.lock_tries >= rules.tries:
        return False
    has_answered = all(
        seen.answered(role) >= safe.first_query_id
        for role in closure.sensors
        if sensor_name(closure.id, role) not in rules.basic_sensors
    )
    is_closed = closure.closed_since(seen) is not None
    return has_answered and is_closed and not closure.secured(seen) and not _is_in_use(step)


def _is_in_use(step: Step) -> bool:
    return step.now.mono - step.state.by_hand_at < step.state.rules.timing.by_hand


def _advance(step: Step, safe: SafeMode) -> None:
    closure = step.closure(safe.securing.closure or "")
    if step.state.broker_session is None or _is_in_use(step):
        _wait(step, safe)
        return
    ident = step.state.incident or SAFE_MODE
    runner = procedure.Runner(timer=Timer.SAFE, ident=ident, attempt=safe.lock_tries + 1)
    run, result = procedure.advance(step, closure, closure.secure, safe.securing.run, runner)
    if isinstance(result, Move):
        lock_tries = safe.lock_tries + (result.send is not None)
        securing = replace(safe.securing, run=run)
        step.state = replace(step.state, safe=replace(safe, lock_tries=lock_tries, securing=securing))
    elif result is not Verdict.WAIT:
        _wait(step, safe)
