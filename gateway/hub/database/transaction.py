"""What callers of the store execute statements with, on either database."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar, overload

from sqlalchemy import Executable, ScalarResult
from sqlalchemy.sql.selectable import TypedReturnsRows

from gateway.hub.database.statements import BoundStatement, Params, StatementCompiler, StatementResult

T = TypeVar("T")
R = TypeVar("R", bound=tuple[Any, ...])

ManyParams = Params | Sequence[Params] | None


class Transaction(ABC):
    """A connection to the database for some statements: a transaction, or for reading (`HubStore`).

    `params`: the values of a statement's bind parameters or of an INSERT's columns; of several rows a sequence, and the
    result has no rows.
    """

    combines_changes = False  # several changes are one statement: a WITH may contain some

    def __init__(self, compiler: StatementCompiler) -> None:
        self._compiler = compiler
        self.changed: set[str] = set()  # names of tables

    @overload
    async def execute(self, statement: TypedReturnsRows[R], params: ManyParams = None) -> StatementResult[R]: ...

    @overload
    async def execute(self, statement: Executable, params: ManyParams = None) -> StatementResult[Any]: ...

    async def execute(self, statement: Executable, params: ManyParams = None) -> StatementResult[Any]:
        """Execute a statement."""
        if params is None or isinstance(params, dict | Mapping):  # of a dict Python knows it at once
            bound = self._compiler.bind(statement, params or {})
            self._note(bound)
            return await self._run(bound)
        if not params:
            return StatementResult.empty(0)
        rows = self._compiler.bind_many(statement, params)
        self._note(rows[0])
        return await self._run_many(rows[0].sql, [row.values for row in rows])

    async def execute_later(self, statement: Executable, params: Params) -> None:
        """Execute a change at the latest at the end of the transaction, or before the next `execute`.

        On PostgreSQL, where each statement is a round trip, the changes that wait are executed as one statement. They
        do not see each other's effects, and their errors are raised when that statement is executed.
        """
        bound = self._compiler.bind(statement, params)
        self._note(bound)
        await self._run_later(bound)

    async def execute_waiting(self) -> None:  # noqa: B027 - on SQLite nothing waits
        """Execute now what waits (`execute_later`)."""

    def forget_waiting(self) -> None:  # noqa: B027 - on SQLite nothing waits
        """Do not execute what waits (`execute_later`): it is of a block that is undone."""

    async def execute_replanned(self, statement: Executable, params: Params) -> StatementResult[Any]:
        """Execute, as the transaction's first, a change whose plan depends on how full its tables are just now."""
        return await self.execute(statement, params)

    async def read_beside(self, statement: TypedReturnsRows[R], params: Params) -> StatementResult[R]:
        """Execute a SELECT that does not depend on the changes that wait (`execute_later`)."""
        return await self._run_beside(self._compiler.bind(statement, params))

    def _note(self, bound: BoundStatement) -> None:
        if bound.table is not None:
            self.changed.add(bound.table)

    @overload
    async def scalar(self, statement: TypedReturnsRows[tuple[T]], params: Params | None = None) -> T | None: ...

    @overload
    async def scalar(self, statement: Executable, params: Params | None = None) -> Any: ...  # noqa: ANN401 - of any type

    async def scalar(self, statement: Executable, params: Params | None = None) -> Any:
        """Execute a statement; return the first column of its first row, or None."""
        return (await self.execute(statement, params)).scalar()

    @overload
    async def scalars(self, statement: TypedReturnsRows[tuple[T]], params: Params | None = None) -> ScalarResult[T]: ...

    @overload
    async def scalars(self, statement: Executable, params: Params | None = None) -> ScalarResult[Any]: ...

    async def scalars(self, statement: Executable, params: Params | None = None) -> ScalarResult[Any]:
        """Execute a statement; return the first column of its rows."""
        return (await self.execute(statement, params)).scalars()

    @abstractmethod
    async def _run(self, bound: BoundStatement) -> StatementResult[Any]:
        """Give a statement to the driver. It raises as SQLAlchemy does (`sqlalchemy.exc.DBAPIError`)."""

    async def _run_later(self, bound: BoundStatement) -> None:
        await self._run(bound)

    async def _run_beside(self, bound: BoundStatement) -> StatementResult[Any]:
        return await self._run(bound)

    @abstractmethod
    async def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> StatementResult[Any]:
        """Give it a statement with several rows of values."""


async def finish_despite_cancel(work: Awaitable[T]) -> T:
    """Complete a piece of work although the caller is cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as error:
        cancelled = error
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio does not log it
    raise cancelled
