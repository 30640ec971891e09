"""Runs the guard: two MQTT connections, one ledger, and the rules between them.

The guard does not trust the house's broker: a message from it counts only with the signature of the gateway's key. The
radio's broker is this machine's own and carries the manufacturer's messages. Everything happens in one turn of the
loop: the guard decides an event and performs its commands before the next one.
"""

import asyncio
import contextlib
import math
import secrets
from collections import deque
from collections.abc import Callable
from typing import assert_never

import structlog

from devices import commands as d
from devices.reports import AvailabilityReport, CorrelationReport
from devices.vendors import VENDORS
from devices.vendors import guard as words
from devices.vendors.words import RETAINED_CHANNELS, TopicSuffix
from gateway.integrations.lock_guard import messages as m
from gateway.integrations.lock_guard.decide import handle_event, next_deadline_mono
from gateway.integrations.lock_guard.file import GuardFile, RadioDevice
from gateway.integrations.lock_guard.ledger import Ledger, LedgerState
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import Acknowledgement, BirthAndWill, InboundMessage, NotSent, Sent
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.guard_message import FromGuard, ToGuard, sign_guard_message, verify_guard_message
from gateway.system.clock import boot_time_s
from gateway.system.containment import Containment
from gateway.system.mqtt_settings import Subscription
from gateway.system.shutdown import until_stopped
from gateway.system.token_bucket import FixedWindow

MAX_MESSAGES_PER_SECOND = 40  # messages from the house that are examined in a second
ALIVE_TOPIC = "perron/guard/alive"  # no account may publish there; the broker's refusal proves that it is alive
COMMAND_EXPIRY_S = 5  # seconds that the radio's broker may keep a command

log = structlog.get_logger(__name__)


