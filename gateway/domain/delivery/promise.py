"""Defines a delivery order: the claims of a signed message, the stored order, and the result for the retailer."""

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum, auto
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from gateway.domain.day import FIRST_INSTANT, LAST_INSTANT
from gateway.domain.delivery.address import OrderAddress
from gateway.domain.delivery.barcodes import BarcodeKind, InvalidBarcode, courier_token_value, normalise
from gateway.domain.delivery.cold_verdict import ItemOutcome
from gateway.domain.delivery.features import SPEAKS, Dimensions, Feature, Speaks, Word
from gateway.domain.delivery.items import OrderItem, limits_by_place
from gateway.domain.delivery.result import CollectResult, DoorResult, Outcome, Refusal
from gateway.domain.delivery.temperature import Limits
from gateway.domain.frozen import Frozen

MAX_WINDOW = timedelta(days=7)
MAX_PARCELS = 50
# Java writes nanoseconds, .NET 100 ns; what is finer than a microsecond is cut off.
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# The same for the documents of an API (ECMA-262), with the years in it.
_RFC3339_SCHEMA = (
    "^(2[01][0-9][0-9]|2200)-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
    "([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)


def _parse_instant(value: object) -> object:
    if isinstance(value, datetime):  # from the gateway's own code; JSON has no such type
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("a time is RFC 3339 text with an offset")
    return datetime.fromisoformat(value.upper())


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time has an offset")
    # Compared as instants: the last hours of 2200 in a western zone are 2201 in UTC, and the gateway writes in UTC what
    # it reads here and reads it again. Python compares aware times without leaving the calendar; `astimezone` would
    # leave it.
    if not FIRST_INSTANT <= value <= LAST_INSTANT:
        raise ValueError(f"a time lies in the years {FIRST_INSTANT.year} to {LAST_INSTANT.year}, in UTC")
    return value.astimezone(UTC)


def _normalise_parcel(raw: str) -> str:
    code = normalise(raw)
    if isinstance(code, InvalidBarcode):
        raise ValueError(code.why)  # noqa: TRY004 - pydantic expects it
    if code.kind in (BarcodeKind.GTIN, BarcodeKind.SGTIN):
        raise ValueError("a GTIN names a product, not a parcel")
    if code.kind is BarcodeKind.COURIER:
        raise ValueError("a courier's code is not a parcel's")
    return code.value


def refuse_duplicates(parcels: tuple[str, ...]) -> tuple[str, ...]:
    """Raise ValueError if a parcel occurs twice."""
    if len(set(parcels)) < len(parcels):
        raise ValueError("the same parcel twice")
    return parcels


def printable(text: str) -> str:
    """Raise ValueError for a control character: it would break a log line, and PostgreSQL refuses NUL."""
    if not text.isprintable():
        raise ValueError("printable characters only")
    return text


def _printable_name(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("printable characters only, no space at either end")
    return text


Instant = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    AfterValidator(_to_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _RFC3339_SCHEMA}),
]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
# A schema cannot express "printable" or "a product's number": the names of the formats stand for it.
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80),
    AfterValidator(_printable_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 80, "format": "printable"}),
]
Parcel = Annotated[
    str, AfterValidator(_normalise_parcel), WithJsonSchema({"type": "string", "minLength": 1, "format": "parcel-code"})
]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Seconds = Annotated[int, Field(ge=0, le=2**33)]  # since 1970 (RFC 7519 NumericDate, whole)


