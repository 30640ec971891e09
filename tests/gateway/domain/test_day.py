"""A day that somebody wrote: what is taken, and that reckoning with it never leaves the calendar."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.domain.day import FIRST_DAY, LAST_DAY, DayError, clamp_instant, day_end, latest_day, read_day
from gateway.domain.delivery.permission import PermissionTerms
from gateway.domain.delivery.promise import Instant

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
TERMS = TypeAdapter(PermissionTerms)
TODAY = date(2026, 11, 28)
ZONES = [ZoneInfo(name) for name in ("Pacific/Kiritimati", "Europe/Paris", "Pacific/Pago_Pago")]


@pytest.mark.parametrize("text", ["2999-12-31", "9999-12-31", "0027-01-31", "0001-01-01", "2200-01-01", "1999-12-31",
                                  "31.12.2027", "2027-02-30", "", "tomorrow"])  # fmt: skip
def test_a_day_out_of_the_calendar_s_middle_is_none(text: str) -> None:
    with pytest.raises(DayError):
        read_day(text)


def test_a_person_sets_a_last_day_at_most_ten_years_ahead() -> None:
    assert read_day("2036-11-28", today=TODAY) == date(2036, 11, 28)
    with pytest.raises(DayError) as far:
        read_day("2036-11-29", today=TODAY)
    assert (far.value.first, far.value.last) == (FIRST_DAY, date(2036, 11, 28))
    assert latest_day(date(2028, 2, 29)) == date(2038, 2, 28)
    assert latest_day(date(2195, 1, 1)) == LAST_DAY


@given(day=st.dates(min_value=FIRST_DAY, max_value=LAST_DAY), zone=st.sampled_from(ZONES))
def test_the_end_of_each_day_is_a_time_that_a_message_may_name_and_that_is_read_again_as_itself(
    day: date, zone: ZoneInfo
) -> None:
    end = day_end(read_day(day.isoformat()), zone)
    assert INSTANT.validate_json(INSTANT.dump_json(end)) == end
    assert (end - timedelta(microseconds=1)).astimezone(zone).date() == day


def test_a_time_that_is_taken_in_one_zone_is_taken_again_as_it_is_written_in_utc() -> None:
    for day, offset in product(("2200-12-31T23:59:59", "2000-01-01T00:00:00", "0001-01-01T00:00:00",
                                "9999-12-31T23:59:59"), ("-12:00", "+14:00", "Z")):  # fmt: skip
        try:
            taken = INSTANT.validate_json(f'"{day}{offset}"')
        except ValidationError:
            continue
        assert INSTANT.validate_json(INSTANT.dump_json(taken)) == taken, (day, offset)


@given(instant=st.datetimes(timezones=st.just(UTC)))
def test_terms_of_an_older_store_are_read_with_an_expiry_that_a_message_may_name(instant: datetime) -> None:
    read = TERMS.validate_json(f'{{"expires": "{instant.isoformat()}"}}').expires
    assert read == clamp_instant(instant)
    assert read is not None
    assert INSTANT.validate_json(INSTANT.dump_json(read)) == read


def test_nobody_builds_terms_that_end_beyond_the_calendar_s_middle() -> None:
    with pytest.raises(ValueError, match="2000 to 2200"):
        PermissionTerms(expires=datetime(2999, 12, 31, tzinfo=UTC))
