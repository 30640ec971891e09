"""Decides which receivers of a reception are on duty. Pure; hours are on the wall clock of the house."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.delivery.permission import parse_hours
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now


class Duty(Frozen):
    """A receiver said at `since` that he is on duty; it holds until he takes it back or his hours end."""

    receiver: str
    since: datetime


def duty_end(since: datetime, hours: str, zone: ZoneInfo) -> datetime | None:
    """Return when a duty ends that begins at `since`; None: that instant is outside the hours, "HH:MM-HH:MM"."""
    opens, closes = parse_hours(hours)
    wall = since.astimezone(zone)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    passed = wall.replace(tzinfo=None) - midnight
    for day in (timedelta(0), timedelta(days=-1)):  # hours may run past midnight
        if day + opens <= passed < day + closes:
            return (midnight + day + closes).replace(tzinfo=zone).astimezone(since.tzinfo)
    return None


def receivers_on_duty(duties: Iterable[Duty], hours: Mapping[str, str], *, zone: ZoneInfo, now: Now) -> frozenset[str]:
    """Return who is on duty now. `hours` are those of the reception's receivers; without trusted time nobody is."""
    if not now.trusted:
        return frozenset()
    present = set()
    for duty in duties:
        end = duty_end(duty.since, hours[duty.receiver], zone) if duty.receiver in hours else None
        if end is not None and duty.since <= now.utc < end:
            present.add(duty.receiver)
    return frozenset(present)
