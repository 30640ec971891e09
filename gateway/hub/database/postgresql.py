"""PostgreSQL for the hub: a pool of asyncpg's connections."""

import asyncio
import contextlib
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from types import TracebackType
from typing import Any, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from pydantic_core import from_json
from sqlalchemy import URL, Executable, exc
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from gateway.hub.database.statements import WITH, BoundStatement, Params, StatementCompiler, StatementResult, json_text
from gateway.hub.database.transaction import Transaction, finish_despite_cancel

CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S, POOL_TIMEOUT_S = 5.0, 10.0, 5.0
CLOSE_TIMEOUT_S = 1.0
MAX_CONNECTIONS = 20
MAX_KEPT_CONNECTIONS = 8  # between transactions: asyncpg's pool starts a task each time a connection is given back
MAX_IDLE_S = (
    120.0  # of a connection; a firewall or load balancer drops a connection that is idle longer, without a message
)
MAX_COMBINED = 16  # changes in one statement
_CACHED_STATEMENTS = 500  # of each connection

PostgreSQLConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_DIALECT = PGDialect_asyncpg(json_serializer=json_text)  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
_COMPILER = StatementCompiler(_DIALECT)
_ERRORS: tuple[tuple[type[Exception], type[exc.DBAPIError]], ...] = (
    (asyncpg.IntegrityConstraintViolationError, exc.IntegrityError),
    # Another process has changed the tables: the connection forgets its statements, so the next try succeeds.
    (asyncpg.InvalidCachedStatementError, exc.OperationalError),
    (asyncpg.SyntaxOrAccessError, exc.ProgrammingError),
    (asyncpg.PostgresError, exc.DBAPIError),
    (asyncpg.InterfaceError, exc.InterfaceError),
    (asyncpg.InternalClientError, exc.InterfaceError),  # the server ended in the middle of something
    (OSError, exc.OperationalError),  # the line was lost, or there was no answer in time
)
# Perhaps an answer is still to come, or another server is the one that writes now
_ENDS_CONNECTION = (OSError, asyncpg.InternalClientError, asyncpg.ReadOnlySQLTransactionError)
_REPLAN = "; SET LOCAL plan_cache_mode = force_custom_plan"
_PARAMETER = re.compile(r"\$(\d+)", re.ASCII)
_DRIVER_ERRORS = tuple(of_driver for of_driver, _ in _ERRORS)


