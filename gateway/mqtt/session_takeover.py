"""Detects a second gateway that uses the same MQTT client id.

Every gateway signs in under the same client id, and a broker lets only the newest have it. So where two run (a box that
was replaced and goes on, a disk that was copied, stolen credentials) each throws the other out, every second or two,
and is told so: MQTT 5 reason 142, "Session taken over" (section 4.13).
"""

from collections import deque
from dataclasses import dataclass, field

TAKEN_OVER = "[code:142]"  # as aiomqtt tells it
MIN_TAKEOVERS = 3  # once may be a restart that overlaps
TAKEOVER_PERIOD_S = 60.0  # seconds


@dataclass
class TakeoverDetector:
    """Counts how often the broker gave our chair to somebody else."""

    _at: deque[float] = field(default_factory=lambda: deque(maxlen=MIN_TAKEOVERS))

    def lost(self, why: str, mono: float) -> bool:
        """A session ended, for this reason at this instant; whether another box must be taken to be there."""
        if TAKEN_OVER not in why:
            return False
        self._at.append(mono)
        return len(self._at) == MIN_TAKEOVERS and mono - self._at[0] <= TAKEOVER_PERIOD_S
