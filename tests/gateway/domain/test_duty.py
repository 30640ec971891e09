"""Who is on duty at a reception: who said so, within his hours, until they end."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.duty import Duty, duty_end, receivers_on_duty
from gateway.domain.now import Now

PARIS = ZoneInfo("Europe/Paris")
HOURS = {"marc": "08:00-19:00", "nina": "22:00-06:00"}


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def present(*duties: Duty, when: datetime, trusted: bool = True) -> frozenset[str]:
    return receivers_on_duty(duties, HOURS, zone=PARIS, now=Now(utc=when, trusted=trusted, mono=0))


def test_a_duty_holds_until_the_hours_of_its_day_end() -> None:
    marc = Duty(receiver="marc", since=utc(27, 9))
    assert present(marc, when=utc(27, 17, 59)) == {"marc"}
    assert present(marc, when=utc(27, 18)) == frozenset(), "19:00 in Paris"
    assert present(marc, when=utc(28, 9)) == frozenset(), "he did not say so on the next day"
    assert present(marc, when=utc(27, 8, 59)) == frozenset(), "nor before he said it"


def test_hours_may_run_past_midnight() -> None:
    nina = Duty(receiver="nina", since=utc(27, 22))
    assert present(nina, when=utc(28, 4, 59)) == {"nina"}
    assert present(nina, when=utc(28, 5)) == frozenset()
    assert duty_end(utc(28, 1), "22:00-06:00", PARIS) == utc(28, 5)


@pytest.mark.parametrize("hour", [5, 6, 18, 23])
def test_outside_the_hours_no_duty_begins(hour: int) -> None:
    assert duty_end(utc(27, hour), "08:00-19:00", PARIS) is None


def test_without_trusted_time_nobody_is_on_duty() -> None:
    marc = Duty(receiver="marc", since=utc(27, 9))
    assert present(marc, when=utc(27, 10), trusted=False) == frozenset()


def test_a_receiver_who_is_no_longer_in_the_house_file_is_not_on_duty() -> None:
    gone = Duty(receiver="gone", since=utc(27, 9))
    assert present(gone, when=utc(27, 10)) == frozenset()


def test_the_day_on_which_the_clocks_change_ends_at_the_same_hour_of_the_wall() -> None:
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Paris; at 03:00 it is 02:00 again
    assert duty_end(before, "00:00-12:00", PARIS) == datetime(2026, 10, 25, 11, 0, tzinfo=UTC)
    assert duty_end(before, "00:00-24:00", PARIS) == datetime(2026, 10, 25, 23, 0, tzinfo=UTC)
    assert duty_end(before + timedelta(hours=5), "00:00-12:00", PARIS) == datetime(2026, 10, 25, 11, 0, tzinfo=UTC)
