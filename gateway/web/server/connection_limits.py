"""Limits the connections of the pages: how many, from where, for how long, and how many requests they may bring.

The loop and the file descriptors are the door's too. An HTTP server alone would take every connection that comes and
wait for ever for a request that is never finished; with a thousand of them the box could open no film any more. Whoever
is signed in, and the courier whose page follows his delivery, counts as entitled; everybody else is a stranger. When
there is no room, strangers make it, so that no stranger keeps the household out.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from gateway.system.http_limits import CONNECTIONS_BURST_S, CONNECTIONS_PER_SECOND, PieceReader
from gateway.system.token_bucket import TokenBuckets
from gateway.web.auth.login_throttle import network

MOST = 256  # connections
EACH = 96  # of one place, so that one guest cannot keep all others out
RESERVED = 64  # of `MOST`, for places from which somebody was signed in within `KNOWN_S`
KNOWN_S = 24 * 3600.0
PATIENCE = 10.0  # seconds for the handshake of TLS, and again for a first whole request
STAY_S = 60.0  # seconds that a stranger's connection lasts after its first request; browsers make another one
AGAIN = 1.0  # seconds until connections are accepted again where it failed
STRANGER_REQUESTS_PER_SECOND = 20.0  # of one place; a page with all its files is some 10 requests
STRANGER_REQUESTS_BURST = 60.0


def listening(address: str, port: int) -> socket.socket:
    """Listen; of IPv6 only IPv6.

    Raises:
        OSError: the address or the port cannot be had.
    """
    made = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    made.settimeout(0)  # it is the loop that waits
    return made


class Caller(PieceReader):
    """One connection of the pages: who is at its other end, and what has come of it."""

    def __init__(self, server: asyncio.Protocol, place: str = "") -> None:
        super().__init__(server)
        self.place = place
        self.entitled = False
        self.asked, self.gone, self.changed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def heard(self, *, entitled: bool) -> None:
        """Note that a whole request has come, and whether it was of somebody who is entitled."""
        if entitled is not self.entitled:
            self.entitled = entitled
            self.changed.set()
        self.asked.set()

    def finish(self) -> bool:
        """Let the server answer what it is at, and nothing more; False: it is at nothing."""
        server = self._server
        idle = not isinstance(server, web.RequestHandler) or server._waiter is not None  # noqa: SLF001 - told nowhere else
        if isinstance(server, web.RequestHandler) and not idle:
            server.close()
        return not idle

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the server, and whoever waits."""
        for event in (self.asked, self.gone, self.changed):
            event.set()
        super().connection_lost(exc)


class Porch:
    """All connections of the pages. `server` makes what speaks HTTP on one of them; times are in seconds.

    `reserved`: how many of `most` only places that are known may have. `stay`: how long a stranger's connection lasts.
    """

    def __init__(  # noqa: PLR0913 - limits, each with its default
        self,
        server: Callable[[], asyncio.Protocol],
        *,
        most: int = MOST,
        each: int = EACH,
        reserved: int = RESERVED,
        patience: float = PATIENCE,
        stay: float = STAY_S,
    ) -> None:
        self._server, self._most, self._each, self._reserved = server, most, each, reserved
        self._patience, self._stay = patience, stay
        self._callers: dict[Caller, asyncio.Task[None]] = {}  # in the order in which they came
        self._places: Counter[str] = Counter()
        self._known: dict[str, float] = {}  # place: when somebody who is signed in asked from there last (loop's clock)
        self._requests = TokenBuckets(STRANGER_REQUESTS_PER_SECOND, STRANGER_REQUESTS_BURST)
        self._connections = TokenBuckets(CONNECTIONS_PER_SECOND, CONNECTIONS_PER_SECOND * CONNECTIONS_BURST_S)

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
            if self._make_room(place):
                self._let_in(connection, place, context)
            else:
                connection.close()
            await asyncio.sleep(0)  # many at once are accepted one a turn: the door has turns between

    def heard(self, request: web.BaseRequest, *, signed_in: bool) -> bool:
        """Note a whole request on its connection; False: too many came from there of late, and it is not answered."""
        caller = caller_of(request)
        if caller is None:
            return True
        now = asyncio.get_running_loop().time()
        caller.heard(entitled=signed_in)
        if not signed_in:
            return self._requests.take(caller.place, now)
        self._known.pop(caller.place, None)
        self._known[caller.place] = now
        for place in [place for place, at in self._known.items() if now - at > KNOWN_S]:
            del self._known[place]
        return True

    def _make_room(self, place: str) -> bool:
        """Whether one more of this place may come in; a stranger is hung up on where there is room no other way."""
        now = asyncio.get_running_loop().time()
        at = self._known.get(place)
        known = at is not None and now - at <= KNOWN_S
        if not known and not self._connections.take(place, now):
            return False
        strangers = [caller for caller in self._callers if not caller.entitled]
        if self._places[place] >= self._each:
            return self._hang_up_on_oldest([caller for caller in strangers if caller.place == place])
        if len(self._callers) < self._most and (known or len(strangers) < self._most - self._reserved):
            return True
        # Of the place that has most: who opens many connections loses them, not who opened one to sign in.
        counted = Counter(caller.place for caller in strangers)
        most = max(counted.values(), default=0)
        return self._hang_up_on_oldest([caller for caller in strangers if counted[caller.place] == most])

    def _hang_up_on_oldest(self, callers: list[Caller]) -> bool:
        if not callers:
            return False
        self._callers[callers[0]].cancel()
        self._leave(callers[0])
        return True

    def _let_in(self, connection: socket.socket, place: str, context: ssl.SSLContext | None) -> None:
        caller = Caller(self._server(), place)
        attending = asyncio.create_task(self._attend(caller, connection, context))
        self._callers[caller] = attending
        self._places[place] += 1
        attending.add_done_callback(lambda _: self._leave(caller))

    def _leave(self, caller: Caller) -> None:
        if self._callers.pop(caller, None) is None:
            return  # it was hung up on
        self._places[caller.place] -= 1
        self._places += Counter()  # forgets the places that have none

    async def _attend(self, caller: Caller, connection: socket.socket, context: ssl.SSLContext | None) -> None:
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
                await self._stays(caller)
                if caller.finish():
                    async with asyncio.timeout(self._patience):
                        await caller.gone.wait()
        finally:
            transport.abort()

    async def _stays(self, caller: Caller) -> None:
        """Return when the connection has gone, or was a stranger's for too long."""
        while not caller.gone.is_set():
            caller.changed.clear()
            try:
                async with asyncio.timeout(None if caller.entitled else self._stay):
                    await caller.changed.wait()
            except TimeoutError:
                return

    async def close(self) -> None:
        """Hang up on everybody who is still there."""
        attending = tuple(self._callers.values())
        for one in attending:
            one.cancel()
        await asyncio.gather(*attending, return_exceptions=True)


def caller_of(request: web.BaseRequest) -> Caller | None:
    """Return the connection on which a request came; None: the server was given it some other way."""
    caller = None if request.transport is None else request.transport.get_protocol()
    return caller if isinstance(caller, Caller) else None
