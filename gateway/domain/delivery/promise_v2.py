"""Defines a delivery order of version 2: version 1 with a list of the optional features that it uses.

Version 1 (`promise.py`) is frozen for ever. It reads as an order of version 2 that uses no feature.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from gateway.domain.delivery.address import MAX_ADDRESS_CHARS, OrderAddress, is_address_text
from gateway.domain.delivery.barcodes import BarcodeKind, InvalidBarcode, normalise
from gateway.domain.delivery.features import MAX_NEEDS, MAX_SIDE_MM, Dimensions, Feature, used_features
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.items import DEFAULT_MAX_SECONDS, OrderItem, limits_by_place
from gateway.domain.delivery.label import LabelRule
from gateway.domain.delivery.promise import (
    MAX_PARCELS,
    Arrival,
    Cancel,
    Claims,
    DeliveryBody,
    Id,
    Offer,
    Parcel,
    TimeRequest,
    Update,
    WireModel,
    printable,
    refuse_duplicates,
)
from gateway.domain.delivery.temperature import Limits

MAX_ENTRANCES = 16  # in the list of one order
MAX_INFO = 10  # texts for people in one order
MAX_ITEMS: Final = 50  # of one order
MAX_ITEM_SECONDS: Final = 3600  # between door and place


def refuse_repeated(words: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raise ValueError if a word occurs twice."""
    if len(set(words)) < len(words):
        raise ValueError("the same word twice")
    return words


