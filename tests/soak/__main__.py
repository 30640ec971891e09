"""Repeat what `make test` does once: seeded lives of a house, kills at each named point, every scenario in a loop.

Seeds, then broken payloads, then kills, then a house that is flooded through every way in at once, then scenarios for
so many minutes. Every failure is told with the command that replays it; the exit code is 1 if there was any.
"""

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from rich.console import Console
from rich.progress import track

from gateway.cli.failure import Failure
from gateway.demo.run import DemoObserver, run_scenario
from gateway.demo.scenario import Scenario
from gateway.demo.scenarios import SCENARIOS, find_scenarios
from gateway.mqtt.mosquitto.provisioning import BrokerMissing
from tests.gateway.integrations.lock_guard import killing
from tests.house import life
from tests.soak import flooded
from tests.wire import broken

ROOT = Path(__file__).parents[2]
VIDEO_KILLS = "tests/gateway/video/test_killed.py"
PAYLOADS_PER_SEED = 50_000  # broken payloads of one seed
GUARD_ROUNDS = 20  # kills of one guard and its heirs, then a new house
VIDEO_TIMEOUT_S = 1200  # seconds after which a run of the video's kills has hung


def run_seeds(first: int, last: int, console: Console) -> Iterator[str]:
    """Live each seed's life; yields what did not hold."""
    for seed in track(range(first, last), "seeds", console=console):
        try:
            life.household(seed)
            life.run_life(seed)
        except (AssertionError, RuntimeError, LookupError) as failure:
            yield f"seed {seed}: {failure}\n  replay: python -m tests.house.trace {seed}"