class WireModel(BaseModel):
    """A message on the wire: frozen, strict, without unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Window(WireModel):
    """When the door may open: from `start` up to, not including, `end`."""

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not timedelta(0) < self.end - self.start <= MAX_WINDOW:
            raise ValueError("a window ends after its start, at most 7 days later")
        return self


class DeliveryBody(WireModel):
    """The content of an order. Without parcels the delivery is `awaiting_label`."""

    id: Id
    version: Version
    entrance: Id
    carrier: Name
    place: Id
    window: Window
    parcels: Annotated[tuple[Parcel, ...], Field(max_length=MAX_PARCELS), AfterValidator(refuse_duplicates)] = ()
    courier_sha256: Digest | None = None
    max_celsius: Annotated[float, Field(ge=-60, le=60)] | None = None

    @property
    def further_facts(self) -> dict[str, Any]:
        """Return the fields of `DeliveryOrder` that only an order of a later version has: none."""
        return {}


class Offer(DeliveryBody):
    """A brand places an order."""

    do: Literal["offer"] = "offer"


class Update(DeliveryBody):
    """A brand replaces the whole order under a higher version."""

    do: Literal["update"] = "update"


class Cancel(WireModel):
    """A brand withdraws the order, unless an opening is reserved for it already."""

    do: Literal["cancel"] = "cancel"
    id: Id
    version: Version


class TimeRequest(WireModel):
    """A brand's courier is late: it asks the household for half an hour more. It changes nothing of the order.

    `version`: of the order that it is about; it counts only while that one is the newest. Only a message of version 2
    can be one.
    """

    do: Literal["more_time"] = "more_time"
    id: Id
    version: Version
    needs: tuple[Literal[Feature.MORE_TIME]]


class Arrival(WireModel):
    """A brand's courier is on his way, or is expected at a time, or both. It changes nothing of the order.

    `version`: of the order that it is about; it counts only while that one is the newest. Only a message of version 2
    can be one.
    """

    do: Literal["arrival"] = "arrival"
    id: Id
    version: Version
    on_the_way: Literal[True] | None = None
    eta: Instant | None = None
    needs: tuple[Literal[Feature.ARRIVAL]]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.on_the_way is None and self.eta is None:
            raise ValueError("it says `on_the_way`, `eta` or both")
        return self


Notice = TimeRequest | Arrival
"""A message about an order that is no version of it."""


def _refuse_version_2(message: Offer | Update | Cancel | Notice) -> Offer | Update | Cancel | Notice:
    if isinstance(message, Notice):
        raise ValueError("this is a message of version 2")  # noqa: TRY004 - pydantic expects it
    return message


class SignedMessage(WireModel):
    """The claims of every signed message to a box; times are whole seconds since 1970.

    `iss` is the brand that signs it (`HubClaims`: the hub); `aud` is the box, or its home at the hub.
    """

    iss: Id
    aud: Id
    iat: Seconds
    nbf: Seconds
    exp: Seconds
    jti: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class Claims(SignedMessage):
    """The payload of one message about a delivery."""

    delivery: Annotated[
        Offer | Update | Cancel | TimeRequest | Arrival, Field(discriminator="do"), AfterValidator(_refuse_version_2)
    ]


class DeliveryOrder(Frozen):
    """The newest accepted version of a delivery order, as it is stored."""

    brand: str
    id: str
    version: int
    entrance: str
    carrier: str
    place: str
    start: datetime
    end: datetime
    parcels: frozenset[str] = frozenset()
    courier: str | None = None  # normalised value of the courier token: "courier:" and the digest
    cold_max_c: float | None = None
    cold_min_c: float | None = None  # only an order of version 2 has it
    cancelled: bool = False
    signed_by: str | None = None  # the public key (its `x`) of that version; None: not recorded
    by_hub: bool = False  # the hub signed that version, not the brand
    message_sha256: str | None = None  # of that version's message, byte for byte; None: not recorded
    doubtful: bool = False  # announced before the box's state was restored from a copy, and not again since
    said_day: date | None = None  # of the brand `own`: the day for which the owner said that it comes
    message_version: int = 1  # of the message's format: 2 for an order that may use optional features
    entrances: frozenset[str] | None = (
        None  # where the retailer accepts it, `entrance` among them; None: it says nothing
    )
    dimensions: Dimensions | None = None  # of the largest parcel
    label_rules: frozenset[str] = (
        frozenset()
    )  # identifiers of the rules that must have been read on the label (label.py)
    collect: frozenset[str] = frozenset()  # normalised codes of the parcels that the courier takes with him
    for_robot: bool = False  # a robot brings it, and each opening needs a yes of its own
    info: Mapping[str, str] = field(default_factory=dict)  # texts for people; nothing decides on them
    items: tuple[OrderItem, ...] = ()  # with limits and places of their own; empty: the order names none
    moved_from: str | None = None  # the entrance of the retailer's order, if the house moved it to another one
    announced_place: str | None = None  # the place of the retailer's order, if the house moved it
    placed: int = 0  # how often the house moved it
    expected_address: OrderAddress | None = None  # which home the retailer means; None: the order does not say
    refused_at: datetime | None = None  # when somebody of the household refused this one delivery; None: nobody did

    @property
    def key(self) -> str:
        """Return the delivery's unique key in the house: two brands may use one id. Neither part contains a point."""
        return delivery_key(self.brand, self.id)

    @property
    def only_collects(self) -> bool:
        """Return whether it brings nothing, and the courier only takes parcels with him."""
        return bool(self.collect) and not self.parcels

    @property
    def places_with_limits(self) -> frozenset[str]:
        """Return the places whose air has a limit by the order."""
        own = Limits(min_c=self.cold_min_c, max_c=self.cold_max_c)
        return frozenset(limits_by_place(self.items, place=self.place, limits=own))

    @property
    def lies_at(self) -> frozenset[str]:
        """Return the entrance at which it is expected, and the announced entrance, whose rules still apply."""
        return frozenset({self.entrance} if self.moved_from is None else {self.entrance, self.moved_from})


