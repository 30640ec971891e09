"""Stores the pending messages of each phone, and the used one-time links."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.domain.now import Now
from gateway.storage.audit_log import from_micros, to_micros
from gateway.storage.models import PhoneStatus, StoredMessage

MAX_MESSAGES_PER_CALL = (
    200  # messages looked at in one call: the newest, so that what happens now never waits behind the past
)


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
    rows = connection.execute(
        "SELECT name, language, tried, heard, reached, (SELECT count(*) FROM owed WHERE phone = name) FROM phone"
    )
    return tuple(
        PhoneStatus(
            name=name,
            language=language,
            tried=None if tried is None else from_micros(tried),
            heard=heard,
            reached=None if reached is None else from_micros(reached),
            waiting=waiting,
        )
        for name, language, tried, heard, reached, waiting in rows
    )


def record_attempt(connection: sqlite3.Connection, phone: str, heard: str, now: Now, *, reached: bool) -> None:
    """A phone was told something, and this came of it."""
    connection.execute(
        "UPDATE phone SET tried = ?, heard = ?, reached = CASE WHEN ? THEN ? ELSE reached END WHERE name = ?",
        (to_micros(now.utc), heard, reached, to_micros(now.utc), phone),
    )


def set_language(connection: sqlite3.Connection, phone: str, language: str | None) -> None:
    """A phone is told in this language, or in the house's. LookupError: no such phone."""
    if not connection.execute("UPDATE phone SET language = ? WHERE name = ?", (language, phone)).rowcount:
        raise LookupError("no such phone")


def enqueue(connection: sqlite3.Connection, message: int) -> None:
    """Owe a message to every phone, in the transaction that stores it."""
    connection.execute("INSERT INTO owed (phone, message) SELECT name, ? FROM phone", (message,))


def pending_messages(
    connection: sqlite3.Connection, phone: str, now: Now, until: datetime
) -> tuple[StoredMessage, ...]:
    """What a phone is owed and nobody is trying, oldest first; of more than 200 the newest.

    What is held beyond `until`, further than anybody who starts now would hold it, was held by a clock that was wrong.
    """
    found = connection.execute(
        "SELECT m.id, m.at, m.entrance, m.visit, m.body FROM owed o JOIN message m ON m.id = o.message"
        " WHERE o.phone = ? AND (o.held <= ? OR o.held > ?) ORDER BY o.message DESC LIMIT ?",
        (phone, to_micros(now.utc), to_micros(until), MAX_MESSAGES_PER_CALL),
    ).fetchall()
    return tuple(
        StoredMessage(id=number, at=from_micros(micros), entrance=entrance, visit=visit, body=body)
        for number, micros, entrance, visit, body in reversed(found)
    )


def claim_messages(
    connection: sqlite3.Connection, phone: str, messages: Iterable[int], now: Now, until: datetime
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
