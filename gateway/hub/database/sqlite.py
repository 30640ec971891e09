"""SQLite for the hub: statements run in the event loop's own thread, and only a commit runs in another.

A statement of the hub takes microseconds, and a switch to another thread and back takes a hundred. A statement that
waits for the disk or for another process, such as one that writes, runs in a thread.

There is one writer. Transactions that end while others wait for the writer are committed together, each after the first
with a savepoint: so one sync of the disk serves several, and a transaction that fails undoes its own changes only.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic_core import from_json
from sqlalchemy import exc
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from gateway.hub.database.statements import BoundStatement, StatementCompiler, StatementResult, json_text
from gateway.hub.database.transaction import Transaction, finish_despite_cancel

BUSY_TIMEOUT_MS = 10_000  # a caller waits so long for another process, in a thread; the event loop does not wait
MAX_REWRITTEN_BYTES = 300_000_000  # of a file that is written anew, which takes some seconds
MAX_IDLE_READERS = 8  # connections
WRITER_CACHE_KIB = 16_384  # of pages: a new row goes into a page of each index, and SQLite's own 2 MiB hold too few
_CACHED_STATEMENTS = 500  # of each connection
_PRIMARY_CODE = 0xFF  # the bits of a result code that tell its kind (https://sqlite.org/rescode.html)

# `temp_store`: else SQLite writes what a savepoint would have to undo into a file, which is more than it commits
_WRITER_SETTINGS = (
    "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY",
    f"cache_size=-{WRITER_CACHE_KIB}",
)  # fmt: skip
_COMPILER = StatementCompiler(
    SQLiteDialect_pysqlite(paramstyle="qmark", json_serializer=json_text, json_deserializer=from_json)
)


class SQLiteTransaction(Transaction):
    """Statements on one connection, on which a transaction has begun."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(_COMPILER)
        self._connection = connection

    async def _run(self, bound: BoundStatement) -> StatementResult[Any]:
        try:  # as `_SQLAlchemyErrors`
            cursor, rows = await self._at_once_or_patiently(bound.sql, bound.values)
        except sqlite3.Error as error:
            raise _sqlalchemy_error(bound.sql, error) from error
        # Only of plain text are the columns not known
        names = [] if bound.metadata is not None else [column[0] for column in cursor.description or ()]
        return bound.result(rows, cursor.rowcount, names)

    async def _run_later(self, bound: BoundStatement) -> None:
        try:
            await self._at_once_or_patiently(bound.sql, bound.values)
        except sqlite3.Error as error:
            raise _sqlalchemy_error(bound.sql, error) from error

    async def _at_once_or_patiently(self, sql: str, values: Sequence[Any]) -> tuple[sqlite3.Cursor, list[Any]]:
        self._check_transaction()
        try:
            cursor = self._connection.execute(sql, values)
            return cursor, cursor.fetchall()
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
        return await finish_despite_cancel(asyncio.to_thread(_patiently, self._connection, sql, values))

    async def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> StatementResult[Any]:
        with _SQLAlchemyErrors(sql):
            self._check_transaction()
            return StatementResult.empty(self._connection.executemany(sql, rows).rowcount)

    def _check_transaction(self) -> None:
        """Raise if SQLite has rolled back by itself, as on a full disk: each statement would be its own transaction."""
        if not self._connection.in_transaction:
            raise sqlite3.OperationalError("SQLite has rolled the transaction back")


