"""How long the deadlines last in all that a person sees pass: a page shows which part of one is left. Pure."""

from gateway.domain.delivery.own_parcel import approval_limit_s
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import View
from gateway.domain.visit.state import Entrance, Rules, Timer, Visit
from gateway.domain.visit.views import closure_of, view

DEFAULT_OPEN_LIMIT_S = 120.0  # seconds, for a place without a limit of its own


def passable_limit_s(rules: Rules, closure: AnyClosure) -> float:
    """Return for how many seconds a closure that the box unlocked waits for somebody to go in."""
    passable_for_s = closure.opening().passable_for_s
    return rules.timing.never if passable_for_s is None else passable_for_s


def open_limit_s(rules: Rules, closure: AnyClosure, seen: View, place: str) -> float:
    """Return for how many seconds a closure may stand open at a visit to this place."""
    limit_s = closure.overdue(seen).limit_s
    return rules.open_limit.get(place, DEFAULT_OPEN_LIMIT_S) if limit_s is None else limit_s


def full_length_s(state: Entrance, timer: Timer) -> float | None:
    """Return how many seconds this deadline of the running visit has in all; None: it is none that is shown.

    A second code (`Timer.HALF`) is waited for before there is a visit.
    """
    timing = state.rules.timing
    if timer is Timer.HALF:
        return timing.courier
    if state.visit is None:
        return None
    return _of_visit(state, state.visit, timer)


def _of_visit(state: Entrance, visit: Visit, timer: Timer) -> float | None:
    rules = state.rules
    here = closure_of(rules, visit.route[visit.entry.stage])
    match timer:
        case Timer.RING:
            return rules.timing.ring if rules.has_signal else 0.0
        case Timer.APPROVAL:
            return approval_limit_s(visit.delivery.brand, rules.timing)
        case Timer.NEVER:
            return passable_limit_s(rules, here)
        case Timer.OPEN_LONG if visit.reminders:
            return rules.timing.open_again
        case Timer.OPEN_LONG:
            return open_limit_s(rules, here, view(state, here), visit.delivery.place)
        case Timer.ADVANCE:
            return rules.timing.advance
        case _:
            return None
