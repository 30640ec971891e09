"""The MQTT 5 client. It is the only user of aiomqtt in the gateway, beside `mqtt/inbound_limits.py`.

What aiomqtt 2.5.1 on paho-mqtt 2 does that matters here, each tried in tests/gateway/mqtt/test_client.py:

* A client object that is entered again sends what an earlier connection failed to send: an unlock was delivered 12 s
  after its publish had failed. So every connection gets a new object, and the old one is thrown away unsent.
* `publish` only queues; the bytes leave in a later turn of the event loop. `MqttClient.publish` writes before it
  returns.
* paho parks what exceeds the broker's receive maximum and sends it whenever there is room. Here the room is counted
  first, and what must go now or never is refused instead.
* A packet is handed to paho only after the socket has said that it takes bytes. So `NotSent` is certain.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import select
import socket
import statistics
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import aiomqtt
import structlog
from paho.mqtt.client import CallbackOnConnect_v2, ConnectFlags
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.mqtt.inbound_limits import MAX_PACKETS_PER_TURN, InboundLimiter, ReceiveQueue
from gateway.mqtt.packets import (
    Acknowledgement,
    BirthAndWill,
    ConnectionOptions,
    InboundMessage,
    NotSent,
    NotSentReason,
    RoundTrip,
    Sent,
    whole_number,
)
from gateway.mqtt.rate_limits import RateLimits
from gateway.mqtt.tls import error_text, tls_context
from gateway.system.backoff import Backoff, shortened
from gateway.system.mqtt_settings import BrokerSection, OverflowPolicy, Subscription

MAX_PAYLOAD_BYTES = 65_536  # bytes of payload; what is larger is refused unread
MAX_DEVICE_LIST_BYTES = 8 * 1024 * 1024  # for a guest, who asks a radio's bridge for its list of devices
RECEIVE_MAXIMUM = 100  # unacknowledged QoS 1 messages the broker may have on its way to us
RESERVED_FRACTION = (
    0.5  # of the broker's receive maximum, for what goes now or never: each unlock has an entourage of events
)
MAX_PARKED_MESSAGES = 1_000  # publications that may wait for room
MAX_UNACKNOWLEDGED_MESSAGES = 4_096  # that may wait for their acknowledgement, however many the broker would take
ROOM_POLL_S = 0.005  # seconds between looks whether there is room again
BACKOFF_FIRST_S = 0.2  # seconds
STABLE_SESSION_S = 10.0  # seconds a session must hold before the back-off starts anew
HOUSE_OPTIONS = ConnectionOptions()
DELAYED_ACK_RANGE_S = (
    0.035,
    0.060,
)  # seconds: Nagle's algorithm waiting for a delayed acknowledgement (40 ms on Linux)

__all__ = [
    "Acknowledgement",
    "InboundMessage",
    "MqttClient",
    "NotSent",
    "NotSentReason",
    "RoundTrip",
    "Sent",
    "ShortSession",
    "connect_once",
]

_log = structlog.get_logger(__name__)
_silent = logging.getLogger("gateway.mqtt.client.paho")  # what paho logs is told here once, in our words
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


@dataclass(frozen=True, slots=True)
class _OutboundMessage:
    """One message on its way out."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties
    acknowledged: asyncio.Future[Acknowledgement]


