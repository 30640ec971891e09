"""Runs the guard: two MQTT connections, one ledger, and the rules between them.

The guard does not trust the house's broker: a message from it counts only with the signature of the gateway's key. The
radio's broker is this machine's own and carries the manufacturer's messages. Everything happens in one turn of the
loop: the guard decides an event and performs its commands before the next one.
"""

import asyncio
import contextlib
import secrets
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import assert_never

import structlog
from joserfc.jwk import OKPKey

from devices import commands as asked
from devices.reports import AvailabilityReport, CorrelationReport
from devices.vendors import VENDORS
from devices.vendors import guard as words
from devices.vendors.words import DeviceRef, TopicSuffix
from gateway.config.topics import RETAINED_CHANNELS
from gateway.integrations.lock_guard.decide import handle_event, initial_state, next_deadline_mono
from gateway.integrations.lock_guard.file import GuardFile, RadioDevice
from gateway.integrations.lock_guard.ledger import Ledger, LedgerState
from gateway.integrations.lock_guard.messages import (
    CommandNotSent,
    DeadlinePassed,
    GatewayMessage,
    GuardCommand,
    GuardEvent,
    GuardNote,
    GuardPart,
    GuardSettings,
    GuardState,
    LedgerWriteFailed,
    ProbeRadioBroker,
    PublishCommand,
    QueryRadioDevice,
    RadioAnswered,
    RadioConnected,
    RadioDisconnected,
    RadioReported,
    SendReport,
    WriteLedger,
)
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import Acknowledgement, BirthAndWill, InboundMessage, NotSent, Sent
from gateway.protocol.guard_message import FromGuard, ToGuard, sign_guard_message, verify_guard_message
from gateway.system.containment import Containment
from gateway.system.mqtt_settings import OverflowPolicy, Subscription

MAX_MESSAGES_PER_SECOND = 40  # messages from the house that are examined in a second
ALIVE_TOPIC = "perron/guard/alive"  # no account may publish there; the broker's refusal proves that it is alive
COMMAND_EXPIRY_S = 5  # seconds that the radio's broker may keep a command

log = structlog.get_logger(__name__)


