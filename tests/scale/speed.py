"""How much a cluster carries: homes, their memory, jobs a second, and how long one takes at 100 a second."""

import asyncio
import time
from collections.abc import Sequence

from tests.scale.driving import Driver
from tests.scale.keeping import Keeper
from tests.scale.processor import each
from tests.scale.run import DRAINED, Run

AT_ONCE = 3_000  # jobs that wait
RATE, SECONDS = 100, 20.0
RESTS = 10.0  # seconds after the last home has come
ANNOUNCED, ANNOUNCING = 25, 10.0  # a second, seconds
P99, THROUGH = 100.0, 300.0  # milliseconds, jobs a second: the goals


async def speed(run: Run) -> None:
    """Measure, one after the other."""
    await asyncio.sleep(RESTS)
    for node in run.made.nodes:
        name = node.folder.name
        used, empty = node.memory(), run.made.empty.get(name, 0)
        of_a_home = (used - empty) / 1024 / (run.all / len(run.made.nodes))
        run.row(f"memory of {name}, a home at it", f"{of_a_home:.0f} KiB, {used / 2**20:.0f} MiB in all")
    async with run.made.store() as store:
        await _steadily(run, Keeper(store, run.made.fleet))
        await _at_once(run, Keeper(store, run.made.fleet))
    await _announced(run)


async def _steadily(run: Run, keeper: Keeper) -> None:
    # No bell rings for what another process keeps: it is found by looking, once a second where there was nothing.
    await keeper.steadily([f"first-{number}" for number in range(2 * RATE)], RATE)
    names = [f"steady-{number}" for number in range(int(RATE * SECONDS))]
    before = run.used()
    await keeper.steadily(names, RATE)
    await _all_there(run, names)
    run.row("processor time of one", each(before, run.used(), len(names)))
    p50, p99 = _late([run.homes.seen[name] - keeper.kept[name] for name in names if name in run.homes.seen])
    run.row(f"a job at {RATE} a second, from the commit until the home has it, p50", f"{p50:.0f} ms")
    run.row(f"a job at {RATE} a second, p99", f"{p99:.0f} ms", f"{P99:.0f} ms", met=p99 <= P99)


async def _at_once(run: Run, keeper: Keeper) -> None:
    names = [f"waits-{number}" for number in range(AT_ONCE)]
    await keeper.together(names)
    before, began = run.used(), time.monotonic()
    await _all_there(run, names)
    took = max(run.homes.seen[name] for name in names) - began
    await run.until(lambda: run.homes.count().waiting == 0, DRAINED)
    told = time.monotonic() - began
    run.row("processor time of each of those that wait", each(before, run.used(), AT_ONCE))
    run.row(f"{AT_ONCE:,} waiting jobs, delivered to their homes", f"{AT_ONCE / took:.0f} a second",
            f"{THROUGH:.0f}", met=AT_ONCE / took >= THROUGH)  # fmt: skip
    run.row("such jobs, until the signed event of each is stored", f"{AT_ONCE / told:.0f} a second")


async def _announced(run: Run) -> None:
    driver = Driver(run.driver.urls, run.made.fleet, made=run.driver.made)
    before = run.used()
    await driver.steadily(ANNOUNCED, ANNOUNCING)
    await _all_there(run, list(driver.made))
    run.row("processor time of one that is announced", each(before, run.used(), len(driver.made)))
    p50, p99 = _late([run.homes.seen[name] - made.asked for name, made in driver.made.items()])
    run.row(f"an announcement at {ANNOUNCED} a second, from the request until the home has it, p50", f"{p50:.0f} ms")
    run.row(f"an announcement at {ANNOUNCED} a second, p99", f"{p99:.0f} ms")


async def _all_there(run: Run, names: Sequence[str]) -> None:
    await run.until(lambda: all(name in run.homes.seen for name in names), DRAINED)
    assert all(name in run.homes.seen for name in names), "not each home has what is for it"


def _late(seconds: Sequence[float]) -> tuple[float, float]:
    """Half of them, and 99 of 100, are not above these (milliseconds)."""
    late = sorted(seconds)
    return late[len(late) // 2] * 1000, late[int(len(late) * 0.99)] * 1000
