"""Builds the record of an ended delivery from the log, and appends it to the log."""

import json
import math
from collections.abc import Iterator
from typing import Any

from gateway.domain.delivery.promise import DeliveryOrder, DeliveryResult
from gateway.domain.now import Now
from gateway.protocol.delivery_record import (
    END_STATES,
    PRE_VISIT_WINDOW,
    RecordedVisit,
    chain_lines,
    head_hash,
    record_entries,
)
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import bodies_of_visit
from gateway.storage.database import Database, from_micros

MAX_SCANNED_ENTRIES = 20_000  # of the log, searched for a fridge's last report

# Without refused scans, which no retailer gets.
_SELECT_VISITS = (
    "SELECT id FROM visit WHERE delivery = ? AND (intent IN ('reserved', 'spent', 'given_back')"
    " OR outcome != 'refused') ORDER BY began, id"
)


def append_record(db: Database, promise: DeliveryOrder, result: DeliveryResult, now: Now) -> Json:
    """Append the record of an ended delivery to the log, in the caller's transaction, and return it.

    The record is `{"statement", "lines"}`; the statement lacks the home's name. None: the delivery or the door is not
    done yet.
    """
    if result.state not in END_STATES or result.house is None:
        return None
    visits = db.column(_SELECT_VISITS, (promise.key,))
    recorded = [_recorded_visit(db, promise, visit) for visit in visits]
    cold = promise.place if promise.place in promise.places_with_limits else None
    lines, left_out = chain_lines(record_entries(recorded, promise.key, place=cold))
    stated_lines: list[Json] = [line.model_dump(mode="json", exclude_none=True) for line in lines]
    statement: dict[str, Json] = {
        "brand": promise.brand,
        "delivery": promise.id,
        "version": promise.version,  # not that of a late change, which this may answer
        "state": result.state.value,
        "missing": result.missing,
        "house": result.house.value,
        "at": now.utc.isoformat(),
        "clock_trusted": now.trusted
        and all(row["trusted"] for visited in recorded for row in visited.rows if "trusted" in row),
        "lines": len(lines),
        "left_out": left_out,
        "head": head_hash(lines),
    }
    more: dict[str, Json] = {
        "reason": result.reason,
        "collected": result.collected,
        "message_sha256": promise.message_sha256,
    }
    statement |= {name: value for name, value in more.items() if value is not None}
    facts: dict[str, Json] = {"account": statement, "lines": stated_lines}
    db.log("account", now.utc, facts, entrance=promise.entrance, visit=visits[-1] if visits else None)
    return {"statement": {**statement, "entry": db.log_head().hash.hex()}, "lines": stated_lines}


def _recorded_visit(db: Database, promise: DeliveryOrder, visit: str) -> RecordedVisit:
    rows = bodies_of_visit(db, visit)
    steps = [row for row in rows if row["kind"] == "step"]
    first = db.execute("SELECT seq, at FROM entry WHERE visit = ? ORDER BY seq LIMIT 1", (visit,)).fetchone()
    if not steps or first is None:
        return RecordedVisit(rows=rows)
    cold = _last_temperature(db, promise, first[0]) if promise.place in promise.places_with_limits else None
    return RecordedVisit(rows=rows, before=tuple(_steps_before(db, promise.entrance, *first)), celsius=cold)


def _steps_before(db: Database, entrance: str, seq: int, when: int) -> Iterator[dict[str, Any]]:
    query = (
        "SELECT body FROM entry WHERE kind = 'step' AND at BETWEEN ? AND ? AND seq < ? AND entrance = ?"
        " AND visit IS NULL AND body IS NOT NULL ORDER BY seq"
    )
    begin = from_micros(when) - PRE_VISIT_WINDOW
    for (body,) in db.execute(query, (begin, when, seq, entrance)):
        yield json.loads(body)


def _last_temperature(db: Database, promise: DeliveryOrder, seq: int) -> float | None:
    """Return the last temperature of a cold delivery's place before a visit; its time stays in the house."""
    query = (
        "SELECT body FROM entry WHERE seq < ? AND seq >= ? AND kind = 'step' AND entrance = ? AND body IS NOT NULL"
        " AND instr(body, CAST('\"FridgeHeard\"' AS BLOB)) > 0 ORDER BY seq DESC"
    )
    for (body,) in db.execute(query, (seq, seq - MAX_SCANNED_ENTRIES, promise.entrance)):
        event = json.loads(body)["event"]
        if event["event"] == "FridgeHeard" and event["place"] == promise.place:
            celsius = event["cold"]["temp_c"]
            return celsius if isinstance(celsius, int | float) and math.isfinite(celsius) else None
    return None
