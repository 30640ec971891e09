"""The hub's store: SQLite on one machine, PostgreSQL at scale, by the same statements.

Every change is one transaction of `writing`. SQLite has one writer: writers queue here rather than in its busy timer,
and each begins `IMMEDIATE`, so none fails half-way because another wrote meanwhile. There is only one hub on SQLite, so
leases of several hubs (`FOR UPDATE SKIP LOCKED`) need no lock there.

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
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import structlog
from sqlalchemy import Connection, Delete, Executable, Row, Update, event, exc, literal, select, text, true
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.hub.database.migrations import SchemaUnusable, database_faults, migrate, newest_revision

log = structlog.get_logger(__name__)

T = TypeVar("T")

BUSY_TIMEOUT_MS = 10_000  # SQLite waits so long for another process, for example a backup
MIN_FREE_BYTES = 2**20  # with less free disk space for SQLite the hub is not ready
CLOSE_TIMEOUT_S = 5.0  # for open reads and writes
CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S, POOL_TIMEOUT_S = (5, 10, 5)  # of PostgreSQL
POOL_SIZE, POOL_OVERFLOW = (10, 10)  # connections to PostgreSQL that are kept, and more while they are needed
READINESS_TIMEOUT_S = 2.0  # for a healthy database to answer
_MISSING_OBJECT_CODES = ("42703", "42P01")  # SQLSTATE: no such column, no such table
_SQLITE_ERROR_CODE = 1  # https://sqlite.org/rescode.html: what a statement names is not there, or it is no SQL
_TRANSIENT_CODE_CLASSES = ("08", "40", "53", "57")  # SQLSTATE: connection, rollback, resources, shutdown


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
        log.log(level, event_name, why=_error_text(error))


class StoreUnusable(Exception):  # noqa: N818 - it says what is the matter
    """The database cannot be opened or locked; the text says why and what to do."""


async def finish_despite_cancel(work: Coroutine[Any, Any, T]) -> T:
    """Complete a piece of work although the caller is cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio does not log it
    raise cancelled


