"""Try the hub at scale on this machine: three RabbitMQ nodes, PostgreSQL, two hubs, many simulated homes.

    python -m tests.scale                     1,000 homes, a node killed, 30 s of partition
    python -m tests.scale --homes 5000 --speed    how many homes, how many jobs, how fast

As root, with Debian's rabbitmq-server, postgresql and iproute2. The exit status is 1 where something was lost or done
twice, or came back too late.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import deliveries, home_events, jobs
from tests.scale.cluster import Cluster, cluster, missing_requirement
from tests.scale.driving import LoadDriver
from tests.scale.homes import HomesBroker, ScaleHomes
from tests.scale.plot import plot
from tests.scale.processor import cpu_per_unit
from tests.scale.run import DRAIN_TIMEOUT_S, ResultRow, ScaleRun
from tests.scale.speed import speed

PICTURE = Path("build/scale/run.svg")
PARTITION_S = 30.0  # seconds
RECOVERY_AFTER_KILL_S, RECOVERY_AFTER_HEALING_S = 10.0, 30.0  # seconds: the goals
CONNECTS_PER_S = 100.0  # homes that connect in a second


async def connect(run: ScaleRun) -> None:
    """Wait until all are there."""
    before = run.used()
    took = await run.until(lambda: run.homes.count().there == run.all, 30 + run.all / 8)
    there = run.homes.count().there
    run.row("homes connected", f"{there} in {took:.0f} s", f"{run.all}", met=there == run.all)
    run.row("processor time of each", cpu_per_unit(before, run.used(), run.all))


async def faults(run: ScaleRun, rate: float) -> None:
    """A steady stream, in which a node is killed and comes back, and another is cut off for a while."""
    sending = asyncio.create_task(run.driver.steadily(rate, 1e9))
    try:
        await asyncio.sleep(10)
        await run.made.nodes[0].kill()
        await run.back(run.mark("node 1 killed (-9)"), RECOVERY_AFTER_KILL_S, "homes back after the kill")
        await asyncio.sleep(10)
        await run.made.nodes[0].start()
        await run.made.nodes[0].ready()
        run.mark("node 1 is back")
        await asyncio.sleep(15)
        await run.made.bridge.pull(2)
        run.mark("node 2 cut off")
        await asyncio.sleep(PARTITION_S)
        await run.made.bridge.plug(2)
        await run.back(run.mark("healed"), RECOVERY_AFTER_HEALING_S, "homes back after the healing")
        await asyncio.sleep(15)
    finally:
        run.driver.stop()
        await sending
    run.mark("no more deliveries")


async def wait_until_drained(run: ScaleRun) -> None:
    """Wait until all that was promised is taken and told; count what was lost or done twice."""
    began = time.monotonic()
    promised = len(run.driver.made)
    async with run.made.store() as store:
        while time.monotonic() - began < DRAIN_TIMEOUT_S:
            now = run.homes.count()
            if now.acts >= promised and now.waiting == 0 and await _unfinished(store) == 0:
                break
            await asyncio.sleep(0.5)
        now = run.homes.count()
        lost = sorted(set(run.driver.made) - set(run.homes.seen))
        async with store.reading() as tx:
            kept = await tx.scalar(select(func.count()).select_from(home_events)) or 0
            known = await tx.scalar(select(func.count()).where(deliveries.c.state == "scheduled")) or 0
            all_ = await tx.scalar(select(func.count()).select_from(deliveries)) or 0
    run.row("deliveries promised by HTTP (201)", f"{promised}, {run.driver.again} requests sent again")
    run.row("deliveries lost", str(len(lost)), "0", met=not lost)
    run.row("done twice", str(now.double), "0", met=now.double == 0)
    run.row("jobs that came again and were known", str(now.jobs - now.acts))
    run.row("events kept by the hubs", f"{kept} of {now.acts}", "all", met=kept == now.acts)
    run.row("deliveries that stand as their home said", f"{known} of {all_}", "all", met=known >= all_)
    run.row("drained after", f"{time.monotonic() - began:.0f} s")


async def _unfinished(store: HubStore) -> int:
    async with store.reading() as tx:
        return await tx.scalar(select(func.count()).where(jobs.c.due.is_not(None))) or 0


@contextlib.asynccontextmanager
async def run_homes(made: Cluster, tell: Callable[[str], None]) -> AsyncIterator[ScaleRun]:
    """The homes, and whoever watches them."""
    homes = ScaleHomes(made.fleet.homes, HomesBroker(made.at, made.file.cluster / "authority.pem"))
    run = ScaleRun(made, homes, LoadDriver([hub.url for hub in made.hubs], made.fleet), tell)
    tasks = [asyncio.create_task(homes.run(rate=CONNECTS_PER_S)), asyncio.create_task(run.watch())]
    try:
        yield run
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled() and task.exception() is not None:
                tell(f"what played ended by itself: {task.exception()!r}")


async def scale(homes: int, rate: float, *, fast: bool, tell: Callable[[str], None]) -> ScaleRun:
    """Run one try."""
    async with cluster(homes, tell) as made, run_homes(made, tell) as run:
        await connect(run)
        if fast:
            await speed(run)
        else:
            await faults(run, rate)
        await wait_until_drained(run)
        why = ", ".join(f"{count} x {what}" for what, count in run.homes.lost().most_common(5))
        run.row("why lines of homes ended", why or "none did")
        for number, hub in enumerate(made.hubs, start=1):
            PICTURE.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(hub.log, PICTURE.parent)  # whoever looks for a cause
            run.row(
                f"what hub {number} told", ", ".join(f"{count} x {what}" for what, count in hub.told().most_common(8))
            )
        return run


async def _interrupt_once(work: Coroutine[Any, Any, ScaleRun]) -> ScaleRun:
    """Let Ctrl-C end it once, in good order: whoever is impatient leaves no node behind."""
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: None if task.cancelling() else task.cancel())
    return await task


def table(rows: Sequence[ResultRow]) -> Table:
    """What is shown at the end."""
    made = Table("what", "value", "goal", "")
    for row in rows:
        verdict = {None: "", True: "[green]met[/]", False: "[red]MISSED[/]"}[row.met]
        made.add_row(row.what, row.value, row.goal, verdict)
    return made


def main() -> None:
    """Run it, and show a table and a picture."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--homes", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=10.0, help="deliveries announced in a second")
    parser.add_argument("--speed", action="store_true", help="nothing is killed: measure instead")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    asked = parser.parse_args()
    console, began = Console(), time.monotonic()
    if (why := missing_requirement()) is not None:
        console.print(f"The cluster was not tried: {why}")
        sys.exit(2)

    def tell(what: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {what}", highlight=False)

    run = asyncio.run(_interrupt_once(scale(asked.homes, asked.rate, fast=asked.speed, tell=tell)))
    title = f"{asked.homes} homes on three nodes, {os.cpu_count()} cores"
    plot(run.counts, run.marks, title, PICTURE)
    console.print(table(run.rows))
    console.print(f"The picture: {PICTURE}")
    if asked.json is not None:
        asked.json.write_text(json.dumps([vars(row) for row in run.rows], indent=1))
    sys.exit(any(row.met is False for row in run.rows))


if __name__ == "__main__":
    main()
