"""Keeps one HTTP client from holding the event loop: a piece is read a turn, one request begins a turn, none pipelines.

aiohttp 3.14 starts the next pipelined request as soon as the handler of the one before returns
(`RequestHandler.start`). A handler that waits for nothing then runs as often as there are requests in the buffer,
and nothing else in the process has a turn meanwhile. What is done here stands before aiohttp's router, so requests
with an `Expect` header, which never reach a middleware, are limited too. TLS makes no difference.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

PIECE_BYTES = 2_048  # of one connection in one turn: asyncio alone would hand on 256 KiB
# 256 connections with 16 KiB of requests each would be parsed in one turn for 0.7 s
CONNECTIONS_PER_SECOND = 20.0  # of one stranger's address: a handshake of TLS costs the loop 0.3 ms and more
CONNECTIONS_BURST_S = 5.0  # what one address may open at once is what it may open in so many seconds
MAX_WAITING_REQUESTS = 1  # of one connection, beside the one that is answered: browsers and proxies send none


class PieceReader(asyncio.BufferedProtocol):
    """One connection, whose bytes the HTTP server gets, at most `PIECE_BYTES` in one turn of the loop."""

    def __init__(self, server: asyncio.Protocol) -> None:
        self._server = server
        self._piece = bytearray(PIECE_BYTES)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the server."""
        self._server.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the server."""
        self._server.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's own hint
        """Give room for one piece, however much has come."""
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        """Hand it to the server."""
        self._server.data_received(bytes(self._piece[:nbytes]))

    def eof_received(self) -> bool | None:
        """Tell the server."""
        return self._server.eof_received()

    def pause_writing(self) -> None:
        """Tell the server."""
        self._server.pause_writing()

    def resume_writing(self) -> None:
        """Tell the server."""
        self._server.resume_writing()


class RequestTurns:
    """Lets one caller begin in each turn of the event loop, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = False  # somebody has begun in this turn of the loop

    async def take(self) -> None:
        """Return when the caller may begin: at once if nobody else has begun in this turn of the loop."""
        loop = asyncio.get_running_loop()
        if not self._taken:
            self._taken = True
            loop.call_soon(self._next)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else the connection has gone meanwhile
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._taken = False


def limit_requests(server: web.Server, turns: RequestTurns | None = None) -> None:
    """Limit all connections that `server` accepts from now on; call it once, before the first one.

    One request of all connections starts in each turn of the event loop. A connection that has sent more than
    `MAX_WAITING_REQUESTS` ahead is answered the request that is its turn and then closed: what else it sent is not
    read, and HTTP lets a client send that again (RFC 9112, 9.3.2). `turns`: shared by several servers of one loop.
    """
    handle: Callable[[Any], Awaitable[web.StreamResponse]] = server.request_handler
    started = turns or RequestTurns()

    async def limited(request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        if len(protocol._messages) > MAX_WAITING_REQUESTS:  # noqa: SLF001 - aiohttp tells it nowhere else
            protocol.close()  # after this answer; nothing more is read
        await started.take()
        return await handle(request)

    server.request_handler = limited
