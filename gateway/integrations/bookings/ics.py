"""Reads the bookings out of a calendar (iCalendar, RFC 5545) as platforms for hosts export it. Pure.

Airbnb exports `SUMMARY:Reserved` for a booking and `Airbnb (Not available)` for a day that is blocked; Booking.com
exports `CLOSED - Not available` for both. So only what says that it is blocked is left out, and the host declines what
is none. A recurring entry is no booking and is not expanded, so that no rule makes entries without end.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event
from icalendar.error import BrokenCalendarProperty

from gateway.domain.guests.bookings import MAX_BOOKINGS, Booking, Reading, guest_name, is_bookable
from gateway.protocol.booking_reader import MAX_UID_CHARS

LONGEST = timedelta(days=366)
_BLOCKED = re.compile(r"\s*(airbnb\s*\(not available\)|blocked|not available|unavailable)\s*", re.IGNORECASE)
_NAMELESS = re.compile(r"\s*(reserved|closed - not available|booked)?\s*", re.IGNORECASE)
_RESERVATION = re.compile(r"/reservations/details/([A-Z0-9]{6,16})\b")
_CANCELLED = "CANCELLED"


class CalendarUnreadable(ValueError):  # noqa: N818 - it says what is the matter
    """The text is no calendar, or has been cut off."""


def read_calendar(  # noqa: PLR0913 - what an entry without a time means
    text: bytes, *, source: str, zone: ZoneInfo, arrival: time, departure: time, now: datetime
) -> Reading:
    """Return the bookings of a calendar that end after `now` (UTC).

    Raises:
        CalendarUnreadable: it is not exactly one calendar from BEGIN to END.
    """
    try:
        calendar = Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError, RecursionError) as error:
        raise CalendarUnreadable(str(error)[:200]) from error
    if calendar.name != "VCALENDAR":
        raise CalendarUnreadable(f"it begins with {calendar.name!r}")
    found: dict[str, tuple[int, Booking | None]] = {}
    is_whole = True
    for event in calendar.events:
        try:
            uid, sequence, booking = _read_event(event, source=source, zone=zone, hours=(arrival, departure))
        except (BrokenCalendarProperty, ValueError, TypeError, AttributeError, OverflowError):
            is_whole = False  # a later reading that can read it finds it unchanged
            continue
        if uid not in found or sequence >= found[uid][0]:
            found[uid] = sequence, booking
    bookings = sorted(
        (one for _, one in found.values() if one is not None and one.ends > now), key=lambda one: (one.starts, one.uid)
    )
    return Reading(bookings=tuple(bookings[:MAX_BOOKINGS]), is_whole=is_whole and len(bookings) <= MAX_BOOKINGS)


def _read_event(
    event: Event, *, source: str, zone: ZoneInfo, hours: tuple[time, time]
) -> tuple[str, int, Booking | None]:
    """Return an entry's id and revision, and its booking; None: it is none.

    ValueError and others: it cannot be read.
    """
    starts = _instant(_one(event, "DTSTART"), zone, hours[0])
    ends = _end(event, zone, hours)
    uid = str(_one(event, "UID") or f"{starts.isoformat()}/{ends.isoformat()}")[:MAX_UID_CHARS]
    sequence = int(_one(event, "SEQUENCE") or 0)
    summary = str(_one(event, "SUMMARY") or "")
    is_none = (
        any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID"))
        or str(_one(event, "STATUS") or "").upper() == _CANCELLED
        or _BLOCKED.fullmatch(summary) is not None
        or not is_bookable(starts, ends, LONGEST)
    )
    if is_none:
        return uid, sequence, None
    code = _RESERVATION.search(str(_one(event, "DESCRIPTION") or "")[:5000])
    otherwise = source if code is None else f"{source} {code[1]}"
    name = otherwise if _NAMELESS.fullmatch(summary) else guest_name(summary, otherwise)
    return uid, sequence, Booking(uid=uid, guest=name, starts=starts, ends=ends)


def _end(event: Event, zone: ZoneInfo, hours: tuple[time, time]) -> datetime:
    end, start = _one(event, "DTEND"), _one(event, "DTSTART")
    if end is not None:
        return _instant(end, zone, hours[1])
    duration = _one(event, "DURATION")
    if duration is not None and isinstance(duration.dt, timedelta):
        if isinstance(start.dt, datetime):
            return _instant(start, zone, hours[0]) + duration.dt
        return _local(start.dt + duration.dt, zone, hours[1])
    if isinstance(start.dt, datetime):
        raise ValueError("no end")  # noqa: TRY004 - a time without an end is a value
    return _local(start.dt + timedelta(days=1), zone, hours[1])  # RFC 5545, 3.6.1: a day without an end is one day


def _instant(value: Any, zone: ZoneInfo, hour: time) -> datetime:  # noqa: ANN401 - a property of the library
    """Return the UTC instant of a property: a day at the hour of the house, or its own time."""
    moment, parameters = value.dt, value.params
    if isinstance(moment, datetime):
        if moment.tzinfo is None and "TZID" in parameters:
            raise ValueError("an unknown time zone")
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    if isinstance(moment, date):
        return _local(moment, zone, hour)
    raise ValueError("neither a day nor a time")


def _local(day: date, zone: ZoneInfo, hour: time) -> datetime:
    return datetime.combine(day, hour, tzinfo=zone).astimezone(UTC)


def _one(event: Event, name: str) -> Any:  # noqa: ANN401 - a value of the library
    """Return a property that stands once, or None; of several the first counts."""
    value = event.get(name)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        return next(iter(value), None)
    return value
