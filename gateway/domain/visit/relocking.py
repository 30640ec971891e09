"""Locks the door as a chain of queries, each with one deadline: door closed, bolt moves, bolt locked, door closed."""

from devices.reports import LockState
from gateway.domain.frozen import replace
from gateway.domain.visit import transitions
from gateway.domain.visit.commands import AlarmCode, Lock, Notification, RaiseAlarm
from gateway.domain.visit.conditions import is_closed, is_door_open, is_fridge_open, is_locked
from gateway.domain.visit.state import RelockStep, Timer
from gateway.domain.visit.step import Step


def settle(step: Step) -> None:
    """Take one step along the chain if its condition is true or its time is over."""
    if is_door_open(step.state):
        transitions.begin_inside(step)
        return
    if step.visit.relock is RelockStep.WAIT and _is_waiting(step):
        return
    step.clear_timers(Timer.RELOCK)
    if step.state.broker_session is None:
        _without_broker(step)
        return
    step.clear_timers(Timer.OUTAGE)
    if step.visit.relock is RelockStep.WAIT and step.visit.lock_tries >= step.state.rules.tries:
        transitions.hand_over_to_owner(step, AlarmCode.NOT_LOCKED)
    elif step.visit.relock is RelockStep.WAIT:
        _begin_try(step)
    elif not _advance(step) and (step.timer_expired(Timer.ANSWER) or step.visit.jammed):
        _try_again(step)


def _is_waiting(step: Step) -> bool:
    return step.timer_is_set(Timer.RELOCK) and not step.timer_expired(Timer.RELOCK) and not step.state.stopped


def _without_broker(step: Step) -> None:
    """Suspend the chain without a broker: tries count only while connected, and all is queried again afterwards."""
    visit = step.visit
    if visit.relock is not RelockStep.WAIT:
        # Else a broker that keeps reconnecting would delay the hand-over
        is_refunded = visit.lock_tries_refunded < step.state.rules.tries
        step.visit = replace(
            visit,
            relock=RelockStep.WAIT,
            lock_tries=visit.lock_tries - is_refunded,
            lock_tries_refunded=visit.lock_tries_refunded + is_refunded,
        )
        step.clear_timers(Timer.ANSWER)
    if not step.timer_is_set(Timer.OUTAGE):
        step.set_timer(Timer.OUTAGE, step.state.rules.timing.outage)
    elif step.timer_expired(Timer.OUTAGE):
        transitions.hand_over_to_owner(step, AlarmCode.NOT_LOCKED)


def _begin_try(step: Step) -> None:
    step.visit = replace(step.visit, relock=RelockStep.DOOR_BEFORE, lock_tries=step.visit.lock_tries + 1, jammed=False)
    _query_door(step)


def _try_again(step: Step) -> None:
    if step.visit.jammed and not step.visit.jam_notified:
        step.emit(RaiseAlarm(code=AlarmCode.LOCK_JAMMED))
        step.visit = replace(step.visit, jam_notified=True)
    if step.visit.lock_tries >= step.state.rules.tries:
        transitions.hand_over_to_owner(step, AlarmCode.NOT_LOCKED)
    elif step.state.rules.lift_handle and step.state.bolt.value is LockState.NOT_FULLY_LOCKED:
        _wait_for_the_handle(step)
    else:
        _begin_try(step)


def _wait_for_the_handle(step: Step) -> None:
    """The bolts stopped on their way: ask the person at the door to lift the handle, and notify the owner."""
    visit = step.visit
    step.emit(transitions.LIFT_THE_HANDLE)
    if not visit.handle_notified:
        step.notify_of_visit(Notification.LIFT_THE_HANDLE, picture=True)
    step.visit = replace(visit, relock=RelockStep.WAIT, handle_notified=True, jammed=False)
    step.clear_timers(Timer.ANSWER)
    step.set_timer(Timer.RELOCK, step.state.rules.handle)


def _query_door(step: Step) -> None:
    """Query the door. A basic door cannot be queried: its live reports count as they are."""
    if step.state.rules.door_answers:
        step.invalidate("door")
        step.query("door")
    step.set_timer(Timer.ANSWER, step.state.rules.latency)


def _advance(step: Step) -> bool:
    """Take the next step of the chain if its evidence is there; return whether it did."""
    state, visit, rules = step.state, step.visit, step.state.rules
    match visit.relock:
        case RelockStep.DOOR_BEFORE if is_closed(state):
            _send_lock(step)
        case RelockStep.BOLT_MOVES if (
            state.bolt.value is LockState.LOCKED or visit.lock_refused or step.timer_expired(Timer.ANSWER)
        ):
            if step.now.mono < visit.command_valid_until:  # an unlock may still act: no answer counts before
                step.set_timer(Timer.ANSWER, visit.command_valid_until - step.now.mono)
                return True
            step.visit = replace(visit, relock=RelockStep.BOLT_ANSWERS, lock_refused=False)
            step.invalidate("lock")
            step.query("lock")
            step.set_timer(Timer.ANSWER, rules.latency)
        case RelockStep.BOLT_ANSWERS if is_locked(state):
            step.visit = replace(visit, relock=RelockStep.DOOR_AFTER)
            _query_door(step)
        case RelockStep.DOOR_AFTER if is_locked(state) and is_closed(state):
            transitions.enter_locked_again(step)
        case _:
            return False
    return True


def _send_lock(step: Step) -> None:
    """Throw the bolt, with the door proven closed. The parcels' result does not wait for what follows."""
    visit = step.visit
    if not visit.tried_to_lock and is_fridge_open(step.state, visit.delivery):
        step.emit(RaiseAlarm(code=AlarmCode.FRIDGE_LEFT_OPEN, detail=visit.delivery.place))
    transitions.record_outcome_if_opened(step)
    if not step.state.rules.garage_door:  # a closed garage door is locked
        step.emit(Lock(visit=visit.id, attempt=visit.lock_tries, life=step.state.rules.timing.command_life))
    step.invalidate("lock")
    step.visit = replace(step.visit, relock=RelockStep.BOLT_MOVES, jammed=False, lock_refused=False, tried_to_lock=True)
    step.set_timer(Timer.ANSWER, step.state.rules.latency)
