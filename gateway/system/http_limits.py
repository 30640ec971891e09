"""Prevents one HTTP client from blocking the event loop: limits on bytes and requests in each iteration of the loop.

aiohttp 3.14 starts the next pipelined request as soon as the handler of the previous one returns
(`RequestHandler.start`). If a handler awaits nothing, aiohttp processes all requests in the buffer before any other
task runs. These limits apply before aiohttp's router, so that they include requests with an `Expect` header, which
never reach a middleware. They are the same with TLS.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.system.token_bucket import TokenBuckets

# Of one connection in one iteration of the loop. asyncio alone would pass on 256 KiB, and parsing 16 KiB of requests of
# each of 256 connections in one iteration takes 0.7 s.
MAX_READ_BYTES = 2_048
MAX_CONNECTIONS_PER_SECOND = 20.0  # of one client network: a TLS handshake costs the loop at least 0.3 ms
CONNECTION_BURST_S = 5.0  # a network may open as many at once as on average in this time
MAX_WAITING_REQUESTS = 1  # of one connection, beside the one in progress: browsers and proxies send none


class BoundedReader(asyncio.BufferedProtocol):
    """One connection. It passes at most `MAX_READ_BYTES` to the HTTP server in one iteration of the loop."""

    def __init__(self, server: asyncio.Protocol) -> None:
        self._server = server
        self._buffer = memoryview(bytearray(MAX_READ_BYTES))  # asyncio's TLS writes into slices of it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Forward the event to the server."""
        self._server.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forward the event to the server."""
        self._server.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's interface
        """Return the buffer for one piece, however many bytes have arrived."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Forward the bytes to the server."""
        self._server.data_received(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool | None:
        """Forward the event to the server."""
        return self._server.eof_received()

    def pause_writing(self) -> None:
        """Forward the event to the server."""
        self._server.pause_writing()

    def resume_writing(self) -> None:
        """Forward the event to the server."""
        self._server.resume_writing()


class NetworkConnections:
    """Counts the open connections of each network, and limits how many it may have and how fast it opens them. Pure.

    `max_open`: connections that one network may have at once. `per_second`: connections that it may open on average,
    and `CONNECTION_BURST_S` times as many at once.
    """

    def __init__(self, max_open: int, per_second: float = MAX_CONNECTIONS_PER_SECOND) -> None:
        self._max_open = max_open
        self._rate = TokenBuckets(per_second, per_second * CONNECTION_BURST_S)
        self.open: Counter[str] = Counter()

    def may_open(self, network: str, mono: float) -> bool:
        """Whether the network may open one more at `mono` (monotonic seconds); if so, it counts as opened."""
        return self._rate.take(network, mono)

    def has_room(self, network: str) -> bool:
        """Whether the network has fewer than `max_open` connections."""
        return self.open[network] < self._max_open

    def add(self, network: str) -> None:
        """Count a connection that was accepted."""
        self.open[network] += 1

    def remove(self, network: str) -> None:
        """Count a connection that ended. A network without connections takes no memory."""
        self.open[network] -= 1
        if not self.open[network]:
            del self.open[network]


class RequestTurns:
    """Lets so many callers start in each iteration of the event loop, in the order of their calls."""

    def __init__(self, per_iteration: int = 1) -> None:
        self._per_iteration = per_iteration
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._left = per_iteration  # callers that may start at once in this iteration of the loop
        self._is_counting = False  # `_next` runs in the next iteration
        self._is_granted = False  # callers that waited start in this iteration

    async def take(self) -> None:
        """Return when the caller may begin: at once if few others began in this iteration of the loop."""
        loop = asyncio.get_running_loop()
        if self._left:
            self._left -= 1
            if not self._is_counting:
                self._is_counting = True
                loop.call_soon(self._next)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        granted = 0
        while self._waiting and granted < self._per_iteration:
            turn = self._waiting.popleft()
            if not turn.done():  # else its connection was closed meanwhile
                turn.set_result(None)
                granted += 1
        if granted or self._is_granted:
            self._left, self._is_granted = 0, granted > 0
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self._left, self._is_counting = self._per_iteration, False


def limit_requests(server: web.Server, turns: RequestTurns | None = None) -> None:
    """Limit all connections that `server` accepts from now on; call it once, before the first one.

    One request of all connections starts in each iteration of the event loop. If a connection has pipelined more than
    `MAX_WAITING_REQUESTS`, the server answers its current request and closes it. The server discards the other
    requests, which HTTP allows the client to send again (RFC 9112, 9.3.2). `turns`: shared by several servers of one
    loop.
    """
    handle: Callable[[Any], Awaitable[web.StreamResponse]] = server.request_handler
    started = turns or RequestTurns()

    async def limited(request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        if len(protocol._messages) > MAX_WAITING_REQUESTS:  # noqa: SLF001 - aiohttp has no public way to see it
            protocol.close()  # after this answer; aiohttp reads nothing more
        await started.take()
        return await handle(request)

    server.request_handler = limited
