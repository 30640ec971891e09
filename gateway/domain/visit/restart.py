"""Restores an entrance after a boot: nothing is observed, and monotonic time may have begun again."""

from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import facts, film, presence, safemode, scan, transitions
from gateway.domain.visit.commands import StopRecording
from gateway.domain.visit.conditions import is_before_intent
from gateway.domain.visit.state import Phase, Timer, Visit
from gateway.domain.visit.step import Step


def on_restart(step: Step, *, safe_mode: bool) -> None:
    """Reset the observations and keep the deliveries. An unlock is never sent again."""
    step.state = replace(
        step.state,
        broker_session=None,
        disk_ok=False,
        fridges={},
        cameras={},
        pending_scan=None,
        lock_request=None,
        timers={},
    )
    presence.forget(step)
    facts.lose_observation(step, "lock", "door")
    _restart_timers(step)
    if is_before_intent(step.state):
        transitions.refuse(step, Refusal.NOT_READY)
    elif step.state.visit is not None:
        _resume_visit(step)
    if step.state.incident is not None:
        film.begin(step, step.state.incident, 1)
    if safe_mode or step.state.safe_mode:
        safemode.begin(step)


def _restart_timers(step: Step) -> None:
    """Set every timer in full: a longer wait than was due is safe; a shorter one is not."""
    state, mono = step.state, step.now.mono
    attempts = {
        scanner: replace(
            tries,
            unknown_codes=tuple((code, mono) for code, _ in tries.unknown_codes),
            tried_codes=tuple((code, mono) for code, _ in tries.tried_codes),
            label_codes=frozenset(),
            label_read_at=-1e9,
            locked_out_until=mono + state.rules.timing.lockout,
            recent_codes=(),
        )
        for scanner, tries in state.scan_lockouts.items()
    }
    notified_at = {role: min(at, mono) for role, at in state.battery_notified_at.items()}
    step.state = replace(
        state, scan_lockouts=attempts, by_hand_at=min(state.by_hand_at, mono), battery_notified_at=notified_at
    )
    scan.set_lockout_timer(step)
    if state.grace_visit is not None:
        step.state = replace(step.state, grace_visit=_restart_command_validity(step, state.grace_visit))
        film.start_grace(step)
    if state.incident is not None:
        step.set_timer(Timer.INCIDENT, state.rules.timing.incident)
    if state.preflights:
        step.set_timer(Timer.PREFLIGHT, state.rules.timing.probe)


def _restart_command_validity(step: Step, visit: Visit) -> Visit:
    """Extend the command's validity: an unlock sent just before the crash may act for its life and the clock error."""
    timing = step.state.rules.timing
    return replace(visit, command_valid_until=step.now.mono + timing.command_life + timing.skew)


def _resume_visit(step: Step) -> None:
    """Resume a visit past its intent: count the opening as used, film, and prove the door locked."""
    visit = step.visit = _restart_command_validity(step, step.visit)
    if visit.phase is Phase.UNLOCKING:  # also of a state that was stored before `unlock_unanswered` existed
        visit = step.visit = replace(visit, unlock_unanswered=True)
    for part, _ in visit.unsealed_parts:
        step.emit(StopRecording(visit=visit.id, part=part, keep=True))
    match visit.phase:
        case Phase.LOCKED_AGAIN:  # finish the proof
            step.visit = replace(visit, film_closed=False, sealing=False)
            step.transition(Phase.LOCKED_AGAIN, {Timer.POST_ROLL: 0})
        case Phase.HANDED_TO_OWNER:
            film.begin(step, visit.id, visit.part)
            step.transition(Phase.HANDED_TO_OWNER, {Timer.ALARM: 0})
        case _:
            transitions.consume_opening(step)
            film.begin(step, visit.id, visit.part)
            transitions.wait_then_lock(step, 0)
