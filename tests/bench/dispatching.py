"""What an announcement costs the hub with its way to the home and back: announced, dispatched, received and told.

Hub and peer (`dispatch_peer.py`) have a broker, a database and homes of their own, and announce in turn. A round is
over when each home has its jobs and each of its events is acknowledged. CPU is that of the hub's process.
"""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.hub.database.store import HubStore
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.bench import machine
from tests.bench.announcing import HOMES, ROUNDS, announce, wait_until_listening
from tests.bench.hub import HubScene, connected_homes, process, scene, start_mosquitto
from tests.bench.line import BenchLine, ShowStatus, median, ms
from tests.scale.driving import LoadDriver
from tests.scale.enrolling import enrol
from tests.scale.homes import HomesBroker, ScaleHomes

GOAL_CPU_S = 1.8e-3


@dataclass(frozen=True)
class Contender:
    """The hub, or its peer."""

    pid: int
    driver: LoadDriver
    homes: ScaleHomes


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    found: list[BenchLine] = []
    for store in ("SQLite", "PostgreSQL"):
        async with scene(store, HOMES, say) as here, peer(here) as other, connected_homes(here.homes) as ready:
            await ready
            say(f"{store}: hub and peer announce, dispatch and hear in turn")
            own = Contender(here.hub, LoadDriver([here.url], here.fleet), here.homes)
            found.append(await _compare(here, own, other, 40 if quick else 400))
    return found


@contextlib.asynccontextmanager
async def peer(here: HubScene) -> AsyncIterator[Contender]:
    """The peer with as many homes, connected."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perron-bench-")))
        if here.server is None:
            database = f"sqlite+aiosqlite:///{folder / 'peer.sqlite3'}"
        else:
            database = here.server.database("peer")
        kept = await HubStore.open(database)
        fleet = await enrol(kept, HOMES, now=datetime.now(UTC), folder=folder)
        await kept.close()
        (broker_port, _), port = start_mosquitto(stack, folder), free_port()
        command = [sys.executable, "-m", "tests.bench.dispatch_peer", str(port), database, str(broker_port)]
        pid = stack.enter_context(process(command))
        await wait_until_listening(port)
        homes = ScaleHomes(fleet.homes, HomesBroker([("127.0.0.1", broker_port)]))
        async with connected_homes(homes) as ready:
            await ready
            driver = LoadDriver([f"http://127.0.0.1:{port}"], fleet)
            yield Contender(pid, driver, homes)


async def _compare(here: HubScene, hub: Contender, other: Contender, count: int) -> BenchLine:
    cpu: dict[str, list[float]] = {"hub": [], "peer": []}
    for turn in range(ROUNDS + 1):
        for name, one in (("peer", other), ("hub", hub)):
            used = machine.cpu(one.pid)
            await announce(one.driver, count)
            await _wait_until_told(one)
            if turn:  # the first round prepares statements
                cpu[name].append((machine.cpu(one.pid) - used) / count)
    of_hub, of_peer = min(cpu["hub"]), min(cpu["peer"])
    return BenchLine(
        bench="dispatching",
        what=f"{here.store}: announced, dispatched, received and told by the box, CPU of the hub for each beside the"
        f" peer's, the lowest of {ROUNDS} rounds",
        value=of_hub * 1000,
        unit="ms",
        ratio=of_hub / of_peer,
        against=f"the peer's {ms(of_peer)}",
        goal=f"<= {ms(GOAL_CPU_S)}",
        met=of_hub <= GOAL_CPU_S,
        parts={
            "median": ms(median(cpu["hub"])),
            "median of the peer": ms(median(cpu["peer"])),
            "sent twice": str(hub.homes.count().double),
        },
        why="SQLite's statements run in the hub's own process",
    )


async def _wait_until_told(one: Contender) -> None:
    async with asyncio.timeout(60):
        while any(name not in one.homes.seen for name in one.driver.made) or one.homes.count().waiting:  # noqa: ASYNC110 - they are counted
            await asyncio.sleep(0.02)
