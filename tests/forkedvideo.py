"""Lets a gateway that was forked start its video process by a fork too: an `exec` would import all that it has again.

The process is the gateway's child in a session of its own, with the files that `VideoLink` gives it, as by
`posix_spawn`. What the gateway had open is closed, and what it had in memory is never looked at.
"""

import asyncio
import gc
import logging
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

VIDEO = (sys.executable, "-m", "gateway.video")
BY_EXEC = "PERRON_TESTS_VIDEO_BY_EXEC"
"""The environment variable that lets it start as everywhere else: for who looks at what a process shows of itself."""

_spawn = os.posix_spawnp


def fork_video() -> None:
    """From now on `os.posix_spawnp` forks where it is to start the video process."""
    os.posix_spawnp = start  # type: ignore[assignment]  # of the ways to write a command it takes ours


def start(path: str, command: Sequence[str], environment: Mapping[str, str], /, **how: Any) -> int:  # noqa: ANN401 - as `os.posix_spawnp`
    """Start a command; its process id."""
    if tuple(command[:3]) != VIDEO or BY_EXEC in environment:
        return _spawn(path, list(command), environment, **how)
    pid = os.fork()
    if pid == 0:
        os._exit(_run(command[3:]))
    return pid


def _run(arguments: Sequence[str]) -> int:
    gc.freeze()  # a socket of the gateway's that is collected here would close another one of the same number
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    asyncio._set_running_loop(None)  # noqa: SLF001 - documented for event loops: this thread is in the gateway's
    logging.getLogger().handlers.clear()
    sys.argv = ["gateway.video", *arguments]
    sys.modules.pop("gateway.video.__main__", None)
    try:
        runpy.run_module("gateway.video", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - as the interpreter does: told, and 1
        traceback.print_exc()
        return 1
    return 0
