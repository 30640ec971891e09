"""A house with many sensors, and what floods it: accounts, topics, payloads."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gateway.config.devices import FridgeDevice
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import ScenarioRun

ROOT = Path(__file__).parents[2]
BRIDGE = "zigbee2mqtt"
OTHER_SCANNER = "other-scanner"


def with_sensors(plan: DemoPlan, *, bridged: int = 0, alone: int = 0) -> DemoPlan:
    """The same house with so many thermometers behind one bridge, so many with accounts of their own, and a scanner."""
    known = plan.home.devices["kitchen-fridge"]
    assert isinstance(known, FridgeDevice)
    devices = dict(plan.home.devices)
    for number in range(bridged):
        zigbee = {"vendor": "zigbee2mqtt", "address": f"{BRIDGE}/sensor {number}"}
        devices[f"bridged-{number}"] = known.model_copy(update=zigbee)
    for number in range(alone):
        devices[f"alone-{number}"] = known.model_copy(update={"address": f"alone-{number}"})
    section = plan.section
    devices[OTHER_SCANNER] = devices[section.scanners[0]]  # a courier's own scanner is not the one that is flooded
    place = section.places["fridge"]
    sensors = [name for name in devices if name.partition("-")[0] in ("bridged", "alone")]
    added = {name: place.model_copy(update={"fridge": name}) for name in sensors}
    scanners = (*section.scanners, OTHER_SCANNER)
    entrance = section.model_copy(update={"places": {**section.places, **added}, "scanners": scanners})
    home = plan.home.model_copy(update={"devices": devices, "entrances": {plan.entrance: entrance}})
    return replace(plan, home=home)


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttFlood:
    """One account publishes on each of its topics so many messages a second; `{n}` in a payload is a number."""

    account: str
    topics: Sequence[str]
    payloads: Sequence[str]
    per_second: float


def bridged_flood(number: int, per_second: float) -> MqttFlood:
    """One bridge's account with so many thermometers, which all rise and fall."""
    topics = [f"{BRIDGE}/sensor {one}" for one in range(number)]
    payloads = [json.dumps({"temperature": 2 + one / 10, "battery": 90}) for one in range(40)]
    return MqttFlood(account=BRIDGE, topics=topics, payloads=payloads, per_second=per_second)


def single_flood(number: int, per_second: float) -> list[MqttFlood]:
    """So many thermometers with an account each."""
    payloads = [
        json.dumps(
            {"components": {"cooler": {"temperatureMeasurement": {"temperature": {"value": 2 + n / 10, "unit": "C"}}}}}
        )
        for n in range(40)
    ]
    return [
        MqttFlood(
            account=f"alone-{one}", topics=[f"perron/alone-{one}/state"], payloads=payloads, per_second=per_second
        )
        for one in range(number)
    ]


def garbage_flood(scanner: str, per_second: float) -> MqttFlood:
    """A scanner's account that sends codes which mean nothing."""
    payload = "garbage{n}"
    return MqttFlood(account=scanner, topics=[f"perron/{scanner}/event"], payloads=[payload], per_second=per_second)


def spec(play: ScenarioRun, floods: Sequence[MqttFlood]) -> Mapping[str, object]:
    """What `python -m tests.flood` is told."""
    folder = play.plan.home.broker.password_file
    assert folder is not None
    return {
        "broker": play.plan.home.broker.port,
        "mqtt": [
            {**asdict(one), "password": (folder.parent / f"{one.account}.password").read_text(encoding="ascii").strip()}
            for one in floods
        ],
    }


@contextlib.asynccontextmanager
async def run_flood(told: Mapping[str, object], folder: Path) -> AsyncIterator[None]:
    """Flood from a process of its own, until left.

    Raises:
        AssertionError: it ended by itself.
    """
    file = folder / "flood.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    with (folder / "flood.log").open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.flood", str(file), stdout=out, stderr=out, cwd=ROOT
        )
    try:
        yield
    finally:
        ended = process.returncode
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()
    assert ended is None, (folder / "flood.log").read_text(encoding="utf-8")[-2000:]


@dataclass(frozen=True, slots=True)
class LoopTurns:
    """How the gateway's loop went since the last reset; see watched.py."""

    turns: int
    stalls: int
    longest_cpu_s: float
    longest_wall_s: float
    rss_kib: int
    at: float


async def read_turns(play: ScenarioRun, *, reset: bool = False) -> LoopTurns:
    """Read the monitor, after its next word; `reset`: begin anew first."""
    folder = play.plan.home.storage.folder
    file = folder / "turns.json"
    if reset:
        (folder / "turns.reset").touch()
        while (folder / "turns.reset").exists():  # noqa: ASYNC110 - it is another process that removes it
            await asyncio.sleep(0.05)
    before = file.stat().st_mtime_ns if file.exists() else 0
    while not file.exists() or file.stat().st_mtime_ns == before:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.05)
    return LoopTurns(**json.loads(file.read_text(encoding="ascii")))


async def wait_until_flooded(play: ScenarioRun) -> None:
    """Wait until the flood has come: a scanner that sends garbage is locked out."""
    await play.watch.wait_until("the scanner locked out", lambda: bool(play.watch.messages(urgent=True)), within=30)
