"""Computes the wait after wrong passwords. Pure: the caller stores the counts.

Waits are counted on the monotonic clock, so no step of the wall clock shortens one, and it needs no trust. After a
restart, of the program or of the box, nobody knows how much of a wait was over: it begins anew, in full. So a restart
never shortens one either, and only the counts have to be stored.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.system.backoff import Backoff

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffPolicy:
    """How waits grow: nothing for the first `free` wrong tries, then by `delays`.

    One wrong try is forgotten after every `fades` seconds without another.
    """

    free: int
    delays: Backoff
    fades: float

    def delay(self, failures: int) -> float:
        """How long to wait after the last of so many wrong tries, in seconds."""
        over = failures - self.free
        return 0.0 if over <= 0 else self.delays.delay_s(over - 1)

    @property
    def top(self) -> int:
        """Where the longest wait is reached: counting on would only make the fading take for ever."""
        failures = self.free + 1
        while self.delay(failures) < self.delays.max_s:
            failures += 1
        return failures


class AttemptBackoff(Generic[K]):
    """Wrong tries by key. `failures` are the stored counts, `mono` is when this run of the program began.

    A key is counted before the password is looked at: two tries at the same moment are two.
    """

    def __init__(self, pace: BackoffPolicy, failures: Mapping[K, int], *, mono: float) -> None:
        self._policy = pace
        self._max_failures = pace.top
        self._attempts = {key: (count, mono) for key, count in failures.items() if count > 0}

    def wait(self, key: K, mono: float) -> float:
        """How many seconds until the next try; 0: now."""
        count, since = self._decayed(key, mono)
        return max(0.0, since + self._policy.delay(count) - mono)

    def count(self, key: K, mono: float) -> int:
        """Count a try; returns what is to be stored."""
        count = min(self._max_failures, self._decayed(key, mono)[0] + 1)
        self._attempts[key] = (count, mono)
        return count

    def give_back(self, key: K, mono: float) -> int:
        """The try that was counted was a good one; returns what is to be stored."""
        count, since = self._decayed(key, mono)
        if count <= 1:
            return self.clear(key)
        self._attempts[key] = (count - 1, since)
        return count - 1

    def clear(self, key: K) -> int:
        """Forget a key's wrong tries; returns what is to be stored: 0."""
        self._attempts.pop(key, None)
        return 0

    def _decayed(self, key: K, mono: float) -> tuple[int, float]:
        """The count that still stands and when it was reached; what has faded is forgotten."""
        count, since = self._attempts.get(key, (0, mono))
        gone = min(count, int(max(0.0, mono - since) // self._policy.fades))
        return count - gone, since + gone * self._policy.fades
