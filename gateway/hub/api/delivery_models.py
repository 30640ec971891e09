"""Defines a delivery in the API's requests and responses; `gateway/hub/database/tables.py` has its columns."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.domain.delivery import promise, promise_v2
from gateway.domain.delivery.label import LabelRule
from gateway.domain.delivery.result import CollectResult, DoorResult
from gateway.hub.api.api_keys import Label
from gateway.hub.api.openapi_schemas import Choice, choices
from gateway.hub.api.rows import PageParameters
from gateway.hub.deliveries.orders import CancelStatus
from gateway.hub.http.operation import Model
from gateway.protocol.box_hub import Token
from gateway.protocol.consent_request import AcceptWholeFloat

MAX_METADATA_KEYS = 50
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
MetadataValue = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
_MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(promise.printable)]


_VALUE_SCHEMA = {"type": "string", "maxLength": 500, "pattern": r"^[^\x00]*$"}


def _metadata_schema(value: Mapping[str, object], *, most: int) -> WithJsonSchema:
    """Return the schema of an object whose keys are free: pydantic's own says nothing of a key that does not fit."""
    key = {"type": "string", "minLength": 1, "maxLength": 40, "format": "printable"}
    return WithJsonSchema(
        {"type": "object", "maxProperties": most, "propertyNames": key, "additionalProperties": value}
    )


Metadata = Annotated[
    dict[_MetadataKey, MetadataValue],
    Field(max_length=MAX_METADATA_KEYS), _metadata_schema(_VALUE_SCHEMA, most=MAX_METADATA_KEYS),
]  # fmt: skip
MetadataPatch = Annotated[
    dict[_MetadataKey, MetadataValue | None],
    Field(max_length=2 * MAX_METADATA_KEYS),
    _metadata_schema({"anyOf": [_VALUE_SCHEMA, {"type": "null"}]}, most=2 * MAX_METADATA_KEYS),
]  # fmt: skip
_METADATA_FIELD = Field(
    description="Your own keys and values, such as the number of an order: at most 50, each key up to 40 characters and"
    " each value up to 500. The hub keeps them with the delivery and tells them in answers and events. It never sends"
    " them to a home.",
    examples=[{"order": "ORD-4711", "warehouse": "Lyon"}],
)
_METADATA_PATCH_FIELD = Field(
    description="Keys to set; null removes a key, and others stay. Metadata alone makes no new version, and may be"
    " changed after the end.",
    examples=[{"warehouse": None}],
)
_NAME_FIELD = Field(
    description="Your own name for the delivery, such as the number of the order. Without one the hub chooses one. A"
    " home has one delivery of a name. Homes get `order_id`, which is the name where it has only small letters, digits"
    " and hyphens.",
    examples=["ORD-4711"],
)

DeliveryId = Annotated[str, StringConstraints(pattern=r"^dlv-[a-z2-7]{26}$")]
ConnectionId = Annotated[str, StringConstraints(pattern=r"^con-[a-z2-7]{26}$")]
Parcels = Annotated[
    tuple[promise.Parcel, ...],
    Field(max_length=promise.MAX_PARCELS, json_schema_extra={"uniqueItems": True}),
    AfterValidator(promise.refuse_duplicates),
]
Celsius = Annotated[float, Field(ge=-60, le=60)]

