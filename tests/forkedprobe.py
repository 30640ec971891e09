"""Lets a process that was forked probe a camera in a fork too: an `exec` costs 0.25 s of processor time for imports.

A probe has 4.5 s in all and watches the stream for most of them: on a loaded machine the imports can use up the rest.
The probe has a process of its own as everywhere else. tests/gateway/video/test_open_errors.py shows the one that is
started by `exec`.
"""

import asyncio
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any

from gateway.video import probe
from tests.forkedmain import run_main

PROBE = (sys.executable, "-m", "gateway.video.probe")
CHUNK_BYTES = 65_536  # bytes


def fork_probe() -> None:
    """Make `gateway.video.probe` fork from now on."""
    forked = SimpleNamespace(create_subprocess_exec=start, subprocess=asyncio.subprocess, timeout=asyncio.timeout)
    probe.asyncio = forked  # type: ignore[assignment, attr-defined]  # all that `probe` uses of asyncio


class ForkedProbe:
    """Has those methods of `asyncio.subprocess.Process` that `gateway.video.probe` calls."""

    def __init__(self, pid: int, given: int, said: int) -> None:
        self._pid, self._given, self._said = pid, given, said
        self._output = bytearray()

    async def communicate(self, given: bytes = b"") -> tuple[bytes, None]:
        """Write to its input, and read its output until it has ended; it may be called once more after a `kill`."""
        if given:
            os.write(self._given, given)  # one line: the pipe has room for it
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        while self._said >= 0:
            loop.add_reader(self._said, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(self._said)
            ready.clear()
            chunk = os.read(self._said, CHUNK_BYTES)
            self._output += chunk
            if not chunk:
                os.close(self._said)
                os.close(self._given)
                self._said = -1
                os.waitpid(self._pid, 0)  # noqa: ASYNC222 - it has ended: its output is closed
        return bytes(self._output), None

    def kill(self) -> None:
        """Kill it.

        Raises:
            ProcessLookupError: it has ended.
        """
        if self._said < 0:
            raise ProcessLookupError
        os.kill(self._pid, signal.SIGKILL)


async def start(*command: str, **_how: Any) -> ForkedProbe:  # noqa: ANN401 - as `asyncio.create_subprocess_exec`
    """Start the probe."""
    assert command[:3] == PROBE
    (theirs, given), (said, out) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        run_main(_probe, PROBE[-1], command[3:], stdin=theirs, stdout=out)
    os.close(theirs)
    os.close(out)
    return ForkedProbe(pid, given, said)


def _probe() -> None:
    """Run the probe in the forked process, without its parent's loop and signal handlers."""
    asyncio._set_running_loop(None)  # noqa: SLF001 - documented for event loops: this thread still runs in the parent's
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    probe.main()
