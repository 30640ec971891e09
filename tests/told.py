"""What a test measured is told at the end of the run, also when it ran in a worker whose output nobody sees.

A test tells by `record_property("told", "0 of 44 refused")`.
"""

import pytest

REPORT_KEY = "told"


class MeasurementReport:
    """Collects what was told."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has run (also in a worker of xdist, whose reports come here)."""
        if report.when == "call":
            self._lines += [str(value) for name, value in report.user_properties if name == REPORT_KEY]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell it."""
        for line in self._lines:
            terminalreporter.write_line(f"measured: {line}")
