"""Limits what the gateway reads from a broker: a hub's broker is another party's, and the doors share the event loop.

What paho-mqtt 2.2.0 and aiomqtt 2.5.1 do with a broker that breaks the protocol's agreements, each tried in
tests/gateway/mqtt/test_inbound_limits.py:

* They read a packet of any length (256 MB) whole, and store a QoS 2 message until it is released (2 GB in 8 s).
* They copy a packet's rest once for each of its properties: 125 kB of them block the loop for 5 s. A broker forwards
  the properties that a client sent, so each device could do it.
* They store acknowledged messages without limit, and read all available bytes in one iteration, with TLS endlessly.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable

import aiomqtt
import paho.mqtt
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import MessageType, MQTTErrorCode

from gateway.mqtt.rate_limits import TOPIC_LIMITS, HeldMessage, LimitVerdict, RateLimits
from gateway.mqtt.tls import ClosingTlsSocket
from gateway.system.mqtt_settings import OverflowPolicy, Subscription

PAHO_VERSION = "2.2.0"
# Another version may have other private methods, and nothing would be limited
if paho.mqtt.__version__ != PAHO_VERSION:
    raise ImportError(
        f"paho-mqtt {paho.mqtt.__version__} is installed, but Perron replaces private methods of {PAHO_VERSION}."
        f" Install that one: pip install paho-mqtt=={PAHO_VERSION}"
    )

MAX_PROPERTIES_BYTES = 1_024  # a message with more loses all its properties
MAX_CONTROL_PACKET_BYTES = 4_096  # of a packet other than PUBLISH
MAX_UNSENT_PACKETS = 1_000  # a broker that does not read the answers loses the connection
MAX_PACKETS_PER_TURN = 10  # in one iteration of the loop
MAX_SKIPPED_PACKETS_PER_TURN = 100  # dropped or held packets in one iteration; each takes 20 to 200 us
RECEIVE_BYTES = 16_384  # received with one system call
POLL_INTERVAL_S = 0.1  # between two checks whether a held reading may be read
QOS, AT_LEAST_ONCE = 0b110, 0b010  # bits of a message's first byte
CONTINUATION_BIT = 128  # set in each byte of a length that is not the last

_UNKNOWN = Subscription(topic="", wants_retained=False, overflow=OverflowPolicy.DROP_AND_QUERY)  # a wildcard's topic


class ReceiveQueue(asyncio.Queue[aiomqtt.Message]):
    """Unread messages: urgent topics first, then reports, then scans and offers, then readings.

    aiomqtt would only log what it discards; this queue calls `on_missed(topic)`.
    """

    def __init__(
        self, subscriptions: Iterable[Subscription], *, on_missed: Callable[[str], None], max_payload_bytes: int
    ) -> None:
        self._queues: tuple[deque[aiomqtt.Message], ...] = tuple(deque() for _ in OverflowPolicy)
        super().__init__()
        self._subscriptions = {subscription.topic: subscription for subscription in subscriptions}
        self._on_missed, self._max_payload_bytes = on_missed, max_payload_bytes
        self._waiting_counts: Counter[str] = Counter()  # by topic

    def qsize(self) -> int:
        """Return the number of unread messages."""
        return sum(map(len, self._queues))

    def empty(self) -> bool:
        """Return whether there is no unread message."""
        return not any(self._queues)

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Queue a message, or drop it beyond the limits."""
        topic = item.topic.value
        policy = self._subscriptions.get(topic, _UNKNOWN).overflow
        is_flood = self._waiting_counts[topic] >= TOPIC_LIMITS[policy].max_waiting
        if is_flood or len(item.payload) > self._max_payload_bytes:
            self._on_missed(topic)
            return
        self._waiting_counts[topic] += 1
        super().put_nowait(item)

    def get_nowait(self) -> aiomqtt.Message:
        """Return the next message."""
        item = super().get_nowait()
        topic = item.topic.value
        self._waiting_counts[topic] -= 1
        if not self._waiting_counts[topic]:  # else new topics would fill the memory
            del self._waiting_counts[topic]
        return item

    def _put(self, item: aiomqtt.Message) -> None:
        subscription = self._subscriptions.get(item.topic.value, _UNKNOWN)
        self._queues[0 if subscription.is_urgent else TOPIC_LIMITS[subscription.overflow].priority].append(item)

    def _get(self) -> aiomqtt.Message:
        return next(lane for lane in self._queues if lane).popleft()


