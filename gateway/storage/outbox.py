"""Stores the owner's messages, those that each phone must still receive, and the used one-time links."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.storage.database import Database
from gateway.storage.models import PhoneStatus, StoredMessage
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.privacy import read_choice, write_choice

ADDRESS_CHOICE = "messages.pages"
MAX_MESSAGES_PER_CALL = 200  # the newest: a present event never waits behind old ones


def queue_message(db: Database, entrance: str, visit: str | None, body: bytes, now: Now) -> int:
    """Store a message to the owner, for every phone, before it is sent; return its number."""
    insert = "INSERT INTO message (at, entrance, visit, body) VALUES (?, ?, ?, ?) RETURNING id"
    number = db.number(insert, (now.utc, entrance, visit, body))
    db.execute("INSERT INTO owed (phone, message) SELECT name, ? FROM phone", (number,))
    return number


def notify_owner(db: Database, entrance: str, notification: Notification, now: Now, **details: str) -> int:
    """Queue a notification to the owner that no decision of an entrance makes; return the message's number."""
    command = {"command": "Tell", "saying": notification.value, **details}
    return queue_message(db, entrance, None, json.dumps(command).encode(), now)


def mark_sent(db: Database, message: int, now: Now) -> None:
    """Store that the broker has the message; the phones' copies are separate."""
    db.execute("UPDATE message SET sent = ? WHERE id = ? AND sent IS NULL", (now.utc, message))


def unsent_messages(db: Database) -> tuple[StoredMessage, ...]:
    """Return the messages that the broker does not have, oldest first."""
    return db.records(StoredMessage, "SELECT id, at, entrance, visit, body FROM message WHERE sent IS NULL ORDER BY id")


def messages_after(db: Database, after: int, *, at_most: int) -> tuple[StoredMessage, ...]:
    """Return the messages whose number is higher than `after`, newest first."""
    query = "SELECT id, at, entrance, visit, body FROM message WHERE id > ? ORDER BY id DESC LIMIT ?"
    return db.records(StoredMessage, query, (after, at_most))


def set_recipients(db: Database, phones: Sequence[str], now: Now) -> None:
    """Queue every message from now on for these phones, and for no others.

    Messages still queued for a removed phone go to the phones that were added after the message: the others had it or
    still wait for it.
    """
    known = set(db.column("SELECT name FROM phone"))
    added = [(name, now.utc) for name in phones if name not in known]
    db.executemany("INSERT INTO phone (name, since) VALUES (?, ?)", added)
    for gone in known - set(phones):
        db.executemany(
            "INSERT OR IGNORE INTO owed (phone, message) SELECT p.name, o.message FROM owed o"
            " JOIN message m ON m.id = o.message JOIN phone p ON p.since > m.at WHERE o.phone = ? AND p.name = ?",
            [(gone, name) for name in phones],
        )
        db.execute("DELETE FROM phone WHERE name = ?", (gone,))


def phone_statuses(db: Database) -> tuple[PhoneStatus, ...]:
    """Return the status of each phone."""
    query = (
        "SELECT name, language, tried, heard, reached, muted, pairing,"
        " (SELECT count(*) FROM owed WHERE phone = name) AS waiting FROM phone"
    )
    return db.records(PhoneStatus, query)


def record_attempt(db: Database, phone: str, result: str, now: Now, *, reached: bool) -> None:
    """Store the result of sending to a phone."""
    db.execute(
        "UPDATE phone SET tried = ?, heard = ?, reached = CASE WHEN ? THEN ? ELSE reached END WHERE name = ?",
        (now.utc, result, reached, now.utc, phone),
    )


def set_language(db: Database, phone: str, language: str | None) -> None:
    """Set a phone's language; None: the house's. LookupError: no phone has this name."""
    if not db.execute("UPDATE phone SET language = ? WHERE name = ?", (language, phone)).rowcount:
        raise LookupError("no such phone")


