"""Defines one reading of the clock, which visits, deliveries and signatures get as an argument."""

from datetime import datetime

from gateway.domain.frozen import Frozen


class Now(Frozen):
    """One reading of the clock. `mono` is in seconds, only goes forward, and starts again at a boot."""

    utc: datetime
    trusted: bool
    mono: float
