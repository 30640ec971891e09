"""Who stands before the pages: so many connections at once and no more, and none that says nothing.

The loop and the file descriptors are the door's too. An HTTP server alone would take every connection that comes and
wait for ever for a request that is never finished; with a thousand of them the box could open no film any more.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from gateway.web.tries import network

MOST = 256  # connections
EACH = 96  # of one place, so that one guest cannot keep all others out
PATIENCE = 10.0  # seconds for the handshake of TLS, and again for a first whole request
PIECE = 16_384  # bytes: asyncio alone would hand on 256 KiB, and as tiny frames those keep the loop for 0.2 s
AGAIN = 1.0  # seconds until connections are accepted again where it failed


def listening(address: str, port: int) -> socket.socket:
    """Listen; of IPv6 only IPv6.

    Raises:
        OSError: the address or the port cannot be had.
    """
    made = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    made.settimeout(0)  # it is the loop that waits
    return made


class Caller(asyncio.BufferedProtocol):
    """One connection, whose bytes the HTTP server gets, at most `PIECE` in one turn of the loop."""

    def __init__(self, server: asyncio.Protocol) -> None:
        self._server = server
        self._piece = bytearray(PIECE)
        self.asked, self.gone = asyncio.Event(), asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the server."""
        self._server.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the server, and whoever waits."""
        self.asked.set()
        self.gone.set()
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


class Porch:
    """All connections of the pages. `server` makes what speaks HTTP on one of them."""

    def __init__(
        self, server: Callable[[], asyncio.Protocol], *, most: int = MOST, each: int = EACH, patience: float = PATIENCE
    ) -> None:
        self._server, self._most, self._each, self._patience = server, most, each, patience
        self._callers: dict[asyncio.Task[None], str] = {}
        self._places: Counter[str] = Counter()

    async def receive(self, at: socket.socket, context: ssl.SSLContext | None) -> None:
        """Let in who comes, until cancelled; who is too many is hung up on unheard."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, (address, *_) = await loop.sock_accept(at)
            except OSError:  # no file descriptor is left, or who came has gone again
                await asyncio.sleep(AGAIN)
                continue
            place = network(address)
            if len(self._callers) < self._most and self._places[place] < self._each:
                self._let_in(connection, place, context)
            else:
                connection.close()
            await asyncio.sleep(0)  # many at once are accepted one a turn: the door has turns between

    def _let_in(self, connection: socket.socket, place: str, context: ssl.SSLContext | None) -> None:
        caller = asyncio.create_task(self._attend(connection, context))
        self._callers[caller] = place
        self._places[place] += 1
        caller.add_done_callback(self._leave)

    def _leave(self, caller: asyncio.Task[None]) -> None:
        place = self._callers.pop(caller)
        self._places[place] -= 1
        self._places += Counter()  # forgets the places that have none

    async def _attend(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        caller = Caller(self._server())
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: caller, connection, ssl=context,
                ssl_handshake_timeout=None if context is None else self._patience,
            )  # fmt: skip
        except OSError:  # also what TLS says: it is no browser, it does not trust the box yet, or it is too slow
            connection.close()
            return
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await caller.asked.wait()
                await caller.gone.wait()
        finally:
            transport.abort()

    async def close(self) -> None:
        """Hang up on everybody who is still there."""
        callers = tuple(self._callers)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


def heard(request: web.Request) -> None:
    """Note that a whole request has come on its connection."""
    caller = None if request.transport is None else request.transport.get_protocol()
    if isinstance(caller, Caller):
        caller.asked.set()
