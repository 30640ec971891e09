"""The account of a delivery that is over: made out of the log, and an entry of it (protocol/delivery_record.py)."""

import json
import math
import sqlite3
from collections.abc import Iterator
from typing import Any

from gateway.domain.delivery.promise import Promise, Result
from gateway.domain.visit.state import Now
from gateway.protocol.delivery_record import BEFORE, ENDS, Line, Seen, chained, head_of, lines_of
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import append, at, head, rows_of, us

LOOKED_THROUGH = 20_000  # entries in which a fridge's last word is looked for

# What came to something: not the scans that were refused, of which no retailer hears.
_VISITS = (
    "SELECT id FROM visit WHERE delivery = ? AND (intent IN ('reserved', 'spent', 'given_back')"
    " OR outcome != 'refused') ORDER BY began, id"
)


def of(db: sqlite3.Connection, promise: Promise, said: Result, now: Now) -> Json:
    """Write the account of how a delivery ended into the log, in the caller's transaction.

    `{"statement", "lines"}`, the statement without the home's name; None: it is not over, or the door is not yet.
    """
    if said.state not in ENDS or said.house is None:
        return None
    visits = [visit for (visit,) in db.execute(_VISITS, (promise.key,)).fetchall()]
    seen = [_seen(db, promise, visit) for visit in visits]
    cold = None if promise.cold_max_c is None else promise.place
    lines, left_out = chained(lines_of(seen, promise.key, place=cold))
    told: list[Json] = [_json(line) for line in lines]
    statement: dict[str, Json] = {
        "brand": promise.brand,
        "delivery": promise.id,
        "version": promise.version,  # not the one of a change that comes too late, to which this may be the answer
        "state": said.state.value,
        "missing": said.missing,
        "house": said.house.value,
        "at": now.utc.isoformat(),
        "clock_trusted": now.trusted and all(row["trusted"] for one in seen for row in one.rows if "trusted" in row),
        "lines": len(lines),
        "left_out": left_out,
        "head": head_of(lines),
    }
    more: dict[str, Json] = {"reason": said.reason, "message_sha256": promise.message_sha256}
    statement |= {name: value for name, value in more.items() if value is not None}
    append(
        db, "account", {"account": statement, "lines": told}, utc=now.utc, entrance=promise.entrance,
        visit=visits[-1] if visits else None,
    )  # fmt: skip
    return {"statement": {**statement, "entry": head(db).hash.hex()}, "lines": told}


def _seen(db: sqlite3.Connection, promise: Promise, visit: str) -> Seen:
    rows = rows_of(db, visit)
    steps = [row for row in rows if row["kind"] == "step"]
    first = db.execute("SELECT seq, at FROM entry WHERE visit = ? ORDER BY seq LIMIT 1", (visit,)).fetchone()
    if not steps or first is None:
        return Seen(rows=rows)
    cold = None if promise.cold_max_c is None else _measured(db, promise, first[0])
    return Seen(rows=rows, before=tuple(_before(db, promise.entrance, *first)), celsius=cold)


def _before(db: sqlite3.Connection, entrance: str, seq: int, when: int) -> Iterator[dict[str, Any]]:
    """The entrance's steps from shortly before a visit."""
    query = (
        "SELECT body FROM entry WHERE kind = 'step' AND at BETWEEN ? AND ? AND seq < ? AND entrance = ?"
        " AND visit IS NULL AND body IS NOT NULL ORDER BY seq"
    )
    begin = us(at(when) - BEFORE)
    for (body,) in db.execute(query, (begin, when, seq, entrance)):
        yield json.loads(body)


def _measured(db: sqlite3.Connection, promise: Promise, seq: int) -> float | None:
    """What the place of a cold delivery measured last before a visit; when it did is the household's."""
    query = (
        "SELECT body FROM entry WHERE seq < ? AND seq >= ? AND kind = 'step' AND entrance = ? AND body IS NOT NULL"
        " AND instr(body, CAST('\"FridgeHeard\"' AS BLOB)) > 0 ORDER BY seq DESC"
    )
    for (body,) in db.execute(query, (seq, seq - LOOKED_THROUGH, promise.entrance)):
        event = json.loads(body)["event"]
        if event["event"] == "FridgeHeard" and event["place"] == promise.place:
            celsius = event["cold"]["temp_c"]
            return celsius if isinstance(celsius, int | float) and math.isfinite(celsius) else None
    return None


def _json(line: Line) -> Json:
    whole: Json = json.loads(line.model_dump_json(exclude_none=True))
    return whole
