"""A calendar proposes, the host accepts, and no calendar ends or shortens anything: real store, process and server."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from gateway.config.bookings import IcsSource, SeamSource
from gateway.config.home import Home
from gateway.config.validation import find_problems
from gateway.domain.delivery.permission import DAYS
from gateway.domain.frozen import replace
from gateway.domain.guests.bookings import Booking, Question, Reading, ReadingFailure
from gateway.domain.guests.passes import Pass, PassProblem, PassState, Stay
from gateway.domain.guests.provisioning import CodeState
from gateway.domain.visit.commands import Notification
from gateway.protocol.booking_reader import MAX_ANSWER_BYTES, SourceRead
from gateway.runtime.bookings import MAX_MESSAGES_PER_DAY, BookingReader, run_reader
from gateway.runtime.guests import NewPass
from gateway.runtime.maintenance.handover import finish_handover
from gateway.runtime.notifications.composer import MessageComposer
from gateway.storage.bookings import MAX_KNOWN, MAX_NEW, BookingState, Proposing
from gateway.storage.handover import TASK_RENEW_LINKS
from tests.calendarserver import CalendarServer, calendar_server
from tests.gateway.runtime.test_guests import PAD, guest_home
from tests.shell.box import ShellBox, box

HOW = Proposing(source="airbnb", entrances=frozenset({"front"}), stays=True, tell_at="front")
EMPTY = Reading(bookings=())


@pytest_asyncio.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, guest_home(tmp_path, keypads=(PAD,))) as made:
        yield made


def booked(made: ShellBox, *, days: float = 2, nights: float = 3, uid: str = "a", guest: str = "Anna") -> Booking:
    starts = made.clock.now().utc + timedelta(days=days)
    return Booking(uid=uid, guest=guest, starts=starts, ends=starts + timedelta(days=nights))


async def take(made: ShellBox, *bookings: Booking, is_whole: bool = True) -> list[Notification]:
    """What the host is told of this reading."""
    reading = Reading(bookings=bookings, is_whole=is_whole)
    return [one.about for one in await made.store.bookings.take_reading(HOW, reading, made.clock.now())]


def only(made: ShellBox) -> BookingState:
    (state,) = made.store.bookings.open(made.clock.now())
    return state


def held_times(made: ShellBox) -> tuple[object, ...]:
    """What the host relies on: the pass, its code at the keypad, and the stay."""
    guests = made.store.guests
    passes = [(one.state, one.version, one.starts, one.ends) for one in guests.passes()]
    codes = [(one.state, one.ends) for one in guests.live_codes()]
    return tuple(passes), tuple(codes), tuple(guests.stays_of("front"))


async def test_a_booking_proposes_a_pass_and_a_stay_that_change_nothing_until_the_host_accepts(made: ShellBox) -> None:
    await take(made, booked(made))
    state = only(made)
    assert state.is_proposed
    assert state.held is not None
    assert (state.held.state, state.held.guest) == (PassState.PROPOSED, "Anna")
    assert made.store.guests.stays_of("front") == ()
    assert made.store.guests.live_codes() == ()
    assert await made.reception.guests.accept_booking(state.booking.key, "anna") is None
    accepted = only(made)
    assert not accepted.is_proposed
    assert accepted.held is not None
    assert accepted.held.state is PassState.GRANTED
    (stay,) = made.store.guests.stays_of("front")
    assert (stay.start, stay.end) == (state.booking.starts, state.booking.ends)
    (code,) = made.store.guests.live_codes()
    assert (code.starts, code.ends) == (stay.start, stay.end)


async def test_a_calendar_that_is_empty_broken_or_gone_ends_and_shortens_nothing(made: ShellBox) -> None:
    booking = booked(made)
    await take(made, booking)
    await made.reception.guests.accept_booking(only(made).booking.key, "anna")
    before = held_times(made)
    await take(made, booking, is_whole=False)
    await take(made, is_whole=False)
    assert only(made).booking.missing == 0
    for _ in range(5):
        await take(made)
        assert held_times(made) == before
    assert only(made).question is Question.GONE
    shorter = replace(booking, ends=booking.ends - timedelta(days=2))
    await take(made, shorter)
    assert held_times(made) == before
    assert only(made).question is Question.MOVED
    await take(made, booking)
    assert (only(made).question, held_times(made)) == (None, before)


async def test_a_question_is_answered_by_keeping_or_by_withdrawing(made: ShellBox) -> None:
    guests = made.reception.guests
    booking = booked(made)
    await take(made, booking)
    key = only(made).booking.key
    await guests.accept_booking(key, "anna")
    for _ in range(2):
        await take(made)
    assert await guests.keep_booking(key) is None
    assert only(made).question is None
    await take(made)
    assert only(made).question is None, "it is not asked again"
    assert await guests.withdraw_booking(key, "anna") is None
    assert made.store.bookings.open(made.clock.now()) == ()
    assert made.store.guests.stays_of("front") == ()
    assert {one.state for one in made.store.guests.passes()} == {PassState.REVOKED}
    await take(made, booking)
    assert made.store.bookings.open(made.clock.now()) == (), "and is not proposed again"
    assert await guests.withdraw_booking(key, "anna") is PassProblem.UNKNOWN


async def test_the_host_takes_other_dates_over_and_the_guest_gets_another_code(made: ShellBox) -> None:
    guests = made.reception.guests
    await take(made, booked(made))
    key = only(made).booking.key
    await guests.accept_booking(key, "anna")
    (first,) = made.store.guests.passes()
    link = guests.page(first)
    longer = booked(made, nights=5)
    await take(made, longer)
    assert await guests.move_booking(key, "anna") is None
    (second,) = made.store.guests.passes()
    assert (second.starts, second.ends, second.version) == (longer.starts, longer.ends, first.version + 1)
    assert guests.page(second) != link
    (stay,) = made.store.guests.stays_of("front")
    assert stay.end == longer.ends
    codes = made.store.guests.codes_of(second.id)
    assert sorted(code.state for code in codes) == [CodeState.WANTED, CodeState.WITHDRAWN]
    assert only(made).question is None
    assert await guests.move_booking(key, "anna") is PassProblem.UNKNOWN


async def test_a_proposal_that_nobody_accepted_follows_the_calendar(made: ShellBox) -> None:
    await take(made, booked(made))
    moved = booked(made, days=4)
    await take(made, moved)
    state = only(made)
    assert state.held is not None
    assert state.stay is not None
    assert {state.held.starts, state.stay.starts} == {moved.starts}


async def test_a_source_that_invents_bookings_fills_nothing(made: ShellBox) -> None:
    for n in range(12):
        await take(made, *(booked(made, uid=f"{n}-{m}", days=1 + m) for m in range(100)))
        assert len(made.store.bookings.open(made.clock.now())) <= MAX_NEW * (n + 1), "some of each reading"
    assert len(made.store.bookings.open(made.clock.now())) == 100
    assert (made.store.bookings.reader().value(int, "SELECT count(*) FROM booking") or 0) <= MAX_KNOWN


async def test_a_source_that_invents_bookings_takes_no_room_of_the_host_or_of_another_source(made: ShellBox) -> None:
    for n in range(12):
        await take(made, *(booked(made, uid=f"{n}-{m}", days=1 + m) for m in range(100)))
    now, guests = made.clock.now(), made.reception.guests
    ends = now.utc + timedelta(days=2)
    new = NewPass(
        guest="Anna", entrances=frozenset({"front"}), starts=now.utc, ends=ends, days=frozenset(DAYS)
    )  # fmt: skip
    assert isinstance(await guests.grant(new, "claire"), Pass)
    assert await guests.plan_stay(Stay(id="own", guest="Anna", starts=now.utc, ends=ends), "claire") is None
    other = replace(HOW, source="seam")
    await made.store.bookings.take_reading(other, Reading(bookings=(booked(made, uid="x"),)), now)
    (proposed,) = [one for one in made.store.bookings.open(now) if one.booking.source == "seam"]
    assert proposed.held is not None
    assert proposed.stay is not None


async def test_bookings_that_are_over_are_forgotten_with_the_rest(made: ShellBox) -> None:
    await take(made, booked(made))
    await made.store.forget(made.clock.now(), before=made.clock.now().utc + timedelta(days=90))
    assert made.store.bookings.reader().value(int, "SELECT count(*) FROM booking") == 0


# ---- what the host is told -------------------------------------------------------------------------------------------


def told(made: ShellBox) -> list[str]:
    """The texts of the stored messages, as a phone gets them after a restart too, oldest first."""
    composer = MessageComposer(made.home, made.store)
    stored = made.store.messages.after(0, at_most=100)[::-1]
    composed = [composer.recompose(one, made.clock.now()) for one in stored]
    return [one.words("en") for one in composed if one is not None]


async def test_the_host_is_told_once_of_a_booking_of_its_other_dates_and_that_it_is_gone(made: ShellBox) -> None:
    first, second = booked(made, guest="Anna Schmidt"), booked(made, days=9, uid="b", guest="Bert Meyer")
    moved = replace(first, ends=first.ends + timedelta(days=1))
    for reading, heard in (
        ((first, second), [Notification.BOOKING_PROPOSED]),
        ((first, second), []),
        ((moved, second), [Notification.BOOKING_CHANGED]),
        ((moved, second), []),
        ((moved,), []),
        ((moved,), [Notification.BOOKING_GONE]),
        ((moved,), []),
    ):
        assert await take(made, *reading) == heard, reading
    texts = told(made)
    assert [text.partition(":")[0] for text in texts] == [
        "New booking from airbnb", "Other dates for a booking from airbnb",
        "A booking is not listed any more by airbnb",
    ]  # fmt: skip
    assert "and 1 more" in texts[0]
    assert not any("Anna" in text or "Bert" in text for text in texts), "a message names no guest"
    local = first.starts.astimezone(ZoneInfo(made.home.timezone))
    assert f"{local:%H:%M}" in texts[0]
    assert len(made.store.messages.unsent()) == len(texts), "they wait for phones and broker after a restart too"


async def test_a_booking_that_the_host_accepted_is_told_only_if_it_is_a_question(made: ShellBox) -> None:
    booking = booked(made)
    longer = replace(booking, ends=booking.ends + timedelta(days=2))
    await take(made, booking)
    key = only(made).booking.key
    await made.reception.guests.accept_booking(key, "anna")
    assert await take(made, longer) == [Notification.BOOKING_CHANGED]
    assert await take(made, booking) == [], "as it was accepted"
    assert await take(made, longer) == [Notification.BOOKING_CHANGED]
    assert await made.reception.guests.keep_booking(key) is None
    assert [await take(made), await take(made)] == [[], [Notification.BOOKING_GONE]], "another question"
    assert await made.reception.guests.keep_booking(key) is None
    assert await take(made) == []


async def test_the_host_hears_nothing_more_of_a_booking_that_he_declined(made: ShellBox) -> None:
    booking = booked(made)
    await take(made, booking)
    await made.reception.guests.withdraw_booking(only(made).booking.key, "anna")
    assert await take(made, replace(booking, ends=booking.ends + timedelta(days=2))) == []
    assert [await take(made), await take(made)] == [[], []]


async def test_a_calendar_that_changes_all_the_time_sends_ten_messages_a_day_and_no_more(
    made: ShellBox, tmp_path: Path
) -> None:
    file = tmp_path / "a.ics"
    home = made.home.model_copy(update={"bookings": {"airbnb": IcsSource(kind="ics", file=file)}})
    program = "import pathlib, sys; print(pathlib.Path(sys.argv[1]).read_text())"
    command = (sys.executable, "-I", "-S", "-c", program, str(file))
    reader = BookingReader(
        home, made.store, made.clock, made.office, on_change=lambda: None, command=command
    )  # fmt: skip
    booking = booked(made)
    for n in range(MAX_MESSAGES_PER_DAY + 3):
        booking = replace(booking, ends=booking.ends + timedelta(days=1 if n % 2 else -1))
        file.write_text(SourceRead.of(Reading(bookings=(booking,))).model_dump_json())
        await reader.read("airbnb")
    assert MAX_MESSAGES_PER_DAY - 3 <= len(told(made)) <= MAX_MESSAGES_PER_DAY
    assert only(made).booking.ends == booking.ends, "the page has the last dates all the same"


# ---- the process that reads -----------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[CalendarServer]:
    (tmp_path / "server").mkdir()
    async with calendar_server(tmp_path / "server") as server:
        yield server


def calendar(starts: datetime) -> bytes:
    days = (starts, starts + timedelta(days=3))
    lines = (f"{name};VALUE=DATE:{day:%Y%m%d}" for name, day in zip(("DTSTART", "DTEND"), days, strict=True))
    text = "\r\n".join(("BEGIN:VEVENT", "UID:1@airbnb.com", *lines, "SUMMARY:Reserved", "END:VEVENT"))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{text}\r\nEND:VCALENDAR\r\n".encode()


def home_with(home: Home, server: CalendarServer, folder: Path) -> Home:
    address = folder / "airbnb.address"
    address.write_text(f"{server.url}/1.ics?s=secret\n")
    source = IcsSource(kind="ics", address_file=address, private=True, authority=server.authority)
    return home.model_copy(update={"bookings": {"airbnb": source}})


async def test_a_calendar_on_a_server_is_read_by_a_process_and_proposed(
    made: ShellBox, server: CalendarServer, tmp_path: Path
) -> None:
    changed: list[None] = []
    statuses = made.store.booking_sources
    reader = BookingReader(
        home_with(made.home, server, tmp_path), store=made.store, clock=made.clock,
        outbox=made.office, on_change=lambda: changed.append(None),
    )  # fmt: skip
    server.texts["/1.ics"] = calendar(made.clock.now().utc + timedelta(days=2))
    await reader.read("airbnb")
    state = only(made)
    assert (state.is_proposed, state.booking.guest) == (True, "airbnb")
    assert [status.why for status in statuses.values()] == [None]
    assert changed
    server.texts["/1.ics"] = b"<html>"
    before = held_times(made)
    await reader.read("airbnb")
    assert [status.why for status in statuses.values()] == [ReadingFailure.UNREADABLE]
    assert all(status.failed_since is not None for status in statuses.values())
    assert (only(made), held_times(made)) == (state, before)


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(1)",
        "import os; os.kill(os.getpid(), 9)",
        "print('{}')",
        'print(\'{"kind": "read", "bookings": [{"uid": "1"}], "is_whole": true}\')',
        f'print(\' \' * {MAX_ANSWER_BYTES} + \'{{"kind": "read", "bookings": [], "is_whole": true}}\')',
        "import time; time.sleep(60)",
    ],
    ids=["fails", "killed", "nothing", "half a booking", "too much", "hangs"],
)
async def test_a_process_that_dies_lies_or_hangs_is_a_failed_reading(
    made: ShellBox, tmp_path: Path, program: str
) -> None:
    file = tmp_path / "a.ics"
    file.write_bytes(b"")
    home = made.home.model_copy(update={"bookings": {"airbnb": IcsSource(kind="ics", file=file)}})
    command = (sys.executable, "-I", "-S", "-c", program)
    if "sleep" in program:
        assert await run_reader(command, b"", timeout_s=0.3) == b""
        return
    reader = BookingReader(
        home, store=made.store, clock=made.clock, outbox=made.office, on_change=lambda: None, command=command
    )
    await reader.read("airbnb")
    assert made.store.booking_sources["airbnb"].why is ReadingFailure.CRASHED
    assert made.store.bookings.open(made.clock.now()) == ()


async def test_a_program_that_cannot_be_started_or_a_file_that_cannot_be_read_is_a_failed_reading(
    made: ShellBox, tmp_path: Path
) -> None:
    missing = IcsSource(kind="ics", address_file=tmp_path / "none")
    home = made.home.model_copy(update={"bookings": {"airbnb": missing}})
    reader = BookingReader(
        home, store=made.store, clock=made.clock, outbox=made.office, on_change=lambda: None, command=("/no/program",)
    )
    await reader.read("airbnb")
    (tmp_path / "none").write_text("https://calendars.example/1.ics")
    first = made.store.booking_sources["airbnb"].why
    await reader.read("airbnb")
    second = made.store.booking_sources["airbnb"].why
    assert (first, second) == (ReadingFailure.FILE, ReadingFailure.CRASHED)


async def test_nothing_is_read_without_trusted_time(made: ShellBox, server: CalendarServer, tmp_path: Path) -> None:
    read = made.clock.now
    made.clock.now = lambda: replace(read(), trusted=False)  # type: ignore[method-assign]  # its clock is not set
    home = home_with(made.home, server, tmp_path)
    reader = BookingReader(home, store=made.store, clock=made.clock, outbox=made.office, on_change=lambda: None)
    await reader.read("airbnb")
    assert server.asked == []


async def test_every_source_is_read_in_its_interval(made: ShellBox, tmp_path: Path) -> None:
    file = tmp_path / "a.ics"
    file.write_bytes(b"")
    sources = {name: IcsSource(kind="ics", file=file) for name in ("one", "two")}
    home, asked = made.home.model_copy(update={"bookings": sources}), list[str]()
    reader = BookingReader(home, store=made.store, clock=made.clock, outbox=made.office, on_change=lambda: None)

    async def note(id_: str) -> None:
        asked.append(id_)
        if len(asked) == 2:
            running.cancel()

    reader.read = note  # type: ignore[method-assign]  # which sources are due is all that is tried here
    made.time.mono += 11
    running = asyncio.create_task(reader.run())
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asked == ["one", "two"]


def test_a_source_names_one_place_of_its_calendar_and_entrances_that_admit_guests(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="address_file or file"):
        IcsSource(kind="ics")
    home = guest_home(tmp_path)
    source = IcsSource(kind="ics", file=tmp_path / "a.ics", entrances=("front", "garage"))
    wrong = home.model_copy(update={"bookings": {"airbnb": source}})
    assert [problem.loc for problem in find_problems(wrong) if "bookings" in problem.loc] == [
        ("bookings", "airbnb", "entrances", 1)
    ]


async def test_the_next_owner_of_the_house_reads_no_bookings_of_the_former_one(made: ShellBox, tmp_path: Path) -> None:
    address, key = tmp_path / "airbnb.address", tmp_path / "seam.key"
    for file in (address, key):
        file.write_text("secret\n")
    sources = {"airbnb": IcsSource(kind="ics", address_file=address), "seam": SeamSource(kind="seam", key_file=key)}
    home = made.home.model_copy(update={"bookings": sources})
    await made.store.handover.set_task(TASK_RENEW_LINKS, "new")
    await finish_handover(home, made.store)
    assert [address.read_text(), key.read_text()] == ["", ""]