def _require_sorted(words: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(words) != sorted(set(words)):
        raise ValueError("words are sorted, each once")
    return words


def _whole_to_int(value: object) -> object:
    """Return a whole number as int: in JSON 60.0 and 60 are the same."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _normalise_item(raw: str) -> str:
    code = normalise(raw)
    if isinstance(code, InvalidBarcode):
        raise ValueError(code.why)  # noqa: TRY004 - pydantic expects it
    if code.kind is BarcodeKind.GTIN:
        raise ValueError("a GTIN names a product: add the serial number (21) of this item, or name its SSCC")
    if code.kind is BarcodeKind.COURIER:
        raise ValueError("a courier's code is not an item's")
    return code.value


Millimetres = Annotated[int, Field(ge=1, le=MAX_SIDE_MM)]
Needs = Annotated[tuple[Feature, ...], Field(max_length=MAX_NEEDS), AfterValidator(_require_sorted)]
AcceptedEntrances = Annotated[
    tuple[Id, ...], Field(min_length=1, max_length=MAX_ENTRANCES), AfterValidator(refuse_repeated)
]
CollectList = Annotated[
    tuple[Parcel, ...], Field(min_length=1, max_length=MAX_PARCELS), AfterValidator(refuse_duplicates)
]
LabelRuleList = Annotated[
    tuple[LabelRule, ...], Field(min_length=1, max_length=len(LabelRule)), AfterValidator(_require_sorted)
]
InfoKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
InfoText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(printable)]
_INFO_SCHEMA = {
    "type": "object", "maxProperties": MAX_INFO, "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,31}$"},
    "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 200, "format": "printable"},
}  # fmt: skip
Info = Annotated[dict[InfoKey, InfoText], Field(max_length=MAX_INFO), WithJsonSchema(_INFO_SCHEMA)]


class ParcelSize(WireModel):
    """The outer size of the largest parcel, in whole millimetres."""

    length: Millimetres
    width: Millimetres
    height: Millimetres


def _address_text(text: str) -> str:
    if not is_address_text(text):
        raise ValueError("1 to 32 printable characters, a letter or digit among them, no space at either end")
    return text


AddressText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_ADDRESS_CHARS),
    AfterValidator(_address_text),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_ADDRESS_CHARS, "format": "address-text"}),
]


class ExpectedAddress(WireModel):
    """What you know of the home's address: its `postcode`, the owner's `word`, or both. Case and spaces do not matter.

    The home compares the one that its owner chose to tell you (`address` of the connection), and refuses the order if
    it differs. A home that tells nothing compares nothing.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    postcode: AddressText | None = None
    word: AddressText | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.postcode is None and self.word is None:
            raise ValueError("it says `postcode`, `word` or both")
        return self

    @property
    def order_address(self) -> OrderAddress:
        """Return it as it is stored."""
        return OrderAddress(postcode=self.postcode, word=self.word)


ItemCode = Annotated[
    str, AfterValidator(_normalise_item), WithJsonSchema({"type": "string", "minLength": 1, "format": "item-code"})
]
ItemCelsius = Annotated[float, Field(ge=-60, le=100)]
MaxSeconds = Annotated[int, Field(ge=1, le=MAX_ITEM_SECONDS), BeforeValidator(_whole_to_int)]


class ItemLine(WireModel):
    """One item of an order.

    `code`: its SSCC, its GTIN with serial number (SGTIN), either of them as a GS1 Digital Link, or another number that
    stands on it. `place`: where it goes. `min_celsius`, `max_celsius`, `profile`: the limits of the air there, at least
    one of the three. `max_seconds`: how long it may be between door and place.
    """

    code: ItemCode
    place: Id
    min_celsius: ItemCelsius | None = None
    max_celsius: ItemCelsius | None = None
    profile: FoodProfile | None = None
    max_seconds: MaxSeconds | None = None

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        limits = self.order_item.required
        if limits.is_none:
            raise ValueError("an item has min_celsius, max_celsius or a profile")
        if limits.is_contradictory:
            raise ValueError("no temperature is within both limits of the item")
        return self

    @property
    def order_item(self) -> OrderItem:
        """Return the item as it is stored."""
        return OrderItem(
            code=self.code,
            place=self.place,
            limits=Limits(min_c=self.min_celsius, max_c=self.max_celsius),
            profile=self.profile,
            max_seconds=DEFAULT_MAX_SECONDS if self.max_seconds is None else self.max_seconds,
        )


def refuse_repeated_items(items: tuple[ItemLine, ...]) -> tuple[ItemLine, ...]:
    """Raise ValueError if a code occurs twice."""
    if len({item.code for item in items}) < len(items):
        raise ValueError("the same item twice")
    return items


Items = Annotated[
    tuple[ItemLine, ...], Field(min_length=1, max_length=MAX_ITEMS), AfterValidator(refuse_repeated_items)
]


def refuse_contradictory_limits(place: str, limits: Limits, items: tuple[ItemLine, ...]) -> None:
    """Raise ValueError if no temperature at a place is within all limits that an order has for it."""
    required = limits_by_place((item.order_item for item in items), place=place, limits=limits)
    for name, at_place in required.items():
        if at_place.is_contradictory:
            raise ValueError(f"no temperature is within all limits for {name}")


class DeliveryBodyV2(DeliveryBody):
    """The content of an order of version 2.

    `needs`: exactly the features that it uses. `min_celsius`: the place may not be colder. `items`: items with
    limits and places of their own. `entrances`: every entrance at which the retailer accepts the delivery,
    `entrance` among them. `label_rules`: the rules that are on the label and that the box must have read before it
    opens. `collect`: the codes on the parcels that the courier takes with him; without `parcels` he brings none.
    `holder`: a robot brings it, and nobody else may. `yes_each`: somebody who watches says yes to each opening; a
    robot's order has it, and no other one can. `expected_address`: which home the retailer means. `info`: texts for
    people; nothing decides on them.
    """

    needs: Needs
    min_celsius: Annotated[float, Field(ge=-60, le=60)] | None = None
    items: Items | None = None
    entrances: AcceptedEntrances | None = None
    dimensions: ParcelSize | None = None
    label_rules: LabelRuleList | None = None
    collect: CollectList | None = None
    holder: Literal["robot"] | None = None
    yes_each: Literal[True] | None = None
    expected_address: ExpectedAddress | None = None
    info: Info | None = None

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        used = used_features({name: getattr(self, name) for name in FEATURE_FIELDS})
        if self.needs != used:
            raise ValueError("`needs` lists exactly the features that the order uses")
        if self.entrances is not None and self.entrance not in self.entrances:
            raise ValueError("`entrances` contains `entrance`")
        if not set(self.collect or ()).isdisjoint(self.parcels):
            raise ValueError("a parcel is brought or collected, not both")
        refuse_contradictory_limits(
            self.place, Limits(min_c=self.min_celsius, max_c=self.max_celsius), self.items or ()
        )
        if (self.holder is None) != (self.yes_each is None):
            raise ValueError("`holder` robot and `yes_each` belong together: nobody opens for a robot without watching")
        return self

    @property
    def further_facts(self) -> dict[str, Any]:
        """Return the fields of `DeliveryOrder` that only an order of version 2 has."""
        size = self.dimensions
        return {
            "message_version": 2,
            "cold_min_c": self.min_celsius,
            "items": tuple(item.order_item for item in self.items or ()),
            "entrances": None if self.entrances is None else frozenset(self.entrances),
            "dimensions": None if size is None else Dimensions(**size.model_dump()),
            "label_rules": frozenset(self.label_rules or ()),
            "collect": frozenset(self.collect or ()),
            "expected_address": None if self.expected_address is None else self.expected_address.order_address,
            "for_robot": self.holder is not None,
            "info": dict(self.info or {}),
        }


FEATURE_FIELDS = frozenset({
    "items", "entrances", "min_celsius", "dimensions", "label_rules", "collect", "holder", "yes_each",
    "expected_address",
})  # fmt: skip
"""The fields that use an optional feature, of the features that this box understands."""

V2_FIELDS = FEATURE_FIELDS | {"needs", "info"}
"""The fields that an order of version 1 cannot have."""


class OfferV2(DeliveryBodyV2, Offer):
    """A brand places an order."""


class UpdateV2(DeliveryBodyV2, Update):
    """A brand replaces the whole order under a higher version."""


class CancelV2(Cancel):
    """A brand withdraws the order. It uses no feature."""

    needs: Annotated[tuple[Feature, ...], Field(max_length=0)]


MessageV2 = Annotated[OfferV2 | UpdateV2 | CancelV2 | TimeRequest | Arrival, Field(discriminator="do")]
"""What a message of version 2 may be about."""


class ClaimsV2(Claims):
    """The payload of one signed message of version 2."""

    delivery: MessageV2


def lowest_claims(claims: dict[str, Any]) -> type[Claims]:
    """Return the lowest version whose claims can say this: `claims` as in a message, with its `delivery`."""
    delivery = claims.get("delivery")
    fields = delivery.keys() if isinstance(delivery, dict) else set[str]()
    return ClaimsV2 if fields & V2_FIELDS else Claims
