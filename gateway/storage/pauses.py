"""Stores the household's pauses until they end."""

from dataclasses import replace
from datetime import datetime

from gateway.domain.now import Now
from gateway.domain.pause import PauseRefusal, PlannedPause, pause_refusal
from gateway.domain.visit.state import PausePeriod
from gateway.storage.database import Database, rfc3339
from gateway.storage.part import StorePart, reads, writes


def plan_pause(db: Database, new: PlannedPause, now: Now) -> PlannedPause | PauseRefusal:
    """Store a pause and return it, or return why it cannot be. One that should have begun already begins now."""
    if now.trusted:
        expire_pauses(db, now.utc)
    if new.start < now.utc < new.end:
        new = replace(new, start=now.utc)
    refusal = pause_refusal(new, planned_pauses(db), now)
    if refusal is not None:
        return refusal
    db.insert("pause", id=new.id, entrance=new.entrance, starts=new.start, ends=new.end, by=new.by)
    facts = {"id": new.id, "start": rfc3339(new.start), "end": rfc3339(new.end)}
    db.log("pause", now.utc, facts, by=new.by, entrance=new.entrance)
    return new


def end_pause(db: Database, ident: str, now: Now, *, by: str | None = None) -> PlannedPause | PauseRefusal:
    """End a pause, or withdraw one that has not begun; return it, or `UNKNOWN`."""
    ended = next((pause for pause in planned_pauses(db) if pause.id == ident), None)
    if ended is None:
        return PauseRefusal.UNKNOWN
    db.execute("DELETE FROM pause WHERE id = ?", (ident,))
    db.log("pause_ended", now.utc, {"id": ident}, by=by, entrance=ended.entrance)
    return ended


def planned_pauses(db: Database) -> tuple[PlannedPause, ...]:
    """Read the pauses that are still stored, soonest first."""
    query = "SELECT id, entrance, starts AS start, ends AS end, by FROM pause ORDER BY starts, id"
    return db.records(PlannedPause, query)


def pauses_of(db: Database, entrance: str) -> tuple[PausePeriod, ...]:
    """Return the pauses of one entrance, as `decide` takes them; some may be over."""
    return tuple(planned.pause for planned in planned_pauses(db) if planned.holds_at(entrance))


def expire_pauses(db: Database, utc: datetime) -> None:
    """Delete the pauses that are over at `utc`, a trusted time."""
    db.execute("DELETE FROM pause WHERE ends <= ?", (utc,))


def current_pauses(db: Database, now: Now) -> tuple[PlannedPause, ...]:
    """Return the household's pauses that are not over, soonest first."""
    return tuple(pause for pause in planned_pauses(db) if not now.trusted or now.utc < pause.end)


class Pauses(StorePart):
    """The household's pauses: `Store.pauses`."""

    plan = writes(plan_pause)
    end = writes(end_pause)
    planned = reads(current_pauses)
    of_entrance = reads(pauses_of)
