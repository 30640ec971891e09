"""Stores the box's own counters: broker sessions, crashes, the floor of its clock, and the mark outside the store."""

import secrets
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gateway.domain.now import Now
from gateway.protocol.hash_chain import ChainHead
from gateway.storage.database import Database
from gateway.storage.models import StoreFailed
from gateway.storage.part import StorePart, posts, reads, writes
from gateway.storage.writer import Mark, is_environment_error

CRASH_WINDOW = timedelta(seconds=60)


def next_session_number(db: Database) -> int:
    """Return a number that no broker session of this box ever had."""
    return db.number("UPDATE box SET session = session + 1 RETURNING session")


def record_start(db: Database, now: Now) -> int:
    """Log a start; return how many crashes were noticed within the last 60 s, with the one that this start reveals."""
    crashed = bool(db.number("SELECT running FROM box"))
    if crashed:
        db.execute("INSERT INTO crash (noticed) VALUES (?)", (now.utc,))
    db.execute("UPDATE box SET running = 1")
    if now.trusted:
        db.execute("UPDATE box SET restored = ? WHERE restored = 0", (now.utc,))
    since = now.utc - CRASH_WINDOW
    db.execute("DELETE FROM crash WHERE noticed < ? OR noticed > ?", (since, now.utc))
    crashes = db.number("SELECT count(*) FROM crash")
    db.log("start", now.utc, {"crashed": crashed, "crashes": crashes, "trusted": now.trusted})
    return crashes


def record_shutdown(db: Database, now: Now) -> None:
    """Log that the process ends in good order: the next start counts no crash."""
    db.execute("UPDATE box SET running = 0")
    db.execute("DELETE FROM crash")
    db.log("end", now.utc)


def time_floor(db: Database) -> datetime | None:
    """Return the highest trusted time that was stored."""
    return db.value(datetime, "SELECT floor FROM box")


def store_time_floor(db: Database, utc: datetime) -> None:
    """Raise the floor; a lower instant changes nothing. A restored copy also stores it as the time of its restore."""
    db.execute(
        "UPDATE box SET floor = max(ifnull(floor, 0), ?), restored = CASE restored WHEN 0 THEN ? ELSE restored END",
        (utc, utc),
    )


def _is_covered(db: Database, visit: str | None, synced_seq: int) -> bool:
    """Return whether a mark on the disk names an entry of this visit, or a later one."""
    if visit is None:
        return False
    first = db.value(int, "SELECT min(seq) FROM entry WHERE visit = ?", (visit,))
    return first is not None and first <= synced_seq


class Marks(Protocol):
    """Writes the mark outside the store: a signed name of the log's end (`gateway/evidence/rollback.py`)."""

    @property
    def synced_seq(self) -> int:
        """The entry that a mark on the disk names for certain."""

    def write(self, head: ChainHead, now: Now, *, is_synced: bool) -> bool:
        """Write the mark, and sync it if asked to; return whether it was written."""

    def finish(self, head: ChainHead, now: Now) -> None:
        """Have a mark that names this entry, or a later one, on the disk."""


class BoxState(StorePart):
    """The box's counters: `Store.box`."""

    record_start = writes(record_start)
    record_shutdown = writes(record_shutdown, mark=True)
    time_floor = reads(time_floor)
    raise_time_floor = writes(store_time_floor)
    post_time_floor = posts(store_time_floor)  # what fails is tried with the next one

    async def next_session_number(self) -> int:
        """Return a number that no broker session of this box ever had: a random one if the disk stores none.

        A full disk must not keep the box from the broker: it must lock, raise alarms and receive the owner's stop.
        """
        try:
            return await self.writer.do(next_session_number)
        except StoreFailed:
            self.reader()  # raises if the store is closed
            return 2**32 + secrets.randbelow(2**52)  # far above what counting reaches, exact in every JSON reader

    def mark_with(self, marks: Marks) -> None:
        """Have `marks` renew the mark outside the store, in the writer's thread, after each commit that needs one.

        Of an intent the mark is on the disk when the caller hears of the commit, or just afterwards if the disk already
        has a mark that names an entry of the intent's visit. So a store from before the visit is always noticed; one
        that was copied during the visit, before the intent, is noticed unless the power fails within that moment.
        """

        def mark(db: Database, wanted: Sequence[Mark]) -> bool:
            try:
                is_synced = not all(_is_covered(db, one.visit, marks.synced_seq) for one in wanted)
                if not marks.write(db.log_head(), wanted[-1].now, is_synced=is_synced):
                    return False
                db.execute("UPDATE box SET mark_due = 1 WHERE mark_due = 0")  # a missing mark is noticed from now on
            except sqlite3.Error as error:
                if not is_environment_error(error):
                    raise
                return False
            return True

        self.writer.marker = mark
        self.writer.finish_mark = lambda db, now: marks.finish(db.log_head(), now)

    async def mark(self, now: Now) -> bool:
        """Renew the mark now; return whether it is on the disk."""
        return (await self.writer.do_marked(lambda _db: None, now))[1]
