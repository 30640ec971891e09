"""Decides what the bookings of a calendar, or of another system, propose. Pure.

A source proposes passes and stays, and asks the host. It never grants, ends or shortens anything: not by being empty,
gone or broken, and not by an entry that vanished.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum, auto
from hashlib import sha256
from typing import Self
from urllib.parse import urlsplit

from gateway.domain.frozen import Frozen, replace

MISSING_READINGS = 2  # good readings in a row without an entry before the host is asked about it
MAX_BOOKINGS = 200  # of one reading; a calendar of one home has some dozens
MAX_GUEST_CHARS = 60
MAX_CALENDARS = 20  # that the host adds on the page; one home has two or three
MAX_CALENDAR_ID_CHARS = 32
MAX_ADDRESS_CHARS = 2000
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class ReadingFailure(StrEnum):
    """Why a source could not be read. Nothing changes then."""

    FILE = auto()  # a file that the house file names cannot be read
    ADDRESS = auto()  # the address is none to which the box connects
    UNREACHABLE = auto()  # no connection, no valid certificate, or no answer in time
    STATUS = auto()  # an answer that is no success, or too many redirects
    CREDENTIALS = auto()  # 401 or 403
    TOO_LARGE = auto()
    UNREADABLE = auto()  # what came is no calendar, or not all of one
    CRASHED = auto()  # the reader was ended, or answered nonsense


class SourceStatus(Frozen):
    """How the last readings of a source went in this run. `why` None: the last one was good."""

    read_at: datetime | None = None
    why: ReadingFailure | None = None
    failed_since: datetime | None = None


class Booking(Frozen):
    """An entry of a source: somebody comes, from `starts` until `ends` (UTC). `uid`: its id there."""

    uid: str
    guest: str
    starts: datetime
    ends: datetime


class Reading(Frozen):
    """What one good reading of a source brought. Not `is_whole`: an entry could not be read, so none is missing."""

    bookings: tuple[Booking, ...]
    is_whole: bool = True


class KnownBooking(Frozen):
    """A booking as the box stores it. `missing`: good readings in a row without it.

    `is_answered`: the host answered the question about it as it is now.
    """

    key: str
    source: str
    guest: str
    starts: datetime
    ends: datetime
    missing: int = 0
    is_answered: bool = False


class Question(StrEnum):
    """What the host is asked about a booking."""

    GONE = auto()  # two good readings in a row did not have it
    MOVED = auto()  # its dates are others than those that the host accepted


class BookingNotice(Frozen):
    """What a message tells the host of a reading: its source, the soonest booking, and how many more it is about.

    It names no guest: a message goes to several phones and to the broker.
    """

    source: str
    starts: datetime
    ends: datetime
    more: int = 0

    @classmethod
    def of(cls, bookings: Sequence[KnownBooking]) -> Self:
        """Return the notice about some bookings of one source, at least one."""
        first = min(bookings, key=lambda one: (one.starts, one.key))
        return cls(source=first.source, starts=first.starts, ends=first.ends, more=len(bookings) - 1)

    @property
    def detail(self) -> str:
        """The notice as the detail of a message."""
        return f"{self.source} {self.starts.isoformat()} {self.ends.isoformat()} {self.more}"

    @classmethod
    def parse(cls, detail: str) -> Self:
        """Return the notice of a stored message. ValueError: it is none."""
        source, starts, ends, more = detail.split(" ")
        return cls(
            source=source, starts=datetime.fromisoformat(starts), ends=datetime.fromisoformat(ends), more=int(more)
        )


class Calendar(Frozen):
    """A calendar that the host added on the page: its `id` is the source of its bookings.

    `arrival`, `departure`: HH:MM of the house, for bookings of whole days. `entrances`: what a proposed pass opens;
    empty: every entrance that admits guests.
    """

    id: str
    address: str = field(repr=False)  # who knows it reads the calendar, so no log shows it
    arrival: str
    departure: str
    entrances: frozenset[str] = frozenset()

    @property
    def host(self) -> str:
        """The server of the address: all that is shown of it again."""
        return urlsplit(self.address).hostname or ""


class CalendarProblem(StrEnum):
    """Why a calendar is not added; what its server answers is a `ReadingFailure`."""

    NAME = auto()
    TAKEN = auto()
    HOURS = auto()
    TOO_MANY = auto()
    TOO_OFTEN = auto()  # one is being tried, or too many were tried in the last hour
    CLOCK_UNTRUSTED = auto()


def calendar_id(name: str) -> str:
    """Return the id of a calendar with a name that a person wrote, or nothing if no letter or digit is in it."""
    letters = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", letters))[:MAX_CALENDAR_ID_CHARS].strip("-")


def calendar_address(pasted: str) -> str:
    """Return an address as it is requested: platforms also give it as `webcal://`, which means HTTPS there."""
    address = "".join(pasted[: 2 * MAX_ADDRESS_CHARS].split())
    return f"https://{address[9:]}" if address.lower().startswith("webcal://") else address


def calendar_problem(new: Calendar, taken: Iterable[str], count: int) -> CalendarProblem | None:
    """Return why a calendar cannot be added beside the ids that are `taken` and `count` calendars of the page."""
    if not new.id:
        return CalendarProblem.NAME
    if new.id in taken:
        return CalendarProblem.TAKEN
    if not (_HOUR.fullmatch(new.arrival) and _HOUR.fullmatch(new.departure)):
        return CalendarProblem.HOURS
    return CalendarProblem.TOO_MANY if count >= MAX_CALENDARS else None


def booking_key(source: str, uid: str) -> str:
    """Return the key of a booking: the source's id and a digest, because a uid from outside has any length."""
    return f"{source}:{sha256(uid.encode(errors='replace')).hexdigest()[:24]}"


