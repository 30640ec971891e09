"""What the kernel says of the machine and of other processes."""

import contextlib
import os
import platform
import time
from collections.abc import Iterable, Iterator
from pathlib import Path


def pss(pid: int) -> float:
    """A process's proportional share of memory, in MiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the kernel tells no Pss of process {pid}")


def cpu(pid: int) -> float:
    """CPU seconds of a process and all its threads so far: its own clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def facts() -> str:
    """Cores, kernel and Python; no names."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    system = f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}, load averages at the end {load}"


@contextlib.contextmanager
def on_core(core: int, pids: Iterable[int]) -> Iterator[None]:
    """Run processes, with their threads and children of now, on one core until the block ends."""
    every = [*pids, *(child for pid in pids for child in _children(pid))]
    threads = [int(thread.name) for pid in every for thread in Path(f"/proc/{pid}/task").iterdir()]
    before = os.sched_getaffinity(threads[0])
    for thread in threads:
        os.sched_setaffinity(thread, {core})
    try:
        yield
    finally:
        for thread in threads:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, before)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
