"""What a recorded camera costs: CPU against plain stream copy, memory, and how soon a clip is on disk."""

import asyncio
import time

from gateway.video.ipc import ClipBegun, ClipKey, FinishClip, RecordClip
from tests.bench.cameras import cameras
from tests.bench.line import BenchLine, ShowStatus, median, ms, p95
from tests.bench.machine import cpu, pss
from tests.bench.recorder import Recorder, recorder, stream_copies, stream_readers

CAMERAS = ("front", "hall", "night")
MAX_CPU_RATIO = 1.5  # times a plain stream copy
MAX_MEMORY_MIB = 60.5  # MiB with three cameras, as at commit c60afefb
MAX_START_S = 0.150  # seconds
MAX_SYNC_S = 1.0  # seconds: the longest `storage.film_sync_s`
SETTLE_S = 2.0  # seconds until all have begun in earnest
FRAME_INTERVAL_S = 1 / 15  # seconds between two pictures of the simulated cameras


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    rounds, seconds, starts = (1, 4.0, 2) if quick else (3, 10.0, 10)
    async with cameras(*CAMERAS) as air, recorder(air) as video:
        say("starts of clips")
        begun = await _starts(video, starts)
        async with (
            recorder(air, decodes=False) as blind,
            recorder(air, decodes=False, film_sync_s=MAX_SYNC_S) as battery,
            stream_copies(air) as (copier, copying),
            stream_readers(air) as readers,
        ):
            await asyncio.sleep(SETTLE_S)
            say("CPU of rings without films")
            ring = await _share([blind.child.process.pid], seconds)
            for one in (video, blind, battery):
                one.talk.say(RecordClip(clip=ClipKey(visit="long", part=1), cameras=CAMERAS, folder="long"))
            await asyncio.sleep(SETTLE_S)
            say(f"CPU of {len(CAMERAS)} recorded cameras beside {copier}, for {rounds * seconds:g} s")
            groups = {
                "whole": [video.child.process.pid],
                "blind": [blind.child.process.pid],
                "battery": [battery.child.process.pid],
                "copy": [c.process.pid for c in copying],
                "reading": [r.process.pid for r in readers],
            }
            shares = {"ring": ring, **await _rounds(groups, rounds, seconds)}
            memory = pss(video.child.process.pid)
    return [*_cpu(shares, copier), _memory(memory), _start(begun)]


async def _rounds(groups: dict[str, list[int]], rounds: int, seconds: float) -> dict[str, float]:
    """Medians of rounds in which all of these run side by side."""
    found = [await asyncio.gather(*(_share(pids, seconds) for pids in groups.values())) for _ in range(rounds)]
    return {name: median([shares[n] for shares in found]) for n, name in enumerate(groups)}


async def _share(pids: list[int], seconds: float) -> float:
    """CPU of these processes a camera, of one core, while so many seconds pass."""
    before, began = sum(map(cpu, pids)), time.monotonic()
    await asyncio.sleep(seconds)
    return (sum(map(cpu, pids)) - before) / (time.monotonic() - began) / len(CAMERAS)


async def _starts(video: Recorder, each: int) -> list[float]:
    """Seconds from `RecordClip` to `ClipBegun`, camera by camera, each at another moment between two pictures."""
    took = []
    for number in range(each):
        for name in CAMERAS:
            clip = ClipKey(visit=f"start-{number}-{name}", part=1)
            since, began = len(video.talk.heard), time.monotonic()
            video.talk.say(RecordClip(clip=clip, cameras=(name,), folder=f"starts/{clip.visit}"))
            await video.wait(ClipBegun, lambda words, clip=clip: words.clip == clip, since=since)  # type: ignore[misc]  # mypy infers no lambda with a default
            took.append(time.monotonic() - began)
            video.talk.say(FinishClip(clip=clip, keep=False))
            await asyncio.sleep(0.05 + 0.013 * (number % 5))
    return took


def _cpu(shares: dict[str, float], copier: str) -> list[BenchLine]:
    ring, blind, copy, reading = shares["ring"], shares["blind"], shares["copy"], shares["reading"]
    against = f"{copier} ({copy:.2%} of a core)"
    return [
        BenchLine(
            bench="recording",
            what="CPU of a recorded camera (ring, file, hash, sync), of one core",
            unit="%",
            value=blind * 100,
            ratio=blind / copy,
            against=against,
            goal=f"<= {MAX_CPU_RATIO:g} x",
            met=blind <= MAX_CPU_RATIO * copy,
            parts={
                "libav's reading alone": f"{reading:.2%}",
                "ring and proofs without a film, with it": f"{ring:.2%}",
                "file, hash, sync": f"{blind - ring:.2%}",
            },
            why=f"libav's reading alone takes {reading:.2%} of a core, as PyAV gives it; ring and proofs"
            f" {max(0.0, ring - reading):.2%}, fragments, hashing and four syncs a second {blind - ring:.2%}, because"
            f" each sync wakes the thread up to three times; the copy is C, syncs nothing and takes {copy:.2%}",
        ),
        BenchLine(
            bench="recording",
            what="CPU of a recorded camera with one sync a second (`storage.film_sync_s: 1`), of one core",
            unit="%",
            value=shares["battery"] * 100,
            ratio=shares["battery"] / copy,
            against=against,
            goal=f"<= {MAX_CPU_RATIO:g} x",
            met=shares["battery"] <= MAX_CPU_RATIO * copy,
            why=f"libav's reading alone takes {reading:.2%} of a core, as much as nearly the whole copy; the"
            " rest is Python for each packet, with cold caches fifteen times a second",
        ),
        BenchLine(
            bench="recording",
            what="decoding every picture and looking at it, of one core, on top",
            unit="%",
            value=(shares["whole"] - blind) * 100,
            ratio=(shares["whole"] - blind) / copy,
            against=against,
        ),
    ]


def _memory(memory: float) -> BenchLine:
    return BenchLine(
        bench="recording", what=f"memory of the video process, {len(CAMERAS)} cameras recorded (PSS)", value=memory,
        unit="MiB", goal=f"<= {MAX_MEMORY_MIB:g} MiB", met=memory <= MAX_MEMORY_MIB,
        why="the libraries of PyAV, numpy and zxing, and a decoder a camera",
    )  # fmt: skip


def _start(took: list[float]) -> BenchLine:
    value = p95(took)
    return BenchLine(
        bench="recording", what="start of a clip: asked until its first fragment, pre-roll first, is synced, p95",
        value=value * 1000, unit="ms", goal=f"<= {MAX_START_S * 1000:g} ms", met=value <= MAX_START_S,
        parts={"p50": ms(median(took)), "starts": str(len(took))},
        why=f"a film begins with the camera's next picture, up to {ms(FRAME_INTERVAL_S)} later; p50 {ms(median(took))}",
    )  # fmt: skip