class SQLiteDatabase:
    """The connections to one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._idle_readers: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()  # the transaction that holds it uses the one writer
        self._group: _GroupCommit | None = None  # of the transactions that ended since the last commit
        self._changes_before = 0  # of the group, as the connection counts rows
        self._commits: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hub-commit")
        self._is_closed = False

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Return a connection that reads one snapshot."""
        return _SQLiteReading(self)

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """Return a transaction, which is committed at the end of the block and rolled back if the block raises."""
        return _SQLiteWriting(self)

    def take_reader(self) -> sqlite3.Connection:
        """Take a connection, and begin to read a snapshot."""
        with _SQLAlchemyErrors("BEGIN"):
            connection = self._idle_readers.pop() if self._idle_readers else self._connect("query_only=ON")
            connection.execute("BEGIN")
        return connection

    def give_back_reader(self, connection: sqlite3.Connection) -> None:
        """End the snapshot."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if self._is_closed or len(self._idle_readers) >= MAX_IDLE_READERS:
            connection.close()
        else:
            self._idle_readers.append(connection)

    async def take_writer(self) -> sqlite3.Connection:
        """Take the one writer, and begin a transaction."""
        asked = asyncio.get_running_loop().time()
        await self._turn.acquire()
        try:
            return await self._begin(asked)
        except BaseException:
            self._turn.release()
            raise

    async def give_back_writer(self, connection: sqlite3.Connection, *, is_undone: bool) -> None:
        """End the transaction. Return when it, and those before it that it may have read, are durable."""
        with _SQLAlchemyErrors("COMMIT"):
            try:
                group = self._undo(connection) if is_undone else self._join_group(connection)
            finally:
                self._turn.release()
            if group is not None:
                await group.wait()

    async def close(self) -> None:
        """Close each connection that is not in use; the others are closed at the end of their use."""
        self._is_closed = True
        while self._commits:
            await asyncio.wait(self._commits)
        for connection in self._idle_readers:
            connection.close()
        self._idle_readers.clear()
        if not self._turn.locked():
            async with self._turn:
                await asyncio.to_thread(self._close_writer)  # the last connection writes the log into the file
        self._thread.shutdown(wait=False)

    async def overwrite_deleted(self) -> bool:
        """Overwrite what was deleted, in the log and in the file; return whether the file was written anew.

        `secure_delete` overwrites each row that is deleted. SQLite may leave copies of rows that it moved, and an older
        hub left whole rows: so a file is written anew, without free space, unless it is so large that the transactions
        of others, which wait meanwhile, would end.
        """
        with _SQLAlchemyErrors("VACUUM"):
            return await asyncio.to_thread(self._overwrite_deleted)

    def _overwrite_deleted(self) -> bool:
        connection = self._connect(f"busy_timeout={BUSY_TIMEOUT_MS}", "secure_delete=ON")
        try:
            is_small = Path(self._file).stat().st_size <= MAX_REWRITTEN_BYTES
            if is_small:
                connection.execute("VACUUM")
            is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_busy:
                raise sqlite3.OperationalError("a reader prevents the truncation of the log")
            return is_small
        finally:
            connection.close()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _connect(self, *settings: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._file, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=_CACHED_STATEMENTS
        )
        try:
            for setting in settings:
                connection.execute(f"PRAGMA {setting}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    async def _begin(self, asked: float) -> sqlite3.Connection:
        with _SQLAlchemyErrors("BEGIN IMMEDIATE"):
            if self._writer is None:
                self._writer = self._connect(*_WRITER_SETTINGS)
            if not self._writer.in_transaction:
                await self._begin_immediate(self._writer, asked)
                self._changes_before = self._writer.total_changes
            elif self._group is not None:  # a transaction that fails undoes its own changes only
                self._writer.execute("SAVEPOINT one")
        return self._writer

    @staticmethod
    async def _begin_immediate(connection: sqlite3.Connection, asked: float) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            # Those who waited for their turn meanwhile have waited for the other process, too
            left_ms = BUSY_TIMEOUT_MS - int((asyncio.get_running_loop().time() - asked) * 1000)
            if left_ms <= 0:
                raise
            try:
                await finish_despite_cancel(asyncio.to_thread(_patiently, connection, "BEGIN IMMEDIATE", (), left_ms))
            except asyncio.CancelledError:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _undo(self, connection: sqlite3.Connection) -> "_GroupCommit | None":
        """Undo the changes of the transaction that holds the writer; return the commit of those before it."""
        group = self._group
        try:
            if not connection.in_transaction:  # SQLite has rolled all of them back by itself
                self._end_group(sqlite3.OperationalError("another transaction of the same commit failed"))
            elif group is None:
                self._roll_back(connection)
            else:
                connection.execute("ROLLBACK TO one")
                connection.execute("RELEASE one")
        except sqlite3.Error as error:  # its changes are still there, so the group must not be committed
            self._roll_back(connection)
            self._end_group(error)
            raise
        if self._is_closed and group is None:
            self._close_writer()
        return group

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:  # as where the disk cannot be read
            self._close_writer()  # which undoes the transaction, too

    def _join_group(self, connection: sqlite3.Connection) -> "_GroupCommit":
        """End the transaction that holds the writer, and return the commit that makes it durable.

        The transactions that wait for the writer by now are part of that commit, because the lock is fair.
        """
        if not connection.in_transaction:  # SQLite has rolled all of them back, and the caller did not raise its error
            error = sqlite3.OperationalError("SQLite has rolled the transaction back")
            self._end_group(error)
            raise _sqlalchemy_error("RELEASE", error)
        if self._group is not None:
            with _SQLAlchemyErrors("RELEASE"):
                connection.execute("RELEASE one")
        else:
            self._group = _GroupCommit()
            commit = asyncio.create_task(finish_despite_cancel(self._commit(connection, self._group)))
            self._commits.add(commit)
            commit.add_done_callback(self._commits.discard)
        return self._group

    def _end_group(self, error: sqlite3.Error | None) -> None:
        group, self._group = self._group, None
        if group is not None:
            group.end(error)

    async def _commit(self, connection: sqlite3.Connection, group: "_GroupCommit") -> None:
        async with self._turn:
            if group.is_done:
                return
            try:
                await self._commit_durably(connection)
            except sqlite3.Error as error:
                if connection.in_transaction:
                    self._roll_back(connection)
                self._end_group(error)
            else:
                self._end_group(None)
            finally:
                if self._is_closed:
                    self._close_writer()

    async def _commit_durably(self, connection: sqlite3.Connection) -> None:
        if connection.total_changes == self._changes_before or self._is_closed:
            connection.execute("COMMIT")  # nothing has to reach the disk, or the thread has ended
        else:
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.execute, "COMMIT")


class _GroupCommit:
    """One commit, for which the transactions wait that are part of it."""

    def __init__(self) -> None:
        self.is_done = False
        self._error: sqlite3.Error | None = None
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Return when it is durable, or raise why it is not. A cancelled caller waits, too, and is cancelled then."""
        cancelled: asyncio.CancelledError | None = None
        while not self.is_done:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        if self._error is not None:
            raise self._error

    def end(self, error: sqlite3.Error | None) -> None:
        """Let the transactions go on; `error`: why none of them is durable."""
        self.is_done, self._error = True, error
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


