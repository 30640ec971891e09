"""Locking as a chain of questions, each with one deadline: door closed, bolt moves, bolt locked, door still closed."""

from devices.reports import Bolt
from gateway.domain.frozen import replace
from gateway.domain.visit import transitions
from gateway.domain.visit.commands import Alarm, AlarmCode, Lock, Saying, Tell
from gateway.domain.visit.rules import closed, door_open, fridge_open, locked
from gateway.domain.visit.state import Relock, Why
from gateway.domain.visit.step import Step


def settle(step: Step) -> None:
    """Go one step along the chain, if what it waits for is true or its time is over."""
    if door_open(step.state):
        transitions.go_inside(step)
        return
    if step.visit.relock is Relock.WAIT and _waiting(step):
        return
    step.disarm(Why.RELOCK)
    if step.state.session is None:
        _without_broker(step)
        return
    step.disarm(Why.OUTAGE)
    if step.visit.relock is Relock.WAIT and step.visit.tries >= step.state.rules.tries:
        transitions.hand_over(step, AlarmCode.NOT_LOCKED)
    elif step.visit.relock is Relock.WAIT:
        _begin_try(step)
    elif not _forward(step) and (step.passed(Why.ANSWER) or step.visit.jammed):
        _try_again(step)


def _waiting(step: Step) -> bool:
    return step.armed(Why.RELOCK) and not step.passed(Why.RELOCK) and not step.state.stopped


def _without_broker(step: Step) -> None:
    """Tries count only while connected; all is asked anew once we see again.

    So many tries are given back and no more: a broker that is kept coming and going would put off the hand-over.
    """
    visit = step.visit
    if visit.relock is not Relock.WAIT:
        again = visit.tries_given_back < step.state.rules.tries
        step.visit = replace(
            visit,
            relock=Relock.WAIT,
            tries=visit.tries - again,
            tries_given_back=visit.tries_given_back + again,
        )
        step.disarm(Why.ANSWER)
    if not step.armed(Why.OUTAGE):
        step.arm(Why.OUTAGE, step.state.rules.timing.outage)
    elif step.passed(Why.OUTAGE):
        transitions.hand_over(step, AlarmCode.NOT_LOCKED)


def _begin_try(step: Step) -> None:
    step.visit = replace(step.visit, relock=Relock.DOOR_BEFORE, tries=step.visit.tries + 1, jammed=False)
    _ask_door(step)


def _try_again(step: Step) -> None:
    if step.visit.jammed and not step.visit.jam_told:
        step.say(Alarm(code=AlarmCode.LOCK_JAMMED))
        step.visit = replace(step.visit, jam_told=True)
    if step.visit.tries >= step.state.rules.tries:
        transitions.hand_over(step, AlarmCode.NOT_LOCKED)
    elif step.state.rules.lift_handle and step.state.bolt.value is Bolt.NOT_FULLY_LOCKED:
        _wait_for_the_handle(step)
    else:
        _begin_try(step)


def _wait_for_the_handle(step: Step) -> None:
    """The bolts stopped on their way: somebody at the door is asked to lift the handle, and the owner is told."""
    visit = step.visit
    step.say(transitions.LIFT_THE_HANDLE)
    if not visit.handle_told:
        step.say(Tell(saying=Saying.LIFT_THE_HANDLE, delivery=visit.delivery.id, visit=visit.id, picture=True))
    step.visit = replace(visit, relock=Relock.WAIT, handle_told=True, jammed=False)
    step.disarm(Why.ANSWER)
    step.arm(Why.RELOCK, step.state.rules.handle)


def _ask_door(step: Step) -> None:
    """A basic door cannot be asked: its live reports count as they stand."""
    if step.state.rules.door_answers:
        step.doubt("door")
        step.ask("door")
    step.arm(Why.ANSWER, step.state.rules.latency)


def _forward(step: Step) -> bool:
    """Take the chain's next step where its evidence is in; whether it was."""
    state, visit, rules = step.state, step.visit, step.state.rules
    match visit.relock:
        case Relock.DOOR_BEFORE if closed(state):
            _throw(step)
        case Relock.BOLT_MOVES if state.bolt.value is Bolt.LOCKED or visit.refused or step.passed(Why.ANSWER):
            if step.now.mono < visit.armed_until:  # an unlock of ours may still act: no answer counts before
                step.arm(Why.ANSWER, visit.armed_until - step.now.mono)
                return True
            step.visit = replace(visit, relock=Relock.BOLT_ANSWERS, refused=False)
            step.doubt("lock")
            step.ask("lock")
            step.arm(Why.ANSWER, rules.latency)
        case Relock.BOLT_ANSWERS if locked(state):
            step.visit = replace(visit, relock=Relock.DOOR_AFTER)
            _ask_door(step)
        case Relock.DOOR_AFTER if locked(state) and closed(state):
            transitions.prove_locked(step)
        case _:
            return False
    return True


def _throw(step: Step) -> None:
    """Send the bolt out, with the door affirmatively closed. The parcels' result does not wait for what follows."""
    visit = step.visit
    if not visit.tried_to_lock and fridge_open(step.state, visit.delivery):
        step.say(Alarm(code=AlarmCode.FRIDGE_LEFT_OPEN, detail=visit.delivery.place))
    transitions.latch_if_opened(step)
    if not step.state.rules.cover:  # a garage door that is closed is locked
        step.say(Lock(visit=visit.id, n=visit.tries, life=step.state.rules.timing.command_life))
    step.doubt("lock")
    step.visit = replace(step.visit, relock=Relock.BOLT_MOVES, jammed=False, refused=False, tried_to_lock=True)
    step.arm(Why.ANSWER, step.state.rules.latency)
