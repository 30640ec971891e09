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
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

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
from gateway.system.ids import random_text
from gateway.system.text import error_line

log = structlog.get_logger(__name__)

T = TypeVar("T")

MIN_FREE_BYTES = 2**20  # with less free disk space for SQLite the hub is not ready
_BACKENDS = ("sqlite", "postgresql")
CLOSE_TIMEOUT_S = 5.0  # for open reads and writes
READINESS_TIMEOUT_S = 2.0  # for a healthy database to answer
_DIGITS: Final = "234567abcdefghijklmnopqrstuvwxyz"  # as characters are ordered
_INSTANT_CHARS: Final = 9  # of milliseconds since 1970, until the year 3084
_MISSING_OBJECT_CODES = ("42703", "42P01")  # SQLSTATE: no such column, no such table
_SQLITE_ERROR_CODE = 1  # https://sqlite.org/rescode.html: what a statement names is not there, or it is no SQL
# SQLSTATE: connection, rollback, resources, shutdown, a lock that was not free in time, and a server that is read-only:
# after a failover the next connection leads to another one
_TRANSIENT_CODES = ("08", "40", "53", "57", "55P03", "25006")


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
    """Return 130 random bits in small letters and digits."""
    return random_text()


def new_id(prefix: str) -> str:
    """Return a new id: the prefix, a hyphen and a secret's characters."""
    return f"{prefix}-{new_secret()}"


def new_row_id(prefix: str, now: datetime) -> str:
    """Return a new id for a table with many rows, in which later ids come after earlier ones: 85 bits are random.

    So the ids of new rows are neighbours in each index, and SQLite writes few of its pages.
    """
    return f"{prefix}-{_instant_text(int(now.timestamp() * 1000))}{new_secret()[_INSTANT_CHARS:]}"


@lru_cache(maxsize=8)  # a request makes several ids
def _instant_text(ms: int) -> str:
    return "".join(_DIGITS[(ms >> shift) % 32] for shift in range(5 * (_INSTANT_CHARS - 1), -1, -5))


class HubStore:
    """One database; `open` makes it."""

    def __init__(self, database: SQLiteDatabase | PostgreSQLDatabase, url: URL) -> None:
        self._database, self._url = database, url
        self.has_one_writer = isinstance(database, SQLiteDatabase)
        self._is_closed = False
        self._health_query: asyncio.Task[bool] | None = None
        self._has_schema_fault = False  # a statement found a table or column missing
        self.sessions = 0  # reads and transactions that run or wait for a connection
        self._all_given_back: asyncio.Future[None] | None = None  # for `close`, which waits
        self._watchers: dict[str, list[Callable[[], None]]] = {}  # by table
        self.writers = 0  # transactions of `writing` that run or wait
        self.max_connections = math.inf if self.has_one_writer else MAX_CONNECTIONS

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
        while self.sessions and (left := until - loop.time()) > 0:
            self._all_given_back = loop.create_future()
            await asyncio.wait({self._all_given_back}, timeout=left)
        await finish_despite_cancel(self._database.close())

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Return a connection for reading. SQLite reads one snapshot; on PostgreSQL each statement has its own."""
        return _StoreSession(self, self._database.reading(), writes=False)

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """Return a transaction, which is committed at the end of the block and rolled back if the block raises.

        A caller that is cancelled during the commit finds it committed on SQLite, and does not know it on PostgreSQL.
        """
        return _StoreSession(self, self._database.writing(), writes=True)

    def begin_session(self, *, writes: bool) -> None:
        """Count a read or a transaction that runs or waits for a connection."""
        self.sessions += 1
        self.writers += writes

    def end_session(self, *, writes: bool) -> None:
        """Stop counting it."""
        self.sessions -= 1
        self.writers -= writes
        if self._all_given_back is not None and not self.sessions and not self._all_given_back.done():
            self._all_given_back.set_result(None)

    def tell_watchers(self, changed: AbstractSet[str]) -> None:
        """Call the watchers of the tables that a transaction changed."""
        for table in changed & self._watchers.keys():
            for watcher in self._watchers[table]:
                watcher()

    def after_change(self, table: Table, watcher: Callable[[], None]) -> None:
        """Call `watcher` after each transaction of this process that changed a table."""
        self._watchers.setdefault(table.name, []).append(watcher)

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
        if not isinstance(self._database, SQLiteDatabase):
            return
        self.begin_session(writes=False)
        try:
            is_done = await self._database.overwrite_deleted()
        except exc.DBAPIError as error:
            self.raise_if_unavailable(error)
            raise
        finally:
            self.end_session(writes=False)
        if not is_done:
            todo = "stop the hub once and run `sqlite3 FILE VACUUM`: the file is large"
            log.warning("database_not_rewritten", todo=todo)

    def raise_if_unavailable(self, error: TimeoutError | exc.DBAPIError) -> None:
        """Raise `StoreUnavailable` if the same may succeed a moment later; remember a fault of the schema."""
        if isinstance(error, TimeoutError):
            raise StoreUnavailable("The database did not answer in time.") from error
        if is_transient(error):
            raise StoreUnavailable(error_line(error)) from error
        if is_schema_fault(error):
            self._has_schema_fault = True
            log.error("schema_fault", why=error_line(error), todo="restart the hub: it then says what is missing")

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


class _StoreSession(AbstractAsyncContextManager[Transaction, None]):
    """A read or a transaction of a store, which counts it, and says what its errors mean.

    It is a class, because the generators of `contextlib` would cost an announcement several hundredths of its CPU.
    """

    def __init__(self, store: HubStore, session: AbstractAsyncContextManager[Transaction], *, writes: bool) -> None:
        self._store, self._session, self._writes = store, session, writes

    async def __aenter__(self) -> Transaction:
        self._store.begin_session(writes=self._writes)
        try:
            self._tx = await self._session.__aenter__()
        except BaseException as error:
            self._store.end_session(writes=self._writes)
            if isinstance(error, TimeoutError | exc.DBAPIError):
                self._store.raise_if_unavailable(error)
            raise
        return self._tx

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._session.__aexit__(kind, error, traceback)
        except (TimeoutError, exc.DBAPIError) as fault:
            self._store.raise_if_unavailable(fault)
            raise
        finally:
            self._store.end_session(writes=self._writes)
        if isinstance(error, TimeoutError | exc.DBAPIError):
            self._store.raise_if_unavailable(error)
        if error is None and self._writes:
            self._store.tell_watchers(self._tx.changed)


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
