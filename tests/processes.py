"""Finds processes that a program under test has started."""

import contextlib
from pathlib import Path


def process_with(last_argument: Path) -> int | None:
    """Return the id of a process whose last argument is this path; None: there is none."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().split(b"\0")[-2:-1] == [str(last_argument).encode()]:
                return int(process.name)
    return None
