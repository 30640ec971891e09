"""How a page writes a window and a duration, for readers of both languages."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.web.server.renderer import format_minutes, format_window

PARIS = ZoneInfo("Europe/Paris")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of June 2026 in Paris, in UTC."""
    return datetime(2026, 6, day, hour, minute, tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        (at(10, 15), at(10, 17, 30), "Wed 2026-06-10, 15:00 - 17:30"),
        (at(10, 0), at(11, 0), "Wed 2026-06-10"),
        (at(10, 0), at(13, 0), "Wed 2026-06-10 - Fri 2026-06-12"),
        (at(10, 8), at(11, 12), "Wed 2026-06-10, 08:00 - Thu 2026-06-11, 12:00"),
        (at(10, 8), at(11, 0), "Wed 2026-06-10, 08:00 - Thu 2026-06-11, 00:00"),
    ],
)
def test_a_window_is_hours_of_a_day_or_whole_days_or_from_one_moment_to_another(
    start: datetime, end: datetime, written: str
) -> None:
    assert format_window(start, end, PARIS, "en") == written


def test_a_duration_has_the_readers_own_decimal_separator() -> None:
    assert (format_minutes(90, "en"), format_minutes(90, "fr")) == ("1.5", "1,5")
