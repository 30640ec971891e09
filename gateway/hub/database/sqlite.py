"""SQLite for the hub: statements run in the event loop's own thread, and only a commit runs in another.

A statement of the hub takes microseconds, and a switch to another thread and back takes a hundred. A statement that
waits for the disk or for another process, such as one that writes, runs in a thread.

There is one writer. Transactions that end while others wait for the writer are committed together, each with a
savepoint of its own: so one sync of the disk serves several, and a transaction that fails undoes its own changes only.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import exc
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from gateway.hub.database.statements import BoundStatement, StatementCompiler, StatementResult
from gateway.hub.database.transaction import Transaction, finish_despite_cancel

BUSY_TIMEOUT_MS = 10_000  # a thread waits so long for another process; the event loop does not wait
MAX_REWRITTEN_BYTES = 300_000_000  # of a file that is written anew, which takes some seconds
MAX_IDLE_READERS = 8  # connections
WRITER_CACHE_KIB = 16_384  # of pages: a new row goes into a page of each index, and SQLite's own 2 MiB hold too few
_CACHED_STATEMENTS = 500  # of each connection
_PRIMARY_CODE = 0xFF  # the bits of a result code that tell its kind (https://sqlite.org/rescode.html)

_WRITER_SETTINGS = (
    "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", f"cache_size=-{WRITER_CACHE_KIB}"
)  # fmt: skip
_COMPILER = StatementCompiler(SQLiteDialect_pysqlite(paramstyle="qmark"))


class SQLiteTransaction(Transaction):
    """Statements on one connection, on which a transaction has begun."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(_COMPILER)
        self._connection = connection

    async def _run(self, bound: BoundStatement) -> StatementResult[Any]:
        try:  # as `_sqlalchemy_errors`, whose generator would cost as much as the statement
            cursor, rows = await self._at_once_or_patiently(bound.sql, bound.values)
        except sqlite3.Error as error:
            raise _sqlalchemy_error(bound.sql, error) from error
        names = [] if cursor.description is None else [column[0] for column in cursor.description]
        return bound.result(rows, cursor.rowcount, names)

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
        with _sqlalchemy_errors(sql):
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
        self._group: asyncio.Future[None] | None = None  # the commit of the transactions that ended since the last one
        self._changes_before = 0  # of the group, as the connection counts rows
        self._commits: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hub-commit")
        self._is_closed = False

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Yield a connection that reads one snapshot."""
        with _sqlalchemy_errors("BEGIN"):
            connection = self._idle_readers.pop() if self._idle_readers else self._connect("query_only=ON")
            connection.execute("BEGIN")
        try:
            yield SQLiteTransaction(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if self._is_closed or len(self._idle_readers) >= MAX_IDLE_READERS:
                connection.close()
            else:
                self._idle_readers.append(connection)

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """Yield a transaction, which is committed at the end of the block and rolled back if the block raises."""
        group: asyncio.Future[None] | None = None
        try:
            async with self._turn:
                connection = await self._begin()
                try:
                    yield SQLiteTransaction(connection)
                except BaseException:
                    group = self._undo(connection)
                    raise
                group = self._join_group(connection)
        finally:
            if group is not None:  # also if the block raised: it may have read what is not committed yet
                with _sqlalchemy_errors("COMMIT"):
                    await finish_despite_cancel(group)

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
        with _sqlalchemy_errors("VACUUM"):
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

    async def _begin(self) -> sqlite3.Connection:
        with _sqlalchemy_errors("BEGIN IMMEDIATE"):
            if self._writer is None:
                self._writer = self._connect(*_WRITER_SETTINGS)
            if not self._writer.in_transaction:
                await self._begin_immediate(self._writer)
                self._changes_before = self._writer.total_changes
            self._writer.execute("SAVEPOINT one")
        return self._writer

    @staticmethod
    async def _begin_immediate(connection: sqlite3.Connection) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            try:
                await finish_despite_cancel(asyncio.to_thread(_patiently, connection, "BEGIN IMMEDIATE"))
            except asyncio.CancelledError:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _undo(self, connection: sqlite3.Connection) -> "asyncio.Future[None] | None":
        """Undo the changes of the transaction that holds the writer; return the commit of those before it."""
        group = self._group
        if not connection.in_transaction:  # SQLite has rolled all of them back by itself
            self._end_group(sqlite3.OperationalError("another transaction of the same commit failed"))
        elif group is None:
            connection.execute("ROLLBACK")
        else:
            connection.execute("ROLLBACK TO one")
            connection.execute("RELEASE one")
        if self._is_closed and group is None:
            self._close_writer()
        return group

    def _join_group(self, connection: sqlite3.Connection) -> "asyncio.Future[None]":
        """End the transaction that holds the writer, and return the commit that makes it durable.

        The transactions that wait for the writer by now are part of that commit, because the lock is fair.
        """
        with _sqlalchemy_errors("RELEASE"):
            connection.execute("RELEASE one")
        if self._group is None:
            self._group = asyncio.get_running_loop().create_future()
            commit = asyncio.create_task(finish_despite_cancel(self._commit(connection, self._group)))
            self._commits.add(commit)
            commit.add_done_callback(self._commits.discard)
        return self._group

    def _end_group(self, error: sqlite3.Error | None) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        if error is None:
            group.set_result(None)
        else:
            group.set_exception(error)
            group.exception()  # retrieved, so that asyncio does not log it if no transaction waits for it any more

    async def _commit(self, connection: sqlite3.Connection, group: "asyncio.Future[None]") -> None:
        async with self._turn:
            if group.done():
                return
            try:
                await self._commit_durably(connection)
            except sqlite3.Error as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
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


@contextlib.contextmanager
def _sqlalchemy_errors(statement: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _sqlalchemy_error(statement, error) from error


def _sqlalchemy_error(statement: str, error: sqlite3.Error) -> exc.DBAPIError:
    made = exc.DBAPIError.instance(statement, None, error, sqlite3.Error)
    assert isinstance(made, exc.DBAPIError)  # noqa: S101 - of a driver's error it is one
    return made


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def _patiently(
    connection: sqlite3.Connection, sql: str, values: Sequence[Any] = ()
) -> tuple[sqlite3.Cursor, list[Any]]:
    """Execute a statement, and wait while another process has locked the file."""
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    try:
        cursor = connection.execute(sql, values)
        return cursor, cursor.fetchall()
    finally:
        connection.execute("PRAGMA busy_timeout=0")
