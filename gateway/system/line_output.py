"""Writes log lines to stdout, all lines of 30 ms with one system call."""

import asyncio
import atexit
import sys
import threading
from collections import deque

LINE_DELAY_S = 0.03  # seconds that a line below `warning` may wait


class LineOutput:
    """The logger that structlog writes to. It collects the lines of an event loop and writes them together.

    It writes a warning at once, and each line of a thread without an event loop. The lines keep their order.
    """

    def __init__(self) -> None:
        self._lines = deque[str]()
        self._loop: asyncio.AbstractEventLoop | None = None  # the loop that will write the waiting lines
        self._lock = threading.Lock()

    def info(self, line: str) -> None:
        """Write a line within `LINE_DELAY_S`."""
        self._lines.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._loop is not loop:  # a loop that has ended writes no lines
            self._loop = loop
            loop.call_later(LINE_DELAY_S, self.flush)

    debug = msg = info

    def warning(self, line: str) -> None:
        """Write all waiting lines and this one before returning."""
        self._lines.append(line)
        self.flush()

    error = critical = exception = warning

    def flush(self) -> None:
        """Write all waiting lines."""
        with self._lock:
            self._loop = None
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if lines:
                sys.stdout.write("\n".join((*lines, "")))
                sys.stdout.flush()


STDOUT_LINES = LineOutput()
atexit.register(STDOUT_LINES.flush)
