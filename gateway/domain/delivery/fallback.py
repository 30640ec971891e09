"""Chooses another place for a delivery whose own entrance cannot take it now. Pure.

The owner orders the places. The retailer's own list of entrances and the owner's permission limit them. A delivery is
moved only if the reason of the refusal is its entrance. After a stop, a revocation, or a doubt about a key, a code or
the time, no other entrance may open either.
"""

from collections.abc import Callable, Iterator, Mapping

from gateway.domain.delivery.promise import DeliveryOrder
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen

FALLBACK_REFUSALS = frozenset({
    Refusal.NOT_READY, Refusal.CAMERA_UNAVAILABLE, Refusal.FRIDGE_TOO_WARM, Refusal.FRIDGE_TOO_COLD,
    Refusal.FRIDGE_FULL, Refusal.HOUSEHOLD_PRESENT, Refusal.NO_RECEIVER, Refusal.GUEST_PRESENT,
})  # fmt: skip
"""The refusals whose reason is the entrance alone."""

_SOMEBODY_HOME = frozenset({Refusal.HOUSEHOLD_PRESENT, Refusal.GUEST_PRESENT})

MAX_MOVES = 5  # of one delivery: more are a fault or an attack


class Place(Frozen):
    """A place at an entrance or a reception."""

    entrance: str
    place: str


class FallbackPlan(Frozen):
    """The places to which a house may move its deliveries, by its house file.

    `preferred`: entrances and receptions in the owner's order. `places`: the places of each entrance, in the order of
    the house file. `courier_proof`: the entrances that open only with a courier's code. `unproven`: the entrances at
    which neither film nor sensor proves a delivery. `living_space`: the entrances that lead into it.
    """

    preferred: tuple[str, ...]
    places: Mapping[str, tuple[str, ...]]
    courier_proof: frozenset[str]
    unproven: frozenset[str] = frozenset()
    living_space: frozenset[str] = frozenset()


def fallback(
    refusal: Refusal, order: DeliveryOrder, plan: FallbackPlan, refusal_at: Callable[[Place], Refusal | None]
) -> Place | None:
    """Return the place to which an order that was refused at its entrance goes, or None.

    `refusal_at`: the answer that a scan of the moved order would get there now; the owner's permission counts there
    too.
    """
    if refusal not in FALLBACK_REFUSALS or order.placed >= MAX_MOVES:
        return None
    return next((place for place in _options(order, plan, refusal) if refusal_at(place) is None), None)


def _options(order: DeliveryOrder, plan: FallbackPlan, refusal: Refusal) -> Iterator[Place]:
    for entrance in plan.preferred:
        is_elsewhere = entrance != order.entrance
        is_accepted = order.entrances is None or entrance in order.entrances
        is_provable = order.courier is not None or entrance not in plan.courier_proof
        # A person who is home at one entrance may be in the living space, whatever was reported at the other
        is_empty = refusal not in _SOMEBODY_HOME or entrance not in plan.living_space
        is_proven = entrance not in plan.unproven or not order.lies_at.isdisjoint(plan.unproven)
        if is_elsewhere and is_accepted and is_provable and is_empty and is_proven:
            # Of the entrance's places, the one with the id of the order's own place comes first
            for place in sorted(plan.places.get(entrance, ()), key=lambda name: name != order.place):
                yield Place(entrance=entrance, place=place)
