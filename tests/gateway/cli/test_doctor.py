"""The doctor's answer as a person reads it at a terminal of 80 columns."""

import io
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from gateway.cli import lines
from gateway.cli.installing import print_findings
from gateway.cli.lines import hanging_lines, set_current_home
from gateway.installation.diagnostics.finding import Finding, bad, doubtful, good
from gateway.system.i18n import Text

ODD_HOME = Path("/srv/the house of Anne's/home.yaml")
FINDINGS = [
    good(Text("clock"), Text("it is synchronised")),
    bad(
        Text("broker"), Text("nobody listens there. " * 6), Text("Start it with `perron simulate --broker`, then look.")
    ),
    good(Text("disk"), Text("500 MiB free")),
    doubtful(Text("devices"), Text("not asked"), None),
]


def shown(findings: list[Finding], *, show_good: bool = False) -> list[str]:
    screen = io.StringIO()
    print_findings(findings, Console(file=screen, width=80, highlight=False), show_good=show_good)
    return screen.getvalue().splitlines()


def test_problems_come_first_and_what_is_good_is_one_line() -> None:
    told = shown(FINDINGS)
    assert [line for line in told if line[0] != " "] == ["BAD  broker", "?    devices", "2 good: clock, disk."]
    assert [line for line in shown(FINDINGS, show_good=True) if line[0] != " "] == [
        "BAD  broker", "?    devices", "ok   clock", "ok   disk",
    ]  # fmt: skip


def test_each_line_fits_into_80_columns_but_no_command_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "program_name", lambda: "perron")
    set_current_home(ODD_HOME)
    told = shown(FINDINGS)
    command = f"`perron simulate --broker --home {shlex.quote(str(ODD_HOME))}`"
    assert len(command) > 60
    assert any(command in line for line in told), "it can be copied from one line"
    assert all(len(line) <= 80 for line in told if command not in line)


def test_a_text_is_broken_between_words_behind_a_margin() -> None:
    assert hanging_lines("one two three", 2, 9) == "  one two\n  three"
    assert hanging_lines("`one two three` four", 2, 9) == "  `one two three`\n  four"
