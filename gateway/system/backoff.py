"""Computes exponential back-off delays and their jitter. Pure: the caller keeps the count and passes the chance."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from gateway.domain.frozen import Frozen

D = TypeVar("D", float, timedelta)

MAX_DOUBLINGS: Final = 64  # beyond every maximum delay, and far from a float's largest number


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds that double with each failure: from `first_s` up to `max_s`."""

    first_s: float
    max_s: float

    def delay_s(self, failures: int) -> float:
        """Return the delay after so many failures that followed the first one (0: `first_s`)."""
        return min(self.max_s, self.first_s * 2.0 ** min(failures, MAX_DOUBLINGS))

    def next_s(self, delay_s: float) -> float:
        """Return the delay that follows one of `delay_s`."""
        return min(self.max_s, 2 * delay_s)


def shortened(delay: D, chance: float) -> D:
    """Spread reconnections: return 0.5 to 1 times the delay, for a `chance` of 0 to 1."""
    return delay * (0.5 + chance / 2)


def lengthened(delay: D, chance: float) -> D:
    """Spread what was due at one instant: return 1 to 1.2 times the delay, for a `chance` of 0 to 1."""
    return delay * (1 + chance / 5)


class RetrySchedule(Frozen, kw_only=False):
    """After how many seconds an item is sent again: after its first attempt, its second, and so on; then the last."""

    delays_s: tuple[float, ...]

    def delay(self, attempts: int, *, chance: float) -> timedelta:
        """Return the delay after so many attempts, at least one. `chance` is from 0 to 1."""
        return lengthened(timedelta(seconds=self.delays_s[min(attempts, len(self.delays_s)) - 1]), chance)

    @property
    def max_delay(self) -> timedelta:
        """The longest delay."""
        return lengthened(timedelta(seconds=max(self.delays_s)), 1.0)
