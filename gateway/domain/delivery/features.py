"""Defines the optional features of a delivery order of version 2, and which of them this box understands.

An order of version 2 lists in `needs` exactly the features that it uses. A box that does not understand one of them
refuses the whole order: it would otherwise drop a limit on which the retailer relies. `unsupported_words` finds them in
the raw message, because a box cannot read the fields of a feature that it does not know. Pure.
"""

import re
from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.domain.frozen import Frozen

MESSAGE_VERSIONS: Final = (1, 2)
"""The versions of a delivery order that this box understands."""

MAX_NEEDS = 32  # words in one order
MAX_SIDE_MM = 5000  # of a parcel
_WORD = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Feature(StrEnum):
    """An optional feature of an order of version 2."""

    ITEMS = auto()  # each item has limits and a place of its own
    COLLECT = auto()  # the courier also collects parcels
    HOLDER_ROBOT = auto()  # a robot brings it, under a supervisor
    YES_EACH = auto()  # somebody says yes to each opening
    ENTRANCES = auto()  # the entrances at which the retailer accepts the delivery
    MIN_CELSIUS = auto()  # the place may not be colder
    DIMENSIONS = auto()  # the size of the largest parcel
    LABEL_RULES = auto()  # the rules on the label that must have been read (label.py)
    ARRIVAL = auto()  # of a message, not of an order: when the courier comes
    EXPECTED_ADDRESS = auto()  # the home's postcode or word, as the retailer knows it
    MORE_TIME = auto()  # of a message, not of an order: the courier is late, and asks the household for more time


SUPPORTED_FEATURES: Final = frozenset({
    Feature.ITEMS, Feature.COLLECT, Feature.ENTRANCES, Feature.MIN_CELSIUS, Feature.DIMENSIONS, Feature.LABEL_RULES,
    Feature.HOLDER_ROBOT, Feature.YES_EACH, Feature.MORE_TIME, Feature.ARRIVAL,
    Feature.EXPECTED_ADDRESS,
})  # fmt: skip
"""The features that this box understands. The one place to change when another one is built."""

_FIELDS: Final[Mapping[str, Feature]] = {
    "items": Feature.ITEMS,
    "collect": Feature.COLLECT,
    "holder": Feature.HOLDER_ROBOT,
    "yes_each": Feature.YES_EACH,
    "entrances": Feature.ENTRANCES,
    "min_celsius": Feature.MIN_CELSIUS,
    "dimensions": Feature.DIMENSIONS,
    "label_rules": Feature.LABEL_RULES,
    "expected_address": Feature.EXPECTED_ADDRESS,
}
"""The field of an order by which it uses a feature."""


class Speaks(BaseModel):
    """What a box understands: versions of a delivery order, and optional features. A reader ignores other keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    delivery: Annotated[tuple[int, ...], Field(max_length=16)]
    needs: Annotated[tuple[Word, ...], Field(max_length=MAX_NEEDS)]


SPEAKS: Final = Speaks(delivery=MESSAGE_VERSIONS, needs=tuple(sorted(SUPPORTED_FEATURES)))
"""What this box understands."""

_OF_ROBOTS: Final = frozenset({Feature.HOLDER_ROBOT, Feature.YES_EACH})


def entrance_features(*, robots: bool) -> tuple[Word, ...]:
    """Return the features that an entrance understands, sorted. `robots`: robots may come in there."""
    return tuple(word for word in SPEAKS.needs if robots or word not in _OF_ROBOTS)


class Dimensions(Frozen):
    """The outer size of a parcel, in whole millimetres."""

    length: int
    width: int
    height: int

    def fits_in(self, space: "Dimensions") -> bool:
        """Return whether the parcel fits into this space, whichever of its sides stands upright."""
        mine, room = (sorted((size.length, size.width, size.height)) for size in (self, space))
        return all(side <= limit for side, limit in zip(mine, room, strict=True))


def used_features(order: Mapping[str, object]) -> tuple[Feature, ...]:
    """Return the features that an order's fields use, sorted. A field that is null, false or empty uses none."""
    named = (_FIELDS[name] for name, value in order.items() if name in _FIELDS and _is_used(name, value))
    return tuple(sorted(named))


def field_of(need: str) -> str:
    """Return the field by which a retailer uses this feature; the hub adds the `yes_each` of a robot's order itself."""
    fields = {str(feature): name for name, feature in _FIELDS.items()} | {str(Feature.YES_EACH): "holder"}
    return fields[need]


def unsupported_words(order: Mapping[str, object]) -> tuple[str, ...]:
    """Return the words because of which this box must refuse an order of version 2, sorted.

    They are the words of `needs` that it does not understand, and the features that the order uses without listing
    them. A `needs` that is no list of words names none: such an order is malformed.
    """
    needs = order.get("needs", [])
    if not isinstance(needs, list) or len(needs) > MAX_NEEDS:
        return ()
    listed = {word for word in needs if isinstance(word, str) and _WORD.fullmatch(word)}
    if len(listed) != len(needs):
        return ()
    used = {str(feature) for feature in used_features(order)}
    return tuple(sorted((listed - SUPPORTED_FEATURES) | (used - listed)))


def _is_used(name: str, value: object) -> bool:
    if name == "holder":
        return value == "robot"
    return value is not None and value is not False and value not in ([], {})  # 0 °C is a limit
