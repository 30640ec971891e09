"""Copies the store beside a running box, and makes the copy safe before it can be used.

The copy does not contain what the box does later. So nothing opens in it: each entrance is in safe mode until its owner
acknowledges; each delivery must be announced again, by a message that was signed after the copy is put to use; each
permitted brand must ask again, and each guest's pass be granted again; no session, link, invitation, share, or code of
a keeper is valid. This is done to the copy, not at its restore: a copy that somebody unpacks by hand is as safe.
"""

import secrets
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.state import Entrance, SafeMode
from gateway.protocol.hash_chain import ChainHead
from gateway.storage import entrance_state, entrances, guests, keepers, people, recordings
from gateway.storage.database import Database
from gateway.storage.models import AccountHolder, StoredClip, StoreFailed
from gateway.storage.permissions import decide_brand
from gateway.storage.schema import connect, connect_read_only, migrate, migration_scripts

# The original may still use the numbers between: answers to its queries prove nothing here
SESSION_NUMBER_GAP = 1_000_000


class SnapshotContents(Frozen):
    """The contents of the copy. `running`: visits and incidents that were not over, whose films are incomplete."""

    head: ChainHead
    running: frozenset[str]
    clips: tuple[StoredClip, ...]
    people: tuple[AccountHolder, ...]
    brands: tuple[str, ...]  # that were permitted


def write_snapshot(source: Path, target: Path, now: Now) -> SnapshotContents:
    """Write a copy of the store as it is at one instant, while others read and write it. `target` must not exist.

    Raises:
        StoreFailed: one of the two cannot be read or written.
        DatabaseRefused: the source is another program's, or a newer version's.
    """
    try:
        with connect_read_only(source) as original:
            original.execute("VACUUM INTO ?", (str(target),))  # one read transaction; what was erased is not in it
        with closing(connect(target, writes=True)) as database:
            migrate(database, migration_scripts())
            database.execute("BEGIN IMMEDIATE")
            contents = _disarm(database, now)
            database.execute("COMMIT")
            database.execute("PRAGMA journal_mode = DELETE")  # one file
    except sqlite3.Error as failure:
        raise StoreFailed(str(failure)) from failure
    return contents


def _disarm(db: Database, now: Now) -> SnapshotContents:
    running = _reset_entrances(db)
    brands = tuple(db.column("SELECT brand FROM permission WHERE standing = 'granted' ORDER BY brand"))
    for brand in brands:
        decide_brand(db, brand, PermissionStatus.PENDING, None, now, by=None)
    db.execute("UPDATE permission SET asked = NULL")
    db.execute("UPDATE delivery SET look_at = 0 WHERE ends > ?", (now.utc,))
    db.execute("UPDATE delivery SET doubtful = 1")
    guests.withdraw_all(db, now)
    keepers.withdraw_all(db, now)
    db.execute("DELETE FROM uplink_message")
    for table in ("answer", "device", "invitation", "share", "claim", "house_offer", "used_link", "backoff", "crash",
                  "receiver_link", "receiver_session", "supervisor_link", "supervisor_session"):  # fmt: skip
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables
    db.execute(
        "UPDATE box SET generation = ?, session = session + ?, running = 0, restored = 0",
        (secrets.token_hex(16), SESSION_NUMBER_GAP),
    )
    db.log("copied", now.utc, {"trusted": now.trusted})
    filmed = recordings.films_of(db)
    return SnapshotContents(
        head=db.log_head(),
        running=frozenset(running),
        clips=tuple(clip for film in filmed if film.erased is None for clip in film.clips),
        people=people.all_people(db),
        brands=brands,
    )


def _reset_entrances(db: Database) -> set[str]:
    """Put every entrance into safe mode without a visit; return the ids of the visits and incidents that ran.

    A reservation counts as used, because its outcome is unknown here.
    """
    running: set[str] = set()
    for name in db.column("SELECT id FROM entrance"):
        state = entrances.state_of(db, name) or Entrance(id=name)
        running |= entrance_state.visits_in_progress(state)
        rest = replace(
            state,
            visit=None,
            grace_visit=None,
            incident=None,
            pending_scan=None,
            lock_request=None,
            preflights=(),
            timers={},
            safe=SafeMode(),
        )
        entrances.store_state(db, name, rest)
    db.execute("UPDATE entrance SET phase = 'ready', visit = NULL, delivery = NULL")
    db.execute("UPDATE visit SET intent = 'spent' WHERE intent = 'reserved'")
    return running
