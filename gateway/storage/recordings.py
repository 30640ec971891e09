"""Stores films: which clips belong to which visit, what is sealed, held or erased.

Who names a visit or part without a film gets a `LookupError`.
"""

import json
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from gateway.domain.now import Now
from gateway.storage.audit_log import erase_bodies, seqs_of_visit
from gateway.storage.database import Database, from_micros, to_micros
from gateway.storage.models import FilmRecord, StoredClip
from gateway.storage.part import StorePart, reads, writes


def begin_film(  # noqa: PLR0913 - one argument a column
    db: Database, visit: str, part: int, *, entrance: str, delivery: str | None, utc: datetime
) -> None:
    """Store that a part is being filmed; a repeated call changes nothing."""
    db.insert("film", or_="IGNORE", visit=visit, part=part, entrance=entrance, delivery=delivery, began=utc)


def drop_film(db: Database, visit: str, part: int) -> None:
    """Delete a part without clips: nobody came in, so it is no film."""
    db.execute(
        "DELETE FROM film WHERE visit = ? AND part = ? AND sealed IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM clip c WHERE c.visit = film.visit AND c.part = film.part)",
        (visit, part),
    )


def add_clip(db: Database, clip: StoredClip, now: Now) -> None:
    """Store a closed, hashed clip and log its hash; a repeated call changes nothing.

    A film that began while the disk was full is stored now.
    """
    begin_film(db, clip.visit, clip.part, entrance=clip.entrance, delivery=None, utc=clip.start)
    gaps = json.dumps([[to_micros(start), to_micros(end)] for start, end in clip.gaps])
    added = db.execute(
        "INSERT OR IGNORE INTO clip (path, visit, part, camera, starts, ends, sha256, fragments, size, gaps)"
        " VALUES (:path, :visit, :part, :camera, :start, :end, :sha256, :fragments, :size, :gaps)",
        asdict(clip) | {"gaps": gaps},
    )
    if added.rowcount:
        db.log(
            "clip",
            now.utc,
            {"part": clip.part, "camera": clip.camera, "sha256": clip.sha256, "size": clip.size},
            visit=clip.visit,
        )


def mark_sealed(db: Database, visit: str, part: int, manifest_sha256: str, now: Now) -> None:
    """Store that a part's manifest is signed and on disk."""
    update = "UPDATE film SET manifest_sha256 = ?, sealed = ? WHERE visit = ? AND part = ?"
    if not db.execute(update, (manifest_sha256, now.utc, visit, part)).rowcount:
        raise LookupError(f"no part {part} of {visit}")
    db.log("sealed", now.utc, {"part": part, "manifest": manifest_sha256}, visit=visit)


def set_hold(db: Database, visit: str, why: str | None, now: Now, *, by: str | None = None) -> None:
    """Protect a visit's films from deletion; `why` None ends that."""
    if not db.execute("UPDATE film SET held = ? WHERE visit = ?", (why, visit)).rowcount:
        raise LookupError(f"no film of {visit}")
    db.log("hold", now.utc, {"why": why}, by=by, visit=visit)


def mark_erased(db: Database, visit: str, why: str, now: Now, *, by: str | None = None) -> bool:
    """Mark a visit's films as erased and erase its log entries' bodies; False: held, or erased before.

    Call it before the files are deleted. The next start deletes the files of an erased film whose clips are still
    stored.
    """
    changed = db.execute(
        "UPDATE film SET erased = ? WHERE visit = ? AND erased IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM film h WHERE h.visit = ? AND h.held IS NOT NULL)",
        (now.utc, visit, visit),
    )
    if not changed.rowcount:
        return False
    erase_bodies(db, seqs_of_visit(db, visit))
    db.execute("DELETE FROM share WHERE visit = ?", (visit,))
    db.log("erased", now.utc, {"why": why}, by=by, visit=visit)
    return True


def delete_clips(db: Database, visit: str) -> None:
    """Delete the clips of an erased visit, whose files are deleted. Clips of a film that is not erased stay."""
    db.execute(
        "DELETE FROM clip WHERE visit = ? AND EXISTS"
        " (SELECT 1 FROM film f WHERE f.visit = clip.visit AND f.part = clip.part AND f.erased IS NOT NULL)",
        (visit,),
    )


_SELECT_FILM = "SELECT visit, part, entrance, delivery, began, manifest_sha256, sealed, held, erased FROM film"


def films_of(db: Database, *, visit: str | None = None) -> tuple[FilmRecord, ...]:
    """Return films with their clips, oldest first: of one visit, or all."""
    if visit is None:
        films = db.records(FilmRecord, f"{_SELECT_FILM} ORDER BY began, visit, part")
    else:
        films = db.records(FilmRecord, f"{_SELECT_FILM} WHERE visit = ? ORDER BY part", (visit,))
    return tuple(replace(film, clips=_clips(db, film)) for film in films)


def _clips(db: Database, film: FilmRecord) -> tuple[StoredClip, ...]:
    query = (
        "SELECT path, camera, starts AS start, ends AS end, sha256, fragments, size, gaps FROM clip"
        " WHERE visit = ? AND part = ? ORDER BY camera, starts"
    )
    clips = db.records(
        StoredClip, query, (film.visit, film.part), entrance=film.entrance, visit=film.visit, part=film.part
    )
    return tuple(replace(clip, gaps=_gaps(clip.gaps)) for clip in clips)


def _gaps(stored: Any) -> tuple[tuple[datetime, datetime], ...]:  # noqa: ANN401 - JSON text in the record
    return tuple((from_micros(start), from_micros(end)) for start, end in json.loads(stored))


def last_sealed_film(db: Database, entrance: str) -> FilmRecord | None:
    """Return the newest sealed film of an entrance that is kept, without its clips."""
    query = f"{_SELECT_FILM} WHERE entrance = ? AND sealed IS NOT NULL AND erased IS NULL ORDER BY began DESC LIMIT 1"
    return next(iter(db.records(FilmRecord, query, (entrance,))), None)


def last_visit(db: Database, entrance: str) -> str | None:
    """Return the visit or incident that began last at this entrance; a visit without a film counts too."""
    return db.value(
        str,
        "SELECT visit FROM (SELECT visit, began FROM film WHERE entrance = ?1"
        " UNION ALL SELECT id, began FROM visit WHERE entrance = ?1) ORDER BY began DESC LIMIT 1",
        (entrance,),
    )


class Recordings(StorePart):
    """The films: `Store.recordings`."""

    add_clip = writes(add_clip)
    mark_sealed = writes(mark_sealed)
    films = reads(films_of)
    set_hold = writes(set_hold)
    mark_erased = writes(mark_erased)
    delete_clips = writes(delete_clips)
    last_sealed_film = reads(last_sealed_film)
    last_visit = reads(last_visit)
