"""What an announcement costs the hub, beside a peer of few lines that stores the same rows as durably.

Hub, peer and database are processes of their own, and announce in turn, so that both meet the same machine. CPU counts:
it depends little on who else works. The hub has no broker here; `tests/bench/hub.py` has.

How many one core carries is measured with the hub alone on it. Database and retailer share the other core, so it is the
hub that is full.
"""

import asyncio
import contextlib
import os
import sys

import aiohttp

from gateway.mqtt.mosquitto.provisioning import free_port
from tests.bench import machine
from tests.bench.bare_client import BareClient
from tests.bench.hub import HubScene, p99, process, scene
from tests.bench.line import BenchLine, ShowStatus, median, ms
from tests.scale.driving import LoadDriver

MAX_REQUESTS_IN_FLIGHT = 8
ROUNDS = 10  # whose lowest counts
HOMES = 100
GOAL_CPU_S, GOAL_RATIO, GOAL_PER_CORE = 1.0e-3, 1.5, 1_000
CONNECTIONS = 32  # of the retailer that fills a core
# Announcements a second, and the goal of their p99 in seconds
STEADY = {"SQLite": ((100, 0.03),), "PostgreSQL": ((100, 0.03), (500, 0.05))}


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    found: list[BenchLine] = []
    for store in ("SQLite", "PostgreSQL"):
        async with scene(store, HOMES, say, with_broker=False) as here:
            say(f"{store}: hub and peer announce in turn")
            found += await _compare(here, 40 if quick else 400)
            for rate, goal in STEADY[store]:
                say(f"{store}: {rate} announcements a second")
                found.append(await _steady(here, rate, goal, 2 if quick else 10))
            if here.server is not None:
                say(f"{store}: as many announcements as one core carries")
                found.append(await _fill_core(here, 2 if quick else 10))
    return found


async def _compare(here: HubScene, count: int) -> list[BenchLine]:
    port = free_port()
    with process([sys.executable, "-m", "tests.bench.hub_peer", str(port), here.database]) as peer_pid:
        drivers = {"peer": LoadDriver([f"http://127.0.0.1:{port}"], here.fleet, _number=10_000_000),
                   "hub": LoadDriver([here.url], here.fleet)}  # fmt: skip
        await wait_until_listening(port)
        pids = {"hub": here.hub, "peer": peer_pid}
        cpu: dict[str, list[float]] = {name: [] for name in drivers}
        for turn in range(ROUNDS + 1):
            for name, driver in drivers.items():
                used = machine.cpu(pids[name])
                await announce(driver, count)
                if turn:  # the first round prepares statements
                    cpu[name].append((machine.cpu(pids[name]) - used) / count)
    waits = {name: [made.answered - made.asked for made in driver.made.values()] for name, driver in drivers.items()}
    hub, peer = min(cpu["hub"]), min(cpu["peer"])
    return [
        BenchLine(
            bench="announcing",
            what=f"{here.store}: announcement, CPU of the hub per request beside the peer's, the lowest of {ROUNDS}"
            " rounds",
            value=hub * 1000,
            unit="ms",
            ratio=hub / peer,
            against=f"the peer's {ms(peer)}",
            goal=f"<= {ms(GOAL_CPU_S)} and <= {GOAL_RATIO} x",
            met=hub <= GOAL_CPU_S and hub <= GOAL_RATIO * peer,
            parts={
                "median": ms(median(cpu["hub"])),
                "median of the peer": ms(median(cpu["peer"])),
                "p99 of the answer": ms(p99(waits["hub"])),
                "p99 of the peer's": ms(p99(waits["peer"])),
            },
            why="the hub also checks the key, limits, terms and parcels, signs the order and encrypts the kept answer",
        )
    ]


async def _steady(here: HubScene, rate: int, goal_s: float, seconds: float) -> BenchLine:
    driver, used = LoadDriver([here.url], here.fleet, _number=20_000_000 + 100_000 * rate), machine.cpu(here.hub)
    await driver.steadily(rate, seconds)
    waits = [made.answered - made.asked for made in driver.made.values()]
    return BenchLine(
        bench="announcing",
        what=f"{here.store}: {rate} announcements a second, from the request until its answer, p99",
        value=p99(waits) * 1000,
        unit="ms",
        goal=f"<= {goal_s * 1000:.0f} ms",
        met=p99(waits) <= goal_s,
        parts={
            "p50": ms(median(waits)),
            "longest": ms(max(waits)),
            "CPU of the hub for each": ms((machine.cpu(here.hub) - used) / len(waits)),
        },
        why="hub, retailer and database share two cores",
    )


async def _fill_core(here: HubScene, seconds: float) -> BenchLine:
    assert here.server is not None
    cores, client = sorted(os.sched_getaffinity(0)), BareClient(here.url, here.fleet)
    own, other = cores[0], cores[-1]
    # The hub is a child of this process, so it gets its own core last.
    with machine.on_core(other, [here.server.pid, os.getpid()]), machine.on_core(own, [here.hub]):
        used = machine.cpu(here.hub)
        rate = await client.announce(CONNECTIONS, seconds)
        used = machine.cpu(here.hub) - used
    return BenchLine(
        bench="announcing",
        what=f"{here.store}: announcements a second with the hub on one core, {CONNECTIONS} connections",
        value=rate,
        unit="/s",
        goal=f">= {GOAL_PER_CORE:,}/s",
        met=rate >= GOAL_PER_CORE,
        parts={
            "p50": ms(median(client.waits)),
            "p99": ms(p99(client.waits)),
            "CPU of the hub for each": ms(used / len(client.waits)),
            "of its core": f"{used / seconds:.0%}",
        },
        why="database and retailer share the other core and fill it first",
    )


async def announce(driver: LoadDriver, count: int) -> None:
    """Announce so many, some at once."""
    async with driver.session() as http:

        async def one_after_the_other() -> None:
            for _ in range(count // MAX_REQUESTS_IN_FLIGHT):
                await driver.one(http)

        await asyncio.gather(*(one_after_the_other() for _ in range(MAX_REQUESTS_IN_FLIGHT)))


async def wait_until_listening(port: int) -> None:
    """Wait until a server of this machine answers."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"http://127.0.0.1:{port}/"):
                    return
            await asyncio.sleep(0.05)
