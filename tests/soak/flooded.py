"""Visits in a house that is flooded through every way in: no time missed, memory flat, each stop decided at once."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from gateway.demo.actors import PromisedDelivery
from gateway.demo.observers import WaitTimeout
from gateway.demo.plan import FAST_LATENCY_S, FAST_TIMING
from gateway.demo.result import door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT, ScenarioRun
from tests.flood import every_way, house
from tests.flood.every_way import VisitTimes

SETTLE_S = 90.0  # seconds of flood until caches are full: memory is compared with what it was then
MAX_GROWTH_KIB = 20_000  # by which the gateway may grow after that
MAX_TURN_S = 0.1  # of CPU time
MAX_STOP_S = 0.2  # until the owner's stop is decided
MAX_STEP_DELAY_S = 2.0  # by which a step of a visit may be later than its configured time


@dataclass(slots=True)
class FloodFigures:
    """What was measured."""

    visits: list[VisitTimes] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    rss_kib: list[tuple[float, int]] = field(default_factory=list)  # (seconds of flood, resident memory)
    longest_turn_s: float = 0.0
    stalls: int = 0
    wrong: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Say the figures in one paragraph."""
        if not (self.visits and self.stops and self.rss_kib):
            return f"no visit ended; {'; '.join(self.wrong)}"
        stops = sorted(self.stops)
        slowest = {name: max(getattr(one, name) for one in self.visits) for name in ("rings", "unlocked", "locked")}
        return (
            f"{len(self.visits)} visits, slowest steps "
            + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in slowest.items())
            + f"; {len(stops)} stops decided, median {statistics.median(stops) * 1000:.0f} ms,"
            f" 95 % within {stops[int(len(stops) * 0.95)] * 1000:.0f} ms, slowest {stops[-1] * 1000:.0f} ms;"
            f" longest turn {self.longest_turn_s * 1000:.0f} ms of CPU, {self.stalls} over 100 ms;"
            f" memory {self.rss_kib[0][1] // 1024} to {self.rss_kib[-1][1] // 1024} MiB"
        )


async def run_flooded(folder: Path, minutes: float) -> FloodFigures:
    """Play visits and stops for so long, flooded all the time."""
    found = FloodFigures()
    async with every_way.flooded_house(folder) as made:
        play = made.play
        parcels = await _promise(play)
        async with house.run_flood(every_way.flood_spec(made, parcels), folder):
            await house.wait_until_flooded(play)
            began = time.monotonic()
            await house.read_turns(play, reset=True)
            while time.monotonic() - began < 60 * minutes:
                await _one_visit(play, parcels, found)
                await _stop_and_lift(play, found)
                now = await house.read_turns(play)
                found.rss_kib.append((now.at - began, now.rss_kib))
                found.longest_turn_s, found.stalls = now.longest_cpu_s, now.stalls
                try:
                    parcels = await _promise(play)
                except WaitTimeout as missed:
                    found.wrong.append(f"the promise after visit {len(found.visits)}: {missed}")
                    break
        if play.stage.gateway.deaths:
            found.wrong.append(f"the gateway ended: {play.stage.gateway.deaths}")
    return found


async def _stop_and_lift(play: ScenarioRun, found: FloodFigures) -> None:
    try:
        found.stops += [await every_way.timed_stop(play) for _ in range(5)]
    except WaitTimeout as missed:
        found.wrong.append(f"a stop after visit {len(found.visits)}: {missed}")


async def _promise(play: ScenarioRun) -> PromisedDelivery:
    parcels = await play.retailer.promise()
    await play.wait_until_ready()
    play.watch.mark_seen()
    return parcels


async def _one_visit(play: ScenarioRun, parcels: PromisedDelivery, found: FloodFigures) -> None:
    play.log.read_new_lines()
    before = len(play.log.lines)
    try:
        found.visits.append(await every_way.timed_visit(play, parcels))
    except WaitTimeout as missed:
        found.wrong.append(f"visit {len(found.visits) + 1}: {missed}")
        return
    play.log.read_new_lines()
    if door_movements(play.log.lines[before:]) != MOVES_ONCE_IN_AND_OUT:
        found.wrong.append(f"visit {len(found.visits)}: the door did {door_movements(play.log.lines[before:])}")


def find_violations(found: FloodFigures, play_times: tuple[float, float]) -> Iterator[str]:
    """Say what did not hold; `play_times`: seconds for which it rings, and from the closed door to the locked one."""
    yield from found.wrong
    ring, relock = play_times
    for number, one in enumerate(found.visits, start=1):
        if (
            one.rings > MAX_STEP_DELAY_S
            or one.unlocked > ring + MAX_STEP_DELAY_S
            or one.locked > relock + MAX_STEP_DELAY_S
        ):
            yield f"visit {number} is late: {one}"
    late = [round(seconds, 3) for seconds in found.stops if seconds > MAX_STOP_S]
    if late:
        yield f"{len(late)} of {len(found.stops)} stops were decided later than {MAX_STOP_S} s: {late}"
    if found.longest_turn_s > MAX_TURN_S:
        yield f"a turn of the loop took {found.longest_turn_s:.3f} s of CPU"
    if not found.visits:
        yield "no visit ended"
        return
    settled = [kib for at, kib in found.rss_kib if at >= SETTLE_S] or [found.rss_kib[-1][1]]
    if settled[-1] - settled[0] > MAX_GROWTH_KIB:
        yield f"the gateway grew from {settled[0]} to {settled[-1]} KiB"


def run_soak(folder: Path, minutes: float, console: Console) -> Iterator[str]:
    """Flood for so many minutes and print the figures; yields what did not hold."""
    found = asyncio.run(run_flooded(folder, minutes))
    console.print(f"flooded for {minutes:g} minutes: {found.told()}", highlight=False)
    yield from find_violations(found, (FAST_TIMING.ring, FAST_TIMING.stable + FAST_TIMING.relock + FAST_LATENCY_S))
