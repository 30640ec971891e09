"""Measure speed as ratios found in one run, and show a table."""

import argparse
import asyncio
import importlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from gateway.cli.failure import Failure
from tests.bench import machine
from tests.bench.line import BenchLine
from tests.bench.measured import Measured, MeasuredBench, MeasuredPeers, Occasion, PeerRow, load, save
from tests.bench.plot import PICTURE, picture
from tests.bench.progress import progress
from tests.bench.report import REPORT, report

# In the order in which they run; each module's docstring says what it measures.
BENCHES = (
    "decision",
    "throughput",
    "door",
    "start",
    "idle",
    "deliveries",
    "recording",
    "faults",
    "pages",
    "replay",
    "announcing",
    "dispatching",
    "hub",
    "cluster",
)

# The errors of a bench whose programs do not start, end too early or do not answer.
UNMEASURED = (Failure, RuntimeError, OSError, AssertionError, aiohttp.ClientError)


async def measure(names: list[str], console: Console, *, quick: bool) -> list[BenchLine]:
    """Run these benches one after the other, with progress on the console's status line."""
    lines: list[BenchLine] = []
    for name in names:
        module = importlib.import_module(f"tests.bench.{name}")
        began = time.monotonic()
        with progress(console, name) as say:
            try:
                found: list[BenchLine] = await module.bench(say, quick=quick)
            except UNMEASURED as failed:  # the others are measured nevertheless, and its row says why
                why = f"{type(failed).__name__}: {str(failed).partition(chr(10))[0][:200]}"
                found = [BenchLine.unmeasured(name, why)]
                console.print_exception(max_frames=3)
        console.print(f"{name}: {time.monotonic() - began:.0f} s")
        lines += found
    return lines


def table(lines: list[BenchLine]) -> Table:
    """What is shown on the screen."""
    made = Table("what", "value", "ratio", "goal", "")
    colours = {None: "dim", True: "green", False: "red"}
    for line in lines:
        ratio = "" if line.ratio is None else f"{line.ratio:.2f} x {line.against}"
        verdict = f"[{colours[line.met]}]{line.verdict}[/]"
        made.add_row(line.what, line.told, ratio, line.goal, verdict)
        for name, value in line.parts.items():
            made.add_row(f"[dim]  {name}", f"[dim]{value}")
    return made


def main() -> None:
    """Measure; the exit status says nothing of goals, since they depend on the machine."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog="Examples:\n  python -m tests.bench --only decision --quick\n  python -m tests.bench --write",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=BENCHES, action="append", help="this bench (may be said several times)")
    parser.add_argument("--quick", action="store_true", help="few samples: to see that it works, not to believe")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the lines there too")
    parser.add_argument("--write", action="store_true", help=f"write these rows to {REPORT.name}")
    parser.add_argument("--note", default="", help="a sentence for the report, such as what else the machine did")
    parser.add_argument("--page", action="store_true", help="measure nothing: write the page of what was measured")
    options = parser.parse_args()
    console = Console()
    if options.page:
        write_page(load())
        return
    lines = asyncio.run(measure(options.only or list(BENCHES), console, quick=options.quick))
    console.print(table(lines))
    for line in lines:
        if line.met is False:
            console.print(f"[red]missed[/] {line.what}: {line.why}", highlight=False)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n", encoding="utf-8")
    if options.write:
        write(lines, occasion(options.note, quick=options.quick))
        console.print(f"written: {REPORT.name}")


def occasion(note: str, *, quick: bool) -> Occasion:
    """Now, on this machine."""
    return Occasion(day=datetime.now(UTC).date().isoformat(), machine=machine.facts(), note=note, quick=quick)


def write_page(measured: Measured) -> None:
    """Write the page, and the picture if there is something to draw."""
    REPORT.write_text(report(measured, BENCHES), encoding="utf-8")
    if measured.peers is not None and measured.peers.load:
        PICTURE.write_text(picture(measured.peers.load), encoding="utf-8")


def write(lines: list[BenchLine], now: Occasion) -> None:
    """Put these rows in the place of the same benches' older ones, and write the page.

    The older rows of a bench that could not be measured stay, and say so.
    """
    measured = load()
    for name in dict.fromkeys(line.bench for line in lines):
        found, older = [line for line in lines if line.bench == name], measured.benches.get(name)
        if older is not None and all(line.is_unmeasured for line in found):
            kept = tuple(line for line in older.lines if not line.is_unmeasured)
            measured.benches[name] = MeasuredBench(occasion=older.occasion, lines=(*kept, *found))
        else:
            measured.benches[name] = MeasuredBench(occasion=now, lines=tuple(_with_earlier_miss(found, older)))
    save(measured)
    write_page(measured)


def _with_earlier_miss(lines: list[BenchLine], older: MeasuredBench | None) -> Iterator[BenchLine]:
    """Yield the lines; a line that misses its goal again gets the value of the run before."""
    missed = {line.what: line for line in older.lines if line.met is False} if older is not None else {}
    for line in lines:
        before = missed.get(line.what)
        if older is None or line.met is not False or before is None:
            yield line
        else:
            yield replace(
                line, earlier=f"{before.told}{f', {before.ratio:.2f} x' if before.ratio else ''}, {older.occasion.day}"
            )


def write_peers(rows: list[PeerRow], load_curves: dict[str, tuple[tuple[int, float], ...]], now: Occasion) -> None:
    """Put the table of peers, and the curves if there are any, in the place of the older ones; write the page."""
    measured = load()
    kept = measured.peers.load if measured.peers is not None and not load_curves else load_curves
    measured.peers = MeasuredPeers(occasion=now, rows=tuple(rows), load=kept)
    save(measured)
    write_page(measured)


if __name__ == "__main__":
    main()
