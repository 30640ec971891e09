"""Lets a gateway that was forked start its video process by a fork too: an `exec` would import all that it has again.

The process is the gateway's child in a session of its own, with the files that `VideoLink` gives it, as by
`posix_spawn`. What the gateway had open is closed, and what it had in memory is never looked at.
"""

import asyncio
import atexit
import contextlib
import functools
import gc
import logging
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

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
        run_and_exit(functools.partial(_run, command[3:]))
    return pid


def run_and_exit(main: Callable[[], object]) -> NoReturn:
    """Call `main`, and end this process with the status that the interpreter would end with.

    The interpreter would also free each module. A forked process shares this memory with its parent, so the kernel
    would copy all of it: a tenth of a second of processor time.
    """
    status, is_interrupted = 0, False
    try:
        try:
            main()
        finally:
            threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as the interpreter: threads end first
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        status = 0 if end.code is None else end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - the interpreter prints it too, and exits with 1
        sys.excepthook(type(error), error, error.__traceback__)
        status, is_interrupted = 1, isinstance(error, KeyboardInterrupt)
    atexit._run_exitfuncs()  # noqa: SLF001 - as the interpreter does at the end
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the stream is closed, or its reader has ended
            stream.flush()
    if is_interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


def _run(arguments: Sequence[str]) -> None:
    gc.freeze()  # a socket of the gateway's that is collected here would close another one of the same number
    atexit._clear()  # noqa: SLF001 - what the gateway does at its end
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
    runpy.run_module("gateway.video", run_name="__main__", alter_sys=True)