class InboundLimiter:
    """Replaces paho's reading methods of one connection; made before the connection is opened.

    `max_packet_bytes` is what CONNECT told the broker. A broker that breaks the protocol loses the connection, and
    `violation` is the reason. With `limits` a message beyond them is acknowledged and not read; `on_missed(topic)`
    reports it if its loss matters. `monotonic` returns seconds.
    """

    def __init__(
        self, paho: Paho, *, max_packet_bytes: int, limits: RateLimits | None, on_missed: Callable[[str], None],
        monotonic: Callable[[], float],
    ) -> None:  # fmt: skip
        self.violation: str | None = None
        self._paho, self._max_packet_bytes = paho, max_packet_bytes
        self._limits, self._on_missed, self._monotonic = limits, on_missed, monotonic
        self._read_count = self._skipped_count = 0
        self._buffer = memoryview(b"")  # received bytes that are not read yet
        self._socket_is_empty = False  # at the last attempt to read
        self._read_handle: asyncio.Handle | None = None
        self._poll_handle: asyncio.TimerHandle | None = None
        self._paho_receive, self._paho_handle_packet = paho._sock_recv, paho._packet_handle  # noqa: SLF001 - paho has no public hook before it reads
        self._paho_loop_read = paho.loop_read
        paho._sock_recv = self._receive_bytes  # type: ignore[method-assign]  # noqa: SLF001 - as above
        paho._packet_handle = self._handle_packet  # type: ignore[method-assign]  # noqa: SLF001 - as above
        if limits is not None:
            paho.loop_read = self._read_packets  # type: ignore[method-assign]  # paho reads one packet for each event, too slow in a flood

    def close(self) -> None:
        """Stop reading; held messages are dropped with the connection."""
        for handle in (self._poll_handle, self._read_handle):
            if handle is not None:
                handle.cancel()
        self._limits = self._poll_handle = None

    def _read_packets(self, max_packets: int = 1) -> MQTTErrorCode:
        read, unread, code = self._read_count, self._skipped_count, MQTTErrorCode.MQTT_ERR_SUCCESS
        self._socket_is_empty = False
        while code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._paho.socket() is not None:
            code = self._paho_loop_read(max_packets)
            if (
                self._socket_is_empty
                or self._read_count - read >= MAX_PACKETS_PER_TURN
                or self._skipped_count - unread >= MAX_SKIPPED_PACKETS_PER_TURN
            ):
                break
        if self._buffer and code == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._schedule_read()
        return code

    def _receive_bytes(self, bufsize: int) -> bytes:
        """Return up to `bufsize` bytes, the rest of the packet; of a packet beyond the limit not one byte is read."""
        if bufsize > self._max_packet_bytes:
            self.violation = f"the broker sends a packet of more than {self._max_packet_bytes} bytes"
            raise ConnectionError(self.violation)
        if self._limits is None:
            return self._paho_receive(bufsize)
        if not self._buffer:  # else three system calls a packet: paho reads one byte, one byte, the rest
            try:
                self._buffer = memoryview(self._paho_receive(RECEIVE_BYTES))
            except BlockingIOError:
                self._socket_is_empty = True
                raise
        piece, self._buffer = self._buffer[:bufsize], self._buffer[bufsize:]
        return bytes(piece)

    def _handle_packet(self) -> MQTTErrorCode:
        """Handle a complete packet; after MAX_PACKETS_PER_TURN of them the rest waits for the next iteration."""
        packet = self._paho._in_packet  # noqa: SLF001 - as above
        self.violation = self._find_violation(packet["command"], len(packet["packet"]))
        if self.violation is not None:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if packet["command"] & 0xF0 == MessageType.PUBLISH:
            skip_code = self._skip_packet(packet["command"], packet["packet"])
            if skip_code is not None:
                self._continue_with_decrypted()
                return skip_code
            packet["packet"] = without_excess_properties(packet["packet"], has_packet_id=bool(packet["command"] & QOS))
        try:
            code = self._paho_handle_packet()
        except ValueError:  # the topic is not quoted, because a stranger chose it
            self.violation = "the broker sends a message with an invalid topic"
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self._continue_with_decrypted()
        self._read_count += 1
        enough = code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._read_count % MAX_PACKETS_PER_TURN == 0
        return MQTTErrorCode.MQTT_ERR_AGAIN if enough else code

    def _skip_packet(self, command: int, packet: bytearray) -> MQTTErrorCode | None:
        """Drop or hold a message beyond its limit, acknowledge it, and return paho's code; None: read it now."""
        end = 2 + int.from_bytes(packet[:2])
        named = 2 * bool(command & QOS)
        if self._limits is None or len(packet) < end + named:
            return None
        topic = bytes(packet[2:end])
        verdict = self._limits.judge(topic, self._monotonic())
        if verdict is LimitVerdict.READ:
            return None
        if verdict is LimitVerdict.HELD:
            self._limits.hold(topic, HeldMessage(command & ~QOS, bytes(packet[:end] + packet[end + named :])))
            self._schedule_poll()
        elif verdict is LimitVerdict.DROPPED:
            self._on_missed(topic.decode(errors="replace"))
        self._skipped_count += 1
        code = MQTTErrorCode.MQTT_ERR_SUCCESS
        if named:
            code = self._paho._send_puback(int.from_bytes(packet[end : end + 2]))  # noqa: SLF001 - as above
        enough = code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._skipped_count % MAX_SKIPPED_PACKETS_PER_TURN == 0
        return MQTTErrorCode.MQTT_ERR_AGAIN if enough else code

    def _schedule_poll(self) -> None:
        if self._poll_handle is None:
            self._poll_handle = asyncio.get_running_loop().call_later(POLL_INTERVAL_S, self._read_held)

    def _read_held(self) -> None:
        self._poll_handle = None
        if self._limits is None or self._paho.socket() is None:
            return
        for held in self._limits.take_due(self._monotonic()):
            current = self._paho._in_packet  # noqa: SLF001 - as above
            try:
                self._paho._in_packet = {  # noqa: SLF001 - as above
                    **current, "command": held.command,
                    "packet": without_excess_properties(bytearray(held.packet), has_packet_id=False),
                }  # fmt: skip
                self._paho_handle_packet()
            except ValueError:
                self.violation = "the broker sends a message with an invalid topic"
            finally:
                self._paho._in_packet = current  # noqa: SLF001 - as above
        if self._limits.held_count:
            self._schedule_poll()

    def _find_violation(self, first: int, length: int) -> str | None:
        if first & 0xF0 != MessageType.PUBLISH and length > MAX_CONTROL_PACKET_BYTES:
            return f"the broker sends more than {MAX_CONTROL_PACKET_BYTES} bytes that are not a message"
        if first & 0xF0 == MessageType.PUBLISH and first & QOS > AT_LEAST_ONCE:
            return "the broker sends a message under a QoS that was not asked for"
        if len(self._paho._out_packet) > MAX_UNSENT_PACKETS:  # noqa: SLF001 - as above
            return "the broker speaks, and takes no answer"
        return None

    def _continue_with_decrypted(self) -> None:
        """Read in the next iteration what TLS has decrypted already, because the socket gives no event for it."""
        sock = self._paho.socket()
        if isinstance(sock, ClosingTlsSocket) and sock.decrypted_bytes():
            self._schedule_read()

    def _schedule_read(self) -> None:
        if self._read_handle is None:
            self._read_handle = asyncio.get_running_loop().call_soon(self._continue_reading)

    def _continue_reading(self) -> None:
        self._read_handle = None
        self._paho.loop_read()


def without_excess_properties(message: bytearray, *, has_packet_id: bool) -> bytearray:
    """Return a PUBLISH packet without properties if they exceed MAX_PROPERTIES_BYTES, else unchanged. Pure.

    `has_packet_id`: its QoS is above 0.
    """
    begin, length = 2 + int.from_bytes(message[:2]) + 2 * has_packet_id, 0
    for place, byte in enumerate(message[begin : begin + 4]):
        length |= (byte & 127) << 7 * place
        if byte < CONTINUATION_BIT:
            if length <= MAX_PROPERTIES_BYTES:
                return message
            return message[:begin] + b"\0" + message[begin + place + 1 + length :]
    return message  # an invalid packet: paho reports it
