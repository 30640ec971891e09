"""The household's pauses: between two instants no delivery is let in. A visit past its intent goes on as ever."""

from gateway.domain.frozen import replace
from gateway.domain.visit.state import Why
from gateway.domain.visit.step import Step

LATE = 1.0  # seconds by which wall clock and deadline may drift apart before the deadline is set anew
SOON = 0.01  # seconds: the deadline came a moment before its instant


def settle(step: Step) -> None:
    """Forget what is over, and be asked again when a pause begins or ends: whoever looks on must see it then.

    What a scan is answered rests on the time alone (`rules.paused`). Without trusted time nothing is over.
    """
    now, pauses = step.now, step.state.pauses
    if pauses and now.trusted:
        pauses = tuple(pause for pause in pauses if now.utc < pause.end)
        if pauses != step.state.pauses:
            step.state = replace(step.state, pauses=pauses)
    turns = [instant for pause in pauses for instant in (pause.start, pause.end) if instant > now.utc]
    if not turns or not now.trusted:
        step.disarm(Why.PAUSE)
        return
    seconds = max((min(turns) - now.utc).total_seconds(), SOON)
    armed = step.state.due.get(Why.PAUSE)
    if armed is None or step.passed(Why.PAUSE) or abs(armed - now.mono - seconds) > LATE:
        step.arm(Why.PAUSE, seconds)
