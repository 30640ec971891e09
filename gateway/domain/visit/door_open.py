"""While the door is open: never lock against a person, and wait until the door is closed and stays so."""

from devices.reports import Door
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import garage, transitions
from gateway.domain.visit.rules import bolt_out_with_the_door_open, door_open, locked
from gateway.domain.visit.state import Phase, Why
from gateway.domain.visit.step import Step


def settle(step: Step) -> None:
    """Never lock against a person: prompt, tell, alarm, and wait until the door is closed and stays so."""
    garage.settle(step)
    if step.visit.phase is not Phase.INSIDE:
        return
    state, visit = step.state, step.visit
    if bolt_out_with_the_door_open(state):
        if _proven_in_the_air(step):
            transitions.hand_over(step, c.AlarmCode.BOLT_IN_THE_AIR)
            return
    else:
        step.disarm(Why.AIR)
    if state.stopped and door_open(state) and not visit.stop_told:
        step.say(
            transitions.LEAVE,
            c.Alarm(code=c.AlarmCode.STOPPED_INSIDE),
            c.Tell(saying=c.Saying.STOPPED_INSIDE, delivery=visit.delivery.id, visit=visit.id, picture=True),
        )
        step.visit = replace(visit, stop_told=True)
    elif step.passed(Why.OPEN_LONG):
        _open_too_long(step)
    elif not _closed_now(step):
        step.disarm(Why.STABLE)
    elif not step.armed(Why.STABLE):
        step.arm(Why.STABLE, max(0.0, state.door.since + state.rules.timing.stable - step.now.mono))
    elif step.passed(Why.STABLE):
        since = step.now.mono - state.door.since
        transitions.wait_then_lock(step, max(0.0, state.rules.timing.relock - since))


def _closed_now(step: Step) -> bool:
    return step.state.door.value is Door.CLOSED


def _proven_in_the_air(step: Step) -> bool:
    """The bolt answers "locked", then the door, asked after that, answers "open".

    A "closed" that a "locked" overtook looks the same at first. A basic door cannot be asked: there the bolt's fresh
    answer must stand for a while.
    """
    state, rules = step.state, step.state.rules
    if not step.armed(Why.AIR) or step.passed(Why.AIR):
        if step.armed(Why.AIR) and locked(state) and not rules.door_answers:
            return True
        step.doubt("lock")
        step.ask("lock")
        step.arm(Why.AIR, 2 * rules.latency)
        return False
    if not (locked(state) and rules.door_answers):
        return False
    if state.door.answered > state.bolt.answered:
        return True
    if state.question == state.bolt.answered:
        step.ask("door")
    return False


def _open_too_long(step: Step) -> None:
    """The signal first, then the owner, again and again."""
    visit = step.visit
    if not _closed_now(step):
        step.say(transitions.LEAVE if visit.stop_told else transitions.CLOSE_THE_DOOR)
        if visit.long_told:
            step.say(
                c.Alarm(code=c.AlarmCode.DOOR_LEFT_OPEN),
                c.Tell(saying=c.Saying.DOOR_OPEN, delivery=visit.delivery.id, visit=visit.id, picture=True),
            )
        step.visit = replace(visit, long_told=visit.long_told + 1)
    step.arm(Why.OPEN_LONG, step.state.rules.timing.open_again)
