"""The watch after a visit: a courier who comes out late, and a lock that executes an unlock command late.

If the door was opened in a visit, or if the lock is basic, an opening within `Timing.watch` seconds after the visit
belongs to it: the gateway records it as the visit's next part and locks the door again.

If no report answered an unlock command, a bridge or radio may still hold it, for at most `Rules.command_hold` seconds.
The gateway watches for that time, whatever the lock is, and raises an alarm if lock or door move without a known hand.
The watch ends only when lock and door have reported after that time that the door is locked.
"""

from gateway.domain.frozen import replace
from gateway.domain.visit import film, transitions
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm
from gateway.domain.visit.conditions import NOT_LOCKED, is_closed, is_door_open, is_explained_only_by_unlock, is_locked
from gateway.domain.visit.state import Entrance, Timer
from gateway.domain.visit.step import Step


def settle_grace(step: Step) -> None:
    """End the watch when its time is over, and when an unanswered unlock can no longer act."""
    watch = step.state.grace_visit
    if step.timer_expired(Timer.WATCH):
        step.clear_timers(Timer.WATCH)
        if watch is not None and not watch.unlock_unanswered:
            watch = None
    if watch is None or not watch.unlock_unanswered:
        step.clear_timers(Timer.HELD)
    elif step.timer_expired(Timer.HELD):
        watch = replace(watch, hold_expired=True)
        step.invalidate("lock")
        step.query("lock", "door")
        step.set_timer(Timer.HELD, step.state.rules.timing.alarm_again)  # repeated until proven
    if watch is not None and watch.hold_expired and is_locked(step.state) and is_closed(step.state):
        step.clear_timers(Timer.HELD)
        watch = replace(watch, unlock_unanswered=False, hold_expired=False) if step.timer_is_set(Timer.WATCH) else None
    if watch is not step.state.grace_visit:
        step.state = replace(step.state, grace_visit=watch)


def on_courier_exit(step: Step) -> None:
    """Treat an opening in the grace as the visit's: alarm unless a hand did it, film, and lock again."""
    state = step.state
    withdrawn = state.bolt.value in NOT_LOCKED
    if state.visit is not None or state.grace_visit is None or not (withdrawn or is_door_open(state)):
        return
    if _by_hand(state):
        if is_explained_only_by_unlock(state):
            return
    elif withdrawn or state.grace_visit.unlock_unanswered:
        step.emit(RaiseAlarm(code=AlarmCode.LATE_UNLOCK))
    obeyed = withdrawn and not _by_hand(state)
    visit = replace(
        state.grace_visit, unlock_unanswered=state.grace_visit.unlock_unanswered and not obeyed, hold_expired=False
    )
    step.state = replace(state, visit=visit, grace_visit=None)
    step.clear_timers(Timer.WATCH, Timer.HELD)
    film.begin_next_part(step)
    transitions.wait_then_lock(step, relock_delay_s(step))


def relock_delay_s(step: Step) -> float:
    """Return the seconds before locking: a hand at the bolt gets time to open the door, a late unlock gets none."""
    return step.state.rules.timing.relock if is_door_open(step.state) or _by_hand(step.state) else 0.0


def _by_hand(state: Entrance) -> bool:
    return state.by_hand and state.bolt.value in NOT_LOCKED
