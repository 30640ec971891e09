"""The hub's store: SQLite on one machine, PostgreSQL at scale, by the same statements.

Every change is one transaction of `writing`. SQLite has one writer, which transactions use one after the other
(`sqlite.py`). There is only one hub on SQLite, so leases of several hubs (`FOR UPDATE SKIP LOCKED`) need no lock there.

A row that stands for a queue (a retailer's, a home's) is locked with `key_share=True`: `FOR NO KEY UPDATE`. A plain
`FOR UPDATE` waits for each transaction that has inserted a row that references it, and two of those would wait for each
other.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import math
import os
import secrets
import shutil
from base64 import b32encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import structlog
from sqlalchemy import (
    URL,
    Delete,
    Executable,
    Row,
    Table,
    Update,
    exc,
    literal,
    make_url,
    select,
    text,
    true,
)

from gateway.hub.database.migrations import SchemaUnusable, database_faults, migrate, newest_revision
from gateway.hub.database.postgresql import MAX_CONNECTIONS, PostgreSQLDatabase
from gateway.hub.database.sqlite import SQLiteDatabase
from gateway.hub.database.transaction import Transaction, finish_despite_cancel
from gateway.system.text import error_line

log = structlog.get_logger(__name__)

T = TypeVar("T")

MIN_FREE_BYTES = 2**20  # with less free disk space for SQLite the hub is not ready
_BACKENDS = ("sqlite", "postgresql")
CLOSE_TIMEOUT_S = 5.0  # for open reads and writes
READINESS_TIMEOUT_S = 2.0  # for a healthy database to answer
_MISSING_OBJECT_CODES = ("42703", "42P01")  # SQLSTATE: no such column, no such table
_SQLITE_ERROR_CODE = 1  # https://sqlite.org/rescode.html: what a statement names is not there, or it is no SQL
# SQLSTATE: connection, rollback, resources, shutdown, and a lock that was not free in time
_TRANSIENT_CODES = ("08", "40", "53", "57", "55P03")


class StoreUnavailable(OSError):  # noqa: N818 - it says what is the matter
    """The database does not answer or accepts nothing now; the same may succeed a moment later.

    A transaction in progress has changed nothing; whether one in its commit did is unknown.
    """


@contextlib.contextmanager
def log_unavailable(event_name: str, *expected: type[Exception], level: int = logging.ERROR) -> Iterator[None]:
    """Log an unavailable database, a full disk or an `expected` error, and continue: a worker tries again later."""
    errors: tuple[type[Exception], ...] = (OSError, *expected)  # a full disk raises StoreUnavailable or another OSError
    try:
        yield
    except errors as error:
        log.log(level, event_name, why=error_line(error))


class StoreUnusable(Exception):  # noqa: N818 - it says what is the matter
    """The database cannot be opened or locked; the text says why and what to do."""


def new_secret() -> str:
    """Return 128 random bits in small letters and digits."""
    return b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def new_id(prefix: str) -> str:
    """Return a new id: the prefix, a hyphen and a secret's characters."""
    return f"{prefix}-{new_secret()}"


