"""What the kernel says of the machine and of other processes."""

import os
import platform
import time
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
