"""What one connection sends: publications, acknowledgements, and the limits of the broker.

* A publication that may wait, and each acknowledgement, leave with the next iteration of the event loop: all of them
  with one system call. An `immediate` publication leaves before `Outbound.publish` returns.
* `Outbound` sends no byte of an immediate publication, or of one of QoS 0, behind bytes that the system has not taken,
  and asks the system before it writes. So `NotSent` is certain.
* A publication of QoS 1 beyond the broker's receive maximum waits here, unless it is immediate. RESERVED_FRACTION of
  the maximum is kept for immediate ones.
"""

import asyncio
import select
from collections import deque
from collections.abc import Callable

from gateway.domain.frozen import Frozen
from gateway.mqtt.codec import MAX_PACKET_ID, encode_puback, encode_publish
from gateway.mqtt.packets import Acknowledgement, NotSent
from gateway.mqtt.sockets import BrokerSocket

MAX_PAYLOAD_BYTES = 65_536  # topic and payload of a publication
RESERVED_FRACTION = 0.5  # of the broker's receive maximum, for immediate messages: many events accompany each unlock
MAX_PARKED_MESSAGES = 1_000  # publications that may wait for room
MAX_UNACKNOWLEDGED_MESSAGES = 4_096  # sent QoS 1 messages, even if the broker allows more
MAX_COLLECTED_BYTES = 65_536  # that wait for the next iteration of the loop; more leave at once
MAX_UNTAKEN_BYTES = 4_000  # of acknowledgements behind a full socket: a thousand
_HEADER_BYTES = 16  # at most, of a PUBLISH packet beside topic, properties and payload


class OutboundMessage(Frozen, kw_only=False):
    """A publication. `properties`: as `codec.encode_publish_properties` returns them."""

    topic: bytes
    payload: bytes
    qos: int
    retain: bool
    properties: bytes
    acknowledged: asyncio.Future[Acknowledgement]