class HubStore:
    """One database; `open` makes it."""

    def __init__(self, database: SQLiteDatabase | PostgreSQLDatabase, url: URL) -> None:
        self._database, self._url = database, url
        self.has_one_writer = isinstance(database, SQLiteDatabase)
        self._is_closed = False
        self._health_query: asyncio.Task[bool] | None = None
        self._has_schema_fault = False  # a statement found a table or column missing
        self._open_sessions: set[asyncio.Future[None]] = set()  # one for each connection in use
        self._watchers: dict[str, list[Callable[[], None]]] = {}  # by table
        self.writers = 0  # transactions of `writing` that run or wait
        self.max_connections = math.inf if self.has_one_writer else MAX_CONNECTIONS

    @property
    def sessions(self) -> int:
        """The number of reads and transactions that run or wait for a connection."""
        return len(self._open_sessions)

    @classmethod
    async def open(cls, url: str) -> "HubStore":
        """Open the database that a URL of SQLAlchemy names, and make or migrate its tables."""
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() not in _BACKENDS:
                raise exc.ArgumentError(parsed.drivername)  # noqa: TRY301 - one text for both
            parsed.get_dialect()
        except (exc.ArgumentError, exc.NoSuchModuleError) as error:
            raise StoreUnusable(
                f"{url!r} names no database that a hub can use: write sqlite:///hub.sqlite3 or"
                " postgresql+asyncpg://user@host/name."
            ) from error
        try:
            if parsed.get_backend_name() == "sqlite":
                _check_openable(parsed)
                await migrate(url)
                database: SQLiteDatabase | PostgreSQLDatabase = SQLiteDatabase(parsed.database or "")
            else:
                await migrate(url)
                database = await PostgreSQLDatabase.open(parsed)
        except (exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, SchemaUnusable) as error:
            name = parsed.render_as_string(hide_password=True)
            raise StoreUnusable(f"The database {name} cannot be used: {_why_unusable(error)}.") from error
        return cls(database, parsed)

    async def close(self) -> None:
        """Close every connection when all reads and writes have ended, at the latest after `CLOSE_TIMEOUT_S`."""
        self._is_closed = True
        loop = asyncio.get_running_loop()
        until = loop.time() + CLOSE_TIMEOUT_S
        while self._open_sessions and (left := until - loop.time()) > 0:
            await asyncio.wait(self._open_sessions, timeout=left)
        await finish_despite_cancel(self._database.close())

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Yield a connection for reading. SQLite reads one snapshot; on PostgreSQL each statement has its own."""
        with self._session():
            async with self._database.reading() as tx:
                yield tx

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """Yield a transaction, which is committed at the end of the block and rolled back if the block raises.

        A caller that is cancelled during the commit finds it committed.
        """
        with self._counted_writer(), self._session():
            async with self._database.writing() as tx:
                yield tx
        for table in tx.changed & self._watchers.keys():
            for watcher in self._watchers[table]:
                watcher()

    def after_change(self, table: Table, watcher: Callable[[], None]) -> None:
        """Call `watcher` after each transaction of this process that changed a table."""
        self._watchers.setdefault(table.name, []).append(watcher)

    @contextlib.contextmanager
    def _counted_writer(self) -> Iterator[None]:
        self.writers += 1
        try:
            yield
        finally:
            self.writers -= 1

    async def execute_once(
        self, statement: Executable, params: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> Sequence[Row[Any]]:
        """Execute one statement as its own transaction (on PostgreSQL one round trip, not three); return its rows."""
        async with self.writing() if self.has_one_writer else self.reading() as tx:
            result = await tx.execute(statement, params)
            return result.all() if result.returns_rows else ()

    async def change_any(self, statement: Update | Delete) -> int:
        """Execute an update or deletion that usually finds no row, so it reads first; return the number of rows."""
        matching = select(literal(1)).where(statement.whereclause if statement.whereclause is not None else true())
        async with self.reading() as tx:
            if (await tx.execute(matching.limit(1))).first() is None:
                return 0
        async with self.writing() as tx:
            return (await tx.execute(statement)).rowcount

    async def overwrite_deleted(self) -> None:
        """Overwrite what was deleted in an SQLite file; PostgreSQL does so by itself, later."""
        if isinstance(self._database, SQLiteDatabase):
            with self._session():
                if not await self._database.overwrite_deleted():
                    todo = "stop the hub once and run `sqlite3 FILE VACUUM`: the file is large"
                    log.warning("database_not_rewritten", todo=todo)

    @contextlib.contextmanager
    def _session(self) -> Iterator[None]:
        """Count a connection in use, and say what its errors mean."""
        given_back = asyncio.get_running_loop().create_future()
        self._open_sessions.add(given_back)
        try:
            yield
        except TimeoutError as error:
            raise StoreUnavailable("The database did not answer in time.") from error
        except exc.DBAPIError as error:
            if is_transient(error):
                raise StoreUnavailable(error_line(error)) from error
            if is_schema_fault(error):
                self._has_schema_fault = True
                todo = "restart the hub: it then says what is missing"
                log.error("schema_fault", why=error_line(error), todo=todo)
            raise
        finally:
            self._open_sessions.discard(given_back)
            given_back.set_result(None)

    async def is_healthy(self) -> bool:
        """Return whether the database answers, has this hub's tables or newer ones, and (SQLite) free disk space."""
        if self._health_query is None or self._health_query.done():
            self._health_query = asyncio.ensure_future(self._check_answers())
        query = self._health_query
        await asyncio.wait({query}, timeout=READINESS_TIMEOUT_S)
        return query.done() and query.result()

    async def _check_answers(self) -> bool:
        try:
            async with self.reading() as connection:
                revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            if revision is None or revision < newest_revision():  # a newer hub beside this one may have migrated it
                return False
            if self._has_schema_fault:
                self._has_schema_fault = bool(await database_faults(self._url.render_as_string(hide_password=False)))
            return not self._has_schema_fault and await asyncio.to_thread(self._free_bytes) >= MIN_FREE_BYTES
        except OSError:
            return False
        except exc.DBAPIError as error:
            if not is_schema_fault(error):
                raise
            return False

    def _free_bytes(self) -> int:
        file = self._url.database if self.has_one_writer else None
        return MIN_FREE_BYTES if not file else shutil.disk_usage(Path(file).resolve().parent).free


@contextlib.contextmanager
def lock_database(url: str) -> Iterator[None]:
    """Lock a hub's SQLite file for this process; the lock is the system's, so it ends with the process.

    SQLite lacks the locks that shared leases need. Two hubs would also displace each other at the broker again and
    again, because both use the same account.
    """
    known = make_url(url)
    if known.get_backend_name() != "sqlite" or known.database in {None, "", ":memory:"}:
        yield
        return
    with Path(f"{known.database}.lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreUnusable(
                f"Another hub uses {known.database}: end that one, or name a PostgreSQL, which is for several."
            ) from error
        yield


def is_transient(error: exc.DBAPIError) -> bool:
    """Return whether the same statement may succeed a moment later."""
    if is_schema_fault(error):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    return isinstance(error, exc.OperationalError | exc.InterfaceError) or state.startswith(_TRANSIENT_CODES)


def is_schema_fault(error: exc.DBAPIError) -> bool:
    """Return whether a table or column is missing; SQLite reports it as an operational error, as a full disk."""
    if getattr(error.orig, "sqlstate", None) in _MISSING_OBJECT_CODES:
        return True
    return getattr(error.orig, "sqlite_errorcode", None) == _SQLITE_ERROR_CODE


def _why_unusable(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it does not answer" if isinstance(error, TimeoutError) else error_line(error)  # asyncpg's has no text


def _check_openable(url: URL) -> None:
    """Raise an OSError if SQLite's file cannot be opened, which says more than SQLite.

    An existing file is not opened here: closing it would release the locks of this process's other connections, and the
    next process that opens the database would take it for unused and delete its log (seen).
    """
    if not url.database:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    file = Path(url.database)
    if not file.is_file():
        file.open("ab").close()
    elif not os.access(file, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
