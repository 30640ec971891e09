"""Computes the age of a session or an invitation on a box whose clock may be wrong.

UTC alone is not enough: setting the clock back would make a stolen cookie young again. CLOCK_MONOTONIC alone is not
enough: it restarts at boot, and 14 days outlast many a boot. So the age is computed from the last instant that is
certain, plus the monotonic time since then.
"""

from datetime import datetime, timedelta

from gateway.domain.now import Now


class EarliestClock:
    """A clock that never goes back, and is never later than the true time if trusted readings are right.

    It starts at `floor`, the latest instant that is known to be past, follows the monotonic clock, jumps forward to
    every trusted reading, and ignores untrusted ones. So a stored instant can only look older than it is, never
    younger. The time while the box was off is not counted until the clock is trusted.
    """

    def __init__(self, floor: datetime, now: Now) -> None:
        self._begin_mono = self._latest = floor
        self._mono = now.mono
        self.read(now)

    def read(self, now: Now) -> datetime:
        """Return the present instant."""
        self._latest += timedelta(seconds=max(0.0, now.mono - self._mono))
        self._mono = max(self._mono, now.mono)
        if now.trusted:
            self._latest = max(self._latest, now.utc)
        return self._latest

    def latest(self, now: Now, since: datetime) -> datetime:
        """Return the instant against which a value stored at `since` has to be judged.

        For a value of an earlier run an untrusted clock counts too, where it says that more time has passed: nobody
        knows how long the box was off, and the worst result is another sign-in.
        """
        at = self.read(now)
        return max(at, now.utc) if since <= self._begin_mono else at
