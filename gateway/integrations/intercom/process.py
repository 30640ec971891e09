"""Runs `perron intercom`: one MQTT connection, one intercom, and the orders between them.

It speaks Perron's own words (`devices/vendors/own_words.py`) on `perron/<device>/...`. Online means that the intercom
answered the last question, not only that this process runs. Nothing that comes from the intercom or from the broker
ends the process.
"""

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from datetime import datetime
from typing import Protocol

import structlog

from devices.commands import QueryState, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    CommandProgress,
    DoorbellPressed,
    ErrorReport,
    MotionReport,
    OperationError,
    ProgressReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import write
from devices.vendors import perron
from devices.vendors.words import DeviceRef, Publication, TopicSuffix
from gateway.integrations.intercom.doorbird import DoorBird
from gateway.integrations.intercom.file import DoorBirdSection, IntercomFile
from gateway.integrations.intercom.line import IntercomFailed, IntercomLine
from gateway.integrations.intercom.twon import RelayState, TwoN
from gateway.integrations.orders import Instant, OrderBook, PassOn
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import BirthAndWill, InboundMessage
from gateway.system.backoff import Backoff, shortened
from gateway.system.clock import boot_time_s, machine_time
from gateway.system.containment import Containment
from gateway.system.mqtt_settings import Subscription
from gateway.system.shutdown import until_stopped
from gateway.system.token_bucket import FixedWindow

MAX_MESSAGES_PER_SECOND = 20  # messages of the house that are read in a second
MAX_ANSWERS_UNDER_WAY = 4  # queries that wait for the intercom at a time
MAX_EVENTS_PER_SECOND = 10  # events of the intercom that are passed on in a second
EVENT_EXPIRY_S = 5  # seconds that the broker keeps a ring for the gateway
RETRY = Backoff(1.0, 60.0)
# Too many wrong passwords block this machine's address for a minute, the right one included.
REFUSED_RETRY_S = 120.0
STRIKE = DeviceRef(kind="strike")

log = structlog.get_logger(__name__)

IntercomEvent = DoorbellPressed | MotionReport | RelayState


class Intercom(Protocol):
    """What every intercom does. All raise `IntercomFailed`."""

    async def release(self, within_s: float) -> None:
        """Pass an order to release on; its return says that it was taken, and nothing about a door."""
        ...

    async def check(self) -> None:
        """Ask whether it is there and can release."""
        ...

    def events(self) -> AsyncGenerator[IntercomEvent, None]:
        """Yield what happens at it, until the connection is lost."""
        ...


def make_intercom(file: IntercomFile, line: IntercomLine) -> Intercom:
    """Return the intercom that the file names."""
    section = file.intercom
    return DoorBird(section, line) if isinstance(section, DoorBirdSection) else TwoN(section, line)


