"""Words days, times and windows for people, in one style on pages, in messages, documents and the terminal.

A day is "Sat 28 Nov", with its year only where that is another than today's; a window is "between 14:00 and 16:00".
Instants may have any time zone and are shown in that of the house.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.system.i18n import Text, _, pgettext

WEEKDAYS: tuple[Text, ...] = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))
"""The short names of the days, Monday first."""

MONTHS: tuple[Text, ...] = (
    _("Jan"), _("Feb"), _("Mar"), _("Apr"), pgettext("a month", "May"), _("Jun"), _("Jul"), _("Aug"), _("Sep"),
    _("Oct"), _("Nov"), _("Dec"),
)  # fmt: skip
"""The short names of the months."""


_UTC = ZoneInfo("UTC")
WHOLE_DAY = "00:00-24:00"


def day_text(day: date, *, today: date | None = None) -> Text:
    """Return a day: "Sat 28 Nov", with the year if it is another than that of `today` (None: always with it)."""
    weekday, month = WEEKDAYS[day.weekday()], MONTHS[day.month - 1]
    if today is not None and today.year == day.year:
        return _("{weekday} {day} {month}", weekday=weekday, day=str(day.day), month=month)
    return _(
        "{weekday} {day} {month} {year}", weekday=weekday, day=str(day.day), month=month, year=str(day.year)
    )  # fmt: skip


def last_day(end: datetime, zone: ZoneInfo) -> date:
    """Return the last day of a period; `end` is the first instant after the period."""
    return (end - timedelta(microseconds=1)).astimezone(zone).date()


def is_ambiguous(instant: datetime, zone: ZoneInfo) -> bool:
    """Return whether the house's clocks show this time twice."""
    local = instant.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def time_text(at: datetime, zone: ZoneInfo) -> str:
    """Return hour and minute in the house's time, with the UTC offset in the hour that autumn repeats."""
    local = at.astimezone(zone)
    return f"{local:%H:%M}" + (f" (UTC{local:%z})" if is_ambiguous(at, zone) else "")


def moment_text(at: datetime, zone: ZoneInfo, *, today: date | None = None) -> Text:
    """Return day, hour and minute: "Sat 28 Nov, 14:05"."""
    day = day_text(at.astimezone(zone).date(), today=today)
    return _("{day}, {time}", day=day, time=time_text(at, zone))


def utc_text(at: datetime) -> Text:
    """Return day, hour and minute in UTC: "Sat 28 Nov 2026, 14:05 UTC"."""
    return _("{moment} UTC", moment=moment_text(at, _UTC))


def hours_text(hours: str) -> Text:
    """Return the hours of a day, "14:00-16:00" as the house stores them: "between 14:00 and 16:00"."""
    if hours == WHOLE_DAY:
        return _("at any hour")
    start, _dash, end = hours.partition("-")
    return _("between {start} and {end}", start=start, end=end)


def local_period_text(start: datetime, end: datetime) -> Text:
    """Return the time from one moment to another, both in the house's time and without a zone."""
    start_text, end_text = (_("{day}, {time}", day=day_text(at.date()), time=f"{at:%H:%M}") for at in (start, end))
    return pgettext("two days or moments", "{start} to {end}", start=start_text, end=end_text)


def window_text(start: datetime, end: datetime, zone: ZoneInfo, *, today: date | None = None) -> Text:
    """Return a window: hours of a day, whole days, or from one moment to another."""
    start, end = start.astimezone(zone), end.astimezone(zone)
    last = (end - timedelta(microseconds=1)).date()
    first_day, last_day = day_text(start.date(), today=today), day_text(last, today=today)
    if start.time() == end.time() == time.min:
        if start.date() == last:
            return first_day
        return pgettext("two days or moments", "{start} to {end}", start=first_day, end=last_day)
    if start.date() == last:
        # the midnight that ends a window belongs to its day
        until = "24:00" if end.time() == time.min else time_text(end, zone)
        return _("{day}, between {start} and {end}", day=first_day, start=time_text(start, zone), end=until)
    moments = (moment_text(at, zone, today=today) for at in (start, end))
    return pgettext("two days or moments", "{start} to {end}", start=next(moments), end=next(moments))
