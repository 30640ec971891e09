"""Lets a gateway that was forked decode its stills in a fork too: an `exec` costs 0.1 s of processor time for imports.

The decoder has a process of its own as everywhere else, and sets its limits itself. tests/gateway/video/test_stills.py
shows the one that is started by `exec`.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, BinaryIO

from gateway.video import still_decoder, stills
from tests.forkedmain import run_main

DECODER = (sys.executable, "-m", "gateway.video.still_decoder")
CHUNK_BYTES = 65_536  # bytes


def fork_decoder() -> None:
    """From now on `gateway.video.stills` forks its decoder."""
    forked = SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)
    stills.subprocess = forked  # type: ignore[assignment, attr-defined]  # what it uses of it


def run(command: Sequence[str], *, stdin: BinaryIO, timeout: float, **_how: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: ANN401 - as `subprocess.run`
    """Run the decoder to its end, and return what it wrote.

    Raises:
        TimeoutExpired: it did not end within so many seconds; it was killed.
    """
    assert tuple(command[:3]) == DECODER
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        run_main(still_decoder.main, DECODER[-1], command[3:], stdin=stdin.fileno(), stdout=theirs)
    os.close(theirs)
    written, until, is_late = bytearray(), time.monotonic() + timeout, False
    try:
        while not is_late:
            left = until - time.monotonic()
            is_late = left <= 0 or not select.select([ours], [], [], left)[0]
            chunk = b"" if is_late else os.read(ours, CHUNK_BYTES)
            if not chunk:
                break
            written += chunk
    finally:
        os.close(ours)
        if is_late:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if is_late:
        raise subprocess.TimeoutExpired(list(command), timeout)
    return subprocess.CompletedProcess(command, status, bytes(written))
