"""A lean MQTT 5 client for what stands around a measured process: a hundredth of a millisecond a message, no tasks.

What a device does in the bench must not show in what is measured: aiomqtt on paho takes 0.3 ms of CPU a message.
Only what the benches need of https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html: QoS 0 and 1, no session.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 2, 3, 4, 8, 9, 14
RECEIVE_MAXIMUM, CORRELATION, USER_PROPERTY = 0x21, 0x09, 0x26
RECEIVE_MAXIMUM_DEFAULT = 65_535
# How long the value of each property is that a broker may send here: bytes, or a length of two bytes first.
_FIXED = {0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1,
          0x2A: 1}  # fmt: skip
_TEXTS = {0x03: 1, 0x08: 1, 0x09: 1, 0x12: 1, 0x15: 1, 0x16: 1, 0x1A: 1, 0x1C: 1, 0x1F: 1, 0x26: 2}
_VARIABLE = {0x0B}

OnMessage = Callable[[str, bytes, bytes | None, float], None]
"""Topic, payload, correlation data, and when its bytes arrived (seconds of CLOCK_MONOTONIC)."""


def variable(number: int) -> bytes:
    """A variable byte integer (1.5.5)."""
    made = bytearray()
    while True:
        number, low = divmod(number, 128)
        made.append(low | (128 if number else 0))
        if not number:
            return bytes(made)


def read_variable(data: bytes | bytearray | memoryview, at: int) -> tuple[int, int]:
    """The same read: the number, and where it ends; IndexError: there is not all of it yet."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def text(words: str | bytes) -> bytes:
    """A string, or binary data, with its length (1.5.4, 1.5.6)."""
    raw = words.encode() if isinstance(words, str) else words
    return struct.pack("!H", len(raw)) + raw


def packet(kind: int, flags: int, body: bytes) -> bytes:
    """One control packet (2.1)."""
    return bytes((kind << 4 | flags,)) + variable(len(body)) + body


def publication(
    topic: str, payload: bytes, id_: int, correlation: bytes | None = None, user: Sequence[tuple[str, str]] = ()
) -> bytes:
    """A PUBLISH packet of QoS 1; of QoS 0 where `id_` is 0."""
    properties = b"" if correlation is None else bytes((CORRELATION,)) + text(correlation)
    for name, value in user:
        properties += bytes((USER_PROPERTY,)) + text(name) + text(value)
    head = text(topic) + (struct.pack("!H", id_) if id_ else b"")
    return packet(PUBLISH, 2 if id_ else 0, head + variable(len(properties)) + properties + payload)


def properties_of(data: bytes, at: int) -> tuple[dict[int, bytes], int]:
    """The properties that begin there, the last of each, and where they end."""
    length, at = read_variable(data, at)
    end, found = at + length, dict[int, bytes]()
    while at < end:
        id_, at = data[at], at + 1
        if id_ in _FIXED:
            begin, at = at, at + _FIXED[id_]
        elif id_ in _VARIABLE:
            begin, (_, at) = at, read_variable(data, at)
        else:
            begin = at
            for _ in range(_TEXTS[id_]):
                begin = at + 2
                at = begin + int.from_bytes(data[at : at + 2])
        found[id_] = data[begin:at]
    return found, end


