"""The state machine of an entrance: turns an event into a new state and commands.

It has two steps: `apply_event` turns the event into facts, then the phase acts on the current facts and on its expired
deadlines, until nothing changes. **Phases never match on events**, so a report that comes twice, late or out of order
needs no case of its own. This file owns the table of phases; `transitions`, `securing` and `film` contain the commands
of each move. It names no kind of closure: what "ready", "open" and "secured" mean is each closure's own answer.
"""

from typing import assert_never

from gateway.domain.delivery.own_parcel import approval_limit_s
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit import (
    advancing,
    aging,
    facts,
    film,
    intrusion,
    late,
    lock_errors,
    lock_request,
    readiness,
    restart,
    safemode,
    scan,
    securing,
    supervision,
    transitions,
)
from gateway.domain.visit import commands as c
from gateway.domain.visit import door_open as inside
from gateway.domain.visit import events as e
from gateway.domain.visit.predicates import (
    guest_refusal,
    has_unlock_intent,
    held_closures,
    is_courier_seen,
    is_filmed,
    is_in_use,
    is_passable_by,
    keeper_refusal,
    may_open,
    unproven_sensors,
)
from gateway.domain.visit.state import (
    BETWEEN_INTENTS,
    ENTRANCE_WIDE,
    Entrance,
    Once,
    PausePeriod,
    Phase,
    StayPeriod,
    Timer,
)
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import condition_view, sensor_names

MAX_ROUNDS = 20  # far more moves than one event can cause
MAX_CLOCK_DRIFT_S = 1.0  # of wall clock and a pause's deadline before the deadline is set again
EARLY_TIMER_S = 0.01  # seconds: a pause's timer expired a moment before its instant

REFUSAL_OF_UNSENT = {
    e.UnsentReason.STOP: Refusal.STOPPED_BY_OWNER,
    e.UnsentReason.PROOF_TOO_OLD: Refusal.CAMERA_UNAVAILABLE,
    e.UnsentReason.BROKER: Refusal.NOT_READY,
    e.UnsentReason.EXPIRED: Refusal.NOT_READY,
    e.UnsentReason.SENSOR: Refusal.NOT_READY,
    e.UnsentReason.NO_DEVICE: Refusal.NOT_READY,
    e.UnsentReason.UNMARKED: Refusal.NOT_READY,
}


def decide(state: Entrance, event: e.Event, *, now: Now) -> tuple[Entrance, tuple[c.Command, ...]]:
    """Return the new state and the commands that an event causes.

    Pure: the same arguments give the same result. The caller commits the new state, then performs the commands in the
    order of the tuple.

    Raises:
        RuntimeError: a bug: the rules do not come to rest, or a visit would have no deadline.
    """
    step = Step(state, now)
    apply_event(step, event)
    for _ in range(MAX_ROUNDS):
        before = step.state
        settle(step)
        if step.state == before:
            _check_rest(step)
            return step.state, tuple(step.commands)
    raise RuntimeError(f"no rest: {step.state.visit}")


def _check_rest(step: Step) -> None:
    """Check that every deadline lies ahead and that a visit has a deadline of its own, so it cannot be forgotten."""
    overdue = [why for why, at in step.state.timers.items() if at <= step.now.mono]
    if overdue:
        raise RuntimeError(f"deadlines left behind: {overdue}")
    if step.state.visit is not None and step.state.timers.keys() <= ENTRANCE_WIDE:
        raise RuntimeError(f"no way on: {step.state.visit}")


