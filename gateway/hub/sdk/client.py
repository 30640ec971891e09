"""The clients of a hub: `Client` blocks, `AsyncClient` is awaited. Both have the same methods.

A client keeps connections open: use it as a context manager, or close it. Threads may share a `Client`, and tasks of
one event loop an `AsyncClient`.
"""

import asyncio
import random
import ssl
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx

from .errors import HubUnreachableError, escape_control_characters
from .events import parse_event
from .methods import ApiMethods
from .models import Event, Events, EventType
from .operation import AsyncCaller, SyncCaller
from .request import (
    ApiRequest,
    Connect,
    Connected,
    Emit,
    EventRequests,
    EventSteps,
    Fault,
    QueryValue,
    ReadPart,
    Reply,
    Retries,
    Send,
    Sleep,
    exchange,
    follow,
)

T = TypeVar("T")

SDK_VERSION = "1.0.0"
STREAM_READ_TIMEOUT_S = 60.0  # the hub sends a heartbeat every 15 s
MAX_ANSWER_BYTES = 32 * 1024 * 1024
_STREAM_TIMEOUT = httpx.Timeout(10.0, read=STREAM_READ_TIMEOUT_S)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class HubAccess:
    """A hub's address and an API key; no text of this object shows the key.

    `key` empty: for the operations that need none (`create_sandbox`, `read_hub_key`, `list_carriers`).

    Raises:
        ValueError: the address is not https://name, or http beyond this machine, where others could read the key.
    """

    url: str
    key: str = field(repr=False, default="")

    def __post_init__(self) -> None:
        """Check the address."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("a hub's address is https://name, as its operator tells it")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a hub's address contains no user name and no password")
        if parts.scheme == "http" and not _is_this_machine(parts.hostname):
            raise ValueError("without https everybody on the way reads the API key")
        if not (self.key.isascii() and self.key.isprintable()) or " " in self.key:
            raise ValueError("an API key is one word of ASCII characters")

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        own = {"User-Agent": f"perron-sdk/{SDK_VERSION}"}
        return {**own, "Authorization": f"Bearer {self.key}"} if self.key else own


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Client(ApiMethods, SyncCaller):
    """A client of one hub whose methods block, and raise `PerronError` if the hub refuses or does not answer.

    `timeout_s`: how long one try may take, from its connection to the end of the answer. `tls`: another context than
    the usual one, such as one that knows a private authority. `sleep` and `chance` (0 to 1) are arguments for tests.
    """

    def __init__(  # noqa: PLR0913 - one argument a setting
        self,
        url: str,
        key: str = "",
        *,
        timeout_s: float = 30.0,
        retries: Retries | None = None,
        tls: ssl.SSLContext | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.access, self._retries = HubAccess(url, key), retries or Retries()
        self._sleep, self._chance, self._timeout_s = sleep, chance, timeout_s
        self._http = httpx.Client(base_url=url, headers=self.access.headers, timeout=timeout_s, verify=tls or True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def send(self, request: ApiRequest[T]) -> T:
        """Send a request, repeat it as `Retries` says, and return its answer."""
        steps = exchange(request, self._retries, chance=self._chance, new_key=_new_key, now=_now)
        outcome: Reply | Fault | None = None
        try:
            while True:
                match steps.send(outcome):
                    case Send() as send:
                        outcome = self._try(send)
                    case Sleep(seconds):
                        self._sleep(seconds)
                        outcome = None
        except StopIteration as end:
            answer: T = end.value
            return answer

    def follow_events(self, *, after: str | None = None, types: Sequence[EventType | str] = ()) -> Iterator[Event]:
        """Yield the retailer's events as they happen, without end; after a fault it connects again and misses none.

        `after`: the id of the last event that the caller has processed; without it the stream begins now. `types`: only
        events of these types.
        """
        steps: EventSteps[Event] = follow(_event_requests(types), after, self._retries, chance=self._chance, now=_now)
        outcome: Reply | Fault | Connected | bytes | None = None
        parts: Iterator[bytes] = iter(())
        with ExitStack() as connection:
            while True:
                match steps.send(outcome):
                    case Send() as send:
                        outcome = self._try(send)
                    case Connect(send):
                        connection.close()
                        outcome, parts = self._connect(send, connection)
                    case ReadPart():
                        outcome = _next_part(parts)
                    case Sleep(seconds):
                        self._sleep(seconds)
                        outcome = None
                    case Emit(event):
                        outcome = None
                        yield event

    def _try(self, send: Send) -> Reply | Fault:
        try:
            with self._http.stream(send.method, send.target, headers=send.headers, content=send.content) as answer:
                return _reply(answer, _read_whole(answer, time.monotonic() + self._timeout_s))
        except httpx.RequestError as error:
            return _fault(error)

    def _connect(self, send: Send, connection: ExitStack) -> tuple[Connected | Reply | Fault, Iterator[bytes]]:
        try:
            stream = self._http.stream(send.method, send.target, headers=send.headers, timeout=_STREAM_TIMEOUT)
            answer = connection.enter_context(stream)
            if _is_event_stream(answer):
                return Connected(), answer.iter_bytes()
            return _reply(answer, _read_whole(answer, time.monotonic() + self._timeout_s)), iter(())
        except httpx.RequestError as error:
            return _fault(error), iter(())


class AsyncClient(ApiMethods, AsyncCaller):
    """A client of one hub whose methods are awaited; its arguments and errors are those of `Client`."""

    def __init__(  # noqa: PLR0913 - one argument a setting
        self,
        url: str,
        key: str = "",
        *,
        timeout_s: float = 30.0,
        retries: Retries | None = None,
        tls: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.access, self._retries = HubAccess(url, key), retries or Retries()
        self._sleep, self._chance, self._timeout_s = sleep, chance, timeout_s
        self._http = httpx.AsyncClient(base_url=url, headers=self.access.headers, timeout=timeout_s, verify=tls or True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(self, request: ApiRequest[T]) -> T:
        """Send a request, repeat it as `Retries` says, and return its answer."""
        steps = exchange(request, self._retries, chance=self._chance, new_key=_new_key, now=_now)
        outcome: Reply | Fault | None = None
        try:
            while True:
                match steps.send(outcome):
                    case Send() as send:
                        outcome = await self._try(send)
                    case Sleep(seconds):
                        await self._sleep(seconds)
                        outcome = None
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def follow_events(
        self, *, after: str | None = None, types: Sequence[EventType | str] = ()
    ) -> AsyncGenerator[Event, None]:
        """Yield the retailer's events as `Client.follow_events` does."""
        steps: EventSteps[Event] = follow(_event_requests(types), after, self._retries, chance=self._chance, now=_now)
        outcome: Reply | Fault | Connected | bytes | None = None
        parts: AsyncIterator[bytes] = _nothing()
        async with AsyncExitStack() as connection:
            while True:
                match steps.send(outcome):
                    case Send() as send:
                        outcome = await self._try(send)
                    case Connect(send):
                        await connection.aclose()
                        outcome, parts = await self._connect(send, connection)
                    case ReadPart():
                        outcome = await _next_part_async(parts)
                    case Sleep(seconds):
                        await self._sleep(seconds)
                        outcome = None
                    case Emit(event):
                        outcome = None
                        yield event

    async def _try(self, send: Send) -> Reply | Fault:
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._http.stream(send.method, send.target, headers=send.headers, content=send.content) as answer,
            ):
                return _reply(answer, await _read_whole_async(answer))
        except (httpx.RequestError, TimeoutError) as error:
            return _fault(error)

    async def _connect(
        self, send: Send, connection: AsyncExitStack
    ) -> tuple[Connected | Reply | Fault, AsyncIterator[bytes]]:
        try:
            stream = self._http.stream(send.method, send.target, headers=send.headers, timeout=_STREAM_TIMEOUT)
            answer = await connection.enter_async_context(stream)
            if _is_event_stream(answer):
                return Connected(), answer.aiter_bytes()
            async with asyncio.timeout(self._timeout_s):
                return _reply(answer, await _read_whole_async(answer)), _nothing()
        except (httpx.RequestError, TimeoutError) as error:
            return _fault(error), _nothing()


