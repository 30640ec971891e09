"""Stores the owner's messages, those that each phone must still receive, and the used one-time links."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.domain.now import Now
from gateway.storage.models import PhoneStatus, StoredMessage
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.records import read_records, to_micros

MAX_MESSAGES_PER_CALL = (
    200  # messages looked at in one call: the newest, so that what happens now never waits behind the past
)


def queue_message(connection: sqlite3.Connection, entrance: str, visit: str | None, body: bytes, now: Now) -> int:
    """Store a message to the owner before it is sent, and owe it to every phone; return its number."""
    row: tuple[int] = connection.execute(
        "INSERT INTO message (at, entrance, visit, body) VALUES (?, ?, ?, ?) RETURNING id",
        (to_micros(now.utc), entrance, visit, body),
    ).fetchone()
    connection.execute("INSERT INTO owed (phone, message) SELECT name, ? FROM phone", row)
    return row[0]


def mark_sent(connection: sqlite3.Connection, message: int, now: Now) -> None:
    """The broker has the message; what phones are owed is another matter (`outbox`)."""
    connection.execute("UPDATE message SET sent = ? WHERE id = ? AND sent IS NULL", (to_micros(now.utc), message))


def unsent_messages(connection: sqlite3.Connection) -> tuple[StoredMessage, ...]:
    """Messages that were stored and not sent, oldest first."""
    query = "SELECT id, at, entrance, visit, body FROM message WHERE sent IS NULL ORDER BY id"
    return read_records(connection, StoredMessage, query)


def messages_after(connection: sqlite3.Connection, after: int, *, at_most: int) -> tuple[StoredMessage, ...]:
    """Return the messages whose number is higher than `after`, newest first."""
    query = "SELECT id, at, entrance, visit, body FROM message WHERE id > ? ORDER BY id DESC LIMIT ?"
    return read_records(connection, StoredMessage, query, (after, at_most))


def set_recipients(connection: sqlite3.Connection, phones: Sequence[str], now: Now) -> None:
    """Owe each of these phones every message from now on. No others are owed any.

    What one that goes was still owed, those are owed that came only after it was said: the rest had it or are owed it.
    """
    known = {name for (name,) in connection.execute("SELECT name FROM phone").fetchall()}
    added = [(name, to_micros(now.utc)) for name in phones if name not in known]
    connection.executemany("INSERT INTO phone (name, since) VALUES (?, ?)", added)
    for gone in known - set(phones):
        connection.executemany(
            "INSERT OR IGNORE INTO owed (phone, message) SELECT p.name, o.message FROM owed o"
            " JOIN message m ON m.id = o.message JOIN phone p ON p.since > m.at WHERE o.phone = ? AND p.name = ?",
            [(gone, name) for name in phones],
        )
        connection.execute("DELETE FROM phone WHERE name = ?", (gone,))


def phone_statuses(connection: sqlite3.Connection) -> tuple[PhoneStatus, ...]:
    """How each phone stands."""
    query = (
        "SELECT name, language, tried, heard, reached, (SELECT count(*) FROM owed WHERE phone = name) AS waiting"
        " FROM phone"
    )
    return read_records(connection, PhoneStatus, query)


def record_attempt(connection: sqlite3.Connection, phone: str, result: str, now: Now, *, reached: bool) -> None:
    """A phone was told something, and this came of it."""
    connection.execute(
        "UPDATE phone SET tried = ?, heard = ?, reached = CASE WHEN ? THEN ? ELSE reached END WHERE name = ?",
        (to_micros(now.utc), result, reached, to_micros(now.utc), phone),
    )


def set_language(connection: sqlite3.Connection, phone: str, language: str | None) -> None:
    """A phone is told in this language, or in the house's. LookupError: no such phone."""
    if not connection.execute("UPDATE phone SET language = ? WHERE name = ?", (language, phone)).rowcount:
        raise LookupError("no such phone")


def pending_messages(
    connection: sqlite3.Connection, phone: str, now: Now, *, until: datetime
) -> tuple[StoredMessage, ...]:
    """What a phone is owed and nobody is trying, oldest first; of more than 200 the newest.

    What is held beyond `until`, further than anybody who starts now would hold it, was held by a clock that was wrong.
    """
    query = (
        "SELECT m.id, m.at, m.entrance, m.visit, m.body FROM owed o JOIN message m ON m.id = o.message"
        " WHERE o.phone = ? AND (o.held <= ? OR o.held > ?) ORDER BY o.message DESC LIMIT ?"
    )
    newest = (phone, to_micros(now.utc), to_micros(until), MAX_MESSAGES_PER_CALL)
    return read_records(connection, StoredMessage, query, newest)[::-1]


def claim_messages(
    connection: sqlite3.Connection, phone: str, messages: Iterable[int], now: Now, *, until: datetime
) -> frozenset[int]:
    """Take these messages to try them, until an instant; return those that nobody else had taken or told."""
    return frozenset(
        number
        for number in messages
        if connection.execute(
            "UPDATE owed SET held = ? WHERE phone = ? AND message = ? AND (held <= ? OR held > ?)",
            (to_micros(until), phone, number, to_micros(now.utc), to_micros(until)),
        ).rowcount
    )


def release_messages(connection: sqlite3.Connection, phone: str, messages: Iterable[int]) -> None:
    """The try failed: whoever comes next may try again at once."""
    connection.executemany(
        "UPDATE owed SET held = 0 WHERE phone = ? AND message = ?", [(phone, number) for number in messages]
    )


def mark_delivered(connection: sqlite3.Connection, phone: str, messages: Iterable[int]) -> None:
    """The phone has these messages."""
    connection.executemany("DELETE FROM owed WHERE phone = ? AND message = ?", [(phone, number) for number in messages])


def use_link(connection: sqlite3.Connection, nonce: bytes, expires: datetime, now: Now) -> bool:
    """Use a link; False: it was used before, or has expired.

    What has expired is forgotten, but only by a trusted clock: a wrong one that comes back would find it unused.
    """
    if now.trusted:
        expire_links(connection, now.utc)
    if now.utc >= expires:
        return False
    used = connection.execute(
        "INSERT OR IGNORE INTO used_link (nonce, expires) VALUES (?, ?)", (nonce, to_micros(expires))
    )
    return used.rowcount == 1


def is_link_used(connection: sqlite3.Connection, nonce: bytes) -> bool:
    """Whether a link was used and is not forgotten."""
    return connection.execute("SELECT 1 FROM used_link WHERE nonce = ?", (nonce,)).fetchone() is not None


def expire_links(connection: sqlite3.Connection, utc: datetime) -> None:
    """Forget used links that have expired by then."""
    connection.execute("DELETE FROM used_link WHERE expires < ?", (to_micros(utc),))


class Messages(StorePart):
    """The owner's messages: `Store.messages`."""

    unsent = reads(unsent_messages)
    mark_sent = writes(mark_sent)
    after = reads(messages_after)


class Phones(StorePart):
    """The owner's phones and what each must still receive: `Store.phones`."""

    set_recipients = writes(set_recipients)
    statuses = reads(phone_statuses)
    set_language = writes(set_language)
    record_attempt = writes(record_attempt)
    pending = reads(pending_messages)
    claim = writes(claim_messages)
    release = writes(release_messages)
    mark_delivered = writes(mark_delivered)
