"""Starts the processes of played houses by forking a server process that has already imported their modules.

A start by `exec` costs up to 1.1 s of processor time for imports, and the tests start about a thousand processes. A
forked process runs the same `python -m MODULE ARGUMENTS`, with a process id, session, log and exit status of its
own. It does not show that a fresh interpreter can import the module; the tests of the command line do, as does `make
demo`.

`python -m tests.forkserver FD` is the server. It answers one request at a time on the socket FD. When the process
of pytest ends, the server ends too, and each process that it started gets its `leash` signal.
"""

import asyncio
import ctypes
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import gateway.cli
from gateway.mqtt.mosquitto import provisioning
from gateway.system.parent_death import PR_SET_PDEATHSIG
from tests.drawings import rehearse_deliveries, share_renderings
from tests.forkedprobe import fork_probe
from tests.forkedstills import fork_decoder
from tests.forkedvideo import fork_video, run_and_exit

ROOT = Path(__file__).parents[1]
PORTS_OF_PROCESSES = range(provisioning.FIRST_PORT, provisioning.FIRST_PORT + provisioning.PORT_COUNT)[-2_000:]
PORTS_OF_WORKERS = range(provisioning.FIRST_PORT, PORTS_OF_PROCESSES.start)
DRAWINGS = ROOT / "build" / "drawings"
PRELOADED_MODULES = (
    "gateway.app", "gateway.demo.rigged", "gateway.web.site", "gateway.integrations.lock_guard.process",
    "gateway.hub.process", "gateway.cli.console", "devices.simulators.__main__", "gateway.video.__main__",
    "typer.rich_utils", "rich.markdown",
)  # fmt: skip
"""None of them writes, reads the environment, starts a thread or opens anything when it is imported."""

