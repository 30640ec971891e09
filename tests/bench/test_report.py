"""The page is made of what was measured, and a part that is measured anew replaces itself only."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from tests.bench import __main__ as bench
from tests.bench import decision, measured, plot, report
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


def test_a_goal_that_was_missed_twice_says_what_was_measured_the_time_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "FILE", tmp_path / "measured.json")
    monkeypatch.setattr(bench, "REPORT", tmp_path / "bench.md")
    measured.save(Measured())
    goal = {"ratio": 3.0, "against": "echo", "goal": "<= 2 x"}
    for day, is_met in ((1, True), (2, False), (3, False)):
        lines = [_line("decision", "decision", **goal, met=is_met, why="a")]
        bench.write(lines, DAY.model_copy(update={"day": f"2026-12-0{day}"}))
        page = (tmp_path / "bench.md").read_text(encoding="utf-8")
        assert ("- decision (2 ms, goal <= 2 x): a." in page) is (day == 2)
        told = "- decision (2 ms, goal <= 2 x; missed in the run before too: 2 ms, 3.00 x, 2026-12-02): a."
        assert (told in page) is (day == 3)


def test_the_older_rows_of_a_bench_that_could_not_be_measured_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "FILE", tmp_path / "measured.json")
    monkeypatch.setattr(bench, "REPORT", tmp_path / "bench.md")
    old = MeasuredBench(occasion=DAY, lines=(_line("hub", "hub's"),))
    measured.save(Measured(benches={"hub": old}))
    for _ in range(2):
        bench.write([BenchLine.unmeasured("hub", "no database")], DAY.model_copy(update={"day": "2026-12-01"}))
    page = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert "2026-11-30; 2 cores." in page
    assert "| hub's | 2 ms |  |  | - |" in page
    assert page.count("| hub: not measured |  |  |  | - |") == 1
    assert "- hub: not measured: why no database." in page


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


def test_the_decision_is_compared_with_node_red_that_writes_its_log_first() -> None:
    rows = (
        PeerRow(what="Node-RED as shipped, log first", p50=44.0),
        PeerRow(what="Node-RED + TCP_NODELAY, log first", p50=1.0),
        PeerRow(what="**gateway: decision to open**", p50=2.0),
    )
    text = report.peers_section(MeasuredPeers(occasion=DAY, rows=rows))
    assert "- Node-RED as shipped, log first: met, 0.0455 x its time." in text
    assert "- Node-RED + TCP_NODELAY, log first: missed, 2 x its time." in text


LOAD = {
    "gateway: decision to open": ((1, 1.4), (50, 20.0), (200, 90.0)),
    "Node-RED as shipped": ((1, 43.0), (50, 44.0), (200, 60.0)),
    "not drawn": ((1, 5.0),),
}


def test_the_picture_has_each_curve_in_light_and_dark_and_says_the_same_in_words() -> None:
    drawn = ET.fromstring(plot.picture(LOAD))  # noqa: S314 - drawn here
    named = {name: drawn.findall(f".//{{http://www.w3.org/2000/svg}}{name}") for name in ("polyline", "desc", "style")}
    assert [len(line.get("points", "").split()) for line in named["polyline"]] == [3, 3]
    assert "prefers-color-scheme:dark" in (named["style"][0].text or "")
    words = "Node-RED as shipped 43 ms at 1 and 60 ms at 200; Perron, decision, durable 1.4 ms at 1 and 90 ms at 200"
    assert words in (named["desc"][0].text or "")
    assert words in plot.told(LOAD)


def test_nothing_is_drawn_of_nothing() -> None:
    with pytest.raises(ValueError, match="no curve was measured"):
        plot.picture({"not drawn": ((1, 5.0),)})


def test_the_picture_is_the_first_thing_on_the_page() -> None:
    peers = MeasuredPeers(occasion=DAY, rows=(), load=LOAD)
    lines = report.report(Measured(peers=peers), bench.BENCHES).splitlines()
    assert lines[2].startswith("![Milliseconds until the unlock")
    assert lines[2].endswith("](../pictures/load.svg)")
