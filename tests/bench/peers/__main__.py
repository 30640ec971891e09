"""The gateway beside other programs that do the same job on the same broker, in one run: a table, and load curves.

The job: a scan arrives by MQTT, its code must be among 1,000 expected ones and its window open; then the camera's start
and the unlock are published, QoS 1. `make bench-peers` sets up Node-RED and Home Assistant; what is not there is a row
that says why.
"""

import argparse
import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from tests.bench.__main__ import occasion, write_peers
from tests.bench.decision import BELL_DELAY_S, Samples, one_at_a_time
from tests.bench.line import ShowStatus, median, p95
from tests.bench.machine import pss
from tests.bench.measured import PeerRow
from tests.bench.peers.load import curves
from tests.bench.peers.others import BURSTS, PARTS, one_round, others
from tests.bench.peers.running import TOLD
from tests.bench.plot import PICTURE
from tests.bench.progress import progress
from tests.bench.report import number
from tests.bench.scene import BenchScene, scene
from tests.bench.throughput import Loads, Work, visits

ENTRANCES, ROUNDS = 50, 3


@dataclass(slots=True)
class GatewayTimes:
    """The gateway's own rows."""

    samples: Samples = field(default_factory=Samples)
    kinds: dict[str, Work] = field(default_factory=lambda: {name: Work() for name in ("openings", "scans", "visits")})
    memory: float = 0.0
    why: str = ""

    @property
    def rows(self) -> list[PeerRow]:
        """Decision, answer, scan to unlock, visits."""
        opening, single, visits = self.samples.opening, self.samples.single, self.kinds["visits"]
        return [
            self._row("decision to open", [t.unlocked - t.rang for t in opening], self.kinds["openings"], self.memory),
            self._row("scan's answer", [t.waited - t.scanned for t in opening], Work(), None),
            self._row("scan to unlock through the bell", [t.unlocked - t.scanned for t in single],
                      self.kinds["scans"], None),
            self._row(f"whole visits, closed loop of {ENTRANCES}", visits.took, visits, None),
        ]  # fmt: skip

    def _row(self, what: str, took: list[float], work: Work, memory: float | None) -> PeerRow:
        row = PeerRow(what=f"**gateway: {what}**", durable="yes", why=self.why)
        if took:
            row = row.model_copy(update={"p50": median(took) * 1000, "p95": p95(took) * 1000, "memory": memory})
        if work.rates:
            row = row.model_copy(update={"rate": median(work.rates), "cpu": median(work.cpus) * 1000})
        return row


async def measure(only: list[str], say: ShowStatus, *, quick: bool) -> list[PeerRow]:
    """The table's rows."""
    entrances, rounds = (10, 1) if quick else (ENTRANCES, ROUNDS)
    times, floors = GatewayTimes(), tuple(TOLD) if "floors" in only else ("echo",)
    async with (
        scene(entrances=entrances, each=rounds * (2 + 2 * BURSTS), peers=floors) as stage,
        others(stage, only, say) as subjects,
    ):
        loads = Loads(stage)
        for number_ in range(rounds):
            order = [*subjects, *(["gateway"] if "gateway" in only else [])]
            for name in random.sample(order, len(order)):
                say(f"{name}: round {number_ + 1} of {rounds}")
                if name == "gateway" and not times.why:
                    await _gateway(stage, loads, times, say)
                elif name != "gateway" and not subjects[name].why:
                    await one_round(stage, name, subjects[name], entrances)
        for subject in subjects.values():
            if not subject.why:
                subject.memory = pss(subject.pid)
        times.memory = pss(stage.gateway.process.pid)
    if "gateway" in only and not times.why:
        try:
            await visits(times.kinds["visits"], entrances, rounds, say)
        except (RuntimeError, TimeoutError, OSError) as failed:
            times.why = str(failed)[:120] or type(failed).__name__
    return [*(subject.row for subject in subjects.values()), *(times.rows if "gateway" in only else [])]


async def _gateway(stage: BenchScene, loads: Loads, times: GatewayTimes, say: ShowStatus) -> None:
    """One round; once something fails, visits are under way and no further round is possible."""
    try:
        await _gateway_round(stage, loads, times, say)
    except (RuntimeError, TimeoutError, OSError) as failed:
        times.why = str(failed)[:120] or type(failed).__name__


async def _gateway_round(stage: BenchScene, loads: Loads, times: GatewayTimes, say: ShowStatus) -> None:
    kinds: dict[str, Callable[[Work], Awaitable[None]]] = {
        "openings": loads.openings, "scans": loads.scans,
    }  # fmt: skip
    for kind, bell in ((times.samples.opening, BELL_DELAY_S), (times.samples.single, 0.0)):
        say("gateway, one scan at a time")
        await one_at_a_time(stage, loads.take_parcels(), times.samples, kind, bell=bell)
    for name in random.sample(sorted(kinds), len(kinds)):
        say(f"gateway, {name}")
        for _ in range(BURSTS):
            await kinds[name](times.kinds[name])


def table(rows: list[PeerRow]) -> Table:
    """What is shown on the screen."""
    made = Table("", "p50 ms", "p95 ms", "a second", "CPU ms each", "PSS MiB", "durable")
    for row in rows:
        what = row.what.replace("**", "") + (f" ({row.why})" if row.why else "")
        cells = (number(row.p50), number(row.p95), number(row.rate), number(row.cpu), number(row.memory))
        made.add_row(what, *cells, row.durable)
    return made


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.peers",
        description=__doc__,
        epilog="Examples:\n  make bench-peers\n  python -m tests.bench.peers --only node-red --only gateway --quick\n"
        "  python -m tests.bench.peers --write",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="these programs (may be said several times)")
    parser.add_argument("--quick", action="store_true", help="few samples: to see that it works, not to believe")
    parser.add_argument("--no-load", action="store_true", help="the table only, not the curves of latency over load")
    parser.add_argument("--write", action="store_true", help="write table and picture to docs/contributor/bench.md")
    parser.add_argument("--note", default="", help="a sentence for the page, such as what else the machine did")
    options = parser.parse_args()
    console, only = Console(), options.only or list(PARTS)
    with progress(console, "setting up") as say:
        rows = asyncio.run(measure(only, say, quick=options.quick))
    console.print(table(rows))
    now = occasion(options.note, quick=options.quick)
    if options.write:  # now, since the curves may fail
        write_peers(rows, {}, now)
        console.print("written: docs/contributor/bench.md")
    if options.no_load:
        return
    with progress(console, "setting up again, with more entrances") as say:
        load = asyncio.run(curves(only, say, quick=options.quick))
    for name, points in load.items():
        console.print(f"{name}: " + ", ".join(f"{many} at once {p50:.2f} ms" for many, p50 in points))
    if options.write:
        write_peers(rows, load, now)
        console.print(f"written: {PICTURE}")


if __name__ == "__main__":
    main()