def apply_event(step: Step, event: e.Event) -> None:
    """Turn an event into facts; only scans are answered here."""
    if isinstance(event, (e.TimerExpired, e.UnlockPublished)):  # they change no facts
        return
    if isinstance(event, e.DeviceEvent):
        facts.apply_event(step, event)
        return
    if isinstance(event, e.HouseholdEvent):
        _on_household_event(step, event)
        return
    match event:
        case e.Restarted(safe_mode=safe_mode):
            restart.on_restart(step, safe_mode=safe_mode)
        case e.BellPressed():
            scan.on_bell(step)
        case e.LockFailed():
            lock_errors.on_failure(step, event)
        case e.Scanned():
            scan.on_scan(step, event)
        case e.ScansDropped(count=count):
            step.emit(c.RaiseAlarm(code=c.AlarmCode.SCANS_DROPPED, detail=str(count)))
        case e.WindowChanged(near=expecting):
            readiness.window_changed(step, expecting=expecting)
        case e.PreflightDue(delivery=delivery):
            readiness.start_preflight(step, delivery)
        case e.FactsChanged():
            _on_facts_changed(step, event)
        case e.BellConfirmed(visit=visit):
            if _is_running(step, visit):
                step.visit = replace(step.visit, consent=replace(step.visit.consent, bell_confirmed=True))
        case e.OpeningDecided():
            supervision.on_decision(step, event)
        case e.HolderLeft():
            supervision.on_robot_left(step, event)
        case e.HolderStrayed():
            supervision.on_robot_strayed(step, event)
        case e.UnlockNotSent():
            _on_unlock_not_sent(step, event)
        case e.FilmClosed():
            film.on_closed(step, event)
        case e.ProofSealed():
            film.on_sealed(step, event)
        case _:
            assert_never(event)


def _is_running(step: Step, visit: str) -> bool:
    return step.state.visit is not None and step.state.visit.id == visit


def _on_unlock_not_sent(step: Step, event: e.UnlockNotSent) -> None:
    if not _is_running(step, event.visit) or event.closure != step.here.id:
        return
    entry = step.visit.entry
    if event.closure in entry.ordered_at and event.closure not in entry.opened:
        unanswered = entry.unanswered - {event.closure}
        entry = replace(entry, not_sent=event.why, command_valid_until=step.now.mono, unanswered=unanswered)
        step.visit = replace(step.visit, entry=entry)


def _on_household_event(step: Step, event: e.HouseholdEvent) -> None:
    match event:
        case e.HouseholdAnswered():
            step.attend()
        case e.OwnerDecided(visit=visit, yes=yes):
            if _is_running(step, visit):
                step.visit = replace(step.visit, consent=replace(step.visit.consent, approved=yes))
        case e.Stopped(epoch=epoch):
            _set_stop(step, epoch, stopped=True)
        case e.StopLifted(epoch=epoch):
            _set_stop(step, epoch, stopped=False)
        case e.OwnerAcknowledged(visit=None):
            safemode.end(step)
        case e.OwnerAcknowledged(visit=visit):
            if visit is not None and _is_running(step, visit):
                step.visit = replace(step.visit, acknowledged=True)
        case e.LockoutCleared(scanner=scanner):
            scan.clear_lockout(step, scanner)
        case e.HomeChanged(somebody_home=somebody_home, away=away):
            step.state = replace(step.state, somebody_home=somebody_home, away=away)
            if somebody_home:
                step.attend()
        case e.PausesChanged(pauses=planned):
            step.state = replace(step.state, pauses=planned)
        case e.StaysChanged(stays=stays):
            step.state = replace(step.state, stays=stays)
        case e.LockRequested(id=ident):
            lock_request.begin(step, ident)
        case e.KeeperWithdrawn(codes=codes):
            scan.withdraw_keeper(step, codes)
        case _:
            assert_never(event)


def _set_stop(step: Step, epoch: int, *, stopped: bool) -> None:
    """Set or lift the stop; an old one that arrives late changes nothing."""
    if epoch > step.state.stop_epoch:
        step.state = replace(step.state, stopped=stopped, stop_epoch=epoch)


def _on_facts_changed(step: Step, event: e.FactsChanged) -> None:
    _set_stop(step, event.epoch, stopped=event.stopped)
    if event.pauses is not None:
        step.state = replace(step.state, pauses=event.pauses)
    if event.stays is not None:
        step.state = replace(step.state, stays=event.stays)
    readiness.facts_changed(step, event.delivery)
    visit = step.state.visit
    if visit is not None and visit.delivery.id == event.delivery.id and visit.phase in BETWEEN_INTENTS:
        step.visit = replace(visit, delivery=event.delivery.with_labels(visit.delivery.label_limits))


