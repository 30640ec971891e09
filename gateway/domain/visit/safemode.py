"""Safe mode after repeated crashes: the box films, alarms, locks what it can prove closed, and lets nobody in."""

from devices.reports import LockState
from gateway.domain.frozen import replace
from gateway.domain.visit import intrusion
from gateway.domain.visit.commands import AlarmCode, Lock, Notification, NotifyOwner, RaiseAlarm
from gateway.domain.visit.conditions import has_unlock_intent, is_closed
from gateway.domain.visit.state import Timer
from gateway.domain.visit.step import Step

SAFE_MODE = "safe-mode"  # stands for the visit in a lock command when the incident's film is over


def begin(step: Step) -> None:
    """Start safe mode, or restart it after one more crash. A visit past its intent films and locks by itself."""
    step.state = replace(step.state, safe_mode=True, safe_mode_lock_tries=0, safe_mode_query_id=0)
    if has_unlock_intent(step.state):
        step.emit(RaiseAlarm(code=AlarmCode.SAFE_MODE))
    else:
        intrusion.begin_incident(step, AlarmCode.SAFE_MODE)
    step.emit(NotifyOwner(notification=Notification.SAFE_MODE))
    step.set_timer(Timer.SAFE, step.state.rules.latency)


def end(step: Step) -> None:
    """End safe mode after the owner's acknowledgement. The film ends once everything is proven good."""
    step.state = replace(step.state, safe_mode=False, safe_mode_lock_tries=0, safe_mode_query_id=0)
    step.clear_timers(Timer.SAFE)


def settle(step: Step) -> None:
    """Query door and bolt in rounds and lock on a round's own answers; a few times, and once per round at most."""
    rules = step.state.rules
    if step.state.visit is None and not step.timer_expired(Timer.SAFE) and _round_says_unlocked(step):
        tries = step.state.safe_mode_lock_tries + 1
        ident = step.state.incident or SAFE_MODE
        step.emit(Lock(visit=ident, attempt=tries, life=rules.timing.command_life))
        step.invalidate("lock")
        step.state = replace(step.state, safe_mode_lock_tries=tries, safe_mode_query_id=0)
    if not step.timer_expired(Timer.SAFE):
        return
    # When the round is over, its answers no longer count
    if step.state.safe_mode_query_id or step.state.broker_session is None:
        step.state = replace(step.state, safe_mode_query_id=0)
        step.set_timer(Timer.SAFE, rules.timing.probe)
    else:
        step.invalidate("door")
        step.query("door", "lock")
        step.state = replace(step.state, safe_mode_query_id=step.state.last_query_id)
        step.set_timer(Timer.SAFE, rules.latency)


def _round_says_unlocked(step: Step) -> bool:
    """Return whether this round proved the door closed and the bolt not locked, without recent use by hand."""
    state, rules = step.state, step.state.rules
    if rules.garage_door or state.safe_mode_lock_tries >= rules.tries:  # a closed garage door is locked
        return False
    answered = 0 < state.safe_mode_query_id <= state.bolt.answered_query_id
    in_use = step.now.mono - state.by_hand_at < rules.timing.by_hand
    return answered and is_closed(state) and state.bolt.value is not LockState.LOCKED and not in_use
