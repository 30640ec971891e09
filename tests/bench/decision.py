"""Scan to unlock with cameras that are proven already, against a bare echo on the same broker."""

import sqlite3
import time
from dataclasses import dataclass, field

from tests.bench.line import BenchLine, ShowStatus, largest, median, ms, p95
from tests.bench.marks import Mark
from tests.bench.scene import BenchScene, scene
from tests.bench.street import ScanTimes

GOAL_RATIO = 2.0  # times a bare echo
BELL_DELAY_S = 0.05  # seconds


@dataclass(slots=True)
class Samples:
    """Seconds. `opening` are scans whose bell is confirmed late, so that the gateway waits for nothing else by then, as
    after 20 s of ringing; `single` are those whose bell is confirmed at once, `crowd` scans at all entrances at once.
    """

    echoes: list[float] = field(default_factory=list)
    syncs: list[float] = field(default_factory=list)
    opening: list[ScanTimes] = field(default_factory=list)
    single: list[ScanTimes] = field(default_factory=list)
    crowd: list[ScanTimes] = field(default_factory=list)
    crowd_took: list[float] = field(default_factory=list)


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    entrances, rounds = (10, 1) if quick else (50, 3)
    samples = Samples()
    async with scene(entrances=entrances, each=3 * rounds) as stage:
        for number in range(rounds):
            say(f"the last condition before an opening, beside an echo: round {number + 1} of {rounds}")
            await _one_at_a_time(stage, 3 * number, samples, samples.opening, bell=BELL_DELAY_S)
            say(f"one scan at a time, beside an echo: round {number + 1} of {rounds}")
            await _one_at_a_time(stage, 3 * number + 1, samples, samples.single, bell=0)
            say(f"{entrances} scans at once: round {number + 1} of {rounds}")
            await _all_at_once(stage, 3 * number + 2, samples)
    return [*_decision(samples, stage.marks), *_crowd(samples, entrances)]


def _bare_commit(disk: sqlite3.Connection) -> float:
    """One row into SQLite (WAL, synchronous=FULL), in seconds: what no commit can do without."""
    began = time.perf_counter()
    with disk:
        disk.execute("INSERT INTO bare VALUES (1)")
    return time.perf_counter() - began


async def _one_at_a_time(
    stage: BenchScene, number: int, samples: Samples, times: list[ScanTimes], *, bell: float
) -> None:
    stage.street.bell = bell
    for n in stage.street.entrances:
        samples.syncs.append(_bare_commit(stage.disk))
        samples.echoes.append(await stage.street.echo())
        stage.street.scan(n, number)
        times.append(await stage.street.unlock(n))
    stage.street.bell = 0
    await _end_visit(stage)


async def _all_at_once(stage: BenchScene, number: int, samples: Samples) -> None:
    for n in stage.street.entrances:
        stage.street.scan(n, number)
    times = [await stage.street.unlock(n) for n in stage.street.entrances]
    samples.crowd += times
    samples.crowd_took.append(max(t.unlocked for t in times) - min(t.scanned for t in times))
    await _end_visit(stage)


async def _end_visit(stage: BenchScene) -> None:
    for n in stage.street.entrances:
        stage.street.let_out(n)
    await stage.street.until("visits under way", lambda: not stage.street.ready())
    await stage.rest()


