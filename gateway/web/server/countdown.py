"""Says when a deadline that a page shows began and when it ends, so that the page can draw the part that is left."""

from datetime import datetime

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.countdown import full_length_s
from gateway.domain.visit.state import Entrance, Phase, Timer
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


def answer_countdown(state: Entrance, now: Now) -> Countdown | None:
    """Return the time in which the owner can decide on the running visit; None: there is nothing to decide.

    Where the owner's yes is awaited, the ringing and the wait after it are one time: the yes counts in both.
    """
    visit = state.visit
    if visit is None or visit.phase not in (Phase.RINGING, Phase.APPROVING):
        return None
    if not visit.delivery.needs_yes or visit.consent.approved is not None:
        return running_countdown(state, now, Timer.RING)
    ring_s, approval_s = full_length_s(state, Timer.RING) or 0.0, full_length_s(state, Timer.APPROVAL) or 0.0
    ends = {Phase.RINGING: (Timer.RING, approval_s), Phase.APPROVING: (Timer.APPROVAL, 0.0)}
    timer, more_s = ends[visit.phase]
    end_mono = state.timers.get(timer)
    if end_mono is None:
        return None
    end_mono += more_s
    return Countdown(start=to_utc(now, end_mono - ring_s - approval_s), end=to_utc(now, end_mono))
