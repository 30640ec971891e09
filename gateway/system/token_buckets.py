"""How often somebody may do something: one token bucket for each key. Pure; the clock is an argument."""

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBuckets:
    """Each key may take `burst` tokens at once and `per_second` more every second.

    At most `most_keys` are remembered; the key that asked longest ago is forgotten first and begins with a full bucket.
    """

    per_second: float
    burst: float
    most_keys: int = 4096
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)  # key: tokens, when (s)

    def take(self, key: str, mono: float) -> bool:
        """Take one token at `mono` (monotonic seconds); False: none is left, and none is taken."""
        tokens, since = self._buckets.pop(key, (self.burst, mono))
        tokens = min(self.burst, tokens + max(0.0, mono - since) * self.per_second)
        taken = tokens >= 1
        self._buckets[key] = (tokens - taken, mono)
        if len(self._buckets) > self.most_keys:
            self._buckets.popitem(last=False)
        return taken
