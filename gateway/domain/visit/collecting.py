"""Decides what a visit collected: parcels that the courier takes with him, such as returns. Pure.

The code on such a parcel opens nothing: it lies inside, and the person who knows it proves nothing. It counts if it is
scanned after the innermost closure of the route was opened in this visit, while that closure stands open. The result
is set with that of the parcels that were brought, so a later scan does not change it.
"""

from gateway.domain.delivery.result import CollectResult, Outcome
from gateway.domain.visit.state import Phase, Visit
from gateway.domain.visit.step import Step

_NOTHING_KNOWN = frozenset({Outcome.ATTENDED, Outcome.REFUSED})  # no scan shows what the courier took


def may_collect(step: Step) -> bool:
    """Return whether a scan of a code to collect counts now: the courier is inside, and has not left yet."""
    visit = step.visit
    innermost = step.closure(visit.route[-1])
    is_inside = visit.phase is Phase.INSIDE and innermost.id in visit.entry.opened
    return is_inside and visit.outcome is None and innermost.opened(step.view(innermost))


def collection(visit: Visit, outcome: Outcome) -> CollectResult | None:
    """Return what the visit collected, as its outcome is set; None: nothing was to be collected, or nothing is known.

    A visit with an unknown outcome, in which no code was scanned, says nothing: the courier may have been inside.
    """
    due, scanned = visit.delivery.collect, visit.delivery.collect & visit.collected
    if not due or outcome in _NOTHING_KNOWN or (outcome is Outcome.UNKNOWN and not scanned):
        return None
    if scanned == due:
        return CollectResult.COLLECTED
    return CollectResult.PARTLY_COLLECTED if scanned else CollectResult.NOT_COLLECTED


def outcome_of(visit: Visit, outcome: Outcome, collected: CollectResult | None) -> Outcome:
    """Return the outcome of the visit: where it brought nothing, it is what was collected."""
    return Outcome(collected.value) if collected is not None and visit.delivery.only_collects else outcome
