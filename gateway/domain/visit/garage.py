"""A garage door: its opener is the lock, and one sensor that does not depend on it stands for door and bolt.

Opening is one command and its intent, as everywhere. What is different is that nobody pulls this door shut: the box has
to send it down, and a door that comes down is the one thing here that can hurt somebody. So it is sent down only when

- the courier said that he is out: he rang the bell outside, or scanned there again,
- nothing has broken the light beam since (a broken beam takes his word back, and so does not seeing it),
- the beam answered "nothing in the way" to a question asked then, the signal warned for a while, and
- the beam answered so once more, to a question asked after the warning.

It is sent so three times at most, each time with all of that; then it is the owner's, as it is when nobody says that he
is out. An opener whose beam does not tell is never sent down. That the opener reverses by itself on what it meets is
declared at enrolment; nothing here relies on being faster than that.
"""

from gateway.domain.frozen import replace
from gateway.domain.visit import transitions
from gateway.domain.visit.commands import AlarmCode, CloseGarageDoor
from gateway.domain.visit.rules import door_open, unobstructed
from gateway.domain.visit.state import ClosingStep, Obstruction, Phase, Timer
from gateway.domain.visit.step import Step


def courier_reports_left(step: Step) -> None:
    """Somebody outside rang, or scanned once more what was scanned before: the courier is out.

    His word counts from a moment at which nothing was known to be in the way: otherwise whoever leaves the beam later
    may just as well have gone in.
    """
    if not step.state.rules.garage_door or step.state.visit is None or step.visit.phase is not Phase.INSIDE:
        return
    if step.state.obstruction.value is Obstruction.CLEAR:
        step.visit = replace(step.visit, courier_left=True)
    elif step.state.rules.obstruction_sensor:
        step.query("way")


def settle(step: Step) -> None:
    """Go one step on the way to sending the door down, or back to its beginning when something no longer holds."""
    visit, rules = step.visit, step.state.rules
    if not rules.garage_door:
        return
    if visit.open_notifications > rules.left_open:
        transitions.hand_over(step, AlarmCode.DOOR_LEFT_OPEN)
    elif not (rules.obstruction_sensor and visit.courier_left and door_open(step.state)):
        if visit.closing is not ClosingStep.NOT:
            step.visit = replace(visit, closing=ClosingStep.NOT)
            step.clear_timer(Timer.CLOSE)
            if door_open(step.state):
                step.emit(transitions.INSIDE)
    else:
        _advance(step)


def _advance(step: Step) -> None:
    rules = step.state.rules
    match step.visit.closing:
        case ClosingStep.NOT if step.visit.close_commands >= rules.tries:
            transitions.hand_over(step, AlarmCode.DOOR_LEFT_OPEN)
        case ClosingStep.NOT:
            _query(step, ClosingStep.ASKED)
        case ClosingStep.ASKED if unobstructed(step.state):
            step.emit(transitions.LEAVE)
            _set_step(step, ClosingStep.WARNED, rules.warning)
        case ClosingStep.WARNED if step.timer_expired(Timer.CLOSE):
            _query(step, ClosingStep.ASKED_AGAIN)
        case ClosingStep.ASKED_AGAIN if unobstructed(step.state):
            _send_down(step)
        case ClosingStep.SENT if step.timer_expired(Timer.CLOSE) and step.visit.close_commands >= rules.tries:
            transitions.hand_over(step, AlarmCode.DOOR_LEFT_OPEN)
        case ClosingStep.ASKED | ClosingStep.ASKED_AGAIN | ClosingStep.SENT if step.timer_expired(Timer.CLOSE):
            _set_step(step, ClosingStep.WAITING, rules.timing.probe)
        case ClosingStep.WAITING if step.timer_expired(Timer.CLOSE):
            _query(step, ClosingStep.ASKED)
        case _:
            pass  # it waits


def _query(step: Step, closing: ClosingStep) -> None:
    step.invalidate("way")
    step.query("way")
    _set_step(step, closing, step.state.rules.latency)


def _send_down(step: Step) -> None:
    n = step.visit.close_commands + 1
    step.visit = replace(step.visit, close_commands=n)
    step.emit(CloseGarageDoor(visit=step.visit.id, n=n, life=step.state.rules.timing.command_life))
    _set_step(step, ClosingStep.SENT, step.state.rules.closing)


def _set_step(step: Step, closing: ClosingStep, seconds: float) -> None:
    step.visit = replace(step.visit, closing=closing)
    step.set_timer(Timer.CLOSE, seconds)
