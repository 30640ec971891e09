"""Writes log lines to stdout, all lines of 30 ms together. It does not wait for the program that reads them.

A pipe blocks its writer while the reader has stopped. A pipe whose reader has ended, and a file on a full disk, raise
an error. A log must not stop the program that writes it, so lines wait here (`MAX_WAITING_LINES`) or are lost, and a
line on stderr has their number.
"""

import asyncio
import atexit
import contextlib
import os
import select
import sys
import threading
from collections import deque
from typing import TextIO

from gateway.system.clock import boot_time_s

LINE_DELAY_S = 0.03  # seconds that a line below `warning` may wait
MAX_WAITING_LINES = 10_000  # for a reader that does not read; of more, the oldest are lost
END_PATIENCE_S = 1.0  # for such a reader at the end of the process
_WRITE_BYTES = select.PIPE_BUF  # a write of so many bytes to a ready pipe, socket or terminal does not block


class LineOutput:
    """The logger that structlog writes to. It collects the lines of an event loop and writes them together.

    It writes a warning at once, and each line of a thread without an event loop. The lines keep their order. `stdout`
    None: the process's, as it is when a line is written.
    """

    def __init__(self, stdout: TextIO | None = None) -> None:
        self._given_stdout = stdout
        self._lines = deque[str]()
        self._unsent = b""  # of the lines before them
        self._lost = 0  # lines since stdout last took some
        self._is_failing = False
        self._loop: asyncio.AbstractEventLoop | None = None  # the loop that will write the waiting lines
        self._lock = threading.Lock()

    def info(self, line: str) -> None:
        """Write a line within `LINE_DELAY_S`."""
        self._lines.append(line)
        if not self._write_later():
            self.flush()

    debug = msg = info

    def warning(self, line: str) -> None:
        """Write all waiting lines and this one before returning, if stdout takes them."""
        self._lines.append(line)
        self.flush()

    error = critical = exception = warning

    def flush(self, patience_s: float = 0.0) -> None:
        """Write all waiting lines that stdout takes within so many seconds; what it does not take waits further."""
        until = boot_time_s() + patience_s
        with self._lock:
            self._loop = None
            for _ in range(len(self._lines) - MAX_WAITING_LINES):
                self._lines.popleft()
                self._lost += 1
            try:
                self._write(until)
            except (OSError, ValueError) as error:  # ValueError: stdout is closed
                self._lose(error)
        if self._lines or self._unsent:
            self._write_later()

    def _write(self, until: float) -> None:
        while self._lines or self._unsent:
            stdout = self._given_stdout or sys.stdout
            descriptor = _descriptor(stdout)
            if not self._unsent:
                count = len(self._lines)
                text = "\n".join((*(self._lines.popleft() for _ in range(count)), ""))
                if descriptor is None:
                    stdout.write(text)
                    continue
                self._unsent = text.encode(errors="backslashreplace")
            if descriptor is None or not _is_ready(descriptor, max(0.0, until - boot_time_s())):
                return
            written = os.write(descriptor, self._unsent[:_WRITE_BYTES])
            self._unsent = self._unsent[written:]
            if self._lost or self._is_failing:
                _tell(f"stdout takes the log again; {self._lost} lines are lost.")
                self._lost, self._is_failing = 0, False

    def _lose(self, error: Exception) -> None:
        self._lost += self._unsent.count(b"\n") + len(self._lines)
        self._unsent = b""
        self._lines.clear()
        if not self._is_failing:
            self._is_failing = True
            _tell(f"stdout does not take the log ({error}): its lines are lost until it does.")

    def _write_later(self) -> bool:
        """Let the running event loop write the waiting lines; return whether there is one."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self._loop is not loop:  # a loop that has ended writes no lines
            self._loop = loop
            loop.call_later(LINE_DELAY_S, self.flush)
        return True


def _descriptor(stdout: TextIO) -> int | None:
    """Return the file that stdout writes to, or None if it writes to memory."""
    try:
        return stdout.fileno()
    except OSError:  # io.UnsupportedOperation
        return None


def _is_ready(descriptor: int, patience_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(patience_s * 1000))  # also true without a reader: then the write raises an error


def _tell(sentence: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # it may go where stdout goes
        sys.stderr.write(f"perron: {sentence}\n")
        sys.stderr.flush()


STDOUT_LINES = LineOutput()
atexit.register(STDOUT_LINES.flush, END_PATIENCE_S)
