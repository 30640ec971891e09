"""Computes the wait after wrong passwords. Pure: the caller stores the counts.

Waits are measured on the monotonic clock, so no step of the wall clock shortens one, and no trusted clock is needed.
After a restart a wait begins again in full, since nothing tells how much of it was over: a restart never shortens a
wait, and only the counts have to be stored.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from gateway.domain.frozen import Frozen
from gateway.system.backoff import Backoff

K = TypeVar("K", bound=Hashable)

FADE_INTERVAL_S = 3600.0  # seconds without another attempt after which one wrong attempt is forgotten


class BackoffPolicy(Frozen):
    """How waits grow: none for the first `free_attempts` wrong attempts, then those of `delays`."""

    free_attempts: int
    delays: Backoff

    def delay_s(self, failures: int) -> float:
        """Return the wait after so many wrong attempts, in seconds."""
        over = failures - self.free_attempts
        return 0.0 if over <= 0 else self.delays.delay_s(over - 1)

    @property
    def max_count(self) -> int:
        """The count at which the longest wait is reached; a higher count would only fade more slowly."""
        failures = self.free_attempts + 1
        while self.delay_s(failures) < self.delays.max_s:
            failures += 1
        return failures


class AttemptBackoff(Generic[K]):
    """The wrong attempts by key, in memory. `failures` are the stored counts; `mono` is the start of this run."""

    def __init__(self, policy: BackoffPolicy, failures: Mapping[K, int], *, mono: float) -> None:
        self._policy = policy
        self._max_failures = policy.max_count
        self._attempts = {key: (count, mono) for key, count in failures.items() if count > 0}

    def wait_s(self, key: K, mono: float) -> float:
        """Return the seconds until the next attempt is allowed; 0: now."""
        count, since = self._decayed(key, mono)
        return max(0.0, since + self._policy.delay_s(count) - mono)

    def count(self, key: K, mono: float) -> int:
        """Count an attempt; return the count to be stored."""
        count = min(self._max_failures, self._decayed(key, mono)[0] + 1)
        self._attempts[key] = (count, mono)
        return count

    def give_back(self, key: K, mono: float) -> int:
        """Take back one counted attempt because it succeeded; return the count to be stored."""
        count, since = self._decayed(key, mono)
        if count <= 1:
            return self.clear(key)
        self._attempts[key] = (count - 1, since)
        return count - 1

    def clear(self, key: K) -> int:
        """Forget the wrong attempts of a key; return the count to be stored, 0."""
        self._attempts.pop(key, None)
        return 0

    def _decayed(self, key: K, mono: float) -> tuple[int, float]:
        count, since = self._attempts.get(key, (0, mono))
        gone = min(count, int(max(0.0, mono - since) // FADE_INTERVAL_S))
        return count - gone, since + gone * FADE_INTERVAL_S
