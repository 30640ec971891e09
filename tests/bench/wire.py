"""A lean MQTT 5 client for the programs around a measured process: a hundredth of a millisecond a message, no tasks.

The work of a bench's device must not appear in the measurement: aiomqtt on paho takes 0.3 ms of CPU a message. It has
only what the benches need, QoS 0 and 1 without a session, in the gateway's own packets.
"""

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from gateway.mqtt import codec
from gateway.mqtt.codec import PacketType
from gateway.mqtt.inbound_limits import PacketReader

MAX_PACKET_BYTES = 2**20

OnMessage = Callable[[str, bytes, bytes | None, float], None]
"""Topic, payload, correlation data, and when its bytes arrived (seconds of CLOCK_MONOTONIC)."""


class LeanClient(asyncio.Protocol):
    """One connection; `on_message` is called in the turn of the loop in which the message came."""

    def __init__(self, on_message: OnMessage) -> None:
        self.on_message = on_message
        self.room = codec.MAX_PACKET_ID  # QoS 1 messages that the broker takes before it has acknowledged others
        self._waiting: deque[bytes] = deque()
        self._transport: asyncio.Transport | None = None
        self._reader = PacketReader(MAX_PACKET_BYTES)
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
        self._reader.feed(data)
        acknowledged, messages = bytearray(), []
        while (packet := self._reader.next_packet()) is not None:
            first, body = packet
            match first >> 4:
                case PacketType.PUBLISH:
                    raw = codec.split_publish(first, body)
                    if raw.packet_id:
                        acknowledged += codec.encode_puback(raw.packet_id)
                    messages.append(raw)
                case PacketType.PUBACK:
                    self.room += 1
                case PacketType.CONNACK:
                    self._answer(0, body)
                case PacketType.SUBACK:
                    self._answer(int.from_bytes(body[:2]), body)
                case _:
                    pass
        if acknowledged:
            self._write(bytes(acknowledged))
        self._send_waiting()
        for raw in messages:
            content = codec.decode_content(raw.rest)
            self.on_message(raw.topic.decode(), content.payload, content.correlation, at)

    def _answer(self, key: int, body: bytes) -> None:
        waits = self._answers.pop(key, None)
        if waits is not None and not waits.done():
            waits.set_result(body)

    def publish(
        self, topic: str, payload: bytes, *, correlation: bytes | None = None, user: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Send a message of QoS 1 now, or as soon as the broker's receive maximum allows."""
        self._ids = self._ids % 65_535 + 1
        properties = codec.encode_publish_properties(
            expiry=None, correlation=correlation, response_topic=None, user_properties=dict(user)
        )
        self._waiting.append(
            codec.encode_publish(
                topic.encode(), payload, qos=1, retain=False, packet_id=self._ids, properties=properties
            )
        )
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
        connect = codec.encode_connect(
            name, username=name, password=password, clean_start=True, keepalive_s=0, session_expiry_s=0,
            receive_maximum=codec.MAX_PACKET_ID, max_packet_bytes=MAX_PACKET_BYTES, will=None,
        )  # fmt: skip
        answer = codec.decode_connack(await self._ask(0, connect))
        if answer.code:
            raise ConnectionRefusedError(f"the broker refuses {name}: {codec.reason_text(answer.code)}")
        self.room = answer.receive_maximum

    async def subscribe(self, *topics: str) -> None:
        """Subscribe to these filters with QoS 1; ConnectionError: the broker refuses one."""
        self._ids = self._ids % 65_535 + 1
        filters = [
            codec.TopicFilter(topic=topic, qos=1, retain_as_published=False, retain_handling=0) for topic in topics
        ]
        _, codes = codec.decode_suback(await self._ask(self._ids, codec.encode_subscribe(self._ids, filters)))
        if any(code >= codec.FIRST_FAILURE for code in codes):
            raise ConnectionRefusedError(f"the broker refuses one of {topics}")

    async def _ask(self, key: int, out: bytes) -> bytes:
        self._answers[key] = asyncio.get_running_loop().create_future()
        self._write(out)
        async with asyncio.timeout(30):
            return await self._answers[key]

    def close(self) -> None:
        """Take leave."""
        if self._transport is not None:
            self._transport.write(codec.DISCONNECT_PACKET)
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
