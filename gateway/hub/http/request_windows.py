"""Counts the requests of each client in sliding windows.

Two counters approximate a window: the requests of the last whole window count as if they had come evenly, so the older
it is, the fewer of them count. To store the instant of each request would need 100,000 instants for a day's limit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.domain.frozen import Frozen

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86_400
_MAX_CLOCK_STEP_S = 1.0  # a smaller correction of the clock is ignored
_MIN_KEPT: Final = 1_000  # counts, before old ones are looked for


class RequestLimit(Frozen, kw_only=False):
    """At most `amount` requests in `seconds`."""

    amount: int
    seconds: int


class RequestUse(Frozen, kw_only=False):
    """The result of a request: `remaining` of the limit are left, and after `seconds` more are available."""

    is_granted: bool
    remaining: int
    seconds: int


@dataclass(slots=True)
class _Count:
    """The requests of one client: in the window that began at `began`, and in the one before."""

    seconds: int
    began: float
    current: int = 0
    previous: int = 0

    def turn(self, now: float) -> None:
        """Begin the window of now."""
        age = now - self.began
        if age >= 2 * self.seconds:
            self.began, self.current, self.previous = now, 0, 0
        elif age >= self.seconds:
            self.began, self.current, self.previous = self.began + self.seconds, 0, self.current

    def weighed(self, now: float) -> float:
        """Return how many requests count now."""
        return self.current + self.previous * max(0.0, self.began + self.seconds - now) / self.seconds

    def seconds_until_fewer(self, amount: int, now: float) -> float:
        """Return the seconds after which fewer than `amount` count, if nothing else is counted meanwhile."""
        left = self.began + self.seconds - now
        if self.current < amount:
            return left - (amount - self.current) * self.seconds / self.previous if self.previous else 0.0
        return left + self.seconds - amount * self.seconds / self.current


class RequestWindows:
    """Counts the requests of all clients. `wall` returns seconds since 1970.

    After the clock was set back it begins to count anew, because the earlier counts would stay too long.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall, self._newest = wall, wall()
        self._counts: dict[tuple[str, str], _Count] = {}
        self._most = _MIN_KEPT

    def __len__(self) -> int:
        """Return how many counts are in memory."""
        return len(self._counts)

    def take(self, name: str, whose: str, limit: RequestLimit, cost: int = 1) -> RequestUse:
        """Count a request of a client against the limit of this name, unless it would exceed it.

        One whose `cost` alone is more than the limit is always refused.
        """
        now = self._wall()
        if now < self._newest - _MAX_CLOCK_STEP_S:
            self._counts.clear()
            self._newest = now
        self._newest = max(self._newest, now)
        count = self._counts.get((name, whose))
        if count is None:
            count = self._add(name, whose, limit, now)
        count.turn(now)
        weighed = math.floor(count.weighed(now))
        is_granted = weighed + cost <= limit.amount
        if is_granted:
            count.current += cost
            weighed += cost
        remaining = max(0, limit.amount - weighed)
        if is_granted:
            return RequestUse(is_granted, remaining, math.ceil(count.began + count.seconds - now))
        if cost > limit.amount:
            return RequestUse(is_granted, remaining, count.seconds)
        # At that very instant one too many counts, and right after it fewer
        wait = count.seconds_until_fewer(limit.amount - cost + 1, now)
        return RequestUse(is_granted, remaining, math.floor(wait) + 1)

    def _add(self, name: str, whose: str, limit: RequestLimit, now: float) -> _Count:
        if len(self._counts) >= self._most:
            old = [key for key, count in self._counts.items() if now - count.began >= 2 * count.seconds]
            for key in old:
                del self._counts[key]
            self._most = max(_MIN_KEPT, 2 * len(self._counts))
        count = self._counts[name, whose] = _Count(limit.seconds, now)
        return count
