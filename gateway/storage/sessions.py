"""Stores sessions by device and counts wrong passwords. All instants are of the reckoned clock."""

import hmac
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from gateway.domain.frozen import Frozen
from gateway.storage.audit_log import code_key
from gateway.storage.database import Database
from gateway.storage.models import KnownDevice, Session

MAX_DEVICES_PER_PERSON = 20  # the one with the oldest sign-in is deleted

BackoffKind = Literal["name", "pair"]


class SignInEntry(Frozen):
    """A sign-in: a new session on a device that is known already or is from now on. Secrets are SHA-256."""

    session: str
    secret: bytes = field(repr=False)
    device: str
    device_secret: bytes = field(repr=False)
    at: datetime
    browser: str | None = None  # a value of gateway/web/auth/user_agent.py


def sign_in(db: Database, person: str, password: str, entry: SignInEntry) -> bool:
    """Sign a person in; the device's earlier session ends.

    False: the account was removed, or has another password than `password`, the argon2id string that was checked.
    """
    if not db.exists("SELECT 1 FROM person WHERE id = ? AND password = ?", (person, password)):
        return False
    db.execute(
        "INSERT INTO device (id, secret, person, seen, browser) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET seen = excluded.seen, failures = 0, browser = excluded.browser",
        (entry.device, entry.device_secret, person, entry.at, entry.browser),
    )
    db.execute(
        "DELETE FROM device WHERE person = ? AND id != ? AND id NOT IN"
        " (SELECT id FROM device WHERE person = ? ORDER BY seen DESC LIMIT ?)",
        (person, entry.device, person, MAX_DEVICES_PER_PERSON),
    )
    db.execute("DELETE FROM session WHERE device = ?", (entry.device,))
    db.insert("session", id=entry.session, secret=entry.secret, device=entry.device, began=entry.at, seen=entry.at)
    db.log("signed_in", entry.at, {"person": person, "browser": entry.browser})
    return True


_SELECT_SESSION = (
    "SELECT s.id, s.secret, s.device, s.began, s.seen, d.browser, p.id AS 'person.id', p.name AS 'person.name',"
    " p.role AS 'person.role', p.added AS 'person.added' FROM session s"
    " JOIN device d ON d.id = s.device JOIN person p ON p.id = d.person WHERE p.removed IS NULL"
)


def session(db: Database, ident: str) -> Session | None:
    """Return one session, with its person's present account."""
    return db.record(Session, f"{_SELECT_SESSION} AND s.id = ?", (ident,))


def sessions_of(db: Database, person: str) -> tuple[Session, ...]:
    """Return all sessions of a person, the oldest first."""
    return db.records(Session, f"{_SELECT_SESSION} AND p.id = ? ORDER BY s.began, s.id", (person,))


def touch_session(db: Database, ident: str, when: datetime) -> None:
    """Store that a session was used; an earlier instant than the stored one changes nothing."""
    db.execute("UPDATE session SET seen = max(seen, ?) WHERE id = ?", (when, ident))


def end_session(db: Database, ident: str) -> None:
    """End a session. Its device stays known, but its browser sends no orders through a hub and gets no messages."""
    for table in ("browser", "push_subscription"):
        db.execute(f"DELETE FROM {table} WHERE device = (SELECT device FROM session WHERE id = ?)", (ident,))  # noqa: S608 - two words of our own
    db.execute("DELETE FROM session WHERE id = ?", (ident,))


def expire_sessions(db: Database, reckoned: datetime, *, idle: timedelta, oldest: timedelta, known: timedelta) -> None:
    """Delete sessions that are unused for `idle` or as old as `oldest`, and devices without a sign-in for `known`.

    A device that is told by Web Push stays known: it is used without a sign-in.
    """
    db.execute("DELETE FROM session WHERE seen <= ? OR began <= ?", (reckoned - idle, reckoned - oldest))
    db.execute(
        "DELETE FROM device WHERE seen <= ? AND id NOT IN (SELECT device FROM push_subscription)", (reckoned - known,)
    )


def latest_timestamp(db: Database) -> datetime | None:
    """Return the latest reckoned instant that was stored: it has passed."""
    return db.value(
        datetime,
        "SELECT max(t) FROM (SELECT max(seen) t FROM session UNION ALL SELECT max(seen) FROM device"
        " UNION ALL SELECT max(made) FROM invitation UNION ALL SELECT max(made) FROM house_offer)",
    )


def device(db: Database, ident: str) -> KnownDevice | None:
    """Return a device by its id."""
    return db.record(KnownDevice, "SELECT id, secret, person, seen FROM device WHERE id = ?", (ident,))


def backoff_slot(db: Database, text: str, *, of: int) -> int:
    """Return the slot of a name (or name and address) among `of`; only this box's key tells which."""
    digest = hmac.new(code_key(db), b"backoff\0" + text.encode(errors="backslashreplace"), sha256).digest()
    return int.from_bytes(digest[:8]) % of


def failure_counts(db: Database, kind: BackoffKind) -> Mapping[int, int]:
    """Return how often a wrong password was tried, by slot."""
    return dict(db.execute("SELECT slot, failures FROM backoff WHERE kind = ?", (kind,)).fetchall())


def set_failure_counts(db: Database, counts: Mapping[tuple[BackoffKind, int], int]) -> None:
    """Store how often a wrong password was tried."""
    db.executemany(
        "INSERT OR REPLACE INTO backoff (kind, slot, failures) VALUES (?, ?, ?)",
        [(kind, number, count) for (kind, number), count in counts.items()],
    )


def device_failure_counts(db: Database) -> Mapping[str, int]:
    """Return how often a wrong password was tried on known devices, by device."""
    return dict(db.execute("SELECT id, failures FROM device WHERE failures > 0").fetchall())


def set_device_failure_count(db: Database, ident: str, count: int) -> None:
    """Store how often a wrong password was tried on a known device."""
    db.execute("UPDATE device SET failures = ? WHERE id = ?", (count, ident))
