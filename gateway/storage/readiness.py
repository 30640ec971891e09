"""Stores how often lock, door sensor and cameras were ready near a window, one row for each hour and device."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.part import StorePart, posts, reads


class ReadinessHour(Frozen):
    """The checks of one device within an hour; `hour` is its beginning in UTC."""

    hour: datetime
    device: str
    ready: int
    not_ready: int

    @property
    def checks(self) -> int:
        """Number of checks in this hour."""
        return self.ready + self.not_ready


class ReadinessSummary(Frozen):
    """One entrance. `devices`: name, checks in which it was not ready, all checks; `hours`: the newest first."""

    devices: tuple[tuple[str, int, int], ...]
    hours: tuple[tuple[datetime, tuple[ReadinessHour, ...]], ...]


def summarise(hours: Sequence[ReadinessHour]) -> ReadinessSummary:
    """Sum up each device's checks, and group the counts by hour; `hours` has the newest first."""
    checks, not_ready = Counter[str](), Counter[str]()
    for count in hours:
        checks[count.device] += count.checks
        not_ready[count.device] += count.not_ready
    return ReadinessSummary(
        devices=tuple((device, not_ready[device], total) for device, total in sorted(checks.items())),
        hours=tuple((hour, tuple(counts)) for hour, counts in groupby(hours, key=lambda count: count.hour)),
    )


def count_check(db: Database, entrance: str, devices: Mapping[str, bool], now: Now) -> None:
    """Count one check: device -> whether it was ready."""
    hour = now.utc.replace(minute=0, second=0, microsecond=0)
    db.executemany(
        "INSERT INTO readiness_hour (entrance, hour, device, ready, not_ready) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET ready = ready + excluded.ready, not_ready = not_ready + excluded.not_ready",
        [(entrance, hour, device, ready, not ready) for device, ready in devices.items()],
    )


def readiness_hours(db: Database, entrance: str) -> tuple[ReadinessHour, ...]:
    """Return the entrance's hours, the newest first."""
    query = "SELECT hour, device, ready, not_ready FROM readiness_hour WHERE entrance = ? ORDER BY hour DESC, device"
    return db.records(ReadinessHour, query, (entrance,))


class ReadinessStore(StorePart):
    """How often devices were ready near a window: `Store.readiness`."""

    count = posts(count_check)  # a full disk loses a check
    hours = reads(readiness_hours)
