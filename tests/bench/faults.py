"""How soon each fault of a camera is noticed: from its beginning to the proof that tells of it.

A camera that is switched off is told of as reset at once, and as unreachable once it could not be reached again.
"""

import time

from gateway.video.ipc import CameraProof, StreamFault
from tests.bench.cameras import CameraServer, cameras
from tests.bench.line import BenchLine, ShowStatus, median, ms
from tests.bench.recorder import Recorder, recorder

# What the camera does, what must be noticed, and within how many seconds.
CASES: tuple[tuple[str, StreamFault, float | None], ...] = (
    ("stall", StreamFault.STALL, 0.7),
    ("frozen", StreamFault.FROZEN, 2.0),
    ("black", StreamFault.BLACK, None),
    ("stuck_timestamps", StreamFault.STUCK_TIMESTAMPS, None),
    ("garbled", StreamFault.UNDECODABLE, None),
    ("reset", StreamFault.RESET, None),
    ("off", StreamFault.UNREACHABLE, None),
)
CAMERA = "front"


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    cases, rounds = (CASES[:2], 1) if quick else (CASES, 3)
    took: dict[StreamFault, list[float]] = {fault: [] for _, fault, _ in cases}
    async with cameras(CAMERA) as air, recorder(air) as video:
        for number in range(rounds):
            for mode, fault, _ in cases:
                say(f"{mode}: {number + 1} of {rounds}")
                took[fault].append(await _time_to_notice(air, video, mode, fault))
    return [_line(mode, fault, took[fault], goal) for mode, fault, goal in cases]


async def _time_to_notice(air: CameraServer, video: Recorder, mode: str, fault: StreamFault) -> float:
    since = len(video.talk.heard)
    began = await air.behave(CAMERA, mode)
    await video.wait(CameraProof, lambda proof: fault in proof.faults, since=since)
    seconds = time.monotonic() - began
    await air.behave(CAMERA, "on" if mode == "off" else "live")
    await video.live((CAMERA,))
    return seconds


def _line(mode: str, fault: StreamFault, took: list[float], goal: float | None) -> BenchLine:
    value = max(took)
    return BenchLine(
        bench="faults", what=f"time until a camera's fault `{mode}` is reported as `{fault}`, at most", unit="s",
        value=value,
        goal="" if goal is None else f"<= {goal:g} s", met=None if goal is None else value <= goal,
        parts={"p50": ms(median(took)), "times": str(len(took))},
        why=f"p50 {ms(median(took))}, longest {ms(value)}: what the stream holds back and the threshold in"
        " gateway/video/liveness.py come first, then the load of the machine",
    )  # fmt: skip
