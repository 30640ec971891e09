"""Safe mode: after crash upon crash the box films, alarms, locks what it can prove closed, and lets nobody in."""

from devices.reports import Bolt
from gateway.domain.frozen import replace
from gateway.domain.visit import intrusion
from gateway.domain.visit.commands import Alarm, AlarmCode, Lock, Saying, Tell
from gateway.domain.visit.rules import closed, intent
from gateway.domain.visit.state import Why
from gateway.domain.visit.step import Step

SAFE_MODE = "safe-mode"  # stands for the visit in a lock command when the incident's film is over


def begin(step: Step) -> None:
    """Begin, or begin anew after one more crash. A visit past its intent films and locks by itself."""
    step.state = replace(step.state, safe_mode=True, safe_tries=0, safe_asked=0)
    if intent(step.state):
        step.say(Alarm(code=AlarmCode.SAFE_MODE))
    else:
        intrusion.begin_incident(step, AlarmCode.SAFE_MODE)
    step.say(Tell(saying=Saying.SAFE_MODE))
    step.arm(Why.SAFE, step.state.rules.latency)


def end(step: Step) -> None:
    """The owner has looked. The film ends once all is proven good."""
    step.state = replace(step.state, safe_mode=False, safe_tries=0, safe_asked=0)
    step.disarm(Why.SAFE)


def settle(step: Step) -> None:
    """Ask door and bolt in rounds, and throw the bolt on a round's own answers; a few times, and never twice on one."""
    rules = step.state.rules
    if step.state.visit is None and not step.passed(Why.SAFE) and _round_says_unlocked(step):
        tries = step.state.safe_tries + 1
        ident = step.state.incident or SAFE_MODE
        step.say(Lock(visit=ident, n=tries, life=rules.timing.command_life))
        step.doubt("lock")
        step.state = replace(step.state, safe_tries=tries, safe_asked=0)
    if not step.passed(Why.SAFE):
        return
    if step.state.safe_asked or step.state.session is None:  # the round is over: its answers count no more
        step.state = replace(step.state, safe_asked=0)
        step.arm(Why.SAFE, rules.timing.probe)
    else:
        step.doubt("door")
        step.ask("door", "lock")
        step.state = replace(step.state, safe_asked=step.state.question)
        step.arm(Why.SAFE, rules.latency)


def _round_says_unlocked(step: Step) -> bool:
    """Door closed and bolt not locked, both answered in this round, and nobody used the door by hand of late."""
    state, rules = step.state, step.state.rules
    answered = state.safe_asked > 0 and closed(state) and state.bolt.answered >= state.safe_asked
    if rules.cover:  # a garage door that is closed is locked
        return False
    in_use = step.now.mono - state.by_hand_at < rules.timing.by_hand
    return answered and state.bolt.value is not Bolt.LOCKED and not in_use and state.safe_tries < rules.tries
