"""Limits what the gateway reads from a broker, because a hub's broker is another party's and shares the doors' loop.

What paho-mqtt 2.2.0 and aiomqtt 2.5.1 do with a broker that does not keep to what was agreed, each tried in
tests/gateway/mqtt/test_inbound_limits.py:

* A packet of any length (256 MB) is read whole, and a QoS 2 message is kept until it is released (2 GB in 8 s).
* A packet's rest is copied once for each of its properties: 125 kB of them hold up the loop for 5 s. A broker hands on
  whatever properties a client sent, so any device could do it.
* What was acknowledged and is not taken is kept; and all is read in one turn that is there, of TLS without an end.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

import aiomqtt
import paho.mqtt
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import MessageType, MQTTErrorCode

from gateway.mqtt.rate_limits import HeldMessage, LimitVerdict, RateLimits
from gateway.mqtt.tls import ClosingTlsSocket
from gateway.system.mqtt_settings import OverflowPolicy

PAHO_VERSION = "2.2.0"
if paho.mqtt.__version__ != PAHO_VERSION:  # another one may have other private methods: then nothing would be limited
    raise ImportError(
        f"paho-mqtt {paho.mqtt.__version__} is installed, but Perron replaces private methods of {PAHO_VERSION}."
        f" Install that one: pip install paho-mqtt=={PAHO_VERSION}"
    )

MAX_WAITING_SCANS = 64  # more unread scans than this are a flood
MAX_WAITING_REPORTS = 100  # of one topic: no device's flood costs another's report
MAX_PROPERTIES_BYTES = 1_024  # bytes of a message's properties: what has more counts as having none
MAX_CONTROL_PACKET_BYTES = 4_096  # bytes of a packet that is no message: it acknowledges or ends something
MAX_UNSENT_PACKETS = 1_000  # packets that wait to leave: who takes no answers is asked nothing more
MAX_PACKETS_PER_TURN = 10  # packets in one turn of the loop
MAX_SKIPPED_PACKETS_PER_TURN = 100  # packets in one turn of the loop that are dropped or wait: each takes 20 to 200 us
RECEIVE_BYTES = 16_384  # bytes that are received at once
POLL_INTERVAL_S = 0.1  # seconds between two looks whether a reading that waits may be read
QOS, AT_LEAST_ONCE = 0b110, 0b010  # bits of a message's first byte
PRIORITIES = 4  # of messages that wait to be read
CONTINUATION_BIT = 128  # the bit of a length's byte that has a next one


class ReceiveQueue(asyncio.Queue[aiomqtt.Message]):
    """What has arrived and is not read yet: urgent topics first, then reports, then scans and offers, then readings.

    aiomqtt would only log what it discards; this says so to `missed`.
    """

    def __init__(
        self,
        *,
        losses: Mapping[str, OverflowPolicy],
        missed: Callable[[str], None],
        largest: int,
        urgent: AbstractSet[str] = frozenset(),
    ) -> None:
        self._lanes: tuple[deque[aiomqtt.Message], ...] = tuple(deque() for _ in range(PRIORITIES))
        super().__init__()
        self._losses, self._largest = losses, largest
        self._missed, self._urgent = missed, urgent
        self._waiting: Counter[OverflowPolicy | str] = Counter()

    def qsize(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._lanes))

    def empty(self) -> bool:
        """Whether none waits."""
        return not any(self._lanes)

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Let it wait, or drop it unread."""
        budget, most = self._budget(item)
        if (most is not None and self._waiting[budget] >= most) or len(item.payload) > self._largest:
            self._missed(item.topic.value)
            return
        self._waiting[budget] += 1
        super().put_nowait(item)

    def get_nowait(self) -> aiomqtt.Message:
        """Return the next one."""
        item = super().get_nowait()
        budget, _ = self._budget(item)
        self._waiting[budget] -= 1
        if not self._waiting[budget]:  # a broker has new topics without end
            del self._waiting[budget]
        return item

    def _put(self, item: aiomqtt.Message) -> None:
        self._lanes[self._lane(item.topic.value)].append(item)

    def _get(self) -> aiomqtt.Message:
        return next(lane for lane in self._lanes if lane).popleft()

    def _lane(self, topic: str) -> int:
        if topic in self._urgent:
            return 0
        match self._losses.get(topic, OverflowPolicy.ASKED_AGAIN):
            case OverflowPolicy.NEVER:
                return 0
            case OverflowPolicy.ASKED_AGAIN:
                return 1
            case OverflowPolicy.COUNTED:
                return 2
            case OverflowPolicy.LATEST | OverflowPolicy.UNTOLD:
                return 3

    def _budget(self, item: aiomqtt.Message) -> tuple[OverflowPolicy | str, int | None]:
        """Whose waiting messages are counted together, and how many may wait: one topic's flood costs no other's."""
        topic = item.topic.value
        match self._losses.get(topic, OverflowPolicy.ASKED_AGAIN):
            case OverflowPolicy.NEVER:
                return OverflowPolicy.NEVER, None
            case OverflowPolicy.COUNTED:
                return topic, MAX_WAITING_SCANS
            case OverflowPolicy.ASKED_AGAIN | OverflowPolicy.LATEST | OverflowPolicy.UNTOLD:
                return topic, MAX_WAITING_REPORTS


