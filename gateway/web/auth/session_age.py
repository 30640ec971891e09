"""Computes the age of a session or an invitation on a box whose clock may be wrong.

UTC alone will not do: whoever sets the clock back would make a stolen cookie young again. CLOCK_MONOTONIC alone will
not do: it begins anew at a boot, and 14 days are longer than many a boot. So time is reckoned as at sea: from the last
position that is certain, onwards by the log.
"""

from datetime import datetime, timedelta

from gateway.domain.now import Now


class EarliestClock:
    """An instant that never goes back and never lies after the true time as far as the box's clock can be trusted.

    It goes on by the monotonic clock, forward to every trusted reading, and ignores untrusted ones. It begins at
    `floor`: the latest instant that is known to be over. What is stored with it can therefore only look older than it
    is, never younger. Not counted is only the time that the box was switched off, and only until the clock is trusted.
    """

    def __init__(self, floor: datetime, now: Now) -> None:
        self._begin_mono = self._latest = floor
        self._mono = now.mono
        self.read(now)

    def read(self, now: Now) -> datetime:
        """The reckoned instant."""
        self._latest += timedelta(seconds=max(0.0, now.mono - self._mono))
        self._mono = max(self._mono, now.mono)
        if now.trusted:
            self._latest = max(self._latest, now.utc)
        return self._latest

    def latest(self, now: Now, since: datetime) -> datetime:
        """The instant by which something that was stored as of `since` is to be judged.

        For what an earlier run of the program left behind even an untrusted clock counts where it says that more time
        has passed: nobody knows how long the box was off, and the worst is that somebody signs in again.
        """
        at = self.read(now)
        return max(at, now.utc) if since <= self._begin_mono else at