def run_payloads(number: int, console: Console) -> Iterator[str]:
    """Let every vendor read so many broken payloads, and the reader of a bridge's devices a hundredth as many."""
    for seed in track(range(number // PAYLOADS_PER_SEED), "broken payloads", console=console):
        try:
            broken.read_broken_payloads(seed, PAYLOADS_PER_SEED)
            broken.read_broken_lists(seed, PAYLOADS_PER_SEED // 100)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is what is looked for
            again = (
                f"from tests.wire.broken import *; readings({seed}, {PAYLOADS_PER_SEED}); lists({seed}, "
                f"{PAYLOADS_PER_SEED // 100})"
            )
            yield f"payloads of seed {seed}: {failure!r}\n  replay: python -c '{again}'"


def run_kills(times: int, console: Console) -> Iterator[str]:
    """Kill the gateway at each named point, the video process in the whole system and at each of its own points."""
    deadly = [*find_scenarios("gateway-killed"), *find_scenarios("video-killed")]
    for scenario in track(deadly * times, "kills in the whole system", console=console):
        yield from play_scenario(scenario)
    for _ in track(range(times), "kills of the video process", console=console):
        yield from run_video_kills()


def play_scenario(scenario: Scenario) -> Iterator[str]:
    """Play one scenario; what was left of it is kept where it failed."""
    folder = Path(tempfile.mkdtemp(prefix="perron-soak-"))
    complaints: tuple[str, ...]
    try:
        complaints = asyncio.run(run_scenario(scenario, folder, fast=True, observer=DemoObserver())).complaints
    except (Failure, BrokerMissing, AssertionError) as failure:
        complaints = (str(failure),)
    if complaints:
        told = "\n  ".join(complaints)
        yield f"{scenario.title}: {told}\n  kept in {folder}; replay: perron demo {scenario.title} --once --fast"
    else:
        shutil.rmtree(folder)


def run_video_kills() -> Iterator[str]:
    """Run the tests that kill the video process at each of its points."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", VIDEO_KILLS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=VIDEO_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        yield f"{VIDEO_KILLS} hangs"
        return
    if done.returncode:
        yield f"{VIDEO_KILLS}:\n{done.stdout[-2000:]}\n  replay: python -m pytest {VIDEO_KILLS}"


def run_guard_kills(times: int, console: Console) -> Iterator[str]:
    """Kill the guard at each of its points and at any moment after an order has left, so many times in all."""
    rng = random.Random(times)
    points = [rng.choice((*killing.CRASH_POINTS, killing.ANY_MOMENT, killing.ANY_MOMENT)) for _ in range(times)]
    for first in track(range(0, times, GUARD_ROUNDS), "kills of the guard", console=console):
        some = points[first : first + GUARD_ROUNDS]
        with tempfile.TemporaryDirectory(prefix="perron-soak-") as folder:
            try:
                found = asyncio.run(killing.kill_rounds(Path(folder), some, rng))
            except (AssertionError, TimeoutError) as failure:
                yield f"the guard, killed {some}: {failure!r}"
                continue
        yield from (f"the guard: {complaint}" for complaint in killing.find_violations(found))


def run_scenarios(minutes: float, console: Console) -> Iterator[str]:
    """Play all scenarios again and again, for so long."""
    end = time.monotonic() + 60 * minutes
    for number, scenario in enumerate(cycle(SCENARIOS), start=1):
        if time.monotonic() >= end:
            return
        console.print(f"scenario {number}: {scenario.title}", highlight=False)
        yield from play_scenario(scenario)


def run_floods(minutes: float, console: Console) -> Iterator[str]:
    """Let couriers come to a house that is flooded through every way in, for so long."""
    if not minutes:
        return
    folder = Path(tempfile.mkdtemp(prefix="perron-soak-"))
    failed = False
    try:
        for failure in flooded.run_soak(folder, minutes, console):
            failed = True
            yield f"flooded: {failure}\n  kept in {folder}; replay: python -m tests.soak --only-flood {minutes:g}"
    except (Failure, BrokerMissing, AssertionError) as failure:
        failed = True
        yield f"flooded: {failure}\n  kept in {folder}"
    if not failed:
        shutil.rmtree(folder)


def parse_span(text: str) -> tuple[int, int]:
    """Read `A:B`: seeds from A up to, but not with, B."""
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 2000:20000")
    return int(first), int(last)


def options(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description=__doc__,
        epilog="Examples:\n  python -m tests.soak\n  python -m tests.soak --seeds 0:20000 --kills 0 --guard 0 --flood 0 --minutes 0\n  python -m tests.soak --only-flood 10",  # noqa: E501 - lines to type
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=parse_span, default=(2000, 12000), metavar="A:B", help="lives (2000:12000)")
    parser.add_argument(
        "--payloads", type=int, default=5_000_000, metavar="N", help="broken payloads (5000000; 0: none)"
    )
    parser.add_argument("--kills", type=int, default=10, metavar="N", help="kills at each point (10)")
    parser.add_argument("--guard", type=int, default=200, metavar="N", help="kills of the guard (200)")
    parser.add_argument("--flood", type=float, default=10, metavar="N", help="minutes of flood (10; 0: none)")
    parser.add_argument("--only-flood", type=float, metavar="N", help="flood for so many minutes, and nothing else")
    parser.add_argument("--minutes", type=float, default=60, metavar="N", help="minutes of scenarios (60; 0: none)")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Soak; 1 if anything failed."""
    asked = options(words)
    first, last = asked.seeds
    console = Console()
    failures = 0
    only = asked.only_flood is not None
    parts: tuple[Iterator[str], ...] = (
        (run_floods(asked.only_flood, console),)
        if only
        else (
            run_seeds(first, last, console),
            run_payloads(asked.payloads, console),
            run_kills(asked.kills, console),
            run_guard_kills(asked.guard, console),
            run_floods(asked.flood, console),
            run_scenarios(asked.minutes, console),
        )
    )
    for part in parts:
        for failure in part:
            failures += 1
            console.print(f"FAILED {failure}", style="bold red", markup=False)
    console.print("Nothing failed." if not failures else f"{failures} failed.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
