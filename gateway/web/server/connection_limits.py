"""Limits the pages' connections by number, network and time, and the requests on each.

The doors use the same event loop and file descriptors. An HTTP server alone would accept every connection and wait
forever for a request that never ends; with a thousand of them the box could not open a film any more. A signed-in user
counts as entitled, and so does a courier whose page follows the delivery; all others are strangers. If there is no
room, a stranger's connection is closed, so strangers cannot keep the household out.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from gateway.domain.frozen import Frozen
from gateway.system.addresses import client_network
from gateway.system.http_limits import BoundedReader, NetworkConnections
from gateway.system.token_bucket import TokenBuckets

KNOWN_NETWORK_LIFETIME_S = 24 * 3600.0
ACCEPT_RETRY_DELAY_S = 1.0  # seconds until the next accept after an error
STRANGER_REQUESTS_PER_SECOND = 20.0  # of one network; a page with its files is some 10 requests
STRANGER_REQUESTS_BURST = 60.0


class ConnectionLimits(Frozen):
    """The limits of all connections together. Tests make them smaller."""

    connections: int = 256
    per_network: int = 96  # so that one client cannot keep all others out
    reserved: int = 64  # of `connections`, for networks where somebody was signed in of late (`_known_networks`)
    request_timeout_s: float = 10.0  # for the TLS handshake, and again for the first whole request
    stranger_lifetime_s: float = 60.0  # of a stranger's connection after its first request


CONNECTION_LIMITS = ConnectionLimits()


def listen_socket(address: str, port: int) -> socket.socket:
    """Return a listening socket; an IPv6 one accepts IPv6 only. OSError: the address or the port is not available."""
    listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.settimeout(0)  # non-blocking, for the event loop
    return listener


class PageConnection(BoundedReader):
    """One connection of the pages, and the state of its client."""

    def __init__(self, server: asyncio.Protocol, network: str, stranger_lifetime_s: float) -> None:
        super().__init__(server)
        self.network, self._stranger_lifetime_s = network, stranger_lifetime_s
        self.has_requested = self.is_entitled = False
        self.expired, self.ended = asyncio.Event(), asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None

    def on_request(self, *, is_entitled: bool) -> None:
        """Note that a whole request has arrived, and whether its client is entitled: such a connection lasts."""
        if not self.has_requested or is_entitled is not self.is_entitled:
            self.has_requested, self.is_entitled = True, is_entitled
            self.expire_after(None if is_entitled else self._stranger_lifetime_s)

    def expire_after(self, seconds: float | None) -> None:
        """Set `expired` after so many seconds from now (None: never) instead of at the time that was set before."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.expired.set)

    def finish_response(self) -> bool:
        """Let the server complete the present response and no more; False: it has none to complete."""
        server = self._server
        idle = not isinstance(server, web.RequestHandler) or server._waiter is not None  # noqa: SLF001 - aiohttp has no public way to ask
        if isinstance(server, web.RequestHandler) and not idle:
            server.close()
        return not idle

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the server, and wake the waiting task."""
        self.expire_after(None)
        self.expired.set()
        self.ended.set()
        super().connection_lost(exc)


class ConnectionLimiter:
    """All connections of the pages. `server` returns the HTTP protocol of a new one."""

    def __init__(self, server: Callable[[], asyncio.Protocol], limits: ConnectionLimits = CONNECTION_LIMITS) -> None:
        self._server, self._limits = server, limits
        self._open_connections: dict[PageConnection, asyncio.Task[None]] = {}  # oldest first
        self._networks = NetworkConnections(limits.per_network)
        self._known_networks: dict[str, float] = {}  # when a signed-in user's last request came (the loop's clock)
        self._request_rate = TokenBuckets(STRANGER_REQUESTS_PER_SECOND, STRANGER_REQUESTS_BURST)

    async def accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        """Accept connections until cancelled; those beyond the limits are closed unread."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, (address, *_) = await loop.sock_accept(listener)
            except OSError:  # no file descriptor is left, or the client has disconnected
                await asyncio.sleep(ACCEPT_RETRY_DELAY_S)
                continue
            network = client_network(address)
            if self._make_room(network):
                self._admit(connection, network, context)
            else:
                connection.close()
            await asyncio.sleep(0)  # accepts one connection a turn, so the doors' tasks run in between

    def count_request(self, request: web.BaseRequest, *, signed_in: bool) -> bool:
        """Note a whole request on its connection; False: its network sent too many, and gets no answer."""
        caller = connection_of(request)
        if caller is None:
            return True
        now = asyncio.get_running_loop().time()
        caller.on_request(is_entitled=signed_in)
        if not signed_in:
            return self._request_rate.take(caller.network, now)
        self._known_networks.pop(caller.network, None)
        self._known_networks[caller.network] = now
        for network in [known for known, at in self._known_networks.items() if now - at > KNOWN_NETWORK_LIFETIME_S]:
            del self._known_networks[network]
        return True

    def _make_room(self, network: str) -> bool:
        """Return whether a connection of this network may be accepted; it may close a stranger's for it."""
        now = asyncio.get_running_loop().time()
        at = self._known_networks.get(network)
        known = at is not None and now - at <= KNOWN_NETWORK_LIFETIME_S
        if not known and not self._networks.may_open(network, now):
            return False
        strangers = [caller for caller in self._open_connections if not caller.is_entitled]
        if not self._networks.has_room(network):
            return self._close_oldest([caller for caller in strangers if caller.network == network])
        most = self._limits.connections
        if len(self._open_connections) < most and (known or len(strangers) < most - self._limits.reserved):
            return True
        # Close one of the network with most connections, not the one that a person opened to sign in.
        counted = Counter(caller.network for caller in strangers)
        largest = max(counted.values(), default=0)
        return self._close_oldest([caller for caller in strangers if counted[caller.network] == largest])

    def _close_oldest(self, connections: list[PageConnection]) -> bool:
        if not connections:
            return False
        self._open_connections[connections[0]].cancel()
        self._remove_connection(connections[0])
        return True

    def _admit(self, connection: socket.socket, network: str, context: ssl.SSLContext | None) -> None:
        caller = PageConnection(self._server(), network, self._limits.stranger_lifetime_s)
        task = asyncio.create_task(self._serve_connection(caller, connection, context))
        self._open_connections[caller] = task
        self._networks.add(network)
        task.add_done_callback(lambda _: self._remove_connection(caller))

    def _remove_connection(self, caller: PageConnection) -> None:
        if self._open_connections.pop(caller, None) is not None:  # else it was closed already
            self._networks.remove(caller.network)

    async def _serve_connection(
        self, caller: PageConnection, connection: socket.socket, context: ssl.SSLContext | None
    ) -> None:
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: caller, connection, ssl=context,
                ssl_handshake_timeout=None if context is None else self._limits.request_timeout_s,
            )  # fmt: skip
        except OSError:  # also TLS errors: no browser, the box's authority is not trusted yet, or a time-out
            connection.close()
            return
        try:
            if not caller.has_requested:
                caller.expire_after(self._limits.request_timeout_s)
            await caller.expired.wait()
            if caller.finish_response():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.request_timeout_s):
                        await caller.ended.wait()
        finally:
            transport.abort()

    async def close(self) -> None:
        """Close every open connection."""
        tasks = tuple(self._open_connections.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def connection_of(request: web.BaseRequest) -> PageConnection | None:
    """Return the connection of a request; None: it came without a limiter."""
    caller = None if request.transport is None else request.transport.get_protocol()
    return caller if isinstance(caller, PageConnection) else None
