"""Opens the database file, migrates it, and checks it for damage."""

import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from gateway.domain.delivery.barcodes import renormalise
from gateway.storage.database import Database, to_micros
from gateway.storage.models import DatabaseRefused

sqlite3.register_adapter(datetime, to_micros)  # so a statement takes an instant as it is

_APPLICATION_ID = 0x50455252  # "PERR": distinguishes our file from any other SQLite file
_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def migration_scripts() -> tuple[str, ...]:
    """Return the migrations in order; number n brings a database from version n - 1 to n."""
    scripts = sorted(
        (f for f in files("gateway.storage").joinpath("sql").iterdir() if f.name.endswith(".sql")), key=str
    )
    if [f.name for f in scripts] != [f"{n:04}.sql" for n in range(1, len(scripts) + 1)]:
        raise ValueError("the migrations are numbered without a gap")
    return tuple(f.read_text(encoding="utf-8") for f in scripts)


def connect(path: Path, *, writes: bool) -> Database:
    """Open one connection. The writer's connection never checkpoints by itself; a reader's cannot write."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5.0, factory=Database)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("parcel_code", 1, renormalise, deterministic=True)  # a migration calls it
    if writes:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise DatabaseRefused(f"{path.name} cannot be kept in WAL mode (a network file system?)")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # Deleted content is overwritten; many builds do not do it by default
        connection.execute("PRAGMA secure_delete = ON")
    else:
        connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def connect_read_only(path: Path, *, timeout_s: float = 5.0) -> Iterator[Database]:
    """Open a connection that cannot write, also beside a running box, and close it at the end.

    It may be interrupted from another thread. `timeout_s`: how long a read waits for a lock.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    with closing(
        sqlite3.connect(
            address, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False, factory=Database
        )
    ) as connection:
        yield connection


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


def migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Bring the database up to date, each migration in one transaction.

    Raises:
        DatabaseRefused: it was made by a newer version, or it is another program's.
    """
    queries = ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_schema")
    version, application, tables = (connection.execute(query).fetchone()[0] for query in queries)
    if application != _APPLICATION_ID and (application or version or tables):
        raise DatabaseRefused("the file is another program's database")
    if version > len(migrations):
        raise DatabaseRefused(
            f"the database has version {version}, this program knows up to {len(migrations)}:"
            " it was used by a newer perron; install that one again"
        )
    for number, script in enumerate(migrations[version:], start=version + 1):
        head = f"BEGIN IMMEDIATE; PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {number};\n"
        try:
            connection.executescript(f"{head}{script}\nCOMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def create_identity(connection: sqlite3.Connection) -> None:
    """Give a new database its own identity; an older one keeps its identity."""
    connection.execute(
        "INSERT OR IGNORE INTO box (one, generation, code_key) VALUES (1, ?, ?)",
        (secrets.token_hex(16), secrets.token_bytes(32)),
    )
