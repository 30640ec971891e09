"""Whether the entrance is ready for the deliveries that are announced, said before a courier stands at the door.

A low battery lacks nothing yet: the retailer is told "ready", and the owner which battery to change. Of a stop or a
pause the retailer hears one and the same word, and the household, who said it, nothing.
"""

from devices.reports import BatteryLevel
from gateway.domain.frozen import replace
from gateway.domain.visit import presence
from gateway.domain.visit.commands import Readiness, Saying, Tell
from gateway.domain.visit.rules import (
    barred_to,
    batteries,
    clear,
    closed,
    cold_enough,
    locked,
    shut_to,
    unlock_unanswered,
)
from gateway.domain.visit.state import Delivery, Phase, Preflight, Why
from gateway.domain.visit.step import Step

SHUT = "entrance"  # lacking by the household's own word: neither which nor why is a retailer's matter
RESIDENTS = frozenset({"presence", "alarm"})  # nor what devices know of who is home, or that a panel is armed


def window_changed(step: Step, *, expecting: bool) -> None:
    """A window is near or no more; when it is, lock and door are asked."""
    step.state = replace(step.state, expecting=expecting)
    if expecting:
        _ask(step)


def watch(step: Step, delivery: Delivery) -> None:
    """Ask, and say after the lock's latency what this delivery lacks, even when that is what was said before."""
    others = tuple(p for p in step.state.preflights if p.delivery.id != delivery.id)
    before = next((p for p in step.state.preflights if p.delivery.id == delivery.id), Preflight(delivery=delivery))
    new = replace(before, delivery=delivery, due=True)
    step.state = replace(step.state, preflights=(*others, new))
    _ask(step)


def facts_changed(step: Step, delivery: Delivery) -> None:
    """The promise has changed; one that is refused now needs no readiness."""
    watched = (replace(p, delivery=delivery) if p.delivery.id == delivery.id else p for p in step.state.preflights)
    step.state = replace(step.state, preflights=tuple(p for p in watched if p.delivery.refusal is None))


def _ask(step: Step) -> None:
    step.ask("lock", "door")
    step.arm(Why.PREFLIGHT, step.state.rules.latency + 1)


def lacking(step: Step, delivery: Delivery | None) -> tuple[str, ...]:
    """What is not affirmatively good for this delivery, or for any. A camera counts only while its ring runs."""
    state = step.state
    cameras = [
        f"camera:{name}"
        for name in state.rules.cameras
        if state.expecting and not (name in state.cameras and state.cameras[name].live)
    ]
    faults = {
        "broker": state.session is None,
        "lock": not locked(state) or unlock_unanswered(state),
        "door": not closed(state),
        "way": state.rules.beam and not clear(state),
        "disk": not state.disk,
        "clock": not step.now.trusted,
        "fridge": delivery is not None and not cold_enough(state, delivery),
        "presence": not presence.all_known(state),
        "alarm": not presence.quiet(state),
        "safe_mode": state.safe_mode,
        "walk_test": barred_to(state, delivery),
    }
    dead = batteries(state, BatteryLevel.CRITICAL)
    return (*(word for word, wrong in faults.items() if wrong), *dead, *cameras, *_shut(step, delivery))


def _shut(step: Step, delivery: Delivery | None) -> tuple[str, ...]:
    return (SHUT,) if delivery is not None and shut_to(step.state, delivery, step.now) else ()


def settle(step: Step) -> None:
    """Say what is due; while a window is near, also what has changed since: better at once, worse when it lasts."""
    live = tuple(p for p in step.state.preflights if step.now.utc < p.delivery.end)
    if live != step.state.preflights:
        step.state = replace(step.state, preflights=live)
    if not live:
        step.disarm(Why.PREFLIGHT)
        return
    visit = step.state.visit
    if visit is not None and visit.phase is not Phase.HANDED_TO_OWNER:
        if step.passed(Why.PREFLIGHT):  # a visit's own door is no fault of the entrance
            step.arm(Why.PREFLIGHT, step.state.rules.timing.probe)
        return
    _say_shut(step)
    if step.passed(Why.PREFLIGHT):
        step.disarm(Why.PREFLIGHT)
        for preflight in step.state.preflights:
            _say(step, preflight)
    elif step.state.expecting and not step.armed(Why.PREFLIGHT):
        _notice_change(step)


def _say_shut(step: Step) -> None:
    """A stop or a pause, said or taken back, needs no look at anything: what else was last said stands beside it."""
    for preflight in step.state.preflights:
        if preflight.lacking is not None:
            lacks = (*_news(preflight.lacking), *_shut(step, preflight.delivery))
            if lacks != preflight.lacking:
                step.say(Readiness(delivery=preflight.delivery.id, lacking=_outside(lacks)))
                _remember(step, preflight, replace(preflight, lacking=lacks))


def _notice_change(step: Step) -> None:
    for preflight in step.state.preflights:
        now_lacking = lacking(step, preflight.delivery)
        if now_lacking == preflight.lacking:
            continue
        if not now_lacking:
            _say(step, preflight)
        else:
            _ask(step)
            return


def _say(step: Step, preflight: Preflight) -> None:
    now_lacking, before = lacking(step, preflight.delivery), preflight.lacking
    if not preflight.due and now_lacking == before:
        return
    delivery = preflight.delivery.id
    step.say(Readiness(delivery=delivery, lacking=_outside(now_lacking)))
    weak = batteries(step.state, BatteryLevel.LOW)
    news, known = _news(now_lacking), _news(before or ())
    if (news and news != known) or set(weak) - set(preflight.weak):
        step.say(Tell(saying=Saying.NOT_READY, delivery=delivery, detail=", ".join((*news, *weak))))
    elif known and not now_lacking:
        step.say(Tell(saying=Saying.READY_AGAIN, delivery=delivery))
    _remember(step, preflight, replace(preflight, lacking=now_lacking, weak=weak, due=False))


def _remember(step: Step, before: Preflight, said: Preflight) -> None:
    step.state = replace(step.state, preflights=tuple(said if p is before else p for p in step.state.preflights))


def _outside(lacking: tuple[str, ...]) -> tuple[str, ...]:
    """What of it a retailer may read."""
    return tuple(dict.fromkeys(SHUT if word in RESIDENTS else word for word in lacking))


def _news(lacking: tuple[str, ...]) -> tuple[str, ...]:
    """What of it the household does not know by itself."""
    return tuple(word for word in lacking if word != SHUT)
