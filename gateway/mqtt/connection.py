"""One connection to a broker, used until it breaks and never opened again.

A connection that were opened again would send what an earlier one had failed to send: an unlock, seconds late. So each
connection is a new object, and what an old one has not sent is discarded.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from gateway.mqtt import codec
from gateway.mqtt.codec import MalformedPacketError, PacketType, RawMessage, reason_text
from gateway.mqtt.inbound_limits import (
    MAX_PACKETS_PER_TURN,
    MAX_SKIPPED_PACKETS_PER_TURN,
    PacketReader,
    ReceiveQueue,
)
from gateway.mqtt.outbound import Outbound, OutboundMessage
from gateway.mqtt.packets import BirthAndWill, ConnectionOptions, InboundMessage, NotSent, whole_number
from gateway.mqtt.rate_limits import LimitVerdict, RateLimits
from gateway.mqtt.sockets import open_socket
from gateway.mqtt.tls import tls_context
from gateway.system.mqtt_settings import BrokerSection, Subscription

MAX_INBOUND_PAYLOAD_BYTES = 65_536  # a larger payload is dropped unread
RECEIVE_MAXIMUM = 100  # unacknowledged QoS 1 messages that the broker may send
HELD_POLL_S = 0.1  # between two checks whether a held reading may be read
TOPICS_PER_PACKET = 100  # a packet of so many topics stays under the broker's limit
HOUSE_OPTIONS = ConnectionOptions()

CLOSED_BY_BROKER = "disconnected: the broker closed the connection"
NO_ANSWER = "timed out"
CLOSED_BY_US = "the client ended the connection"

T = TypeVar("T")


class BrokerError(Exception):
    """The broker cannot be reached, refuses something, breaks the protocol, or the connection ended."""


class Connection:
    """One connection. `on_missed(topic)` is called for each message that is dropped unread, if its loss matters.

    `monotonic` returns seconds. With `has_rate_limits` messages beyond rate_limits.py are acknowledged and not read.
    """

    def __init__(  # noqa: PLR0913 - each is a different setting of the connection
        self,
        broker: BrokerSection,
        *,
        monotonic: Callable[[], float],
        subscriptions: Sequence[Subscription],
        on_missed: Callable[[str], None],
        has_rate_limits: bool = False,
        birth_and_will: BirthAndWill | None = None,
        options: ConnectionOptions = HOUSE_OPTIONS,
        max_payload_bytes: int = MAX_INBOUND_PAYLOAD_BYTES,
    ) -> None:
        self._broker, self._options, self._monotonic = broker, options, monotonic
        self._loop = asyncio.get_running_loop()
        self._inbox = ReceiveQueue(subscriptions, on_missed=on_missed, max_payload_bytes=max_payload_bytes)
        self._reader = PacketReader(2 * max_payload_bytes)
        self._limits = RateLimits(subscriptions) if has_rate_limits else None
        self._on_missed = on_missed
        self._tls_context = tls_context(broker)
        self._connect_packet = codec.encode_connect(
            broker.username,
            username=broker.login, password=broker.password(), clean_start=options.session_expiry_s == 0,
            keepalive_s=options.keepalive_s, session_expiry_s=options.session_expiry_s,
            receive_maximum=RECEIVE_MAXIMUM, max_packet_bytes=2 * max_payload_bytes,
            will=None if birth_and_will is None else codec.Will(
                topic=birth_and_will.topic, payload=birth_and_will.offline, retain=birth_and_will.retain
            ),
        )  # fmt: skip
        self._keepalive_s: float = options.keepalive_s
        self.session = 0  # number of the session, in each received message
        self.failure: str | None = None  # why the connection ended
        self._outbound: Outbound | None = None
        self._connack: asyncio.Future[codec.ConnAck] | None = None
        self._suback: tuple[int, asyncio.Future[bytes]] | None = None
        self._message_waiter: asyncio.Future[None] | None = None
        self._last_received = 0.0
        self._ping_sent: float | None = None  # when, while it is not answered
        self._may_send = options.session_expiry_s > 0  # messages: those of an earlier session, before we subscribe
        self._is_paused = False  # nothing is received until messages are read
        self._read_handle: asyncio.Handle | None = None
        self._held_handle: asyncio.TimerHandle | None = None
        self._alive_handle: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connect; at the end close the socket and finish each pending future.

        Raises:
            BrokerError: the broker cannot be reached, or refuses the connection.
        """
        try:
            await self._connect()
            yield
        finally:
            self._close()

    def publish(self, message: OutboundMessage, *, immediate: bool) -> NotSent | None:
        """Publish as `Outbound.publish` does."""
        return NotSent.NO_BROKER if self._outbound is None else self._outbound.publish(message, immediate=immediate)

    async def subscribe(self, subscriptions: Sequence[Subscription], *, qos: int = 1) -> None:
        """Subscribe to these topics.

        Raises:
            BrokerError: the broker refuses one, does not answer, or ended the connection.
        """
        self._may_send = True
        for first in range(0, len(subscriptions), TOPICS_PER_PACKET):
            batch = subscriptions[first : first + TOPICS_PER_PACKET]
            codes = await self._subscribe([_topic_filter(one, qos) for one in batch])
            if len(codes) != len(batch):
                raise BrokerError("the broker answers another number of subscriptions")
            for subscription, code in zip(batch, codes, strict=True):
                if code >= codec.FIRST_FAILURE:
                    raise BrokerError(f"the broker refuses us {subscription.topic}: {reason_text(code)}")

    async def next_message(self) -> InboundMessage:
        """Return the next message; it may be cancelled and called again.

        Raises:
            BrokerError: the connection ended, and all its messages are read.
        """
        while (message := self._inbox.take()) is None:
            if self.failure is not None:
                raise BrokerError(self.failure)
            self._message_waiter = self._loop.create_future()
            await self._message_waiter
        if self._is_paused and not self._inbox.is_full:
            self._resume()
        return message

    async def _connect(self) -> None:
        timeout_s = self._options.connect_timeout_s
        try:
            self._sock = await open_socket(self._broker.host, self._broker.port, self._tls_context, timeout_s=timeout_s)
            self._outbound = Outbound(self._sock, monotonic=self._monotonic, on_error=self._lose)
            self._last_received = self._monotonic()
            self._loop.add_reader(self._sock.fileno, self._on_readable)
            self._connack = self._loop.create_future()
            self._outbound.send(self._connect_packet)
            async with asyncio.timeout(timeout_s):
                answer = await self._connack
        except OSError as error:  # TimeoutError is one
            raise BrokerError(str(error) or NO_ANSWER) from error
        if answer.code:
            raise BrokerError(reason_text(answer.code))
        if self.failure is not None:
            raise BrokerError(self.failure)
        self._outbound.set_limits(receive_maximum=answer.receive_maximum, max_packet_bytes=answer.max_packet_bytes)
        if answer.keepalive_s:
            self._keepalive_s = min(self._keepalive_s, answer.keepalive_s)
        self._check_alive()

    async def _subscribe(self, filters: Sequence[codec.TopicFilter]) -> bytes:
        if self._outbound is None or self.failure is not None:
            raise BrokerError(self.failure or CLOSED_BY_BROKER)
        packet_id = self._outbound.next_packet_id()
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._suback = packet_id, answer
        self._outbound.send(codec.encode_subscribe(packet_id, filters))
        try:
            async with asyncio.timeout(self._options.connect_timeout_s):
                return await answer
        except TimeoutError:
            raise BrokerError(NO_ANSWER) from None
        finally:
            self._suback = None

    # ---- what arrives -----------------------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        if self._read_handle is not None:  # what was received before comes first
            return
        try:
            data = self._sock.recv()
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(str(error))
            return
        if not data:
            self._lose(CLOSED_BY_BROKER)
            return
        self._last_received = self._monotonic()
        self._reader.feed(data)
        self._read_packets()

    def _read_packets(self) -> None:
        """Read some packets; the rest waits for the next iteration of the loop."""
        self._read_handle = None
        read = skipped = 0
        try:
            while read < MAX_PACKETS_PER_TURN and skipped < MAX_SKIPPED_PACKETS_PER_TURN and not self._inbox.is_full:
                packet = self._reader.next_packet()
                if packet is None:
                    break
                if self._handle_packet(*packet):
                    read += 1
                else:
                    skipped += 1
                if self.failure is not None:
                    return
            else:
                self._continue_later()
        except MalformedPacketError as error:
            self._lose(str(error))
            return
        self._wake_reader()

    def _continue_later(self) -> None:
        if self._inbox.is_full:
            self._is_paused = True
            self._loop.remove_reader(self._sock.fileno)
        else:
            self._read_handle = self._loop.call_soon(self._read_packets)

    def _resume(self) -> None:
        self._is_paused = False
        if self.failure is None:
            self._last_received = self._monotonic()
            self._loop.add_reader(self._sock.fileno, self._on_readable)
            self._read_handle = self._loop.call_soon(self._read_packets)

    def _wake_reader(self) -> None:
        waiter = self._message_waiter
        if waiter is not None and not waiter.done() and (self.failure is not None or self._inbox):
            waiter.set_result(None)

    def _handle_packet(self, first: int, body: bytes) -> bool:
        """Handle a packet; return False if it was a message that is not read now.

        Raises:
            MalformedPacketError: no honest broker sends it.
        """
        kind = first >> 4
        if self._connack is not None:
            self._on_first_packet(kind, body)
            return True
        if kind == PacketType.PUBLISH:
            return self._on_publish(first, body)
        if kind == PacketType.PUBACK and self._outbound is not None:
            self._outbound.on_acknowledged(*codec.decode_puback(body))
        elif kind == PacketType.PINGRESP:
            self._ping_sent = None
        elif kind == PacketType.SUBACK:
            packet_id, codes = codec.decode_suback(body)
            if self._suback is not None and self._suback[0] == packet_id:
                _answer(self._suback[1], codes)
        elif kind == PacketType.DISCONNECT:
            self._lose(reason_text(codec.decode_disconnect(body)))
        else:
            raise MalformedPacketError("the broker sends a packet that it may not send")
        return True

    def _on_first_packet(self, kind: int, body: bytes) -> None:
        if kind != PacketType.CONNACK or self._connack is None:
            raise MalformedPacketError("the broker sends something else than its answer to CONNECT")
        _answer(self._connack, codec.decode_connack(body))
        self._connack = None

    def _on_publish(self, first: int, body: bytes) -> bool:
        if first & codec.QOS_BITS > codec.AT_LEAST_ONCE:
            raise MalformedPacketError("the broker sends a message under a QoS that was not asked for")
        if not self._may_send:
            raise MalformedPacketError("the broker sends a message before it was asked for one")
        raw = codec.split_publish(first, body)
        if raw.packet_id and self._outbound is not None:
            if self._outbound.is_overfull:
                raise MalformedPacketError("the broker speaks, and takes no answer")
            self._outbound.acknowledge(raw.packet_id)
        if self._limits is not None:
            match self._limits.judge(raw.topic, self._monotonic()):
                case LimitVerdict.READ:
                    pass
                case LimitVerdict.HELD:
                    self._limits.hold(raw.topic, raw)
                    self._schedule_held()
                    return False
                case LimitVerdict.DROPPED:
                    self._on_missed(raw.topic.decode(errors="replace"))
                    return False
                case LimitVerdict.IGNORED:
                    return False
        self._inbox.put(self._inbound_message(raw))
        return True

    def _schedule_held(self) -> None:
        if self._held_handle is None:
            self._held_handle = self._loop.call_later(HELD_POLL_S, self._read_held)

    def _read_held(self) -> None:
        self._held_handle = None
        if self._limits is None or self.failure is not None:
            return
        try:
            for raw in self._limits.take_due(self._monotonic()):
                self._inbox.put(self._inbound_message(raw))
        except MalformedPacketError as error:
            self._lose(str(error))
            return
        if self._limits.held_count:
            self._schedule_held()
        self._wake_reader()

    def _inbound_message(self, raw: RawMessage) -> InboundMessage:
        topic, content = codec.decode_topic(raw.topic), codec.decode_content(raw.rest)
        said = content.user_properties
        boot = said.get("boot")
        return InboundMessage(
            topic=topic,
            payload=content.payload,
            retain=raw.retain,
            session=self.session,
            correlation=content.correlation,
            response_topic=content.response_topic,
            boot=boot if boot and len(boot) <= 64 and boot.isprintable() else None,
            seq=whole_number(said.get("seq")),
            uptime_ms=whole_number(said.get("uptime")),
        )

    # ---- how it ends ------------------------------------------------------------------------------------------------

    def _check_alive(self) -> None:
        """Send PINGREQ after `_keepalive_s` without packets of both sides; without an answer in as long, it is over."""
        if self._outbound is None or self.failure is not None:
            return
        mono = self._monotonic()
        if self._is_paused:  # its answer is not received
            self._ping_sent, self._last_received = None, mono
        if self._ping_sent is not None:
            due = self._ping_sent + self._keepalive_s
            if mono >= due:
                self._lose(NO_ANSWER)
                return
        else:
            due = min(self._last_received, self._outbound.last_sent) + self._keepalive_s
            if mono >= due:
                self._outbound.send(codec.PINGREQ_PACKET)
                self._ping_sent = mono
                due = mono + self._keepalive_s
        self._alive_handle = self._loop.call_later(due - mono, self._check_alive)

    def _lose(self, reason: str) -> None:
        """End the connection now."""
        if self.failure is not None:
            return
        self.failure = reason
        for handle in (self._read_handle, self._held_handle, self._alive_handle):
            if handle is not None:
                handle.cancel()
        if self._outbound is not None:
            self._loop.remove_reader(self._sock.fileno)
            self._outbound.close()
            self._sock.close()
        for waiter in (self._connack, self._suback and self._suback[1]):
            if waiter is not None and not waiter.done():
                waiter.set_exception(BrokerError(reason))
        self._wake_reader()

    def _close(self) -> None:
        """Say DISCONNECT if the broker still takes it, and close the socket: what has not left must not leave later."""
        if self._outbound is not None and self.failure is None and self._connack is None:
            self._outbound.send(codec.DISCONNECT_PACKET)
            self._outbound.flush()
        self._lose(CLOSED_BY_US)


def _answer(waiter: asyncio.Future[T], value: T) -> None:
    if not waiter.done():
        waiter.set_result(value)


def _topic_filter(subscription: Subscription, qos: int) -> codec.TopicFilter:
    # With `wants_retained`, `retain` marks a stored copy; else it repeats the publisher's flag: a device retains each
    # state that it reports live, and that must count; a retained scan must not.
    return codec.TopicFilter(
        topic=subscription.topic,
        qos=qos,
        retain_as_published=not subscription.wants_retained,
        retain_handling=0 if subscription.wants_retained else 2,
    )
