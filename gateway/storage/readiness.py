"""Stores how often lock, door sensor and cameras were ready near a window, one row for each hour and device."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.now import Now
from gateway.storage.records import from_micros
from gateway.storage.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessHour:
    """The checks of one device within an hour; `hour` is its beginning in UTC."""

    hour: datetime
    device: str
    ready: int
    not_ready: int

    @property
    def checks(self) -> int:
        """Number of checks in this hour."""
        return self.ready + self.not_ready


class ReadinessStore:
    """Reached as `Store.readiness`."""

    def __init__(self, writer: Writer, reader: Callable[[], sqlite3.Connection]) -> None:
        self._writer = writer
        self._reader = reader

    def count(self, entrance: str, devices: Mapping[str, bool], now: Now) -> None:
        """Count one check: device -> whether it was ready. It does not wait, and a full disk loses it."""
        hour = now.utc.replace(minute=0, second=0, microsecond=0)
        rows = [(entrance, hour, device, int(ready), int(not ready)) for device, ready in devices.items()]
        self._writer.post(
            lambda db: db.executemany(
                "INSERT INTO readiness_hour (entrance, hour, device, ready, not_ready) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET ready = ready + excluded.ready,"
                " not_ready = not_ready + excluded.not_ready",
                rows,
            )
        )

    def hours(self, entrance: str) -> tuple[ReadinessHour, ...]:
        """Return the entrance's hours, the newest first."""
        return readiness_hours(self._reader(), entrance)


def readiness_hours(connection: sqlite3.Connection, entrance: str) -> tuple[ReadinessHour, ...]:
    """Return the entrance's hours, the newest first."""
    found = connection.execute(
        "SELECT hour, device, ready, not_ready FROM readiness_hour WHERE entrance = ? ORDER BY hour DESC, device",
        (entrance,),
    )
    return tuple(
        ReadinessHour(hour=from_micros(micros), device=device, ready=ready, not_ready=not_ready)
        for micros, device, ready, not_ready in found
    )
