"""What stands between a gateway and a lock, real: two mosquittos, a guard, simulated lock and door, an attacker."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices import commands as asked
from devices.reports import DoorReport, DoorState, ErrorReport, LockReport, LockState, OperationError, Report
from devices.simulators.house import DoorPlan, LockPlan, SimulatedBroker, SimulatedHouse
from devices.simulators.physical_log import PhysicalLog
from devices.simulators.residence import Residence
from devices.vendors import VENDORS
from devices.vendors.words import TopicSuffix
from gateway.config.devices import DoorDevice, GuardSection, LockDevice
from gateway.config.home import Home, Storage
from gateway.config.topics import DeviceOrigin, TopicMap, device_topic
from gateway.integrations.lock_guard.file import GuardFile, RadioDoor, RadioLock, RadioSection
from gateway.integrations.lock_guard.ledger import Ledger
from gateway.integrations.lock_guard.messages import Timing
from gateway.integrations.lock_guard.process import GuardProcess
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import InboundMessage, NotSent, Sent
from gateway.mqtt.publisher import GATEWAY_BIRTH_AND_WILL
from gateway.protocol.keys import command_key, create_key, load_key
from gateway.runtime.guard_client import GuardClient
from gateway.system.clock import boot_time_s
from gateway.system.mqtt_settings import BrokerSection
from tests.mosquitto import Mosquitto, mosquitto
from tests.waiting import wait_until

LOCK, DOOR = "front-lock", "front-door"
COMMAND_LIFETIME_S = 1.0  # seconds that a command is good for
ADDRESS, SENSOR_ADDRESS = "io://1/2", "io://1/3"
EVENT_TIMEOUT_S = 30.0  # seconds within which what must come has come, on a machine that has much else to do
START_TIMEOUT_S = 40  # seconds, or questions, until a guard that starts anew has answered on a machine that is overrun
QUICK_TIMING = Timing(nonce_life=15, answer=2, stable=0.3, again=0.5, moving=1)
OPEN_ACCESS_LIST = "\n".join(f"user {name}\ntopic readwrite #" for name in ("gateway", "attacker", LOCK, "back-lock"))


@dataclass
class CapturedMessage:
    """One message on the house's broker, as the attacker has it."""

    topic: str
    payload: bytes
    properties: Properties | None


@dataclass
class Attacker:
    """He owns the house's broker: he hears all of it and says what he likes."""

    client: aiomqtt.Client
    letters: list[CapturedMessage] = field(default_factory=list)

    async def listen(self) -> None:
        async for message in self.client.messages:
            self.letters.append(CapturedMessage(message.topic.value, bytes(message.payload), message.properties))

    async def say(
        self, topic: str, payload: bytes, properties: Properties | None = None, *, retain: bool = False
    ) -> None:
        await self.client.publish(topic, payload, 1, retain, properties=properties)

    def of(self, topic: str) -> list[CapturedMessage]:
        return [letter for letter in self.letters if letter.topic == topic]


