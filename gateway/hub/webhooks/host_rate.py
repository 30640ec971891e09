"""Limits how often the sandboxes of one hub send to one host. Pure."""

from collections import deque

MINUTE_S = 60.0
MAX_HOSTS = 10_000  # that are remembered; hosts of the last minute must be


class HostRateLimit:
    """Limits the POSTs to one host in any minute. Instants are monotonic seconds."""

    def __init__(self, most: int) -> None:
        self._max_per_minute = most
        self._sent: dict[str, deque[float]] = {}

    def wait_s(self, host: str, now: float) -> float:
        """Return the seconds until one more POST may go to a host; 0: it may now, and is counted."""
        sent = self._sent.setdefault(host.lower().rstrip("."), deque())
        while sent and sent[0] <= now - MINUTE_S:
            sent.popleft()
        if len(sent) >= self._max_per_minute:
            return sent[0] + MINUTE_S - now
        sent.append(now)
        if len(self._sent) > MAX_HOSTS:
            self._sent = {name: seen for name, seen in self._sent.items() if seen and seen[-1] > now - MINUTE_S}
        return 0.0