def _next_part(parts: Iterator[bytes]) -> bytes:
    try:
        return next(parts, b"")
    except httpx.RequestError:
        return b""


async def _next_part_async(parts: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(parts, b"")
    except httpx.RequestError:
        return b""


async def _nothing() -> AsyncIterator[bytes]:
    parts: tuple[bytes, ...] = ()
    for part in parts:
        yield part


def _read_whole(answer: httpx.Response, until: float) -> bytes:
    """Read an answer, until this time of the monotonic clock: httpx limits the wait for each part only."""
    body = bytearray()
    for part in answer.iter_bytes():
        _extend(body, part)
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the answer does not end")
    return bytes(body)


async def _read_whole_async(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for part in answer.aiter_bytes():
        _extend(body, part)
    return bytes(body)


def _extend(body: bytearray, part: bytes) -> None:
    body += part
    if len(body) > MAX_ANSWER_BYTES:
        raise HubUnreachableError(f"The answer has more than {MAX_ANSWER_BYTES} bytes, which no hub sends.")


def _reply(answer: httpx.Response, body: bytes) -> Reply:
    return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)


def _is_event_stream(answer: httpx.Response) -> bool:
    return answer.is_success and answer.headers.get("content-type", "").startswith("text/event-stream")


def _fault(error: httpx.RequestError | TimeoutError) -> Fault:
    is_late = isinstance(error, httpx.TimeoutException | TimeoutError)
    reason = "in time" if is_late else str(error) or type(error).__name__
    return Fault(escape_control_characters(reason), arrived=not isinstance(error, _NOT_SENT))


def _new_key() -> str:
    return str(uuid.uuid4())


def _now() -> datetime:
    return datetime.now(UTC)


def _event_requests(types: Sequence[EventType | str]) -> EventRequests[Event]:
    chosen = ",".join(types) or None

    def listed(order: str, limit: int) -> ApiRequest[Sequence[Event]]:
        query: Mapping[str, QueryValue] = {"types": chosen, "order": order, "limit": limit}
        return ApiRequest(method="GET", path="/v1/events", read=_read_events, query=query)

    return EventRequests(
        stream=ApiRequest(method="GET", path="/v1/events/stream", read=parse_event, query={"types": chosen}),
        newest=listed("newest", 1),
        oldest=listed("oldest", 100),
    )


def _read_events(body: bytes) -> Sequence[Event]:
    return Events.model_validate_json(body).data