def _decision(samples: Samples, marks: list[Mark]) -> list[BenchLine]:
    echo = median(samples.echoes)
    whole = median([t.unlocked - t.scanned for t in samples.single])
    answer = median([t.waited - t.scanned for t in samples.opening])
    opening = median([t.unlocked - t.rang for t in samples.opening])
    parts, through = _opening_parts(samples, marks), _whole_parts(samples, marks)
    commits = median([len(_marks_between(marks, t.scanned, t.unlocked, "decide")) for t in samples.single])
    bare = median(samples.syncs)
    floor = f"a bare echo with one bare SQLite commit in it would take {ms(echo + bare)} ({(echo + bare) / echo:.2f} x)"
    against, goal = f"echo {ms(echo)}", f"<= {GOAL_RATIO:g} x"
    return [
        BenchLine(bench="decision", what="bare aiomqtt echo, p50", value=echo * 1000, unit="ms"),
        BenchLine(
            bench="decision", unit="ms", what="bare SQLite commit (one row, WAL, synchronous=FULL), p50",
            value=bare * 1000, ratio=bare / echo, against=against,
        ),
        BenchLine(
            bench="decision", unit="ms", against=against, goal=goal,
            what="the scan's answer: scan message to `wait` message, with its commit, p50",
            value=answer * 1000, ratio=answer / echo, met=answer <= GOAL_RATIO * echo,
            why=f"the commit in the middle alone takes {ms(parts['commit'])}; {floor}",
        ),
        BenchLine(
            bench="decision", unit="ms", against=against, goal=goal,
            what="the decision to open: the last condition's message (ringing cannot be 0: the bell's"
            " confirmation, 50 ms after it) to the unlock message, with its commit, p50",
            value=opening * 1000, ratio=opening / echo, met=opening <= GOAL_RATIO * echo,
            parts={name: ms(seconds) for name, seconds in parts.items()},
            why=f"largest parts: {largest(parts)}; {floor}",
        ),
        BenchLine(
            bench="decision", unit="ms", against=against, goal=goal,
            what="scan message to unlock message through the bell (4 messages and all decisions), p50",
            value=whole * 1000, ratio=whole / echo, met=whole <= GOAL_RATIO * echo,
            parts={name: ms(seconds) for name, seconds in through.items()},
            why=f"the bell must ring and be confirmed: 4 messages over the broker against the echo's 2, and {commits:g}"
            f" decisions, each with its own commit; largest parts: {largest(through)}",
        ),
    ]  # fmt: skip


def _marks_between(marks: list[Mark], begin: float, end: float, what: str, of: str = "") -> list[Mark]:
    return [m for m in marks if m.what == what and of in m.of and begin <= m.begin and m.end <= end]


def _opening_parts(samples: Samples, marks: list[Mark]) -> dict[str, float]:
    """Medians of where the time between the bell's confirmation and the unlock's arrival goes."""
    found: dict[str, list[float]] = {}
    for t in samples.opening:
        decode = _marks_between(marks, t.rang, t.unlocked, "decode", "signal-")[0]
        points = {m.of: m.begin for m in _marks_between(marks, t.rang, t.unlocked, "point")}
        decide = [m for m in _marks_between(marks, t.rang, t.unlocked, "decide") if m.end <= points["before-commit"]][
            -1
        ]
        for name, seconds in (
            ("to the gateway", decode.begin - t.rang),
            ("decode", decode.seconds),
            ("inbox", decide.begin - decode.end),
            ("decide", points["before-commit"] - decide.begin),
            ("commit", points["after-commit"] - points["before-commit"]),
            ("last checks before it leaves", points["before-publish"] - points["after-commit"]),
            ("publish, to the lock", t.unlocked - points["before-publish"]),
        ):
            found.setdefault(name, []).append(seconds)
    return {name: median(seconds) for name, seconds in found.items()}


def _whole_parts(samples: Samples, marks: list[Mark]) -> dict[str, float]:
    """Medians of the same between the scan and the unlock's arrival."""
    found: dict[str, list[float]] = {}
    for t in samples.single:
        first = _marks_between(marks, t.scanned, t.unlocked, "decode", "scanner-")[0]
        for name, seconds in (
            ("scan to the gateway", first.begin - t.scanned),
            ("decode, look up, decide, commit and ring, to the signal", t.rang - first.begin),
            ("bell confirmed, camera's decision, decide, commit, publish, to the lock", t.unlocked - t.rang),
        ):
            found.setdefault(name, []).append(seconds)
    return {name: median(seconds) for name, seconds in found.items()}


def _crowd(samples: Samples, entrances: int) -> list[BenchLine]:
    one = [t.unlocked - t.scanned for t in samples.single]
    many = [t.unlocked - t.scanned for t in samples.crowd]
    rate = entrances / median(samples.crowd_took)
    alone = 1 / median(one)
    return [
        BenchLine(bench="decision", what="one entrance in flight: scan to unlock, p50 (p95 in parts)",
             value=median(one) * 1000, unit="ms", parts={"p95": ms(p95(one)), "openings a second": f"{alone:.0f}"}),
        BenchLine(bench="decision", what=f"{entrances} entrances in flight: scan to unlock, p50 (p95 in parts)",
             value=median(many) * 1000, unit="ms", ratio=median(many) / median(one), against="one in flight",
             parts={"p95": ms(p95(many)), "openings a second": f"{rate:.0f} ({rate / alone:.1f} x one in flight)"}),
    ]  # fmt: skip
