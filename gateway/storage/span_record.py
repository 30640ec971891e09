"""Reads what the box filmed in a span of time, and which entries of the log belong to the span."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from gateway.domain.frozen import Frozen
from gateway.protocol.hash_chain import ChainHead
from gateway.storage.database import Database, from_micros
from gateway.storage.models import StoreFailed
from gateway.storage.schema import connect_read_only

_BEGINS_FILM = '%"command":"Film"%'  # in the canonical JSON of an entry


class FilmedSpan(Frozen):
    """A film that touches the span. `ended`: the end of its last clip; None: no clip of it is stored."""

    visit: str
    part: int
    entrance: str
    began: datetime
    ended: datetime | None


class SpanRecord(Frozen):
    """The films of a span, oldest first, and the log behind `after` up to and with `last`: its entries."""

    films: tuple[FilmedSpan, ...]
    after: ChainHead
    last: ChainHead


def read_span(file: Path, start: datetime, end: datetime) -> SpanRecord:
    """Read the span from `start` until `end`, by the box's clock, while the box may write.

    A long span has many entries, so call it in a thread.

    Raises:
        StoreFailed: the store in the file cannot be read.
    """
    try:
        with connect_read_only(file) as db:
            return _read(db, start, end)
    except sqlite3.Error as failure:
        raise StoreFailed(str(failure)) from failure


def _read(db: Database, start: datetime, end: datetime) -> SpanRecord:
    films = db.records(
        FilmedSpan,
        "SELECT f.visit, f.part, f.entrance, f.began, coalesce(max(c.ends), f.sealed) AS ended FROM film f"
        " LEFT JOIN clip c ON c.visit = f.visit AND c.part = f.part WHERE f.began < ?"
        " GROUP BY f.visit, f.part HAVING ended IS NULL OR ended > ?",
        (end, start),
    )
    films = tuple(film for film in films if _was_filmed(db, film))
    stored = {(film.visit, film.part) for film in films}
    deleted = [film for film in _begun(db, start, end) if (film.visit, film.part) not in stored]
    first = db.value(int, "SELECT min(seq) FROM entry WHERE at >= ? AND at < ?", (start, end))
    last = db.value(int, "SELECT max(seq) FROM entry WHERE at < ?", (end,)) or 0
    return SpanRecord(
        films=tuple(sorted((*films, *deleted), key=lambda film: (film.began, film.visit, film.part))),
        after=_head(db, last if first is None else first - 1),
        last=_head(db, last),
    )


def _was_filmed(db: Database, film: FilmedSpan) -> bool:
    """Return whether a film is one: a part of a visit without a film is stored too, for its seal.

    It has no clip, and the log, as far as it was not erased, begins no film of it.
    """
    if db.exists("SELECT 1 FROM clip WHERE visit = ? AND part = ?", (film.visit, film.part)):
        return True
    rows = db.execute(
        "SELECT body FROM entry WHERE visit = ? AND kind = 'step' AND (body IS NULL OR CAST(body AS TEXT) LIKE ?)",
        (film.visit, _BEGINS_FILM),
    )
    return any(body is None or any(_begins(one, film.part) for one in json.loads(body)["commands"]) for (body,) in rows)


def _begins(command: Mapping[str, object], part: int) -> bool:
    return (command["command"], command.get("part")) == ("Film", part)


def _begun(db: Database, start: datetime, end: datetime) -> list[FilmedSpan]:
    """Return the films that the log begins in the span; some were deleted since, because nobody came in."""
    rows = db.execute(
        "SELECT entrance, at, body FROM entry WHERE kind = 'step' AND at >= ? AND at < ? AND CAST(body AS TEXT) LIKE ?",
        (start, end, _BEGINS_FILM),
    )
    return [
        FilmedSpan(visit=one["visit"], part=one["part"], entrance=entrance, began=from_micros(at), ended=None)
        for entrance, at, body in rows.fetchall()
        for one in json.loads(body)["commands"]
        if one["command"] == "Film"
    ]


def _head(db: Database, seq: int) -> ChainHead:
    digest = db.value(bytes, "SELECT hash FROM entry WHERE seq = ?", (seq,))
    return ChainHead() if digest is None else ChainHead(seq=seq, hash=digest)
