"""Reads the list of past visits, newest first and a page at a time: films, incidents, and custodies at receptions."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.domain.frozen import Frozen
from gateway.storage.database import Database, to_micros
from gateway.storage.part import StorePart, reads

# Canonical JSON writes each command of the log so (`gateway/storage/decisions.py`).
_ALARM_MARK = '"command":"Alarm"'
# The first ones of a visit say why it alarmed; later ones repeat until the owner has looked.
_MAX_ALARM_ENTRIES = 8
_ALL_VISITS = """
    SELECT visit, entrance, delivery, began, held, erased, 0 AS is_custody FROM film WHERE part = 1
    UNION ALL
    SELECT DISTINCT c.visit, c.reception, c.delivery, v.began, NULL, NULL, 1
    FROM custody c JOIN visit v ON v.id = c.visit
"""
# What costs more than a row is computed for the rows of the page only, so the page is chosen first.
_PAGE = f"""
    SELECT * FROM ({_ALL_VISITS}) k
    WHERE (?2 IS NULL OR (k.began, k.visit) < (?2, ?3)) AND (?4 = '' OR k.entrance = ?4)
      AND (?5 = '' OR k.delivery LIKE ?5 || '.%' ESCAPE '\\')
      AND (?6 IS NULL OR k.began >= ?6) AND (?7 IS NULL OR k.began < ?7) AND (NOT ?8 OR k.held IS NOT NULL)
    ORDER BY k.began DESC, k.visit DESC LIMIT ?9
"""  # noqa: S608 - only a constant is put in
_SUMMARIES = f"""
    SELECT k.visit, k.entrance, k.delivery, k.began, k.held, k.erased, k.is_custody,
      CASE WHEN k.is_custody THEN EXISTS (SELECT 1 FROM entry WHERE kind = 'custody_sealed' AND body IS NOT NULL
          AND json_extract(CAST(body AS TEXT), '$.custody') = k.visit)
        ELSE (SELECT min(p.sealed IS NOT NULL) FROM film p WHERE p.visit = k.visit) END AS is_sealed,
      (SELECT max(ends) FROM clip c WHERE c.visit = k.visit) AS ended,
      v.outcome, v.house, v.collected, d.carrier, d.place,
      (SELECT json_group_array(value) FROM code WHERE code.delivery = k.delivery AND kind = 'parcel') AS parcels,
      (SELECT json_group_array(body) FROM (SELECT CAST(body AS TEXT) AS body FROM entry WHERE entry.visit = k.visit
        AND body IS NOT NULL AND instr(CAST(body AS TEXT), ?1) ORDER BY seq LIMIT {_MAX_ALARM_ENTRIES})) AS alarms
    FROM ({_PAGE}) k LEFT JOIN visit v ON v.id = k.visit LEFT JOIN delivery d ON d.key = k.delivery
    ORDER BY k.began DESC, k.visit DESC
"""  # noqa: S608 - only a constant is put in


class VisitFilter(Frozen):
    """Which visits are wanted. Of an empty value: all. `first` and `end`: the beginning lies between them."""

    entrance: str = ""
    brand: str = ""
    first: datetime | None = None
    end: datetime | None = None
    held_only: bool = False


class VisitCursor(Frozen):
    """The place after which a page of the list begins: the last visit before it."""

    began: datetime
    visit: str


class VisitSummary(Frozen):
    """One visit as a list shows it. `ended`: when its last film ended, None without a film.

    `outcome`, `house` and `collected` are values of `Outcome`, `DoorResult` and `CollectResult`. `alarms`: the log's
    first entries with an alarm.
    """

    visit: str
    entrance: str
    delivery: str | None
    began: datetime
    ended: datetime | None
    held: str | None
    erased: datetime | None
    is_custody: bool
    is_sealed: bool
    outcome: str | None
    house: str | None
    collected: str | None
    carrier: str | None
    place: str | None
    parcels: tuple[str, ...]
    alarms: tuple[Mapping[str, Any], ...]

    @property
    def brand(self) -> str | None:
        """The brand's id; None for an incident."""
        return None if self.delivery is None else self.delivery.partition(".")[0]

    @property
    def cursor(self) -> VisitCursor:
        """The place after this visit."""
        return VisitCursor(began=self.began, visit=self.visit)


class _Row(Frozen):
    visit: str
    entrance: str
    delivery: str | None
    began: datetime
    ended: datetime | None
    held: str | None
    erased: datetime | None
    is_custody: bool
    is_sealed: bool
    outcome: str | None
    house: str | None
    collected: str | None
    carrier: str | None
    place: str | None
    parcels: str  # JSON
    alarms: str  # a JSON array of JSON texts


def list_visits(
    db: Database, wanted: VisitFilter, *, after: VisitCursor | None, at_most: int
) -> tuple[VisitSummary, ...]:
    """Return the newest visits that are wanted, those behind `after` only."""
    brand = wanted.brand.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    began, visit = (None, None) if after is None else (to_micros(after.began), after.visit)
    parameters = (
        _ALARM_MARK, began, visit, wanted.entrance, brand, wanted.first, wanted.end, wanted.held_only, at_most,
    )  # fmt: skip
    return tuple(_to_summary(row) for row in db.records(_Row, _SUMMARIES, parameters))


def _to_summary(row: _Row) -> VisitSummary:
    alarms = tuple(map(json.loads, json.loads(row.alarms)))
    return VisitSummary(**vars(row) | {"parcels": tuple(json.loads(row.parcels)), "alarms": alarms})


def first_alarms(db: Database, visit: str) -> tuple[Mapping[str, Any], ...]:
    """Return the first entries of a visit with an alarm, as `VisitSummary` has them."""
    query = (
        "SELECT body FROM entry WHERE visit = ? AND body IS NOT NULL AND instr(CAST(body AS TEXT), ?)"
        " ORDER BY seq LIMIT ?"
    )
    return tuple(map(json.loads, db.column(query, (visit, _ALARM_MARK, _MAX_ALARM_ENTRIES))))


def visit_times(db: Database, first: datetime, end: datetime) -> tuple[datetime, ...]:
    """Return when each visit began that began between these instants."""

    class Began(Frozen):
        began: datetime

    query = f"SELECT began FROM ({_ALL_VISITS}) WHERE began >= ? AND began < ?"  # noqa: S608 - only a constant is put in
    return tuple(row.began for row in db.records(Began, query, (first, end)))


class VisitList(StorePart):
    """The list of visits: `Store.visits`."""

    page = reads(list_visits)
    first_alarms = reads(first_alarms)
    times = reads(visit_times)
