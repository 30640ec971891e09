"""A skipped test fails the run, unless CONTRIBUTING.md lists it with its reason: what nobody runs proves nothing."""

import re
from pathlib import Path

import pytest

HEADING = "## Tests that may be skipped"
_LISTED = re.compile(r"^- `([^`\n]+)`: *\S", re.MULTILINE)


def listed_tests(contributing: str) -> frozenset[str]:
    """The tests (or files, or folders) that may be skipped: list items of the form "- `tests/x.py::test_y`: why"."""
    _, _, section = contributing.partition(f"\n{HEADING}\n")
    return frozenset(_LISTED.findall(section.partition("\n## ")[0]))


class SkipReport:
    """Counts what was skipped, and fails the run for what is not listed."""

    def __init__(self, contributing: Path) -> None:
        self._contributing = contributing
        self._skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test was skipped (also by a worker of xdist, whose reports come here)."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A whole file was skipped."""
        if report.skipped:
            self._skipped.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that would have passed."""
        if self._unlisted() and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name them."""
        for test in self._unlisted():
            terminalreporter.write_line(f"SKIPPED, which CONTRIBUTING.md does not allow: {test}", red=True)

    def _unlisted(self) -> list[str]:
        allowed = listed_tests(self._contributing.read_text(encoding="utf-8")) if self._skipped else frozenset()
        return sorted({test for test in self._skipped if not any(_within(test, entry) for entry in allowed)})


def _within(test: str, entry: str) -> bool:
    return test == entry or test.startswith((f"{entry}::", f"{entry}[", f"{entry.rstrip('/')}/"))
