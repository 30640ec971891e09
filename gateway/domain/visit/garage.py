"""Closes a garage door safely. The opener is the lock; one independent sensor measures both door and bolt.

Opening is one command and its intent, as everywhere. But nobody pulls this door shut: the box has to close it, and a
door that comes down is the only thing here that can hurt somebody. So the box closes it only when

- the courier reported that he left: he rang the bell outside, or scanned there again,
- nothing has broken the light beam since (a broken beam cancels the courier's report, and so does losing sight of it),
- the beam answered "nothing in the way" to a query sent then, the signal warned for a while, and
- the beam answered so once more, to a query sent after the warning.

The box tries this at most three times, each time with all of these conditions; then it hands the door to the owner, as
it does when nobody reports that the courier left. It never closes an opener whose beam does not report. The installer
declares at enrolment that the opener reverses by itself on an obstacle; nothing here relies on being faster than that.
"""

from gateway.domain.frozen import replace
from gateway.domain.visit import transitions
from gateway.domain.visit.commands import AlarmCode, CloseGarageDoor
from gateway.domain.visit.conditions import is_door_open, is_unobstructed
from gateway.domain.visit.state import ClosingStep, Obstruction, Phase, Timer
from gateway.domain.visit.step import Step


def courier_reports_left(step: Step) -> None:
    """Record that the courier left: somebody outside rang, or scanned again what was scanned before.

    The report counts only if nothing was known to be in the way at that moment: otherwise a person who leaves the beam
    later may just as well have gone in.
    """
    if not step.state.rules.garage_door or step.state.visit is None or step.visit.phase is not Phase.INSIDE:
        return
    if step.state.obstruction.value is Obstruction.CLEAR:
        step.visit = replace(step.visit, courier_left=True)
    elif step.state.rules.obstruction_sensor:
        step.query("way")


def settle(step: Step) -> None:
    """Go one step towards closing the door, or back to the start when a condition no longer holds."""
    visit, rules = step.visit, step.state.rules
    if not rules.garage_door:
        return
    if visit.open_notifications > rules.left_open:
        transitions.hand_over_to_owner(step, AlarmCode.DOOR_LEFT_OPEN)
    elif not (rules.obstruction_sensor and visit.courier_left and is_door_open(step.state)):
        if visit.closing is not ClosingStep.NOT:
            step.visit = replace(visit, closing=ClosingStep.NOT)
            step.clear_timers(Timer.CLOSE)
            if is_door_open(step.state):
                step.emit(transitions.INSIDE)
    else:
        _advance(step)


def _advance(step: Step) -> None:
    rules = step.state.rules
    match step.visit.closing:
        case ClosingStep.NOT if step.visit.close_commands >= rules.tries:
            transitions.hand_over_to_owner(step, AlarmCode.DOOR_LEFT_OPEN)
        case ClosingStep.NOT:
            _query(step, ClosingStep.ASKED)
        case ClosingStep.ASKED if is_unobstructed(step.state):
            step.emit(transitions.LEAVE)
            _set_step(step, ClosingStep.WARNED, rules.warning)
        case ClosingStep.WARNED if step.timer_expired(Timer.CLOSE):
            _query(step, ClosingStep.ASKED_AGAIN)
        case ClosingStep.ASKED_AGAIN if is_unobstructed(step.state):
            _send_down(step)
        case ClosingStep.SENT if step.timer_expired(Timer.CLOSE) and step.visit.close_commands >= rules.tries:
            transitions.hand_over_to_owner(step, AlarmCode.DOOR_LEFT_OPEN)
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
    step.emit(CloseGarageDoor(visit=step.visit.id, attempt=n, life=step.state.rules.timing.command_life))
    _set_step(step, ClosingStep.SENT, step.state.rules.closing)


def _set_step(step: Step, closing: ClosingStep, seconds: float) -> None:
    step.visit = replace(step.visit, closing=closing)
    step.set_timer(Timer.CLOSE, seconds)
