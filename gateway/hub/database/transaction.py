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

    def __init__(self, compiler: StatementCompiler) -> None:
        self._compiler = compiler

    @overload
    async def execute(self, statement: TypedReturnsRows[R], params: ManyParams = None) -> StatementResult[R]: ...

    @overload
    async def execute(self, statement: Executable, params: ManyParams = None) -> StatementResult[Any]: ...

    async def execute(self, statement: Executable, params: ManyParams = None) -> StatementResult[Any]:
        """Execute a statement."""
        if params is None or isinstance(params, Mapping):
            return await self._run(self._compiler.bind(statement, params or {}))
        return (
            await self._run_many(*self._compiler.bind_many(statement, params)) if params else StatementResult.empty(0)
        )

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

    @abstractmethod
    async def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> StatementResult[Any]:
        """Give it a statement with several rows of values."""


async def finish_despite_cancel(work: Awaitable[T]) -> T:
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
