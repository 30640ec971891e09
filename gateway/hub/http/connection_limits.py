"""One HTTP connection of the hub: uvicorn's protocol with limits on connections, bytes, time and requests sent ahead.

uvicorn waits without limit for a first request and for the rest of a request, accepts a head of any size, and takes any
number of requests sent ahead. So a client that opens connections and sends nothing would use up the process's open
files, and one that sends all it can would fill its memory or hold up everybody else.
"""

import asyncio
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.hub.http.client_address import network_of, wider_network
from gateway.system.http_limits import (
    MAX_CONNECTIONS_PER_SECOND,
    MAX_READ_BYTES,
    MAX_WAITING_REQUESTS,
    NetworkConnections,
)

MAX_CONNECTIONS = 20_000
RESERVED_FILES = 300  # for database, broker and webhooks
NETWORK_LIMIT_FACTOR = 8  # times the limit of one address, for a /48 network, which one client may own
MAX_HEAD_BYTES = 16_384  # of a request's head, and of anything else that comes before its next piece of body


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
    request_start_timeout_s: float = 20.0  # until the head of the first request is complete
    request_end_timeout_s: float = 30.0  # from there until the request is complete
    idle_timeout_s: float = 75.0  # from a response until the head of the next request is complete
    on_refusal: Callable[[], None] = lambda: None
    connections: "set[HubConnection]" = field(default_factory=set)

    def __post_init__(self) -> None:
        each = self.max_connections if self.max_per_address is None else self.max_per_address
        self.networks = NetworkConnections(each, self.per_second)
        self.wider_networks = NetworkConnections(each * NETWORK_LIMIT_FACTOR, self.per_second * NETWORK_LIMIT_FACTOR)

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


class _JoinedWrites:
    """Writes two pieces as one: the head of an answer and its body, which would be two system calls and two packets.

    A piece that no other follows in the same iteration of the event loop is written at its end. An answer's last piece
    is not held (`flush`): the client's end of sending may close the transport in the same iteration.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._held = transport, b""

    def write(self, data: bytes) -> None:
        """Write a piece together with the one before it, or hold it for the next one."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        elif data:
            self._held = data
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write the piece that is held, if there is one."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def is_closing(self) -> bool:
        """Return whether the transport is closed or closes."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the transport after what was written."""
        self.flush()
        self._transport.close()


