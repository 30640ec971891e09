"""The MQTT 5 client. It is the only user of aiomqtt in the gateway, beside `mqtt/inbound_limits.py`.

What aiomqtt 2.5.1 on paho-mqtt 2 does that matters here, each tried in tests/gateway/mqtt/test_client.py:

* A client object that is entered again sends what an earlier connection failed to send: an unlock was delivered 12 s
  after its publish had failed. So each connection gets a new object, and the old one is discarded unsent.
* `publish` only queues; the bytes leave in a later turn of the event loop. `MqttClient.publish` writes before it
  returns.
* paho parks what exceeds the broker's receive maximum and sends it whenever there is room. This module counts the room
  first, and refuses an immediate message instead of parking it.
* This module gives a packet to paho only if the socket is writable. So `NotSent` is certain.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import select
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Unpack, cast

import aiomqtt
import structlog
from paho.mqtt.client import CallbackOnConnect_v2, ConnectFlags
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.domain.frozen import Frozen
from gateway.mqtt.inbound_limits import MAX_PACKETS_PER_TURN, InboundLimiter, ReceiveQueue
from gateway.mqtt.packets import (
    Acknowledgement,
    BirthAndWill,
    ConnectionOptions,
    InboundMessage,
    NotSent,
    PublishOptions,
    Sent,
    whole_number,
)
from gateway.mqtt.rate_limits import RateLimits
from gateway.mqtt.tls import ACCOUNT_REFUSED, error_text, tls_context
from gateway.system.backoff import Backoff, shortened
from gateway.system.mqtt_settings import BrokerSection, Subscription

MAX_PAYLOAD_BYTES = 65_536  # a larger payload is dropped unread
MAX_DEVICE_LIST_BYTES = 8 * 1024 * 1024  # for a short session, which reads a radio bridge's list of devices
RECEIVE_MAXIMUM = 100  # unacknowledged QoS 1 messages that the broker may send
RESERVED_FRACTION = 0.5  # of the broker's receive maximum, for immediate messages: many events accompany each unlock
MAX_PARKED_MESSAGES = 1_000  # publications that may wait for room
MAX_UNACKNOWLEDGED_MESSAGES = 4_096  # sent QoS 1 messages, even if the broker allows more
ROOM_POLL_S = 0.005  # between two checks whether there is room again
BACKOFF_FIRST_S = 0.2
STABLE_SESSION_S = 10.0  # after so long a session, the back-off starts at its beginning
HOUSE_OPTIONS = ConnectionOptions()

_log = structlog.get_logger(__name__)

GATEWAY_ENDS = "the gateway ends"  # the reason of `on_down` if nothing went wrong

_silent = logging.getLogger("gateway.mqtt.client.paho")  # this module logs each failure once itself
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class _OutboundMessage(Frozen, kw_only=False):
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties
    acknowledged: asyncio.Future[Acknowledgement]


class _Connection:
    """One connection, used until it breaks and never opened again.

    The methods raise aiomqtt.MqttError if the broker cannot be reached, refuses something or ends the connection.
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
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
    ) -> None:
        self._monotonic = monotonic
        self._inbox = ReceiveQueue(subscriptions, on_missed=on_missed, max_payload_bytes=max_payload_bytes)
        self._pending: dict[int, tuple[asyncio.Future[Acknowledgement], float]] = {}
        self._parked: deque[_OutboundMessage] = deque()
        self._room_check: asyncio.TimerHandle | None = None
        self._receive_maximum = self._parkable_maximum = RECEIVE_MAXIMUM
        self._max_publication_bytes = MAX_PAYLOAD_BYTES
        self.client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.login,
            password=broker.password(),
            tls_context=tls_context(broker),
            identifier=broker.username,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=options.session_expiry_s == 0,
            keepalive=options.keepalive_s,
            timeout=options.connect_timeout_s,
            logger=_silent,
            max_inflight_messages=0,  # `publish` counts: paho would send parked messages too late
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", lambda maxsize: self._inbox),  # noqa: ARG005 - its rule
            properties=_properties(
                PacketTypes.CONNECT,
                SessionExpiryInterval=options.session_expiry_s,
                ReceiveMaximum=RECEIVE_MAXIMUM,
                MaximumPacketSize=2 * max_payload_bytes,
            ),
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            will=aiomqtt.Will(birth_and_will.topic, birth_and_will.offline, qos=1, retain=birth_and_will.retain)
            if birth_and_will
            else None,
        )
        # aiomqtt does not give access to reason codes, receive maximum and the moment of writing.
        self._paho: Paho = self.client._client  # noqa: SLF001 - the only private name used here
        self.limiter = InboundLimiter(
            self._paho, max_packet_bytes=2 * max_payload_bytes, on_missed=on_missed, monotonic=monotonic,
            limits=RateLimits(subscriptions) if has_rate_limits else None,
        )  # fmt: skip
        self._paho.connect_timeout = options.connect_timeout_s
        self._paho.on_publish = self._on_publish
        self._aiomqtt_on_connect = cast("CallbackOnConnect_v2", self._paho.on_connect)
        self._paho.on_connect = self._on_connect

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connect; at the end close the socket and finish each pending future."""
        # aiomqtt connects in a thread that cannot be interrupted; a cancelled task waits up to connect_timeout_s.
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

    def publish(self, publication: _OutboundMessage, *, immediate: bool) -> NotSent | None:
        """Write the message to the socket, or park it if it may wait; None, or the reason why not one byte left.

        A message of QoS 1 may wait, unless it is `immediate`. 50 entrances that open at once write more in one
        iteration of the loop than a new socket's buffer takes (16 KiB on Linux): a light or a retained state must not
        be lost by that.
        """
        if len(publication.topic) + len(publication.payload) > self._max_publication_bytes:
            return NotSent.TOO_LARGE
        patient = publication.qos > 0 and not immediate
        room = self._parkable_maximum if patient else self._receive_maximum
        if (patient and self._parked) or (publication.qos and len(self._pending) >= room):
            return self._park(publication) if patient else NotSent.NO_ROOM
        if self._is_writable():
            self._write(publication)
            return None
        if not self._paho.is_connected():
            return NotSent.NO_BROKER
        return self._park(publication) if patient else NotSent.BLOCKED

    def _park(self, publication: _OutboundMessage) -> NotSent | None:
        if len(self._parked) >= MAX_PARKED_MESSAGES:
            return NotSent.NO_ROOM
        self._parked.append(publication)
        self._schedule_room_check()
        return None

    async def subscribe(self, subscriptions: Sequence[Subscription], *, qos: int = 1) -> None:
        """Subscribe to these topics."""
        for first in range(0, len(subscriptions), 100):  # a packet of 100 topics stays under the broker's limit
            batch = subscriptions[first : first + 100]
            codes = await self.client.subscribe([(s.topic, _subscribe_options(s, qos)) for s in batch])
            for subscription, code in zip(batch, codes, strict=True):
                if isinstance(code, ReasonCode) and code.is_failure:
                    raise aiomqtt.MqttError(f"the broker refuses us {subscription.topic}: {code}")

    async def next_message(self) -> aiomqtt.Message:
        """Return the next message; a waiting one at once, for which aiomqtt would make two tasks."""
        if not self._inbox.empty():
            return self._inbox.get_nowait()
        return await anext(self.client.messages)

    def _is_writable(self) -> bool:
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
        if not future.done():
            future.set_result(Acknowledgement(code=code.value, seconds=self._monotonic() - left))
        if self._parked:  # not inside paho's callback, which holds locks
            asyncio.get_running_loop().call_soon(self._send_parked)

    def _send_parked(self) -> None:
        while self._parked and len(self._pending) < self._parkable_maximum and self._is_writable():
            self._write(self._parked.popleft())
        self._schedule_room_check()

    def _schedule_room_check(self) -> None:
        """Check again soon, because no event tells when a full socket takes bytes again."""
        if self._room_check is not None:
            self._room_check.cancel()
        self._room_check = (
            asyncio.get_running_loop().call_later(ROOM_POLL_S, self._send_parked) if self._parked else None
        )

    def _on_connect(
        self, client: Paho, data: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._receive_maximum = min(getattr(properties, "ReceiveMaximum", 65_535), MAX_UNACKNOWLEDGED_MESSAGES)
        self._parkable_maximum = max(1, int(self._receive_maximum * (1 - RESERVED_FRACTION)))
        self._max_publication_bytes = min(
            MAX_PAYLOAD_BYTES, getattr(properties, "MaximumPacketSize", MAX_PAYLOAD_BYTES + 1_024) - 1_024
        )
        self._aiomqtt_on_connect(client, data, flags, code, properties)

    def _arm_writer(self, _client: Paho, _data: object, _socket: object) -> None:
        sock = self._paho.socket()
        if sock is not None:
            asyncio.get_running_loop().add_writer(sock.fileno(), self._paho.loop_write)

    def _abandon(self) -> None:
        """Close the socket without flushing it: unsent messages must not leave now."""
        self.limiter.close()
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
    """Publishes over the current connection, for the long-lived and the short-lived client."""

    _connection: _Connection | None = None

    def publish(self, topic: str, payload: bytes, **options: Unpack[PublishOptions]) -> Sent | NotSent:
        """Publish: `Sent` if the bytes were written or parked, else `NotSent`, and not one byte leaves later.

        Without `immediate` a QoS 1 message may wait (in order) for acknowledgements of earlier ones, in this
        connection only. It never blocks, and raises for no failure of network or broker.
        """
        if self._connection is None:
            return NotSent.NO_BROKER
        user_properties = options.get("user_properties")
        properties = _properties(
            PacketTypes.PUBLISH,
            MessageExpiryInterval=options.get("expiry"),
            CorrelationData=options.get("correlation"),
            ResponseTopic=options.get("response_topic"),
            UserProperty=list(user_properties.items()) if user_properties else None,
        )
        qos, retain = options.get("qos", 1), options.get("retain", False)
        acknowledged = asyncio.get_running_loop().create_future()
        publication = _OutboundMessage(topic, payload, qos, retain, properties, acknowledged)
        reason = self._connection.publish(publication, immediate=options.get("immediate", False))
        return Sent(acknowledged) if reason is None else reason


@dataclass(kw_only=True, eq=False, repr=False)
class MqttClient(_Client):
    """Keeps a connection to a broker for one account and reconnects; `birth_and_will` announces whether it is up.

    All callbacks run in the event loop and must not block; an exception from one is a bug that ends `run`:
    `on_up(session)` before the session's first message, `on_down(reason)` after its last, `on_message` for each message
    in order, `on_missed(topic)` when a message was dropped unread (flood or over 64 KiB), so that the caller queries
    the devices again. `session_number` returns a number that never repeats, also over restarts; without it
    all sessions are 0. `further_brokers` are tried in turn. With `has_rate_limits` topics and accounts have rate limits
    (rate_limits.py).
    """

    broker: BrokerSection
    subscriptions: Sequence[Subscription]
    on_message: Callable[[InboundMessage], None]
    on_up: Callable[[int], None]
    on_down: Callable[[str], None]
    on_missed: Callable[[str], None]
    monotonic: Callable[[], float]
    session_number: Callable[[], Awaitable[int]] | None = None
    birth_and_will: BirthAndWill | None = None
    options: ConnectionOptions = HOUSE_OPTIONS
    further_brokers: Sequence[BrokerSection] = ()
    has_rate_limits: bool = False

    def __post_init__(self) -> None:
        self._brokers = deque((self.broker, *self.further_brokers))
        self._session_count = 0  # sessions that were up
        self.failure: str | None = None  # the reason why the last session was not opened, or ended

    @property
    def is_refused(self) -> bool:
        """Whether no session is up because the broker refuses the account."""
        return self._connection is None and self.failure == ACCOUNT_REFUSED

    async def run(self) -> None:
        """Keep a session open until cancelled, each with a new client, with back-off and jitter between them."""
        failures = 0
        while True:
            began = self.monotonic()
            try:
                await self._session()
            except aiomqtt.MqttError as error:
                log = _log.warning if failures == 0 else _log.debug
                self.failure, broker = _error_reason(error), self._brokers[0]
                log("broker_lost", host=broker.host, port=broker.port, why=self.failure)
                self._brokers.rotate(-1)
            failures = 0 if self.monotonic() - began > STABLE_SESSION_S else failures + 1
            delay_s = Backoff(BACKOFF_FIRST_S, self.options.max_backoff_s).delay_s(failures)
            await asyncio.sleep(shortened(delay_s, random.random()))  # noqa: S311 - jitter is no secret

    async def _session(self) -> None:
        connection = _Connection(
            self._brokers[0], monotonic=self.monotonic, subscriptions=self.subscriptions, on_missed=self.on_missed,
            has_rate_limits=self.has_rate_limits, birth_and_will=self.birth_and_will, options=self.options,
        )  # fmt: skip
        async with connection.open():
            session = 0 if self.session_number is None else await self.session_number()
            qos = self.options.qos[self._session_count % len(self.options.qos)]
            await connection.subscribe(self.subscriptions, qos=qos)
            self._session_count += 1
            self._connection = connection
            reason = GATEWAY_ENDS
            try:
                self._announce(online=True)
                self.on_up(session)
                for number in itertools.count(1):
                    self.on_message(_inbound_message(await connection.next_message(), session))
                    if number % MAX_PACKETS_PER_TURN == 0:  # a waiting message needs no iteration of the loop
                        await asyncio.sleep(0)
            except aiomqtt.MqttError as error:
                reason = connection.limiter.violation or _error_reason(error)
                raise aiomqtt.MqttError(reason) from None
            finally:
                self._announce(online=False)
                self._connection = None
                self.on_down(reason)

    def _announce(self, *, online: bool) -> None:
        status = self.birth_and_will
        payload = None if status is None else status.online if online else status.offline
        if status is not None and payload is not None:
            self.publish(status.topic, payload, retain=status.retain)


class ShortSession(_Client):
    """A connection that is not opened again, for one task of the command line or the installer."""

    def __init__(self, connection: _Connection) -> None:
        self._connection, self._next_message = connection, connection.next_message

    async def receive(self) -> InboundMessage:
        """Wait for the next message; it may be cancelled and called again. `connect_once` reports a lost connection."""
        return _inbound_message(await self._next_message(), 0)


@contextlib.asynccontextmanager
async def connect_once(
    broker: BrokerSection, topics: Sequence[str], *, monotonic: Callable[[], float], qos: int = 1
) -> AsyncIterator[ShortSession]:
    """Open a connection as `broker.username`, subscribed to `topics` (wildcards allowed, stored messages first).

    Raises:
        ConnectionError: the broker cannot be reached, refuses the connection, or was lost; the text says which.
    """
    connection = _Connection(  # its caller has a timeout, so a dropped message needs no report
        broker, monotonic=monotonic, subscriptions=(), on_missed=lambda _topic: None,
        max_payload_bytes=MAX_DEVICE_LIST_BYTES,
    )  # fmt: skip
    try:
        async with connection.open():
            await connection.subscribe(
                [Subscription(topic=topic, wants_retained=True) for topic in topics],
                qos=qos,
            )
            yield ShortSession(connection)
    except aiomqtt.MqttError as error:
        raise ConnectionError(_error_reason(error)) from error


def _error_reason(error: aiomqtt.MqttError) -> str:
    """Return the text of the error or of its cause, which aiomqtt's iterator hides behind a general one."""
    return error_text(str(error.__cause__ if isinstance(error.__cause__, aiomqtt.MqttError) else error))


def _subscribe_options(s: Subscription, qos: int) -> SubscribeOptions:
    # With `wants_retained`, `retain` marks a stored copy; else it repeats the publisher's flag: a device retains each
    # state that it reports live, and that must count; a retained scan must not.
    return SubscribeOptions(
        qos=qos, retainAsPublished=not s.wants_retained, retainHandling=0 if s.wants_retained else 2
    )


def _properties(packet: int, **values: object) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    for name, value in values.items():
        if value is not None:
            setattr(properties, name, value)
    return properties


def _inbound_message(message: aiomqtt.Message, session: int) -> InboundMessage:
    user_properties = dict(getattr(message.properties, "UserProperty", []))
    boot = user_properties.get("boot")
    return InboundMessage(
        topic=message.topic.value,
        payload=message.payload,
        retain=message.retain,
        session=session,
        correlation=getattr(message.properties, "CorrelationData", None),
        response_topic=getattr(message.properties, "ResponseTopic", None),
        boot=boot if boot and len(boot) <= 64 and boot.isprintable() else None,
        seq=whole_number(user_properties.get("seq")),
        uptime_ms=whole_number(user_properties.get("uptime")),
    )
