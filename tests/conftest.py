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
from gateway.mqtt.mosquitto import provisioning
from tests import forkedworkers
from tests.forkserver import end_fork_server, fork_server, ports_of
from tests.skips import SkipReport
from tests.told import MeasurementReport

settings.register_profile("perron", deadline=None)  # no test asserts speed
settings.load_profile("perron")

SCENARIOS = Path(__file__).parent / "gateway/demo/test_scenarios.py"
SEEDED_LIVES = Path(__file__).parent / "gateway/domain/visit/test_seeds.py"
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a place on the machine that runs the tests; folders in it get names of their own
WAITING_SHARE = 0.9  # of a run, until the last test that waits has begun
MAX_NAMED_CHARS = 100  # of a parameter in the name of its test
MAX_NAMED_BYTES = 24  # the same; a key is longer
MIN_FREE_BYTES = 2 * 1024**3  # bytes that must be free there; what a test that passed has written is removed at once


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped in silence, nor what was measured; and let them write to memory where there is room.

    Tests kill processes, never the machine: what a process has written outlives it in memory as on a disk.
    """
    config.pluginmanager.register(SkipReport(config.rootpath / "CONTRIBUTING.md"))
    config.pluginmanager.register(MeasurementReport())
    config.pluginmanager.register(forkedworkers)
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


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long text by its argument: some have random parts, and all workers must have the same names of tests."""
    limit = MAX_NAMED_BYTES if isinstance(val, bytes) else MAX_NAMED_CHARS
    return argname if isinstance(val, str | bytes) and len(val) > limit else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mix the files whose tests wait evenly among those whose tests compute, where several workers share the cores.

    In the order of their names all that wait would come in one stretch, in which the cores have little to do. The
    tests of a file stay in their order; what takes longest, beside the packages, begins first. While the scenarios are
    played, which takes a worker 90 s in which it mostly waits, seeded lives are computed. The last that wait begin
    while much is left to compute: a test of a minute that began last would leave all other workers idle.
    """
    if not hasattr(config, "workerinput"):
        return
    grouped = next((item for item in items if item.get_closest_marker("xdist_group")), None)
    if config.getoption("loadgroup", default=False) and grouped is not None and "@" not in grouped.nodeid:
        raise pytest.UsageError("This pytest-xdist sends a group's tests to several workers: install requirements.txt.")
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting: list[pytest.Item] = []
    computing: list[pytest.Item] = []
    for _file, found in sorted(files.items(), key=lambda one: one[0].parent != Path(__file__).parent):
        (waiting if any(item.get_closest_marker("slow") for item in found) else computing).extend(found)
    kinds = ((waiting, WAITING_SHARE), (computing, 1.0))
    rank = {item: share * number / len(kind) for kind, share in kinds for number, item in enumerate(kind)}
    if scenarios := [rank[item] for item in files.get(SCENARIOS, ())]:
        lives = files.get(SEEDED_LIVES, [])
        for number, item in enumerate(lives):
            rank[item] = scenarios[number * len(scenarios) // len(lives)]
    items.sort(key=lambda item: rank[item])


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for the sockets of a box in a folder below it, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True, scope="session")
def ports_of_its_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a worker take ports that no other one takes: a house that is killed comes back to the ports that it had."""
    worker = getattr(request.config, "workerinput", None)
    with pytest.MonkeyPatch.context() as patch:
        if worker is not None:
            ports = ports_of(int(worker["workerid"].removeprefix("gw")), worker["workercount"])
            patch.setattr(provisioning, "FIRST_PORT", ports.start)
            patch.setattr(provisioning, "PORT_COUNT", len(ports))
        yield


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
    end_fork_server()
