"""`perron matter` between a real broker and a Matter server, which may be the simulated one."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.commands import ClearCode, SetCode
from devices.reports import AvailabilityReport, CodesReport, Report
from devices.simulators.device import DeviceSite
from devices.simulators.doorway import Doorway
from devices.simulators.house import MatterPlan, SimulatedBroker
from devices.simulators.matter import MatterServer
from devices.simulators.physical_log import PhysicalLog
from devices.vendors import matter
from devices.vendors.words import DeviceRef, TopicSuffix
from gateway.integrations.matter.file import MatterFile
from gateway.integrations.matter.process import MatterProcess
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.devices.street import gateway_client
from tests.mosquitto import Mosquitto, mosquitto
from tests.waiting import wait_until

BASE = "matter"
ACCESS_LIST = f"""\
user gateway
topic readwrite #
user {BASE}
topic readwrite {BASE}/#
"""
KEYPAD = DeviceRef(kind="keypad")
ONLINE, OFFLINE = AvailabilityReport(online=True), AvailabilityReport(online=False)


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message of the process; `name`: the endpoint, or `bridge`."""

    name: str
    channel: str
    payload: bytes
    reports: tuple[Report, ...]
    retained: bool
    correlation: bytes | None
    user: Mapping[str, str]


@dataclass
class Beside:
    """The house's side of the process: what was said so far, and a gateway that orders and asks."""

    client: aiomqtt.Client
    broker: Mosquitto
    process: MatterProcess
    kinds: Mapping[str, str]  # the kind of each endpoint
    said: list[Said] = field(default_factory=list)
    running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self.running = asyncio.create_task(self.process.run())

    async def end(self) -> None:
        """End it; it ends by no error."""
        assert self.running is not None
        self.running.cancel()
        (end,) = await asyncio.gather(self.running, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError | None), end

    async def listen(self) -> None:
        """Hear all until cancelled."""
        async for message in self.client.messages:
            _, name, channel = message.topic.value.split("/")
            properties: Any = message.properties
            payload = bytes(message.payload)
            if channel in ("set", "get"):
                continue
            suffix = TopicSuffix.BRIDGE if name == "bridge" else TopicSuffix(channel)
            ref = DeviceRef(address=f"{BASE}/{name}", kind=self.kinds.get(name, ""))
            self.said.append(
                Said(
                    name=name, channel=channel, payload=payload, reports=matter.decode_report(suffix, payload, ref),
                    retained=message.retain, correlation=getattr(properties, "CorrelationData", None),
                    user=dict(getattr(properties, "UserProperty", [])),
                )
            )  # fmt: skip

    async def until_said(self, name: str, report: Report, *, after: int = 0, within: float = 20.0) -> Said:
        """Return the first message about this endpoint with this report."""
        found: list[Said] = []

        def is_said() -> bool:
            found[:] = [one for one in self.said[after:] if one.name == name and report in one.reports]
            return bool(found)

        try:
            await wait_until(is_said, within)
        except TimeoutError as error:
            raise AssertionError(f"{name} never said {report}; it said {self.reports(name, after)}") from error
        return found[0]

    async def read_slot(self, name: str, slot: int | None) -> CodesReport:
        """Read a slot of its keypad, or all of them."""
        said = await self.ask(name, json.dumps({"codes": slot}).encode())
        (report,) = matter.decode_report(TopicSuffix.RESULT, said.payload, KEYPAD)
        assert isinstance(report, CodesReport), report
        return report

    async def change_code(self, name: str, command: SetCode | ClearCode) -> Report:
        """Order a code to be stored or deleted; return what became of the order."""
        await self.send(name, matter.encode_command(command, KEYPAD).payload)

        def outcomes() -> list[Report]:
            said = [one for one in self.said if one.name == name and f'"code":"{command.id}"'.encode() in one.payload]
            return [report for one in said for report in matter.decode_report(TopicSuffix.RESULT, one.payload, KEYPAD)]

        await wait_until(outcomes)
        return outcomes()[0]

    def reports(self, name: str, after: int = 0) -> list[Report]:
        """All that was said about this endpoint."""
        return [report for one in self.said[after:] if one.name == name for report in one.reports]

    async def order(self, name: str, id_: str = "v1", *, do: str = "unlock", life: float = 5.0, **more: object) -> None:
        """Order it to unlock, or to lock."""
        now = datetime.now(UTC)
        body = {
            "do": do, "id": id_, "intent": id_, "issued_at": rfc3339(now),
            "expires_at": rfc3339(now + timedelta(seconds=life)), **more,
        }  # fmt: skip
        await self.send(name, json.dumps(body).encode())

    async def send(self, name: str, payload: bytes, *, word: str = "set", retain: bool = False) -> None:
        """Send any payload."""
        await self.client.publish(f"{BASE}/{name}/{word}", payload, qos=1, retain=retain)

    async def ask(self, name: str, payload: bytes = b"{}") -> Said:
        """Ask it, and return its answer."""
        mark = secrets.token_hex(4).encode()
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho leaves it untyped
        properties.CorrelationData = mark
        await self.client.publish(f"{BASE}/{name}/get", payload, qos=1, properties=properties)
        await wait_until(lambda: any(one.correlation == mark for one in self.said))
        return next(one for one in self.said if one.correlation == mark)


def rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextlib.asynccontextmanager
async def beside(folder: Path, url: str, kinds: Mapping[str, str], *, timeout_s: float = 5.0) -> AsyncIterator[Beside]:
    """Run broker and process before the Matter server at `url` until left."""
    password = folder / "broker.password"
    password.write_text("m", encoding="utf-8")
    async with mosquitto({"gateway": "g", BASE: "m"}, ACCESS_LIST) as broker:
        file = MatterFile.model_validate(
            {
                "base": BASE,
                "broker": {"port": broker.port, "username": BASE, "password_file": password},
                "server": {"url": url, "timeout": timeout_s},
            }
        )
        async with gateway_client(broker) as client:
            await client.subscribe(f"{BASE}/#", qos=1)
            one = Beside(client, broker, MatterProcess(file), kinds)
            listening = asyncio.create_task(one.listen())
            one.begin()
            try:
                yield one
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                await one.end()


@dataclass
class SimulatedMatter:
    """The simulated server with its doorway; `again` starts it anew after `end`."""

    server: MatterServer
    doorway: Doorway
    url: str
    make: Any
    running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self.running = asyncio.create_task(self.server.run())

    async def end(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
            self.running = None

    async def again(self) -> None:
        await self.end()
        self.doorway.bolt_moved.clear()
        self.doorway.leaf_moved.clear()
        self.server = self.make()
        self.begin()


LOCK, CONTACT = "5-1", "6-1"
KINDS = {LOCK: "lock", CONTACT: "door"}


@contextlib.asynccontextmanager
async def simulated(folder: Path, *, latency_s: float = 0.05) -> AsyncIterator[SimulatedMatter]:
    """Run the simulated Matter server until left."""
    plan = MatterPlan(port=free_port(), latency_s=latency_s)
    with PhysicalLog(folder / "house.jsonl") as log:
        doorway = Doorway(log)
        site = DeviceSite(broker=SimulatedBroker(), log=log, doorway=doorway, seed=1)

        def make() -> MatterServer:
            return MatterServer(plan, site)

        one = SimulatedMatter(make(), doorway, f"ws://127.0.0.1:{plan.port}/ws", make)
        one.begin()
        try:
            await wait_until(lambda: is_served(plan.port))
            yield one
        finally:
            await one.end()


async def is_served(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@contextlib.asynccontextmanager
async def house(folder: Path, *, timeout_s: float = 5.0) -> AsyncIterator[tuple[Beside, SimulatedMatter]]:
    """The process before the simulated server, whose lock it has found."""
    async with simulated(folder) as server, beside(folder, server.url, KINDS, timeout_s=timeout_s) as one:
        await one.until_said(LOCK, ONLINE)
        yield one, server
