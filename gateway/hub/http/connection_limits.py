"""Limits the connections of each client address, and closes idle ones.

aiohttp waits without limit for a first request, and for the rest of a request once a part of it has come. So a client
that opens connections and sends nothing would use up the process's open files, and no other client could connect.
"""

import asyncio
import resource
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from aiohttp import web

from gateway.hub.http.client_address import network_of, wider_network
from gateway.system.http_limits import MAX_CONNECTIONS_PER_SECOND, BoundedReader, NetworkConnections

MAX_CONNECTIONS = 20_000
RESERVED_FILES = 300  # for database, broker and webhooks
NETWORK_LIMIT_FACTOR = 8  # times the limit of one address, for a /48 network, which one client may own


def max_connections() -> int:
    """Return how many connections fit into the number of files that this process may open."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited, wanted = resource.RLIM_INFINITY, MAX_CONNECTIONS + RESERVED_FILES
    wanted = wanted if most == unlimited else min(wanted, most)
    if now != unlimited and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        now = wanted
    return MAX_CONNECTIONS if now == unlimited else max(RESERVED_FILES, min(MAX_CONNECTIONS, now - RESERVED_FILES))


@dataclass
class HubConnectionLimiter:
    """Counts the connections of each address.

    `max_per_address` is None behind a proxy, whose address all clients share. `per_second`: connections that one
    address may open; `CONNECTION_BURST_S` times as many at once.
    """

    max_per_address: int | None
    max_connections: int = MAX_CONNECTIONS
    per_second: float = MAX_CONNECTIONS_PER_SECOND
    request_start_timeout_s: float = 20.0  # until a request begins
    request_end_timeout_s: float = 30.0  # until a request is complete
    idle_timeout_s: float = 90.0  # until the next request; aiohttp closes an idle connection sooner
    on_refusal: Callable[[], None] = lambda: None
    connections: dict[asyncio.BaseTransport, "_LimitedConnection"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        each = self.max_connections if self.max_per_address is None else self.max_per_address
        self.networks = NetworkConnections(each, self.per_second)
        self.wider_networks = NetworkConnections(each * NETWORK_LIMIT_FACTOR, self.per_second * NETWORK_LIMIT_FACTOR)

    def protocol_factory(self, server: Callable[[], asyncio.BaseProtocol]) -> Callable[[], asyncio.BufferedProtocol]:
        """Return the factory of protocols that limit connections in front of aiohttp's."""
        return lambda: _LimitedConnection(self, cast("asyncio.Protocol", server()))

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Stop the timeout of a connection while its request is handled."""
        connection = None if request.transport is None else self.connections.get(request.transport)
        if connection is None:
            return await handler(request)
        connection.clear_timeout()
        if request.can_read_body and not request.content.is_eof():
            connection.set_timeout(self.request_end_timeout_s)
            request.content.on_eof(connection.clear_timeout)
        try:
            return await handler(request)
        finally:
            connection.set_timeout(self.idle_timeout_s)

    def admits(self, network: str, mono: float) -> bool:
        """Return whether this address and its network may open one more connection now."""
        if len(self.connections) >= self.max_connections or self.max_per_address is None:
            return len(self.connections) < self.max_connections
        if not all(limits.may_open(name, mono) for limits, name in self.limits_of(network)):
            return False
        return all(limits.has_room(name) for limits, name in self.limits_of(network))

    def limits_of(self, network: str) -> Iterator[tuple[NetworkConnections, str]]:
        """Yield the counts that a connection of this network is part of, each with the network's name there."""
        yield self.networks, network
        wider = wider_network(network)
        if wider is not None:
            yield self.wider_networks, wider


class _LimitedConnection(BoundedReader):
    def __init__(self, limiter: HubConnectionLimiter, protocol: asyncio.Protocol) -> None:
        super().__init__(protocol)
        self._limiter = limiter
        self._transport: asyncio.Transport | None = None  # None: refused or closed
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._network = network_of(str(peer[0])) if isinstance(peer, tuple) else ""
        tcp = cast("asyncio.Transport", transport)
        if not self._limiter.admits(self._network, asyncio.get_running_loop().time()):
            tcp.abort()
            self._limiter.on_refusal()
            return
        self._transport = tcp
        self._limiter.connections[tcp] = self
        for limits, network in self._limiter.limits_of(self._network):
            limits.add(network)
        super().connection_made(tcp)
        self.set_timeout(self._limiter.request_start_timeout_s)

    def set_timeout(self, seconds: float) -> None:
        """Close the connection unless a request begins within so many seconds."""
        self.clear_timeout()
        if self._transport is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def clear_timeout(self) -> None:
        """Cancel the timeout."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        self.clear_timeout()
        del self._limiter.connections[self._transport]
        for limits, network in self._limiter.limits_of(self._network):
            limits.remove(network)
        self._transport = None
        super().connection_lost(exc)

    def buffer_updated(self, nbytes: int) -> None:
        if self._transport is not None:
            super().buffer_updated(nbytes)

    def eof_received(self) -> bool | None:
        return None if self._transport is None else super().eof_received()