class _UncancellableConnection(AsyncConnection):
    """A connection that completes its statements although the caller is cancelled.

    A cancelled statement would leave the connection unusable, and the driver's thread would answer an event loop that
    may be closed by then.
    """

    async def start(self, is_ctxmanager: bool = False) -> AsyncConnection:  # noqa: FBT002 - SQLAlchemy's own
        return await finish_despite_cancel(super().start(is_ctxmanager))

    async def execute(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy's, which has many forms
        return await finish_despite_cancel(super().execute(*args, **kwargs))

    async def run_sync(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy's
        return await finish_despite_cancel(super().run_sync(*args, **kwargs))

    async def commit(self) -> None:
        await finish_despite_cancel(super().commit())

    async def rollback(self) -> None:
        await finish_despite_cancel(super().rollback())

    async def close(self) -> None:
        if self.sync_connection is not None:  # otherwise it never connected
            await finish_despite_cancel(super().close())


def new_secret() -> str:
    """Return 128 random bits in small letters and digits."""
    return b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def new_id(prefix: str) -> str:
    """Return a new id: the prefix, a hyphen and a secret's characters."""
    return f"{prefix}-{new_secret()}"


class HubStore:
    """One database; `open` makes it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._url = engine.url.render_as_string(hide_password=False)
        self.has_one_writer = engine.dialect.name == "sqlite"
        self._write_lock = asyncio.Lock()
        self._is_closed = False
        self._health_query: asyncio.Task[bool] | None = None
        self._has_schema_fault = False  # a statement found a table or column missing
        self._open_sessions: set[asyncio.Future[None]] = set()  # one for each connection in use
        self.writers = 0  # transactions of `writing` that run or wait
        self.max_connections = math.inf if self.has_one_writer else POOL_SIZE + POOL_OVERFLOW

    @property
    def sessions(self) -> int:
        """The number of reads and transactions that run or wait for a connection."""
        return len(self._open_sessions)

    @classmethod
    async def open(cls, url: str) -> "HubStore":
        """Open the database that a URL of SQLAlchemy names, and make or migrate its tables."""
        try:
            engine = _engine_of(url)
        except (exc.ArgumentError, exc.NoSuchModuleError) as error:
            raise StoreUnusable(
                f"{url!r} names no database: write sqlite+aiosqlite:///hub.sqlite3 or"
                " postgresql+asyncpg://user@host/name."
            ) from error
        store = cls(engine)
        async with contextlib.AsyncExitStack() as on_error:
            on_error.push_async_callback(store.close)
            try:
                _check_openable(engine)
                await migrate(url)
            except (exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, SchemaUnusable) as error:
                reason = (isinstance(error, OSError) and error.strerror) or str(error).splitlines()[0]
                name = engine.url.render_as_string(hide_password=True)
                raise StoreUnusable(f"The database {name} cannot be used: {reason}.") from error
            on_error.pop_all()
        return store

    async def close(self) -> None:
        """Close every connection when all reads and writes have ended, at the latest after `CLOSE_TIMEOUT_S`."""
        self._is_closed = True
        loop = asyncio.get_running_loop()
        until = loop.time() + CLOSE_TIMEOUT_S
        while self._open_sessions and (left := until - loop.time()) > 0:
            await asyncio.wait(self._open_sessions, timeout=left)
        await finish_despite_cancel(self._engine.dispose())

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection for reading. SQLite reads one snapshot; on PostgreSQL each statement has its own.

        PostgreSQL gets no transaction, because its begin and end would be two more round trips.
        """
        async with self._connection() as connection:
            if not self.has_one_writer:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Yield a transaction, which is committed at the end of the block and rolled back if the block raises.

        A caller that is cancelled during the commit finds it committed.
        """
        async with (
            self._counted_writer(),
            self._write_lock if self.has_one_writer else contextlib.nullcontext(),
            self._connection() as connection,
        ):
            if self.has_one_writer:
                await connection.execution_options(perron_writes=True)
            try:
                yield connection
            except BaseException:
                with contextlib.suppress(exc.DBAPIError):  # a lost connection has rolled back
                    await connection.rollback()
                raise
            await connection.commit()

    @contextlib.asynccontextmanager
    async def _counted_writer(self) -> AsyncIterator[None]:
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

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        connection, given_back = _UncancellableConnection(self._engine), asyncio.get_running_loop().create_future()
        self._open_sessions.add(given_back)
        try:
            try:
                await connection.start()
            except (exc.DBAPIError, exc.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                raise StoreUnavailable(_error_text(error)) from error
            try:
                yield connection
            except TimeoutError as error:  # of a statement; the connection is unusable
                await connection.invalidate(error)
                raise StoreUnavailable("The database did not answer in time.") from error
            except exc.DBAPIError as error:
                if is_transient(error):
                    raise StoreUnavailable(_error_text(error)) from error
                if is_schema_fault(error):
                    self._has_schema_fault = True
                    todo = "restart the hub: it then says what is missing"
                    log.error("schema_fault", why=_error_text(error), todo=todo)
                raise
        finally:
            try:
                if self._is_closed and connection.sync_connection is not None and not connection.invalidated:
                    await connection.run_sync(Connection.detach)  # the pool is closed, so the connection closes itself
                await connection.close()
            except exc.DBAPIError:
                await connection.close()  # it was lost, with its transaction
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
                self._has_schema_fault = bool(await database_faults(self._url))
            return not self._has_schema_fault and await asyncio.to_thread(self._free_bytes) >= MIN_FREE_BYTES
        except OSError:
            return False
        except exc.DBAPIError as error:
            if not is_schema_fault(error):
                raise
            return False

    def _free_bytes(self) -> int:
        file = self._engine.url.database if self.has_one_writer else None
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
    gone = error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError)
    return gone or state.startswith(_TRANSIENT_CODE_CLASSES)


def is_schema_fault(error: exc.DBAPIError) -> bool:
    """Return whether a table or column is missing; SQLite reports it as an operational error, as a full disk."""
    if getattr(error.orig, "sqlstate", None) in _MISSING_OBJECT_CODES:
        return True
    return getattr(error.orig, "sqlite_errorcode", None) == _SQLITE_ERROR_CODE


def _error_text(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _check_openable(engine: AsyncEngine) -> None:
    """Raise an OSError if SQLite's file cannot be opened, before aiosqlite tries.

    aiosqlite leaves the thread of a failed connection to answer an event loop that may be closed. An existing file is
    not opened here: closing it would release the locks of this process's other connections, and the next process that
    opens the database would take it for unused and delete its log (seen).
    """
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return
    file = Path(engine.url.database)
    if not file.is_file():
        file.open("ab").close()
    elif not os.access(file, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))


def _postgresql_engine(url: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": STATEMENT_TIMEOUT_S,
            "prepared_statement_cache_size": 500,
            "server_settings": {"enable_seqscan": "off"},
        },
    )
    # PostgreSQL prefers a sequential scan of a table that was small a moment ago: with 3,000 jobs at once it scanned
    # all of them for each of them. Each frequent query has its index.

    @event.listens_for(engine.sync_engine, "checkout")
    def chosen(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - the driver's
        """Choose another connection if this one is known to be closed; a test query would be three more round trips."""
        if connection.driver_connection.is_closed():
            raise exc.DisconnectionError

    return engine


def _engine_of(url: str) -> AsyncEngine:
    if make_url(url).get_backend_name() != "sqlite":
        return _postgresql_engine(url)
    engine = create_async_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine.sync_engine, "connect")
    def opened(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        try:
            connection.isolation_level = None  # SQLAlchemy executes BEGIN, below
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            connection.close()  # otherwise it and its thread stay until the garbage collector runs
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        writes = connection.get_execution_options().get("perron_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
