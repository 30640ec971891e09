"""Stores the owner's choices on privacy, who looked at films, and what was erased; counts what is stored."""

from datetime import datetime, timedelta
from typing import Literal

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.part import StorePart, posts, reads, writes

MAX_VIEW_RECORDS = 500
LOOK_GAP = timedelta(seconds=30)  # requests that are no further apart are one look: single pictures, a lost connection
FILM_GAP = timedelta(minutes=10)  # the same for a film, which a person pauses and rewinds
_RETENTION_CHOICE, _INSIDE_LIVE_CHOICE = "retention_days", "inside_live"

ViewKind = Literal["live", "film", "report", "copy"]


class ViewRecord(Frozen):
    """A person (by id; None: the holder of a link) looked at a camera or a visit."""

    began: datetime
    ended: datetime
    person: str | None
    kind: ViewKind
    what: str


class ErasureRecord(Frozen):
    """The films of a visit were erased. `why` is "retention" if their time was over; `by`: a person's id."""

    visit: str
    at: datetime
    why: str
    by: str | None


class StoreCounts(Frozen):
    """How much is stored. Bytes are those of films; an `oldest_...` is None if there is nothing."""

    visits: int
    film_bytes: int
    oldest_film: datetime | None
    held: int
    entries: int  # of the log, with a body
    oldest_entry: datetime | None
    people: int
    sessions: int
    invitations: int
    messages: int
    deliveries: int
    looks: int


def chosen_retention_days(db: Database) -> int | None:
    """Return for how many days an owner chose to keep films; None: as the house file says."""
    days = read_choice(db, _RETENTION_CHOICE)
    return None if days is None else int(days)


def read_choice(db: Database, name: str) -> str | None:
    """Return what was chosen, or a task that is left to do; None: nothing."""
    return db.value(str, "SELECT value FROM choice WHERE name = ?", (name,))


def write_choice(db: Database, name: str, value: str | None) -> None:
    """Store what was chosen, or a task that is left to do; None: delete it."""
    if value is None:
        db.execute("DELETE FROM choice WHERE name = ?", (name,))
    else:
        db.insert("choice", or_="REPLACE", name=name, value=value)


def _record_view(db: Database, kind: ViewKind, what: str, person: str | None, now: Now) -> None:
    """Record that a person looks now: a look of its own, or the latest moment of one that is not long over."""
    gap = FILM_GAP if kind == "film" else LOOK_GAP
    if db.execute(
        "UPDATE look SET ended = max(ended, ?) WHERE id = (SELECT max(id) FROM look WHERE kind = ? AND what = ?"
        " AND person IS ?) AND ended BETWEEN ? AND ?",
        (now.utc, kind, what, person, now.utc - gap, now.utc + gap),
    ).rowcount:
        return
    db.insert("look", began=now.utc, ended=now.utc, person=person, kind=kind, what=what)
    db.execute(
        "DELETE FROM look WHERE id <= (SELECT id FROM look ORDER BY id DESC LIMIT 1 OFFSET ?)", (MAX_VIEW_RECORDS,)
    )


def _end_live_view(db: Database, camera: str, person: str | None, began: Now, now: Now) -> None:
    """Record that a person looks at a camera no longer; `began` is the time that was recorded at the beginning."""
    db.execute(
        "UPDATE look SET ended = max(ended, ?) WHERE id = (SELECT max(id) FROM look WHERE kind = 'live' AND what = ?"
        " AND person IS ? AND began <= ?)",
        (now.utc, camera, person, began.utc),
    )


def set_retention(db: Database, days: int, was: int, now: Now, *, by: str) -> None:
    """Keep films for so many days from now on; `was` is the number of days before."""
    write_choice(db, _RETENTION_CHOICE, str(days))
    db.log("retention", now.utc, {"days": days, "was": was}, by=by)


def inside_always(db: Database) -> bool:
    """Return whether cameras inside may be watched although nothing is being filmed."""
    return read_choice(db, _INSIDE_LIVE_CHOICE) == "always"


def set_inside_always(db: Database, now: Now, *, always: bool, by: str) -> None:
    """Let cameras inside be watched always, or only while a film runs."""
    write_choice(db, _INSIDE_LIVE_CHOICE, "always" if always else None)
    db.log("inside_live", now.utc, {"always": always}, by=by)


def views(db: Database, *, at_most: int) -> tuple[ViewRecord, ...]:
    """Return who looked at cameras and films, the newest first."""
    query = "SELECT began, ended, person, kind, what FROM look ORDER BY ended DESC, id DESC LIMIT ?"
    return db.records(ViewRecord, query, (at_most,))


def erasures(db: Database, *, at_most: int) -> tuple[ErasureRecord, ...]:
    """Return the erased visits that the log still tells of, the newest first."""
    query = """
        SELECT visit, at, json_extract(text, '$.why') AS why, json_extract(text, '$.by') AS by
        FROM (SELECT visit, at, CAST(body AS TEXT) AS text FROM entry WHERE kind = 'erased' AND body IS NOT NULL)
        ORDER BY at DESC LIMIT ?
    """
    return db.records(ErasureRecord, query, (at_most,))


def counts(db: Database) -> StoreCounts:
    """Count what is stored."""
    query = """
        SELECT count(DISTINCT visit) AS visits, min(began) AS oldest_film,
          count(DISTINCT CASE WHEN held IS NOT NULL THEN visit END) AS held,
          (SELECT ifnull(sum(size), 0) FROM clip) AS film_bytes,
          (SELECT count(*) FROM entry WHERE body IS NOT NULL) AS entries,
          (SELECT min(at) FROM entry WHERE body IS NOT NULL) AS oldest_entry,
          (SELECT count(*) FROM person WHERE removed IS NULL) AS people,
          (SELECT count(*) FROM session) AS sessions, (SELECT count(*) FROM invitation) AS invitations,
          (SELECT count(*) FROM message) AS messages, (SELECT count(*) FROM delivery) AS deliveries,
          (SELECT count(*) FROM look) AS looks
        FROM film WHERE erased IS NULL
    """
    (row,) = db.records(StoreCounts, query)
    return row


class PrivacyStore(StorePart):
    """The owner's choices on privacy, who looked at films, what is stored: `Store.privacy`."""

    chosen_retention_days = reads(chosen_retention_days)
    set_retention = writes(set_retention)
    inside_always = reads(inside_always)
    set_inside_always = writes(set_inside_always)
    record_view = posts(_record_view)  # a full disk must not keep an owner from seeing the door
    end_live_view = posts(_end_live_view)
    views = reads(views)
    erasures = reads(erasures)
    counts = reads(counts)
