"""Makes a method of both clients from one definition: a function that returns an `ApiRequest`.

As a method of `Client` it sends the request and returns the answer; as one of `AsyncClient` it is awaited. A type
checker sees the function's own parameters, and the answer of each client.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from .request import ApiRequest

P = ParamSpec("P")
T = TypeVar("T")
I_co = TypeVar("I_co", covariant=True)


class SyncCaller(ABC):
    """A client whose calls block."""

    @abstractmethod
    def send(self, request: ApiRequest[T]) -> T:
        """Send a request and return its answer."""


class AsyncCaller(ABC):
    """A client whose calls are awaited."""

    @abstractmethod
    async def send(self, request: ApiRequest[T]) -> T:
        """Send a request and return its answer."""


class Page(Protocol[I_co]):
    """A part of a list. `next` is the cursor of the part that follows, or None."""

    @property
    def data(self) -> Sequence[I_co]:
        """The items."""

    @property
    def next(self) -> str | None:
        """The cursor."""


class Operation(Generic[P, T]):
    """One operation of the API, as a method."""

    def __init__(self, define: Callable[P, ApiRequest[T]]) -> None:
        self.request = define
        self.__doc__ = define.__doc__

    @overload
    def __get__(self, client: SyncCaller, owner: type) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: AsyncCaller, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, client: SyncCaller | AsyncCaller, owner: type) -> Callable[P, T | Coroutine[Any, Any, T]]:
        def call(*args: P.args, **kwargs: P.kwargs) -> T | Coroutine[Any, Any, T]:
            return client.send(self.request(*args, **kwargs))

        return update_wrapper(call, self.request)


class Pages(Generic[P, I_co]):
    """The items of all pages of a list, as a method: it reads one page after the other while the caller iterates."""

    def __init__(self, define: Callable[P, ApiRequest[Page[I_co]]]) -> None:
        self.request = define
        self.__doc__ = define.__doc__

    @overload
    def __get__(self, client: SyncCaller, owner: type) -> Callable[P, Iterator[I_co]]: ...

    @overload
    def __get__(self, client: AsyncCaller, owner: type) -> Callable[P, AsyncIterator[I_co]]: ...

    def __get__(
        self, client: SyncCaller | AsyncCaller, owner: type
    ) -> Callable[P, Iterator[I_co] | AsyncIterator[I_co]]:
        def iterate(*args: P.args, **kwargs: P.kwargs) -> Iterator[I_co] | AsyncIterator[I_co]:
            first = self.request(*args, **kwargs)
            return _items(client, first) if isinstance(client, SyncCaller) else _items_async(client, first)

        return update_wrapper(iterate, self.request)


def _items(client: SyncCaller, request: ApiRequest[Page[I_co]]) -> Iterator[I_co]:
    page = client.send(request)
    yield from page.data
    while page.next is not None:
        request = request.following(page.next)
        page = client.send(request)
        yield from page.data


async def _items_async(client: AsyncCaller, request: ApiRequest[Page[I_co]]) -> AsyncIterator[I_co]:
    page = await client.send(request)
    for item in page.data:
        yield item
    while page.next is not None:
        request = request.following(page.next)
        page = await client.send(request)
        for item in page.data:
            yield item