def settle(step: Step) -> None:
    """Apply the rules of the whole entrance, then the rules of the phase."""
    _settle_entrance(step)
    if step.state.visit is None:
        return
    match step.visit.phase:
        case Phase.RINGING | Phase.APPROVING:
            _before_intent(step)
        case Phase.UNLOCKING:
            _unlocking(step)
        case Phase.UNLOCKED:
            _unlocked(step)
        case Phase.INSIDE:
            inside.settle(step)
        case Phase.ADVANCING:
            advancing.settle(step)
        case Phase.RELOCKING:
            securing.settle(step)
        case Phase.LOCKED_AGAIN:
            _locked_again(step)
        case Phase.HANDED_TO_OWNER:
            _handed_to_owner(step)
        case _:
            assert_never(step.visit.phase)


def _settle_entrance(step: Step) -> None:
    scan.settle_lockouts(step)
    if step.timer_expired(Timer.HALF):
        scan.expire_pending_scan(step)
    late.settle_grace(step)
    if step.timer_expired(Timer.SIGNAL):
        if step.state.visit is None:
            step.emit(transitions.DARK)
        step.clear_timers(Timer.SIGNAL)
    intrusion.settle_incident(step)
    if step.state.safe is not None:
        safemode.settle(step, step.state.safe)
    if step.state.lock_request is not None:
        lock_request.settle(step, step.state.lock_request)
    _settle_periods(step)
    film.settle_stay(step)
    aging.settle(step)
    _query_unproven(step)
    readiness.settle(step)
    late.on_courier_exit(step)
    if has_unlock_intent(step.state):
        _remember_marks(step)
        film.declare_shown_gaps(step)
    inside.settle_behind(step)
    if step.state.surroundings and has_unlock_intent(step.state):
        _alarm_of_conditions(step)


def _settle_periods(step: Step) -> None:
    """Remove pauses and stays that are over, and set a timer for the next begin or end: what follows happens then."""
    now, pauses, stays = step.now, step.state.pauses, step.state.stays
    if not (pauses or stays):
        step.clear_timers(Timer.PAUSE)
        return
    if now.trusted:
        pauses = tuple(pause for pause in pauses if now.utc < pause.end)
        stays = tuple(stay for stay in stays if now.utc < stay.end)
        if (pauses, stays) != (step.state.pauses, step.state.stays):
            step.state = replace(step.state, pauses=pauses, stays=stays)
    periods: tuple[PausePeriod | StayPeriod, ...] = (*pauses, *stays)
    turns = [instant for period in periods for instant in (period.start, period.end) if instant > now.utc]
    if not turns or not now.trusted:
        step.clear_timers(Timer.PAUSE)
        return
    seconds = max((min(turns) - now.utc).total_seconds(), EARLY_TIMER_S)
    armed = step.state.timers.get(Timer.PAUSE)
    if armed is None or step.timer_expired(Timer.PAUSE) or abs(armed - now.mono - seconds) > MAX_CLOCK_DRIFT_S:
        step.set_timer(Timer.PAUSE, seconds)


def _query_unproven(step: Step) -> None:
    """Query again each sensor whose value is not proven good, while it matters: a lost report must not last."""
    state = step.state
    relocks = state.visit is not None and state.visit.phase is Phase.RELOCKING  # securing sends its own queries
    # A closure that may still obey a late command is queried though it is good: not each one reports its own moves
    held = held_closures(state)
    matters = state.visit is not None or state.window_near or state.incident is not None
    may_query = state.broker_session is not None and not relocks and bool(held or matters)
    is_secure = may_query and step.are_all_secured()
    if not may_query or (is_secure and not held):
        step.clear_timers(Timer.PROBE)
        return
    if step.timer_expired(Timer.PROBE):
        closures = [step.closure(ident) for ident in sorted(held)]
        of_held = [name for closure in closures for name in sensor_names(closure, *closure.opening().query)]
        step.query(*of_held, *unproven_sensors(state))
        step.clear_timers(Timer.PROBE)
    if not step.timer_is_set(Timer.PROBE):
        step.set_timer(Timer.PROBE, state.rules.held_probe if is_secure else state.rules.timing.probe)


