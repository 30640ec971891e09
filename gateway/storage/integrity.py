"""Checks the database file with SQLite, for some seconds at most."""

import sqlite3
import threading
from pathlib import Path

from gateway.storage.schema import connect_read_only

_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def find_damage(path: Path, *, within: float) -> str | None:
    """Return what is wrong with the file, in SQLite's words; None: SQLite found nothing within so many seconds.

    The file is only read. A file that does not exist or cannot be opened now is not damaged. SQLite keeps no checksums,
    so it does not find a row whose bytes changed and that is still valid.
    """
    try:
        with connect_read_only(path, timeout_s=within) as database:
            late = threading.Timer(within, database.interrupt)
            late.start()
            try:
                complaints = database.column("PRAGMA quick_check(1)")
            finally:
                late.cancel()
                late.join()  # it must not interrupt a closed connection
    except sqlite3.Error as error:
        return str(error) if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_CODES else None
    return None if complaints in ([], ["ok"]) else " ".join(complaints[0].split())
