"""A worker tells of a test in two messages, not in six: execnet reads and writes each in Python, 2 ms for a test.

What it leaves out nobody reads: that a test begins and has ended, that what passed was set up and torn down, and what
it printed. Where a run shows it (`-v`, `-rP`, `--durations`, `--junitxml`) all is told.
"""

import argparse

import pytest
import xdist.remote  # type: ignore[import-untyped]  # xdist has no py.typed

ASKED_FOR = ("durations", "xmlpath")  # options that need the time that each part of a test took


def shows_all(option: argparse.Namespace) -> bool:
    """Whether a run with these options of pytest shows more of a test that passes than that it did."""
    return (
        option.verbose > 0
        or bool(set("PpA") & set(option.reportchars))
        or any(getattr(option, name, None) is not None for name in ASKED_FOR)
    )


class FewReports(xdist.remote.WorkerInteractor):  # type: ignore[misc]  # the same
    """A worker's side of the channel to the process that gives out the tests."""

    @pytest.hookimpl
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Tell that a test begins, if somebody reads it."""
        if shows_all(self.config.option):
            super().pytest_runtest_logstart(nodeid, location)

    @pytest.hookimpl
    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Tell that a test has ended, if somebody reads it."""
        if shows_all(self.config.option):
            super().pytest_runtest_logfinish(nodeid, location)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell what failed or was skipped with all that is known of it, and of what passed that it did."""
        if report.passed and not shows_all(self.config.option):
            if report.when != "call":
                return
            report.sections, report.keywords = [], {}
        super().pytest_runtest_logreport(report)
