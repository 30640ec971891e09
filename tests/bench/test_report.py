"""The page is made of what was measured, and a part that is measured anew replaces itself only."""

from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import __main__ as bench
from tests.bench import decision, measured, report
from tests.bench.line import BenchLine
from tests.bench.measured import Measured, MeasuredBench, MeasuredPeers, Occasion, PeerRow

DAY = Occasion(day="2026-11-30", machine="2 cores")


def _line(of: str, what: str, **more: object) -> BenchLine:
    return BenchLine(bench=of, what=what, value=2.0, unit="ms", **more)  # type: ignore[arg-type]  # any of its fields


def test_the_page_is_what_the_generator_makes_of_what_was_measured() -> None:
    page = report.REPORT.read_text(encoding="utf-8")
    assert page == report.report(measured.load(), bench.BENCHES), "`python -m tests.bench --page` writes it"


def test_what_is_measured_anew_replaces_its_own_rows_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "FILE", tmp_path / "measured.json")
    monkeypatch.setattr(bench, "REPORT", tmp_path / "bench.md")
    old = Occasion(day="2026-11-26", machine="2 cores")
    rows = {"decision": _line("decision", "old decision"), "hub": _line("hub", "hub's")}
    measured.save(Measured(benches={name: MeasuredBench(occasion=old, lines=(row,)) for name, row in rows.items()}))
    bench.write([_line("decision", "new decision", ratio=3.0, against="echo", goal="<= 2 x", met=False, why="a")], DAY)
    page = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert "| new decision | 2 ms | 3.00 x echo | <= 2 x | missed |" in page
    assert "| hub's | 2 ms |  |  | - |" in page
    assert "old decision" not in page
    assert "- decision: 2026-11-30; 2 cores.\n- hub: 2026-11-26; 2 cores." in page
    assert "- new decision (2 ms, goal <= 2 x): a." in page


async def test_a_bench_that_fails_is_a_row_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_say: object, *, quick: bool) -> list[BenchLine]:
        raise RuntimeError(f"no broker, quick {quick}\nand much more")

    monkeypatch.setattr(decision, "bench", fail)
    (line,) = await bench.measure(["decision"], Console(quiet=True), quick=True)
    assert (line.what, line.met) == ("decision: not measured", None)
    assert line.parts == {"why": "RuntimeError: no broker, quick True"}


def test_a_peer_that_was_not_measured_says_why_in_its_row() -> None:
    rows = (
        PeerRow(what="Node-RED", p50=1.04, p95=2, rate=9421, cpu=0.09, memory=140, durable="no"),
        PeerRow(what="Home Assistant", why="npm is missing"),
    )
    text = report.peers_section(MeasuredPeers(occasion=DAY, rows=rows))
    assert "| Node-RED | 1.04 | 2 | 9,420 | 0.09 | 140 | no |" in text
    assert "| Home Assistant (npm is missing) |  |  |  |  |  |  |" in text
