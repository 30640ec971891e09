"""How much a cluster carries: homes, their memory, jobs a second, and how long one takes at 100 a second."""

import asyncio
import time
from collections.abc import Sequence

from tests.scale.driving import LoadDriver
from tests.scale.keeping import JobWriter
from tests.scale.processor import cpu_per_unit
from tests.scale.run import DRAIN_TIMEOUT_S, ScaleRun

WAITING_JOBS = 3_000  # jobs that wait
JOBS_PER_S, RATE_DURATION_S = 100, 20.0
SETTLE_S = 10.0  # seconds after the last home has come
ANNOUNCEMENTS_PER_S, ANNOUNCE_DURATION_S = 25, 10.0  # a second, seconds
GOAL_P99_MS, GOAL_JOBS_PER_S = 100.0, 300.0  # milliseconds, jobs a second: the goals


async def speed(run: ScaleRun) -> None:
    """Measure, one after the other."""
    await asyncio.sleep(SETTLE_S)
    for node in run.made.nodes:
        name = node.folder.name
        used, empty = node.memory(), run.made.empty.get(name, 0)
        of_a_home = (used - empty) / 1024 / (run.all / len(run.made.nodes))
        run.row(f"memory of {name}, a home at it", f"{of_a_home:.0f} KiB, {used / 2**20:.0f} MiB in all")
    async with run.made.store() as store:
        await _steadily(run, JobWriter(store, run.made.fleet))
        await _at_once(run, JobWriter(store, run.made.fleet))
    await _announced(run)


async def _steadily(run: ScaleRun, keeper: JobWriter) -> None:
    # No bell rings for what another process keeps: it is found by looking, once a second where there was nothing.
    await keeper.steadily([f"first-{number}" for number in range(2 * JOBS_PER_S)], JOBS_PER_S)
    names = [f"steady-{number}" for number in range(int(JOBS_PER_S * RATE_DURATION_S))]
    before = run.used()
    await keeper.steadily(names, JOBS_PER_S)
    await _wait_for_all(run, names)
    run.row("processor time of one", cpu_per_unit(before, run.used(), len(names)))
    p50, p99 = _delay_percentiles(
        [run.homes.seen[name] - keeper.kept[name] for name in names if name in run.homes.seen]
    )
    run.row(f"a job at {JOBS_PER_S} a second, from the commit until the home has it, p50", f"{p50:.0f} ms")
    run.row(f"a job at {JOBS_PER_S} a second, p99", f"{p99:.0f} ms", f"{GOAL_P99_MS:.0f} ms", met=p99 <= GOAL_P99_MS)


async def _at_once(run: ScaleRun, keeper: JobWriter) -> None:
    names = [f"waits-{number}" for number in range(WAITING_JOBS)]
    await keeper.together(names)
    before, began = run.used(), time.monotonic()
    await _wait_for_all(run, names)
    took = max(run.homes.seen[name] for name in names) - began
    await run.until(lambda: run.homes.count().waiting == 0, DRAIN_TIMEOUT_S)
    told = time.monotonic() - began
    run.row("processor time of each of those that wait", cpu_per_unit(before, run.used(), WAITING_JOBS))
    run.row(f"{WAITING_JOBS:,} waiting jobs, delivered to their homes", f"{WAITING_JOBS / took:.0f} a second",
            f"{GOAL_JOBS_PER_S:.0f}", met=WAITING_JOBS / took >= GOAL_JOBS_PER_S)  # fmt: skip
    run.row("such jobs, until the signed event of each is stored", f"{WAITING_JOBS / told:.0f} a second")


async def _announced(run: ScaleRun) -> None:
    driver = LoadDriver(run.driver.urls, run.made.fleet, made=run.driver.made)
    before = run.used()
    await driver.steadily(ANNOUNCEMENTS_PER_S, ANNOUNCE_DURATION_S)
    await _wait_for_all(run, list(driver.made))
    run.row("processor time of one that is announced", cpu_per_unit(before, run.used(), len(driver.made)))
    p50, p99 = _delay_percentiles([run.homes.seen[name] - made.asked for name, made in driver.made.items()])
    run.row(
        f"an announcement at {ANNOUNCEMENTS_PER_S} a second, from the request until the home has it, p50",
        f"{p50:.0f} ms",
    )
    run.row(f"an announcement at {ANNOUNCEMENTS_PER_S} a second, p99", f"{p99:.0f} ms")


async def _wait_for_all(run: ScaleRun, names: Sequence[str]) -> None:
    await run.until(lambda: all(name in run.homes.seen for name in names), DRAIN_TIMEOUT_S)
    assert all(name in run.homes.seen for name in names), "not each home has what is for it"


def _delay_percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Half of them, and 99 of 100, are not above these (milliseconds)."""
    late = sorted(seconds)
    return late[len(late) // 2] * 1000, late[int(len(late) * 0.99)] * 1000