class PostgreSQLTransaction(Transaction):
    """Statements on one connection. The transaction begins with the first one that changes or locks something.

    Before that each statement has a snapshot of its own, as it has in a transaction (READ COMMITTED). A transaction
    whose changes all waited until its end is one statement, without BEGIN and COMMIT.
    """

    combines_changes = True

    def __init__(self, connection: PostgreSQLConnection, *, is_reading: bool) -> None:
        super().__init__(_COMPILER)
        self._connection, self._is_reading = connection, is_reading
        self._has_begun = False
        self._waiting: list[BoundStatement] = []
        self._last: BoundStatement | None = None  # waits, too, and begins with a WITH of its own

    async def commit(self) -> None:
        """Make the changes durable."""
        await self._execute_waiting()
        if not self._has_begun:
            return
        with _sqlalchemy_errors("COMMIT"):
            if await self._connection.execute("COMMIT") != "COMMIT":
                raise exc.InvalidRequestError("a statement failed, and its transaction went on")

    async def rollback(self) -> None:
        """Undo the changes; a lost connection has undone them."""
        if self._has_begun:
            with contextlib.suppress(*_DRIVER_ERRORS):
                await finish_despite_cancel(self._connection.execute("ROLLBACK"))

    async def execute_waiting(self) -> None:
        """Execute now what waits (`execute_later`)."""
        if self._waiting or self._last is not None:
            await self._begin()

    def forget_waiting(self) -> None:
        """Do not execute what waits (`execute_later`): it is of a block that is undone."""
        self._waiting, self._last = [], None

    async def execute_replanned(self, statement: Executable, params: Params) -> StatementResult[Any]:
        """Plan it anew, and all that follow in the transaction, of which it must be the first."""
        await self._begin(_REPLAN)
        return await self.execute(statement, params)

    async def _run(self, bound: BoundStatement) -> StatementResult[Any]:
        if self._waiting or self._last is not None or not bound.is_plain_read:
            await self._begin()
        return await self._run_beside(bound)

    async def _run_beside(self, bound: BoundStatement) -> StatementResult[Any]:
        try:  # as `_sqlalchemy_errors`, without the calls of its generator
            if not bound.returns_rows:
                status = await self._connection.execute(bound.sql, *bound.values)
                return StatementResult.empty(_rowcount(status))
            rows = await self._connection.fetch(bound.sql, *bound.values)
        except _DRIVER_ERRORS as error:
            raise _sqlalchemy_error(bound.sql, error) from error
        return bound.result(rows, len(rows), list(rows[0].keys()) if bound.metadata is None and rows else ())

    async def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> StatementResult[Any]:
        await self._begin()
        with _sqlalchemy_errors(sql):
            await self._connection.executemany(sql, rows)
        return StatementResult.empty(-1)

    async def _run_later(self, bound: BoundStatement) -> None:
        if self._is_reading:
            await self._run_beside(bound)
            return
        if len(self._waiting) == MAX_COMBINED or (bound.has_with and self._last is not None):
            await self._begin()
        if bound.has_with:
            self._last = bound
        else:
            self._waiting.append(bound)

    async def _begin(self, settings: str = "") -> None:
        """Begin the transaction if it has not begun, with these settings, and execute what waits."""
        if self._is_reading:
            return
        if not self._has_begun:
            self._has_begun = True  # a caller that is cancelled meanwhile rolls back
            with _sqlalchemy_errors("BEGIN"):
                await self._connection.execute(f"BEGIN{settings}")
        await self._execute_waiting()

    async def _execute_waiting(self) -> None:
        waiting = self._waiting if self._last is None else [*self._waiting, self._last]
        self._waiting, self._last = [], None
        if waiting:
            sql = _combined(tuple([bound.sql for bound in waiting]))
            try:  # as in `_run_beside`
                await self._connection.execute(sql, *[value for bound in waiting for value in bound.values])
            except _DRIVER_ERRORS as error:
                raise _sqlalchemy_error(sql, error) from error


@cache
def _combined(statements: tuple[str, ...]) -> str:
    """Return one statement that does what several changes do; only the last may begin with a WITH of its own."""
    numbered: list[str] = []
    count = 0
    for sql in statements:
        numbered.append(_PARAMETER.sub(partial(_renumbered, count), sql))
        count += max((int(number) for number in _PARAMETER.findall(sql)), default=0)
    *others, last = numbered
    parts = [f"change_{number} AS ({sql})" for number, sql in enumerate(others)]
    if last.startswith(WITH):
        return f"{WITH}{', '.join([*parts, last.removeprefix(WITH)])}"
    return f"{WITH}{', '.join(parts)} {last}" if parts else last


def _renumbered(before: int, found: re.Match[str]) -> str:
    return f"${int(found[1]) + before}"


