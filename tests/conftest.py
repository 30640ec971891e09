"""What holds for all tests."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from gateway.demo.processes import Child
from tests.forkserver import forks
from tests.skips import Skips
from tests.told import Told

settings.register_profile("perron", deadline=None)  # no test asserts speed
settings.load_profile("perron")

MEMORY = Path("/dev/shm")  # noqa: S108 - a place on the machine that runs the tests; folders in it get names of their own
ROOM = 2 * 1024**3  # bytes that must be free there; what a test that passed has written is removed at once


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped in silence, nor what was measured; and let them write to memory where there is room.

    Tests kill processes, never the machine: what a process has written outlives it in memory as on a disk.
    """
    config.pluginmanager.register(Skips(config.rootpath / "CONTRIBUTING.md"))
    config.pluginmanager.register(Told())
    if "TMPDIR" not in os.environ and _takes_files(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)  # workers and the programs that a test starts ask here too
        tempfile.tempdir = None


def _takes_files(folder: Path) -> bool:
    """Whether files can be written there, also such as are run, as Docker's own place for them forbids."""
    if not os.access(folder, os.W_OK):
        return False
    return shutil.disk_usage(folder).free >= ROOM and not os.statvfs(folder).f_flag & os.ST_NOEXEC


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


@pytest.fixture(autouse=True, scope="session")
def houses_start_by_a_fork() -> Iterator[None]:
    """Start the processes of played houses by a fork; a test that needs its own way of starting them overrides this."""

    async def start(cls: type[Child], module: str, arguments: Sequence[str], log: Path) -> Child:
        with log.open("ab") as out:
            return cls(forks().start(["-m", module, *arguments], out, leash=cls.leash), log)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Child, "start", classmethod(start))
        yield
    if forks.cache_info().currsize:
        forks().end()
