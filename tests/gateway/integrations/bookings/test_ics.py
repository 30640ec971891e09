"""What calendars of hosts say: Airbnb's, Booking.com's, Vrbo's, and calendars that nobody should believe."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.guests.bookings import MAX_BOOKINGS, Reading
from gateway.integrations.bookings.ics import CalendarUnreadable, read_calendar

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
# As Airbnb exports it: folded lines, the reservation's address, the end of the guest's number
AIRBNB = """BEGIN:VCALENDAR
PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN
CALSCALE:GREGORIAN
VERSION:2.0
BEGIN:VEVENT
DTSTAMP:20261130T060000Z
DTSTART;VALUE=DATE:20261204
DTEND;VALUE=DATE:20261207
SUMMARY:Reserved
UID:1418fb94e984-2f0d7d1c8a6e4a51@airbnb.com
DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/de
 tails/HMYJHPH5PQ\\nPhone Number (Last 4 Digits): 4048
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20270529
DTEND;VALUE=DATE:20270902
SUMMARY:Airbnb (Not available)
UID:7f662ec65913-5c1f0f7f@airbnb.com
END:VEVENT
END:VCALENDAR
"""
# As Booking.com exports it: one text for a booking and for a blocked day
BOOKING = """BEGIN:VCALENDAR
PRODID:-//admin.booking.com//Booking.com iCal//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:PUBLISH
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261210
DTEND;VALUE=DATE:20261213
UID:8f7d2b6c4a1e9f0d@booking.com
SUMMARY: CLOSED - Not available
END:VEVENT
END:VCALENDAR
"""


def event(*lines: str, uid: str = "1") -> str:
    text = "\n".join(("BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT"))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{text}\nEND:VCALENDAR\n"


def read(text: str | bytes) -> Reading:
    data = text.encode() if isinstance(text, str) else text
    return read_calendar(data, source="airbnb", zone=PARIS, arrival=time(16), departure=time(11), now=NOW)


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=UTC)


def test_airbnb_names_a_booking_by_its_code_and_a_blocked_day_is_none() -> None:
    (one,) = read(AIRBNB).bookings
    assert (one.guest, one.starts, one.ends) == ("airbnb HMYJHPH5PQ", utc(4, 15), utc(7, 10))
    assert read(AIRBNB).is_whole


def test_the_guest_s_number_goes_no_further() -> None:
    assert "4048" not in repr(read(AIRBNB))


def test_booking_com_says_closed_of_a_booking_too_so_it_is_proposed() -> None:
    (one,) = read(BOOKING).bookings
    assert (one.uid, one.guest, one.starts, one.ends) == (
        "8f7d2b6c4a1e9f0d@booking.com", "airbnb", utc(10, 15), utc(13, 10),
    )  # fmt: skip


DAYS = ("DTSTART;VALUE=DATE:20261204", "DTEND;VALUE=DATE:20261207")
NEW_YORK = """BEGIN:VTIMEZONE
TZID:Somewhere
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:-0500
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE
"""


@pytest.mark.parametrize(
    ("lines", "starts", "ends"),
    [
        (DAYS, utc(4, 15), utc(7, 10)),
        (("DTSTART:20261204", "DTEND:20261207"), utc(4, 15), utc(7, 10)),  # without VALUE=DATE, as some write it
        (("DTSTART;VALUE=DATE:20261204",), utc(4, 15), utc(5, 10)),  # a day without an end is one day
        (("DTSTART;VALUE=DATE:20261204", "DURATION:P3D"), utc(4, 15), utc(7, 10)),
        (("DTSTART:20261204T160000Z", "DTEND:20261207T090000Z"), utc(4, 16), utc(7, 9)),
        (("DTSTART:20261204T160000", "DTEND:20261207T090000"), utc(4, 15), utc(7, 8)),  # the house's own time
        (("DTSTART;TZID=America/New_York:20261204T160000", "DURATION:PT24H"), utc(4, 21), utc(5, 21)),
        (("DTSTART;TZID=Romance Standard Time:20261204T160000", "DURATION:PT24H"), utc(4, 15), utc(5, 15)),
    ],
)
def test_days_begin_and_end_at_the_house_s_hours_and_times_are_read_in_their_zone(
    lines: tuple[str, ...], starts: datetime, ends: datetime
) -> None:
    (one,) = read(event(*lines)).bookings
    assert (one.starts, one.ends) == (starts, ends)


def test_a_time_zone_that_the_calendar_itself_defines_counts() -> None:
    text = event("DTSTART;TZID=Somewhere:20261204T160000", "DURATION:PT24H")
    (one,) = read(text.replace("BEGIN:VEVENT", f"{NEW_YORK}BEGIN:VEVENT")).bookings
    assert one.starts == utc(4, 21)


@pytest.mark.parametrize(
    ("summary", "guest"),
    [
        ("SUMMARY:Reserved - Jane", "Reserved - Jane"),  # Vrbo
        ("SUMMARY:Zoé\\, Paul", "Zoé, Paul"),
        ("SUMMARY:<b>Anna</b>", "<b>Anna</b>"),  # the pages escape it
        ("SUMMARY:Anna\\nBcc: x", "Anna Bcc: x"),
        (f"SUMMARY:{'x' * 5000}", "x" * 60),
        ("SUMMARY:\u202etxt.anna", "txt.anna"),
        ("SUMMARY:Reserved", "airbnb"),
        ("LOCATION:nowhere", "airbnb"),
    ],
)
def test_a_guest_s_name_is_one_short_printable_line(summary: str, guest: str) -> None:
    (one,) = read(event(*DAYS, summary)).bookings
    assert one.guest == guest


@pytest.mark.parametrize(
    "lines",
    [
        (*DAYS, "STATUS:CANCELLED"),
        (*DAYS, "SUMMARY:Airbnb (Not available)"),
        (*DAYS, "SUMMARY:Blocked"),
        (*DAYS, "RRULE:FREQ=SECONDLY;COUNT=99999999"),  # never expanded
        (*DAYS, "RRULE:FREQ=DAILY"),
        (*DAYS, "RDATE;VALUE=DATE:20261224,20261225"),
        ("DTSTART;VALUE=DATE:20261101", "DTEND;VALUE=DATE:20261103"),  # over
        ("DTSTART;VALUE=DATE:20261207", "DTEND;VALUE=DATE:20261204"),  # backwards
        ("DTSTART;VALUE=DATE:20261204", "DTEND;VALUE=DATE:20361204"),  # ten years
    ],
)
def test_what_is_no_booking_proposes_nothing(lines: tuple[str, ...]) -> None:
    assert read(event(*lines)) == Reading(bookings=())


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART;VALUE=DATE:20261304", "DTEND;VALUE=DATE:20261207"),
        ("DTSTART:garbage", "DTEND;VALUE=DATE:20261207"),
        ("DTEND;VALUE=DATE:20261207",),
        ("DTSTART:20261204T160000Z",),
        ("DTSTART;TZID=Nowhere/Nope:20261204T160000", "DTEND:20261207T090000Z"),
        (*DAYS, "SEQUENCE:abc"),
        ("DTSTART;VALUE=DATE:99991231",),
    ],
)
def test_an_entry_that_cannot_be_read_is_not_guessed_and_nothing_counts_as_missing(lines: tuple[str, ...]) -> None:
    assert read(event(*lines)) == Reading(bookings=(), is_whole=False)


def test_of_two_entries_with_one_id_the_higher_revision_counts() -> None:
    later = event("DTSTART;VALUE=DATE:20261205", "DTEND;VALUE=DATE:20261208", "SEQUENCE:2")
    two = event(*DAYS, "SEQUENCE:1").replace("END:VCALENDAR", later.partition("VERSION:2.0\n")[2])
    (one,) = read(two).bookings
    assert one.starts == utc(5, 15)
    cancelled = two.replace("SEQUENCE:2", "SEQUENCE:2\nSTATUS:CANCELLED")
    assert read(cancelled).bookings == ()


def test_more_entries_than_a_home_can_have_are_cut_and_none_counts_as_missing() -> None:
    entry = event(*DAYS).partition("VERSION:2.0\n")[2].removesuffix("END:VCALENDAR\n")
    many = "".join(entry.replace("UID:1", f"UID:{n}") for n in range(MAX_BOOKINGS + 1))
    reading = read(f"BEGIN:VCALENDAR\nVERSION:2.0\n{many}END:VCALENDAR\n")
    assert (len(reading.bookings), reading.is_whole) == (MAX_BOOKINGS, False)


def test_an_empty_calendar_is_a_good_reading_without_bookings() -> None:
    assert read("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n") == Reading(bookings=())


def test_line_ends_a_byte_order_mark_and_bytes_of_another_encoding_do_not_matter() -> None:
    whole = read(AIRBNB)
    for data in (AIRBNB.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + AIRBNB.encode()):
        assert read(data) == whole
    assert len(read(AIRBNB.encode().replace(b"Reserved", b"R\xe9serv\xe9")).bookings) == 1


@pytest.mark.parametrize("cut", range(0, len(AIRBNB) - 14, 23))
def test_a_calendar_that_was_cut_off_is_no_calendar(cut: int) -> None:
    with pytest.raises(CalendarUnreadable):
        read(AIRBNB[:cut])


@pytest.mark.parametrize(
    "text",
    [
        "", "<!doctype html><p>Sign in", '{"ok": true}', AIRBNB + BOOKING, "BEGIN:VEVENT\nUID:1\nEND:VEVENT\n",
        "BEGIN:VCALENDAR\n" + "BEGIN:VEVENT\n" * 3000 + "END:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "\0" * 100,
    ],
    ids=range(8),
)  # fmt: skip
def test_what_is_not_one_calendar_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(CalendarUnreadable):
        read(text)


LINES = st.sampled_from([*AIRBNB.splitlines(), *BOOKING.splitlines(), "RRULE:FREQ=DAILY", "DTSTART:x", "UID", ":", " "])


@given(st.lists(LINES, max_size=30).map("\n".join) | st.text(max_size=200))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    try:
        reading = read(text)
    except CalendarUnreadable:
        return
    assert all(one.starts < one.ends and one.ends > NOW and one.guest for one in reading.bookings)
