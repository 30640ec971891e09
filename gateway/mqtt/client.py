"""The client of the house's MQTT broker: long-lived with `MqttClient`, for one task with `connect_once`."""

import asyncio
import contextlib
import itertools
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Unpack

import structlog

from gateway.mqtt.codec import encode_publish_properties
from gateway.mqtt.connection import HOUSE_OPTIONS, BrokerError, Connection
from gateway.mqtt.inbound_limits import MAX_PACKETS_PER_TURN
from gateway.mqtt.outbound import OutboundMessage
from gateway.mqtt.packets import (
    BirthAndWill,
    ConnectionOptions,
    InboundMessage,
    NotSent,
    PublishOptions,
    Sent,
)
from gateway.mqtt.tls import ACCOUNT_REFUSED, error_text
from gateway.system.backoff import Backoff, shortened
from gateway.system.mqtt_settings import BrokerSection, Subscription

MAX_DEVICE_LIST_BYTES = 8 * 1024 * 1024  # for a short session, which reads a radio bridge's list of devices
BACKOFF_FIRST_S = 0.2
STABLE_SESSION_S = 10.0  # after so long a session, the back-off starts at its beginning

_log = structlog.get_logger(__name__)

GATEWAY_ENDS = "the gateway ends"  # the reason of `on_down` if nothing went wrong


class _Client:
    """Publishes over the current connection, for the long-lived and the short-lived client."""

    _connection: Connection | None = None

    def publish(self, topic: str, payload: bytes, **options: Unpack[PublishOptions]) -> Sent | NotSent:
        """Publish: `Sent` if the message may reach the broker, else `NotSent`, and not one byte leaves later.

        An `immediate` message, and one of QoS 0, has been given to the system when this returns. Any other leaves with
        the next iteration of the event loop, together with all of that iteration, or waits (in order) for
        acknowledgements of earlier ones, in this connection only. It never blocks, and raises for no failure of network
        or broker.
        """
        if self._connection is None:
            return NotSent.NO_BROKER
        acknowledged = asyncio.get_running_loop().create_future()
        message = OutboundMessage(
            topic.encode(),
            payload,
            options.get("qos", 1),
            options.get("retain", False),
            encode_publish_properties(
                expiry=options.get("expiry"),
                correlation=options.get("correlation"),
                response_topic=options.get("response_topic"),
                user_properties=options.get("user_properties"),
            ),
            acknowledged,
        )
        reason = self._connection.publish(message, immediate=options.get("immediate", False))
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
            except BrokerError as error:
                log = _log.warning if failures == 0 else _log.debug
                self.failure, broker = error_text(str(error)), self._brokers[0]
                log("broker_lost", host=broker.host, port=broker.port, why=self.failure)
                self._brokers.rotate(-1)
            failures = 0 if self.monotonic() - began > STABLE_SESSION_S else failures + 1
            delay_s = Backoff(BACKOFF_FIRST_S, self.options.max_backoff_s).delay_s(failures)
            await asyncio.sleep(shortened(delay_s, random.random()))  # noqa: S311 - jitter is no secret

    async def _session(self) -> None:
        connection = Connection(
            self._brokers[0], monotonic=self.monotonic, subscriptions=self.subscriptions, on_missed=self.on_missed,
            has_rate_limits=self.has_rate_limits, birth_and_will=self.birth_and_will, options=self.options,
        )  # fmt: skip
        async with connection.open():
            session = connection.session = 0 if self.session_number is None else await self.session_number()
            qos = self.options.qos[self._session_count % len(self.options.qos)]
            await connection.subscribe(self.subscriptions, qos=qos)
            self._session_count += 1
            self._connection = connection
            reason = GATEWAY_ENDS
            try:
                self._announce(online=True)
                self.on_up(session)
                for number in itertools.count(1):
                    self.on_message(await connection.next_message())
                    if number % MAX_PACKETS_PER_TURN == 0:  # a waiting message needs no iteration of the loop
                        await asyncio.sleep(0)
            except BrokerError as error:
                reason = error_text(str(error))
                raise
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

    def __init__(self, connection: Connection) -> None:
        self._connection, self._next_message = connection, connection.next_message

    async def receive(self) -> InboundMessage:
        """Wait for the next message; it may be cancelled and called again. `connect_once` reports a lost connection."""
        return await self._next_message()


@contextlib.asynccontextmanager
async def connect_once(
    broker: BrokerSection, topics: Sequence[str], *, monotonic: Callable[[], float], qos: int = 1
) -> AsyncIterator[ShortSession]:
    """Open a connection as `broker.username`, subscribed to `topics` (wildcards allowed, stored messages first).

    Raises:
        ConnectionError: the broker cannot be reached, refuses the connection, or was lost; the text says which.
    """
    connection = Connection(  # its caller has a timeout, so a dropped message needs no report
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
    except BrokerError as error:
        raise ConnectionError(error_text(str(error))) from error
