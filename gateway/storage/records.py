"""Reads rows as records: a column named like a field of a dataclass becomes that field."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import BaseModel

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Return an instant as it is stored: whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return a stored instant, in UTC."""
    return _EPOCH + micros * _MICROSECOND


def optional_instant(micros: int | None) -> datetime | None:
    """Return a stored instant; None where the column is NULL."""
    return None if micros is None else from_micros(micros)


def read_records(
    connection: sqlite3.Connection, kind: type[T], query: str, parameters: Sequence[object] = (), **given: object
) -> tuple[T, ...]:
    """Return one `kind`, a dataclass, for each row of the query, which names its columns like fields.

    Fields of type `datetime` and `bool` are converted, and those of a pydantic model from JSON text. The column
    `part.name` is the field `name` of the dataclass in the field `part`. `given` are the values of fields that the
    query does not select.
    """
    cursor = connection.execute(query, parameters)
    names = [column for column, *_ in cursor.description]
    return tuple(_record(kind, dict(zip(names, row, strict=True)), given) for row in cursor.fetchall())


def read_record(
    connection: sqlite3.Connection, kind: type[T], query: str, parameters: Sequence[object] = (), **given: object
) -> T | None:
    """Return the first record as `read_records`; None: the query finds no row."""
    return next(iter(read_records(connection, kind, query, parameters, **given)), None)


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
        return optional_instant
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint.model_validate_json
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda columns: _record(hint, columns, {})
    return bool if hint is bool else _unchanged


def _unchanged(value: object) -> object:
    return value
