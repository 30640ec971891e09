"""Starts the processes of a run and ends each by its process id."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar, Self

from gateway.cli.failure import ExitCode, Failure
from gateway.mqtt.mosquitto.provisioning import end_process
from gateway.system.parent_death import with_parent_death_signal

STOP_TIMEOUT_S = 8.0  # seconds for a process to end by itself
RESTART_DELAY_S = 0.3  # seconds until what died is started again, as systemd would
POLL_INTERVAL_S = 0.02
BUSY_HINT = "Is the machine very busy? Then try again."


def is_listening(path: Path) -> bool:
    """Whether a process accepts connections at the Unix socket `path`; its file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(0)
        try:
            connection.connect(str(path))
        except OSError:
            return False
        return True


class LoggedProcess:
    """A child process with a log file, in its own session, so that Ctrl-C reaches only the demo.

    The kernel sends it `death_signal` when the demo dies, however that happens.
    """

    death_signal: ClassVar = signal.SIGHUP

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process, self.log = process, log

    @classmethod
    async def start(cls, module: str, arguments: Sequence[str], log: Path) -> Self:
        """Run `python -m module arguments`; its output is appended to `log`."""
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal([sys.executable, "-m", module, *arguments], cls.death_signal),
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        return cls(process, log)

    async def end(self) -> None:
        """Send SIGTERM, and SIGKILL if it does not end in time."""
        await end_process(self.process, within=STOP_TIMEOUT_S)

    async def wait_until(self, what: str, is_ready: Callable[[], bool], *, within: float) -> None:
        """Wait until `is_ready`; `Failure` if it ended before, or was not ready within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.process.returncode is None:
                    if is_ready():
                        return
                    await asyncio.sleep(POLL_INTERVAL_S)
        words = f"{what} did not start; its own words are in {self.log}:\n{log_tail(self.log)}"
        raise Failure(words, BUSY_HINT, ExitCode.NO_ANSWER)


class SupervisedProcess:
    """A process that is restarted when it dies, as systemd does. `deaths` are its exit statuses."""

    def __init__(self, start: Callable[[], Awaitable[LoggedProcess]]) -> None:
        self._start = start
        self._task: asyncio.Task[None] | None = None
        self._child: LoggedProcess | None = None
        self.deaths: list[int] = []

    async def begin(self) -> LoggedProcess:
        """Start it."""
        self._child = await self._start()
        self._task = asyncio.create_task(self._restart_loop())
        return self._child

    async def _restart_loop(self) -> None:
        while self._child is not None:
            self.deaths.append(await self._child.process.wait())
            await asyncio.sleep(RESTART_DELAY_S)
            self._child = await self._start()

    def kill(self) -> None:
        """Kill it; it is restarted."""
        if self._child is not None and self._child.process.returncode is None:
            os.kill(self._child.process.pid, signal.SIGKILL)

    async def end(self, *, at_once: bool = False) -> None:
        """End it for good; `at_once` kills it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if at_once:
            self.kill()
        if self._child is not None:
            await self._child.end()


async def stop_detached(pid_file: Path) -> None:
    """End a process that outlives its parent on purpose, by its pid file."""
    try:
        pid = read_pid(pid_file)
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return  # it was never started, or has ended
    for _ in range(int(STOP_TIMEOUT_S / POLL_INTERVAL_S)):
        await asyncio.sleep(POLL_INTERVAL_S)
        if not is_running(pid):
            return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def read_pid(pid_file: Path) -> int:
    """Read a pid file; OSError or ValueError: there is no pid in it."""
    return int(pid_file.read_text(encoding="ascii"))


def is_running(pid: int) -> bool:
    """Return whether a process with this id runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def log_tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a process's log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])
