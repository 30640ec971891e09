"""What of a broker's bytes is read at all: a hub's broker is another's, and what it says is read in the doors' loop.

What paho-mqtt 2.1 and aiomqtt 2.5.1 do with a broker that does not keep to what was agreed, each tried in
tests/gateway/test_intake.py:

* A packet of any length (256 MB) is read whole, and a QoS 2 message is kept until it is released (2 GB in 8 s).
* A packet's rest is copied once for each of its properties: 125 kB of them hold up the loop for 5 s. A broker hands on
  whatever properties a client sent, so any device could do it.
* What was acknowledged and is not taken is kept; and all is read in one turn that is there, of TLS without an end.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

import aiomqtt
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import MessageType, MQTTErrorCode

from gateway.brokertls import Socket
from gateway.topics import Loss

SCANS_WAITING = 64  # more unread scans than this are a flood
REPORTS_WAITING = 100  # of one topic: no device's flood costs another's report
PROPERTIES = 1_024  # bytes of a message's properties: what has more counts as having none
BESIDES = 4_096  # bytes of a packet that is no message: it acknowledges or ends something
UNSENT = 1_000  # packets that wait to leave: who takes no answers is asked nothing more
AT_ONCE = 10  # packets in one turn of the loop
QOS, AT_LEAST_ONCE = 0b110, 0b010  # bits of a message's first byte
NEXT = 128  # the bit of a length's byte that has a next one


class Inbox(asyncio.Queue[aiomqtt.Message]):
    """What has arrived and is not read yet. aiomqtt would only log what it discards; this says so to `missed`."""

    def __init__(self, *, losses: Mapping[str, Loss], missed: Callable[[str], None], largest: int) -> None:
        super().__init__()
        self._losses, self._largest = losses, largest
        self._missed = missed
        self._waiting: Counter[Loss | str] = Counter()

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

    def _budget(self, item: aiomqtt.Message) -> tuple[Loss | str, int | None]:
        """Whose waiting messages are counted together, and how many may wait: one topic's flood costs no other's."""
        topic = item.topic.value
        match self._losses.get(topic, Loss.ASKED_AGAIN):
            case Loss.NEVER:
                return Loss.NEVER, None
            case Loss.COUNTED:
                return topic, SCANS_WAITING
            case Loss.ASKED_AGAIN:
                return topic, REPORTS_WAITING


class Intake:
    """One for each connection, before it is opened. `largest`: bytes of a packet, as the broker was told.

    Whoever sends what no honest broker sends loses the connection, and `wrong` says why.
    """

    def __init__(self, paho: Paho, *, largest: int) -> None:
        self.wrong: str | None = None
        self._paho, self._largest = paho, largest
        self._read = 0
        self._more: asyncio.Handle | None = None
        self._receive, self._take = paho._sock_recv, paho._packet_handle  # noqa: SLF001 - paho has no hook so early
        paho._sock_recv = self._received  # type: ignore[method-assign]  # noqa: SLF001 - as above
        paho._packet_handle = self._taken  # type: ignore[method-assign]  # noqa: SLF001 - as above

    def _received(self, bufsize: int) -> bytes:
        """Read up to so many bytes: all that a packet lacks still.

        Raises:
            ConnectionError: it is larger than it may be; not a byte of it is read.
        """
        if bufsize > self._largest:
            self.wrong = f"the broker sends a packet of more than {self._largest} bytes"
            raise ConnectionError(self.wrong)
        return self._receive(bufsize)

    def _taken(self) -> MQTTErrorCode:
        """Take a packet that is there; after some of them the rest waits for the next turn."""
        packet = self._paho._in_packet  # noqa: SLF001 - as above
        self.wrong = self._refused(packet["command"], len(packet["packet"]))
        if self.wrong is not None:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if packet["command"] & 0xF0 == MessageType.PUBLISH:
            packet["packet"] = bounded(packet["packet"], named=bool(packet["command"] & QOS))
        try:
            code = self._take()
        except ValueError:  # not quoted: it is a stranger's
            self.wrong = "the broker sends a message whose topic is none"
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self._go_on()
        self._read += 1
        enough = code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._read % AT_ONCE == 0
        return MQTTErrorCode.MQTT_ERR_AGAIN if enough else code

    def _refused(self, first: int, length: int) -> str | None:
        """Say what no honest broker does; None: nothing is wrong."""
        if first & 0xF0 != MessageType.PUBLISH and length > BESIDES:
            return f"the broker sends more than {BESIDES} bytes that are no message"
        if first & 0xF0 == MessageType.PUBLISH and first & QOS > AT_LEAST_ONCE:
            return "the broker sends a message under a QoS that was not asked for"
        if len(self._paho._out_packet) > UNSENT:  # noqa: SLF001 - as above
            return "the broker speaks, and takes no answer"
        return None

    def _go_on(self) -> None:
        """Look in the next turn at what TLS has decrypted already: no socket tells of it."""
        sock = self._paho.socket()
        if self._more is None and isinstance(sock, Socket) and sock.left():
            self._more = asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        self._more = None
        self._paho.loop_read()


def bounded(message: bytearray, *, named: bool) -> bytearray:
    """Return a message without its properties, where it has too many: as whoever said it could have said it. Pure.

    `named`: it has a number, by which it is acknowledged.
    """
    begin, length = 2 + int.from_bytes(message[:2]) + 2 * named, 0
    for place, byte in enumerate(message[begin : begin + 4]):
        length |= (byte & 127) << 7 * place
        if byte < NEXT:
            too_many = length > PROPERTIES
            return message[:begin] + b"\0" + message[begin + place + 1 + length :] if too_many else message
    return message  # no message at all: paho says so
