"""The rules while the door is open: never lock against a person, and wait until the door stays closed."""

from devices.reports import DoorState
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import garage, transitions
from gateway.domain.visit.conditions import is_bolt_thrown_with_door_open, is_door_open, is_locked
from gateway.domain.visit.state import Phase, Timer
from gateway.domain.visit.step import Step


def settle(step: Step) -> None:
    """Show the prompt, notify, raise the alarm, and wait until the door is closed and stays so; never lock."""
    garage.settle(step)
    if step.visit.phase is not Phase.INSIDE:
        return
    state, visit = step.state, step.visit
    if is_bolt_thrown_with_door_open(state):
        if _bolt_out_proven(step):
            transitions.hand_over_to_owner(step, c.AlarmCode.BOLT_IN_THE_AIR)
            return
    else:
        step.clear_timers(Timer.AIR)
    if state.stopped and is_door_open(state) and not visit.stop_notified:
        step.emit(transitions.LEAVE, c.RaiseAlarm(code=c.AlarmCode.STOPPED_INSIDE))
        step.notify_of_visit(c.Notification.STOPPED_INSIDE, picture=True)
        step.visit = replace(visit, stop_notified=True)
    elif step.timer_expired(Timer.OPEN_LONG):
        _notify_open_too_long(step)
    elif state.door.value is not DoorState.CLOSED:
        step.clear_timers(Timer.STABLE)
    elif not step.timer_is_set(Timer.STABLE):
        step.set_timer(Timer.STABLE, max(0.0, state.door.stable_since + state.rules.timing.stable - step.now.mono))
    elif step.timer_expired(Timer.STABLE):
        since = step.now.mono - state.door.stable_since
        transitions.wait_then_lock(step, max(0.0, state.rules.timing.relock - since))


def _bolt_out_proven(step: Step) -> bool:
    """Return whether the bolt is proven out with the door open: the bolt answers "locked", a later query "open".

    A "closed" that a "locked" overtook looks the same at first. A basic door cannot be queried: there the bolt's fresh
    answer must hold for a while.
    """
    state, rules = step.state, step.state.rules
    if not step.timer_is_set(Timer.AIR) or step.timer_expired(Timer.AIR):
        if step.timer_is_set(Timer.AIR) and is_locked(state) and not rules.door_answers:
            return True
        step.invalidate("lock")
        step.query("lock")
        step.set_timer(Timer.AIR, 2 * rules.latency)
        return False
    if not (is_locked(state) and rules.door_answers):
        return False
    if state.door.answered_query_id > state.bolt.answered_query_id:
        return True
    if state.last_query_id == state.bolt.answered_query_id:
        step.query("door")
    return False


def _notify_open_too_long(step: Step) -> None:
    """Show it on the signal first, then notify the owner repeatedly."""
    visit = step.visit
    if step.state.door.value is not DoorState.CLOSED:
        step.emit(transitions.LEAVE if visit.stop_notified else transitions.CLOSE_THE_DOOR)
        if visit.open_notifications:
            step.emit(c.RaiseAlarm(code=c.AlarmCode.DOOR_LEFT_OPEN))
            step.notify_of_visit(c.Notification.DOOR_OPEN, picture=True)
        step.visit = replace(visit, open_notifications=visit.open_notifications + 1)
    step.set_timer(Timer.OPEN_LONG, step.state.rules.timing.open_again)