def _remember_marks(step: Step) -> None:
    """Log each mark of a closure since an intent, with the holder; marks also count for the result of the parcels."""
    with_marks = step.state.rules.closures_with_marks
    if not with_marks:
        return
    entry, holder = step.visit.entry, step.visit.holder
    for closure in [step.closure(ident) for ident in entry.ordered_at if ident in with_marks]:
        for mark in sorted(closure.marks(step.view(closure)) - entry.marks):
            step.emit(c.LogNote(what=f"{mark}:{holder}" if holder else mark))
            if mark in closure.announced_marks:
                step.notify_of_visit(closure.announced_marks[mark])
            entry = replace(entry, marks=entry.marks | {mark})
    if entry is not step.visit.entry:
        step.visit = replace(step.visit, entry=entry)


def _alarm_of_conditions(step: Step) -> None:
    """Raise an alarm at once, and only once, if a condition is no longer met after an intent."""
    seen = condition_view(step.state, step.visit.delivery)
    for condition in step.state.rules.conditions:
        step.alarm_once(condition.breach(seen))


def _before_intent(step: Step) -> None:
    """Ring, wait for a veto (or for approval), and commit when every condition is met."""
    is_filmed_now = _watch_bell_and_cameras(step)
    visit, rules = step.visit, step.state.rules
    refusal, is_own = _reason_to_end(step), visit.delivery.errand.for_household
    if not is_own and (visit.consent.attended or (is_in_use(step.state) and rules.household_refuses)):
        transitions.end_attended(step)
    elif refusal is not None:
        transitions.refuse(step, refusal)
    elif _is_still_ringing(step):
        return
    elif not (visit.consent.bell_confirmed and is_filmed_now):
        step.clear_timers(Timer.RING)  # the deadline of the bell or the cameras ends the waiting
    elif _on_awaited_approval(step):
        if visit.phase is Phase.RINGING:
            limit = approval_limit_s(visit.delivery.brand, rules.timing)
            step.transition(Phase.APPROVING, {Timer.APPROVAL: limit})
    else:
        no = may_open(step.state, visit.delivery, step.now, visit.route)
        if no is None:
            transitions.order_unlock(step)
        else:
            transitions.refuse(step, no)


def _is_still_ringing(step: Step) -> bool:
    return step.timer_is_set(Timer.RING) and not step.timer_expired(Timer.RING)


def _is_courier_filmed(step: Step) -> bool:
    """Films run at any time; moving pictures of the courier are required only just before the bolt moves."""
    waits = _is_still_ringing(step) or _on_awaited_approval(step)
    return is_filmed(step.state) if waits else is_courier_seen(step.state)


def _watch_bell_and_cameras(step: Step) -> bool:
    """Set or clear the deadlines of bell and cameras; return whether the courier is filmed as it is required now."""
    if step.visit.consent.bell_confirmed:
        step.clear_timers(Timer.BELL)
    is_filmed_now = _is_courier_filmed(step)
    if is_filmed_now:
        step.clear_timers(Timer.CAMERA)
    elif not step.timer_is_set(Timer.CAMERA):
        step.set_timer(Timer.CAMERA, step.state.rules.timing.live)
    return is_filmed_now


def _reason_to_end(step: Step) -> Refusal | None:
    state, visit = step.state, step.visit
    if state.stopped:
        return Refusal.STOPPED_BY_OWNER
    guests = guest_refusal(state, visit.delivery, step.now)
    refusal = guests or visit.delivery.refusal or keeper_refusal(state.rules, visit.keeper)
    if refusal is not None:
        return refusal
    if state.incident is not None or state.safe_mode or step.timer_expired(Timer.BELL):
        return Refusal.NOT_READY
    if step.timer_expired(Timer.CAMERA):
        return Refusal.CAMERA_UNAVAILABLE
    if visit.consent.approved is False or step.timer_expired(Timer.APPROVAL):
        return Refusal.NOT_APPROVED
    return None


def _on_awaited_approval(step: Step) -> bool:
    visit = step.visit
    is_asked = visit.delivery.needs_yes and visit.consent.approved is None
    return is_asked or supervision.is_awaiting_permit(step, visit.route[0])


