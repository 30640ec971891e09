"""Runs the `main` of a module in a forked process, as `python -m` would in one that is started by `exec`."""

import gc
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn


def run_main(main: Callable[[], object], module: str, arguments: Sequence[str], *, stdin: int, stdout: int) -> NoReturn:
    """Run `main` with these arguments and descriptors, and end the process: with status 0, or 1 after an exception.

    Only the forked process may call it. It closes all other descriptors that its parent had open.
    """
    status = 1
    try:
        gc.freeze()  # a socket of the parent that is collected here would close another one of the same number
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8", write_through=True)
        sys.argv = [module, *arguments]
        main()
        status = 0
    finally:
        os._exit(status)