_COURIER_FIELD = Field(
    description="The SHA-256, in 64 small hexadecimal digits, of the 16 random bytes of the courier's one-time code."
    " The courier shows the code itself as a QR code with the text `perron:` and the 16 bytes in base32 (RFC 4648), in"
    " small letters without padding: 33 characters. Make new bytes for each delivery, give the text to the courier"
    " alone, and send its digest here. Of the bytes 00 01 02 ... 0f the text is `perron:aaaqeayeaudaocajbifqydiob4`,"
    " and the digest is the example. An entrance with `courier_proof` opens for the parcel's code and this one"
    " together, and refuses a delivery without it: `state` is `refused`, `reason` is `courier_code_missing`.",
    examples=["be45cb2605bf36bebde684841a28f0fd43c69850a3dce5fedba69928ee3a8991"],
)
_MAKE_COURIER_FIELD = Field(
    description="`true`: the hub makes the courier's one-time code, writes its digest into the order, and returns the"
    " code once, with a QR code and a link to a page for the courier. Only of a `delivery` without `courier_sha256`."
)
CourierDigest = Annotated[promise.Digest | None, _COURIER_FIELD]
_ENTRANCES_FIELD = Field(
    description="Every entrance at which you accept the delivery; the hub adds `entrance` to them. Without it you say"
    " nothing about others. The order needs the feature `entrances`."
)
_DIMENSIONS_FIELD = Field(
    description="The outer size of the largest parcel, in whole millimetres. The order needs the feature `dimensions`."
)
_MIN_CELSIUS_FIELD = Field(
    description="The place may not be colder than this, in °C. The order needs the feature `min_celsius`."
)
_ITEMS_FIELD = Field(
    description="Items with places and limits of their own. `code` is the item's SSCC, its GTIN with serial number"
    " `(01)...(21)...`, or either of them as a GS1 Digital Link. Each has `min_celsius`, `max_celsius` or the name of a"
    " legal `profile`; the strictest counts, also against what is on the label. `max_seconds` is how long it may be"
    " between the door and its place (300 if left out). The order needs the feature `items`.",
    examples=[[{"code": "(01)04006381333931(21)7", "place": "fridge", "profile": "fish"}]],
)
_LABEL_RULES_FIELD = Field(
    description="GS1 identifiers of rules on the label that the box must have read before it opens: 4322 authority to"
    " leave, 4323 signature required, 4324 not before, 4325 not after. The order needs the feature `label_rules`."
)
_COLLECT_FIELD = Field(
    description="The codes on the parcels that the courier takes with him, such as returns: he scans each inside,"
    " before he leaves. Without `parcels` he brings none, and his one-time code opens: then `courier_sha256` is"
    " required. A code that stands here opens nothing. The order needs the feature `collect`."
)
_HOLDER_FIELD = Field(
    description="`robot`: a robot brings it under human supervision, and nobody else may. The hub adds `yes_each`: a"
    " supervisor says yes to each opening, on a picture. The home must let robots in at `entrance`, and a robot takes"
    " nothing with it (`collect`): otherwise `state` is `refused`, `reason` is `unsupported`. The order needs the"
    " features `holder_robot` and `yes_each`."
)
_ADDRESS_FIELD = Field(
    description="Which home you mean, to notice an order for another address: its `postcode`, the owner's `word`, or"
    " both. The hub and the home refuse the order (`other_address`) if it differs from what the owner tells you"
    " (`address` of the connection). The order needs the feature `expected_address`.",
    examples=[{"postcode": "75011"}],
)
_INFO_FIELD = Field(description="Texts for people; nothing decides on them.", examples=[{"note": "Fragile"}])
_TOKEN_FIELD = Field(
    description="The order as your brand signed it: a compact JWS whose `typ` is `perron-delivery+jwt` or"
    " `perron-delivery-2+jwt`, and whose claims are `iss`, `aud`, `iat`, `nbf`, `exp`, `jti` and `delivery`. The page"
    " docs/retailer/api.md describes each claim."
)
_UNIQUE: dict[str, Any] = {"json_schema_extra": {"uniqueItems": True}}
_Entrances = Annotated[
    tuple[promise.Id, ...],
    Field(min_length=1, max_length=promise_v2.MAX_ENTRANCES - 1, **_UNIQUE),
    AfterValidator(promise_v2.refuse_repeated),
]
_LabelRules = Annotated[
    tuple[LabelRule, ...], Field(min_length=1, **_UNIQUE), AfterValidator(promise_v2.refuse_repeated)
]


def _with_whole_numbers(size: object) -> object:
    """Return the size with its whole numbers as int: in JSON 273.0 and 273 are the same."""
    if not isinstance(size, Mapping):
        return size
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in size.items()
    }


