"""A rate limit: so many units a second on average, so many at once after a pause. Pure; the clock is an argument."""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """Holds up to `burst` tokens, refilled at `rate` tokens a second; it is full at first."""

    rate: float
    burst: float
    _left: float = -1.0
    _at: float = 0.0

    def has(self, mono: float, cost: float = 1.0) -> bool:
        """Whether `cost` tokens are there at `mono` (monotonic seconds), without taking them."""
        return self._filled(mono) >= cost

    def take(self, mono: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens and return True; False and nothing taken where fewer are left."""
        left = self._filled(mono)
        if left < cost:
            return False
        self._left, self._at = left - cost, mono
        return True

    def _filled(self, mono: float) -> float:
        if self._left < 0:
            return self.burst
        return min(self.burst, self._left + max(0.0, mono - self._at) * self.rate)