def set_muted(db: Database, phone: str, muted: str) -> None:
    """Set the categories that a phone is not told. LookupError: no phone has this name."""
    if not db.execute("UPDATE phone SET muted = ? WHERE name = ?", (muted, phone)).rowcount:
        raise LookupError("no such phone")


def set_pairing(db: Database, phone: str, pairing: bool) -> None:
    """Set whether a phone's address is still shown, as no test arrived yet. LookupError: no such phone."""
    if not db.execute("UPDATE phone SET pairing = ? WHERE name = ?", (pairing, phone)).rowcount:
        raise LookupError("no such phone")


def address(db: Database) -> str | None:
    """Return where phones find the box's pages, as an owner chose; None: nobody did."""
    return read_choice(db, ADDRESS_CHOICE)


def set_address(db: Database, chosen: str | None, now: Now, *, by: str) -> None:
    """Store where phones find the box's pages; None: nobody chose."""
    write_choice(db, ADDRESS_CHOICE, chosen)
    db.log("messages_address", now.utc, {"address": chosen}, by=by)


def pending_messages(db: Database, phone: str, now: Now, *, until: datetime) -> tuple[StoredMessage, ...]:
    """Return the messages that wait for a phone and that no sender has claimed, oldest first.

    Of more than 200, return the newest. A claim beyond `until`, later than any claim made now would be, was made by a
    wrong clock and does not count.
    """
    query = (
        "SELECT m.id, m.at, m.entrance, m.visit, m.body FROM owed o JOIN message m ON m.id = o.message"
        " WHERE o.phone = ? AND (o.held <= ? OR o.held > ?) ORDER BY o.message DESC LIMIT ?"
    )
    return db.records(StoredMessage, query, (phone, now.utc, until, MAX_MESSAGES_PER_CALL))[::-1]


def claim_messages(db: Database, phone: str, messages: Iterable[int], now: Now, *, until: datetime) -> frozenset[int]:
    """Claim these messages for a sender until an instant; return those that no other sender had claimed or delivered.

    A crash frees them then.
    """
    return frozenset(
        number
        for number in messages
        if db.execute(
            "UPDATE owed SET held = ? WHERE phone = ? AND message = ? AND (held <= ? OR held > ?)",
            (until, phone, number, now.utc, until),
        ).rowcount
    )


def release_messages(db: Database, phone: str, messages: Iterable[int]) -> None:
    """Release claimed messages after a failed send."""
    db.executemany("UPDATE owed SET held = 0 WHERE phone = ? AND message = ?", [(phone, number) for number in messages])


def mark_delivered(db: Database, phone: str, messages: Iterable[int]) -> None:
    """Store that the phone has these messages."""
    db.executemany("DELETE FROM owed WHERE phone = ? AND message = ?", [(phone, number) for number in messages])


def use_link(db: Database, nonce: bytes, expires: datetime, now: Now) -> bool:
    """Use a link, once; False: it was used before, or has expired.

    Only a trusted clock deletes expired links: after a wrong clock, a deleted link would look unused.
    """
    if now.trusted:
        expire_links(db, now.utc)
    return now.utc < expires and db.insert("used_link", or_="IGNORE", nonce=nonce, expires=expires)


def is_link_used(db: Database, nonce: bytes) -> bool:
    """Return whether a link was used; an expired one may be unknown."""
    return db.exists("SELECT 1 FROM used_link WHERE nonce = ?", (nonce,))


def expire_links(db: Database, utc: datetime) -> None:
    """Delete the used links that have expired at `utc`."""
    db.execute("DELETE FROM used_link WHERE expires < ?", (utc,))


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
    set_muted = writes(set_muted)
    address = reads(address)
    set_address = writes(set_address)
    set_pairing = writes(set_pairing)
    record_attempt = writes(record_attempt)
    pending = reads(pending_messages)
    claim = writes(claim_messages)
    release = writes(release_messages)
    mark_delivered = writes(mark_delivered)
