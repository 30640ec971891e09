"""A device's own link to the broker: MQTT 5, one account and one connection, a last will on its availability.

Devices behind one bridge share its account, and a broker gives an account one connection: all but the first ride on the
first one's link.

Its publications on state, event and result have the user properties `boot` (new at each boot), `seq` (1, 2, ... within
a boot) and `uptime` (milliseconds since the boot). What cannot be sent now is lost, as with a real device.
"""

import asyncio
import logging
import math
import random
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.simulators.house import SimulatedBroker
from devices.vendors.words import Publication, TopicSuffix

RETAINED = frozenset({TopicSuffix.STATE, TopicSuffix.AVAILABILITY, TopicSuffix.BRIDGE, TopicSuffix.BEAM})
NUMBERED = frozenset({TopicSuffix.STATE, TopicSuffix.EVENT, TopicSuffix.RESULT})
RETRY_DELAY_S = 0.2  # seconds between attempts to connect
KEEPALIVE_S = 10  # seconds
NEW_ACCOUNT_DELAY_S = 1.0  # until the broker has read an account that was just written

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMessage:
    """One message to the device."""

    suffix: TopicSuffix
    payload: bytes
    retained: bool
    correlation: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outgoing:
    topic: str
    payload: bytes
    copies: int
    lag_s: float
    retain: bool
    properties: Properties