AcceptedEntrances = Annotated[_Entrances | None, _ENTRANCES_FIELD]
MinCelsius = Annotated[Celsius | None, _MIN_CELSIUS_FIELD]
Items = Annotated[promise_v2.Items | None, _ITEMS_FIELD]
Dimensions = Annotated[promise_v2.ParcelSize | None, BeforeValidator(_with_whole_numbers), _DIMENSIONS_FIELD]
_Collect = Annotated[
    tuple[promise.Parcel, ...],
    Field(min_length=1, max_length=promise.MAX_PARCELS, **_UNIQUE),
    AfterValidator(promise.refuse_duplicates),
]
Collect = Annotated[_Collect | None, _COLLECT_FIELD]
LabelRules = Annotated[_LabelRules | None, _LABEL_RULES_FIELD]
Holder = Annotated[Literal["robot"] | None, _HOLDER_FIELD]
Address = Annotated[promise_v2.ExpectedAddress | None, _ADDRESS_FIELD]
Info = Annotated[promise_v2.Info | None, _INFO_FIELD]

_ABSENT_FIELD: Any = Field(default=None)
"""Of a field that may be left out, but not be null: `model_fields_set` says whether it is there."""


ONE_OF = "one_of"  # the code of a choice that was not made; `names` in its context are the fields


class _DeliveryOrToken(Model):
    _may_be_neither: ClassVar[str | None] = None  # the field that may also stand alone

    @model_validator(mode="after")
    def _check_either(self) -> Self:
        names = ("delivery", "token")
        given = len(self.model_fields_set & {*names})
        if given != 1 and (given or self._may_be_neither not in self.model_fields_set):
            raise PydanticCustomError(ONE_OF, f"Give one of {', '.join(names)}, and one only.", {"names": names})
        return self


class NewPromise(Model):
    """The delivery to announce.

    `name` is your name for it; without one the hub chooses one. Without parcels: the label comes later. With
    `entrances`, `dimensions`, `items`, `label_rules`, `min_celsius`, `collect`, `holder` or `info` the hub signs an
    order of version 2, which older boxes refuse (`readBox`).
    """

    name: Annotated[Name | None, _NAME_FIELD] = None
    entrance: promise.Id
    carrier: promise.Name
    place: promise.Id
    window: promise.Window
    parcels: Parcels = ()
    courier_sha256: CourierDigest = None
    max_celsius: Celsius | None = None
    min_celsius: MinCelsius = None
    items: Items = None
    entrances: AcceptedEntrances = None
    dimensions: Dimensions = None
    label_rules: LabelRules = None
    collect: Collect = None
    holder: Holder = None
    expected_address: Address = None
    info: Info = None


_NEW_DELIVERY_CHOICES = (
    Choice(
        name="NewPlainDelivery", required=("delivery",), without=("token",),
        description="A delivery as plain JSON. The hub signs it, as not signed by the brand.",
    ),
    Choice(
        name="NewSignedDelivery", required=("token",), without=("delivery", "courier"),
        description="A delivery as your brand signed it. The hub stores `token` and passes it on byte for byte.",
    ),
)  # fmt: skip


class NewDelivery(_DeliveryOrToken):
    """A delivery as plain JSON, or as the brand's own signed message."""

    model_config = ConfigDict(json_schema_extra=choices(*_NEW_DELIVERY_CHOICES))

    connection: ConnectionId
    delivery: NewPromise = _ABSENT_FIELD
    token: Annotated[Token, _TOKEN_FIELD] = _ABSENT_FIELD
    metadata: Annotated[Metadata, _METADATA_FIELD] = Field(default_factory=dict)
    courier: Annotated[bool, _MAKE_COURIER_FIELD] = False


def _no_parcels_if_null(parcels: object) -> object:
    """Java's generated clients send an optional list as [] unless null is allowed, and [] would remove the parcels."""
    if parcels is None:
        return ()
    return tuple(parcels) if isinstance(parcels, list) else parcels  # what a validator returns is no longer JSON


