"""The household's pauses: kept until they are over."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from gateway.domain.pause import No, Planned, objection
from gateway.domain.visit.state import Now, PausePeriod
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import append, at, rfc3339, said_by, us


def plan(connection: sqlite3.Connection, new: Planned, now: Now) -> Planned | No:
    """Store a pause, or say why it is none. One that should have begun already begins now."""
    if now.trusted:
        forget(connection, now.utc)
    if new.start < now.utc < new.end:
        new = replace(new, start=now.utc)
    why = objection(new, planned(connection), now)
    if why is not None:
        return why
    connection.execute(
        "INSERT INTO pause (id, entrance, starts, ends, by) VALUES (?, ?, ?, ?, ?)",
        (new.id, new.entrance, us(new.start), us(new.end), new.by),
    )
    said: dict[str, Json] = {"id": new.id, "start": rfc3339(new.start), "end": rfc3339(new.end)}
    append(connection, "pause", said | said_by(new.by), utc=now.utc, entrance=new.entrance)
    return new


def end(connection: sqlite3.Connection, ident: str, now: Now, *, by: str | None) -> Planned | No:
    """End a pause, or withdraw one that has not begun."""
    ended = next((one for one in planned(connection) if one.id == ident), None)
    if ended is None:
        return No.UNKNOWN
    connection.execute("DELETE FROM pause WHERE id = ?", (ident,))
    append(connection, "pause_ended", {"id": ident, **said_by(by)}, utc=now.utc, entrance=ended.entrance)
    return ended


def planned(connection: sqlite3.Connection) -> Iterator[Planned]:
    """All pauses that were not forgotten yet, the soonest first."""
    query = "SELECT id, entrance, starts, ends, by FROM pause ORDER BY starts, id"
    for ident, entrance, starts, ends, by in connection.execute(query).fetchall():
        yield Planned(id=ident, entrance=entrance, start=at(starts), end=at(ends), by=by)


def of(connection: sqlite3.Connection, entrance: str) -> tuple[PausePeriod, ...]:
    """The pauses of one entrance, as the decision knows them."""
    return tuple(one.pause for one in planned(connection) if one.holds_at(entrance))


def forget(connection: sqlite3.Connection, utc: datetime) -> None:
    """Forget what `utc` (trusted) has outlived."""
    connection.execute("DELETE FROM pause WHERE ends <= ?", (us(utc),))
