from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.permission import DAYS, PermissionTerms, allowed_spans, is_within_terms
from gateway.hub.deliveries.availability import MAX_WINDOWS, ImpossibleReason, check_availability, zone_of

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
OPEN = PermissionTerms(
    entrances=frozenset({"garage"}), places=frozenset({"floor"}), carriers=frozenset({"chronopost"}),
    days=frozenset({"mon", "tue", "wed", "thu", "fri"}), hours="08:00-18:00",
)  # fmt: skip


def paris(day: int, hour: int, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "end", "entrance", "why"),
    [
        (paris(25, 14), paris(25, 16), "garage", None),
        (paris(25, 14), paris(25, 16), None, None),
        (paris(25, 14), paris(25, 16), "front", ImpossibleReason.ENTRANCE_NOT_PERMITTED),
        (paris(25, 17), paris(25, 19), "garage", ImpossibleReason.OUTSIDE_WINDOW),
        (paris(28, 14), paris(28, 16), "garage", ImpossibleReason.OUTSIDE_WINDOW),  # a Saturday
        (datetime(2026, 10, 1, 9, tzinfo=UTC), datetime(2026, 10, 1, 10, tzinfo=UTC), None, ImpossibleReason.PAST),
    ],
)
def test_can_this_home_take_it_then_and_there(
    start: datetime, end: datetime, entrance: str | None, why: ImpossibleReason | None
) -> None:
    found = check_availability(OPEN, start, end, entrance, zone=PARIS, now=NOW)
    assert found.why is why


def test_of_hours_that_reach_beyond_it_tells_the_part_that_is_allowed() -> None:
    found = check_availability(OPEN, paris(25, 17), paris(26, 9), "garage", zone=PARIS, now=NOW)
    assert found.windows == ((paris(25, 17), paris(25, 18)), (paris(26, 8), paris(26, 9)))


def test_a_permission_that_ends_within_the_hours_or_before_is_told_as_that() -> None:
    ends = PermissionTerms(entrances=OPEN.entrances, places=OPEN.places, carriers=OPEN.carriers, expires=paris(25, 15))
    during = check_availability(ends, paris(25, 14), paris(25, 16), None, zone=PARIS, now=NOW)
    assert (during.why, during.windows) == (ImpossibleReason.EXPIRED, ((paris(25, 14), paris(25, 15)),))
    after = check_availability(ends, paris(25, 15), paris(25, 16), None, zone=PARIS, now=NOW)
    assert (after.why, after.windows) == (ImpossibleReason.EXPIRED, ())


def test_who_is_not_let_in_or_whose_home_s_zone_is_unknown_learns_no_more() -> None:
    asked = (paris(25, 14), paris(25, 16), "garage")
    assert check_availability(None, *asked, zone=PARIS, now=NOW).why is ImpossibleReason.NOT_GRANTED
    assert check_availability(OPEN, *asked, zone=None, now=NOW).why is ImpossibleReason.NOT_KNOWN
    for said in ({}, {"timezone": ""}, {"timezone": "Mars/Olympus"}, {"timezone": 7}, {"timezone": "../etc/passwd"}):
        assert zone_of(said) is None, said


@pytest.mark.parametrize(
    ("night", "hours"),
    [(datetime(2026, 3, 29, tzinfo=UTC), "01:30-03:30"), (datetime(2026, 10, 25, tzinfo=UTC), "02:00-03:00")],
)
def test_a_night_on_which_the_clock_changes_is_reckoned_by_the_wall_clock(night: datetime, hours: str) -> None:
    terms = PermissionTerms(entrances=OPEN.entrances, places=OPEN.places, carriers=OPEN.carriers, hours=hours)
    found = allowed_spans(night - timedelta(hours=2), night + timedelta(hours=6), terms, zone=PARIS)
    length = sum(((end - start) for start, end in found), timedelta())
    assert length == {3: timedelta(hours=1), 10: timedelta(hours=2)}[night.month], "one hour left out, or twice"


ZONES = st.sampled_from([ZoneInfo(name) for name in ("Europe/Paris", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")])
HOURS = st.builds(
    "{:02}:{:02}-{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59), st.integers(0, 23), st.integers(0, 59)
)
STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is the next argument


@given(ZONES, HOURS, st.sets(st.sampled_from(DAYS), min_size=1), STARTS, st.integers(1, 7 * 24 * 60))
def test_what_availability_says_is_what_the_box_will_say(
    zone: ZoneInfo, hours: str, days: set[str], start: datetime, minutes: int
) -> None:
    terms = PermissionTerms(
        entrances=OPEN.entrances, places=OPEN.places, carriers=OPEN.carriers, hours=hours, days=frozenset(days)
    )
    start, end = start.replace(microsecond=0), start.replace(microsecond=0) + timedelta(minutes=minutes)
    found = allowed_spans(start, end, terms, zone=zone)
    assert is_within_terms(start, end, terms, zone=zone) == (found == [(start, end)])
    assert len(found) <= MAX_WINDOWS
    edge = start
    for first, last in found:
        assert edge <= first < last <= end
        assert is_within_terms(first, last, terms, zone=zone)
        if edge < first:
            assert not is_within_terms(edge, first, terms, zone=zone)
        edge = last
