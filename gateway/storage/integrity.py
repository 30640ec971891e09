"""Checks the database file with SQLite within some seconds."""

import sqlite3
import threading
from pathlib import Path

from gateway.storage.schema import connect_read_only

_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def find_damage(path: Path, *, within: float) -> str | None:
    """What is wrong with the file, in SQLite's words; None: nothing that was found within so many seconds.

    The file is only read. One that is not there, or that cannot be opened now, is not damaged. A row whose bytes were
    changed and that still reads as a row is not found: SQLite keeps no checksums.
    """
    try:
        with connect_read_only(path, timeout_s=within) as database:
            late = threading.Timer(within, database.interrupt)
            late.start()
            try:
                said: list[tuple[str]] = database.execute("PRAGMA quick_check(1)").fetchall()
            finally:
                late.cancel()
                late.join()  # it must not interrupt what is closed
    except sqlite3.Error as error:
        return str(error) if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_CODES else None
    first = said[0][0] if said else "ok"
    return None if first == "ok" else " ".join(first.split())