class _Connection:
    """One connection: made once, used until it breaks, never entered again."""

    def __init__(  # noqa: PLR0913 - what makes a connection, named one by one
        self,
        broker: BrokerSection,
        *,
        monotonic: Callable[[], float],
        subscriptions: Sequence[Subscription],
        missed: Callable[[str], None],
        limited: bool = False,
        presence: BirthAndWill | None,
        manner: ConnectionOptions = HOUSE_OPTIONS,
        heard: int = MAX_PAYLOAD_BYTES,
    ) -> None:
        self._monotonic = monotonic
        losses = {one.topic: one.loss for one in subscriptions}
        urgent = frozenset(one.topic for one in subscriptions if one.urgent)
        self._inbox = ReceiveQueue(losses=losses, missed=missed, largest=heard, urgent=urgent)
        self._pending: dict[int, tuple[asyncio.Future[Acknowledgement], float]] = {}
        self._parked: deque[_OutboundMessage] = deque()
        self._look: asyncio.TimerHandle | None = None
        self._room = self._patient_room = RECEIVE_MAXIMUM
        self._largest = MAX_PAYLOAD_BYTES
        self.round_trips: deque[float] = deque(maxlen=50)
        self.client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.login,
            password=broker.password(),
            tls_context=tls_context(broker),
            identifier=broker.username,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=manner.session_expiry_s == 0,
            keepalive=manner.keepalive_s,
            timeout=manner.connect_timeout_s,
            logger=_silent,
            max_inflight_messages=0,  # counted here: what paho parks it sends when nobody expects it any more
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", lambda maxsize: self._inbox),  # noqa: ARG005 - its rule
            properties=_properties(
                PacketTypes.CONNECT,
                SessionExpiryInterval=manner.session_expiry_s,
                ReceiveMaximum=RECEIVE_MAXIMUM,
                MaximumPacketSize=2 * heard,
            ),
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            will=aiomqtt.Will(presence.topic, presence.offline, qos=1, retain=presence.retain) if presence else None,
        )
        # aiomqtt keeps reason codes, receive maximum and the moment of writing to itself.
        self._paho: Paho = self.client._client  # noqa: SLF001 - the one private name used here, for these three
        self.intake = InboundLimiter(
            self._paho, largest=2 * heard, limits=RateLimits(subscriptions) if limited else None, missed=missed,
            monotonic=monotonic,
        )  # fmt: skip
        self._paho.connect_timeout = manner.connect_timeout_s
        self._paho.on_publish = self._on_publish
        self._aiomqtt_on_connect = cast("CallbackOnConnect_v2", self._paho.on_connect)
        self._paho.on_connect = self._on_connect

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connect, and leave nothing behind: neither a half-open socket nor a future without an answer.

        Raises:
            aiomqtt.MqttError: the broker cannot be reached or refuses us.
        """
        # aiomqtt connects in a thread that cannot be interrupted: a cancelled task waits for it (PATIENCE at most).
        entering = asyncio.ensure_future(self.client.__aenter__())
        try:
            await asyncio.shield(entering)
            # aiomqtt's own callback arms the writer a turn late, after `publish` has written: it would then spin.
            self._paho.on_socket_register_write = self._arm_writer
            yield
        finally:
            with contextlib.suppress(aiomqtt.MqttError):
                await entering
                await self.client.__aexit__(None, None, None)
            self._abandon()

    def publish(self, publication: _OutboundMessage, *, now_or_never: bool) -> NotSentReason | None:
        """Write it to the socket now, or park it where it may wait; else say why not one byte of it left.

        50 entrances that open at once write more than a new socket's buffer takes (16 KiB on Linux) in one turn of the
        loop: a light or a retained state must not be lost to that.
        """
        if len(publication.topic) + len(publication.payload) > self._largest:
            return NotSentReason.TOO_LARGE
        patient = publication.qos > 0 and not now_or_never
        room = self._patient_room if patient else self._room
        if (patient and self._parked) or (publication.qos and len(self._pending) >= room):
            return self._park(publication) if patient else NotSentReason.NO_ROOM
        if self._is_writable():
            self._write(publication)
            return None
        if not self._paho.is_connected():
            return NotSentReason.NO_BROKER
        return self._park(publication) if patient else NotSentReason.BLOCKED

    def _park(self, publication: _OutboundMessage) -> NotSentReason | None:
        if len(self._parked) >= MAX_PARKED_MESSAGES:
            return NotSentReason.NO_ROOM
        self._parked.append(publication)
        self._schedule_room_check()
        return None

    async def subscribe(self, subscriptions: Sequence[Subscription], *, qos: int = 1) -> None:
        """Ask to hear these topics.

        Raises:
            aiomqtt.MqttError: the broker refuses one, or does not answer.
        """
        for first in range(0, len(subscriptions), 100):  # a packet of 100 topics stays under the broker's limit
            some = subscriptions[first : first + 100]
            codes = await self.client.subscribe(
                [
                    (
                        s.topic,
                        # Where a stored copy is wanted, `retain` says that it is one; elsewhere, that it was sent so:
                        # a device retains every state it tells live, and that must count; a retained scan must not.
                        SubscribeOptions(qos=qos, retainAsPublished=not s.stored, retainHandling=0 if s.stored else 2),
                    )
                    for s in some
                ]
            )
            for subscription, code in zip(some, codes, strict=True):
                if isinstance(code, ReasonCode) and code.is_failure:
                    raise aiomqtt.MqttError(f"the broker refuses us {subscription.topic}: {code}")

    async def next(self) -> aiomqtt.Message:
        """Give the next message; what already waits without a turn of the loop (aiomqtt makes two tasks a message).

        Raises:
            aiomqtt.MqttError: the connection ended.
        """
        if not self._inbox.empty():
            return self._inbox.get_nowait()
        return await anext(self.client.messages)

    def _is_writable(self) -> bool:
        """Tell whether the socket is whole and takes one more packet, before paho sees the packet."""
        self._paho.loop_write()
        sock = self._paho.socket()
        if sock is None or not self._paho.is_connected() or self._paho.want_write():
            return False
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLOUT | select.POLLRDHUP)
        return poll.poll(0) == [(sock.fileno(), select.POLLOUT)]

    def _write(self, publication: _OutboundMessage) -> None:
        info = self._paho.publish(
            publication.topic, publication.payload, publication.qos, publication.retain, publication.properties
        )
        self._pending[info.mid] = (publication.acknowledged, self._monotonic())
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._paho.loop_write()

    def _on_publish(self, _client: Paho, _data: object, mid: int, code: ReasonCode, _properties: Properties) -> None:
        future, left = self._pending.pop(mid)
        seconds = self._monotonic() - left
        if not future.done():
            future.set_result(Acknowledgement(code=code.value, seconds=seconds))
        self.round_trips.append(seconds)
        if self._parked:  # not from inside paho's callback: it holds its locks
            asyncio.get_running_loop().call_soon(self._unpark)

    def _unpark(self) -> None:
        while self._parked and len(self._pending) < self._patient_room and self._is_writable():
            self._write(self._parked.popleft())
        self._schedule_room_check()

    def _schedule_room_check(self) -> None:
        """Look again soon, where no acknowledgement will call: nothing tells when a full socket takes bytes again."""
        if self._look is not None:
            self._look.cancel()
        self._look = asyncio.get_running_loop().call_later(ROOM_POLL_S, self._unpark) if self._parked else None

    def _on_connect(
        self, client: Paho, data: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._room = min(getattr(properties, "ReceiveMaximum", 65_535), MAX_UNACKNOWLEDGED_MESSAGES)
        self._patient_room = max(1, int(self._room * (1 - RESERVED_FRACTION)))
        self._largest = min(
            MAX_PAYLOAD_BYTES, getattr(properties, "MaximumPacketSize", MAX_PAYLOAD_BYTES + 1_024) - 1_024
        )
        self._aiomqtt_on_connect(client, data, flags, code, properties)

    def _arm_writer(self, _client: Paho, _data: object, _socket: object) -> None:
        sock = self._paho.socket()
        if sock is not None:
            asyncio.get_running_loop().add_writer(sock.fileno(), self._paho.loop_write)

    def _abandon(self) -> None:
        """Close what is still open without flushing it: what was not sent must not be sent now."""
        self.intake.close()
        sock = self._paho.socket()
        if sock is not None and sock.fileno() >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(sock.fileno())
            loop.remove_writer(sock.fileno())
            sock.close()
        unanswered = [*self._pending.values(), *((p.acknowledged, self._monotonic()) for p in self._parked)]
        for future, left in unanswered:
            if not future.done():
                future.set_result(Acknowledgement(code=None, seconds=self._monotonic() - left))
        self._pending.clear()
        self._parked.clear()
        self._schedule_room_check()


class _Client:
    """What a long-lived and a short-lived client have in common: publishing over whatever connection there is."""

    def __init__(self) -> None:
        self._connection: _Connection | None = None

    def publish(  # noqa: PLR0913 - one argument a field of an MQTT 5 PUBLISH
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry: int | None = None,
        correlation: bytes | None = None,
        response_topic: str | None = None,
        user_properties: Mapping[str, str] | None = None,
        now_or_never: bool = False,
    ) -> Sent | NotSent:
        """Publish. The bytes have left when this returns, or it says that none did.

        Without `now_or_never` a QoS 1 message may wait (in order) for acknowledgements of earlier ones, in this
        connection only. `expiry` in whole seconds. Never blocks, never raises for a failure of the world.
        """
        if self._connection is None:
            return NotSent(NotSentReason.NO_BROKER)
        publication = _OutboundMessage(
            topic,
            payload,
            qos,
            retain,
            _properties(
                PacketTypes.PUBLISH,
                MessageExpiryInterval=expiry,
                CorrelationData=correlation,
                ResponseTopic=response_topic,
                UserProperty=list(user_properties.items()) if user_properties else None,
            ),
            asyncio.get_running_loop().create_future(),
        )
        why = self._connection.publish(publication, now_or_never=now_or_never)
        return Sent(publication.acknowledged) if why is None else NotSent(why)

    def round_trip(self) -> RoundTrip | None:
        """Tell how fast the broker acknowledged of late; None before the first acknowledgement."""
        if self._connection is None or not self._connection.round_trips:
            return None
        median = statistics.median(self._connection.round_trips)
        return RoundTrip(median=median, stalls=DELAYED_ACK_RANGE_S[0] <= median <= DELAYED_ACK_RANGE_S[1])


class MqttClient(_Client):
    """A long-lived connection to a broker, for one account; `presence` announces that it is up (None: nothing does).

    All callbacks run in the event loop, must not block, and an exception out of them is a bug that ends `run`:
    `on_up(session)` before the session's first message, `on_down(why)` after its last, `on_message` for each message
    in order, `on_missed(topic)` when a message was dropped unread (flood or over 64 KiB): ask the devices again.
    `session_number` gives a number that never repeats, over restarts too. `others`: further nodes, tried in turn.
    `limited`: topics and accounts have rate limits (rate_limits.py).
    """

    def __init__(  # noqa: PLR0913 - the gateway's ears, named one by one
        self,
        *,
        broker: BrokerSection,
        subscriptions: Sequence[Subscription],
        session_number: Callable[[], Awaitable[int]],
        on_message: Callable[[InboundMessage], None],
        on_up: Callable[[int], None],
        on_down: Callable[[str], None],
        on_missed: Callable[[str], None],
        monotonic: Callable[[], float],
        presence: BirthAndWill | None = None,
        manner: ConnectionOptions = HOUSE_OPTIONS,
        others: Sequence[BrokerSection] = (),
        limited: bool = False,
    ) -> None:
        super().__init__()
        self._limited = limited
        self._brokers, self._presence, self._manner = deque((broker, *others)), presence, manner
        self._lines = 0  # that were up
        self._subscriptions, self._session_number = tuple(subscriptions), session_number
        self._on_message, self._on_missed = on_message, on_missed
        self._on_up, self._on_down = on_up, on_down
        self._monotonic = monotonic
        self.failure: str | None = None  # why the last session did not come about, or ended

    async def run(self) -> None:
        """Keep a session open until cancelled: a new client for each, back-off with jitter between them."""
        failures = 0
        while True:
            began = self._monotonic()
            try:
                await self._session()
            except aiomqtt.MqttError as error:
                level = _log.warning if failures == 0 else _log.debug
                self.failure, at = _reason(error), self._brokers[0]
                level("broker_lost", host=at.host, port=at.port, why=self.failure)
                self._brokers.rotate(-1)
            failures = 0 if self._monotonic() - began > STABLE_SESSION_S else failures + 1
            delay_s = Backoff(BACKOFF_FIRST_S, self._manner.max_backoff_s).delay_s(failures)
            await asyncio.sleep(shortened(delay_s, random.random()))  # noqa: S311 - jitter is no secret

    async def _session(self) -> None:
        connection = _Connection(
            self._brokers[0], monotonic=self._monotonic, subscriptions=self._subscriptions, missed=self._on_missed,
            limited=self._limited, presence=self._presence, manner=self._manner,
        )  # fmt: skip
        async with connection.open():
            session = await self._session_number()
            await connection.subscribe(self._subscriptions, qos=self._manner.qos[self._lines % len(self._manner.qos)])
            self._lines += 1
            self._connection = connection
            why = "the gateway ends"
            try:
                self._announce(online=True)
                self._on_up(session)
                for number in itertools.count(1):
                    self._on_message(_incoming(await connection.next(), session))
                    if number % MAX_PACKETS_PER_TURN == 0:  # `next` gives what waits without a turn of the loop
                        await asyncio.sleep(0)
            except aiomqtt.MqttError as error:
                why = connection.intake.wrong or _reason(error)
                raise aiomqtt.MqttError(why) from None
            finally:
                self._announce(online=False)
                self._connection = None
                self._on_down(why)

    def _announce(self, *, online: bool) -> None:
        if (own := self._presence) is not None and (said := own.online if online else own.offline) is not None:
            self.publish(own.topic, said, retain=own.retain)


class ShortSession(_Client):
    """A short visit to the broker under one account, for the command line."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__()
        self._connection = connection
        self._next = connection.next

    async def receive(self) -> InboundMessage:
        """Wait for the next message. May be given up and begun again.

        Raises:
            aiomqtt.MqttError: the connection ended; `connect_once` makes a ConnectionError of it.
        """
        return _incoming(await self._next(), 0)


