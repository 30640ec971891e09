"""A simulated house at a real broker, and somebody in the street who talks to its devices as a gateway would."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.reports import Report
from devices.simulators.control import HouseControl, SetFault
from devices.simulators.house import SimulatedHouse
from devices.simulators.physical_log import read_log
from devices.simulators.residence import run
from devices.vendors import VENDORS
from devices.vendors.words import DeviceRef, TopicSuffix
from tests.mosquitto import Mosquitto, mosquitto

M = TypeVar("M", UnlockDoor, LockDoor)

TIMEOUT_S = 30.0  # seconds, on a loaded machine
LOCK = {"kind": "lock", "vendor": "somfy", "address": "io://1/1", "latency_s": 0.05}
DOOR = {"kind": "door", "vendor": "somfy", "address": "io://1/2"}
SCANNER = {"kind": "scanner", "vendor": "scanner"}
SIGNAL = {"kind": "signal", "vendor": "signal"}
SPEAKER = {"kind": "speaker", "vendor": "esphome"}
OPENER = {"kind": "cover", "vendor": "esphome", "latency_s": 0.05, "travel_s": 0.8}
REED = {"kind": "door", "vendor": "esphome"}
FRIDGE = {"kind": "fridge", "vendor": "smartthings"}
FRONT_DOOR = {"front-lock": LOCK, "front-door": DOOR}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMessage:
    """One message of a device, with all that MQTT carries beside it."""

    device: str
    channel: TopicSuffix
    retained: bool
    reports: tuple[Report, ...]
    correlation: bytes | None
    boot: str | None
    seq: int | None
    uptime_ms: int | None


@dataclass
class HouseClient:
    """The house's strings (`house`), its physical log, and all that was said so far (`said`)."""

    house: HouseControl
    client: aiomqtt.Client
    log: Path
    vendors: Mapping[str, str]
    device_refs: Mapping[str, DeviceRef]
    topics: Mapping[str, Mapping[TopicSuffix, str]]
    said: list[DeviceMessage] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    asked: int = 0

    async def listen(self) -> None:
        """Hear all devices until cancelled."""
        sources = {
            topic: (device, channel)
            for device, topics in self.topics.items()
            for channel, topic in topics.items()
            if channel not in (TopicSuffix.SET, TopicSuffix.GET)
        }
        async for message in self.client.messages:
            if message.topic.value not in sources:
                continue
            device, channel = sources[message.topic.value]
            properties: Any = message.properties
            user = dict(getattr(properties, "UserProperty", []))
            said = DeviceMessage(
                device=device,
                channel=channel,
                retained=message.retain,
                reports=VENDORS[self.vendors[device]].decode_report(
                    channel, bytes(message.payload), self.device_refs[device]
                ),
                correlation=getattr(properties, "CorrelationData", None),
                boot=user.get("boot"),
                seq=int(user["seq"]) if "seq" in user else None,
                uptime_ms=int(user["uptime"]) if "uptime" in user else None,
            )
            async with self.news:
                self.said.append(said)
                self.news.notify_all()

    async def until(self, wanted: Callable[[DeviceMessage], bool], *, after: int = 0) -> DeviceMessage:
        """Return the first message that is `wanted` beyond the first `after` messages."""
        async with asyncio.timeout(TIMEOUT_S), self.news:
            while True:
                for said in self.said[after:]:
                    if wanted(said):
                        return said
                await self.news.wait()

    async def until_said(self, device: str, report: Report, *, after: int = 0) -> DeviceMessage:
        """Return the first message in which `device` says exactly this."""
        return await self.until(lambda said: said.device == device and report in said.reports, after=after)

    async def until_logged(self, what: str, **facts: object) -> Mapping[str, object]:
        """Return the first line of the physical log that has these facts."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                for line in self.logged(what):
                    if facts.items() <= line.items():
                        return line
                await asyncio.sleep(0.01)

    def logged(self, what: str) -> list[Mapping[str, object]]:
        """Return the physical log's lines of this kind."""
        return [line for line in read_log(self.log) if line["what"] == what]

    async def fault(self, device: str, fault: str, on: bool | float | str = True) -> None:  # noqa: FBT002  as in Fault
        """Switch a fault."""
        await self.house.ask(SetFault(device=device, fault=fault, on=on))

    async def tell(self, device: str, command: Command, *, retain: bool = False) -> None:
        """Send a command."""
        letter = VENDORS[self.vendors[device]].encode_command(command, self.device_refs[device])
        await self.client.publish(self.topics[device][letter.suffix], letter.payload, qos=1, retain=retain)

    async def question(self, device: str) -> bytes:
        """Ask a device for its state; returns the question's correlation data."""
        self.asked += 1
        number = f"1:{self.asked}".encode()
        letter = VENDORS[self.vendors[device]].encode_command(
            QueryState(echo=number.decode()), self.device_refs[device]
        )
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho annotates it in part
        properties.ResponseTopic = f"perron/{device}/result"
        properties.CorrelationData = number
        topic = self.topics[device][TopicSuffix.GET]
        await self.client.publish(topic, letter.payload, qos=1, properties=properties)
        return number

    async def ask(self, device: str) -> DeviceMessage:
        """Ask a device for its state, and return its first answer."""
        number = await self.question(device)
        return await self.until(lambda said: said.channel is TopicSuffix.RESULT and said.correlation == number)