class Change(Model):
    """The fields to change; others stay. Null removes `parcels`, `courier_sha256` and the fields after them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    entrance: promise.Id = _ABSENT_FIELD
    carrier: promise.Name = _ABSENT_FIELD
    place: promise.Id = _ABSENT_FIELD
    window: promise.Window = _ABSENT_FIELD
    parcels: Annotated[Parcels, BeforeValidator(_no_parcels_if_null, json_schema_input_type=Parcels | None)] = (
        _ABSENT_FIELD
    )
    courier_sha256: CourierDigest = None
    max_celsius: Celsius | None = None
    min_celsius: MinCelsius = None
    items: Items = None
    entrances: AcceptedEntrances = None
    dimensions: Dimensions = None
    label_rules: LabelRules = None
    collect: Collect = None
    holder: Holder = None
    expected_address: Address = None
    info: Info = None

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one thing")
        return self


_CHANGE_CHOICES = (
    Choice(
        name="PlainDeliveryChange", required=("delivery",), without=("token",),
        description="A new version as plain JSON: `delivery` has the fields to change. `version`: the version that you"
        " know; if there is a newer one, the hub changes nothing.",
    ),
    Choice(
        name="SignedDeliveryChange", required=("token",), without=("delivery",),
        description="A new version as your brand signed it: `token` is the whole order. `version`: the version that you"
        " know; if there is a newer one, the hub changes nothing.",
    ),
    Choice(
        name="DeliveryMetadataChange", required=("metadata",), without=("delivery", "token"),
        description="A change of metadata alone, which makes no new version.",
    ),
)  # fmt: skip


class ChangedDelivery(_DeliveryOrToken):
    """A change: a new version as plain JSON or as the brand's own signed message, or metadata, or both."""

    model_config = ConfigDict(json_schema_extra=choices(*_CHANGE_CHOICES))
    _may_be_neither: ClassVar[str | None] = "metadata"

    delivery: Change = _ABSENT_FIELD
    token: Annotated[Token, _TOKEN_FIELD] = _ABSENT_FIELD
    version: Annotated[promise.Version, AcceptWholeFloat] | None = None
    metadata: Annotated[MetadataPatch, _METADATA_PATCH_FIELD] = _ABSENT_FIELD


class Withdrawal(Model):
    """An empty object, or the brand's own signed cancel, which is needed if the brand signed the delivery."""

    token: Token | None = None


class LateCourier(Model):
    """An empty object, or the brand's own signed request, which is needed if the brand signed the delivery.

    That is a message of version 2 with `do` `more_time`, the delivery's `id` and its newest `version`, and `needs`
    `["more_time"]`.
    """

    token: Token | None = None


class ArrivalNotice(Model):
    """When the courier comes: `on_the_way` once he has set out, `eta` when he expects to be there, or both.

    Without `token` the hub signs it, for a delivery that it signed too. If the brand signed the delivery, `token` is
    the brand's own message of version 2 with `do` `arrival`, the delivery's `id` and its newest `version`, `needs`
    `["arrival"]`, and the same `on_the_way` and `eta`.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    on_the_way: Literal[True] = _ABSENT_FIELD
    eta: promise.Instant = _ABSENT_FIELD
    token: Token = _ABSENT_FIELD

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("say `on_the_way`, `eta` or both")
        return self


class MadeCourierCode(Model):
    """A courier's one-time code. The hub shows it once and keeps its digest only.

    `text`: what the QR code contains. `courier_sha256`: the digest that the order has now. `link`: the page for the
    courier; the code stands behind its `#`, which no browser sends. `qr_svg`: the QR code as an SVG document, `qr_png`:
    the same as a PNG image in base64.
    """

    text: Annotated[str, StringConstraints(pattern=r"^perron:[a-z2-7]{26}$")]
    courier_sha256: promise.Digest
    link: str
    qr_svg: str
    qr_png: str


ColdChain = Annotated[tuple[promise.ItemResult, ...], Field(max_length=promise_v2.MAX_ITEMS)] | None


class Delivery(Model):
    """A delivery: its newest version, and its state as the home reports it.

    `name` is yours, `order_id` that in the messages to the home and in its proof. Only the home reports `scheduled`
    and the states after it. `answered` is the newest version that the home answered: while it is below `version`,
    the state is that of the older version. `cancel`: what became of your cancel: `requested` (on its way to the
    home), `accepted`, `too_late` or `refused`; null: you did not cancel. `missing`: the number of parcels that the
    newest visit misses. `missing_parcels`: which of `parcels` those are; null: the home did not say. `house`: how
    that visit left the door, apart from the parcels. `custody`: `receiver` if a concierge or a neighbour took a
    parcel for the household, `household` if somebody opened himself and says that it was taken in. `moved_to`: the
    entrance to which the home moved the delivery, because `entrance` could not take it; null: it was not moved.
    `more_time`: what became of a late courier's question, `asked`, `given` (half an hour from the answer, or from
    the end of the window if that is later), `refused` or, after half an hour, `unanswered`; null: nobody asked.
    `on_the_way`: when its carrier said that the courier set out, `eta`: when he is expected; null: nobody said it.
    `cold_chain`: how the cold chain of each item held, once the way in is secured: `conformant`, `non_conformant`
    or `unknown`, with reasons; null: not yet, or the order has no items. `needs`: the optional features of an order
    of version 2; null: it is of version 1. `collected`: of an order with `collect`, whether each of those codes was
    scanned inside; it cannot show what else the courier took. `sandbox`: the home is simulated.
    """

    id: DeliveryId
    connection: ConnectionId
    brand: promise.Id
    name: Name
    order_id: promise.Id
    version: promise.Version
    answered: promise.Version | None
    state: promise.State
    reason: str | None
    cancel: CancelStatus | None = None
    missing: int
    missing_parcels: tuple[str, ...] | None = None
    house: DoorResult | None
    custody: Literal["receiver", "household"] | None = None
    moved_to: promise.Id | None = None
    more_time: promise.TimeAnswer | None = None
    on_the_way: datetime | None = None
    eta: datetime | None = None
    collected: CollectResult | None = None
    cold_chain: ColdChain = None
    entrance: promise.Id
    place: promise.Id
    carrier: str
    window: promise.Window
    parcels: tuple[str, ...]
    courier_sha256: CourierDigest
    max_celsius: float | None
    needs: tuple[str, ...] | None = None
    min_celsius: float | None = None
    items: Annotated[tuple[promise_v2.ItemLine, ...], Field(max_length=promise_v2.MAX_ITEMS)] | None = None
    entrances: tuple[str, ...] | None = None
    dimensions: promise_v2.ParcelSize | None = None
    label_rules: tuple[str, ...] | None = None
    collect: tuple[str, ...] | None = None
    holder: Literal["robot"] | None = None
    yes_each: Literal[True] | None = None
    expected_address: promise_v2.ExpectedAddress | None = None
    info: dict[str, str] | None = None
    metadata: dict[str, str]
    hub_signed: bool
    sandbox: bool
    created: datetime
    changed: datetime


class MadeDelivery(Delivery):
    """A new delivery. `courier`: the code that was asked for, which is never shown again; null: none was asked for."""

    courier: MadeCourierCode | None = None


class CodedDelivery(Model):
    """A delivery whose order has a new courier's code, and that code, which is never shown again."""

    delivery: Delivery
    courier: MadeCourierCode


