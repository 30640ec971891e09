"""What a source of bookings proposes and asks: it never ends or shortens anything."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.frozen import replace
from gateway.domain.guests.bookings import (
    MAX_CALENDAR_ID_CHARS,
    MAX_CALENDARS,
    MISSING_READINGS,
    Booking,
    BookingNotice,
    Calendar,
    CalendarProblem,
    KnownBooking,
    Question,
    Reading,
    booking_key,
    calendar_address,
    calendar_id,
    calendar_problem,
    guest_name,
    open_question,
    reconcile,
)

AT = datetime(2026, 12, 1, 8, tzinfo=UTC)
A = Booking(uid="a", guest="Anna", starts=AT + timedelta(days=3), ends=AT + timedelta(days=6))
B = Booking(uid="b", guest="Bert", starts=AT + timedelta(days=8), ends=AT + timedelta(days=9))
EMPTY = Reading(bookings=())


def take(known: tuple[KnownBooking, ...], reading: Reading, at: datetime = AT) -> tuple[KnownBooking, ...]:
    """What is stored after a reading."""
    stored = {one.key: one for one in known} | {one.key: one for one in reconcile("cal", known, reading, at)}
    return tuple(stored.values())


def test_a_new_entry_is_stored_once_and_a_second_reading_changes_nothing() -> None:
    known = take((), Reading(bookings=(A, B)))
    assert [one.key for one in known] == [booking_key("cal", "a"), booking_key("cal", "b")]
    assert reconcile("cal", known, Reading(bookings=(B, A)), AT) == ()


def test_an_entry_that_two_good_readings_in_a_row_lack_is_asked_about_and_nothing_else_happens() -> None:
    (known,) = take((), Reading(bookings=(A,)))
    (once,) = take((known,), EMPTY)
    assert open_question(once, (A.starts, A.ends)) is None
    (twice,) = take((once,), EMPTY)
    assert open_question(twice, (A.starts, A.ends)) is Question.GONE
    assert (twice.starts, twice.ends) == (A.starts, A.ends)
    assert reconcile("cal", (twice,), EMPTY, AT) == (), "and is stored no more"
    (back,) = take((twice,), Reading(bookings=(A,)))
    assert open_question(back, (A.starts, A.ends)) is None


def test_a_reading_that_could_not_read_all_lets_nothing_count_as_missing() -> None:
    (known,) = take((), Reading(bookings=(A,)))
    assert reconcile("cal", (known,), Reading(bookings=(), is_whole=False), AT) == ()


def test_one_reading_between_with_the_entry_starts_the_count_again() -> None:
    (known,) = take((), Reading(bookings=(A,)))
    for reading in (EMPTY, Reading(bookings=(A,)), EMPTY):
        (known,) = take((known,), reading)
    assert known.missing == 1


def test_other_dates_are_a_question_once_the_host_accepted_and_an_answer_holds_until_they_change_again() -> None:
    (known,) = take((), Reading(bookings=(A,)))
    moved = replace(A, ends=A.ends + timedelta(days=1))
    (known,) = take((known,), Reading(bookings=(moved,)))
    assert open_question(known, None) is None, "a proposal just has the new dates"
    assert open_question(known, (A.starts, A.ends)) is Question.MOVED
    answered = replace(known, is_answered=True)
    assert open_question(answered, (A.starts, A.ends)) is None
    assert take((answered,), Reading(bookings=(moved,))) == (answered,)
    (again,) = take((answered,), Reading(bookings=(replace(moved, ends=moved.ends + timedelta(days=1)),)))
    assert open_question(again, (A.starts, A.ends)) is Question.MOVED


def test_an_answer_about_dates_is_none_about_a_booking_that_is_gone() -> None:
    (known,) = take((), Reading(bookings=(A,)))
    (known,) = take((known,), Reading(bookings=(replace(A, ends=A.ends + timedelta(days=1)),)))
    (known,) = take((replace(known, is_answered=True),), EMPTY)
    assert open_question(known, (A.starts, A.ends)) is None
    (known,) = take((known,), EMPTY)
    assert open_question(known, (A.starts, A.ends)) is Question.GONE


def test_a_notice_is_about_the_soonest_booking_and_counts_the_others() -> None:
    notice = BookingNotice.of(take((), Reading(bookings=(B, A))))
    assert notice == BookingNotice(source="cal", starts=A.starts, ends=A.ends, more=1)
    assert BookingNotice.parse(notice.detail) == notice


def test_a_past_entry_that_a_calendar_drops_is_no_question() -> None:
    (known,) = take((), Reading(bookings=(A,)))
    assert reconcile("cal", (known,), EMPTY, A.ends) == ()
    assert reconcile("cal", (), Reading(bookings=(A,)), A.ends) == ()


READINGS = st.lists(
    st.builds(
        Reading,
        bookings=st.lists(st.sampled_from([A, B, replace(A, ends=A.ends + timedelta(days=2))]), max_size=3).map(tuple),
        is_whole=st.booleans(),
    ),
    max_size=8,
)


@given(READINGS)
def test_no_row_of_readings_takes_a_booking_away_or_asks_before_two_good_ones_lacked_it(
    readings: list[Reading],
) -> None:
    known: tuple[KnownBooking, ...] = ()
    lacking: dict[str, int] = {}
    for reading in readings:
        before = {one.key for one in known}
        known = take(known, reading)
        assert before <= {one.key for one in known}
        present = {booking_key("cal", one.uid) for one in reading.bookings}
        for one in known:
            if one.key in present:
                lacking[one.key] = 0
            elif reading.is_whole:
                lacking[one.key] = lacking.get(one.key, 0) + 1
            is_asked = open_question(one, (one.starts, one.ends)) is Question.GONE
            assert is_asked == (lacking[one.key] >= MISSING_READINGS)


@pytest.mark.parametrize("uid", ["", "a" * 100_000, "\ud800", "a:b", "../../etc"])
def test_the_key_of_an_entry_is_short_whatever_its_id_is(uid: str) -> None:
    key = booking_key("cal", uid)
    assert key.startswith("cal:")
    assert len(key) == 28
    assert key != booking_key("other", uid)


def test_a_name_is_never_empty() -> None:
    assert guest_name(" \n\t\x00", "airbnb") == "airbnb"


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("Airbnb", "airbnb"), ("Booking.com", "booking-com"), ("Été à Lyon", "ete-a-lyon"), ("  x  ", "x"),
        ("東京", ""), ("", ""), ("a" * 100, "a" * MAX_CALENDAR_ID_CHARS), ("../../etc", "etc"),
    ],
)  # fmt: skip
def test_the_id_of_a_calendar_is_made_of_its_name(name: str, id_: str) -> None:
    assert calendar_id(name) == id_


@given(st.text())
def test_no_name_makes_an_id_that_is_no_id(name: str) -> None:
    assert re.fullmatch(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?)?", calendar_id(name))


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        (" https://www.airbnb.com/calendar/ical/1.ics?s=2\n", "https://www.airbnb.com/calendar/ical/1.ics?s=2"),
        ("webcal://ical.example/1", "https://ical.example/1"),
        ("WEBCAL://ical.example/1", "https://ical.example/1"),
        ("https://a.example/\r\n1.ics", "https://a.example/1.ics"),
        ("http://a.example/1", "http://a.example/1"),
    ],
)
def test_a_pasted_address_is_requested_as_the_platform_means_it(pasted: str, address: str) -> None:
    assert calendar_address(pasted) == address


def test_a_calendar_shows_its_server_and_never_its_address() -> None:
    calendar = Calendar(id="cal", address="https://ical.example/1.ics?s=secret", arrival="16:00", departure="11:00")
    assert calendar.host == "ical.example"
    assert "secret" not in repr(calendar)


@pytest.mark.parametrize(
    ("changes", "count", "problem"),
    [
        ({}, 0, None),
        ({"id": ""}, 0, CalendarProblem.NAME),
        ({"id": "other"}, 0, CalendarProblem.TAKEN),
        ({"arrival": "25:00"}, 0, CalendarProblem.HOURS),
        ({"departure": "11"}, 0, CalendarProblem.HOURS),
        ({}, MAX_CALENDARS, CalendarProblem.TOO_MANY),
    ],
)
def test_a_calendar_that_cannot_be_added_says_why(
    changes: dict[str, str], count: int, problem: CalendarProblem | None
) -> None:
    usual = {"id": "cal", "address": "https://ical.example/1", "arrival": "16:00", "departure": "11:00"}
    assert calendar_problem(Calendar(**(usual | changes)), {"other"}, count) is problem  # type: ignore[arg-type]  # texts
