"""What holds for all tests."""

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings

from gateway.demo.processes import LoggedProcess
from tests.forkserver import fork_server
from tests.skips import SkipReport
from tests.told import MeasurementReport

settings.register_profile("perron", deadline=None)  # no test asserts speed
settings.load_profile("perron")

MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a place on the machine that runs the tests; folders in it get names of their own
MIN_FREE_BYTES = 2 * 1024**3  # bytes that must be free there; what a test that passed has written is removed at once

TESTS = Path(__file__).parent
WAITING = (TESTS / "gateway", TESTS / "gateway" / "demo", TESTS / "gateway" / "video")
"""Folders whose tests play a house or a camera at real times: they leave the cores to others nearly always."""
SLOW_TEST_WEIGHT = 7  # measured: processor time of a test marked slow, beside one that is not
LAST_WAIT_BEGINS = 0.9  # share of the run: the longest wait takes less than the rest


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped in silence, nor what was measured; and let them write to memory where there is room.

    Tests kill processes, never the machine: what a process has written outlives it in memory as on a disk.
    """
    config.pluginmanager.register(SkipReport(config.rootpath / "CONTRIBUTING.md"))
    config.pluginmanager.register(MeasurementReport())
    if "TMPDIR" not in os.environ and _is_usable(MEMORY_DISK):
        os.environ["TMPDIR"] = str(MEMORY_DISK)  # workers and the programs that a test starts ask here too
        tempfile.tempdir = None


def _is_usable(folder: Path) -> bool:
    """Whether files can be written there, also such as are run, as Docker's own place for them forbids."""
    if not os.access(folder, os.W_OK):
        return False
    return shutil.disk_usage(folder).free >= MIN_FREE_BYTES and not os.statvfs(folder).f_flag & os.ST_NOEXEC


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Read all tests without looking for garbage, and never look through them again: they stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(100_000, 20, 100)  # looked for as often as usual, it was a twelfth of all time


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Spread the files whose tests wait evenly among those that compute, where several workers share the cores.

    In the order of their names all that wait would come in one stretch, in which the cores have little to do. The
    tests of a file stay together and in their order. Files with slow tests begin first, and none that waits begins at
    the end, when a worker may be the only one that still has something to do.
    """
    if not hasattr(config, "workerinput"):
        return
    weights: dict[Path, int] = {}
    slow: set[Path] = set()
    for item in items:
        is_slow = item.get_closest_marker("slow") is not None
        weights[item.path] = weights.get(item.path, 0) + (SLOW_TEST_WEIGHT if is_slow else 1)
        slow.update([item.path] if is_slow else [])
    start: dict[Path, float] = {}  # when a file begins, as a share of the whole run
    for is_waiting, end in ((True, LAST_WAIT_BEGINS), (False, 1.0)):
        files = sorted((file for file in weights if (file.parent in WAITING) is is_waiting),
                       key=lambda file: (file not in slow, file))  # fmt: skip
        whole, before = sum(weights[file] for file in files), 0
        for file in files:
            start[file] = end * before / whole
            before += weights[file]
    items.sort(key=lambda item: start[item.path])


@pytest.fixture(autouse=True, scope="session")
def houses_start_by_a_fork() -> Iterator[None]:
    """Start the processes of played houses by a fork; a test that needs its own way of starting them overrides this."""

    async def start(cls: type[LoggedProcess], module: str, arguments: Sequence[str], log: Path) -> LoggedProcess:
        with log.open("ab") as out:
            forked = fork_server().start(["-m", module, *arguments], out, leash=cls.death_signal)
            return cls(cast("asyncio.subprocess.Process", forked), log)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoggedProcess, "start", classmethod(start))
        yield
    if fork_server.cache_info().currsize:
        fork_server().end()
