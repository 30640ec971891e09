"""Makes a worker of pytest-xdist send two messages for a test instead of six: six cost 2 ms, since execnet is Python.

A worker does not send the start and the end of a test, and of a test that passed neither set-up, tear-down nor output.
With options that show these (`-v`, `-rP`, `--durations`, `--junitxml`) it sends all.
"""

import argparse

import pytest
import xdist.remote  # type: ignore[import-untyped]  # xdist has no py.typed

ASKED_FOR = ("durations", "xmlpath")  # options that need the time that each part of a test took


def shows_all(option: argparse.Namespace) -> bool:
    """Return whether these options of pytest show more than the result of a test that passed."""
    return (
        option.verbose > 0
        or bool(set("PpA") & set(option.reportchars))
        or any(getattr(option, name, None) is not None for name in ASKED_FOR)
    )


class FewReports(xdist.remote.WorkerInteractor):  # type: ignore[misc]  # the same
    """The worker's side of the channel to the scheduling process."""

    @pytest.hookimpl
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Send the start of a test if the run shows it."""
        if shows_all(self.config.option):
            super().pytest_runtest_logstart(nodeid, location)

    @pytest.hookimpl
    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Send the end of a test if the run shows it."""
        if shows_all(self.config.option):
            super().pytest_runtest_logfinish(nodeid, location)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send the whole report of a test that failed or was skipped, and the result alone of one that passed."""
        if report.passed and not shows_all(self.config.option):
            if report.when != "call":
                return
            report.sections, report.keywords = [], {}
        super().pytest_runtest_logreport(report)