def delivery_key(brand: str, delivery: str) -> str:
    """Return the key in the house of a brand's delivery."""
    return f"{brand}.{delivery}"


def order_of(brand: str, offer: DeliveryBody) -> DeliveryOrder:
    """Return the order that an accepted offer or update makes."""
    return DeliveryOrder(
        brand=brand,
        id=offer.id,
        version=offer.version,
        entrance=offer.entrance,
        carrier=offer.carrier,
        place=offer.place,
        start=offer.window.start,
        end=offer.window.end,
        parcels=frozenset(offer.parcels),
        courier=None if offer.courier_sha256 is None else courier_token_value(offer.courier_sha256),
        cold_max_c=offer.max_celsius,
        **offer.further_facts,
    )


class State(StrEnum):
    """The state of a delivery, as a retailer sees it."""

    AWAITING_LABEL = auto()
    AWAITING_PERMISSION = auto()
    SCHEDULED = auto()
    WINDOW_OPEN = auto()
    VISITING = auto()
    DELIVERED = auto()
    PARTLY_DELIVERED = auto()
    NOT_DELIVERED = auto()
    COLLECTED = auto()  # of an order that only collects, as the next two
    PARTLY_COLLECTED = auto()
    NOT_COLLECTED = auto()
    REFUSED = auto()
    CANCELLED = auto()
    EXPIRED = auto()


FINAL_STATES = frozenset({
    State.DELIVERED, State.PARTLY_DELIVERED, State.NOT_DELIVERED,
    State.COLLECTED, State.PARTLY_COLLECTED, State.NOT_COLLECTED,
    State.REFUSED, State.CANCELLED, State.EXPIRED,
})  # fmt: skip
"""The states that time alone no longer changes."""


class OrderUsage(Frozen):
    """The effect of past visits on an order."""

    used: int = 0  # openings that are reserved or consumed
    withdrawals: int = 0  # of the bolt, which were reserved and may have been sent
    visiting: bool = False  # a visit under it runs, and its parcels' result is not set yet
    outcomes: tuple[Outcome, ...] = ()  # oldest first
    taken_in: bool = False  # somebody of the household opened to the courier, and says that the parcel was taken in
    missing: int = 0  # parcels that the newest outcome lacks
    missing_parcels: tuple[str, ...] | None = None  # which; None: nothing was delivered, or it was not recorded
    collected: CollectResult | None = None  # the newest; None: nothing was to be collected, or nothing is known of it
    house: DoorResult | None = None  # the newest visit's
    items: tuple[ItemOutcome, ...] | None = None  # of the newest visit that was judged; in the order of the items


class TimeAnswer(StrEnum):
    """What became of a late courier's question for more time."""

    ASKED = auto()  # nobody of the household has answered yet
    GIVEN = auto()  # half an hour, counted from the answer or from the end of the window, whichever is later
    REFUSED = auto()
    UNANSWERED = auto()  # for half an hour: he may ask again


class OrderStatus(Frozen):
    """The state and, for `refused`, `not_delivered` and `not_collected`, its stable reason."""

    state: State
    reason: str | None = None


