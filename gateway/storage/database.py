"""The connection to the store's file: it reads rows as records and appends to the log."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast, get_type_hints

from pydantic import BaseModel

from gateway.protocol.hash_chain import ChainHead, Json, canonical_json, link_hash

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Return an instant as it is stored: whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return a stored instant, in UTC."""
    return _EPOCH + micros * _MICROSECOND


def rfc3339(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC with microseconds: one text for one instant."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Database(sqlite3.Connection):
    """A connection to the store's file, with short forms for reading rows and for the log.

    `stored_preflights`: by entrance, what this connection has stored last; it is cleared when a job is undone.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of `sqlite3.Connection`
        super().__init__(*arguments, **options)
        self.stored_preflights: dict[str, object] = {}

    def records(self, kind: type[T], query: str, parameters: Sequence[object] = (), **given: object) -> tuple[T, ...]:
        """Return one `kind`, a dataclass, for each row of the query, which names its columns like fields.

        Fields of type `datetime`, `date` and `bool` are converted, and those of a pydantic model from JSON text. The
        column `part.name` is the field `name` of the dataclass in the field `part`. `given` are the values of fields
        that the query does not select.
        """
        cursor = self.execute(query, parameters)
        names = [column for column, *_ in cursor.description]
        return tuple(_record(kind, dict(zip(names, row, strict=True)), given) for row in cursor.fetchall())

    def record(self, kind: type[T], query: str, parameters: Sequence[object] = (), **given: object) -> T | None:
        """Return the first record as `records`; None: the query finds no row."""
        return next(iter(self.records(kind, query, parameters, **given)), None)

    def value(self, kind: type[T], query: str, parameters: Sequence[object] = ()) -> T | None:
        """Return the first column of the first row, converted as a field of type `kind`; None: no row, or NULL."""
        row = self.execute(query, parameters).fetchone()
        return None if row is None or row[0] is None else cast("T", _converter(kind)(row[0]))

    def number(self, query: str, parameters: Sequence[object] = ()) -> int:
        """Return the number that a query always selects."""
        return int(self.execute(query, parameters).fetchone()[0])

    def column(self, query: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        """Return the first column of each row."""
        return [row[0] for row in self.execute(query, parameters)]

    def exists(self, query: str, parameters: Sequence[object] = ()) -> bool:
        """Return whether a query finds a row."""
        return self.execute(query, parameters).fetchone() is not None

    def insert(self, table: str, *, or_: Literal["ABORT", "IGNORE", "REPLACE"] = "ABORT", **row: object) -> bool:
        """Insert a row: column = value; False: it is there already, and `or_` is "IGNORE"."""
        return self.execute(_insert_statement(table, or_, tuple(row)), row).rowcount == 1

    def log_head(self) -> ChainHead:
        """Return the number and hash of the newest entry of the log."""
        row = self.execute("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
        return ChainHead() if row is None else ChainHead(seq=row[0], hash=row[1])

    def log(  # noqa: PLR0913 - one argument a column
        self,
        kind: str,
        utc: datetime,
        facts: Mapping[str, Json] = MappingProxyType({}),
        *,
        entrance: str | None = None,
        visit: str | None = None,
        by: str | None = None,
    ) -> tuple[int, bytes]:
        """Add an entry to the log, in the caller's transaction; return its number and its body as it is stored.

        `by` is the id of the person who requested it. The body has no such field for None: a request of the command
        line, of MQTT or of the box itself.
        """
        last = self.log_head()
        actor: dict[str, Json] = {} if by is None else {"by": by}
        body = canonical_json(
            {**facts, **actor, "at": rfc3339(utc), "kind": kind, "entrance": entrance, "visit": visit}
        )
        seq = last.seq + 1
        digest = link_hash(last.hash, seq, body)
        self.insert("entry", seq=seq, at=utc, kind=kind, entrance=entrance, visit=visit, body=body, hash=digest)
        return seq, body


@cache
def _insert_statement(table: str, or_: str, columns: tuple[str, ...]) -> str:
    places = ", ".join(f":{column}" for column in columns)
    return f"INSERT OR {or_} INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - our own names


def record_of(kind: type[T], row: sqlite3.Row | Mapping[str, Any], **given: object) -> T:
    """Return a `kind` of those columns of the row that are named like its fields, as `records` does, and of `given`."""
    convert = _converters(cast("Hashable", kind))
    names = [name for name in row.keys() if name in convert and name not in given]  # noqa: SIM118 - a Row iterates over values
    return kind(**{name: convert[name](row[name]) for name in names}, **given)


def _record(kind: type[T], columns: Mapping[str, object], given: Mapping[str, object]) -> T:
    convert = _converters(cast("Hashable", kind))
    fields: dict[str, object] = dict(given)
    parts: dict[str, dict[str, object]] = defaultdict(dict)
    for column, value in columns.items():
        part, _, name = column.rpartition(".")
        if part:
            parts[part][name] = value
        else:
            fields[name] = convert[name](value)
    return kind(**fields, **{part: convert[part](values) for part, values in parts.items()})


@cache
def _converters(kind: Hashable) -> Mapping[str, Callable[[Any], Any]]:
    return {name: _converter(hint) for name, hint in get_type_hints(kind).items()}


def _converter(hint: object) -> Callable[[Any], Any]:
    if hint in {datetime, datetime | None}:
        return lambda micros: None if micros is None else from_micros(micros)
    if hint in {date, date | None}:
        return lambda text: None if text is None else date.fromisoformat(text)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint.model_validate_json
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda columns: _record(hint, columns, {})
    return bool if hint is bool else lambda value: value