@contextlib.asynccontextmanager
async def connect_once(
    broker: BrokerSection, topics: Sequence[str], *, monotonic: Callable[[], float], qos: int = 1
) -> AsyncIterator[ShortSession]:
    """Open a connection as `broker.username`, hearing `topics` (wildcards allowed, stored messages first).

    Raises:
        ConnectionError: the broker cannot be reached, refuses us, or was lost on the way; the text says which.
    """
    connection = _Connection(  # a guest who is flooded waits in vain and says so
        broker,
        monotonic=monotonic,
        subscriptions=(),
        missed=lambda _topic: None,
        presence=None,
        heard=MAX_DEVICE_LIST_BYTES,
    )
    try:
        async with connection.open():
            await connection.subscribe(
                [Subscription(topic=t, stored=True, loss=OverflowPolicy.ASKED_AGAIN) for t in topics], qos=qos
            )
            yield ShortSession(connection)
    except aiomqtt.MqttError as error:
        raise ConnectionError(_reason(error)) from error


def _reason(error: aiomqtt.MqttError) -> str:
    """Say why, in our words or in aiomqtt's: its iterator hides the cause behind a general one."""
    return error_text(str(error.__cause__ if isinstance(error.__cause__, aiomqtt.MqttError) else error))


def _properties(packet: int, **values: object) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    for name, value in values.items():
        if value is not None:
            setattr(properties, name, value)
    return properties


def _incoming(message: aiomqtt.Message, session: int) -> InboundMessage:
    said = dict(getattr(message.properties, "UserProperty", []))
    boot = said.get("boot")
    return InboundMessage(
        topic=message.topic.value,
        payload=message.payload,
        retain=message.retain,
        session=session,
        correlation=getattr(message.properties, "CorrelationData", None),
        response_topic=getattr(message.properties, "ResponseTopic", None),
        boot=boot if boot and len(boot) <= 64 and boot.isprintable() else None,
        seq=whole_number(said.get("seq")),
        uptime_ms=whole_number(said.get("uptime")),
    )
