"""The watch after a visit: a courier who comes out late, and a closure that executes a command to open late.

If something was opened in a visit, or if a closure is basic, an opening of what the visit had ordered open, within
`Timing.watch` seconds after the visit, belongs to it: the gateway records it as the visit's next part and secures it.

If no report answered a command to open, a bridge or radio may still hold it, for at most `Closure.command_hold`. The
gateway watches for that time, guarded or not, and raises an alarm if the closure moves without a known hand. The
watch ends only when the closure has reported after that time that it is secured.
"""

from collections.abc import Collection

from gateway.domain.frozen import replace
from gateway.domain.visit import film, transitions
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm
from gateway.domain.visit.predicates import (
    is_explained_only_by_unlock,
    is_open,
    is_passable_by,
    unsecured_closures,
)
from gateway.domain.visit.state import Timer, Visit
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import sensor_names


def settle_grace(step: Step) -> None:
    """End the watch when its time is over, and when an unanswered command can no longer act."""
    watch = step.state.grace_visit
    if step.timer_expired(Timer.WATCH):
        step.clear_timers(Timer.WATCH)
        if watch is not None and not watch.entry.unanswered:
            watch = None
    if watch is None or not watch.entry.unanswered:
        step.clear_timers(Timer.HELD)
    elif step.timer_expired(Timer.HELD):
        watch = _with_entry(watch, hold_expired=True)
        _query_held(step, watch)
        step.set_timer(Timer.HELD, step.state.rules.timing.alarm_again)  # repeated until proven
    if watch is not None and watch.entry.hold_expired and _are_secured(step, watch.entry.unanswered):
        step.clear_timers(Timer.HELD)
        answered = _with_entry(watch, unanswered=frozenset(), hold_expired=False)
        watch = answered if step.timer_is_set(Timer.WATCH) else None
    if watch is not step.state.grace_visit:
        step.state = replace(step.state, grace_visit=watch)


def _with_entry(visit: Visit, **changes: object) -> Visit:
    return replace(visit, entry=replace(visit.entry, **changes))  # type: ignore[arg-type] # `replace` checks the names


def _query_held(step: Step, watch: Visit) -> None:
    for ident in sorted(watch.entry.unanswered):
        closure = step.closure(ident)
        step.invalidate(*sensor_names(closure, *closure.opening().invalidate))
        step.query_closure(closure, *closure.sensors)


def _are_secured(step: Step, closures: Collection[str]) -> bool:
    return all(step.closure(ident).secured(step.view(step.closure(ident))) for ident in closures)


def on_courier_exit(step: Step) -> None:
    """Treat an opening in the grace as the visit's: alarm unless a hand did it, film, and lock again."""
    state, watch = step.state, step.state.grace_visit
    if state.visit is not None or watch is None:
        return
    ordered = watch.entry.ordered_at
    if not is_passable_by(state, ordered):
        return
    unsecured = frozenset(unsecured_closures(state, ordered))
    by_hand = unsecured & state.opened_by_hand
    if by_hand:
        if is_explained_only_by_unlock(state):
            return
    elif unsecured or watch.entry.unanswered:
        late = next(iter(sorted(unsecured or watch.entry.unanswered)))
        step.emit(RaiseAlarm(code=AlarmCode.LATE_UNLOCK, closure=step.named(late)))
    obeyed = frozenset() if by_hand else unsecured
    visit = _with_entry(watch, unanswered=watch.entry.unanswered - obeyed, hold_expired=False)
    step.state = replace(state, visit=visit, grace_visit=None)
    step.clear_timers(Timer.WATCH, Timer.HELD)
    film.begin_next_part(step)
    transitions.wait_then_lock(step, relock_delay_s(step), begins=True)


def relock_delay_s(step: Step) -> float:
    """Return the seconds before securing: a hand gets time to open and close, a late unlock gets none."""
    by_hand = step.state.opened_by_hand & frozenset(unsecured_closures(step.state))
    return step.state.rules.timing.relock if is_open(step.state) or by_hand else 0.0
