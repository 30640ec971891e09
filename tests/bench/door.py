"""Scan to unlock with a real camera over RTSP and a real video process, without ringing; memory of the gateway."""

from tests.bench.cameras import cameras
from tests.bench.line import BenchLine, ShowStatus, largest, median, ms, p95
from tests.bench.machine import pss
from tests.bench.marks import Mark
from tests.bench.scene import BenchScene, scene
from tests.bench.street import ScanTimes

GOAL_S = 0.1  # seconds
MAX_MEMORY_MIB = 83.5  # MiB, as at commit c60afefb


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    visits = 3 if quick else 12
    times: list[ScanTimes] = []
    async with (
        cameras("front") as air,
        scene(entrances=1, each=visits, camera=air.url("front"), with_marks=True) as stage,
    ):
        for number in range(visits):
            say(f"a visit before a real camera: {number + 1} of {visits}")
            times.append(await _visit(stage, number))
        memory = pss(stage.gateway.process.pid)
    return [_line(times, stage.marks), _memory(memory)]


async def _visit(stage: BenchScene, number: int) -> ScanTimes:
    stage.street.scan(0, number)
    times = await stage.street.unlock(0)
    stage.street.let_out(0)
    await stage.street.until("a visit under way", lambda: not stage.street.ready())
    await stage.rest()
    return times


def _line(times: list[ScanTimes], marks: list[Mark]) -> BenchLine:
    whole = [t.unlocked - t.scanned for t in times]
    found: dict[str, list[float]] = {}
    for t in times:
        within = [m for m in marks if t.scanned <= m.begin <= t.unlocked]
        begun = next(m for m in within if m.what == "decode").begin
        decided = next(m for m in within if m.what == "decide" and m.of == "Scanned").end
        filmed = next(m for m in within if m.what == "filmed").begin
        for name, seconds in (
            ("scan to the gateway", begun - t.scanned),
            ("look up and decide", decided - begun),
            ("commit, begin the film, first fragment on disk, proven", filmed - decided),
            ("decide, commit, publish, to the lock", t.unlocked - filmed),
        ):
            found.setdefault(name, []).append(seconds)
    parts = {name: median(seconds) for name, seconds in found.items()}
    value = median(whole)
    return BenchLine(
        bench="door", what="scan to unlock with a real camera and no ringing, p50", value=value * 1000, unit="ms",
        goal=f"<= {GOAL_S * 1000:g} ms", met=value <= GOAL_S,
        parts={**{name: ms(seconds) for name, seconds in parts.items()}, "p95": ms(p95(whole))},
        why=f"largest parts: {largest(parts)}",
    )  # fmt: skip


def _memory(memory: float) -> BenchLine:
    return BenchLine(
        bench="door", what="memory of the gateway after these visits (PSS)", value=memory, unit="MiB",
        goal=f"<= {MAX_MEMORY_MIB:g} MiB", met=memory <= MAX_MEMORY_MIB, why="see the modules that it imports",
    )  # fmt: skip