class GatewaySide:
    """The gateway's side as app.py builds it, and what reaches the entrances of it."""

    def __init__(self, home: Home) -> None:
        self.home, self.topics = home, TopicMap(home)
        self.heard: list[tuple[str, Report, InboundMessage]] = []
        self.session = 0
        self.line = MqttClient(
            broker=home.broker, subscriptions=self.topics.subscriptions, session_number=self._next,
            on_message=self._on_message, on_up=lambda _session: self.guarded.on_connected(), on_down=lambda _why: None,
            on_missed=lambda _topic: None, monotonic=time.monotonic, birth_and_will=GATEWAY_BIRTH_AND_WILL,
        )  # fmt: skip
        self.guarded = GuardClient(home, publisher=self.line, monotonic=time.monotonic)
        self.number = 0

    async def _next(self) -> int:
        self.session += 1
        return self.session

    def _on_message(self, incoming: InboundMessage) -> None:
        origin = self.topics.origin(incoming.topic)
        assert isinstance(origin, DeviceOrigin)
        for device, channel, told in self.guarded.on_message(origin.devices, origin.channel, incoming):
            section = self.home.devices[device]
            for report in VENDORS[section.vendor].decode_report(channel, told.payload, section.device_ref):
                self.heard.append((device, report, told))

    def ask(self, device: str) -> int:
        """Ask as the hands do; returns the question's number."""
        self.number += 1
        letter = VENDORS["guard"].encode_command(asked.QueryState(), self.home.devices[device].device_ref)
        self.guarded.publish(
            device_topic(self.home, device, letter.suffix), letter.payload,
            correlation=f"{self.session}:{self.number}".encode(),
        )  # fmt: skip
        return self.number

    def answers(self, device: str, number: int) -> list[Report]:
        return [report for d, report, told in self.heard if d == device and told.answered_query == number]

    async def answer(self, device: str) -> Report:
        """Ask, and again where nothing comes, as the rules do."""
        for _ in range(START_TIMEOUT_S):
            number = self.ask(device)
            with contextlib.suppress(TimeoutError):
                await wait_until(lambda n=number: bool(self.answers(device, n)), 0.8)  # type: ignore[misc]  # its default
                return self.answers(device, number)[0]
        raise TimeoutError(device)

    def unlock(self, intent: str, *, life: float = COMMAND_LIFETIME_S) -> Sent | NotSent:
        return self._move(asked.UnlockDoor, intent, life)

    def lock(self, intent: str, *, life: float = COMMAND_LIFETIME_S) -> Sent | NotSent:
        return self._move(asked.LockDoor, intent, life)

    def _move(self, kind: type[asked.UnlockDoor] | type[asked.LockDoor], intent: str, life: float) -> Sent | NotSent:
        told = next(told for device, _, told in reversed(self.heard) if device == LOCK and told.boot is not None)
        now = datetime.now(UTC)
        assert told.uptime_ms is not None
        command = kind(
            id=f"{intent}-{secrets.token_hex(2)}", intent=intent, issued_at=now,
            expires_at=now + timedelta(seconds=life), boot=told.boot, until_ms=told.uptime_ms + int(life * 1000),
        )  # fmt: skip
        letter = VENDORS["guard"].encode_command(command, self.home.devices[LOCK].device_ref)
        return self.guarded.publish(
            device_topic(self.home, LOCK, letter.suffix), letter.payload, expiry=max(1, round(life)), immediate=True
        )

    def refusals(self) -> list[OperationError]:
        return [report.failure for _, report, _ in self.heard if isinstance(report, ErrorReport)]