class PostgreSQLDatabase:
    """The connections to one database."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        # Taken from the pool, and not in use, each with the instant of the event loop from which it is idle
        self._kept: list[tuple[PostgreSQLConnection, float]] = []
        self._waiting = 0  # transactions that wait for the pool
        self._is_closed = False

    @classmethod
    async def open(cls, url: URL) -> Self:
        """Make a pool, which connects when it is used."""
        (_, options) = _DIALECT.create_connect_args(url)  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
        options.pop("prepared_statement_cache_size", None)  # SQLAlchemy's own, which a hub's file may have
        # An index is worth it from a table's third page on: its pages are in memory or on a solid-state disk
        settings = {"random_page_cost": "1.1"}
        return cls(
            await asyncpg.create_pool(
                **options, min_size=0, max_size=MAX_CONNECTIONS, timeout=CONNECT_TIMEOUT_S,
                command_timeout=STATEMENT_TIMEOUT_S, statement_cache_size=_CACHED_STATEMENTS,
                max_cached_statement_lifetime=0, max_inactive_connection_lifetime=MAX_IDLE_S, server_settings=settings,
                init=_set_codecs, reset=_keep_session,
            )
        )  # fmt: skip

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Return a connection without a transaction, whose begin and end would be two more round trips."""
        return _PostgreSQLSession(self, is_reading=True)

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """Return a transaction, which is committed at the end of the block and rolled back if the block raises."""
        return _PostgreSQLSession(self, is_reading=False)

    async def close(self) -> None:
        """Close each connection; those that are in use lose their transaction after a moment."""
        self._is_closed = True
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while self._kept:
                    await self._pool.release(self._kept.pop()[0])
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def take(self) -> PostgreSQLConnection:
        """Take a connection that no other transaction uses."""
        while self._kept:
            connection, since = self._kept.pop()
            if _is_open(connection):
                if asyncio.get_running_loop().time() - since < MAX_IDLE_S:
                    return connection
                connection.terminate()  # a firewall may have dropped it
            await self._pool.release(connection)
        self._waiting += 1
        try:
            with _sqlalchemy_errors("connect"):
                return await self._pool.acquire(timeout=POOL_TIMEOUT_S)
        finally:
            self._waiting -= 1

    async def give_back(self, connection: PostgreSQLConnection, error: BaseException | None = None) -> None:
        """Keep a connection for the next transaction, or give it back to the pool: after an error always."""
        if error is None and self._may_keep(connection):
            self._kept.append((connection, asyncio.get_running_loop().time()))
            return
        if isinstance(error, exc.DBAPIError) and isinstance(error.orig, _ENDS_CONNECTION):
            connection.terminate()
        await self._pool.release(connection)

    def _may_keep(self, connection: PostgreSQLConnection) -> bool:
        if self._is_closed or self._waiting or len(self._kept) >= MAX_KEPT_CONNECTIONS:
            return False
        return _is_open(connection) and not connection.is_in_transaction()


class _PostgreSQLSession(AbstractAsyncContextManager[Transaction, None]):
    """The use of a connection for reading, or for one transaction."""

    def __init__(self, database: PostgreSQLDatabase, *, is_reading: bool) -> None:
        self._database, self._is_reading = database, is_reading

    async def __aenter__(self) -> Transaction:
        self._connection = await self._database.take()
        self._tx = PostgreSQLTransaction(self._connection, is_reading=self._is_reading)
        return self._tx

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._commit()
            else:
                await self._tx.rollback()
        except BaseException as fault:
            await self._database.give_back(self._connection, fault)
            raise
        await self._database.give_back(self._connection, error)

    async def _commit(self) -> None:
        try:
            await self._tx.commit()
        except BaseException:
            await self._tx.rollback()
            raise


def _is_open(connection: PostgreSQLConnection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # the server has closed it, and the pool has taken it back
        return False


@contextlib.contextmanager
def _sqlalchemy_errors(statement: str) -> Iterator[None]:
    try:
        yield
    except _DRIVER_ERRORS as error:
        raise _sqlalchemy_error(statement, error) from error


def _sqlalchemy_error(statement: str, error: Exception) -> exc.DBAPIError:
    kind = next(kind for of_driver, kind in _ERRORS if isinstance(error, of_driver))
    return kind(statement, None, error)


async def _set_codecs(connection: PostgreSQLConnection) -> None:
    """Read JSON as SQLAlchemy's type expects it, which writes text."""
    await connection.set_type_codec("json", encoder=str.encode, decoder=from_json, schema="pg_catalog", format="binary")


async def _keep_session(_connection: PostgreSQLConnection) -> None:
    """Do not reset a connection that is given back, which is a round trip: the hub changes no session's settings."""


def _rowcount(status: str) -> int:
    """Return the number of rows in the server's answer, such as `UPDATE 1`."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdecimal() else -1
