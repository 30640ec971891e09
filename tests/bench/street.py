"""All devices of all entrances in one client, which answers at once and notes when what arrived."""

import asyncio
import contextlib
import json
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace

from devices.commands import LockDoor, QueryState, SetSignal, ShowResult, Sound, UnlockDoor
from devices.reports import DoorReport, DoorState, LockReport, LockState, Report, ScanReport, SignalReport
from devices.vendors import VENDORS
from devices.vendors.words import DeviceRef, TopicSuffix
from tests.bench.homes import device_address, parcel_code
from tests.bench.wire import LeanClient, connected

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
    """The other end of every wire.

    `bell`: seconds until the signal confirms that it rang; None: when `confirm_bells` is called.
    `on_unlocked`, `on_refused`, `on_busy` and `on_ready` are called with an entrance's number when its unlock came, its
    scan was refused, its state is one of a visit, and a scan may follow.
    """

    def __init__(self, entrances: int) -> None:
        self.entrances = range(entrances)
        self.bell: float | None = 0.0
        self.times: dict[int, ScanTimes] = defaultdict(ScanTimes)
        self.states: dict[int, dict[str, object]] = {}
        self.held_bells: list[tuple[int, str]] = []
        self.on_unlocked: Callable[[int], None] = lambda _n: None
        self.on_ready: Callable[[int], None] = lambda _n: None
        self.on_busy: Callable[[int], None] = lambda _n: None
        self.on_refused: Callable[[int], None] = lambda _n: None
        self.client = LeanClient(self._on_message)
        self._bolts = dict.fromkeys(self.entrances, LockState.LOCKED)
        self._boot, self._booted = secrets.token_hex(4), time.monotonic()
        self._seqs: Counter[str] = Counter()

    def _on_message(self, topic: str, payload: bytes, correlation: bytes | None, at: float) -> None:
        _, device, channel = topic.rsplit("/", 2)
        kind, _, number = device.partition("-")
        if kind == "gate":
            n = int(number)
            self.states[n] = json.loads(payload)
            if is_ready(self.states[n]):
                self.on_ready(n)
            elif self.states[n].get("phase") != "ready":
                self.on_busy(n)
        elif kind in DEVICE_VENDORS:
            command = VENDORS[DEVICE_VENDORS[kind]].decode_command(TopicSuffix(channel), payload)
            self._execute(int(number), kind, command, at, correlation)

    def _execute(self, n: int, kind: str, command: object, at: float, correlation: bytes | None) -> None:
        match command:
            case QueryState():
                report: Report = (
                    DoorReport(door=DoorState.CLOSED) if kind == "door" else LockReport(bolt=self._bolts[n])
                )
                self.say(n, kind, report, channel=TopicSuffix.RESULT, correlation=correlation)
            case UnlockDoor():
                self.times[n].unlocked = at
                self.on_unlocked(n)
            case LockDoor():
                self._bolts[n] = LockState.LOCKED
                self.say(n, "lock", LockReport(bolt=LockState.LOCKED))
            case SetSignal(id=id_, sound=Sound.RING):
                if self.bell is None:
                    self.held_bells.append((n, id_))
                elif self.bell == 0:
                    self._confirm_bell(n, id_)
                else:
                    asyncio.get_running_loop().call_later(self.bell, self._confirm_bell, n, id_)
            case ShowResult(word="wait"):
                self.times[n].waited = at
            case ShowResult(word="no"):
                self.on_refused(n)
            case _:
                pass

    def _confirm_bell(self, n: int, id_: str) -> None:
        self.times[n].rang = time.monotonic()
        self.say(n, "signal", SignalReport(id=id_))

    def confirm_bells(self) -> None:
        """Confirm all bells that were held, at once."""
        held, self.held_bells = self.held_bells, []
        for n, id_ in held:
            self._confirm_bell(n, id_)

    def say(
        self, n: int, kind: str, report: Report, *, channel: TopicSuffix | None = None, correlation: bytes | None = None
    ) -> None:
        """Let a device publish a report, now."""
        device = f"{kind}-{n}"
        for letter in VENDORS[DEVICE_VENDORS[kind]].encode_report(report, DeviceRef(device_address(kind, n))):
            out = letter if channel is None else replace(letter, suffix=channel)
            self._seqs[device] += 1
            uptime = int((time.monotonic() - self._booted) * 1000)
            user = (("boot", self._boot), ("seq", str(self._seqs[device])), ("uptime", str(uptime)))
            self.client.publish(f"perron/{device}/{out.suffix}", out.payload, correlation=correlation, user=user)

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
        return all(is_ready(self.states.get(n, {})) for n in self.entrances)

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
            other = [s for s in self.states.values() if not is_ready(s)][:1]
            raise RuntimeError(f"never: {what}; {len(self.states)} entrances known, one is {other}") from late

    async def unlock(self, n: int) -> ScanTimes:
        """The times of a scan whose unlock has come."""
        await self.until(f"an unlock of gate {n}", lambda: self.times[n].unlocked > 0)
        return self.times[n]


def is_ready(state: Mapping[str, object]) -> bool:
    """Whether an entrance with this state would take a scan."""
    facts = ("locked", "closed", "expecting", "disk")
    return state.get("phase") == "ready" and all(state.get(fact) for fact in facts)


@contextlib.asynccontextmanager
async def connected_devices(port: int, password: str, entrances: int) -> AsyncIterator[DeviceClient]:
    """Connect all devices."""
    devices = DeviceClient(entrances)
    async with connected(devices.client, port, "street", password):
        await devices.client.subscribe("perron/+/set", "perron/+/get", "perron/entrance/+/state")
        yield devices