@dataclass
class GuardTestbed:
    """All of it."""

    folder: Path
    house: Mosquitto
    radio: Mosquitto
    box: GatewaySide
    attacker: Attacker
    residence: Residence
    log: Path
    file: GuardFile

    def moves(self, bolt: str) -> int:
        """How often the bolt was `withdrawn` or `thrown`, by the house's own log."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return sum(line["what"] == "bolt" and line.get("state") == bolt for line in lines)

    @contextlib.asynccontextmanager
    async def guard(
        self, file: GuardFile | None = None, *, mono: Callable[[], float] = boot_time_s
    ) -> AsyncIterator[GuardProcess]:
        """Run the guard in this process, until left."""
        file = file or self.file
        ledger = Ledger.open(file.folder)
        process = GuardProcess(file, key=load_key(file.key), ledger=ledger, mono=mono)
        task = asyncio.create_task(process.run())
        try:
            yield process
        finally:
            task.cancel()
            await asyncio.wait([task])
            ledger.close()

    async def ready(self) -> None:
        """Lock and door have answered, and the gateway has a challenge."""
        await wait_until(
            lambda: bool(self.attacker.of(f"perron/{LOCK}/event")) and self.box.session > 0, START_TIMEOUT_S
        )
        assert isinstance(await self.box.answer(LOCK), LockReport)
        assert isinstance(await self.box.answer(DOOR), DoorReport)

    async def unlocks(self, intent: str) -> None:
        """The gateway unlocks, as it should."""
        before = self.moves("withdrawn")
        await self.box.answer(LOCK)
        assert isinstance(self.box.unlock(intent), Sent)
        await wait_until(lambda: self.moves("withdrawn") == before + 1)

    async def locks(self, intent: str) -> None:
        before = self.moves("thrown")
        await self.box.answer(LOCK)
        assert isinstance(self.box.lock(intent), Sent)
        await wait_until(lambda: self.moves("thrown") == before + 1)


def guard_file(  # noqa: PLR0913 - what a guard stands between
    folder: Path, house: Mosquitto, radio: Mosquitto, gateway: str, *, lock: str = LOCK, silent: float = 60
) -> GuardFile:
    for name, broker in ((lock, house), ("guard", radio)):
        (folder / f"{name}.password").write_text(broker.accounts[name])
    return GuardFile(
        lock=lock, gateway=gateway, key=folder / f"{lock}.pem", folder=folder / f"ledger-{lock}", silent=silent,
        latency=0.5, timing=QUICK_TIMING,
        house=BrokerSection(port=house.port, username=lock, password_file=folder / f"{lock}.password"),
        radio=RadioSection(
            broker=BrokerSection(port=radio.port, username="guard", password_file=folder / "guard.password"),
            lock=RadioLock(vendor="somfy", id="bolt", address=ADDRESS),
            door=RadioDoor(vendor="somfy", id="leaf", address=SENSOR_ADDRESS),
        ),
    )  # fmt: skip


@contextlib.asynccontextmanager
async def guard_testbed(folder: Path, *, silent: float = 60) -> AsyncIterator[GuardTestbed]:
    """Set everything up but the guard itself, and take it down again."""
    accounts = {name: secrets.token_hex(8) for name in ("gateway", "attacker", LOCK, "back-lock")}
    behind = {name: secrets.token_hex(8) for name in ("guard", "bolt", "leaf")}
    rights = "user guard\ntopic readwrite #\npattern readwrite perron/%u/#\n"
    async with contextlib.AsyncExitStack() as stack:
        house = await stack.enter_async_context(mosquitto(accounts, OPEN_ACCESS_LIST))
        radio = await stack.enter_async_context(mosquitto(behind, rights))
        (folder / "gateway.password").write_text(accounts["gateway"])
        guards = {lock: create_key(folder / f"{lock}.pem") for lock in (LOCK, "back-lock")}
        home = Home(
            box="box", name="House", storage=Storage(folder=folder),
            broker=BrokerSection(port=house.port, password_file=folder / "gateway.password"),
            devices={
                LOCK: LockDevice(kind="lock", vendor="guard", address=LOCK,
                                 guard=GuardSection(key=guards[LOCK].public.text)),
                DOOR: DoorDevice(kind="door", vendor="guard", address=LOCK),
            },
            entrances={},
        )  # fmt: skip
        file = guard_file(folder, house, radio, command_key(folder / "key").public.text, silent=silent)
        log = folder / "house.jsonl"
        residence = Residence(
            SimulatedHouse(
                broker=SimulatedBroker(port=radio.port),
                devices={
                    "bolt": LockPlan(kind="lock", vendor="somfy", address=ADDRESS, guarded=False, latency_s=0.05,
                                     password=behind["bolt"]),
                    "leaf": DoorPlan(kind="door", vendor="somfy", address=SENSOR_ADDRESS, password=behind["leaf"]),
                },
            ),
            {}, "", stack.enter_context(PhysicalLog(log)), seed=1,
        )  # fmt: skip
        box = GatewaySide(home)
        attacker = Attacker(
            await stack.enter_async_context(
                aiomqtt.Client(
                    "127.0.0.1",
                    house.port,
                    username="attacker",
                    password=accounts["attacker"],
                    protocol=aiomqtt.ProtocolVersion.V5,
                )
            )
        )
        await attacker.client.subscribe("#", 1)
        works = [*(device.run() for device in residence.devices.values()), attacker.listen()]
        tasks = [asyncio.create_task(work) for work in works]
        tasks += [asyncio.create_task(work, name="gateway") for work in (box.line.run(), box.guarded.run())]
        try:
            yield GuardTestbed(folder, house, radio, box, attacker, residence, log, file)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def correlation_properties(data: bytes) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.CorrelationData = data
    return properties


LOCKED, UNLOCKED, CLOSED = (
    LockReport(bolt=LockState.LOCKED),
    LockReport(bolt=LockState.UNLOCKED),
    DoorReport(door=DoorState.CLOSED),
)
SET, RESULT = f"perron/{LOCK}/{TopicSuffix.SET}", f"perron/{LOCK}/{TopicSuffix.RESULT}"
