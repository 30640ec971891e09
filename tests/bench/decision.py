"""Scan to unlock with cameras that are proven already, against a bare echo on the same broker."""

import random
import sqlite3
import time
from dataclasses import dataclass, field

from tests.bench.line import BenchLine, ShowStatus, largest, median, ms, p95
from tests.bench.marks import Mark
from tests.bench.scene import BenchScene, scene
from tests.bench.street import ScanTimes

OPENING_RATIO = 1.5  # times a bare echo and a bare commit
SCAN_RATIO = 4.0  # times a bare echo
BELL_DELAY_S = 0.05  # seconds
ENTRANCES = 50
ENTRANCES_WITH_MARKS = 20


@dataclass(slots=True)
class Samples:
    """Seconds. `opening` are scans whose bell is confirmed late, so that the gateway waits for nothing else by then, as
    after 20 s of ringing; `single` are those whose bell is confirmed at once.
    """

    echoes: list[float] = field(default_factory=list)
    syncs: list[float] = field(default_factory=list)
    opening: list[ScanTimes] = field(default_factory=list)
    single: list[ScanTimes] = field(default_factory=list)


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure; then ask a second gateway, which takes marks and is slower for it, where its time goes."""
    entrances, rounds = (10, 1) if quick else (ENTRANCES, 3)
    samples, marked, marks = Samples(), Samples(), list[Mark]()
    async with scene(entrances=entrances, each=2 * rounds) as stage:
        await _rounds(stage, samples, rounds, say)
    async with scene(entrances=min(entrances, ENTRANCES_WITH_MARKS), each=2, with_marks=True) as stage:
        say("where the time goes")
        await _rounds(stage, marked, 1, say)
        marks = stage.marks
    return _decision(samples, _opening_parts(marked, marks), _whole_parts(marked, marks))


async def _rounds(stage: BenchScene, samples: Samples, rounds: int, say: ShowStatus) -> None:
    for number in range(rounds):
        kinds = [(samples.opening, BELL_DELAY_S), (samples.single, 0.0)]
        for which, (times, bell) in enumerate(random.sample(kinds, 2)):
            say(f"one scan at a time, beside an echo: round {number + 1} of {rounds}")
            await one_at_a_time(stage, 2 * number + which, samples, times, bell=bell)


def _bare_commit(disk: sqlite3.Connection) -> float:
    """One row into SQLite (WAL, synchronous=FULL), in seconds: what no commit can do without."""
    began = time.perf_counter()
    with disk:
        disk.execute("INSERT INTO bare VALUES (1)")
    return time.perf_counter() - began


async def one_at_a_time(
    stage: BenchScene, number: int, samples: Samples, times: list[ScanTimes], *, bell: float
) -> None:
    """Scan at each entrance in turn, each time a bare commit and an echo before it."""
    stage.street.bell = bell
    for n in stage.street.entrances:
        samples.syncs.append(_bare_commit(stage.disk))
        samples.echoes += await stage.peers.scanners.scan("echo")
        stage.street.scan(n, number)
        times.append(await stage.street.unlock(n))
    stage.street.bell = 0
    await _end_visit(stage)


async def _end_visit(stage: BenchScene) -> None:
    for n in stage.street.entrances:
        stage.street.let_out(n)
    await stage.street.until("visits under way", lambda: not stage.street.ready())
    await stage.rest()


def _decision(samples: Samples, parts: dict[str, float], through: dict[str, float]) -> list[BenchLine]:
    echo, bare = median(samples.echoes), median(samples.syncs)
    whole = [t.unlocked - t.scanned for t in samples.single]
    answer = [t.waited - t.scanned for t in samples.opening]
    opening = [t.unlocked - t.rang for t in samples.opening]
    against, floor = f"echo {ms(echo)}", f"echo and bare commit {ms(echo + bare)}"
    why = f"largest parts, of a gateway that takes marks: {largest(parts)}"
    return [
        BenchLine(bench="decision", what="bare aiomqtt echo, p50", value=echo * 1000, unit="ms",
             parts={"p95": ms(p95(samples.echoes))}),
        BenchLine(
            bench="decision", unit="ms", what="bare SQLite commit (one row, WAL, synchronous=FULL), p50",
            value=bare * 1000, ratio=bare / echo, against=against, parts={"p95": ms(p95(samples.syncs))},
        ),
        BenchLine(
            bench="decision", unit="ms", against=floor,
            what="the scan's answer: scan message to `wait` message, p50",
            value=median(answer) * 1000, ratio=median(answer) / (echo + bare), parts={"p95": ms(p95(answer))},
        ),
        BenchLine(
            bench="decision", unit="ms", against=floor, goal=f"<= {OPENING_RATIO:g} x",
            what="the decision to open: the last condition's message (ringing cannot be 0: the bell's"
            " confirmation, 50 ms after it) to the unlock message, with its commit, p50",
            value=median(opening) * 1000, ratio=median(opening) / (echo + bare),
            met=median(opening) <= OPENING_RATIO * (echo + bare),
            parts={"p95": ms(p95(opening))} | {name: ms(seconds) for name, seconds in parts.items()}, why=why,
        ),
        BenchLine(
            bench="decision", unit="ms", against=against, goal=f"<= {SCAN_RATIO:g} x",
            what="scan message to unlock message through the bell (4 messages and all decisions), p50",
            value=median(whole) * 1000, ratio=median(whole) / echo, met=median(whole) <= SCAN_RATIO * echo,
            parts={"p95": ms(p95(whole))} | {name: ms(seconds) for name, seconds in through.items()},
            why=f"the bell must ring and be confirmed, 4 messages over the broker against the echo's 2; largest parts,"
            f" of a gateway that takes marks: {largest(through)}",
        ),
    ]  # fmt: skip


def _marks_between(marks: list[Mark], begin: float, end: float, what: str, of: str = "") -> list[Mark]:
    return [m for m in marks if m.what == what and of in m.of and begin <= m.begin and m.end <= end]


def _opening_parts(samples: Samples, marks: list[Mark]) -> dict[str, float]:
    """Medians of where the time between the bell's confirmation and the unlock's arrival goes: to each of the
    gateway's named points, in the order in which it passes them.
    """
    found: dict[str, list[float]] = {}
    for t in samples.opening:
        decode = _marks_between(marks, t.rang, t.unlocked, "decode", "signal-")
        points = _marks_between(marks, t.rang, t.unlocked, "point")
        if not decode or not points:
            continue  # the gateway did these otherwise than the marks know
        steps = [("to the gateway", decode[0].begin), ("decode", decode[0].end)]
        decide = [m for m in _marks_between(marks, t.rang, t.unlocked, "decide") if m.end <= points[0].begin]
        if decide:
            steps += [("inbox", decide[-1].begin), ("decide", decide[-1].end)]
        steps += [(f"until {point.of}", point.begin) for point in points if point.begin >= decode[0].end]
        before = t.rang
        for name, at in (*steps, ("publish, to the lock", t.unlocked)):
            found.setdefault(name, []).append(at - before)
            before = at
    return {name: median(seconds) for name, seconds in found.items()}


def _whole_parts(samples: Samples, marks: list[Mark]) -> dict[str, float]:
    """Medians of the same between the scan and the unlock's arrival."""
    found: dict[str, list[float]] = {}
    for t in samples.single:
        decode = _marks_between(marks, t.scanned, t.unlocked, "decode", "scanner-")
        first = decode[0].begin if decode else t.scanned
        for name, seconds in (
            ("scan to the gateway", first - t.scanned),
            ("decode, look up, decide, commit and ring, to the signal", t.rang - first),
            ("bell confirmed, camera's decision, decide, commit, publish, to the lock", t.unlocked - t.rang),
        ):
            found.setdefault(name, []).append(seconds)
    return {name: median(seconds) for name, seconds in found.items()}
