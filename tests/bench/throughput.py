"""How much a gateway of 50 entrances does in a second, and what each costs its CPU, beside an echo of the same load.

Three kinds of work: openings (50 bells confirmed at once: the last condition of each), scans (50 parcels held before
their scanners at once, through the bell to the unlock), and whole visits (50 couriers, each of whom begins the next
visit as soon as the entrance is ready again). CPU counts until the gateway has fallen quiet: what it does later counts.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.line import BenchLine, ShowStatus, median, ms, p95
from tests.bench.machine import cpu
from tests.bench.peers.running import TOLD
from tests.bench.scene import BenchScene, scene
from tests.bench.street import DeviceClient

ENTRANCES = 50
GOALS = {"openings": 2_000, "scans": 600, "visits": 150}  # a second
BURSTS, VISITS = 2, 5  # of each entrance in a round; 20 deliveries each, some 1,000 in all
# Seconds after which the unlocks of visits expire. No visit ends before, so a short life shows more of the gateway. One
# that commits so late that many unlocks would expire is given the next longer life.
VISIT_COMMAND_LIVES_S = (0.15, 0.3, 1.0)
MAX_REPEATED = 0.1  # of the visits
RETRY_S = 0.05  # seconds after which a refused scan is repeated
SPARE_PARCELS = 10  # of each entrance, for visits that are begun again
QUIET_S = 0.1  # seconds with next to no CPU
MAX_QUIET_SHARE = 0.1  # of a core
WHAT = {
    "openings": "openings a second: the last condition at {} entrances at once until the last unlock",
    "scans": "scans to unlock a second, through the bell: {} at once",
    "visits": "whole visits a second: a closed loop of {} couriers",
}


@dataclass(slots=True)
class Work:
    """Rounds of one kind of work: how many a second, CPU seconds each, and how long each took (seconds)."""

    rates: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    life: float = 0.0


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    entrances, rounds = (10, 1) if quick else (ENTRANCES, 3)
    kinds: dict[str, Callable[[Loads, Work], Awaitable[None]]] = {"openings": Loads.openings, "scans": Loads.scans}
    found = {name: Work() for name in (*kinds, "visits", *TOLD)}
    async with scene(entrances=entrances, each=rounds * 2 * BURSTS, peers=tuple(TOLD)) as stage:
        loads = Loads(stage)
        for number in range(rounds):
            for name in random.sample(sorted(kinds), len(kinds)):
                say(f"{entrances} {name}: round {number + 1} of {rounds}")
                for peer in random.sample(sorted(stage.peers.processes), len(stage.peers.processes)):
                    await loads.peer(peer, found[peer])
                for _ in range(BURSTS):
                    await kinds[name](loads, found[name])
    await visits(found["visits"], entrances, rounds, say)
    return _lines(found, entrances)


async def visits(found: Work, entrances: int, rounds: int, say: ShowStatus) -> None:
    """Measure whole visits, at a gateway of its own whose unlocks expire soon."""
    for life in VISIT_COMMAND_LIVES_S:
        each = rounds * VISITS + SPARE_PARCELS
        async with scene(entrances=entrances, each=each, command_life_s=life) as stage:
            loads, work = Loads(stage), Work(life=life)
            for number in range(rounds):
                say(f"{entrances} couriers, unlocks that expire after {life:g} s: round {number + 1} of {rounds}")
                if not await loads.visits(work):
                    break
            else:
                found.rates, found.cpus, found.took, found.life = work.rates, work.cpus, work.took, life
                return
    raise RuntimeError(f"more than {MAX_REPEATED:.0%} of the unlocks would have left too late")


class Loads:
    """The work; each parcel is used once."""

    def __init__(self, stage: BenchScene) -> None:
        self._stage, self._street = stage, stage.street
        self._pid = stage.gateway.process.pid
        self._parcels = dict.fromkeys(stage.street.entrances, 0)

    def _scan(self, n: int) -> None:
        self._street.scan(n, self._parcels[n])
        self._parcels[n] += 1

    def take_parcels(self) -> int:
        """Return the number of a parcel that no entrance has used yet, and use it at all of them."""
        number = max(self._parcels.values())
        self._parcels = dict.fromkeys(self._parcels, number + 1)
        return number

    async def openings(self, found: Work, among: Sequence[int] = ()) -> None:
        """All bells are confirmed at once, at these entrances or at all."""
        street, among = self._street, among or self._street.entrances
        many = len(among)
        street.bell = None
        for n in among:
            self._scan(n)
        await street.until("all bells", lambda: len(street.held_bells) == many)
        await self._quiet()
        spent = cpu(self._pid)
        street.confirm_bells()
        street.bell = 0
        times = [await street.unlock(n) for n in among]
        await self._quiet()
        found.cpus.append((cpu(self._pid) - spent) / many)
        found.took += [t.unlocked - t.rang for t in times]
        found.rates.append(many / (max(t.unlocked for t in times) - min(t.rang for t in times)))
        await self._end_visits(among)

    async def scans(self, found: Work, among: Sequence[int] = ()) -> None:
        """All scan at once, at these entrances or at all."""
        street, among = self._street, among or self._street.entrances
        many, spent = len(among), cpu(self._pid)
        for n in among:
            self._scan(n)
        times = [await street.unlock(n) for n in among]
        await self._quiet()
        found.cpus.append((cpu(self._pid) - spent) / many)
        found.took += [t.unlocked - t.scanned for t in times]
        found.rates.append(many / (max(t.unlocked for t in times) - min(t.scanned for t in times)))
        await self._end_visits(among)

    async def visits(self, found: Work) -> bool:
        """Each courier begins the next visit as soon as the entrance is ready again; False: too many without an unlock.

        A visit without one, since it would have left too late, is begun again and counts as time.
        """
        street, many = self._street, VISITS * len(self._street.entrances)
        couriers = _Couriers(self._scan, street)
        street.on_unlocked, street.on_ready = couriers.on_unlocked, couriers.on_ready
        street.on_busy, street.on_refused = couriers.on_busy, couriers.on_refused
        spent, started = cpu(self._pid), time.monotonic()
        for n in street.entrances:
            couriers.begin(n)
        most = MAX_REPEATED * many
        await street.until(f"{many} visits", lambda: len(couriers.took) >= many or couriers.repeated > most)
        if couriers.repeated > most:
            return False
        found.rates.append(many / (time.monotonic() - started))
        found.took += couriers.took
        await self._quiet()
        found.cpus.append((cpu(self._pid) - spent) / many)
        street.on_unlocked = street.on_ready = street.on_busy = street.on_refused = lambda _n: None
        await self._stage.rest()
        return True

    async def peer(self, name: str, found: Work) -> None:
        """Scan at as many entrances of a peer at once, until each has its unlock."""
        peers, many = self._stage.peers, len(self._street.entrances)
        pid = peers.processes[name].process.pid
        for _ in range(BURSTS):
            spent = cpu(pid)
            took = await peers.scanners.scan(name, many)
            found.rates.append(many / max(took))
            found.cpus.append((cpu(pid) - spent) / many)
            found.took += took

    async def _end_visits(self, among: Sequence[int]) -> None:
        for n in among:
            self._street.let_out(n)
        await self._street.until("visits under way", lambda: not self._street.ready())
        await self._stage.rest()

    async def _quiet(self) -> None:
        """Return when the gateway does next to nothing."""
        before = cpu(self._pid)
        while True:
            await asyncio.sleep(QUIET_S)
            now = cpu(self._pid)
            if now - before < MAX_QUIET_SHARE * QUIET_S:
                return
            before = now


class _Couriers:
    """One at each entrance, VISITS times. `took`: seconds of each visit that ended; `repeated`: the others."""

    def __init__(self, scan: Callable[[int], None], street: DeviceClient) -> None:
        self.took: list[float] = []
        self.repeated = 0
        self._scan, self._street = scan, street
        self._left = dict.fromkeys(street.entrances, VISITS)
        self._began: dict[int, float] = {}
        self._unlocked, self._busy, self._retries = set[int](), set[int](), set[int]()

    def begin(self, n: int) -> None:
        """Begin a visit."""
        self._began[n] = time.monotonic()
        self._scan(n)

    def on_unlocked(self, n: int) -> None:
        """Go in and out."""
        self._unlocked.add(n)
        self._street.let_out(n)

    def on_busy(self, n: int) -> None:
        """The visit is under way."""
        self._busy.add(n)

    def on_refused(self, n: int) -> None:
        """Try again in a moment, once, however many scans were refused."""
        if n not in self._retries:
            self._retries.add(n)
            asyncio.get_running_loop().call_later(RETRY_S, self._retry, n)

    def _retry(self, n: int) -> None:
        self._retries.discard(n)
        if self._left[n] > 0 and n not in self._unlocked and n not in self._busy:
            self._scan(n)

    def on_ready(self, n: int) -> None:
        """The visit is over: the next one begins."""
        if n not in self._busy:
            return
        self._busy.discard(n)
        if n not in self._unlocked:
            self.repeated += 1
            self.on_refused(n)
            return
        self._unlocked.discard(n)
        self.took.append(time.monotonic() - self._began[n])
        self._left[n] -= 1
        if self._left[n] > 0:
            self.begin(n)


def _lines(found: dict[str, Work], entrances: int) -> list[BenchLine]:
    echo = found["echo"]
    against = f"echo of as many at once {median(echo.rates):,.0f}/s"
    lines = [
        BenchLine(
            bench="throughput", what=f"{told}, {entrances} at once", value=median(found[peer].rates), unit="/s",
            parts={"CPU each": ms(median(found[peer].cpus)), "p50": ms(median(found[peer].took))},
        )
        for peer, told in TOLD.items() if found[peer].took
    ]  # fmt: skip
    for name, goal in GOALS.items():
        work, cost = found[name], median(found[name].cpus)
        rate, what = median(work.rates), WHAT[name].format(entrances)
        lines += [
            BenchLine(
                bench="throughput", what=what, value=rate, unit="/s", ratio=rate / median(echo.rates),
                against=against, goal=f">= {goal:,}/s", met=rate >= goal,
                parts={"p50 of each": ms(median(work.took)), "p95": ms(p95(work.took)),
                       "rounds": ", ".join(f"{one:,.0f}" for one in work.rates)}
                | ({"unlocks expire, and no visit ends, before": f"{work.life:g} s"} if work.life else {}),
                why=f"each costs {ms(cost)} of CPU, and one core does at most {1 / cost:,.0f} of them in a second; for"
                " where it goes, see decision records 0123 (store), 0124 (decision) and 0127 (event loop)",
            ),
            BenchLine(
                bench="throughput", what=f"CPU of each of these {name}, what follows it included", value=cost * 1000,
                unit="ms", ratio=cost / median(echo.cpus), against=f"echo {ms(median(echo.cpus))}",
            ),
        ]  # fmt: skip
    return lines
