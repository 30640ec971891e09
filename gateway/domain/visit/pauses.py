"""Applies the household's pauses: no delivery may begin during one. A visit past its intent continues as usual."""

from gateway.domain.frozen import replace
from gateway.domain.visit.state import Timer
from gateway.domain.visit.step import Step

MAX_CLOCK_DRIFT_S = 1.0  # maximum difference in seconds of wall clock and deadline before the deadline is set again
EARLY_TIMER_S = 0.01  # seconds: the timer expired a moment before its instant


def settle(step: Step) -> None:
    """Remove pauses that are over, and set a timer for the next begin or end so that observers see the change then."""
    now, pauses = step.now, step.state.pauses
    if pauses and now.trusted:
        pauses = tuple(pause for pause in pauses if now.utc < pause.end)
        if pauses != step.state.pauses:
            step.state = replace(step.state, pauses=pauses)
    turns = [instant for pause in pauses for instant in (pause.start, pause.end) if instant > now.utc]
    if not turns or not now.trusted:
        step.clear_timers(Timer.PAUSE)
        return
    seconds = max((min(turns) - now.utc).total_seconds(), EARLY_TIMER_S)
    armed = step.state.timers.get(Timer.PAUSE)
    if armed is None or step.timer_expired(Timer.PAUSE) or abs(armed - now.mono - seconds) > MAX_CLOCK_DRIFT_S:
        step.set_timer(Timer.PAUSE, seconds)
