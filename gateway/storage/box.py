"""Stores the box's own counters: broker sessions, crashes, the floor of its clock, and the mark outside the store."""

import secrets
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.domain.now import Now
from gateway.protocol.hash_chain import ChainHead
from gateway.storage import doubts
from gateway.storage.audit_log import append, head
from gateway.storage.models import StoreFailed
from gateway.storage.part import StorePart, posts, reads, writes
from gateway.storage.records import optional_instant
from gateway.storage.writer import is_environment_error

CRASH_WINDOW = timedelta(seconds=60)


def next_session_number(connection: sqlite3.Connection) -> int:
    """Return a number that no broker session of this box ever had."""
    row: tuple[int] = connection.execute("UPDATE box SET session = session + 1 RETURNING session").fetchone()
    return row[0]


def record_start(connection: sqlite3.Connection, now: Now) -> int:
    """Log a start; return how many crashes were noticed within the last 60 s, with the one that this start reveals."""
    crashed = bool(connection.execute("SELECT running FROM box").fetchone()[0])
    if crashed:
        connection.execute("INSERT INTO crash (noticed) VALUES (?)", (now.utc,))
    connection.execute("UPDATE box SET running = 1")
    if now.trusted:
        connection.execute("UPDATE box SET restored = ? WHERE restored = 0", (now.utc,))
    since = now.utc - CRASH_WINDOW
    connection.execute("DELETE FROM crash WHERE noticed < ? OR noticed > ?", (since, now.utc))
    crashes: int = connection.execute("SELECT count(*) FROM crash").fetchone()[0]
    append(connection, "start", {"crashed": crashed, "crashes": crashes, "trusted": now.trusted}, utc=now.utc)
    return crashes


def record_shutdown(connection: sqlite3.Connection, now: Now) -> None:
    """Log that the process ends in good order: the next start counts no crash."""
    connection.execute("UPDATE box SET running = 0")
    connection.execute("DELETE FROM crash")
    append(connection, "end", {}, utc=now.utc)


def time_floor(connection: sqlite3.Connection) -> datetime | None:
    """Return the highest trusted time that was stored."""
    floor: int | None = connection.execute("SELECT floor FROM box").fetchone()[0]
    return optional_instant(floor)


def store_time_floor(connection: sqlite3.Connection, utc: datetime) -> None:
    """Raise the floor; a lower instant changes nothing. A restored copy also stores it as the time of its restore."""
    connection.execute(
        "UPDATE box SET floor = max(ifnull(floor, 0), ?), restored = CASE restored WHEN 0 THEN ? ELSE restored END",
        (utc, utc),
    )


def generation(connection: sqlite3.Connection) -> str:
    """Return the random name that this database was given when it was made."""
    row: tuple[str] = connection.execute("SELECT generation FROM box").fetchone()
    return row[0]


class BoxState(StorePart):
    """The box's counters: `Store.box`."""

    generation = reads(generation)
    record_start = writes(record_start)
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

    async def record_shutdown(self, now: Now) -> None:
        """As the function `record_shutdown`; the writer also renews the mark outside the store."""
        await self.writer.do_marked(lambda db: record_shutdown(db, now), now)

    def mark_with(self, write: Callable[[ChainHead, Now], bool]) -> None:
        """Have `write` renew the mark outside the store, in the writer's thread, after each commit that needs one.

        `write` returns whether the mark is on the disk.
        """
        due = doubts.read_condition(self.reader()).mark_due

        def mark(connection: sqlite3.Connection, now: Now) -> bool:
            nonlocal due
            try:
                if not write(head(connection), now):
                    return False
                if not due:
                    doubts.set_mark_due(connection)
                    due = True
            except sqlite3.Error as error:
                if not is_environment_error(error):
                    raise
                return False
            return True

        self.writer.marker = mark

    async def mark(self, now: Now) -> bool:
        """Renew the mark now; return whether it is on the disk."""
        return (await self.writer.do_marked(lambda _db: None, now))[1]
