"""Defines the items of an order: what goes to which place, and how cold or warm the air there must be. Pure.

An item has an SSCC, or a GTIN with a serial number (SGTIN), also written as a GS1 Digital Link, or a carrier's number.
Its limits come from the order, from the legal profile that the order names, and from its label; the strictest counts.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from gateway.domain.delivery.food_profiles import LEGAL_TEMPERATURES, FoodProfile
from gateway.domain.delivery.temperature import NO_LIMITS, Limits, stricter
from gateway.domain.frozen import Frozen

DEFAULT_MAX_SECONDS: Final = 300
"""How long an item may be between door and place if the order does not say it.

No law gives such a time. Five minutes are enough for a walk to a kitchen with several bags.
"""


NO_LABELS: Mapping[str, Limits] = MappingProxyType({})


class OrderItem(Frozen):
    """One item. `code` is normalised; `limits` are the order's own."""

    code: str
    place: str
    limits: Limits = NO_LIMITS
    profile: FoodProfile | None = None
    max_seconds: int = DEFAULT_MAX_SECONDS

    @property
    def legal(self) -> Limits:
        """Return the limits of the item's profile."""
        return NO_LIMITS if self.profile is None else LEGAL_TEMPERATURES[self.profile].limits

    @property
    def required(self) -> Limits:
        """Return the limits that order and law require together; those of the label are not known before a scan."""
        return stricter(self.limits, self.legal)


def limits_by_place(
    items: Iterable[OrderItem], *, place: str, limits: Limits = NO_LIMITS, labels: Mapping[str, Limits] = NO_LABELS
) -> Mapping[str, Limits]:
    """Return what an order requires of each place; a place without a limit is left out.

    `place` and `limits`: the order's own. `labels`: the limits that were read with a code; those of a code that is no
    item hold for the order's place.
    """
    items, found = tuple(items), {place: limits}
    for item in items:
        found[item.place] = stricter(found.get(item.place, NO_LIMITS), item.required)
    places = {item.code: item.place for item in items}
    for code, on_label in labels.items():
        at = places.get(code, place)
        found[at] = stricter(found.get(at, NO_LIMITS), on_label)
    return {name: required for name, required in found.items() if not required.is_none}


def room_needed(items: Collection[OrderItem], *, parcels: Collection[str], place: str) -> Mapping[str, int]:
    """Return how many things go to each place: the items, or of an order without items its parcels."""
    return Counter(item.place for item in items) if items else {place: len(parcels)}
