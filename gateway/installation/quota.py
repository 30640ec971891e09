"""Limits how often one person may request what the log stores for ever.

A flood would fill the disk, and a full disk stops each visit. The counts are in memory: only the owner can restart the
gateway.
"""

from collections import deque

HOUR_S = 3600.0


class HourlyQuota:
    """Allows each person at most `most` requests within an hour."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._request_times: dict[str, deque[float]] = {}

    def take(self, person: str, mono: float) -> bool:
        """Count a request at `mono` (monotonic seconds); False: the quota is used up, and nothing is counted."""
        times = self._request_times.setdefault(person, deque(maxlen=self.most))
        if len(times) == self.most and mono - times[0] < HOUR_S:
            return False
        times.append(mono)
        return True
