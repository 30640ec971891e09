"""Records faults of a process in a file, for `perron doctor` and the pages.

The file holds the newest 32 kinds of faults, also those of earlier processes, and how many pieces each worker of this
process has set aside. Nothing of a message's content is in it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from pydantic import AwareDatetime, Field, ValidationError

from gateway.system.atomic_file import write_whole
from gateway.system.config_section import ConfigSection
from gateway.system.containment import ContainedFault
from gateway.system.regular_file import read_bytes

log = structlog.get_logger(__name__)

FAULTS_FILE: Final = "faults.json"  # in the storage folder
MAX_KINDS: Final = 32
MAX_FILE_BYTES: Final = 65_536
WRITE_INTERVAL_S: Final = 10.0  # between two writes, so that a flood of faults does not load the disk
RETRY_DELAY_S: Final = 60.0  # after a failed write


class FaultKind(ConfigSection):
    """The first fault of one kind."""

    at: AwareDatetime
    worker: str = Field(max_length=120)
    item: str = Field(max_length=120)
    error: str = Field(max_length=120)
    text: str = Field(max_length=120)
    place: str = Field(max_length=400)


class FaultReport(ConfigSection):
    """The content of the file. `counts`: pieces set aside by each worker since the process began at `since`."""

    since: AwareDatetime
    kinds: tuple[FaultKind, ...] = ()
    counts: dict[str, int] = Field(default={})


def read_report(folder: Path) -> FaultReport | None:
    """Read the report in a storage folder; None: there is none, or it cannot be read."""
    try:
        return FaultReport.model_validate_json(read_bytes(folder / FAULTS_FILE, at_most=MAX_FILE_BYTES))
    except (OSError, ValidationError):
        return None


class FaultLog:
    """Collects the faults of one process in its storage folder. `Containment` calls `report` and `count`."""

    def __init__(self, folder: Path, *, now: Callable[[], datetime]) -> None:
        self._file, self._now, self._since = folder / FAULTS_FILE, now, now()
        known = read_report(folder)
        self._kinds: list[FaultKind] = [] if known is None else list(known.kinds)
        self._counts: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def report(self, fault: ContainedFault) -> None:
        """Add a kind of fault; the oldest of more than 32 is dropped."""
        self._kinds = [*self._kinds, FaultKind(at=self._now(), **asdict(fault))][-MAX_KINDS:]
        self._changed.set()

    def count(self, worker: str) -> None:
        """Count one piece that a worker set aside."""
        self._counts[worker[:120]] += 1
        self._changed.set()

    async def run(self) -> None:
        """Write changes at most every 10 s until cancelled. A failed write is repeated."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            report = FaultReport(since=self._since, kinds=tuple(self._kinds), counts=dict(self._counts))
            try:
                await asyncio.to_thread(write_whole, self._file, report.model_dump_json().encode())
            except OSError as failure:
                log.warning("faults_not_written", why=str(failure))
                self._changed.set()
                await asyncio.sleep(RETRY_DELAY_S)
            await asyncio.sleep(WRITE_INTERVAL_S)
