"""Starts a process that Linux ends when its parent ends (PR_SET_PDEATHSIG).

`python gateway/system/parent_death.py SIGNAL STARTER COMMAND...` becomes COMMAND, under the same process id.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; it outlives an exec


def with_parent_death_signal(command: Sequence[str], number: signal.Signals = signal.SIGHUP) -> list[str]:
    """Put a command on a leash: what it runs gets this signal when the present process has ended, be it by SIGKILL.

    Start it from the main thread: strictly the end of each thread counts, beginning with the one that starts it. So
    the signal may come several times within a moment.
    """
    return [sys.executable, "-I", "-S", __file__, str(int(number)), str(os.getpid()), *command]


def main() -> None:
    """Become the command; end instead if the starter is gone already."""
    number, starter, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() == int(starter):
        os.execvp(command[0], command)  # noqa: S606 - the words are our own, see `with_parent_death_signal`


if __name__ == "__main__":
    main()