class Deliveries(Model):
    """A page of deliveries, newest first. `next` is the cursor of the following page, null on the last."""

    data: Annotated[tuple[Delivery, ...], Field(max_length=100)]
    next: str | None


class DeliveryFilter(PageParameters):
    """Which deliveries to list: those that fit all of these.

    `reference` is the connection's, the retailer's own name for the customer. `parcel`: the number of a parcel that is
    brought or collected, as it stands on the order or on the label. `carrier`: its id or any name (`listCarriers`).
    `window_after` and `window_before`: the window ends after the one and begins before the other, so both together ask
    for all windows that touch this time. `created_after` (included) and `created_before` (not included): when it was
    announced.
    """

    state: promise.State | None = None
    connection: ConnectionId | None = None
    reference: Label | None = None
    name: Name | None = None
    parcel: promise.Parcel | None = None
    brand: promise.Id | None = None
    carrier: promise.Name | None = None
    window_after: promise.Instant | None = None
    window_before: promise.Instant | None = None
    created_after: promise.Instant | None = None
    created_before: promise.Instant | None = None


class Answer(Model):
    """The home's answer to one version that it refused."""

    version: promise.Version | None
    accepted: bool
    code: str | None


class Step(Model):
    """The state of a delivery from `at` on, as the hub learned it. `answer`: the version that the home refused then."""

    at: datetime
    state: promise.State
    reason: str | None
    cancel: CancelStatus | None = None
    missing: int
    missing_parcels: tuple[str, ...] | None = None
    house: str | None
    custody: str | None = None
    moved_to: str | None = None
    more_time: str | None = None
    collected: str | None = None
    cold_chain: ColdChain = None
    version: promise.Version
    answer: Answer | None = None


class Timeline(Model):
    """A page of a delivery's steps, oldest first."""

    data: Annotated[tuple[Step, ...], Field(max_length=100)]
    next: str | None
