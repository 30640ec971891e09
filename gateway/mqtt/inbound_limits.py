"""Limits what the gateway reads from a broker: a hub's broker is another party's, and the doors share the event loop.

`PacketReader` cuts received bytes into packets and refuses those that no agreement allows before they are in memory.
`ReceiveQueue` stores messages until they are read, the urgent ones first. Pure, but for the callback `on_missed`.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable

from gateway.mqtt.codec import MalformedPacketError, PacketType, read_header
from gateway.mqtt.packets import InboundMessage
from gateway.mqtt.rate_limits import TOPIC_LIMITS
from gateway.system.mqtt_settings import OverflowPolicy, Subscription

MAX_CONTROL_PACKET_BYTES = 4_096  # of a packet other than PUBLISH
MAX_PACKETS_PER_TURN = 10  # in one iteration of the loop
MAX_SKIPPED_PACKETS_PER_TURN = 100  # dropped or held packets in one iteration; each takes 5 to 20 us
MAX_UNREAD_BYTES = 16 * 1024 * 1024  # of unread messages; until they are read, nothing more is received
MESSAGE_OVERHEAD_BYTES = 4_096  # that an unread message takes beside payload and topic, at most about

_UNKNOWN = Subscription(topic="", wants_retained=False, overflow=OverflowPolicy.DROP_AND_QUERY)  # a wildcard's topic


class PacketReader:
    """Cuts what arrives into packets. `max_packet_bytes` is what CONNECT told the broker."""

    def __init__(self, max_packet_bytes: int) -> None:
        self._max_packet_bytes = max_packet_bytes
        self._received = bytearray()
        self._place = 0  # up to which the received bytes are read

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        del self._received[: self._place]
        self._place = 0
        self._received += data

    def next_packet(self) -> tuple[int, bytes] | None:
        """Return the next packet, its first byte and its body; None: it is not all there.

        Raises:
            MalformedPacketError: its length is invalid, or beyond the limits. Of its body nothing need be there.
        """
        header = read_header(self._received, self._place)
        if header is None:
            return None
        begin, length = header
        first = self._received[self._place]
        if first >> 4 != PacketType.PUBLISH and length > MAX_CONTROL_PACKET_BYTES:
            raise MalformedPacketError(
                f"the broker sends more than {MAX_CONTROL_PACKET_BYTES} bytes that are not a message"
            )
        if length > self._max_packet_bytes:
            raise MalformedPacketError(f"the broker sends a packet of more than {self._max_packet_bytes} bytes")
        end = begin + length
        if end > len(self._received):
            return None
        self._place = end
        return first, bytes(memoryview(self._received)[begin:end])


class ReceiveQueue:
    """Unread messages: urgent topics first, then reports, then scans and offers, then readings.

    It calls `on_missed(topic)` for each message that it drops.
    """

    def __init__(
        self, subscriptions: Iterable[Subscription], *, on_missed: Callable[[str], None], max_payload_bytes: int
    ) -> None:
        self._queues: tuple[deque[InboundMessage], ...] = tuple(deque() for _ in OverflowPolicy)
        self._subscriptions = {subscription.topic: subscription for subscription in subscriptions}
        self._on_missed, self._max_payload_bytes = on_missed, max_payload_bytes
        self._waiting_counts: Counter[str] = Counter()  # by topic
        self._waiting_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._waiting_counts)

    @property
    def is_full(self) -> bool:
        """Whether so much is unread that nothing more may be received."""
        return self._waiting_bytes >= MAX_UNREAD_BYTES

    def put(self, message: InboundMessage) -> None:
        """Queue a message, or drop it beyond the limits."""
        topic = message.topic
        subscription = self._subscriptions.get(topic, _UNKNOWN)
        limits = TOPIC_LIMITS[subscription.overflow]
        is_flood = self._waiting_counts[topic] >= limits.max_waiting
        if is_flood or len(message.payload) > self._max_payload_bytes:
            self._on_missed(topic)
            return
        self._waiting_counts[topic] += 1
        self._waiting_bytes += _memory_bytes(message)
        self._queues[0 if subscription.is_urgent else limits.priority].append(message)

    def take(self) -> InboundMessage | None:
        """Return the next message, or None."""
        for queue in self._queues:
            if queue:
                message = queue.popleft()
                break
        else:
            return None
        self._waiting_counts[message.topic] -= 1
        if not self._waiting_counts[message.topic]:  # else new topics would fill the memory
            del self._waiting_counts[message.topic]
        self._waiting_bytes -= _memory_bytes(message)
        return message


def _memory_bytes(message: InboundMessage) -> int:
    return len(message.payload) + 4 * len(message.topic) + MESSAGE_OVERHEAD_BYTES
