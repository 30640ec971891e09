"""Stores how often lock, door sensor and cameras were ready near a window, one row for each hour and device."""

from collections.abc import Mapping
from datetime import datetime

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
