"""Follows batteries and notifies the owner, once, days before one becomes too weak to open the door."""

from datetime import timedelta

from devices.reports import BatteryLevel
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification, NotifyOwner
from gateway.domain.visit.events import BatteryReported
from gateway.domain.visit.predicates import CRITICAL_BATTERY_PERCENT
from gateway.domain.visit.state import BatteryTrend, Entrance
from gateway.domain.visit.step import Step

REPLACEMENT_NOTICE_DAYS = 7.0  # days before the battery is critical: time to buy one and be at home
MIN_TREND_SPAN = timedelta(days=1)  # a shorter time gives no reliable slope
MIN_DROP_PERCENT = 2  # percent; less is noise
REPEAT_NOTICE_S = 6 * 3600.0  # seconds: a wavering level must flood neither phones nor the log
REPLACED_RISE_PERCENT = 5  # a rise of so many percent means that somebody replaced the battery


def on_report(step: Step, event: BatteryReported) -> None:
    """Store the level; notify the owner when it is low, or will be critical within days."""
    role = event.device
    if _was_replaced(step, event):
        step.state = replace(step.state, batteries_to_change=step.state.batteries_to_change - {role})
    step.state = replace(step.state, batteries={**step.state.batteries, role: event.level})
    if event.percent is not None and step.now.trusted:
        _update_trend(step, role, event.percent)
    notified_at_mono = step.state.battery_notified_at.get(role, -REPEAT_NOTICE_S)
    if role in step.state.batteries_to_change or step.now.mono - notified_at_mono < REPEAT_NOTICE_S:
        return
    left = days_left(step.state, step.now, role)
    if event.level is not BatteryLevel.GOOD or (left is not None and left <= REPLACEMENT_NOTICE_DAYS):
        step.emit(NotifyOwner(notification=Notification.BATTERY_SOON, detail=_detail(role, left)))
        notified_at = {**step.state.battery_notified_at, role: step.now.mono}
        step.state = replace(
            step.state, batteries_to_change=step.state.batteries_to_change | {role}, battery_notified_at=notified_at
        )


def _was_replaced(step: Step, event: BatteryReported) -> bool:
    """Return whether the battery was replaced: it is fuller than before, or good after it was not."""
    charge = step.state.battery_trends.get(event.device)
    if event.percent is not None and charge is not None:
        return event.percent >= charge.last + REPLACED_RISE_PERCENT
    before = step.state.batteries.get(event.device, BatteryLevel.GOOD)
    return event.level is BatteryLevel.GOOD and before is not BatteryLevel.GOOD


def _update_trend(step: Step, role: str, percent: int) -> None:
    """Start a new trend for a new battery; a small rise (a warm day) changes nothing."""
    charge = step.state.battery_trends.get(role)
    if charge is None or percent >= charge.last + REPLACED_RISE_PERCENT:
        charge = BatteryTrend(since=step.now.utc, first=percent, last=percent)
    elif percent < charge.last:
        charge = replace(charge, last=percent)
    step.state = replace(step.state, battery_trends={**step.state.battery_trends, role: charge})


def replacements_due(state: Entrance, now: Now) -> tuple[str, ...]:
    """Return the batteries the owner was asked to replace, as the message shows them: `lock:6`, or only `lock`."""
    return tuple(_detail(role, days_left(state, now, role)) for role in sorted(state.batteries_to_change))


def _detail(role: str, left: float | None) -> str:
    return role if left is None else f"{role}:{max(1, round(left))}"


def days_left(state: Entrance, now: Now, role: str) -> float | None:
    """Return in how many days the battery becomes critical at this rate, or None if that is unknown."""
    charge = state.battery_trends.get(role)
    if charge is None or not now.trusted:
        return None
    watched, fallen = now.utc - charge.since, charge.first - charge.last
    if watched < MIN_TREND_SPAN or fallen < MIN_DROP_PERCENT:
        return None
    return max(0, charge.last - CRITICAL_BATTERY_PERCENT) * (watched / timedelta(days=1)) / fallen
