"""Stores the bookings of calendars and other systems, and what they propose; an answer of the host is a transaction.

A reading adds proposals, moves proposals that nobody accepted, and counts what is missing. It touches nothing that the
host accepted.
"""

import json
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from gateway.domain.frozen import Frozen, replace
from gateway.domain.guests.bookings import (
    MAX_BOOKINGS,
    BookingNotice,
    Calendar,
    KnownBooking,
    Question,
    Reading,
    open_question,
    reconcile,
)
from gateway.domain.guests.passes import Pass, PassProblem, PassState, Stay, pass_code_digest, period_problem
from gateway.domain.now import Now
from gateway.domain.visit.commands import BOOKING_NOTIFICATIONS, Notification
from gateway.storage import guests, outbox
from gateway.storage.database import Database, record_of
from gateway.storage.part import StorePart, reads, writes

MAX_KNOWN = 2 * MAX_BOOKINGS  # bookings of one source that are not over; a source that invents more is not followed
MAX_NEW = 20  # new bookings of one reading, so that the log grows slowly; the next reading brings the rest


class Proposing(Frozen):
    """What a new booking of one source proposes: a pass for these entrances (none: no pass), and a stay.

    `tell_at`: the entrance that the messages to the host name as theirs; None: none is sent. `is_calendar`: the host
    added the source on the page, and nothing is stored of it once he has removed it.
    """

    source: str
    entrances: frozenset[str]
    stays: bool
    tell_at: str | None = None
    is_calendar: bool = False


class BookingMessage(Frozen):
    """A message to the host that was queued with a reading, and its number in the store."""

    about: Notification
    detail: str
    number: int


class BookingState(Frozen):
    """A booking, what it proposed, and what the host is asked. `held` or `stay` None: there is none any more."""

    booking: KnownBooking
    held: Pass | None
    stay: Stay | None
    question: Question | None

    @property
    def is_proposed(self) -> bool:
        """Return whether the host has still to accept it."""
        is_pass = self.held is not None and self.held.state is PassState.PROPOSED
        return is_pass or (self.stay is not None and self.stay.is_proposed)


def take_reading(db: Database, how: Proposing, reading: Reading, now: Now) -> tuple[BookingMessage, ...]:
    """Store a good reading of a source, and the messages about what is new in it, each once; return these.

    Nothing is read without trusted time.
    """
    if how.is_calendar and not db.exists("SELECT 1 FROM calendar WHERE id = ?", (how.source,)):
        return ()
    known = _known(db, "WHERE source = ?", (how.source,))
    before = {booking.key: booking for booking in known}
    news: dict[Notification, list[KnownBooking]] = {about: [] for about in BOOKING_NOTIFICATIONS}
    changed = list[str]()
    room = min(MAX_NEW, MAX_KNOWN - sum(booking.ends > now.utc for booking in known))
    for booking in reconcile(how.source, known, reading, now.utc):
        if booking.key in before:
            _save(db, booking)
            _move_proposals(db, booking)
            changed.append(booking.key)
        elif room > 0:
            room -= 1
            if _propose(db, how, booking, now):
                db.insert("booking", **vars(booking))
                news[Notification.BOOKING_PROPOSED].append(booking)
    for state in open_bookings(db, now) if changed else ():
        about = _news_of(before[state.booking.key], state) if state.booking.key in changed else None
        if about is not None:
            news[about].append(state.booking)
    return tuple(_tell(db, how.tell_at, about, told, now) for about, told in news.items() if told and how.tell_at)


def _news_of(before: KnownBooking, state: BookingState) -> Notification | None:
    """Return what a reading changed about a booking that the host neither declined nor withdrew; None: nothing."""
    booking = state.booking
    if state.question is Question.GONE:
        return Notification.BOOKING_GONE if before.missing < booking.missing else None
    has_moved = (before.starts, before.ends) != (booking.starts, booking.ends)
    return Notification.BOOKING_CHANGED if has_moved and (state.is_proposed or state.question is not None) else None


def _tell(db: Database, entrance: str, about: Notification, told: Sequence[KnownBooking], now: Now) -> BookingMessage:
    detail = BookingNotice.of(told).detail
    number = outbox.notify_owner(db, entrance, about, now, detail=detail)
    return BookingMessage(about=about, detail=detail, number=number)


def _propose(db: Database, how: Proposing, booking: KnownBooking, now: Now) -> bool:
    """Store what a new booking proposes; False: not now, such as a hundred are open already."""
    if period_problem(booking.starts, booking.ends, known=0, now=now) is not None:
        return False
    problems: list[PassProblem | None] = []
    if how.entrances:
        held = Pass(
            id=secrets.token_hex(6), version=1, guest=booking.guest, entrances=how.entrances, starts=booking.starts,
            ends=booking.ends, state=PassState.PROPOSED, proposed_by=booking.key,
        )  # fmt: skip
        problems.append(guests.add_pass(db, held, pass_code_digest(held, guests.guest_key(db)), now, by=None))
    if how.stays and problems in ([], [None]):
        stay = Stay(
            id=secrets.token_hex(6), guest=booking.guest, starts=booking.starts, ends=booking.ends,
            proposed_by=booking.key, is_proposed=True,
        )  # fmt: skip
        problems.append(guests.add_stay(db, stay, now, by=None))
    return None in problems


