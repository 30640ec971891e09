"""Defines one reading of the clock, which visits, deliveries and signatures get as an argument."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """One reading of the clock. `mono` is in seconds, only goes forward, and starts again at a boot."""

    utc: datetime
    trusted: bool
    mono: float