class Outbound:
    """Sends over one socket until `close`. `on_error(text)` is called, at most once, when the socket fails.

    `on_error` must call `close`. `monotonic` returns seconds.
    """

    def __init__(self, sock: BrokerSocket, *, monotonic: Callable[[], float], on_error: Callable[[str], None]) -> None:
        self._sock, self._monotonic, self._on_error = sock, monotonic, on_error
        self._poll = select.poll()
        self._poll.register(sock.fileno, select.POLLOUT | select.POLLRDHUP)
        self._loop = asyncio.get_running_loop()
        self._collected = bytearray()  # packets that the system has not taken yet
        self._flush_handle: asyncio.Handle | None = None
        self._is_blocked = False  # the system took no more; the loop says when it does again
        self._max_collected = 0  # while it is blocked
        self._last_id = 0
        self._pending: dict[int, tuple[asyncio.Future[Acknowledgement], float]] = {}
        self._unsent: list[tuple[asyncio.Future[Acknowledgement], float]] = []  # of QoS 0, partly taken
        self._parked: deque[OutboundMessage] = deque()
        self._receive_maximum = self._parkable_maximum = 1
        self._max_packet_bytes: int | None = None
        self._is_closed = False
        self.last_sent = monotonic()  # when the system last took bytes

    def set_limits(self, *, receive_maximum: int, max_packet_bytes: int | None) -> None:
        """Set what the broker's CONNACK says."""
        self._receive_maximum = min(receive_maximum, MAX_UNACKNOWLEDGED_MESSAGES)
        self._parkable_maximum = max(1, int(self._receive_maximum * (1 - RESERVED_FRACTION)))
        self._max_packet_bytes = max_packet_bytes

    def is_closed(self) -> bool:
        """Return whether nothing can be sent any more."""
        return self._is_closed

    @property
    def is_overfull(self) -> bool:
        """Whether the broker makes us answer, and takes no answer."""
        return self._is_blocked and len(self._collected) > self._max_collected

    def next_packet_id(self) -> int:
        """Return a packet identifier that is not in use."""
        while True:
            self._last_id = self._last_id % MAX_PACKET_ID + 1
            if self._last_id not in self._pending:
                return self._last_id

    def publish(self, message: OutboundMessage, *, immediate: bool) -> NotSent | None:
        """Send the message, or let it wait if it may; None, or the reason why not one byte left.

        A message of QoS 1 may wait, unless it is `immediate`. 50 entrances that open at once write more in one
        iteration of the loop than a new socket's buffer takes (16 KiB on Linux): a light or a retained state must not
        be lost by that.
        """
        if self.is_closed():
            return NotSent.NO_BROKER
        size = len(message.topic) + len(message.payload)
        packet_bytes = size + len(message.properties) + _HEADER_BYTES
        if size > MAX_PAYLOAD_BYTES or (self._max_packet_bytes is not None and packet_bytes > self._max_packet_bytes):
            return NotSent.TOO_LARGE
        patient = message.qos > 0 and not immediate
        room = self._parkable_maximum if patient else self._receive_maximum
        is_full = message.qos > 0 and len(self._pending) >= room
        if patient:
            if self._parked or self._is_blocked or is_full:
                return self._park(message)
            self._collected += self._encode(message)
            if len(self._collected) >= MAX_COLLECTED_BYTES:
                self.flush()
            else:
                self._schedule_flush()
            return None
        return NotSent.NO_ROOM if is_full else self._send_now(message)

    def send(self, packet: bytes) -> None:
        """Send a packet that is no publication with the next iteration of the loop."""
        self._collected += packet
        self._schedule_flush()

    def acknowledge(self, packet_id: int) -> None:
        """Send a PUBACK with the next iteration of the loop."""
        self.send(encode_puback(packet_id))

    def on_acknowledged(self, packet_id: int, code: int) -> None:
        """Take the broker's answer to a publication; one to an unknown publication is ignored."""
        answered = self._pending.pop(packet_id, None)
        if answered is not None:
            self._end(answered, code)
            self._collect_parked()

    def flush(self) -> None:
        """Give the system what it takes now; the rest leaves when it takes bytes again."""
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        while self._has_unsent() and not self.is_closed():
            taken = self._write(self._collected)
            if taken is None:
                self._wait_for_room()
                return
            del self._collected[:taken]
            if not self._collected and self._sock.has_unsent:
                self._wait_for_room()
                return
        if self.is_closed():
            return
        if self._is_blocked:
            self._is_blocked = False
            self._loop.remove_writer(self._sock.fileno)
        unsent, self._unsent = self._unsent, []
        for one in unsent:
            self._end(one, 0)
        self._collect_parked()

    def close(self) -> None:
        """Discard what has not left, and finish all futures. The socket stays open."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._flush_handle is not None:
            self._flush_handle.cancel()
        if self._is_blocked:
            self._loop.remove_writer(self._sock.fileno)
        mono = self._monotonic()
        for one in (*self._pending.values(), *self._unsent, *((p.acknowledged, mono) for p in self._parked)):
            self._end(one, None)
        self._pending.clear()
        self._unsent.clear()
        self._parked.clear()
        self._collected.clear()

    def _park(self, message: OutboundMessage) -> NotSent | None:
        if len(self._parked) >= MAX_PARKED_MESSAGES:
            return NotSent.NO_ROOM
        self._parked.append(message)
        return None

    def _collect_parked(self) -> None:
        """Let parked messages leave with the next iteration of the loop, as many as there is room for."""
        while (
            self._parked
            and not self._is_blocked
            and len(self._pending) < self._parkable_maximum
            and len(self._collected) < MAX_COLLECTED_BYTES
        ):
            self._collected += self._encode(self._parked.popleft())
            self._schedule_flush()

    def _schedule_flush(self) -> None:
        if self._flush_handle is None and not self._is_blocked and not self.is_closed():
            self._flush_handle = self._loop.call_soon(self.flush)

    def _send_now(self, message: OutboundMessage) -> NotSent | None:
        """Write the message before this method returns, or not one byte of it."""
        self.flush()
        if self.is_closed():
            return NotSent.NO_BROKER
        if self._has_unsent() or self._poll.poll(0) != [(self._sock.fileno, select.POLLOUT)]:
            return NotSent.BLOCKED
        packet = self._encode(message)
        taken = self._write(packet)
        if taken is None:  # not one byte
            self._pending.pop(self._last_id if message.qos else 0, None)
            return NotSent.NO_BROKER if self.is_closed() else NotSent.BLOCKED
        self._collected += packet[taken:]
        if self._has_unsent():
            self._wait_for_room()
        if message.qos == 0:
            one = (message.acknowledged, self._monotonic())
            if self._has_unsent():
                self._unsent.append(one)
            else:
                self._end(one, 0)
        return None

    def _has_unsent(self) -> bool:
        return bool(self._collected) or self._sock.has_unsent

    def _encode(self, message: OutboundMessage) -> bytes:
        """Return the packet; from now on a message of QoS 1 counts as unacknowledged."""
        packet_id = 0
        if message.qos:
            packet_id = self.next_packet_id()
            self._pending[packet_id] = (message.acknowledged, self._monotonic())
        return encode_publish(
            message.topic, message.payload, qos=message.qos, retain=message.retain, packet_id=packet_id,
            properties=message.properties,
        )  # fmt: skip

    def _write(self, data: bytes | bytearray) -> int | None:
        """Return how many bytes will certainly leave; None: the system takes none now, or the socket failed."""
        try:
            taken = self._sock.send(data)
        except BlockingIOError:
            return None
        except OSError as error:
            self._on_error(str(error))
            return None
        self.last_sent = self._monotonic()
        return taken

    def _wait_for_room(self) -> None:
        if not self._is_blocked and not self.is_closed():
            self._is_blocked = True
            self._max_collected = len(self._collected) + MAX_UNTAKEN_BYTES
            self._loop.add_writer(self._sock.fileno, self.flush)

    def _end(self, one: tuple[asyncio.Future[Acknowledgement], float], code: int | None) -> None:
        future, left = one
        if not future.done():
            future.set_result(Acknowledgement(code=code, seconds=self._monotonic() - left))
