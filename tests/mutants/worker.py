"""Plants faults in the copy of the tree in which it runs, and runs their tests: `python -m tests.mutants.worker`.

Each run is a fork of this process, which has imported the libraries (but nothing of the tree), so a run costs no
interpreter's start. Reads names of faults from standard input, one a line; writes a `Verdict` as JSON for each.
"""

import atexit
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path

import pytest

from tests.mutants import ALL
from tests.mutants.mutant import Mutant
from tests.mutants.shape import PlaceError, file_of, planted

TIMEOUT_S = 300  # a fault may well make a test hang: that is caught too
POLL_INTERVAL_S = 0.02
TREE = {"gateway", "devices", "tests"}
PLUGINS = {"pytest", "_pytest", "xdist", "pytest_asyncio", "schemathesis", "_hypothesis_pytestplugin", "anyio"}
NOT_RUNNABLE = re.compile(r"^E\s+(?:NameError|SyntaxError|IndentationError|ImportError)\b.*", re.MULTILINE)
ARGUMENTS = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which test caught a fault (empty: none did), or why that cannot be judged, and how long it took."""

    name: str
    caught_by: str = ""
    broken: str = ""
    seconds: float = 0.0


@dataclass(eq=False)  # pytest wants its plugins hashable
class Run:
    """How pytest ended (None: it hung), the first failure, and the libraries that the run has imported."""

    status: int | None = None
    failed: str = ""
    report: str = ""
    modules: list[str] = field(default_factory=list)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the first failure."""
        self._note(report)

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that cannot be imported."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed, self.report = report.nodeid, report.longreprtext


class Worker:
    """Runs tests in the working directory."""

    def __init__(self) -> None:
        self._good: set[str] = set()  # tests that pass without a fault

    def judge(self, mutant: Mutant) -> Verdict:
        """Plant a fault, run its tests, take it out again, and make sure that the test passes without it."""
        begun = time.monotonic()
        try:
            path = file_of(mutant, Path())
        except PlaceError as error:
            return Verdict(mutant.name, broken=str(error))
        with _changed(path, planted(mutant, path.read_text(encoding="utf-8"))):
            run = self._run(mutant.tests)
        verdict = self._verdict(mutant, run)
        return Verdict(**{**asdict(verdict), "seconds": time.monotonic() - begun})

    def _verdict(self, mutant: Mutant, run: Run) -> Verdict:
        if run.status == pytest.ExitCode.OK:
            return Verdict(mutant.name)
        if run.status is not None and run.status != pytest.ExitCode.TESTS_FAILED:
            return Verdict(mutant.name, broken=f"pytest ended with {run.status}\n{run.report[-2000:]}")
        if found := NOT_RUNNABLE.search(run.report):
            return Verdict(mutant.name, broken=f"the fault cannot run, so any test fails: {found.group()}")
        tests = (run.failed,) if run.failed else mutant.tests
        if not self._good.issuperset(tests):
            if (without := self._run(tests)).status != pytest.ExitCode.OK:
                return Verdict(
                    mutant.name, broken=f"{without.failed or tests} fails without the fault too\n{without.report}"
                )
            self._good.update(tests)
        return Verdict(mutant.name, caught_by=run.failed or "hangs")

    def _run(self, tests: tuple[str, ...]) -> Run:
        if threading.active_count() > 1:
            raise RuntimeError(f"a library has begun a thread: {threading.enumerate()}")
        folder = Path(tempfile.mkdtemp(prefix="perron-mutant-"))  # a child's end must not remove it
        try:
            if not (pid := os.fork()):
                _run_pytest(tests, folder)
            if not _wait_for(pid):
                return Run()
            if not (result := folder / "run.json").exists():
                return Run(pytest.ExitCode.INTERNAL_ERROR, report=(folder / "output").read_text()[-2000:])
            run = Run(**json.loads(result.read_text()))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        for module in run.modules:
            with suppress(ImportError):
                import_module(module)
        return run


def _run_pytest(tests: tuple[str, ...], folder: Path) -> None:
    """Run tests in this process, the child, write what is to be known, and end it."""
    try:
        os.setsid()
        output = os.open(folder / "output", os.O_CREAT | os.O_WRONLY)
        for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
            os.dup2(descriptor, target)
        for name in [name for name in sys.modules if name.partition(".")[0] in TREE]:
            del sys.modules[name]
        before = set(sys.modules)
        run = Run()
        run.status = int(pytest.main([*ARGUMENTS, "--basetemp", str(folder / "tests"), *tests], plugins=[run]))
        run.modules = [
            name for name in sys.modules if name not in before and name.partition(".")[0] not in TREE | PLUGINS
        ]
        (folder / "run.json").write_text(json.dumps(asdict(run)))
        atexit._run_exitfuncs()  # noqa: SLF001 - `sys.exit` would raise through the caller's frames
    except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on in its parent's code
        traceback.print_exc()
    finally:
        os._exit(0)


def _wait_for(pid: int) -> bool:
    """Return whether a child ended in its time, and end what it has left in its session."""
    ends = time.monotonic() + TIMEOUT_S
    while not (done := os.waitpid(pid, os.WNOHANG)[0]) and time.monotonic() < ends:
        time.sleep(POLL_INTERVAL_S)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if not done:
        os.waitpid(pid, 0)
    return bool(done)


@contextmanager
def _changed(path: Path, text: str) -> Iterator[None]:
    """Let the file have this text for a while; nothing compiled of it outlives that."""
    before, times = path.read_bytes(), path.stat()
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()


def main() -> None:
    """Judge each fault that standard input names."""
    worker, by_name = Worker(), {mutant.name: mutant for mutant in ALL}
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(worker.judge(by_name[line.rstrip("\n")]))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
