"""Summarises how often an entrance's devices were ready near windows, for the page and for `perron survey`. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from gateway.domain.frozen import Frozen
from gateway.storage.readiness import ReadinessHour


class DeviceReadiness(Frozen):
    """All checks of one device."""

    device: str
    not_ready: int
    checks: int


class ReadinessSummary(Frozen):
    """The counts of one entrance: `devices` in alphabetical order, `hours` from the newest to the oldest."""

    devices: tuple[DeviceReadiness, ...]
    hours: tuple[tuple[datetime, tuple[ReadinessHour, ...]], ...]


def summarise(hours: Sequence[ReadinessHour]) -> ReadinessSummary:
    """Sum up each device's checks, and group the counts by hour; `hours` has the newest first."""
    checks, not_ready = Counter[str](), Counter[str]()
    for count in hours:
        checks[count.device] += count.checks
        not_ready[count.device] += count.not_ready
    return ReadinessSummary(
        devices=tuple(
            DeviceReadiness(device=device, not_ready=not_ready[device], checks=checks[device])
            for device in sorted(checks)
        ),
        hours=tuple((hour, tuple(counts)) for hour, counts in groupby(hours, key=lambda count: count.hour)),
    )
