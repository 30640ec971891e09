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
from gateway.domain.visit.commands import AlarmCode, Close
from gateway.domain.visit.rules import clear, door_open
from gateway.domain.visit.state import Closing, Phase, Way, Why
from gateway.domain.visit.step import Step


def says_out(step: Step) -> None:
    """Somebody outside rang, or scanned once more what was scanned before: the courier is out.

    His word counts from a moment at which nothing was known to be in the way: otherwise whoever leaves the beam later
    may just as well have gone in.
    """
    if not step.state.rules.cover or step.state.visit is None or step.visit.phase is not Phase.INSIDE:
        return
    if step.state.way.value is Way.CLEAR:
        step.visit = replace(step.visit, out=True)
    elif step.state.rules.beam:
        step.ask("way")


def settle(step: Step) -> None:
    """Go one step on the way to sending the door down, or back to its beginning when something no longer holds."""
    visit, rules = step.visit, step.state.rules
    if not rules.cover:
        return
    if visit.long_told > rules.left_open:
        transitions.hand_over(step, AlarmCode.DOOR_LEFT_OPEN)
    elif not (rules.beam and visit.out and door_open(step.state)):
        if visit.closing is not Closing.NOT:
            step.visit = replace(visit, closing=Closing.NOT)
            step.disarm(Why.CLOSE)
            if door_open(step.state):
                step.say(transitions.INSIDE)
    else:
        _forward(step)


def _forward(step: Step) -> None:
    rules = step.state.rules
    match step.visit.closing:
        case Closing.NOT if step.visit.closings >= rules.tries:
            transitions.hand_over(step, AlarmCode.DOOR_LEFT_OPEN)
        case Closing.NOT:
            _ask(step, Closing.ASKED)
        case Closing.ASKED if clear(step.state):
            step.say(transitions.LEAVE)
            _go_to(step, Closing.WARNED, rules.warning)
        case Closing.WARNED if step.passed(Why.CLOSE):
            _ask(step, Closing.ASKED_AGAIN)
        case Closing.ASKED_AGAIN if clear(step.state):
            _send_down(step)
        case Closing.SENT if step.passed(Why.CLOSE) and step.visit.closings >= rules.tries:
            transitions.hand_over(step, AlarmCode.DOOR_LEFT_OPEN)
        case Closing.ASKED | Closing.ASKED_AGAIN | Closing.SENT if step.passed(Why.CLOSE):
            _go_to(step, Closing.WAITING, rules.timing.probe)
        case Closing.WAITING if step.passed(Why.CLOSE):
            _ask(step, Closing.ASKED)
        case _:
            pass  # it waits


def _ask(step: Step, closing: Closing) -> None:
    step.doubt("way")
    step.ask("way")
    _go_to(step, closing, step.state.rules.latency)


def _send_down(step: Step) -> None:
    n = step.visit.closings + 1
    step.visit = replace(step.visit, closings=n)
    step.say(Close(visit=step.visit.id, n=n, life=step.state.rules.timing.command_life))
    _go_to(step, Closing.SENT, step.state.rules.closing)


def _go_to(step: Step, closing: Closing, seconds: float) -> None:
    step.visit = replace(step.visit, closing=closing)
    step.arm(Why.CLOSE, seconds)
