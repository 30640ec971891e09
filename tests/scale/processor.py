"""How much processor time each part has used."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(parts: Mapping[str, list[int]]) -> dict[str, float]:
    """Seconds, by part: of its processes and of all that these have started."""
    time: dict[int, float] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # one that has just ended
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            time[int(process.name)] = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
            children[int(fields[1])].append(int(process.name))

    def whole(pid: int) -> float:
        return time.get(pid, 0.0) + sum(whole(child) for child in children[pid])

    return {part: sum(whole(pid) for pid in pids) for part, pids in parts.items()}


def cpu_per_unit(before: Mapping[str, float], after: Mapping[str, float], count: int) -> str:
    """What was used for one of so many, for people."""
    return ", ".join(f"{part} {(after[part] - before[part]) / count * 1000:.1f} ms" for part in before)
