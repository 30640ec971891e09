"""Calendars that the host adds on the page: tried, stored, read again, removed; on a real store."""

import sys
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
import structlog

from gateway.config.bookings import IcsSource
from gateway.domain.frozen import replace
from gateway.domain.guests.bookings import Booking, Calendar, CalendarProblem, Reading, ReadingFailure
from gateway.domain.guests.passes import PassState
from gateway.protocol.booking_reader import ReadSource, SourceRead
from gateway.runtime.bookings import BookingReader, proposing
from gateway.runtime.calendars import MAX_TRIES_PER_HOUR, CalendarService
from gateway.storage.audit_log import bodies_of_kind
from tests.gateway.runtime.test_guests import guest_home
from tests.shell.box import ShellBox, box

AIRBNB = Calendar(
    id="airbnb", address="https://www.airbnb.example/ical/1.ics?s=secret", arrival="16:00", departure="11:00"
)


@pytest_asyncio.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, guest_home(tmp_path)) as made:
        yield made


def answering(folder: Path, reading: Reading) -> Sequence[str]:
    """A reader that keeps what it was asked, and answers this."""
    answer = folder / "answer.json"
    answer.write_text(SourceRead.of(reading).model_dump_json())
    program = (
        "import pathlib, sys; pathlib.Path(sys.argv[2]).write_bytes(sys.stdin.buffer.read());"
        "print(pathlib.Path(sys.argv[1]).read_text())"
    )
    return sys.executable, "-I", "-S", "-c", program, str(answer), str(folder / "asked.json")


def booked(made: ShellBox, uid: str = "a", days: float = 2) -> Booking:
    starts = made.clock.now().utc + timedelta(days=days)
    return Booking(uid=uid, guest="Anna", starts=starts, ends=starts + timedelta(days=3))


async def added(made: ShellBox, folder: Path, *bookings: Booking) -> CalendarService:
    service = CalendarService(
        made.home, made.store, made.clock, command=answering(folder, Reading(bookings=bookings))
    )  # fmt: skip
    assert isinstance(await service.add(AIRBNB, "anna"), Reading)
    return service


async def test_a_calendar_is_tried_kept_and_proposes_at_once_without_a_message(made: ShellBox, tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        await added(made, tmp_path, booked(made))
    asked = ReadSource.model_validate_json((tmp_path / "asked.json").read_text())
    assert (asked.kind, asked.address, asked.private, asked.arrival) == ("ics", AIRBNB.address, False, "16:00")
    assert made.store.bookings.calendars() == (AIRBNB,)
    (state,) = made.store.bookings.open(made.clock.now())
    assert state.is_proposed
    assert made.store.messages.unsent() == ()
    logged = bodies_of_kind(made.store.bookings.reader(), "calendar_added")
    assert logged
    assert "secret" not in f"{lines}{logged}"


async def test_an_address_in_the_house_is_refused_by_the_process_that_reads_and_not_kept(made: ShellBox) -> None:
    service = CalendarService(made.home, made.store, made.clock)
    for address in ("https://127.0.0.1:8642/", "https://[::1]/1.ics", "http://ical.example/1.ics", "file:///etc/hosts"):
        assert await service.add(replace(AIRBNB, address=address), "anna") is ReadingFailure.ADDRESS, address
    assert made.store.bookings.calendars() == ()


async def test_a_calendar_that_cannot_be_read_or_has_a_name_of_the_house_file_is_not_kept(
    made: ShellBox, tmp_path: Path
) -> None:
    crashing = CalendarService(made.home, made.store, made.clock, command=(sys.executable, "-c", "raise SystemExit(1)"))
    assert await crashing.add(AIRBNB, "anna") is ReadingFailure.CRASHED
    home = made.home.model_copy(update={"bookings": {"airbnb": IcsSource(kind="ics", file=tmp_path / "a.ics")}})
    service = CalendarService(home, made.store, made.clock, command=answering(tmp_path, Reading(bookings=())))
    assert await service.add(AIRBNB, "anna") is CalendarProblem.TAKEN
    assert made.store.bookings.calendars() == ()


async def test_so_many_addresses_are_tried_in_an_hour_and_no_more(made: ShellBox) -> None:
    service = CalendarService(made.home, made.store, made.clock, command=("/no/program",))
    for _ in range(MAX_TRIES_PER_HOUR):
        assert await service.add(AIRBNB, "anna") is ReadingFailure.CRASHED
    assert await service.add(AIRBNB, "anna") is CalendarProblem.TOO_OFTEN
    made.time.mono += 3601
    assert await service.add(AIRBNB, "anna") is ReadingFailure.CRASHED


async def test_a_calendar_of_the_page_is_read_again_and_tells_what_is_new(made: ShellBox, tmp_path: Path) -> None:
    await added(made, tmp_path, booked(made))
    command = answering(tmp_path, Reading(bookings=(booked(made), booked(made, "b", 9))))
    reader = BookingReader(
        made.home, made.store, made.clock, made.office, on_change=lambda: None, command=command
    )  # fmt: skip
    await reader.read("airbnb")
    assert len(made.store.bookings.open(made.clock.now())) == 2
    assert len(made.store.messages.unsent()) == 1
    await reader.read("unknown")


async def test_removing_a_calendar_takes_its_proposals_and_leaves_what_was_accepted_or_declined(
    made: ShellBox, tmp_path: Path
) -> None:
    bookings = [booked(made, uid, days) for uid, days in (("a", 2), ("b", 9), ("c", 19))]
    service = await added(made, tmp_path, *bookings)
    accepted, declined, _open = made.store.bookings.open(made.clock.now())
    guests = made.reception.guests
    assert await guests.accept_booking(accepted.booking.key, "anna") is None
    assert await guests.withdraw_booking(declined.booking.key, "anna") is None
    assert await service.remove("airbnb", "anna")
    assert not await service.remove("airbnb", "anna")
    (left,) = made.store.bookings.open(made.clock.now())
    assert (left.booking.key, left.is_proposed) == (accepted.booking.key, False)
    assert {one.state for one in made.store.guests.passes()} == {PassState.GRANTED, PassState.REVOKED}
    assert len(made.store.guests.stays()) == 1
    assert "airbnb" not in made.store.booking_sources
    await added(made, tmp_path, *bookings)
    proposed = [one for one in made.store.bookings.open(made.clock.now()) if one.is_proposed]
    assert [one.booking.starts for one in proposed] == [bookings[2].starts], "what was declined is not proposed again"


async def test_a_reading_that_ends_after_the_removal_stores_nothing(made: ShellBox, tmp_path: Path) -> None:
    service = await added(made, tmp_path)
    command = answering(tmp_path, Reading(bookings=(booked(made),)))
    reader = BookingReader(
        made.home, made.store, made.clock, made.office, on_change=lambda: None, command=command
    )  # fmt: skip
    ask = reader._ask  # noqa: SLF001 - the removal has to come while the process reads

    async def removed_meanwhile(id_: str, source: IcsSource | Calendar) -> object:
        answer = await ask(id_, source)
        await service.remove(id_, "anna")
        return answer

    reader._ask = removed_meanwhile  # type: ignore[method-assign,assignment]  # noqa: SLF001 - the same
    await reader.read("airbnb")
    assert made.store.bookings.open(made.clock.now()) == ()
    assert made.store.booking_sources == {}
    how = proposing(made.home, "airbnb", AIRBNB)
    assert await made.store.bookings.take_reading(how, Reading(bookings=(booked(made),)), made.clock.now()) == ()
    assert made.store.bookings.open(made.clock.now()) == ()
