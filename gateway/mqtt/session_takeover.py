"""Detects a second gateway that uses the same MQTT client id.

Each gateway connects with the same client id, and a broker keeps only the newest connection of an id. If two gateways
run (a replaced box that still runs, a copied disk, stolen credentials), each disconnects the other every second or two,
with MQTT 5 reason code 142, "Session taken over" (section 4.13).
"""

from collections import deque
from dataclasses import dataclass, field

TAKEN_OVER = "[code:142]"  # in aiomqtt's error text
MIN_TAKEOVERS = 3  # a single one may be an overlapping restart
TAKEOVER_PERIOD_S = 60.0


@dataclass
class TakeoverDetector:
    """Counts how often another client took over the session."""

    _takeover_times: deque[float] = field(default_factory=lambda: deque(maxlen=MIN_TAKEOVERS))

    def session_lost(self, reason: str, mono: float) -> bool:
        """Record the end of a session at `mono` (monotonic seconds); return whether a second gateway runs."""
        if TAKEN_OVER not in reason:
            return False
        self._takeover_times.append(mono)
        return len(self._takeover_times) == MIN_TAKEOVERS and mono - self._takeover_times[0] <= TAKEOVER_PERIOD_S
