"""Turns functions on a connection into methods of the store's parts.

A function of this package takes the connection first. A part of the store (`store.phones`) is a class whose body lists
such functions: `reads` runs one at once on the event loop, `writes` in a transaction of the writer's thread.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, TypeVar

from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")


class StorePart:
    """A group of the store's methods. Its coroutines raise `StoreFailed`; what they have returned is on disk."""

    def __init__(self, writer: Writer, reader: Callable[[], Database]) -> None:
        self.writer, self.reader = writer, reader

    async def write(self, work: Callable[[Database], T], *, mark: Now | None = None) -> T:
        """Run `work` as `Writer.do` does."""
        return await self.writer.do(work, mark=mark)


def reads(query: Callable[Concatenate[Database, P], T]) -> Callable[Concatenate[StorePart, P], T]:
    """Make a method that runs `query` on the reading connection."""

    @wraps(query)
    def method(part: StorePart, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return query(part.reader(), *args, **kwargs)

    return method


def writes(
    work: Callable[Concatenate[Database, P], T], *, mark: bool = False
) -> Callable[Concatenate[StorePart, P], Coroutine[Any, Any, T]]:
    """Make a coroutine that returns once the disk has what `work` wrote.

    With `mark` it then renews the mark outside the store, with the time that `work` takes as `now`.
    """
    parameters = signature(work)

    @wraps(work)
    async def method(part: StorePart, /, *args: P.args, **kwargs: P.kwargs) -> T:
        now = parameters.bind(None, *args, **kwargs).arguments["now"] if mark else None
        return await part.write(lambda db: work(db, *args, **kwargs), mark=now)

    return method


def posts(work: Callable[Concatenate[Database, P], object]) -> Callable[Concatenate[StorePart, P], None]:
    """Make a method that does not wait for the disk: what `work` writes may be lost."""

    @wraps(work)
    def method(part: StorePart, /, *args: P.args, **kwargs: P.kwargs) -> None:
        part.writer.post(lambda db: work(db, *args, **kwargs))

    return method
