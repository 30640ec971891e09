"""Says when a deadline that a page shows began and when it ends, so that the page can draw the part that is left."""

from datetime import datetime

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.countdown import full_length_s
from gateway.domain.visit.state import Entrance, Timer
from gateway.web.server.context import to_utc


class Countdown(Frozen):
    """A time that runs out, in UTC; `start` None: nobody knows how long it was in all, so no ring is drawn."""

    start: datetime | None
    end: datetime


def running_countdown(state: Entrance, now: Now, timer: Timer | None) -> Countdown | None:
    """Return the countdown of this timer; None: it does not run."""
    end_mono = None if timer is None else state.timers.get(timer)
    if timer is None or end_mono is None:
        return None
    length_s = full_length_s(state, timer)
    start = None if not length_s else to_utc(now, end_mono - length_s)
    return Countdown(start=start, end=to_utc(now, end_mono))
