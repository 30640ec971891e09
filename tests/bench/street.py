"""All devices of all entrances in one client, which answers at once and notes when what arrived."""

import asyncio
import contextlib
import json
import secrets
import socket
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.commands import LockDoor, QueryState, SetSignal, ShowResult, Sound, UnlockDoor
from devices.reports import DoorReport, DoorState, LockReport, LockState, Report, ScanReport, SignalReport
from devices.vendors import VENDORS
from devices.vendors.words import DeviceRef, TopicSuffix
from tests.bench.echo import IN_TOPIC, OUT_TOPIC
from tests.bench.homes import device_address, parcel_code

TIMEOUT_S = 60.0  # seconds, for a machine that does much else
DEVICE_VENDORS = {"lock": "somfy", "door": "somfy", "scanner": "scanner", "signal": "signal"}
POLL_INTERVAL_S = 0.005


@dataclass(slots=True)
class ScanTimes:
    """One scan at one entrance, in seconds of CLOCK_MONOTONIC; 0 is not yet."""

    scanned: float = 0.0
    waited: float = 0.0  # the scanner was told `wait`
    rang: float = 0.0  # the signal confirmed the bell
    unlocked: float = 0.0  # the unlock arrived


class DeviceClient:
    """The other end of every wire. `bell`: seconds until the signal confirms that it rang."""

    def __init__(self, client: aiomqtt.Client, entrances: int) -> None:
        self.entrances = range(entrances)
        self.bell = 0.0
        self.times: dict[int, ScanTimes] = defaultdict(ScanTimes)
        self.states: dict[int, dict[str, object]] = {}
        self._client = client
        self._bolts = dict.fromkeys(self.entrances, LockState.LOCKED)
        self._boot, self._booted = secrets.token_hex(4), time.monotonic()
        self._seqs: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._echoed = asyncio.Event()

    async def listen(self) -> None:
        """Answer until cancelled."""
        async for message in self._client.messages:
            at, topic = time.monotonic(), message.topic.value
            if topic == OUT_TOPIC:
                self._echoed.set()
                continue
            _, device, channel = topic.rsplit("/", 2)
            kind, _, number = device.partition("-")
            if kind == "gate":
                self.states[int(number)] = json.loads(message.payload)
            elif kind in DEVICE_VENDORS:
                command = VENDORS[DEVICE_VENDORS[kind]].decode_command(TopicSuffix(channel), message.payload)
                self._execute(int(number), kind, command, at, getattr(message.properties, "CorrelationData", None))

    def _execute(self, n: int, kind: str, command: object, at: float, correlation: bytes | None) -> None:
        match command:
            case QueryState():
                report: Report = (
                    DoorReport(door=DoorState.CLOSED) if kind == "door" else LockReport(bolt=self._bolts[n])
                )
                self.say(n, kind, report, channel=TopicSuffix.RESULT, correlation=correlation)
            case UnlockDoor():
                self.times[n].unlocked = at
            case LockDoor():
                self._bolts[n] = LockState.LOCKED
                self.say(n, "lock", LockReport(bolt=LockState.LOCKED))
            case SetSignal(id=id_, sound=Sound.RING):
                asyncio.get_running_loop().call_later(self.bell, self._confirm_bell, n, id_)
            case ShowResult(word="wait"):
                self.times[n].waited = at
            case _:
                pass

    def _confirm_bell(self, n: int, id_: str) -> None:
        self.times[n].rang = time.monotonic()
        self.say(n, "signal", SignalReport(id=id_))

    def say(
        self, n: int, kind: str, report: Report, *, channel: TopicSuffix | None = None, correlation: bytes | None = None
    ) -> None:
        """Let a device publish a report, as soon as may be."""
        device = f"{kind}-{n}"
        for letter in VENDORS[DEVICE_VENDORS[kind]].encode_report(report, DeviceRef(device_address(kind, n))):
            out = letter if channel is None else replace(letter, suffix=channel)
            self._seqs[device] += 1
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            uptime = int((time.monotonic() - self._booted) * 1000)
            properties.UserProperty = [
                ("boot", self._boot), ("seq", str(self._seqs[device])), ("uptime", str(uptime)),
            ]  # fmt: skip
            if correlation is not None:
                properties.CorrelationData = correlation
            self._publish(f"perron/{device}/{out.suffix}", out.payload, properties)

    def _publish(self, topic: str, payload: bytes, properties: Properties | None = None) -> None:
        task = asyncio.create_task(self._sent(topic, payload, properties))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sent(self, topic: str, payload: bytes, properties: Properties | None) -> None:
        await self._client.publish(topic, payload, 1, properties=properties)

    async def until_echoed(self) -> None:
        """Return when the echo's process answers: what was sent before it had subscribed is lost."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.echo()
                    return

    async def echo(self) -> float:
        """One round trip through the bare echo, in seconds."""
        self._echoed.clear()
        began = time.monotonic()
        self._publish(IN_TOPIC, b"8L20524752032")
        async with asyncio.timeout(TIMEOUT_S):
            await self._echoed.wait()
        return time.monotonic() - began

    def scan(self, n: int, number: int) -> None:
        """Hold a parcel of a delivery of this entrance before its scanner."""
        self.times[n] = ScanTimes(scanned=time.monotonic())
        self.say(n, "scanner", ScanReport(code=parcel_code(n, number)))

    def let_out(self, n: int) -> None:
        """The bolt is withdrawn, somebody goes in and out again, the door is closed."""
        self._bolts[n] = LockState.UNLOCKED
        self.say(n, "lock", LockReport(bolt=LockState.UNLOCKED))
        self.say(n, "door", DoorReport(door=DoorState.OPEN))
        self.say(n, "door", DoorReport(door=DoorState.CLOSED))

    def ready(self) -> bool:
        """Whether a scan at any entrance would begin a visit."""
        return all(_is_ready(self.states.get(n, {})) for n in self.entrances)

    async def until(self, what: str, true: Callable[[], bool]) -> None:
        """Wait for it.

        Raises:
            RuntimeError: it never came; the text says what is so instead.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not true():  # noqa: ASYNC110 - what is waited for is a state, not one event
                    await asyncio.sleep(POLL_INTERVAL_S)
        except TimeoutError as late:
            other = [s for s in self.states.values() if not _is_ready(s)][:1]
            raise RuntimeError(f"never: {what}; {len(self.states)} entrances known, one is {other}") from late

    async def unlock(self, n: int) -> ScanTimes:
        """The times of a scan whose unlock has come."""
        await self.until(f"an unlock of gate {n}", lambda: self.times[n].unlocked > 0)
        return self.times[n]


def _is_ready(state: dict[str, object]) -> bool:
    return state.get("phase") == "ready" and all(state.get(fact) for fact in ("locked", "closed", "expecting", "disk"))


@contextlib.asynccontextmanager
async def connected_devices(port: int, password: str, entrances: int) -> AsyncIterator[DeviceClient]:
    """Connect all devices."""
    async with aiomqtt.Client(
        "127.0.0.1", port, username="street", password=password, identifier="street",
        protocol=aiomqtt.ProtocolVersion.V5, socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        max_inflight_messages=200,
    ) as client:  # fmt: skip
        client.pending_calls_threshold = 1000  # a whole street speaks at once
        for topic in ("perron/+/set", "perron/+/get", "perron/entrance/+/state", OUT_TOPIC):
            await client.subscribe(topic, 1)
        made = DeviceClient(client, entrances)
        listening = asyncio.create_task(made.listen())
        try:
            yield made
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