class _SQLiteReading(AbstractAsyncContextManager[Transaction, None]):
    """A snapshot of the database."""

    def __init__(self, database: SQLiteDatabase) -> None:
        self._database = database

    async def __aenter__(self) -> Transaction:
        self._connection = self._database.take_reader()
        return SQLiteTransaction(self._connection)

    async def __aexit__(self, *_error: object) -> None:
        self._database.give_back_reader(self._connection)


class _SQLiteWriting(AbstractAsyncContextManager[Transaction, None]):
    """A transaction of the one writer."""

    def __init__(self, database: SQLiteDatabase) -> None:
        self._database = database

    async def __aenter__(self) -> Transaction:
        self._connection = await self._database.take_writer()
        return SQLiteTransaction(self._connection)

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self._database.give_back_writer(self._connection, is_undone=error is not None)


class _SQLAlchemyErrors:
    """Raises each error of SQLite as SQLAlchemy does. A generator of `contextlib` would need three times as long."""

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def __enter__(self) -> None:
        """Nothing has failed yet."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error):
            raise _sqlalchemy_error(self._statement, error) from error


def _sqlalchemy_error(statement: str, error: sqlite3.Error) -> exc.DBAPIError:
    made = exc.DBAPIError.instance(statement, None, error, sqlite3.Error)
    assert isinstance(made, exc.DBAPIError)  # noqa: S101 - of a driver's error it is one
    return made


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def _patiently(
    connection: sqlite3.Connection, sql: str, values: Sequence[Any] = (), wait_ms: int = BUSY_TIMEOUT_MS
) -> tuple[sqlite3.Cursor, list[Any]]:
    """Execute a statement, and wait so long while another process has locked the file."""
    connection.execute(f"PRAGMA busy_timeout={wait_ms}")
    try:
        cursor = connection.execute(sql, values)
        return cursor, cursor.fetchall()
    finally:
        connection.execute("PRAGMA busy_timeout=0")
