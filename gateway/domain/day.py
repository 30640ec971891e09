"""Parses and bounds a calendar day (YYYY-MM-DD) from outside, so that arithmetic cannot overflow. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
"""The end of each of these days lies, in every zone, in the years 2000 to 2200: what a message between box, hub and
retailer may name as a time (`gateway.domain.delivery.promise.Instant`)."""

FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(2200, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

MAX_YEARS_AHEAD = 10  # of today, for a day that a person sets: a later one is a typing error (2072 for 2027)


class DayError(ValueError):
    """The text is not a day, or the day is out of bounds; `first` and `last` are the bounds."""

    def __init__(self, text: str, first: date, last: date) -> None:
        super().__init__(f"{text!r} is no day from {first} to {last}: write it like 2027-01-31")
        self.first, self.last = first, last


def read_day(text: str, *, today: date | None = None) -> date:
    """Parse a day; with `today` (a file is read before the time is known) at most `MAX_YEARS_AHEAD` years ahead.

    Raises:
        DayError: the text is not a day, or the day is out of bounds.
    """
    last = LAST_DAY if today is None else latest_day(today)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise DayError(text, FIRST_DAY, last) from error
    if not FIRST_DAY <= day <= last:
        raise DayError(text, FIRST_DAY, last)
    return day


def day_end(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant after a day from `FIRST_DAY` to `LAST_DAY`, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)


def clamp_instant(instant: datetime) -> datetime:
    """Return the instant clamped to the permitted range; stores of earlier releases hold years 1 to 9999."""
    return min(max(instant, FIRST_INSTANT), LAST_INSTANT)


def latest_day(today: date) -> date:
    """Return the last day that a person may set today."""
    year = today.year + MAX_YEARS_AHEAD
    if year > LAST_DAY.year:
        return LAST_DAY
    leap = (today.month, today.day) == (2, 29)
    return date(year, 2, 28) if leap else today.replace(year=year)
