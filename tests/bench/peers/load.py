"""Latency over load: how long the unlock takes when 1 to 200 scans come at once, to each program in turn."""

import random

from tests.bench.line import ShowStatus, median
from tests.bench.peers.others import others
from tests.bench.scene import BenchScene, scene
from tests.bench.throughput import Loads, Work

# How many at once, and how often.
LEVELS = {1: 7, 2: 5, 5: 3, 10: 3, 20: 3, 50: 2, 100: 2, 200: 2}
GATEWAY = {"gateway: decision to open": "openings", "gateway: scan to unlock through the bell": "scans"}

Curves = dict[str, tuple[tuple[int, float], ...]]


async def curves(only: list[str], say: ShowStatus, *, quick: bool) -> Curves:
    """Points of each program: how many at once, p50 in milliseconds. One that fails at a load has none beyond it."""
    levels = {many: 1 for many in LEVELS if many <= 10} if quick else LEVELS
    found: dict[str, dict[int, list[float]]] = {}
    most = max(levels)
    async with (
        scene(entrances=most, each=lambda n: 2 * sum(often for many, often in levels.items() if many > n)) as stage,
        others(stage, [name for name in only if name != "floors"], say) as subjects,
    ):
        loads, ended = Loads(stage), set[str]()
        names = {subject.what: name for name, subject in subjects.items() if not subject.why}
        names |= GATEWAY if "gateway" in only else {}
        for many, often in levels.items():
            for what in random.sample(sorted(names.keys() - ended), len(names.keys() - ended)):
                say(f"{many} at once: {what}")
                try:
                    for _ in range(often):
                        took = await _burst(stage, loads, names[what], many)
                        found.setdefault(what, {}).setdefault(many, []).append(median(took) * 1000)
                except (TimeoutError, RuntimeError, OSError):
                    ended |= set(GATEWAY) if what in GATEWAY else {what}
    return {
        what: tuple((many, median(found[what][many])) for many in sorted(found[what]))
        for what in names
        if what in found
    }


async def _burst(stage: BenchScene, loads: Loads, name: str, many: int) -> list[float]:
    """Seconds of each."""
    if name not in GATEWAY.values():
        return await stage.peers.scanners.scan(name, many)
    work, among = Work(), range(many)
    await (loads.openings(work, among) if name == "openings" else loads.scans(work, among))
    return work.took
