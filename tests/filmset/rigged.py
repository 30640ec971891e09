"""`rigged.py --kill-at POINT --socket PATH`: the video process, which kills itself at a named point."""

import os
import signal
import sys

from gateway.video.__main__ import main
from gateway.video.clip import CRASH_POINTS


def run() -> int:
    """Take our own option off the command line, then be the video process."""
    place = sys.argv.index("--kill-at")
    _, fatal = sys.argv[place : place + 2]
    del sys.argv[place : place + 2]
    if fatal not in CRASH_POINTS:
        raise SystemExit(f"--kill-at must be one of {', '.join(CRASH_POINTS)}")

    def reached(point: str) -> None:
        if point == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    return main(reached)


if __name__ == "__main__":
    sys.exit(run())
