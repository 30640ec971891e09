"""Who is signed in on which device, and how often somebody tried a wrong password. All instants are reckoned ones."""

import hmac
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from gateway.storage.audit_log import append, at, us
from gateway.storage.models import Device, Person, Session

DEVICES_AT_MOST = 20  # of one person; the one that signed in longest ago is forgotten

Kind = Literal["name", "pair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A sign-in to be stored: a session on a device that is known already or is from now on. Secrets are SHA-256."""

    session: str
    secret: bytes = field(repr=False)
    device: str
    device_secret: bytes = field(repr=False)
    at: datetime
    browser: str | None = None  # a word of gateway/web/auth/user_agent.py


def enter(connection: sqlite3.Connection, person: str, password: str, entry: Entry) -> bool:
    """Sign somebody in; the device's earlier session ends.

    False: he was removed, or has another password than the one that was tried (`password`, its argon2id string).
    """
    if not connection.execute("SELECT 1 FROM person WHERE id = ? AND password = ?", (person, password)).fetchone():
        return False
    connection.execute(
        "INSERT INTO device (id, secret, person, seen, browser) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET seen = excluded.seen, failures = 0, browser = excluded.browser",
        (entry.device, entry.device_secret, person, us(entry.at), entry.browser),
    )
    connection.execute(
        "DELETE FROM device WHERE person = ? AND id != ? AND id NOT IN"
        " (SELECT id FROM device WHERE person = ? ORDER BY seen DESC LIMIT ?)",
        (person, entry.device, person, DEVICES_AT_MOST),
    )
    connection.execute("DELETE FROM session WHERE device = ?", (entry.device,))
    connection.execute(
        "INSERT INTO session (id, secret, device, began, seen) VALUES (?, ?, ?, ?, ?)",
        (entry.session, entry.secret, entry.device, us(entry.at), us(entry.at)),
    )
    append(connection, "signed_in", {"person": person, "browser": entry.browser}, utc=entry.at)
    return True


_SESSION = (
    "SELECT s.id, s.secret, s.device, s.began, s.seen, d.browser, p.id, p.name, p.role, p.added FROM session s"
    " JOIN device d ON d.id = s.device JOIN person p ON p.id = d.person WHERE p.removed IS NULL"
)


def _session(row: tuple[str, bytes, str, int, int, str | None, str, str, str, int]) -> Session:
    ident, secret, device, began, seen, browser, person, name, role, added = row
    return Session(
        id=ident,
        secret=secret,
        device=device,
        person=Person(id=person, name=name, role=role, added=at(added)),
        began=at(began),
        seen=at(seen),
        browser=browser,
    )


def session(connection: sqlite3.Connection, ident: str) -> Session | None:
    """One session, with its person as he is now."""
    row = connection.execute(f"{_SESSION} AND s.id = ?", (ident,)).fetchone()
    return None if row is None else _session(row)


def sessions(connection: sqlite3.Connection, person: str) -> tuple[Session, ...]:
    """All sessions of a person, the one that began first first."""
    return tuple(map(_session, connection.execute(f"{_SESSION} AND p.id = ? ORDER BY s.began, s.id", (person,))))


def seen(connection: sqlite3.Connection, ident: str, when: datetime) -> None:
    """A session was used; it was never used earlier than it was."""
    connection.execute("UPDATE session SET seen = max(seen, ?) WHERE id = ?", (us(when), ident))


def end(connection: sqlite3.Connection, ident: str) -> None:
    """End a session; its device stays known, but speaks no longer through a hub."""
    connection.execute("DELETE FROM browser WHERE device = (SELECT device FROM session WHERE id = ?)", (ident,))
    connection.execute("DELETE FROM session WHERE id = ?", (ident,))


def end_all(connection: sqlite3.Connection, person: str, *, but: str | None) -> None:
    """End all sessions of a person, but for one; his other devices speak no longer through a hub."""
    connection.execute(
        "DELETE FROM browser WHERE device IN (SELECT id FROM device WHERE person = ?)"
        " AND device IS NOT (SELECT device FROM session WHERE id IS ?)",
        (person, but),
    )
    connection.execute(
        "DELETE FROM session WHERE device IN (SELECT id FROM device WHERE person = ?) AND id IS NOT ?", (person, but)
    )


def forget(
    connection: sqlite3.Connection, reckoned: datetime, *, idle: timedelta, oldest: timedelta, known: timedelta
) -> None:
    """Forget sessions that ended by time, and devices in which nobody signed in for so long as they stay `known`."""
    connection.execute(
        "DELETE FROM session WHERE seen <= ? OR began <= ?", (us(reckoned - idle), us(reckoned - oldest))
    )
    connection.execute("DELETE FROM device WHERE seen <= ?", (us(reckoned - known),))


def newest(connection: sqlite3.Connection) -> datetime | None:
    """The latest reckoned instant that was stored: it is over."""
    row: tuple[int | None] = connection.execute(
        "SELECT max(t) FROM (SELECT max(seen) t FROM session UNION ALL SELECT max(seen) FROM device"
        " UNION ALL SELECT max(made) FROM invitation UNION ALL SELECT max(made) FROM house_offer)"
    ).fetchone()
    return None if row[0] is None else at(row[0])


# ---- devices and wrong passwords


def device(connection: sqlite3.Connection, ident: str) -> Device | None:
    """A device by its id."""
    row = connection.execute("SELECT id, secret, person, seen FROM device WHERE id = ?", (ident,)).fetchone()
    return None if row is None else Device(id=row[0], secret=row[1], person=row[2], seen=at(row[3]))


def slot(connection: sqlite3.Connection, text: str, *, of: int) -> int:
    """The slot of a name (or name and address) among so many; nobody without this box's key can tell which."""
    key: bytes = connection.execute("SELECT code_key FROM box").fetchone()[0]
    digest = hmac.new(key, b"backoff\0" + text.encode(errors="backslashreplace"), sha256).digest()
    return int.from_bytes(digest[:8]) % of


def failures(connection: sqlite3.Connection, kind: Kind) -> Mapping[int, int]:
    """How often a wrong password was tried, by slot."""
    return dict(connection.execute("SELECT slot, failures FROM backoff WHERE kind = ?", (kind,)).fetchall())


def set_failures(connection: sqlite3.Connection, counts: Mapping[tuple[Kind, int], int]) -> None:
    """Keep how often a wrong password was tried."""
    for (kind, number), count in counts.items():
        connection.execute(
            "INSERT OR REPLACE INTO backoff (kind, slot, failures) VALUES (?, ?, ?)", (kind, number, count)
        )


def device_failures(connection: sqlite3.Connection) -> Mapping[str, int]:
    """How often a wrong password was tried on known devices, by device."""
    return dict(connection.execute("SELECT id, failures FROM device WHERE failures > 0").fetchall())


def set_device_failures(connection: sqlite3.Connection, ident: str, count: int) -> None:
    """Keep how often a wrong password was tried on a known device."""
    connection.execute("UPDATE device SET failures = ? WHERE id = ?", (count, ident))