def _move_proposals(db: Database, booking: KnownBooking) -> None:
    times = (booking.starts, booking.ends, booking.key)
    db.execute("UPDATE guest_pass SET starts = ?, ends = ? WHERE proposed_by = ? AND state = 'proposed'", times)
    db.execute("UPDATE stay SET starts = ?, ends = ? WHERE proposed_by = ? AND is_proposed = 1", times)


def _save(db: Database, booking: KnownBooking) -> None:
    db.insert("booking", or_="REPLACE", **vars(booking))


def open_bookings(db: Database, now: Now) -> tuple[BookingState, ...]:
    """Return the bookings that are not over and that the host neither declined nor withdrew, the soonest first."""
    passes = {held.proposed_by: held for held in guests.open_passes(db, now)}
    stays = {stay.proposed_by: stay for stay in guests.open_stays(db, now)}
    states = (_state(booking, passes.get(booking.key), stays.get(booking.key)) for booking in _known(db))
    return tuple(state for state in states if state.held is not None or state.stay is not None)


def find_booking(db: Database, key: str, now: Now) -> BookingState | None:
    """Return one of them."""
    return next((state for state in open_bookings(db, now) if state.booking.key == key), None)


def _state(booking: KnownBooking, held: Pass | None, stay: Stay | None) -> BookingState:
    accepted: Sequence[tuple[datetime, datetime]] = [
        *([(held.starts, held.ends)] if held is not None and held.state is PassState.GRANTED else []),
        *([(stay.starts, stay.ends)] if stay is not None and not stay.is_proposed else []),
    ]
    others = [times for times in accepted if times != (booking.starts, booking.ends)]
    question = open_question(booking, next(iter((*others, *accepted)), None))
    return BookingState(booking=booking, held=held, stay=stay, question=question)


def answer_question(db: Database, key: str, now: Now) -> BookingState | None:
    """Store that the host leaves a booking as it is; return it as it was."""
    found = find_booking(db, key, now)
    if found is not None:
        _save(db, replace(found.booking, is_answered=True))
    return found


def move_booking(db: Database, key: str, now: Now, *, by: str | None) -> BookingState | PassProblem:
    """Give what the host accepted the dates that the source has now; return it as it was.

    The pass gets its next version, so the guest needs its new link, and its codes at keypads have to go.
    """
    found = find_booking(db, key, now)
    if found is None or found.question is not Question.MOVED:
        return PassProblem.UNKNOWN
    times = found.booking.starts, found.booking.ends
    problem = period_problem(*times, known=0, now=now)
    if problem is not None:
        return problem
    if found.held is not None:
        guests.move_pass(db, found.held, *times, now, by=by)
    if found.stay is not None:
        guests.move_stay(db, found.stay, *times, now, by=by)
    return found


def calendars(db: Database) -> tuple[Calendar, ...]:
    """Return the calendars that the host added on the page, by id."""
    rows = db.execute("SELECT id, address, arrival, departure, entrances FROM calendar ORDER BY id").fetchall()
    return tuple(
        Calendar(id=id_, address=address, arrival=arrival, departure=departure, entrances=frozenset(json.loads(names)))
        for id_, address, arrival, departure, names in rows
    )


def add_calendar(db: Database, new: Calendar, how: Proposing, reading: Reading, now: Now, *, by: str | None) -> bool:  # noqa: PLR0913 - what is added, what it brought, and who adds it
    """Store a calendar with its first reading; False: one of this id is there. The log does not get its address."""
    columns = {**vars(new), "entrances": json.dumps(sorted(new.entrances)), "added": now.utc, "by": by}
    if not db.insert("calendar", or_="IGNORE", **columns):
        return False
    db.log("calendar_added", now.utc, {"calendar": new.id}, by=by)
    take_reading(db, how, reading, now)
    return True


def remove_calendar(db: Database, ident: str, now: Now, *, by: str | None) -> bool:
    """Remove a calendar, with what it proposed and nobody accepted; False: there is none.

    What the host accepted stays, and so does what he declined: a calendar that is added again does not propose it.
    """
    if not db.execute("DELETE FROM calendar WHERE id = ?", (ident,)).rowcount:
        return False
    proposed = {
        *db.column("SELECT proposed_by FROM guest_pass WHERE state = 'proposed'"),
        *db.column("SELECT proposed_by FROM stay WHERE is_proposed = 1"),
    }
    for key in proposed.intersection(db.column("SELECT key FROM booking WHERE source = ?", (ident,))):
        db.execute("DELETE FROM guest_pass WHERE proposed_by = ? AND state = 'proposed'", (key,))
        db.execute("DELETE FROM stay WHERE proposed_by = ? AND is_proposed = 1", (key,))
        db.execute(
            "DELETE FROM booking WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM guest_pass WHERE proposed_by = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM stay WHERE proposed_by = ?1)",
            (key,),
        )
    db.log("calendar_removed", now.utc, {"calendar": ident}, by=by)
    return True


def _known(db: Database, rest: str = "", parameters: Sequence[object] = ()) -> tuple[KnownBooking, ...]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute(f"SELECT * FROM booking {rest} ORDER BY starts, key", parameters)  # noqa: S608 - our own text
    return tuple(record_of(KnownBooking, row) for row in rows)


class BookingStore(StorePart):
    """Bookings and the calendars that the host added: `Store.bookings`."""

    calendars = reads(calendars)
    add_calendar = writes(add_calendar)
    remove_calendar = writes(remove_calendar)
    take_reading = writes(take_reading)
    open = reads(open_bookings)
    find = reads(find_booking)
    answer = writes(answer_question)
    move = writes(move_booking, mark=True)
