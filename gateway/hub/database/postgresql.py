"""PostgreSQL for the hub: a pool of asyncpg's connections."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import URL, exc
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from gateway.hub.database.statements import BoundStatement, StatementCompiler, StatementResult
from gateway.hub.database.transaction import Transaction, finish_despite_cancel

CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S, POOL_TIMEOUT_S = 5.0, 10.0, 5.0
CLOSE_TIMEOUT_S = 1.0
MAX_CONNECTIONS = 20
_CACHED_STATEMENTS = 500  # of each connection

PostgreSQLConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
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
_DRIVER_ERRORS = tuple(of_driver for of_driver, _ in _ERRORS)


class PostgreSQLTransaction(Transaction):
    """Statements on one connection, each of its own or of the transaction that has begun."""

    def __init__(self, connection: PostgreSQLConnection) -> None:
        super().__init__(_COMPILER)
        self._connection = connection

    async def _run(self, bound: BoundStatement) -> StatementResult[Any]:
        with _sqlalchemy_errors(bound.sql):
            if not bound.returns_rows:
                status = await self._connection.execute(bound.sql, *bound.values)
                return StatementResult.empty(_rowcount(status))
            rows = await self._connection.fetch(bound.sql, *bound.values)
        return bound.result(rows, len(rows), list(rows[0].keys()) if bound.metadata is None and rows else ())

    async def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> StatementResult[Any]:
        with _sqlalchemy_errors(sql):
            await self._connection.executemany(sql, rows)
        return StatementResult.empty(-1)


class PostgreSQLDatabase:
    """The connections to one database."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

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
                max_cached_statement_lifetime=0, server_settings=settings, init=_set_codecs, reset=_keep_session,
            )
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Yield a connection without a transaction, whose begin and end would be two more round trips."""
        async with self._connection() as connection:
            yield PostgreSQLTransaction(connection)

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """Yield a transaction, which is committed at the end of the block and rolled back if the block raises."""
        async with self._connection() as connection:
            with _sqlalchemy_errors("BEGIN"):
                await connection.execute("BEGIN")
            try:
                yield PostgreSQLTransaction(connection)
            except BaseException:
                with contextlib.suppress(*_DRIVER_ERRORS):  # a lost connection has rolled back
                    await finish_despite_cancel(connection.execute("ROLLBACK"))
                raise
            with _sqlalchemy_errors("COMMIT"):
                if await finish_despite_cancel(connection.execute("COMMIT")) != "COMMIT":
                    raise exc.InvalidRequestError("a statement failed, and its transaction went on")

    async def close(self) -> None:
        """Close each connection; those that are in use lose their transaction after a moment."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[PostgreSQLConnection]:
        with _sqlalchemy_errors("connect"):
            connection = await self._pool.acquire(timeout=POOL_TIMEOUT_S)
        try:
            yield connection
        except exc.DBAPIError as error:
            if isinstance(error.orig, OSError | asyncpg.InternalClientError):
                connection.terminate()  # perhaps an answer is still to come
            raise
        finally:
            await self._pool.release(connection)


@contextlib.contextmanager
def _sqlalchemy_errors(statement: str) -> Iterator[None]:
    try:
        yield
    except _DRIVER_ERRORS as error:
        kind = next(kind for of_driver, kind in _ERRORS if isinstance(error, of_driver))
        raise kind(statement, None, error) from error


async def _set_codecs(connection: PostgreSQLConnection) -> None:
    """Read JSON as SQLAlchemy's type expects it, which writes text."""
    await connection.set_type_codec(
        "json", encoder=str.encode, decoder=json.loads, schema="pg_catalog", format="binary"
    )


async def _keep_session(_connection: PostgreSQLConnection) -> None:
    """Do not reset a connection that is given back, which is a round trip: the hub changes no session's settings."""


def _rowcount(status: str) -> int:
    """Return the number of rows in the server's answer, such as `UPDATE 1`."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdecimal() else -1
