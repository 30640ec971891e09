"""The watch after a visit: the courier's way out, and an unlock that the lock obeys late.

For `Rules.watch` after a visit in which the door was opened (or whose lock is basic), an opening belongs to it: it is
filmed as the visit's next part, and the door is locked again.

An unlock that was sent and that no report answered may be held by what carries it, for `Rules.command_hold` at the
longest. Until then the visit is watched whatever the lock is; what moves and is not known to be a hand is alarmed too;
and the watch ends only when bolt and door have answered, after that time, that the door is locked.
"""

from dataclasses import replace

from gateway.visit import film, passage
from gateway.visit.commands import Alarm, AlarmCode
from gateway.visit.rules import WITHDRAWN, closed, door_open, household_again, locked
from gateway.visit.state import Entrance, Why
from gateway.visit.step import Step


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
        step.arm(Why.HELD, step.state.rules.alarm_again)  # asked again, for as long as nothing proves it
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
    passage.wait_then_lock(step, seconds_before_relock(step))


def seconds_before_relock(step: Step) -> float:
    """A hand that withdrew the bolt is given the time to open the door; nobody waits behind a late unlock."""
    return step.state.rules.relock if door_open(step.state) or _by_hand(step.state) else 0.0


def _by_hand(state: Entrance) -> bool:
    return state.by_hand and state.bolt.value in WITHDRAWN
