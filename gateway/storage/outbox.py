"""Stores the owner's messages, those that each phone must still receive, and the used one-time links."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.storage.models import PhoneStatus, StoredMessage
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.records import read_records

MAX_MESSAGES_PER_CALL = 200  # the newest: a present event never waits behind old ones


def queue_message(connection: sqlite3.Connection, entrance: str, visit: str | None, body: bytes, now: Now) -> int:
    """Store a message to the owner, for every phone, before it is sent; return its number."""
    row: tuple[int] = connection.execute(
        "INSERT INTO message (at, entrance, visit, body) VALUES (?, ?, ?, ?) RETURNING id",
        (now.utc, entrance, visit, body),
    ).fetchone()
    connection.execute("INSERT INTO owed (phone, message) SELECT name, ? FROM phone", row)
    return row[0]


def notify_owner(
    connection: sqlite3.Connection, entrance: str, notification: Notification, now: Now, **details: str
) -> int:
    """Queue a notification to the owner that no decision of an entrance makes; return the message's number."""
    command = {"command": "Tell", "saying": notification.value, **details}
    return queue_message(connection, entrance, None, json.dumps(command).encode(), now)


def mark_sent(connection: sqlite3.Connection, message: int, now: Now) -> None:
    """Store that the broker has the message; the phones' copies are separate."""
    connection.execute("UPDATE message SET sent = ? WHERE id = ? AND sent IS NULL", (now.utc, message))


def unsent_messages(connection: sqlite3.Connection) -> tuple[StoredMessage, ...]:
    """Return the messages that the broker does not have, oldest first."""
    query = "SELECT id, at, entrance, visit, body FROM message WHERE sent IS NULL ORDER BY id"
    return read_records(connection, StoredMessage, query)


def messages_after(connection: sqlite3.Connection, after: int, *, at_most: int) -> tuple[StoredMessage, ...]:
    """Return the messages whose number is higher than `after`, newest first."""
    query = "SELECT id, at, entrance, visit, body FROM message WHERE id > ? ORDER BY id DESC LIMIT ?"
    return read_records(connection, StoredMessage, query, (after, at_most))


def set_recipients(connection: sqlite3.Connection, phones: Sequence[str], now: Now) -> None:
    """Queue every message from now on for these phones, and for no others.

    Messages still queued for a removed phone go to the phones that were added after the message: the others had it or
    still wait for it.
    """
    known = {name for (name,) in connection.execute("SELECT name FROM phone").fetchall()}
    added = [(name, now.utc) for name in phones if name not in known]
    connection.executemany("INSERT INTO phone (name, since) VALUES (?, ?)", added)
    for gone in known - set(phones):
        connection.executemany(
            "INSERT OR IGNORE INTO owed (phone, message) SELECT p.name, o.message FROM owed o"
            " JOIN message m ON m.id = o.message JOIN phone p ON p.since > m.at WHERE o.phone = ? AND p.name = ?",
            [(gone, name) for name in phones],
        )
        connection.execute("DELETE FROM phone WHERE name = ?", (gone,))


def phone_statuses(connection: sqlite3.Connection) -> tuple[PhoneStatus, ...]:
    """Return the status of each phone."""
    query = (
        "SELECT name, language, tried, heard, reached, (SELECT count(*) FROM owed WHERE phone = name) AS waiting"
        " FROM phone"
    )
    return read_records(connection, PhoneStatus, query)


def record_attempt(connection: sqlite3.Connection, phone: str, result: str, now: Now, *, reached: bool) -> None:
    """Store the result of sending to a phone."""
    connection.execute(
        "UPDATE phone SET tried = ?, heard = ?, reached = CASE WHEN ? THEN ? ELSE reached END WHERE name = ?",
        (now.utc, result, reached, now.utc, phone),
    )


def set_language(connection: sqlite3.Connection, phone: str, language: str | None) -> None:
    """Set a phone's language; None: the house's.

    Raises:
        LookupError: no phone has this name.
    """
    if not connection.execute("UPDATE phone SET language = ? WHERE name = ?", (language, phone)).rowcount:
        raise LookupError("no such phone")


def pending_messages(
    connection: sqlite3.Connection, phone: str, now: Now, *, until: datetime
) -> tuple[StoredMessage, ...]:
    """Return the messages that wait for a phone and that no sender has claimed, oldest first.

    Of more than 200, return the newest.

    A claim beyond `until`, later than any claim made now would be, was made by a wrong clock and does not count.
    """
    query = (
        "SELECT m.id, m.at, m.entrance, m.visit, m.body FROM owed o JOIN message m ON m.id = o.message"
        " WHERE o.phone = ? AND (o.held <= ? OR o.held > ?) ORDER BY o.message DESC LIMIT ?"
    )
    newest = (phone, now.utc, until, MAX_MESSAGES_PER_CALL)
    return read_records(connection, StoredMessage, query, newest)[::-1]


def claim_messages(
    connection: sqlite3.Connection, phone: str, messages: Iterable[int], now: Now, *, until: datetime
) -> frozenset[int]:
    """Claim these messages for a sender until an instant; return those that no other sender had claimed or delivered.

    A crash frees them then.
    """
    return frozenset(
        number
        for number in messages
        if connection.execute(
            "UPDATE owed SET held = ? WHERE phone = ? AND message = ? AND (held <= ? OR held > ?)",
            (until, phone, number, now.utc, until),
        ).rowcount
    )


def release_messages(connection: sqlite3.Connection, phone: str, messages: Iterable[int]) -> None:
    """Release claimed messages after a failed send."""
    connection.executemany(
        "UPDATE owed SET held = 0 WHERE phone = ? AND message = ?", [(phone, number) for number in messages]
    )


def mark_delivered(connection: sqlite3.Connection, phone: str, messages: Iterable[int]) -> None:
    """Store that the phone has these messages."""
    connection.executemany("DELETE FROM owed WHERE phone = ? AND message = ?", [(phone, number) for number in messages])


def use_link(connection: sqlite3.Connection, nonce: bytes, expires: datetime, now: Now) -> bool:
    """Use a link, once; False: it was used before, or has expired.

    Only a trusted clock deletes expired links: after a wrong clock, a deleted link would look unused.
    """
    if now.trusted:
        expire_links(connection, now.utc)
    if now.utc >= expires:
        return False
    used = connection.execute("INSERT OR IGNORE INTO used_link (nonce, expires) VALUES (?, ?)", (nonce, expires))
    return used.rowcount == 1


def is_link_used(connection: sqlite3.Connection, nonce: bytes) -> bool:
    """Return whether a link was used; an expired one may be unknown."""
    return connection.execute("SELECT 1 FROM used_link WHERE nonce = ?", (nonce,)).fetchone() is not None


def expire_links(connection: sqlite3.Connection, utc: datetime) -> None:
    """Delete the used links that have expired at `utc`."""
    connection.execute("DELETE FROM used_link WHERE expires < ?", (utc,))


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