BRANCH = b"branch"  # what is asked at the address
MAX_REQUEST_BYTES = 262_144  # bytes of a request: the environment is in it


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What is to be run, with standard input, output and error as sent beside it."""

    words: list[str]
    environment: dict[str, str]
    folder: str
    leash: int


class ForkedProcess:
    """A process that the server started; it can be used as one of `asyncio.subprocess`."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self.pid = pid
        self._server = server
        self._pidfd = os.pidfd_open(pid)
        self._status: int | None = None

    @property
    def returncode(self) -> int | None:
        """Its exit status, a negative number for a signal; None: it runs."""
        if self._status is None and select.select([self._pidfd], [], [], 0)[0]:
            self._status = self._server.status(self.pid)
            os.close(self._pidfd)
        return self._status

    async def wait(self) -> int:
        """Wait for its end."""
        while (status := self.returncode) is None:
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            ends = os.dup(self._pidfd)  # another wait may close it
            loop.add_reader(ends, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(ends)
                os.close(ends)
        return status

    def wait_at_most(self, timeout: float) -> int:
        """Wait for its end, blocking.

        Raises:
            TimeoutExpired: it did not end within so many seconds.
        """
        if self._status is None:
            select.select([self._pidfd], [], [], timeout)
        status = self.returncode
        if status is None:
            raise subprocess.TimeoutExpired([str(self.pid)], timeout)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM, if it runs."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL, if it runs."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The server, for one process of pytest."""

    def __init__(self, address: str | None = None) -> None:
        """Start one, or take a branch that another process has of its own one and gives at this address of a socket."""
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        if address is not None:
            self._socket, self.pid = ask_for_branch(address)
            return
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.forkserver", str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])
            self.pid = self._process.pid

    def start(  # noqa: PLR0913 - as `subprocess.Popen`
        self,
        words: Sequence[str],
        out: IO[Any],
        *,
        err: IO[Any] | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        leash: signal.Signals = signal.SIGHUP,
    ) -> ForkedProcess:
        """Start `python WORDS` (`-m MODULE ...` or `-c CODE ...`). Errors go to `err`; None: to `out` too."""
        order = {
            "words": list(words), "environment": dict(os.environ if env is None else env),
            "folder": str(cwd or Path.cwd()), "leash": int(leash),
        }  # fmt: skip
        with Path(os.devnull).open("rb") as nothing:
            files = [nothing.fileno(), out.fileno(), (err or out).fileno()]
            return ForkedProcess(self, self._request({"start": order}, files))

    def status(self, pid: int) -> int:
        """Return the exit status of a process that has ended."""
        return self._request({"status": pid}, [])

    def give_branch(self, asking: socket.socket) -> None:
        """Give another process a server of its own: a fork of this one, which need not import all modules again.

        That one ends when its socket is closed everywhere, whatever becomes of this one.
        """
        theirs, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, its:
            pid = self._request({"branch": True}, [its.fileno()])
            socket.send_fds(asking, [str(pid).encode()], [theirs.fileno()])

    def forget(self) -> None:
        """Leave it to the processes that have been forked from this one since it was started."""
        self._socket.close()

    def end(self) -> None:
        """End it, and with it all that it started."""
        ends = os.pidfd_open(self.pid)
        self._socket.close()
        select.select([ends], [], [])
        os.close(ends)
        if self._process is not None:
            self._process.wait()

    def _request(self, request: dict[str, Any], files: list[int]) -> int:
        with self._one_at_a_time:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
            answer = self._socket.recv(64)
        assert answer, "the fork server has ended: what it said stands above"
        return int(answer)


def ask_for_branch(address: str) -> tuple[socket.socket, int]:
    """Get the socket and the process id of a server from who gives it there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.connect(address)
        asking.send(BRANCH)
        pid, (file,), _flags, _from = socket.recv_fds(asking, 16, 1)
    return socket.socket(fileno=file), int(pid)


def ports_of(worker: int, workers: int) -> range:
    """The ports that this worker's tests take: none of another worker, and none that a forked process takes itself."""
    count = len(PORTS_OF_WORKERS) // workers
    return PORTS_OF_WORKERS[worker % workers * count :][:count]  # one that replaces a dead one has a later number


_servers: list[ForkServer] = []
_others: list[ForkServer] = []
_addresses: list[str] = []


def fork_server() -> ForkServer:
    """Return the server of this process, started when it is first needed."""
    if not _servers:
        _servers.append(ForkServer(*_addresses))
    return _servers[0]


def use_branch(address: str) -> None:
    """Let a process that was forked use no more the server of the process it was forked from, but a branch of it."""
    for server in _servers:
        server.forget()
    _others[:], _servers[:], _addresses[:] = _servers, (), (address,)  # not collected: they are another's children


def end_fork_server() -> None:
    """End the server of this process, if it has started one."""
    if _servers:
        _servers.pop().end()


def run_python(
    *words: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` (`-m MODULE ...` or `-c CODE ...`) to its end, and return what it printed.

    Raises:
        TimeoutExpired: it did not end within so many seconds; it was killed.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        forked = fork_server().start([*map(str, words)], out, err=err, cwd=cwd, env=env)
        try:
            status = forked.wait_at_most(timeout)
        finally:
            forked.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, status, out.read(), err.read())


def serve(requests: socket.socket) -> StartRequest | None:
    """Answer requests; returns None when nobody can ask any more, and in a forked process what it is to run."""
    while True:
        data, files, _flags, _address = socket.recv_fds(requests, MAX_REQUEST_BYTES, 3)
        if not data:
            return None
        asked = json.loads(data)
        if "status" in asked:
            answer = os.waitstatus_to_exitcode(os.waitpid(asked["status"], 0)[1])
        else:
            us, answer = os.getpid(), os.fork()
            if answer == 0:
                requests.close()
                if "branch" in asked:
                    return serve(socket.socket(fileno=files[0]))
                order = StartRequest(**asked["start"])
                take_over(order, files, us)
                return order
        for file in files:
            os.close(file)
        requests.send(str(answer).encode())


def take_over(order: StartRequest, files: list[int], starter: int) -> None:
    """Take everything over that `exec` would: leash, session, files, folder, environment, arguments."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, order.leash, 0, 0, 0)
    if os.getppid() != starter:
        os._exit(1)
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))  # type: ignore[misc]  # typeshed calls it final
    sys.stdout = sys.__stdout__ = _text_stream(1)  # type: ignore[misc]  # typeshed calls it final
    sys.stderr = sys.__stderr__ = _text_stream(2)  # type: ignore[misc]  # typeshed calls it final
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    time.tzset()
    tempfile.tempdir = None


def _text_stream(number: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding="utf-8", write_through=True)


def run_order(words: Sequence[str]) -> None:
    """Run `-m MODULE ARGUMENTS` or `-c CODE ARGUMENTS` in this process."""
    kind, what, *arguments = words
    sys.argv = [what if kind == "-m" else kind, *arguments]
    if kind == "-c":
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - a test's own code
        return
    sys.modules.pop(f"{what}.__main__", None)  # else runpy warns that it was imported before
    if not hasattr(sys.modules.get(what), "__path__"):
        sys.modules.pop(what, None)
    runpy.run_module(what, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in (
        *PRELOADED_MODULES,
        *(module.name for module in pkgutil.iter_modules(gateway.cli.__path__, "gateway.cli.")),
    ):
        importlib.import_module(name)
    provisioning.FIRST_PORT, provisioning.PORT_COUNT = PORTS_OF_PROCESSES.start, len(PORTS_OF_PROCESSES)
    share_renderings(DRAWINGS)
    rehearse_deliveries()
    gc.freeze()  # what is there stays: nobody need copy it to look at it
    fork_video()
    fork_decoder()
    fork_probe()
    if (mine := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        run_and_exit(functools.partial(run_order, mine.words))