def reconcile(source: str, known: Iterable[KnownBooking], reading: Reading, at: datetime) -> tuple[KnownBooking, ...]:
    """Return the bookings that are new or changed after a good reading at `at` (UTC). A past one changes no more."""
    before = {booking.key: booking for booking in known if booking.ends > at}
    found: dict[str, KnownBooking] = {}
    for entry in reading.bookings:
        if entry.ends > at:
            key = booking_key(source, entry.uid)
            found[key] = KnownBooking(key=key, source=source, guest=entry.guest, starts=entry.starts, ends=entry.ends)
    changed = [_seen(before.get(key), booking) for key, booking in found.items()]
    gone = (booking for key, booking in before.items() if key not in found) if reading.is_whole else ()
    changed += [_missed(booking) for booking in gone if booking.missing < MISSING_READINGS]
    return tuple(booking for booking in changed if booking != before.get(booking.key))


def _seen(before: KnownBooking | None, found: KnownBooking) -> KnownBooking:
    """Return a booking that is there; what the host answered holds while nothing about it changes."""
    if before is None or before.missing or (before.starts, before.ends) != (found.starts, found.ends):
        return found
    return replace(before, guest=found.guest)


def _missed(booking: KnownBooking) -> KnownBooking:
    """Return a booking that one more good reading lacked; an answer about its dates says nothing about that."""
    missing = booking.missing + 1
    return replace(booking, missing=missing, is_answered=booking.is_answered and missing < MISSING_READINGS)


def open_question(booking: KnownBooking, accepted: tuple[datetime, datetime] | None) -> Question | None:
    """Return what the host is asked about a booking; `accepted`: the times of the pass or stay that he accepted."""
    if booking.is_answered:
        return None
    if booking.missing >= MISSING_READINGS:
        return Question.GONE
    return Question.MOVED if accepted not in (None, (booking.starts, booking.ends)) else None


def guest_name(text: str, otherwise: str) -> str:
    """Return a name of a guest out of a text from outside: one line, printable, not too long."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:1000]).split())
    return words[:MAX_GUEST_CHARS].strip() or otherwise[:MAX_GUEST_CHARS]


def is_bookable(starts: datetime, ends: datetime, longest: timedelta) -> bool:
    """Return whether an entry can be a booking at all."""
    return timedelta() < ends - starts <= longest