def boot_time_s() -> float:
    """Return seconds that continue while the machine sleeps: a message from before its sleep is late afterwards."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class GuardProcess:
    """One guard. `reached` is called with the name of each point at which a test may end the process."""

    def __init__(
        self,
        file: GuardFile,
        *,
        key: OKPKey,
        ledger: Ledger,
        mono: Callable[[], float] = boot_time_s,
        reached: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._file, self._key, self._ledger, self._mono, self._crash_point = file, key, ledger, mono, reached
        self._containment = Containment()  # of the messages of both brokers; its own decisions are not contained
        self._gateway = file.gateway_key
        self._radio_devices: dict[GuardPart, RadioDevice] = {GuardPart.LOCK: file.radio.lock}
        if file.radio.door is not None:
            self._radio_devices[GuardPart.DOOR] = file.radio.door
        page = ledger.state
        self._state: GuardState = initial_state(
            self._settings(),
            boot=f"{page.boots}-{secrets.token_hex(8)}",
            counter=page.counter,
            intents=page.intents,
            owes=page.owes,
            mono=mono(),
        )
        self._events: deque[GuardEvent] = deque()
        self._is_handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._window_start_mono, self._messages_in_window = float("-inf"), 0
        self._sources: dict[str, list[tuple[GuardPart, TopicSuffix]]] = {}
        for part, device in self._radio_devices.items():
            for channel, topic in device.report_topics.items():
                self._sources.setdefault(topic, []).append((part, channel))
        self._house_mqtt, self._radio_mqtt = self._mqtt_clients()

    def _settings(self) -> GuardSettings:
        echoing = {part for part, device in self._radio_devices.items() if VENDORS[device.vendor].DEFINITION.correlates}
        return GuardSettings(
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
                Subscription(
                    topic=f"perron/{lock}/{channel}", wants_retained=False, overflow=OverflowPolicy.DROP_AND_QUERY
                )
                for channel in (TopicSuffix.SET, TopicSuffix.GET)
            ],
            session_number=_session_number,
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
                Subscription(
                    topic=topic, wants_retained=parts[0][1] in RETAINED_CHANNELS, overflow=OverflowPolicy.DROP_AND_QUERY
                )
                for topic, parts in self._sources.items()
            ],
            session_number=_session_number,
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
        log.info("guard_begins", lock=self._file.lock, boot=self._state.boot, counter=self._state.counter)
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is None:
            raise RuntimeError("a guard runs in a task")
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        async with asyncio.TaskGroup() as group:
            lines = [group.create_task(self._house_mqtt.run()), group.create_task(self._radio_mqtt.run())]
            await ended.wait()
            for line in lines:
                line.cancel()

    @property
    def state(self) -> GuardState:
        """Return the current state."""
        return self._state

    # ---- received ---------------------------------------------------------------------------------------------------

    def _on_house_message(self, incoming: InboundMessage) -> None:
        """Handle a message from the house: drop a retained one, and excess ones before their signature costs time."""
        now = self._mono()
        if now - self._window_start_mono >= 1.0:
            self._window_start_mono, self._messages_in_window = now, 0
        self._messages_in_window += 1
        if incoming.retain or self._messages_in_window > MAX_MESSAGES_PER_SECOND:
            return
        claims = None
        with self._containment.piece("house's messages", incoming.topic):
            claims = verify_guard_message(incoming.payload, ToGuard, self._gateway)
        if claims is None:
            return
        if isinstance(claims, str):
            log.warning("not_believed", why=claims)
            return
        self._handle_event(GatewayMessage(claims=claims, new_nonce=secrets.token_urlsafe(16)))

    def _on_radio_message(self, incoming: InboundMessage) -> None:
        for part, channel in self._sources.get(incoming.topic, ()):
            said = None
            with self._containment.piece("radio's messages", incoming.topic):
                said = self._decode(part, channel, incoming)
            if said is not None:
                self._handle_event(said)

    def _decode(self, part: GuardPart, channel: TopicSuffix, incoming: InboundMessage) -> RadioReported:
        device = self._radio_devices[part]
        vendor = VENDORS[device.vendor]
        reports = vendor.decode_report(channel, incoming.payload, device.device_ref)
        if incoming.retain:  # of retained messages only bad news counts
            reports = tuple(r for r in reports if isinstance(r, AvailabilityReport) and not r.online)
        echo = next((r.echo.encode() for r in reports if isinstance(r, CorrelationReport)), incoming.correlation)
        number = _query_number(echo) if vendor.DEFINITION.correlates and channel is TopicSuffix.RESULT else None
        by_bridge = channel is TopicSuffix.BRIDGE and not incoming.retain
        return RadioReported(part=part, reports=reports, query_number=number, by_bridge=by_bridge)

    def _on_radio_connected(self, _session: int) -> None:
        log.info("radio_found")
        self._handle_event(RadioConnected())

    def _on_radio_disconnected(self, why: str) -> None:
        log.warning("radio_lost", why=why)
        self._handle_event(RadioDisconnected())

    def _handle_event(self, event: GuardEvent) -> None:
        """Decide one event and perform its commands; events that come meanwhile wait."""
        self._events.append(event)
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._events:
                self._state, commands = handle_event(self._state, self._events.popleft(), mono=self._mono())
                self._execute(commands)
        finally:
            self._is_handling = False
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        at = next_deadline_mono(self._state)
        wait = max(0.0, at - self._mono())
        loop = asyncio.get_running_loop()
        self._timer = None if at == float("inf") else loop.call_later(wait, self._handle_event, DeadlinePassed())

    # ---- commands ---------------------------------------------------------------------------------------------------

    def _execute(self, commands: tuple[GuardCommand, ...]) -> None:
        for command in commands:
            match command:
                case SendReport():
                    self._send_report(command)
                case WriteLedger():
                    if not self._write_ledger(command):
                        return  # the rest must not happen
                case PublishCommand():
                    self._publish_command(command.command)
                case QueryRadioDevice():
                    self._query_device(command)
                case ProbeRadioBroker():
                    self._probe_radio()
                case GuardNote():
                    log.info("guard", what=command.text)
                case _:
                    assert_never(command)

    def _send_report(self, said: SendReport) -> None:
        device_ref = DeviceRef(kind=said.part.value)
        body, channel = b"", TopicSuffix.EVENT
        if said.report is not None:
            letter = words.encode_report(said.report, device_ref)[0]
            body, channel = letter.payload, letter.suffix if said.question is None else TopicSuffix.RESULT
        claims = FromGuard.model_validate(
            {
                "lock": self._file.lock,
                "part": said.part.value,
                "channel": channel.value,
                "boot": self._state.boot,
                "seq": said.seq,
                "uptime_ms": said.uptime_ms,
                "counter": said.counter,
                "question": said.question,
                "nonce": said.nonce,
                "nonce_ms": None if said.nonce is None else round(self._state.settings.timing.nonce_life * 1000),
                "body": body.decode(),
            }
        )
        self._house_mqtt.publish(
            f"perron/{self._file.lock}/{channel}", sign_guard_message(claims, self._key), expiry=COMMAND_EXPIRY_S
        )

    def _write_ledger(self, kept: WriteLedger) -> bool:
        page = LedgerState(boots=self._ledger.state.boots, counter=kept.counter, intents=kept.intents, owes=kept.owes)
        try:
            self._ledger.write(page)
        except OSError as failure:
            log.error("ledger_not_kept", why=str(failure))
            self._handle_event(LedgerWriteFailed())
            return False
        if kept.owes:
            self._crash_point("kept")
        return True

    def _publish_command(self, command: asked.UnlockDoor | asked.LockDoor) -> None:
        sent = self._publish_to_radio(self._radio_devices[GuardPart.LOCK], command, command.id.encode())
        self._crash_point("moved")
        if isinstance(sent, NotSent):
            log.error("not_moved", why=sent.reason)
            self._handle_event(CommandNotSent())

    def _query_device(self, ask: QueryRadioDevice) -> None:
        self._publish_to_radio(
            self._radio_devices[ask.part], asked.QueryState(echo=str(ask.number)), str(ask.number).encode()
        )

    def _publish_to_radio(self, device: RadioDevice, command: asked.Command, correlation: bytes) -> Sent | NotSent:
        letter = VENDORS[device.vendor].encode_command(command, device.device_ref)
        return self._radio_mqtt.publish(
            device.topic(letter.suffix),
            letter.payload,
            expiry=COMMAND_EXPIRY_S,
            correlation=correlation,
            response_topic=device.topic(TopicSuffix.RESULT) if isinstance(command, asked.QueryState) else None,
            immediate=True,
        )

    def _probe_radio(self) -> None:
        match self._radio_mqtt.publish(ALIVE_TOPIC, b"", immediate=True):
            case Sent(acknowledged=acknowledged):
                acknowledged.add_done_callback(self._on_probe_answer)
            case NotSent():
                pass  # its time will pass

    def _on_probe_answer(self, done: asyncio.Future[Acknowledgement]) -> None:
        if done.result().code is not None:  # whatever the answer: it is alive
            self._handle_event(RadioAnswered())


async def _session_number() -> int:
    """Return a constant: sessions are not distinguished here, because each query has its own random value."""
    return 0


def _query_number(correlation: bytes | None) -> int | None:
    with contextlib.suppress(ValueError):
        return int(correlation or b"") if len(correlation or b"") <= 18 else None
    return None
