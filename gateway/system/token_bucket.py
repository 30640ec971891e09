"""Limits rates: token buckets have an average rate and a burst after a pause, a window has a count. Pure.

The clock is an argument: `mono` is in monotonic seconds.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """Holds up to `burst` tokens, refilled at `rate` tokens per second; it begins full."""

    rate: float
    burst: float
    _tokens: float = -1.0
    _filled_at: float = 0.0

    def has(self, mono: float, cost: float = 1.0) -> bool:
        """Whether the bucket has `cost` tokens at `mono` (monotonic seconds); takes none."""
        return self._tokens_at(mono) >= cost

    def take(self, mono: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens and return True; return False and take nothing if there are fewer."""
        left = self._tokens_at(mono)
        if left < cost:
            return False
        self._tokens, self._filled_at = left - cost, mono
        return True

    def _tokens_at(self, mono: float) -> float:
        if self._tokens < 0:
            return self.burst
        return min(self.burst, self._tokens + max(0.0, mono - self._filled_at) * self.rate)


@dataclass(slots=True)
class TokenBuckets:
    """One token bucket for each key, with `burst` tokens and `rate` tokens a second.

    At most `most_keys` are remembered. The key that was used longest ago is forgotten first, and then begins with a
    full bucket.
    """

    rate: float
    burst: float
    most_keys: int = 4096
    _buckets: OrderedDict[str, TokenBucket] = field(default_factory=OrderedDict)

    def take(self, key: str, mono: float) -> bool:
        """Take one token of this key and return True; return False and take nothing if there is none."""
        bucket = self._buckets.pop(key, None) or TokenBucket(self.rate, self.burst)
        self._buckets[key] = bucket
        if len(self._buckets) > self.most_keys:
            self._buckets.popitem(last=False)
        return bucket.take(mono)


@dataclass(slots=True)
class FixedWindow:
    """Admits `limit` in each window of `window_s` seconds. A window begins with its first."""

    limit: int
    window_s: float = 1.0
    count: int = 0  # in this window, admitted or not
    _began_mono: float = float("-inf")

    def take(self, mono: float) -> bool:
        """Count one more at `mono` (monotonic seconds); return whether it is admitted."""
        if mono - self._began_mono >= self.window_s:
            self._began_mono, self.count = mono, 0
        self.count += 1
        return self.count <= self.limit


@dataclass(slots=True)
class SlidingWindow:
    """Admits `limit` within any `window_s` seconds; what is not admitted does not count."""

    limit: int
    window_s: float
    _times: deque[float] = field(default_factory=deque)

    def take(self, mono: float) -> bool:
        """Count one more at `mono` (monotonic seconds) and return True; False: the limit is reached."""
        if len(self._times) == self.limit:
            if mono - self._times[0] < self.window_s:
                return False
            self._times.popleft()
        self._times.append(mono)
        return True
