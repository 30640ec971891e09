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
    """Return a command that Linux sends this signal when the present process ends, even by SIGKILL.

    Start it from the main thread, because Linux sends the signal at the end of the thread that started it, and then for
    each further thread. So the signal may arrive several times.
    """
    return [sys.executable, "-I", "-S", __file__, str(int(number)), str(os.getpid()), *command]


def main() -> None:
    """Become the command; end instead if the starter has ended already."""
    number, starter, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() == int(starter):
        os.execvp(command[0], command)  # noqa: S606 - `with_parent_death_signal` made the command


if __name__ == "__main__":
    main()
