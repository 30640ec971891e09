"""Limits how often one person may request what the log keeps for good.

A flood would fill the disk, and a full disk stops every visit. It counts in memory: nobody but the owner makes the box
begin anew.
"""

from collections import deque

HOUR_S = 3600.0  # seconds


class HourlyQuota:
    """At most so many an hour of each person; `mono` is the clock's."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._request_times: dict[str, deque[float]] = {}

    def take(self, person: str, mono: float) -> bool:
        """Count one; False: this person has had as many within the hour, and it is not counted."""
        asked = self._request_times.setdefault(person, deque(maxlen=self.most))
        if len(asked) == self.most and mono - asked[0] < HOUR_S:
            return False
        asked.append(mono)
        return True