class DeviceLink:
    """Runs until cancelled; connects whenever it is wanted up and the broker is there.

    `account` is its user name, `secret` returns its password (None: none is asked for; OSError: it has no account yet,
    and tries again), `topics` its topic for each suffix. `will` is the availability that the broker
    publishes when the link dies, `online` the opposite. `on_up` is called at each connection, `on_heard` with each
    message on `set` and `get`.
    """

    def __init__(  # noqa: PLR0913 - the parameters of both ends
        self,
        device: str,
        broker: SimulatedBroker,
        secret: Callable[[], str | None],
        *,
        account: str,
        topics: Mapping[TopicSuffix, str],
        online: Publication,
        will: Publication,
        on_up: Callable[[], None],
        on_heard: Callable[[DeviceMessage], None],
        lag_s: float,
        rng: random.Random,
    ) -> None:
        self.device = device
        self.duplicates = False
        self._connected = False
        self._carrier: DeviceLink | None = None
        self._riders: list[DeviceLink] = []
        self._broker, self._account, self._secret = broker, account, secret
        self._topics = topics
        self._commands = {topics[suffix]: suffix for suffix in (TopicSuffix.SET, TopicSuffix.GET)}
        self._online, self._will = online, will
        self._on_up, self._on_heard = on_up, on_heard
        self._lag_s, self._rng = lag_s, rng
        self._ending = self._lacked_account = False
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._cut = asyncio.Event()
        self._outbox: asyncio.Queue[_Outgoing] = asyncio.Queue()
        self.boot = ""
        self.begin_boot()

    def ride_on(self, carrier: "DeviceLink") -> None:
        """Use another device's connection, because both have one account. Before either runs."""
        self._carrier = carrier
        carrier._riders.append(self)  # noqa: SLF001 - of its own class

    @property
    def connected(self) -> bool:
        """Return whether it is connected to the broker."""
        return self._connected if self._carrier is None else self._carrier.connected and self._wanted.is_set()

    def begin_boot(self) -> None:
        """Start a new boot: a new boot id, sequence from 1, uptime from 0."""
        self.boot = secrets.token_hex(4)
        self._seq = 0
        self._booted = time.monotonic()

    @property
    def uptime_ms(self) -> int:
        """Return the milliseconds since the boot."""
        return int((time.monotonic() - self._booted) * 1000)

    @property
    def is_wanted_up(self) -> bool:
        """Return whether the link should be up."""
        return self._wanted.is_set()

    def set_up(self, up: bool) -> None:
        """Let the link come up, or cut it at once without DISCONNECT, so that the broker publishes the will."""
        if up and not self._wanted.is_set():
            self._wanted.set()
            if self._carrier is not None and self.connected:
                self._begin_session()
        elif not up:
            if self._carrier is not None:
                self.publish(self._will)  # its bridge goes on, and says so
            self._wanted.clear()
            self._cut.set()

    def _begin_session(self) -> None:
        self.publish(self._online)
        self._on_up()

    def publish(self, letter: Publication, *, correlation: bytes | None = None, retain: bool | None = None) -> None:
        """Publish in order, as soon as possible; the message is lost while there is no connection."""
        if not self.connected:
            return
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho annotates it in part
        if correlation is not None:
            properties.CorrelationData = correlation
        if letter.suffix in NUMBERED:
            self._seq += 1
            uptime = str(self.uptime_ms)
            properties.UserProperty = [("boot", self.boot), ("seq", str(self._seq)), ("uptime", uptime)]
        outgoing = _Outgoing(
            topic=self._topic(letter.suffix),
            payload=letter.payload,
            copies=2 if self.duplicates else 1,
            lag_s=self._rng.uniform(0, self._lag_s) if self._lag_s else 0.0,
            retain=letter.suffix in RETAINED if retain is None else retain,
            properties=properties,
        )
        (self._carrier or self)._outbox.put_nowait(outgoing)  # noqa: SLF001 - of its own class

    async def run(self) -> None:
        """Keep the link up; a rider's is kept by its carrier."""
        if self._carrier is not None:
            await asyncio.Event().wait()
        while True:
            await self._wanted.wait()
            self._cut.clear()
            try:
                await self._session()
            except* (aiomqtt.MqttError, OSError) as lost:
                _log.info("%s: link lost: %s", self.device, lost.exceptions[0])
            finally:
                self._connected = False
            if self._ending:
                # aiomqtt's exit turned the cancellation into an error of its own, for the socket was closed already
                raise asyncio.CancelledError
            await asyncio.sleep(RETRY_DELAY_S)

    async def _session(self) -> None:
        try:
            password = self._secret()
        except OSError:
            self._lacked_account = True
            raise
        if self._lacked_account:
            self._lacked_account = False
            await asyncio.sleep(NEW_ACCOUNT_DELAY_S)
        # a new object for every connection: one that is entered again sends what an earlier connection did not
        client = aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            identifier=self._account,
            username=self._account if password is not None else None,
            password=password,
            tls_context=self._broker.context(),
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            keepalive=KEEPALIVE_S,
            # with a time limit aiomqtt waits by asyncio.wait_for, which in Python 3.11 may swallow a cancellation
            timeout=math.inf,
            will=aiomqtt.Will(self._topic(self._will.suffix), self._will.payload, qos=1, retain=True),
            # without it each answer waits 40 ms for the broker's acknowledgement of the one before
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        async with client:
            self._outbox = asyncio.Queue()
            try:
                links = (self, *self._riders)
                await client.subscribe([(topic, 1) for link in links for topic in link._commands])  # noqa: SLF001 - its class
                self._connected = True
                for link in links:
                    if link.is_wanted_up:
                        link._begin_session()  # noqa: SLF001 - of its own class
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._read_messages(client))
                    group.create_task(self._publish_outbox(client))
                    group.create_task(self._wait_for_cut(client))
            except asyncio.CancelledError:
                self._ending = True
                _close_without_disconnect(client)  # a house that ends has lost its power, and sends no DISCONNECT
                raise

    async def _read_messages(self, client: aiomqtt.Client) -> None:
        links = {topic: link for link in (self, *self._riders) for topic in link._commands}  # noqa: SLF001 - its class
        async for message in client.messages:
            link = links[message.topic.value]
            if not link.is_wanted_up:
                continue
            properties = message.properties
            correlation = getattr(properties, "CorrelationData", None)
            link._on_heard(  # noqa: SLF001 - of its own class
                DeviceMessage(
                    suffix=link._commands[message.topic.value],  # noqa: SLF001 - the same
                    payload=bytes(message.payload),
                    retained=message.retain,
                    correlation=correlation,
                )
            )

    async def _publish_outbox(self, client: aiomqtt.Client) -> None:
        while True:
            message = await self._outbox.get()
            if message.lag_s:
                await asyncio.sleep(message.lag_s)
            for _ in range(message.copies):
                await client.publish(message.topic, message.payload, 1, message.retain, properties=message.properties)

    async def _wait_for_cut(self, client: aiomqtt.Client) -> None:
        await self._cut.wait()
        _close_without_disconnect(client)

    def _topic(self, suffix: TopicSuffix) -> str:
        return self._topics[suffix]


def _close_without_disconnect(client: aiomqtt.Client) -> None:
    """Close the socket without MQTT's DISCONNECT. aiomqtt has no way of its own to lose a link."""
    connection = cast("socket.socket | None", client._client.socket())  # noqa: SLF001  see above
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
