"""Decides who used a closure when no visit explains it: the household, an intruder, or the departing courier."""

from typing import assert_never

from gateway.domain.frozen import replace
from gateway.domain.visit import events as e
from gateway.domain.visit import film
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import UNKNOWN, Fact, ReportOrigin, Use, View, is_by_hand
from gateway.domain.visit.commands import AlarmCode, LogNote, RaiseAlarm, StopRecording
from gateway.domain.visit.predicates import (
    has_unlock_intent,
    is_explained,
    is_explained_only_by_unlock,
    is_stay,
    is_unlock_unanswered,
)
from gateway.domain.visit.state import Phase, Timer
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import is_household_away, sensor_names


def on_change(step: Step, closure: AnyClosure, role: str, before: Fact, event: e.SensorReported) -> None:
    """Attribute a sensor's new value to the household, to a visit, or to an unknown person; its kind says which.

    A value that stays means nothing. What happens at a shared closure is nobody's business: a neighbour is not the
    household.
    """
    if not closure.is_private:
        return
    if event.value == before.value:
        return
    seen = step.view(closure)
    origin = ReportOrigin(
        source=event.source,
        user=event.user,
        is_answer=event.context.answers is not None,
        unlock_may_act=is_unlock_unanswered(step.state, closure.id),
    )
    if event.value != UNKNOWN and closure.unsecured(seen):
        hand = is_by_hand(origin, seen)
        if role in closure.opening().invalidate:
            _set_by_hand(step, closure, by_hand=hand)
        if not hand and not closure.unsecured(seen.with_fact(role, before)):
            _on_obeyed(step, closure)
    use = closure.interpret(role, before.value, origin, seen)
    if use is Use.NONE or _explains(step, closure, use, seen):
        return
    match use:
        case Use.UNEXPECTED:
            begin_incident(step, AlarmCode.UNEXPECTED_UNLOCK, closure.id)
        case Use.OPENED_BY_HAND:
            _on_manual_use(step, closure, unlocked=True)
        case Use.LOCKED_BY_HAND:
            if not _lock_requested(step):
                _on_manual_use(step, closure, unlocked=False)
        case Use.MOVED:
            step.state = replace(step.state, by_hand_at=step.now.mono)
        case Use.SUSPICIOUS:
            names = sensor_names(closure, *closure.opening().query)
            step.invalidate(*names)
            step.query(*names)
            step.set_timer(Timer.FORCED, closure.latency + 1)
        case _:
            assert_never(use)


def _explains(step: Step, closure: AnyClosure, use: Use, seen: View) -> bool:
    """Return whether a visit explains this use.

    Where only an unanswered unlock keeps the grace, use by hand is the household's own.
    """
    if not is_explained(step.state, closure.id):
        return False
    by_hand = use in (Use.OPENED_BY_HAND, Use.LOCKED_BY_HAND) or (
        use in (Use.MOVED, Use.SUSPICIOUS) and closure.id in step.state.opened_by_hand and closure.unsecured(seen)
    )
    return not (by_hand and is_explained_only_by_unlock(step.state))


def _set_by_hand(step: Step, closure: AnyClosure, *, by_hand: bool) -> None:
    names = step.state.opened_by_hand
    names = names | {closure.id} if by_hand else names - {closure.id}
    if names != step.state.opened_by_hand:
        step.state = replace(step.state, opened_by_hand=names)


def _on_obeyed(step: Step, closure: AnyClosure) -> None:
    """Record that a closure obeyed the visit's command to open: it moved, and no known hand moved it."""
    if step.state.visit is None:  # the grace handles its own moves
        return
    if step.visit.phase is Phase.LOCKED_AGAIN:  # already proven: the move is late
        step.emit(RaiseAlarm(code=AlarmCode.LATE_UNLOCK, closure=step.named(closure.id)))
    entry = step.visit.entry
    obeyed, unanswered = entry.obeyed | {closure.id}, entry.unanswered - {closure.id}
    step.visit = replace(step.visit, entry=replace(entry, obeyed=obeyed, unanswered=unanswered))


def _lock_requested(step: Step) -> bool:
    """Return whether a lock request of the gateway, not a hand, moves the closure."""
    request = step.state.lock_request
    return request is not None and request.is_closed and request.result is None


def _on_manual_use(step: Step, closure: AnyClosure, *, unlocked: bool) -> None:
    step.state = replace(step.state, by_hand_at=step.now.mono)
    step.attend()
    if unlocked and is_household_away(step.state) and not is_stay(step.state, step.now):
        step.emit(RaiseAlarm(code=AlarmCode.HAND_USE_WHILE_AWAY, closure=step.named(closure.id)))
    elif unlocked:
        step.emit(LogNote(what="household_use"))


def begin_incident(step: Step, code: AlarmCode, closure: str | None = None) -> None:
    """Raise an alarm, and film an incident until everything is proven good or its time is over.

    `closure`: the closure that the alarm is about. While a visit past its intent runs elsewhere at the entrance, its
    film shows what the cameras see. In a stay of guests nothing is filmed: then there is the alarm only.
    """
    step.emit(RaiseAlarm(code=code, closure=step.named(closure)))
    if has_unlock_intent(step.state) or not film.may_film(step):
        return
    if step.state.incident is None:
        ident = f"incident-{step.now.utc:%Y%m%d-%H%M%S}-{step.state.last_query_id}"
        step.state = replace(step.state, incident=ident)
        film.begin(step, ident, 1)
    step.set_timer(Timer.INCIDENT, step.state.rules.timing.incident)


def settle_incident(step: Step) -> None:
    """Turn a suspicion into an incident when its time is over; end an incident when everything is proven good."""
    if step.timer_expired(Timer.FORCED):
        step.clear_timers(Timer.FORCED)
        forced = next((one.id for one in step.state.rules.closures if _is_forced(step, one)), None)
        if forced is not None:
            begin_incident(step, AlarmCode.DOOR_FORCED_OPEN, forced)
    if step.state.incident is None:
        return
    proven_good = step.are_all_secured() and not step.state.safe_mode
    if proven_good or step.timer_expired(Timer.INCIDENT):
        step.emit(StopRecording(visit=step.state.incident, part=1, keep=True))
        step.state = replace(step.state, incident=None)
        step.clear_timers(Timer.INCIDENT)


def _is_forced(step: Step, closure: AnyClosure) -> bool:
    return closure.is_private and closure.forced(step.view(closure)) and not is_explained(step.state, closure.id)
