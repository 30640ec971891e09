"""MQTT 5 as a box speaks it, written small: thousands of lines in one process of a test.

Clean start, session expiry 0, QoS 1, a last will: what a box uses and no more. One `Mqtt5Session` is one connection;
what arrives goes to `heard`, and is acknowledged when that has returned. One whose ping is not answered until the next
one is due is ended.
"""

import asyncio
import ssl
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class ConnectionLost(Exception):  # noqa: N818 - it says what happened
    """The connection ended, or was refused; the text says why."""


@dataclass(frozen=True)
class Login:
    """Who connects; `will` is a topic, on which `{}` is said when the line ends by itself."""

    client: str
    will: str
    keepalive: int
    password: str | None = None
    qos: int = 0
    expiry: int = 0  # seconds that the broker keeps its session


def number(value: int) -> bytes:
    """A variable byte integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def text(value: str | bytes) -> bytes:
    """A string or binary field."""
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(raw)) + raw


def packet(first: int, body: bytes) -> bytes:
    """One control packet."""
    return bytes((first,)) + number(len(body)) + body


def connect(login: Login) -> bytes:
    """CONNECT."""
    named = login.password is not None
    flags = 0x02 | 0x04 | 0x08 | (0xC0 if named else 0)
    receive = b"\x21" + struct.pack(">H", 20) + b"\x11" + struct.pack(">I", login.expiry)
    body = text("MQTT") + bytes((5, flags)) + struct.pack(">H", login.keepalive) + number(len(receive)) + receive
    body += text(login.client) + number(0) + text(login.will) + text(b"{}")
    if login.password is not None:
        body += text(login.client) + text(login.password)
    return packet(0x10, body)


def subscribe(topics: Sequence[str], qos: int) -> bytes:
    """SUBSCRIBE, as packet 1: nothing retained."""
    how = bytes((0x28 | qos,))
    return packet(0x82, struct.pack(">H", 1) + number(0) + b"".join(text(topic) + how for topic in topics))


def publish(topic: str, payload: bytes, ident: int, expiry: int) -> bytes:
    """PUBLISH with QoS 1."""
    properties = b"\x02" + struct.pack(">I", expiry)
    return packet(0x32, text(topic) + struct.pack(">H", ident) + number(len(properties)) + properties + payload)


class Mqtt5Session(asyncio.Protocol):
    """One connection. `up` ends when the broker has taken the subscription, `over` when the line has ended."""

    def __init__(self, login: Login, topics: Sequence[str], heard: Callable[[str, bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self._login, self._topics, self._on_message = login, topics, heard
        self._buffer = bytearray()
        self._ident = 1
        self._transport: asyncio.Transport | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._pinged = False  # and the broker has not answered
        self.up: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[str] = loop.create_future()
        self.refused = 0  # publications that the broker answered with a failure

    # ---- asyncio's -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(connect(self._login))

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        self._buffer += data
        while (whole := self._next()) is not None:
            self._on_packet(*whole)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        self._end(str(exc) if exc is not None else "closed")

    # ---- ours ----------------------------------------------------------------------------------------------------

    def say(self, topic: str, payload: bytes, *, expiry: int = 300) -> bool:
        """Publish; False: the line is not there."""
        if self._transport is None or self.over.done():
            return False
        self._ident = self._ident % 65_535 + 1
        self._transport.write(publish(topic, payload, self._ident, expiry))
        return True

    def close(self) -> None:
        """End it in good order."""
        if self._transport is not None:
            self._transport.write(packet(0xE0, b""))
            self._transport.close()
        self._end("closed by us")

    def abort(self) -> None:
        """End it as a power cut would."""
        if self._transport is not None:
            self._transport.abort()
        self._end("aborted")

    def _next(self) -> tuple[int, bytes] | None:
        size, shift = 0, 0
        for at in range(1, 5):
            if at >= len(self._buffer):
                return None
            size |= (self._buffer[at] & 127) << shift
            shift += 7
            if self._buffer[at] < 128:
                break
        start = at + 1
        if len(self._buffer) < start + size:
            return None
        first, body = self._buffer[0], bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        return first, body

    def _on_packet(self, first: int, body: bytes) -> None:
        assert self._transport is not None
        match first >> 4:
            case 2:  # CONNACK
                if body[1] != 0:
                    self._end(f"refused: {body[1]:#x}")
                    self._transport.abort()
                    return
                self._transport.write(subscribe(self._topics, self._login.qos))
                self._tick()
            case 9:  # SUBACK
                bad = [code for code in body[-len(self._topics) :] if code >= 0x80]
                if bad:
                    self._end(f"subscription refused: {bad[0]:#x}")
                    self._transport.abort()
                elif not self.up.done():
                    self.up.set_result(None)
            case 3:  # PUBLISH
                self._on_publish(first, body)
            case 4:  # PUBACK
                self.refused += len(body) > 2 and body[2] >= 0x80
            case 13:  # PINGRESP
                self._pinged = False
            case 14:  # DISCONNECT
                self._end(f"told to go: {body[0] if body else 0:#x}")
                self._transport.close()
            case _:
                pass

    def _on_publish(self, first: int, body: bytes) -> None:
        long = struct.unpack_from(">H", body)[0]
        topic, at = body[2 : 2 + long].decode(), 2 + long
        ident = b""
        if first & 0x06:
            ident, at = body[at : at + 2], at + 2
        size, shift = 0, 0
        while True:
            size |= (body[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if body[at - 1] < 128:
                break
        self._on_message(topic, body[at + size :])
        if ident and self._transport is not None:
            self._transport.write(packet(0x40, ident))

    def _tick(self) -> None:
        if self._transport is None or self.over.done():
            return
        if self._pinged:
            self._end("a ping was not answered")
            self._transport.abort()
            return
        self._pinged = True
        self._transport.write(packet(0xC0, b""))
        self._beat = asyncio.get_running_loop().call_later(self._login.keepalive * 0.75, self._tick)

    def _end(self, why: str) -> None:
        if self._beat is not None:
            self._beat.cancel()
        if not self.over.done():
            self.over.set_result(why)
        if not self.up.done():
            self.up.set_exception(ConnectionLost(why))
            self.up.exception()  # whoever waits for nothing is told nothing


async def open_session(  # noqa: PLR0913 - where, who and how
    host: str, port: int, login: Login, topics: Sequence[str], heard: Callable[[str, bytes], None], *,
    tls: ssl.SSLContext | None = None, patience: float = 10.0,
) -> Mqtt5Session:  # fmt: skip
    """Connect and subscribe.

    Raises:
        Lost, OSError: it could not be done within `patience` seconds.
    """
    loop = asyncio.get_running_loop()
    session = Mqtt5Session(login, topics, heard)
    try:
        async with asyncio.timeout(patience):
            await loop.create_connection(lambda: session, host, port, ssl=tls, server_hostname=host if tls else None)
            await asyncio.shield(session.up)
    except (TimeoutError, ssl.SSLError) as error:
        session.abort()
        raise ConnectionLost(str(error) or "no answer in time") from error
    except BaseException:
        session.abort()
        raise
    return session
