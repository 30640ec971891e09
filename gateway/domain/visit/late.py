"""The watch after a visit: a courier who comes out late, and a lock that executes an unlock command late.

If the door was opened in a visit, or if the lock is basic, an opening within `Rules.watch` seconds after the visit
belongs to it: the gateway records it as the visit's next part and locks the door again.

If no report answered an unlock command, a bridge or radio may still hold it, for at most `Rules.command_hold` seconds.
The gateway watches for that time, whatever the lock is, and raises an alarm if lock or door move without a known hand.
The watch ends only when lock and door have reported after that time that the door is locked.
"""

from gateway.domain.frozen import replace
from gateway.domain.visit import film, transitions
from gateway.domain.visit.commands import Alarm, AlarmCode
from gateway.domain.visit.rules import WITHDRAWN, closed, door_open, household_again, locked
from gateway.domain.visit.state import Entrance, Why
from gateway.domain.visit.step import Step


def settle_watch(step: Step) -> None:
    """End the watch when its time is over, and when an unanswered unlock can no longer act."""
    watch = step.state.watch
    if step.passed(Why.WATCH):
        step.disarm(Why.WATCH)
        if watch is not None and not watch.unanswered:
            watch = None
    if watch is None or not watch.unanswered:
        step.disarm(Why.HELD)
    elif step.passed(Why.HELD):
        watch = replace(watch, hold_over=True)
        step.doubt("lock")
        step.ask("lock", "door")
        step.arm(Why.HELD, step.state.rules.timing.alarm_again)  # asked again, for as long as nothing proves it
    if watch is not None and watch.hold_over and locked(step.state) and closed(step.state):
        step.disarm(Why.HELD)
        watch = replace(watch, unanswered=False, hold_over=False) if step.armed(Why.WATCH) else None
    if watch is not step.state.watch:
        step.state = replace(step.state, watch=watch)


def way_out(step: Step) -> None:
    """An opening in the watch belongs to the visit: alarmed unless a hand did it, filmed, and locked again."""
    state = step.state
    withdrawn = state.bolt.value in WITHDRAWN
    if state.visit is not None or state.watch is None or not (withdrawn or door_open(state)):
        return
    if _by_hand(state):
        if household_again(state):
            return
    elif withdrawn or state.watch.unanswered:
        step.say(Alarm(code=AlarmCode.LATE_UNLOCK))
    obeyed = withdrawn and not _by_hand(state)
    visit = replace(state.watch, unanswered=state.watch.unanswered and not obeyed, hold_over=False)
    step.state = replace(state, visit=visit, watch=None)
    step.disarm(Why.WATCH, Why.HELD)
    film.begin_next_part(step)
    transitions.wait_then_lock(step, seconds_before_relock(step))


def seconds_before_relock(step: Step) -> float:
    """A hand that withdrew the bolt is given the time to open the door; nobody waits behind a late unlock."""
    return step.state.rules.timing.relock if door_open(step.state) or _by_hand(step.state) else 0.0


def _by_hand(state: Entrance) -> bool:
    return state.by_hand and state.bolt.value in WITHDRAWN