def _unlocking(step: Step) -> None:
    """Exactly one command to open was sent; wait until the closure itself reports the result."""
    visit, closure = step.visit, step.here
    seen = step.view(closure)
    if closure.opened(seen):
        transitions.begin_inside(step)
    elif visit.entry.not_sent is not None:
        _on_unsent(step, REFUSAL_OF_UNSENT[visit.entry.not_sent])
    elif visit.jammed:
        step.emit(c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED, closure=step.named(closure.id)))
        step.visit = replace(visit, jammed=False, notified=visit.notified | {Once.JAM})
        transitions.refuse_and_relock(step, Refusal.NOT_READY)
    elif step.is_stopped:
        transitions.refuse_and_relock(step, _stop_refusal(step))
    elif closure.passable(seen):
        transitions.confirm_opened(step)
    elif lock_errors.on_unlock_refused(step):
        return
    elif step.timer_expired(Timer.ANSWER) and not visit.entry.queried:
        step.query_closure(closure, *closure.opening().query)
        step.visit = replace(visit, entry=replace(visit.entry, queried=True))
        step.set_timer(Timer.ANSWER, closure.latency)
    elif step.timer_expired(Timer.ANSWER):
        step.emit(c.RaiseAlarm(code=c.AlarmCode.UNLOCK_UNKNOWN, closure=step.named(closure.id)))
        transitions.record_outcome(step, Outcome.UNKNOWN)
        transitions.consume_opening(step)
        transitions.refuse_and_relock(step, Refusal.NOT_READY)


def _stop_refusal(step: Step) -> Refusal:
    return Refusal.STOPPED_BY_OWNER if step.state.stopped else Refusal.NOT_APPROVED


def _on_unsent(step: Step, why: Refusal) -> None:
    """End the visit where nothing else was opened; otherwise secure what was."""
    if len(step.visit.entry.ordered_at) == 1:
        transitions.release_unsent_opening(step, why)
    else:
        transitions.refuse_and_relock(step, why)


def _unlocked(step: Step) -> None:
    """The courier may open the closure; if nobody does, secure it again."""
    closure, visit = step.here, step.visit
    seen = step.view(closure)
    if closure.opened(seen):
        transitions.begin_inside(step)
    elif step.is_stopped:
        transitions.refuse_and_relock(step, _stop_refusal(step))
    elif visit.entry.not_sent is not None:  # the courier got "go" on the command alone, and the command was never sent
        transitions.refuse_and_relock(step, REFUSAL_OF_UNSENT[visit.entry.not_sent])
    elif closure.holds(seen) or step.timer_expired(Timer.NEVER):
        transitions.wait_then_lock(step, 0)


def _locked_again(step: Step) -> None:
    """Post-roll, then close the film, then seal; each has its deadline."""
    recording = step.visit.recording
    if is_passable_by(step.state, step.visit.entry.ordered_at):
        if not recording.is_running:
            film.begin_next_part(step)
        transitions.wait_then_lock(step, late.relock_delay_s(step))
    elif step.timer_expired(Timer.POST_ROLL):
        film.end(step)
    elif recording.is_sealing and step.timer_expired(Timer.SEAL):
        step.emit(c.RaiseAlarm(code=c.AlarmCode.PROOF_INCOMPLETE, detail=f"part {recording.part}"))
        film.end_visit(step)
    elif not (recording.is_running or recording.is_sealing) and (recording.is_closed or step.timer_expired(Timer.SEAL)):
        film.seal(step)


def _handed_to_owner(step: Step) -> None:
    """Admit nobody, film and repeat the alarm until the owner acknowledges; then try to prove everything secured."""
    if step.visit.acknowledged:
        step.visit = replace(supervision.owner_looked(step.visit), acknowledged=False)
        transitions.wait_then_lock(step, 0)
    elif step.timer_expired(Timer.ALARM):
        on_route = (step.closure(ident) for ident in reversed(step.visit.route))
        unsecured = next((closure.id for closure in on_route if not closure.secured(step.view(closure))), None)
        step.emit(c.RaiseAlarm(code=c.AlarmCode.NOT_LOCKED, closure=step.named(unsecured)))
        step.query_all()
        step.set_timer(Timer.ALARM, step.state.rules.timing.alarm_again)
