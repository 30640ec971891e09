"""A battery's way down: its owner is told days before it opens no door any more, once."""

from datetime import timedelta

from devices.reports import BatteryLevel
from gateway.domain.frozen import replace
from gateway.domain.visit.commands import Saying, Tell
from gateway.domain.visit.events import BatteryHeard
from gateway.domain.visit.rules import EMPTY
from gateway.domain.visit.state import Charge, Entrance, Now
from gateway.domain.visit.step import Step

NOTICE = 7.0  # days before it is critical: time to buy one and be at home
WATCHED = timedelta(days=1)  # a shorter time tells no slope
DROP = 2  # percent; less is noise
AGAIN = 6 * 3600.0  # seconds before the same is said anew: one that wavers floods neither phones nor the log
CHANGED = 5  # percent upwards: somebody has changed it


def heard(step: Step, event: BatteryHeard) -> None:
    """Learn how full it is; tell when it is low, or will be critical within days."""
    role = event.device
    if _changed(step, event):
        step.state = replace(step.state, battery_told=step.state.battery_told - {role})
    step.state = replace(step.state, batteries={**step.state.batteries, role: event.level})
    if event.percent is not None and step.now.trusted:
        _note(step, role, event.percent)
    if role in step.state.battery_told or step.now.mono - step.state.battery_said.get(role, -AGAIN) < AGAIN:
        return
    left = days_left(step.state, step.now, role)
    if event.level is not BatteryLevel.GOOD or (left is not None and left <= NOTICE):
        step.say(Tell(saying=Saying.BATTERY_SOON, detail=_worded(role, left)))
        said = {**step.state.battery_said, role: step.now.mono}
        step.state = replace(step.state, battery_told=step.state.battery_told | {role}, battery_said=said)


def _changed(step: Step, event: BatteryHeard) -> bool:
    """Whether somebody has put in a new one: it is fuller than before, or good after it was not."""
    charge = step.state.charges.get(event.device)
    if event.percent is not None and charge is not None:
        return event.percent >= charge.last + CHANGED
    before = step.state.batteries.get(event.device, BatteryLevel.GOOD)
    return event.level is BatteryLevel.GOOD and before is not BatteryLevel.GOOD


def _note(step: Step, role: str, percent: int) -> None:
    """A new battery begins anew; a small rise (a warm day) changes nothing."""
    charge = step.state.charges.get(role)
    if charge is None or percent >= charge.last + CHANGED:
        charge = Charge(since=step.now.utc, first=percent, last=percent)
    elif percent < charge.last:
        charge = replace(charge, last=percent)
    step.state = replace(step.state, charges={**step.state.charges, role: charge})


def told(state: Entrance, now: Now) -> tuple[str, ...]:
    """Name those that the owner was asked to change, in the words of the message: `lock:6`, or `lock` alone."""
    return tuple(_worded(role, days_left(state, now, role)) for role in sorted(state.battery_told))


def _worded(role: str, left: float | None) -> str:
    return role if left is None else f"{role}:{max(1, round(left))}"


def days_left(state: Entrance, now: Now, role: str) -> float | None:
    """In how many days it is critical if it goes on like this; None where that cannot be reckoned."""
    charge = state.charges.get(role)
    if charge is None or not now.trusted:
        return None
    watched, fallen = now.utc - charge.since, charge.first - charge.last
    if watched < WATCHED or fallen < DROP:
        return None
    return max(0, charge.last - EMPTY) * (watched / timedelta(days=1)) / fallen