def order_status(
    order: DeliveryOrder, usage: OrderUsage, refusal: Refusal | None, *, utc: datetime | None
) -> OrderStatus:
    """Derive an order's state. `refusal`: the permission's. `utc`: trusted time; None: nothing opens or expires."""
    if order.cancelled:
        return OrderStatus(state=State.CANCELLED)
    if usage.visiting:
        return OrderStatus(state=State.VISITING)
    ended = _final_status(usage, only_collects=order.only_collects)
    if ended is not None:
        return ended
    if utc is not None and utc >= order.end:
        return OrderStatus(state=State.EXPIRED)
    if refusal not in {None, Refusal.AWAITING_PERMISSION}:
        return OrderStatus(state=State.REFUSED, reason=refusal)
    if not (order.parcels or order.collect):
        return OrderStatus(state=State.AWAITING_LABEL)
    if refusal is not None:
        return OrderStatus(state=State.AWAITING_PERMISSION)
    opened = utc is not None and utc >= order.start
    return OrderStatus(state=State.WINDOW_OPEN if opened else State.SCHEDULED)


_BEST_FIRST = (Outcome.DELIVERED, Outcome.COLLECTED, Outcome.PARTLY_DELIVERED, Outcome.PARTLY_COLLECTED)


def _final_status(usage: OrderUsage, *, only_collects: bool) -> OrderStatus | None:
    """Return the best outcome of several visits, or what the household says. A refused visit ends no delivery."""
    outcomes = usage.outcomes
    if usage.taken_in:
        return OrderStatus(state=State.DELIVERED)
    best = next((outcome for outcome in _BEST_FIRST if outcome in outcomes), None)
    if best is not None:
        return OrderStatus(state=State(best.value))
    for outcome in reversed(outcomes):
        if outcome is not Outcome.REFUSED:
            state = State.NOT_COLLECTED if only_collects else State.NOT_DELIVERED
            return OrderStatus(state=state, reason=outcome.value)
    return None


class ItemResult(WireModel):
    """How the cold chain of one item held (`ColdVerdict`), with the reasons (`ColdReason`) if it is not conformant.

    `seconds`: from the door to its place. `lowest_c`, `highest_c`: the air of its place from its arrival on, in °C.
    """

    model_config = ConfigDict(extra="ignore")

    code: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    verdict: Word
    reasons: Annotated[tuple[Word, ...], Field(max_length=32)] = ()
    seconds: Annotated[float, Field(ge=0)] | None = None
    lowest_c: float | None = None
    highest_c: float | None = None


class DeliveryResult(WireModel):
    """One message on `perron/deliveries/result`: the result of a delivery or of a signed message.

    A reader ignores keys that it does not know: a newer box may send more.
    """

    model_config = ConfigDict(extra="ignore")

    box: Id
    at: Instant
    brand: Id | None = None
    delivery: Id | None = None
    version: Version | None = None
    state: State | None = None
    reason: str | None = None
    missing: Annotated[int, Field(ge=0, le=MAX_PARCELS)] = 0
    # Which parcels are missing of a delivery that came; None: none came, it is not known, or it was too long to say
    missing_parcels: Annotated[tuple[str, ...], Field(max_length=MAX_PARCELS)] | None = None
    house: DoorResult | None = None  # how the visit left the door
    collected: CollectResult | None = None  # of an order with `collect`; None: nothing is known of it
    custody: Literal["receiver", "household"] | None = None  # who took it: a receiver, or the household at the door
    cold_chain: Annotated[tuple[ItemResult, ...], Field(max_length=MAX_PARCELS)] | None = None  # of each item
    moved_to: Id | None = None  # the entrance to which the house moved it, because its own could not take it
    more_time: TimeAnswer | None = None  # of a late courier's question; None: nobody asked
    lacking: tuple[str, ...] | None = None  # why the entrance is not ready; empty if it is, None if it was not checked
    answers: str | None = None  # the `jti` of the message that this answers
    token_sha256: Digest | None = None  # of that message's bytes, also if it is rejected
    accepted: bool | None = None
    code: str | None = None  # the stable reason of a rejection
    why: str | None = None
    unsupported: tuple[Word, ...] | None = None  # of a message of version 2: the words that the box does not understand
    speaks: Speaks | None = None  # what the box understands; the hub gets it by a statement of its own

    def message(self) -> bytes:
        """Return the message on the house's broker: the result, and what the box understands."""
        return self.model_copy(update={"speaks": SPEAKS}).model_dump_json(exclude_none=True).encode()
