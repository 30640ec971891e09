"""A retailer that costs little processor time, so that it can share a core with the database.

It knows just enough of HTTP for a hub's answers to announcements: each has a `Content-Length`.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from tests.scale.enrolling import HomeFleet

_END_OF_HEAD = b"\r\n\r\n"


@dataclass
class BareClient:
    """Announces deliveries over some connections, each the next one as soon as the one before is answered."""

    url: str
    fleet: HomeFleet
    waits: list[float] = field(default_factory=list)  # seconds, of each that was answered with 201
    _number: int = 90_000_000

    async def announce(self, connections: int, seconds: float) -> float:
        """Announce for some seconds; how many were answered in each second."""
        at, loop = urlsplit(self.url), asyncio.get_running_loop()
        until = time.monotonic() + seconds
        lines = [_Line(self._requests(), until, self.waits) for _ in range(connections)]
        began = time.monotonic()
        for line in lines:
            await loop.create_connection(partial(_same, line), at.hostname or "", at.port or 80)
        await asyncio.gather(*(line.ended for line in lines))
        return len(self.waits) / (time.monotonic() - began)

    def _requests(self) -> Iterator[bytes]:
        start = datetime.now(UTC)
        window = {"start": start.isoformat(), "end": (start + timedelta(hours=4)).isoformat()}
        delivery = {"entrance": "front", "carrier": "Chronopost", "place": "hall", "window": window,
                    "parcels": ["XY123456785FR"]}  # fmt: skip
        host = urlsplit(self.url).netloc
        while True:
            self._number += 1
            name, home = f"d-{self._number}", self.fleet.homes[self._number % len(self.fleet.homes)]
            body = json.dumps({"connection": home.connection, "delivery": {"name": name, **delivery}})
            head = (
                "POST /v1/deliveries HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {home.token}",
                f"Idempotency-Key: {name}", "Content-Type: application/json", f"Content-Length: {len(body)}",
            )  # fmt: skip
            yield ("\r\n".join(head) + "\r\n\r\n" + body).encode()


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes], until: float, waits: list[float]) -> None:
        self._requests, self._until, self._waits = requests, until, waits
        self._received = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Announce the first."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._asked = time.monotonic()
        if self._asked >= self._until:
            self._transport.close()
            self.ended.set_result(None)
            return
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        """Announce the next when the answer is complete."""
        self._received += data
        head, end, body = self._received.partition(_END_OF_HEAD)
        if not end or len(body) < _length_of(head.split(b"\r\n")):
            return
        assert head.startswith(b"HTTP/1.1 201 "), self._received
        self._received = b""
        self._waits.append(time.monotonic() - self._asked)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail if the hub has closed the connection."""
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionResetError("the hub closed the connection"))


def _same(line: _Line) -> _Line:
    return line


def _length_of(lines: Sequence[bytes]) -> int:
    return next(int(line[16:]) for line in lines if line.lower().startswith(b"content-length: "))
