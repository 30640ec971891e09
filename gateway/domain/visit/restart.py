"""After a boot: nothing is observed, and monotonic time may have begun anew, so every deadline is set in full."""

from gateway.domain.frozen import replace
from gateway.domain.visit import facts, film, presence, safemode, scan, transitions
from gateway.domain.visit.commands import StopFilm
from gateway.domain.visit.rules import before_intent
from gateway.domain.visit.state import Phase, Refusal, Visit, Why
from gateway.domain.visit.step import Step


def restarted(step: Step, *, safe_mode: bool) -> None:
    """Forget what was observed; keep what was promised. An unlock is never sent again."""
    step.state = replace(step.state, session=None, disk=False, cold={}, cameras={}, half=None, lockup=None, due={})
    presence.forget(step)
    facts.blind(step, "lock", "door")
    _clocks_anew(step)
    if before_intent(step.state):
        transitions.refuse(step, Refusal.NOT_READY)
    elif step.state.visit is not None:
        _go_on(step)
    if step.state.incident is not None:
        film.begin(step, step.state.incident, 1)
    if safe_mode or step.state.safe_mode:
        safemode.begin(step)


def _clocks_anew(step: Step) -> None:
    """A longer wait than was due is safe; a shorter one is not."""
    state, mono = step.state, step.now.mono
    attempts = {
        scanner: replace(
            tries,
            wrong=tuple((code, mono) for code, _ in tries.wrong),
            tried=tuple((code, mono) for code, _ in tries.tried),
            group=frozenset(),
            group_at=-1e9,
            until=mono + state.rules.timing.lockout,
            seen=(),
        )
        for scanner, tries in state.attempts.items()
    }
    said = {whose: min(at, mono) for whose, at in state.battery_said.items()}
    step.state = replace(state, attempts=attempts, by_hand_at=min(state.by_hand_at, mono), battery_said=said)
    scan.arm_lockout(step)
    if state.watch is not None:
        step.state = replace(step.state, watch=_armed_anew(step, state.watch))
        film.begin_watch(step)
    if state.incident is not None:
        step.arm(Why.INCIDENT, state.rules.timing.incident)
    if state.preflights:
        step.arm(Why.PREFLIGHT, state.rules.timing.probe)


def _armed_anew(step: Step, visit: Visit) -> Visit:
    """An unlock sent just before the crash may still act, for its life and the tolerated clock error."""
    timing = step.state.rules.timing
    return replace(visit, armed_until=step.now.mono + timing.command_life + timing.skew)


def _go_on(step: Step) -> None:
    """A visit past its intent: the opening counts as used, what runs is filmed, and the door is to be proven locked."""
    visit = step.visit = _armed_anew(step, step.visit)
    if visit.phase is Phase.UNLOCKING:  # also of a state that was stored before `unanswered` was known
        visit = step.visit = replace(visit, unanswered=True)
    for part, _ in visit.unsealed:
        step.say(StopFilm(visit=visit.id, part=part, keep=True))
    match visit.phase:
        case Phase.LOCKED_AGAIN:  # finish the proof
            step.visit = replace(visit, film_closed=False, sealing=False)
            step.enter(Phase.LOCKED_AGAIN, {Why.POST_ROLL: 0})
        case Phase.HANDED_TO_OWNER:
            film.begin(step, visit.id, visit.part)
            step.enter(Phase.HANDED_TO_OWNER, {Why.ALARM: 0})
        case _:
            transitions.spend(step)
            film.begin(step, visit.id, visit.part)
            transitions.wait_then_lock(step, 0)
