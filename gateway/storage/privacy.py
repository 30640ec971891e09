"""Stores the owner's choices on privacy, who looked at films, and what was erased; counts what is stored."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from gateway.domain.now import Now
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import actor_field, append, from_micros, to_micros
from gateway.storage.models import StoredMessage
from gateway.storage.writer import Writer

MAX_VIEW_RECORDS = 500
VIEW_MERGE_WINDOW = timedelta(minutes=10)  # whoever looks at the same thing again within so long has looked once
_RETENTION_CHOICE, _INSIDE_LIVE_CHOICE = "retention_days", "inside_live"

ViewKind = Literal["live", "film", "report", "copy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRecord:
    """Somebody (by id; None: whoever held a link) looked at a camera or a visit."""

    began: datetime
    ended: datetime
    person: str | None
    kind: ViewKind
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRecord:
    """Films that were erased: of which visit, when, and by whom. `why` is "retention" where their time was over."""

    visit: str
    at: datetime
    why: str
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCounts:
    """How much is kept. Bytes are those of films; an `oldest` is None where there is nothing."""

    visits: int
    film_bytes: int
    oldest_film: datetime | None
    held: int
    entries: int  # of the log, whose words can still be read
    oldest_entry: datetime | None
    people: int
    sessions: int
    invitations: int
    messages: int
    deliveries: int
    looks: int


class PrivacyStore:
    """Reached as `Store.keeping`. Coroutines store and raise `StoreFailed`; plain methods read, as in `Store`."""

    def __init__(self, writer: Writer, reader: Callable[[], sqlite3.Connection]) -> None:
        self._writer = writer
        self._reader = reader

    # -- choices

    def retention_days(self) -> int | None:
        """For how many days an owner chose to keep films; None: as the house file says."""
        return chosen_retention_days(self._reader())

    async def set_retention(self, days: int, was: int, now: Now, *, by: str) -> None:
        """Keep films for so many days from now on."""
        said: dict[str, Json] = {"days": days, "was": was}
        await self._writer.do(
            lambda db: _write_choice(db, _RETENTION_CHOICE, str(days), now, kind="retention", said=said, by=by)
        )

    def inside_always(self) -> bool:
        """Whether cameras inside may be watched although nothing is being filmed."""
        return _read_choice(self._reader(), _INSIDE_LIVE_CHOICE) == "always"

    async def set_inside_always(self, now: Now, *, always: bool, by: str) -> None:
        """Let cameras inside be watched always, or only while there is a film."""
        value, said = "always" if always else None, {"always": always}
        await self._writer.do(
            lambda db: _write_choice(db, _INSIDE_LIVE_CHOICE, value, now, kind="inside_live", said=said, by=by)
        )

    # -- who looked

    def looked(self, kind: ViewKind, what: str, person: str | None, now: Now) -> None:
        """Note that somebody looks. Not waited for: a full disk must not keep an owner from seeing his door."""
        self._writer.post(lambda db: _record_view(db, kind, what, person, now))

    def messages(self, *, after: int, at_most: int) -> tuple[StoredMessage, ...]:
        """What the household was told behind one message, the newest first."""
        query = "SELECT id, at, entrance, visit, body FROM message WHERE id > ? ORDER BY id DESC LIMIT ?"
        return tuple(
            StoredMessage(id=number, at=from_micros(micros), entrance=entrance, visit=visit, body=body)
            for number, micros, entrance, visit, body in self._reader().execute(query, (after, at_most))
        )

    def looks(self, *, at_most: int) -> tuple[ViewRecord, ...]:
        """Who looked, the newest first."""
        found = self._reader().execute(
            "SELECT began, ended, person, kind, what FROM look ORDER BY ended DESC, id DESC LIMIT ?", (at_most,)
        )
        return tuple(
            ViewRecord(began=from_micros(began), ended=from_micros(ended), person=person, kind=kind, what=what)
            for began, ended, person, kind, what in found.fetchall()
        )

    # -- what is there

    def erasures(self, *, at_most: int) -> tuple[ErasureRecord, ...]:
        """What was erased, the newest first, as far as the log still tells."""
        found = self._reader().execute(
            "SELECT visit, at, body FROM entry WHERE kind = 'erased' AND body IS NOT NULL ORDER BY at DESC LIMIT ?",
            (at_most,),
        )
        return tuple(
            ErasureRecord(visit=visit, at=from_micros(micros), why=said["why"], by=said.get("by"))
            for visit, micros, body in found.fetchall()
            for said in (json.loads(body),)
        )

    def tally(self) -> StoreCounts:
        """Count what is kept."""

        def one(query: str) -> tuple[int, int | None]:
            row: tuple[int, int | None] = self._reader().execute(query).fetchone()
            return row

        def instant(micros: int | None) -> datetime | None:
            return None if micros is None else from_micros(micros)

        kept = "FROM film WHERE erased IS NULL"
        visits, oldest_film = one(f"SELECT count(DISTINCT visit), min(began) {kept}")
        held, _ = one(f"SELECT count(DISTINCT visit), NULL {kept} AND held IS NOT NULL")
        film_bytes, _ = one("SELECT ifnull(sum(size), 0), NULL FROM clip")
        entries, oldest_entry = one("SELECT count(*), min(at) FROM entry WHERE body IS NOT NULL")
        counts = {
            name: one(f"SELECT count(*), NULL FROM {table}")[0]  # noqa: S608 - names of our own tables
            for name, table in {
                "people": "person WHERE removed IS NULL", "sessions": "session", "invitations": "invitation",
                "messages": "message", "deliveries": "delivery", "looks": "look",
            }.items()
        }  # fmt: skip
        return StoreCounts(
            visits=visits, film_bytes=film_bytes, oldest_film=instant(oldest_film), held=held,
            entries=entries, oldest_entry=instant(oldest_entry), **counts,
        )  # fmt: skip


def chosen_retention_days(connection: sqlite3.Connection) -> int | None:
    """For how many days an owner chose to keep films."""
    days = _read_choice(connection, _RETENTION_CHOICE)
    return None if days is None else int(days)


def _read_choice(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM choice WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def _write_choice(  # noqa: PLR0913 - what is chosen, how the log tells it, and who chose
    connection: sqlite3.Connection,
    name: str,
    value: str | None,
    now: Now,
    *,
    kind: str,
    said: Mapping[str, Json],
    by: str,
) -> None:
    if value is None:
        connection.execute("DELETE FROM choice WHERE name = ?", (name,))
    else:
        connection.execute("INSERT OR REPLACE INTO choice (name, value) VALUES (?, ?)", (name, value))
    append(connection, kind, {**said, **actor_field(by)}, utc=now.utc)


def _record_view(connection: sqlite3.Connection, kind: ViewKind, what: str, person: str | None, now: Now) -> None:
    went_on = connection.execute(
        "UPDATE look SET ended = max(ended, ?) WHERE id = (SELECT max(id) FROM look WHERE kind = ? AND what = ?"
        " AND person IS ?) AND ended BETWEEN ? AND ?",
        (
            to_micros(now.utc),
            kind,
            what,
            person,
            to_micros(now.utc - VIEW_MERGE_WINDOW),
            to_micros(now.utc + VIEW_MERGE_WINDOW),
        ),
    ).rowcount
    if went_on:
        return
    connection.execute(
        "INSERT INTO look (began, ended, person, kind, what) VALUES (?, ?, ?, ?, ?)",
        (to_micros(now.utc), to_micros(now.utc), person, kind, what),
    )
    connection.execute(
        "DELETE FROM look WHERE id <= (SELECT id FROM look ORDER BY id DESC LIMIT 1 OFFSET ?)", (MAX_VIEW_RECORDS,)
    )