class InboundLimiter:
    """One for each connection, before it is opened. `largest`: bytes of a packet, as the broker was told.

    Whoever sends what no honest broker sends loses the connection, and `wrong` says why. `limits`: how much of a topic
    is read; what is not read is acknowledged, and told to `missed` where that matters. `monotonic`: seconds.
    """

    def __init__(
        self,
        paho: Paho,
        *,
        largest: int,
        limits: RateLimits | None = None,
        missed: Callable[[str], None] = lambda _topic: None,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.wrong: str | None = None
        self._paho, self._largest = paho, largest
        self._limits, self._missed, self._monotonic = limits, missed, monotonic
        self._read = self._unread = 0
        self._buffer = memoryview(b"")  # bytes that were received and not read yet
        self._dry = False  # the socket had no more bytes
        self._more: asyncio.Handle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._receive, self._take = paho._sock_recv, paho._packet_handle  # noqa: SLF001 - paho has no hook so early
        self._read_one = paho.loop_read
        paho._sock_recv = self._received  # type: ignore[method-assign]  # noqa: SLF001 - as above
        paho._packet_handle = self._taken  # type: ignore[method-assign]  # noqa: SLF001 - as above
        if limits is not None:
            paho.loop_read = self._read_some  # type: ignore[method-assign]  # one packet a turn is too slow in a flood

    def close(self) -> None:
        """Read no more: what waits is dropped with the connection."""
        for handle in (self._look, self._more):
            if handle is not None:
                handle.cancel()
        self._limits = self._look = None

    def _read_some(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read packets until the socket is empty or there were enough for one turn of the loop."""
        read, unread, code = self._read, self._unread, MQTTErrorCode.MQTT_ERR_SUCCESS
        self._dry = False
        while code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._paho.socket() is not None:
            code = self._read_one(max_packets)
            if (
                self._dry
                or self._read - read >= MAX_PACKETS_PER_TURN
                or self._unread - unread >= MAX_SKIPPED_PACKETS_PER_TURN
            ):
                break
        if self._buffer and code == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._read_soon()
        return code

    def _received(self, bufsize: int) -> bytes:
        """Read up to so many bytes: all that a packet lacks still.

        Raises:
            ConnectionError: it is larger than it may be; not a byte of it is read.
        """
        if bufsize > self._largest:
            self.wrong = f"the broker sends a packet of more than {self._largest} bytes"
            raise ConnectionError(self.wrong)
        if self._limits is None:
            return self._receive(bufsize)
        if not self._buffer:  # paho asks for one byte, and one more, and the rest: three system calls a packet
            try:
                self._buffer = memoryview(self._receive(RECEIVE_BYTES))
            except BlockingIOError:
                self._dry = True
                raise
        piece, self._buffer = self._buffer[:bufsize], self._buffer[bufsize:]
        return bytes(piece)

    def _taken(self) -> MQTTErrorCode:
        """Take a packet that is there; after some of them the rest waits for the next turn."""
        packet = self._paho._in_packet  # noqa: SLF001 - as above
        self.wrong = self._refused(packet["command"], len(packet["packet"]))
        if self.wrong is not None:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if packet["command"] & 0xF0 == MessageType.PUBLISH:
            passed_over = self._passed_over(packet["command"], packet["packet"])
            if passed_over is not None:
                self._go_on()
                return passed_over
            packet["packet"] = without_excess_properties(packet["packet"], named=bool(packet["command"] & QOS))
        try:
            code = self._take()
        except ValueError:  # not quoted: it is a stranger's
            self.wrong = "the broker sends a message with an invalid topic"
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self._go_on()
        self._read += 1
        enough = code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._read % MAX_PACKETS_PER_TURN == 0
        return MQTTErrorCode.MQTT_ERR_AGAIN if enough else code

    def _passed_over(self, command: int, packet: bytearray) -> MQTTErrorCode | None:
        """Drop a message beyond its limit, or let it wait, and acknowledge it: paho's code. None: it is read now."""
        end = 2 + int.from_bytes(packet[:2])
        named = 2 * bool(command & QOS)
        if self._limits is None or len(packet) < end + named:
            return None
        topic = bytes(packet[2:end])
        verdict = self._limits.judge(topic, self._monotonic())
        if verdict is LimitVerdict.READ:
            return None
        if verdict is LimitVerdict.WAITS:
            self._limits.hold(topic, HeldMessage(command & ~QOS, bytes(packet[:end] + packet[end + named :])))
            self._look_soon()
        elif verdict is LimitVerdict.DROPPED:
            self._missed(topic.decode(errors="replace"))
        self._unread += 1
        code = MQTTErrorCode.MQTT_ERR_SUCCESS
        if named:
            code = self._paho._send_puback(int.from_bytes(packet[end : end + 2]))  # noqa: SLF001 - as above
        enough = code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._unread % MAX_SKIPPED_PACKETS_PER_TURN == 0
        return MQTTErrorCode.MQTT_ERR_AGAIN if enough else code

    def _look_soon(self) -> None:
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(POLL_INTERVAL_S, self._read_waiting)

    def _read_waiting(self) -> None:
        """Read the readings for which there is room now, as if they had come now."""
        self._look = None
        if self._limits is None or self._paho.socket() is None:
            return
        for held in self._limits.due(self._monotonic()):
            begun = self._paho._in_packet  # noqa: SLF001 - as above
            try:
                self._paho._in_packet = {  # noqa: SLF001 - as above
                    **begun,
                    "command": held.command,
                    "packet": without_excess_properties(bytearray(held.packet), named=False),
                }
                self._take()
            except ValueError:
                self.wrong = "the broker sends a message with an invalid topic"
            finally:
                self._paho._in_packet = begun  # noqa: SLF001 - as above
        if self._limits.waiting:
            self._look_soon()

    def _refused(self, first: int, length: int) -> str | None:
        """Say what no honest broker does; None: nothing is wrong."""
        if first & 0xF0 != MessageType.PUBLISH and length > MAX_CONTROL_PACKET_BYTES:
            return f"the broker sends more than {MAX_CONTROL_PACKET_BYTES} bytes that are not a message"
        if first & 0xF0 == MessageType.PUBLISH and first & QOS > AT_LEAST_ONCE:
            return "the broker sends a message under a QoS that was not asked for"
        if len(self._paho._out_packet) > MAX_UNSENT_PACKETS:  # noqa: SLF001 - as above
            return "the broker speaks, and takes no answer"
        return None

    def _go_on(self) -> None:
        """Look in the next turn at what TLS has decrypted already: no socket tells of it."""
        sock = self._paho.socket()
        if isinstance(sock, ClosingTlsSocket) and sock.left():
            self._read_soon()

    def _read_soon(self) -> None:
        if self._more is None:
            self._more = asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        self._more = None
        self._paho.loop_read()


def without_excess_properties(message: bytearray, *, named: bool) -> bytearray:
    """Return a message without its properties, where it has too many: as whoever said it could have said it. Pure.

    `named`: it has a number, by which it is acknowledged.
    """
    begin, length = 2 + int.from_bytes(message[:2]) + 2 * named, 0
    for place, byte in enumerate(message[begin : begin + 4]):
        length |= (byte & 127) << 7 * place
        if byte < CONTINUATION_BIT:
            too_many = length > MAX_PROPERTIES_BYTES
            return message[:begin] + b"\0" + message[begin + place + 1 + length :] if too_many else message
    return message  # no message at all: paho says so