class LeanClient(asyncio.Protocol):
    """One connection; `on_message` is called in the turn of the loop in which the message came."""

    def __init__(self, on_message: OnMessage) -> None:
        self.on_message = on_message
        self.room = RECEIVE_MAXIMUM_DEFAULT  # QoS 1 messages that the broker takes before it has acknowledged others
        self._waiting: deque[bytes] = deque()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._ids = 0
        self._answers: dict[int, asyncio.Future[bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send small packets at once."""
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Let who waits for an answer know."""
        for waits in self._answers.values():
            if not waits.done():
                waits.set_exception(exc or ConnectionResetError("the broker closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Acknowledge and hand over all whole packets, in their order."""
        at = time.monotonic()
        self._buffer += data
        acknowledged, messages = bytearray(), []
        for head, body in self._packets():
            kind = head >> 4
            if kind == PUBLISH:
                id_, message = self._message(head, body)
                if id_:
                    acknowledged += b"\x40\x02" + id_
                messages.append(message)
            elif kind == PUBACK:
                self.room += 1
            elif kind in (CONNACK, SUBACK):
                waits = self._answers.pop(0 if kind == CONNACK else int.from_bytes(body[:2]), None)
                if waits is not None and not waits.done():
                    waits.set_result(body)
        if acknowledged:
            self._write(bytes(acknowledged))
        self._send_waiting()
        for topic, payload, correlation in messages:
            self.on_message(topic, payload, correlation, at)

    def _packets(self) -> Iterator[tuple[int, bytes]]:
        begin, buffer = 0, self._buffer
        while len(buffer) - begin >= 2:
            try:
                length, body = read_variable(buffer, begin + 1)
            except IndexError:
                break
            if len(buffer) < body + length:
                break
            yield buffer[begin], bytes(buffer[body : body + length])
            begin = body + length
        del buffer[:begin]

    @staticmethod
    def _message(head: int, body: bytes) -> tuple[bytes, tuple[str, bytes, bytes | None]]:
        end = 2 + int.from_bytes(body[:2])
        topic, id_ = body[2:end].decode(), b""
        if head & 6:
            id_, end = body[end : end + 2], end + 2
        found, end = properties_of(body, end)
        return id_, (topic, body[end:], found.get(CORRELATION))

    def publish(
        self, topic: str, payload: bytes, *, correlation: bytes | None = None, user: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Send a message of QoS 1 now, or as soon as the broker's receive maximum allows."""
        self._ids = self._ids % 65_535 + 1
        self._waiting.append(publication(topic, payload, self._ids, correlation, user))
        self._send_waiting()

    def _send_waiting(self) -> None:
        out = bytearray()
        while self._waiting and self.room > 0:
            self.room -= 1
            out += self._waiting.popleft()
        if out:
            self._write(bytes(out))

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    async def connect(self, name: str, password: str) -> None:
        """Sign in under this name and with this client identifier; ConnectionError: the broker refuses."""
        head = text("MQTT") + bytes((5, 0b1100_0010)) + struct.pack("!H", 0)
        body = head + b"\x00" + text(name) + text(name) + text(password)
        answer = await self._ask(0, packet(CONNECT, 0, body))
        if answer[1]:
            raise ConnectionRefusedError(f"the broker refuses {name}: reason code {answer[1]:#x}")
        found, _ = properties_of(answer, 2)
        self.room = int.from_bytes(found.get(RECEIVE_MAXIMUM, b"\xff\xff"))

    async def subscribe(self, *topics: str) -> None:
        """Subscribe to these filters with QoS 1; ConnectionError: the broker refuses one."""
        self._ids = self._ids % 65_535 + 1
        body = struct.pack("!H", self._ids) + b"\x00" + b"".join(text(topic) + b"\x01" for topic in topics)
        answer = await self._ask(self._ids, packet(SUBSCRIBE, 2, body))
        _, end = properties_of(answer, 2)
        if any(code >= 0x80 for code in answer[end:]):
            raise ConnectionRefusedError(f"the broker refuses one of {topics}")

    async def _ask(self, key: int, out: bytes) -> bytes:
        self._answers[key] = asyncio.get_running_loop().create_future()
        self._write(out)
        async with asyncio.timeout(30):
            return await self._answers[key]

    def close(self) -> None:
        """Take leave."""
        if self._transport is not None:
            self._transport.write(packet(DISCONNECT, 0, b""))
            self._transport.close()


@contextlib.asynccontextmanager
async def connected(client: LeanClient, port: int, name: str, password: str) -> AsyncIterator[LeanClient]:
    """Connect to the broker on this machine until left."""
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
    try:
        await client.connect(name, password)
        yield client
    finally:
        client.close()
