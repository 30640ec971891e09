"""Locking when somebody asks for it and no visit runs: the chain of questions of `relocking`, once.

Door closed, bolt moves, bolt locked, door still closed: only then is it called locked. No lock is ever sent that is
not preceded by the door's fresh "closed"; whoever asked may ask again.
"""

from devices.reports import Bolt
from gateway.domain.frozen import replace
from gateway.domain.visit.commands import Lock, Note
from gateway.domain.visit.rules import closed, door_open, locked
from gateway.domain.visit.state import Locked, Lockup, Relock, Why
from gateway.domain.visit.step import Step


def asked(step: Step, ident: str) -> None:
    """Begin, unless one runs already."""
    running = step.state.lockup
    if running is not None and running.result is None:
        return
    step.state = replace(step.state, lockup=Lockup(id=ident))
    if step.state.visit is not None:
        _end(step, Locked.VISIT)
    elif step.state.session is None:
        _end(step, Locked.NO_LINK)
    elif locked(step.state) and closed(step.state):
        _end(step, Locked.PROVEN)
    else:
        _ask_door(step)


def settle(step: Step) -> None:
    """Go one step along the chain, or say what came of it; a result that was shown for long enough goes."""
    running = step.state.lockup
    if running is None:
        return
    if running.result is not None:
        if step.passed(Why.LOCKUP):
            step.state = replace(step.state, lockup=None)
            step.disarm(Why.LOCKUP)
        return
    if step.state.visit is not None:
        _end(step, Locked.VISIT)
    elif step.state.session is None:
        _end(step, Locked.NO_LINK)
    elif door_open(step.state):
        _end(step, Locked.DOOR_OPEN)
    elif not _forward(step, running) and step.passed(Why.LOCKUP):
        _end(step, Locked.NOT_PROVEN if running.sent else Locked.DOOR_UNKNOWN)


def _forward(step: Step, running: Lockup) -> bool:
    """Take the chain's next step where its evidence is in; whether it was."""
    state = step.state
    match running.at:
        case Relock.DOOR_BEFORE if closed(state):
            if not state.rules.cover:  # a garage door that is closed is locked
                step.say(Lock(visit=running.id, n=1, life=state.rules.timing.command_life))
            step.doubt("lock")
            _wait_at(step, Relock.BOLT_MOVES)
            step.arm(Why.LOCKUP, state.rules.latency)
        case Relock.BOLT_MOVES if state.bolt.value is Bolt.LOCKED or running.refused or step.passed(Why.LOCKUP):
            armed_until = 0.0 if state.watch is None else state.watch.armed_until
            if step.now.mono < armed_until:  # the unlock of the visit before may still act: no answer counts before
                step.arm(Why.LOCKUP, armed_until - step.now.mono)
                return True
            _wait_at(step, Relock.BOLT_ANSWERS)
            step.doubt("lock")
            step.ask("lock")
            step.arm(Why.LOCKUP, state.rules.latency)
        case Relock.BOLT_ANSWERS if locked(state):
            _wait_at(step, Relock.DOOR_AFTER)
            _ask_door(step)
        case Relock.DOOR_AFTER if locked(state) and closed(state):
            _end(step, Locked.PROVEN)
        case _:
            return False
    return True


def _ask_door(step: Step) -> None:
    """A basic door cannot be asked: its live reports count as they stand."""
    if step.state.rules.door_answers:
        step.doubt("door")
        step.ask("door")
    step.arm(Why.LOCKUP, step.state.rules.latency)


def _wait_at(step: Step, at: Relock) -> None:
    if step.state.lockup is not None:
        step.state = replace(step.state, lockup=replace(step.state.lockup, at=at, sent=True))


def _end(step: Step, result: Locked) -> None:
    if step.state.lockup is not None:
        step.say(Note(what=f"lockup_{result.value}"))
        step.state = replace(step.state, lockup=replace(step.state.lockup, result=result))
        step.arm(Why.LOCKUP, step.state.rules.lockup_shown)
