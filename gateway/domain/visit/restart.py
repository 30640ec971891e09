"""Restores an entrance after a boot: nothing is observed, and monotonic time may have begun again."""

from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import facts, film, safemode, scan, transitions
from gateway.domain.visit.commands import StopRecording
from gateway.domain.visit.predicates import is_before_intent
from gateway.domain.visit.state import Phase, Timer, Visit
from gateway.domain.visit.step import Step


def on_restart(step: Step, *, safe_mode: bool) -> None:
    """Reset the observations and keep the deliveries. An unlock is never sent again."""
    step.state = replace(
        step.state,
        broker_session=None,
        disk_ok=False,
        surroundings={},
        cameras={},
        pending_scan=None,
        lock_request=None,
        timers={},
    )
    facts.lose_all_observation(step)
    knows_routes = _keep_known_closures(step)
    _restart_timers(step)
    film.settle_stay(step)
    if is_before_intent(step.state):
        transitions.refuse(step, Refusal.NOT_READY)
    elif step.state.visit is not None:
        _resume_visit(step)
    if step.state.incident is not None:
        film.begin(step, step.state.incident, 1)
    if safe_mode or step.state.safe_mode or not knows_routes:
        safemode.begin(step)


def _keep_known_closures(step: Step) -> bool:
    """Remove the closures from stored routes that the house file has no longer; return whether none was missing.

    A visit of which nothing is left secures every closure that there is.
    """
    known = tuple(closure.id for closure in step.state.rules.closures)
    visit, grace_visit = (_with_known_route(one, known) for one in (step.state.visit, step.state.grace_visit))
    is_changed = (visit, grace_visit) != (step.state.visit, step.state.grace_visit)
    step.state = replace(step.state, visit=visit, grace_visit=grace_visit)
    return not is_changed


def _with_known_route(visit: Visit | None, known: tuple[str, ...]) -> Visit | None:
    if visit is None or set(visit.route) <= set(known):
        return visit
    route = tuple(ident for ident in visit.route if ident in known) or known
    entry, has_intent = visit.entry, bool(visit.entry.ordered_at)
    ordered_at = {ident: at for ident, at in entry.ordered_at.items() if ident in known}
    if has_intent and not ordered_at:
        ordered_at = dict.fromkeys(route, 0.0)
    stage = min(entry.stage, len(route) - 1)
    unanswered = frozenset(ident for ident in ordered_at if ident in entry.unanswered)
    return replace(visit, route=route, entry=replace(entry, stage=stage, ordered_at=ordered_at, unanswered=unanswered))


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
    """Extend the command's validity: one sent just before the crash may act for its life and the clock error."""
    timing, mono = step.state.rules.timing, step.now.mono
    ordered_at = dict.fromkeys(visit.entry.ordered_at, mono)
    valid_until = mono + timing.command_life + timing.skew
    return replace(visit, entry=replace(visit.entry, ordered_at=ordered_at, command_valid_until=valid_until))


def _resume_visit(step: Step) -> None:
    """Resume a visit past its intent: count the opening as used, film, and prove everything secured."""
    visit = step.visit = _restart_command_validity(step, step.visit)
    visit = step.visit = replace(visit, consent=replace(visit.consent, permits={}))
    if visit.phase is Phase.UNLOCKING and step.here.is_private:  # nobody knows whether the command was sent
        unanswered = visit.entry.unanswered | {step.here.id}
        visit = step.visit = replace(visit, entry=replace(visit.entry, unanswered=unanswered))
    for part, _ in visit.recording.unsealed_parts:
        step.emit(StopRecording(visit=visit.id, part=part, keep=True))
    match visit.phase:
        case Phase.LOCKED_AGAIN:  # finish the proof
            step.visit = replace(visit, recording=replace(visit.recording, is_closed=False, is_sealing=False))
            step.transition(Phase.LOCKED_AGAIN, {Timer.POST_ROLL: 0})
        case Phase.HANDED_TO_OWNER:
            film.resume(step)
            step.transition(Phase.HANDED_TO_OWNER, {Timer.ALARM: 0})
        case _:
            transitions.consume_opening(step)
            film.resume(step)
            transitions.wait_then_lock(step, 0)
