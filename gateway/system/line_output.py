"""Writes log lines to stdout: those of one moment with one system call."""

import asyncio
import atexit
import sys
import threading
from collections import deque

LINE_DELAY_S = 0.03  # seconds after which lines leave that nobody waits for


class LineOutput:
    """The logger that structlog writes to. A line of an event loop waits for others; a warning leaves at once.

    So does each line of a thread without a loop. No line overtakes an earlier one.
    """

    def __init__(self) -> None:
        self._lines = deque[str]()
        self._loop: asyncio.AbstractEventLoop | None = None  # which writes the lines that wait
        self._lock = threading.Lock()

    def info(self, line: str) -> None:
        """Write a line with those of the next moment."""
        self._lines.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._loop is not loop:  # an ended one writes no more
            self._loop = loop
            loop.call_later(LINE_DELAY_S, self.flush)

    debug = msg = info

    def warning(self, line: str) -> None:
        """Write a line, after those that wait, before this returns."""
        self._lines.append(line)
        self.flush()

    error = critical = exception = warning

    def flush(self) -> None:
        """Write the lines that wait."""
        with self._lock:
            self._loop = None
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if lines:
                sys.stdout.write("\n".join((*lines, "")))
                sys.stdout.flush()


STDOUT_LINES = LineOutput()
atexit.register(STDOUT_LINES.flush)