class IntercomProcess:
    """The process for one intercom."""

    def __init__(
        self,
        file: IntercomFile,
        intercom: Intercom,
        *,
        mono: Callable[[], float] = boot_time_s,
        utc: Callable[[], datetime] = machine_time,
    ) -> None:
        self._file, self._intercom, self._mono, self._utc = file, intercom, mono, utc
        self._began_mono, self._sequence = mono(), 0
        self._book = OrderBook(boot=secrets.token_hex(8), began=utc())
        self._containment = Containment()
        self._house_rate, self._event_rate = FixedWindow(MAX_MESSAGES_PER_SECOND), FixedWindow(MAX_EVENTS_PER_SECOND)
        self._online: bool | None = None  # None: the intercom was not asked yet
        self._checks_now = asyncio.Event()
        self._releasing: asyncio.Task[None] | None = None
        self._work: set[asyncio.Task[None]] = set()
        (offline,) = perron.encode_report(AvailabilityReport(online=False), STRIKE)
        self._mqtt = MqttClient(
            broker=file.broker,
            subscriptions=[Subscription(topic=self._topic(suffix)) for suffix in (TopicSuffix.SET, TopicSuffix.GET)],
            on_message=self._on_message,
            on_up=lambda _session: self._on_broker(),
            on_down=lambda why: log.warning("house_lost", why=why),
            on_missed=lambda topic: log.warning("house_floods", topic=topic),
            monotonic=mono,
            birth_and_will=BirthAndWill(
                topic=self._topic(TopicSuffix.AVAILABILITY), online=None, offline=offline.payload
            ),
        )  # fmt: skip

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        log.info("intercom_begins", device=self._file.device, url=self._file.intercom.url)
        async with until_stopped(signals=True), asyncio.TaskGroup() as group:
            group.create_task(self._mqtt.run())
            group.create_task(self._containment.keep("checks", self._check_regularly))
            group.create_task(self._containment.keep("events", self._follow_events))

    # ---- the house ---------------------------------------------------------------------------------------------------

    def _on_broker(self) -> None:
        log.info("house_found")
        if self._online is not None:
            self._publish(AvailabilityReport(online=self._online), retain=True)

    def _on_message(self, incoming: InboundMessage) -> None:
        """Read an order or a query; a stored one and what exceeds the rate is dropped."""
        if incoming.retain or not self._house_rate.take(self._mono()):
            log.warning("dropped", topic=incoming.topic, stored=incoming.retain)
            return
        with self._containment.piece("messages of the house", incoming.topic):
            suffix = TopicSuffix.GET if incoming.topic == self._topic(TopicSuffix.GET) else TopicSuffix.SET
            match perron.decode_command(suffix, incoming.payload, STRIKE):
                case UnlockDoor() as order:
                    self._on_order(order)
                case QueryState(echo=echo):
                    self._on_query(echo, incoming.correlation)
                case UnreadablePayload(why=why):
                    log.warning("not_read", topic=incoming.topic, why=why)
                case _:
                    log.warning("not_read", topic=incoming.topic, why="a strike is opened and queried, nothing else")

    def _on_order(self, order: UnlockDoor) -> None:
        busy = self._releasing is not None and not self._releasing.done()
        verdict = self._book.decide(order, self._now(), busy=busy)
        if isinstance(verdict, PassOn):
            self._releasing = self._start(self._release(order, verdict.life_s))
            return
        log.warning("order_refused", id=order.id, why=verdict.failure.value)
        self._answer_order(order, ErrorReport(id=order.id, failure=verdict.failure))

    async def _release(self, order: UnlockDoor, life_s: float) -> None:
        """Pass an order on, once, for no longer than it lives; a failure is never tried again."""
        within_s = min(life_s, self._file.intercom.timeout)
        try:
            async with asyncio.timeout(within_s):
                await self._intercom.release(within_s)
        except (IntercomFailed, TimeoutError) as error:
            failure = error.failure if isinstance(error, IntercomFailed) else OperationError.TIMEOUT
            log.warning("not_released", id=order.id, failure=failure.value, why=str(error))
            self._answer_order(order, ErrorReport(id=order.id, failure=failure))
            self._checks_now.set()
            return
        log.info("order_taken", id=order.id)
        self._answer_order(order, ProgressReport(id=order.id, progress=CommandProgress.ACCEPTED))

    def _answer_order(self, order: UnlockDoor, report: Report) -> None:
        self._publish(report, correlation=order.id.encode())

    def _on_query(self, echo: str | None, correlation: bytes | None) -> None:
        if len(self._work) >= MAX_ANSWERS_UNDER_WAY:
            log.warning("query_dropped", why="others still wait for the intercom")
            return
        self._start(self._answer_query(echo, correlation))

    async def _answer_query(self, echo: str | None, correlation: bytes | None) -> None:
        """Ask the intercom now, and answer whether it is there."""
        await self._check()
        body = {} if echo is None else {"echo": echo}
        payload = write({**body, "online": self._online is True})
        self._send(Publication(suffix=TopicSuffix.RESULT, payload=payload), correlation=correlation)

    # ---- the intercom ------------------------------------------------------------------------------------------------

    async def _check_regularly(self) -> None:
        failures = 0
        while True:
            failure = await self._check()
            failures = 0 if failure is None else failures + 1
            if failure is None:
                wait_s = self._file.check
            elif failure in (OperationError.INVALID_CREDENTIAL, OperationError.RESTRICTED):
                wait_s = max(self._file.check, REFUSED_RETRY_S)
            else:
                wait_s = min(self._file.check, RETRY.delay_s(failures - 1))
            self._checks_now.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._checks_now.wait()
                await asyncio.sleep(RETRY.first_s)  # a failed order is no reason to ask without end
            except TimeoutError:
                pass

    async def _check(self) -> OperationError | None:
        """Ask whether the intercom is there, publish a change, and return why not."""
        try:
            await self._intercom.check()
        except IntercomFailed as error:
            if self._online is not False:
                log.warning("intercom_lost", why=str(error))
            self._set_online(online=False)
            return error.failure
        if not self._online:
            log.info("intercom_found")
        self._set_online(online=True)
        return None

    def _set_online(self, *, online: bool) -> None:
        if self._online != online:
            self._online = online
            self._publish(AvailabilityReport(online=online), retain=True)

    async def _follow_events(self) -> None:
        failures = 0
        while True:
            began = self._mono()
            try:
                async with aclosing(self._intercom.events()) as events:
                    async for event in events:
                        self._on_event(event)
            except IntercomFailed as error:
                failures = 0 if self._mono() - began > RETRY.max_s else failures + 1
                log.info("events_lost", why=str(error))
                refused = error.failure in (OperationError.INVALID_CREDENTIAL, OperationError.RESTRICTED)
                wait_s = REFUSED_RETRY_S if refused else RETRY.delay_s(failures)
                await asyncio.sleep(shortened(wait_s, random.random()) if not refused else wait_s)  # noqa: S311 - jitter

    def _on_event(self, event: IntercomEvent) -> None:
        if not self._event_rate.take(self._mono()):
            return
        if isinstance(event, RelayState):
            payload = write({"relay": "on" if event.on else "off"})
            self._send(Publication(suffix=TopicSuffix.STATE, payload=payload), retain=True)
            return
        if isinstance(event, DoorbellPressed):
            log.info("bell")
        self._publish(event, expiry=EVENT_EXPIRY_S)

    # ---- what it says ------------------------------------------------------------------------------------------------

    def _publish(
        self, report: Report, *, correlation: bytes | None = None, retain: bool = False, expiry: int | None = None
    ) -> None:
        for letter in perron.encode_report(report, STRIKE):
            self._send(letter, correlation=correlation, retain=retain, expiry=expiry)

    def _send(
        self, letter: Publication, *, correlation: bytes | None = None, retain: bool = False, expiry: int | None = None
    ) -> None:
        numbered = {}
        if letter.suffix is not TopicSuffix.AVAILABILITY:
            self._sequence += 1
            uptime = str(self._now().uptime_ms)
            numbered = {"boot": self._book.boot, "seq": str(self._sequence), "uptime": uptime}
        self._mqtt.publish(
            self._topic(letter.suffix), letter.payload, correlation=correlation, retain=retain, expiry=expiry,
            user_properties=numbered or None,
        )  # fmt: skip

    def _topic(self, suffix: TopicSuffix) -> str:
        return f"perron/{self._file.device}/{suffix}"

    def _now(self) -> Instant:
        return Instant(utc=self._utc(), uptime_ms=int((self._mono() - self._began_mono) * 1000))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        async def contained() -> None:
            with self._containment.piece("orders and queries"):
                await work

        task = asyncio.get_running_loop().create_task(contained())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


async def run_intercom(file: IntercomFile) -> None:
    """Speak for the intercom until told to end; ConfigError: credentials, authority or password cannot be read."""
    async with IntercomLine.open(file.intercom) as line:
        await IntercomProcess(file, make_intercom(file, line)).run()


async def check_intercom(file: IntercomFile) -> None:
    """Ask the intercom once whether it is there and can release; IntercomFailed: not so."""
    async with IntercomLine.open(file.intercom) as line:
        await make_intercom(file, line).check()