class HubConnection(HttpToolsProtocol, asyncio.BufferedProtocol):
    """One connection. It reads at most `MAX_READ_BYTES` in one iteration of the event loop, also with TLS."""

    def __init__(self, limiter: HubConnectionLimiter, config: Config, state: ServerState) -> None:
        super().__init__(config, state, {})
        self._limiter = limiter
        self._buffer = memoryview(bytearray(MAX_READ_BYTES))  # asyncio's TLS writes into slices of it
        self._is_open = self._is_ending = False
        self._unparsed_bytes = 0  # received since the parser's last call of a method of this class
        self._in_head = True
        self._offers_protocol = False  # the request that the parser has just read
        self._deadline: float | None = None  # of what is awaited, as the event loop counts time
        self._timer: asyncio.TimerHandle | None = None  # may fire before the deadline, which is set for each request
        self._served: RequestResponseCycle | None = None  # the request that is in progress, or was last
        self._writes: _JoinedWrites | None = None  # of its answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Accept the connection if its address may have one more, otherwise close it."""
        peer = transport.get_extra_info("peername")
        self._network = network_of(str(peer[0])) if isinstance(peer, tuple) else ""
        if not self._limiter.admits(self._network, asyncio.get_running_loop().time()):
            transport.abort()
            self._limiter.on_refusal()
            return
        self._is_open = True
        self._limiter.connections.add(self)
        for limits, network in self._limiter.limits_of(self._network):
            limits.add(network)
        super().connection_made(transport)
        self._set_timeout(self._limiter.request_start_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the connection."""
        if not self._is_open:
            return
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
        self._limiter.connections.discard(self)
        for limits, network in self._limiter.limits_of(self._network):
            limits.remove(network)
        if self._served is not None:  # uvicorn tells only the newest request, which may wait for this one
            self._served.disconnected = True
            self._served.message_event.set()
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's interface
        """Return the buffer for one piece, however many bytes have arrived."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse a piece."""
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Parse a piece; answer what is no HTTP, or too large a head, with a 400, and close the connection."""
        if not self._is_open or self._is_ending:
            return
        self._unparsed_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse()
            return
        if self._unparsed_bytes > MAX_HEAD_BYTES:
            self._refuse()

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn closes the connection
        """Answer the requests of a client that closed its sending side; close the connection if none is complete.

        A stream ends: its client has most likely gone, and a half-closed connection would not tell. TLS has no
        half-closed connections.
        """
        if not self._is_open or self._served is None or self.transport.get_extra_info("ssl_object") is not None:
            return False
        newest = self.cycle
        is_begun = newest is self._served and newest.response_started
        if newest.more_body or is_begun:
            return False
        newest.keep_alive = False
        return True

    def _parse(self, data: bytes) -> None:
        """Parse a piece. A request that offers another protocol is parsed anew without its offer.

        Each request of Java's HttpClient by http offers HTTP/2, and such an offer ends the parser before the body.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if not self._offers_protocol:
                    raise httptools.HttpParserError("CONNECT is for proxies") from offer
                self._offers_protocol = False
                data = self._head_without_offer() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
            else:
                return

    def _head_without_offer(self) -> bytes:
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                kept = [option for option in value.split(b",") if option.strip().lower() != b"upgrade"]
                lines.append(b"%s: %s" % (name, b",".join(kept)))
            elif name != b"upgrade":
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def _refuse(self) -> None:
        """Answer what is no request with a 400, unless a response has begun, and read nothing more."""
        if self._is_ending:
            return
        self._is_ending = True
        served = self._served
        if served is not None and not served.response_complete:
            if served is not self.cycle or served.response_started or not served.more_body:
                self._end_after(served)  # the mistake is in what was sent ahead, or comes too late
                return
            served.disconnected = True  # its body is the mistake, so the app must not wait for the rest
            served.message_event.set()
        self.send_400_response("Invalid HTTP request received.")

    def _end_after(self, served: RequestResponseCycle) -> None:
        """Answer the request in progress, and close; a client may send what it sent ahead again (RFC 9112, 9.3.2)."""
        self._is_ending = True
        served.keep_alive = False
        self.pipeline.clear()

    def on_message_begin(self) -> None:
        """Begin a request, if the client has not sent too many ahead."""
        if len(self.pipeline) >= MAX_WAITING_REQUESTS and self._served is not None:
            self._end_after(self._served)
        if self._is_ending:
            raise ConnectionAbortedError("too many requests were sent ahead")  # ends the parser's run
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; ignore a trailer, which comes after a chunked body."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to serve the request, unless it is parsed anew."""
        self._offers_protocol = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._offers_protocol:
            return
        self._in_head, self._unparsed_bytes = False, 0
        self._set_timeout(self._limiter.request_end_timeout_s)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait without limit for the response to the complete request."""
        if self._offers_protocol:
            return
        self._unparsed_bytes = 0
        self._in_head = True
        if self._served is not None and self._served.response_complete:
            self._set_timeout(self._limiter.idle_timeout_s)
        else:
            self._clear_timeout()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin the next request that was sent ahead, or wait for one. uvicorn would set a timer for each request."""
        self.server_state.total_requests += 1
        if self._writes is not None:
            self._writes.flush()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._in_head:
            self._set_timeout(self._limiter.idle_timeout_s)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: object) -> None:
        self._served = cycle
        self._writes = _JoinedWrites(cycle.transport)
        cycle.transport = self._writes  # type: ignore[assignment] # it has what uvicorn's cycle uses
        super()._start_asgi_task(cycle, app)  # type: ignore[arg-type] # uvicorn's own types are private

    def _set_timeout(self, seconds: float) -> None:
        """Close the connection after so many seconds."""
        if not self._is_open:
            return
        self._deadline = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(self._deadline, self._on_timer)

    def _clear_timeout(self) -> None:
        self._deadline = None

    def _on_timer(self) -> None:
        """Close the connection at its deadline; if that is later or none now, look again then."""
        self._timer = None
        if self._deadline is None:
            return
        if self._deadline > self.loop.time():
            self._timer = self.loop.call_at(self._deadline, self._on_timer)
        elif self._in_head and not self._unparsed_bytes and not self.transport.get_write_buffer_size():
            self.transport.close()  # between two requests
        else:
            self.transport.abort()
