"""How soon each fault of a camera is noticed: from its beginning to the proof that tells of it.

A camera that is switched off is told of as reset at once, and as unreachable once it could not be reached again.
"""

import time

from gateway.video.ipc import Fault, Proof
from tests.bench.cameras import Air, cameras
from tests.bench.line import Line, Say, median, ms
from tests.bench.recorder import Recorder, recorder

# What the camera does, what must be noticed, and within how many seconds.
CASES: tuple[tuple[str, Fault, float | None], ...] = (
    ("stall", Fault.STALL, 0.7),
    ("frozen", Fault.FROZEN, 2.0),
    ("black", Fault.BLACK, None),
    ("stuck_timestamps", Fault.STUCK_TIMESTAMPS, None),
    ("garbled", Fault.UNDECODABLE, None),
    ("reset", Fault.RESET, None),
    ("off", Fault.UNREACHABLE, None),
)
CAMERA = "front"


async def bench(say: Say, *, quick: bool) -> list[Line]:
    """Measure."""
    cases, rounds = (CASES[:2], 1) if quick else (CASES, 3)
    took: dict[Fault, list[float]] = {fault: [] for _, fault, _ in cases}
    async with cameras(CAMERA) as air, recorder(air) as video:
        for number in range(rounds):
            for mode, fault, _ in cases:
                say(f"{mode}: {number + 1} of {rounds}")
                took[fault].append(await _notice(air, video, mode, fault))
    return [_line(mode, fault, took[fault], goal) for mode, fault, goal in cases]


async def _notice(air: Air, video: Recorder, mode: str, fault: Fault) -> float:
    since = len(video.talk.heard)
    began = await air.behave(CAMERA, mode)
    await video.wait(Proof, lambda proof: fault in proof.faults, since=since)
    seconds = time.monotonic() - began
    await air.behave(CAMERA, "on" if mode == "off" else "live")
    await video.live((CAMERA,))
    return seconds


def _line(mode: str, fault: Fault, took: list[float], goal: float | None) -> Line:
    value = max(took)
    return Line(
        bench="faults", what=f"time until a camera's fault `{mode}` is reported as `{fault}`, at most", unit="s",
        value=value,
        goal="" if goal is None else f"<= {goal:g} s", met=None if goal is None else value <= goal,
        parts={"p50": ms(median(took)), "times": str(len(took))},
        why=f"p50 {ms(median(took))}, longest {ms(value)}: what the stream holds back and the threshold in"
        " gateway/video/liveness.py come first, then the load of the machine",
    )  # fmt: skip
