"""Forks the workers of pytest-xdist from a process that has read all tests.

A worker that reads all tests itself takes 13 s of processor time for imports and for the tests' names, and a run has
ten workers. Here one process, the stem, reads them once; each worker is a fork of it that has them in memory, and
talks to pytest-xdist over the pipes of the process that execnet started for it (`tests/workerpipes.py`). The workers'
fork servers (`tests/forkserver.py`) are forks of one too.

This is a plugin: `python -m pytest -p tests.forkedworkers -n 8`. The stem ends when its standard input does.
"""

import json
import os
import secrets
import select
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, cast

import execnet
import pytest
from _pytest.capture import CaptureManager
from _pytest.config import _prepareconfig
from _pytest.tmpdir import TempPathFactory

from tests import forkserver, workerchannel
from tests.forkedvideo import run_and_exit

if TYPE_CHECKING:
    from xdist.remote import WorkerInteractor  # type: ignore[import-untyped]  # xdist has no py.typed

STEM = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from tests.forkedworkers import run; run()"
PIPES = Path(__file__).with_name("workerpipes.py")

_channels: SimpleQueue[execnet.Channel] = SimpleQueue()
_ended = threading.Event()


class Stem:
    """The process that reads all tests, as the process that gives them out sees it."""

    def __init__(self, config: pytest.Config, workers: int) -> None:
        self.name = f"perron-tests-{secrets.token_hex(8)}"  # of an abstract socket
        arguments = [str(one) for one in config.invocation_params.args]
        told = {"arguments": arguments, "path": sys.path, "called": sys.argv, "workers": workers}
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(f"\0{self.name}")
            listener.listen(workers)
            self._process = subprocess.Popen(
                [sys.executable, "-c", STEM, str(listener.fileno())], pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=config.invocation_params.dir,
            )  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Let it end."""
        self._process.communicate()


_STEM = pytest.StashKey[Stem]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[execnet.XSpec]) -> None:
    """Start the stem, and let each worker be a fork of it."""
    stem = config.stash[_STEM] = Stem(config, len(specs))
    for spec in specs:
        spec.python = shlex.join([sys.executable, "-IS", str(PIPES), stem.name])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_getremotemodule() -> ModuleType:
    """Return what execnet runs in a worker."""
    return workerchannel


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """Return what gives out the tests, where a group's tests go to one worker."""
    if config.getoption("dist") != "loadgroup":
        return None
    from tests.scheduling import ManyTests  # noqa: PLC0415 - without xdist this plugin does nothing

    return ManyTests(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the stem."""
    if (stem := config.stash.get(_STEM, None)) is not None:
        stem.end()


def work_through(channel: execnet.Channel) -> None:
    """Give the main thread of this worker its channel, and return when it has done its work."""
    _channels.put(channel)
    _ended.wait()


class UnheardChannel:
    """Keeps what would be sent while there is no worker yet."""

    def __init__(self) -> None:
        self.gateway = self
        self.execmodel = execnet.gateway_base.get_execmodel("main_thread_only")
        self.unheard: list[object] = []

    def send(self, event: object) -> None:
        """Keep an event of the stem's: each worker sends it."""
        self.unheard.append(event)


class Forks:
    """In the stem, as soon as all tests are read: forks a worker for each who asks. In a worker: runs tests."""

    def __init__(
        self, config: pytest.Config, listener: socket.socket, unheard: UnheardChannel, interactor: "WorkerInteractor"
    ) -> None:
        self.config, self._listener, self._unheard, self._interactor = config, listener, unheard, interactor
        self.is_ready = self.is_worker = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Fork workers; in a worker, run the tests that it is given."""
        capture: CaptureManager = self.config.pluginmanager.getplugin("capturemanager")
        capture.stop_global_capturing()  # what is captured here is in one file, which workers must not share
        if not self.fork_workers():
            return True
        capture.start_global_capturing()
        capture.suspend_global_capture()
        return cast("bool", self._interactor.pytest_runtestloop(session))

    def fork_workers(self) -> bool:
        """Wait for who asks for a worker until nobody can any more; True: this is a worker."""
        self.is_ready = True
        asked = self._listener.fileno()
        while select.select([asked, 0], [], [])[0] == [asked]:
            asking, _address = self._listener.accept()
            with asking:
                data, files, _flags, _from = socket.recv_fds(asking, 16, 3)
                if data == forkserver.BRANCH:
                    forkserver.fork_server().give_branch(asking)
                elif os.fork() == 0:
                    asking.detach()  # who asked waits for its end, which is ours
                    self._become_worker(files)
                    return True
            for file in files:
                os.close(file)
        return False

    def _become_worker(self, files: Sequence[int]) -> None:
        self.is_worker = True
        forkserver.use_branch(self._listener.getsockname().decode())
        self._listener.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        self.serving = threading.Thread(target=_serve_execnet, name="execnet", daemon=True)
        self.serving.start()
        channel = _channels.get()
        given, _arguments, options, path = channel.receive()
        sys.path = path or sys.path
        os.environ.update(PYTEST_XDIST_TESTRUNUID=given["testrunuid"], PYTEST_XDIST_WORKER=given["workerid"])
        self.config.workerinput.update(given)  # type: ignore[attr-defined]  # as xdist sets it
        self.config.option.basetemp = options.get("basetemp")
        self.config._tmp_path_factory = TempPathFactory.from_config(self.config, _ispytest=True)  # type: ignore[attr-defined]  # noqa: SLF001 - as pytest sets it
        worker = self._interactor
        worker.workerid, worker.testrunuid, worker.channel = given["workerid"], given["testrunuid"], channel
        for event in self._unheard.unheard:
            channel.send(event)


def _serve_execnet() -> None:
    """Do what the interpreter does that execnet starts: run the line that it sends."""
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    exec(eval(sys.stdin.readline()), {"__name__": "__main__"})  # noqa: S102, S307 - of the process that started us


def run() -> None:
    """Be the stem, or a worker that was forked from it, to the end of this process."""
    run_and_exit(_read_and_fork)


def _read_and_fork() -> None:
    told, listener = json.loads(sys.stdin.readline()), socket.socket(fileno=int(sys.argv[1]))
    sys.path, sys.argv = told["path"], told["called"]
    os.environ.update(PYTEST_XDIST_WORKER_COUNT=str(told["workers"]), PYTEST_XDIST_WORKER="stem")
    forks = _prepare(told["arguments"], listener, told["workers"])
    try:
        try:
            forks.config.hook.pytest_cmdline_main(config=forks.config)
        except pytest.UsageError as error:
            sys.stderr.write(f"ERROR: {error}\n")
        if not forks.is_ready:
            forks.fork_workers()  # who have nothing to do, and say so
    finally:
        if forks.is_worker:
            _ended.set()
            forks.serving.join()
    if not forks.is_worker:
        forkserver.end_fork_server()


def _prepare(arguments: list[str], listener: socket.socket, workers: int) -> Forks:
    """Set up pytest as the module `xdist.remote` does in a worker."""
    config = _prepareconfig(arguments, None)
    import xdist.remote  # type: ignore[import-untyped]  # noqa: PLC0415 - pytest warns of a plugin whose asserts it finds as they are

    xdist.remote.setup_config(config, None)
    config._parser.prog = Path(sys.argv[0]).name  # noqa: SLF001 - as there
    given = {"workerid": "stem", "testrunuid": "", "workercount": workers, "mainargv": sys.argv}
    config.workerinput, config.workeroutput = given, {}  # type: ignore[attr-defined]  # as there
    unheard = UnheardChannel()
    from tests.workerreports import FewReports  # noqa: PLC0415 - it imports that one

    interactor = FewReports(config, unheard)
    xdist.remote.interactor = interactor  # a name that it has where execnet runs it
    forks = Forks(config, listener, unheard, interactor)
    config.pluginmanager.register(forks)
    return forks
