"""How days, times and windows are written for people."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.system.dates import day_text, hours_text, is_ambiguous, last_day, moment_text, time_text, window_text

PARIS = ZoneInfo("Europe/Paris")
TODAY = date(2026, 6, 9)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of June 2026 in Paris, in UTC."""
    return datetime(2026, 6, day, hour, minute, tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "end", "english", "french"),
    [
        (at(10, 15), at(10, 17, 30), "Wed 10 Jun, between 15:00 and 17:30", "mer. 10 juin, entre 15:00 et 17:30"),
        (at(10, 8), at(11, 0), "Wed 10 Jun, between 08:00 and 24:00", "mer. 10 juin, entre 08:00 et 24:00"),
        (at(10, 0), at(11, 0), "Wed 10 Jun", "mer. 10 juin"),
        (at(10, 0), at(13, 0), "Wed 10 Jun to Fri 12 Jun", "du mer. 10 juin au ven. 12 juin"),
        (
            at(10, 8), at(11, 12),
            "Wed 10 Jun, 08:00 to Thu 11 Jun, 12:00", "du mer. 10 juin, 08:00 au jeu. 11 juin, 12:00",
        ),
    ],
)  # fmt: skip
def test_a_window_is_hours_of_a_day_or_whole_days_or_from_one_moment_to_another(
    start: datetime, end: datetime, english: str, french: str
) -> None:
    window = window_text(start, end, PARIS, today=TODAY)
    assert [window.to("en"), window.to("fr")] == [english, french]


def test_a_day_has_its_year_only_where_that_is_another_than_todays() -> None:
    day = date(2026, 11, 28)
    assert day_text(day, today=TODAY).to("en") == "Sat 28 Nov"
    assert day_text(day, today=TODAY).to("fr") == "sam. 28 nov."
    assert day_text(day, today=date(2027, 1, 1)).to("en") == day_text(day).to("en") == "Sat 28 Nov 2026"


def test_the_hour_that_comes_twice_says_which_one_it_is() -> None:
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    assert [time_text(hour, PARIS) for hour in twice] == ["02:30 (UTC+0200)", "02:30 (UTC+0100)"]
    assert moment_text(twice[1], PARIS, today=TODAY).to("en") == "Sun 25 Oct, 02:30 (UTC+0100)"


def test_the_hours_of_a_day_are_no_duration() -> None:
    assert [hours_text("14:00-16:00").to(one) for one in ("en", "fr")] == [
        "between 14:00 and 16:00",
        "entre 14:00 et 16:00",
    ]
    assert hours_text("00:00-24:00").to("en") == "at any hour"


def test_a_period_that_ends_at_midnight_has_the_day_before_as_its_last() -> None:
    assert last_day(datetime(2026, 12, 24, 23, tzinfo=UTC), PARIS) == date(2026, 12, 24)
    assert last_day(datetime(2026, 12, 24, 23, 1, tzinfo=UTC), PARIS) == date(2026, 12, 25)


def test_only_the_hour_that_comes_twice_is_ambiguous() -> None:
    hours = [datetime(2026, 10, 24, 22, 30, tzinfo=UTC) + timedelta(hours=hour) for hour in range(6)]
    assert [is_ambiguous(hour, PARIS) for hour in hours] == [False, False, True, True, False, False]
    assert not is_ambiguous(datetime(2026, 3, 29, 1, 30, tzinfo=UTC), PARIS)