class GuardProcess:
    """One guard. `reached` is called with the name of each point at which a test may end the process."""

    def __init__(
        self,
        file: GuardFile,
        *,
        key: SigningKey,
        ledger: Ledger,
        mono: Callable[[], float] = boot_time_s,
        reached: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._file, self._key, self._ledger, self._mono, self._crash_point = file, key, ledger, mono, reached
        self._containment = Containment()  # of the messages of both brokers; its own decisions are not contained
        self._gateway = PublicKey.from_jwk(file.gateway)
        self._radio_devices: dict[m.GuardPart, RadioDevice] = {m.GuardPart.LOCK: file.radio.lock}
        if file.radio.door is not None:
            self._radio_devices[m.GuardPart.DOOR] = file.radio.door
        stored, now = ledger.state, mono()
        self.state = m.GuardState(
            settings=self._settings(), boot=f"{stored.boots}-{secrets.token_hex(8)}", boot_mono=now,
            counter=stored.counter, intents=stored.intents, owes_locking=stored.owes, gateway_heard_mono=now,
        )  # fmt: skip
        self._events: deque[m.GuardEvent] = deque()
        self._is_handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._house_rate = FixedWindow(MAX_MESSAGES_PER_SECOND)
        self._sources: dict[str, list[tuple[m.GuardPart, TopicSuffix]]] = {}
        for part, device in self._radio_devices.items():
            for channel, topic in device.report_topics.items():
                self._sources.setdefault(topic, []).append((part, channel))
        self._house_mqtt, self._radio_mqtt = self._mqtt_clients()

    def _settings(self) -> m.GuardSettings:
        echoing = {part for part, device in self._radio_devices.items() if VENDORS[device.vendor].DEFINITION.correlates}
        return m.GuardSettings(
            lock=self._file.lock,
            has_door=self._file.radio.door is not None,
            max_silence_s=self._file.silent,
            latency_s=self._file.latency,
            can_unlatch=VENDORS[self._file.radio.lock.vendor].DEFINITION.pulls_latch,
            echoing_parts=frozenset(echoing),
            timing=self._file.timing,
        )

    def _mqtt_clients(self) -> tuple[MqttClient, MqttClient]:
        lock = self._file.lock
        house = MqttClient(
            broker=self._file.house,
            subscriptions=[
                Subscription(topic=f"perron/{lock}/{channel}") for channel in (TopicSuffix.SET, TopicSuffix.GET)
            ],
            on_message=self._on_house_message,
            on_up=lambda _session: log.info("house_found"),
            on_down=lambda why: log.warning("house_lost", why=why),
            on_missed=lambda _topic: None,
            monotonic=self._mono,
            birth_and_will=BirthAndWill(
                topic=f"perron/{lock}/{TopicSuffix.AVAILABILITY}", online=b'{"online":true}', offline=words.OFFLINE
            ),
        )
        radio = MqttClient(
            broker=self._file.radio.broker,
            subscriptions=[
                Subscription(topic=topic, wants_retained=parts[0][1] in RETAINED_CHANNELS)
                for topic, parts in self._sources.items()
            ],
            on_message=self._on_radio_message,
            on_up=self._on_radio_connected,
            on_down=self._on_radio_disconnected,
            on_missed=lambda topic: log.warning("radio_floods", topic=topic),
            monotonic=self._mono,
            birth_and_will=BirthAndWill(topic="perron/guard/state", online=None, offline=b"offline"),
        )
        return house, radio

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        log.info("guard_begins", lock=self._file.lock, boot=self.state.boot, counter=self.state.counter)
        async with until_stopped(signals=True), asyncio.TaskGroup() as group:
            group.create_task(self._house_mqtt.run())
            group.create_task(self._radio_mqtt.run())

    def _on_house_message(self, incoming: InboundMessage) -> None:
        """Handle a message from the house: drop a retained one, and excess ones before their signature costs time."""
        admitted = self._house_rate.take(self._mono())
        if incoming.retain or not admitted:
            return
        claims = None
        with self._containment.piece("house's messages", incoming.topic):
            claims = verify_guard_message(incoming.payload, ToGuard, self._gateway)
        if isinstance(claims, str):
            log.warning("not_believed", why=claims)
        elif claims is not None:
            self._handle_event(m.GatewayMessage(claims=claims, new_nonce=secrets.token_urlsafe(16)))

    def _on_radio_message(self, incoming: InboundMessage) -> None:
        for part, channel in self._sources.get(incoming.topic, ()):
            event = None
            with self._containment.piece("radio's messages", incoming.topic):
                event = self._decode(part, channel, incoming)
            if event is not None:
                self._handle_event(event)

    def _decode(self, part: m.GuardPart, channel: TopicSuffix, incoming: InboundMessage) -> m.RadioReported:
        device = self._radio_devices[part]
        vendor = VENDORS[device.vendor]
        reports = vendor.decode_report(channel, incoming.payload, device.device_ref)
        if incoming.retain:  # of retained messages only bad news counts
            reports = tuple(r for r in reports if isinstance(r, AvailabilityReport) and not r.online)
        echo = next((r.echo.encode() for r in reports if isinstance(r, CorrelationReport)), incoming.correlation)
        number = _query_number(echo) if vendor.DEFINITION.correlates and channel is TopicSuffix.RESULT else None
        by_bridge = channel is TopicSuffix.BRIDGE and not incoming.retain
        return m.RadioReported(part=part, reports=reports, query_number=number, by_bridge=by_bridge)

    def _on_radio_connected(self, _session: int) -> None:
        log.info("radio_found")
        self._handle_event(m.GuardSignal.RADIO_CONNECTED)

    def _on_radio_disconnected(self, why: str) -> None:
        log.warning("radio_lost", why=why)
        self._handle_event(m.GuardSignal.RADIO_DISCONNECTED)

    def _handle_event(self, event: m.GuardEvent) -> None:
        """Decide one event and perform its commands; events that come meanwhile wait."""
        self._events.append(event)
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._events:
                self.state, commands = handle_event(self.state, self._events.popleft(), mono=self._mono())
                self._execute(commands)
        finally:
            self._is_handling = False
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait_s = next_deadline_mono(self.state) - self._mono()
        later = asyncio.get_running_loop().call_later
        passed = m.GuardSignal.DEADLINE_PASSED
        self._timer = None if wait_s == math.inf else later(max(0.0, wait_s), self._handle_event, passed)

    def _execute(self, commands: tuple[m.GuardCommand, ...]) -> None:
        for command in commands:
            match command:
                case FromGuard():
                    topic = f"perron/{self._file.lock}/{command.channel}"
                    token = sign_guard_message(command, self._key)
                    self._house_mqtt.publish(topic, token, expiry=COMMAND_EXPIRY_S)
                case m.WriteLedger():
                    if not self._write_ledger(command):
                        return  # the rest must not happen
                case d.UnlockDoor() | d.LockDoor():
                    self._publish_command(command)
                case m.QueryRadioDevice():
                    query = d.QueryState(echo=str(command.number))
                    self._publish_to_radio(self._radio_devices[command.part], query, str(command.number).encode())
                case m.ProbeRadioBroker():
                    self._probe_radio()
                case m.GuardNote():
                    log.info("guard", what=command.text)
                case _:
                    assert_never(command)

    def _write_ledger(self, command: m.WriteLedger) -> bool:
        ledger_state = LedgerState(
            boots=self._ledger.state.boots, counter=command.counter, intents=command.intents, owes=command.owes
        )
        try:
            self._ledger.write(ledger_state)
        except OSError as failure:
            log.error("ledger_not_kept", why=str(failure))
            self._handle_event(m.GuardSignal.LEDGER_WRITE_FAILED)
            return False
        if command.owes:
            self._crash_point("kept")
        return True

    def _publish_command(self, command: d.UnlockDoor | d.LockDoor) -> None:
        sent = self._publish_to_radio(self._radio_devices[m.GuardPart.LOCK], command, command.id.encode())
        self._crash_point("moved")
        if isinstance(sent, NotSent):
            log.error("not_moved", why=sent)
            self._handle_event(m.GuardSignal.COMMAND_NOT_SENT)

    def _publish_to_radio(self, device: RadioDevice, command: d.Command, correlation: bytes) -> Sent | NotSent:
        publication = VENDORS[device.vendor].encode_command(command, device.device_ref)
        return self._radio_mqtt.publish(
            device.topic(publication.suffix),
            publication.payload,
            expiry=COMMAND_EXPIRY_S,
            correlation=correlation,
            response_topic=device.topic(TopicSuffix.RESULT) if isinstance(command, d.QueryState) else None,
            immediate=True,
        )

    def _probe_radio(self) -> None:
        sent = self._radio_mqtt.publish(ALIVE_TOPIC, b"", immediate=True)
        if isinstance(sent, Sent):  # else its time will pass
            sent.acknowledged.add_done_callback(self._on_probe_answer)

    def _on_probe_answer(self, done: asyncio.Future[Acknowledgement]) -> None:
        if done.result().code is not None:  # whatever the answer: it is alive
            self._handle_event(m.GuardSignal.RADIO_ANSWERED)


def _query_number(correlation: bytes | None) -> int | None:
    with contextlib.suppress(ValueError):
        return int(correlation or b"") if len(correlation or b"") <= 18 else None
    return None