async def make_unlock(street: HouseClient, id_: str = "u1", *, life: float = 5.0) -> UnlockDoor:
    """Build an unlock that the front lock's own countdown lets live so long."""
    answer = await street.ask("front-lock")
    assert answer.uptime_ms is not None
    return make_movement(UnlockDoor, id_, life=life, boot=answer.boot, until_ms=int(answer.uptime_ms + life * 1000))


def make_movement(
    kind: type[M], id_: str, *, life: float = 5.0, boot: str | None = None, until_ms: int | None = None
) -> M:
    """Build a command that begins now."""
    now = datetime.now(UTC)
    return kind(
        id=id_, intent="v1", issued_at=now, expires_at=now + timedelta(seconds=life), boot=boot, until_ms=until_ms
    )


@contextlib.asynccontextmanager
async def connected_house(
    folder: Path, devices: Mapping[str, object] = FRONT_DOOR, things: Mapping[str, object] | None = None
) -> AsyncIterator[HouseClient]:
    """Run a broker and a house with these devices and things in `folder`, all connected, until left."""
    names = list(devices)
    async with (
        mosquitto({"gateway": "g", **dict.fromkeys(names, "d")}, _access_list(devices)) as broker,
        asyncio.TaskGroup() as group,
    ):
        house = _house(broker, devices, things or {})
        control, log = folder / "control", folder / "log"
        living = group.create_task(run(house, control, log, seed=1))
        async with asyncio.timeout(TIMEOUT_S):
            while not control.exists():
                await asyncio.sleep(0.01)
                assert not living.done()
        async with HouseControl(control) as strings, gateway_client(broker) as client:
            there = HouseClient(
                house=strings,
                client=client,
                log=log,
                vendors={name: plan.vendor for name, plan in house.devices.items()},
                device_refs={name: plan.device_ref for name, plan in house.devices.items()},
                topics={name: plan.topics(name) for name, plan in house.devices.items()},
            )
            # as it was published, and the stored ones first: so tests see what is retained
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            await client.subscribe("#", options=options)
            listening = group.create_task(there.listen())
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await strings.until_connected()
                yield there
            finally:
                listening.cancel()
                await asyncio.wait((listening,))  # before its client leaves
        living.cancel()


ACCESS_LIST = """\
user gateway
topic readwrite #
pattern write perron/%u/state
pattern write perron/%u/availability
pattern write perron/%u/event
pattern write perron/%u/result
pattern read perron/%u/set
pattern read perron/%u/get
"""


def _access_list(devices: Mapping[str, object]) -> str:
    """Let each device of a product with topics of its own use those."""
    lines = [ACCESS_LIST]
    for name, plan in devices.items():
        keys = ("address", "kind")
        address, kind = (str(plan.get(key, "")) if isinstance(plan, dict) else "" for key in keys)
        vendor = str(plan["vendor"]) if isinstance(plan, dict) else ""
        product = VENDORS[vendor].DEFINITION.topics(DeviceRef(address=address, kind=kind))
        if product:
            lines += [f"user {name}", *(f"topic readwrite {topic}" for topic in product.values())]
    return "\n".join(lines) + "\n"


def _house(broker: Mosquitto, devices: Mapping[str, object], things: Mapping[str, object]) -> SimulatedHouse:
    plans = {name: {**plan, "password": "d"} for name, plan in devices.items() if isinstance(plan, dict)}
    return SimulatedHouse.model_validate(
        {
            "broker": {"host": broker.host, "port": broker.port},
            "rtsp": {"port": 0},
            "devices": plans,
            "things": things,
        }
    )


def gateway_client(broker: Mosquitto) -> aiomqtt.Client:
    """Return a client that may say and hear everything."""
    return aiomqtt.Client(
        broker.host,
        broker.port,
        identifier="gateway",
        username="gateway",
        password="g",  # noqa: S106  a broker of this test's own
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
