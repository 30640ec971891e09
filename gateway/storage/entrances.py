"""Stores each entrance: its state after the last decision, the owner's stop, the household's presence."""

import sqlite3
from datetime import datetime

from gateway.domain.now import Now
from gateway.domain.visit.state import Entrance
from gateway.protocol.hash_chain import Json
from gateway.storage import entrance_state
from gateway.storage.audit_log import append
from gateway.storage.models import HouseholdPresence, StopState
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.records import optional_instant, read_record


def set_stop(  # noqa: PLR0913 - what is stopped, and who stops it
    connection: sqlite3.Connection, entrance: str, now: Now, *, on: bool, above: int = 0, by: str | None = None
) -> int:
    """Stop an entrance or lift the stop; return the new epoch.

    `above`: the epoch of a stop that holds in memory only, because the disk did not store it. The new one is higher.

    Raises:
        LookupError: the house has no such entrance.
    """
    row = connection.execute(
        "UPDATE entrance SET stopped = ?, stop_epoch = max(stop_epoch, ?) + 1 WHERE id = ? RETURNING stop_epoch",
        (on, above, entrance),
    ).fetchone()
    if row is None:
        raise LookupError(f"no entrance {entrance}")
    epoch: int = row[0]
    facts: dict[str, Json] = {"epoch": epoch}
    append(connection, "stop" if on else "lift", facts, utc=now.utc, by=by, entrance=entrance)
    return epoch


def stop_of(connection: sqlite3.Connection, entrance: str) -> StopState:
    """Return the owner's stop of an entrance.

    Raises:
        LookupError: the house has no such entrance.
    """
    query = "SELECT stopped, stop_epoch AS epoch FROM entrance WHERE id = ?"
    stop = read_record(connection, StopState, query, (entrance,))
    if stop is None:
        raise LookupError(f"no entrance {entrance}")
    return stop


def set_presence(
    connection: sqlite3.Connection, entrance: str, home: HouseholdPresence, now: Now, *, by: str | None = None
) -> None:
    """Store whether somebody is home, and whether the household is away.

    Raises:
        LookupError: the house has no such entrance.
    """
    changed = connection.execute(
        "UPDATE entrance SET somebody_home = ?, away = ? WHERE id = ?", (home.somebody_home, home.away, entrance)
    )
    if changed.rowcount != 1:
        raise LookupError(f"no entrance {entrance}")
    facts: dict[str, Json] = {"somebody_home": home.somebody_home, "away": home.away}
    append(connection, "home", facts, utc=now.utc, by=by, entrance=entrance)


def presence_of(connection: sqlite3.Connection, entrance: str) -> HouseholdPresence:
    """Return what the household reported last.

    Raises:
        LookupError: the house has no such entrance.
    """
    query = "SELECT somebody_home, away FROM entrance WHERE id = ?"
    presence = read_record(connection, HouseholdPresence, query, (entrance,))
    if presence is None:
        raise LookupError(f"no entrance {entrance}")
    return presence


def state_of(connection: sqlite3.Connection, entrance: str) -> Entrance | None:
    """Return the state after the last stored decision; None before the first."""
    row = connection.execute("SELECT state FROM entrance WHERE id = ?", (entrance,)).fetchone()
    return None if row is None or row[0] is None else entrance_state.load(row[0])


def locked_at(connection: sqlite3.Connection, entrance: str) -> datetime | None:
    """Return when this entrance was last proven locked again after a visit."""
    row = connection.execute("SELECT locked_at FROM entrance WHERE id = ?", (entrance,)).fetchone()
    return None if row is None else optional_instant(row[0])


class Entrances(StorePart):
    """The entrances: `Store.entrances`."""

    state = reads(state_of)
    locked_at = reads(locked_at)
    stop_state = reads(stop_of)
    presence = reads(presence_of)
    set_presence = writes(set_presence)

    async def set_stop(self, entrance: str, now: Now, *, on: bool, above: int = 0, by: str | None = None) -> int:
        """As the function `set_stop`; the writer also renews the mark outside the store."""
        epoch, _ = await self.writer.do_marked(lambda db: set_stop(db, entrance, now, on=on, above=above, by=by), now)
        return epoch
