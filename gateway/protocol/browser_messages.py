"""The messages between a household's browser and the box: tokens, orders, queries. Pure; unknown keys are refused.

An order changes something: it is signed, numbered and kept. A question is answered and forgotten.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from gateway.domain.delivery.promise import Id, Name, Seconds, WireModel

IMMEDIATE_ORDER_LIFETIME_S = (
    900  # seconds that an order for now may live: a stop that comes later is nobody's wish any more
)
DEFERRED_ORDER_LIFETIME_S = 86_400  # and one that may wait for the box
MAX_QUERY_SKEW_S = 60  # seconds by which a question may be off the box's clock

BrowserId = Annotated[str, StringConstraints(pattern=r"^brw-[0-9a-f]{32}$")]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
VisitId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
OrderNumber = Annotated[int, Field(ge=1, le=2**53 - 1)]
RequestDigest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PublicX = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class BrowserTokenClaims(WireModel):
    """By this a hub knows a browser of a home: its claims (RFC 7519)."""

    iss: BrowserId
    sub: Id
    aud: Annotated[str, StringConstraints(max_length=400)]
    iat: Seconds
    exp: Seconds


# ---- orders ---------------------------------------------------------------------------------------------------------


class OrderedTerms(WireModel):
    """Under which a brand is let in: what the form of the house's own page says. `until`: the last whole day."""

    entrances: Annotated[tuple[Id, ...], Field(max_length=32)]
    places: Annotated[tuple[Id, ...], Field(max_length=64)]
    carriers: Annotated[tuple[Name, ...], Field(max_length=20)]
    days: Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Field(max_length=7)]
    hours: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$")]
    ask_each_time: bool = False
    openings: Annotated[int, Field(ge=1, le=10)] = 1
    until: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = None
    hub_signed: bool = False


class StopOrder(WireModel):
    """Stop one entrance, or all of them."""

    do: Literal["stop"]
    entrance: Id | None = None
    life: ClassVar = IMMEDIATE_ORDER_LIFETIME_S
    gives: ClassVar = False


class DecideOrder(WireModel):
    """No or yes to the visit that rings or waits for a yes."""

    do: Literal["veto", "approve"]
    entrance: Id
    visit: VisitId
    life: ClassVar = IMMEDIATE_ORDER_LIFETIME_S
    gives: ClassVar = True  # a yes does; a no is no worse for the clock that it needs


class LockOrder(WireModel):
    """Lock now, if the door is closed and no visit runs."""

    do: Literal["lock"]
    entrance: Id
    life: ClassVar = IMMEDIATE_ORDER_LIFETIME_S
    gives: ClassVar = False


class AcknowledgeOrder(WireModel):
    """One has looked after the door that was handed over."""

    do: Literal["acknowledge"]
    entrance: Id
    visit: VisitId
    life: ClassVar = IMMEDIATE_ORDER_LIFETIME_S
    gives: ClassVar = True


class PermitOrder(WireModel):
    """Let a brand in, as long as it asks what was shown (`ask`, a digest)."""

    do: Literal["permit"]
    brand: Id
    ask: RequestDigest
    terms: OrderedTerms
    life: ClassVar = DEFERRED_ORDER_LIFETIME_S
    gives: ClassVar = True


class DenyOrder(WireModel):
    """Do not let a brand in, or no longer."""

    do: Literal["refuse", "revoke"]
    brand: Id
    life: ClassVar = DEFERRED_ORDER_LIFETIME_S
    gives: ClassVar = False


class ApproveKeyOrder(WireModel):
    """Believe a new key of a brand that is let in."""

    do: Literal["approve-key"]
    brand: Id
    key: PublicX
    life: ClassVar = DEFERRED_ORDER_LIFETIME_S
    gives: ClassVar = True


class RefuseKeyOrder(WireModel):
    """Do not believe a key of a brand, or no longer."""

    do: Literal["refuse-key"]
    brand: Id
    key: PublicX
    life: ClassVar = DEFERRED_ORDER_LIFETIME_S
    gives: ClassVar = False


OrderAction = Annotated[
    StopOrder | DecideOrder | LockOrder | AcknowledgeOrder | PermitOrder | DenyOrder | ApproveKeyOrder | RefuseKeyOrder,
    Field(discriminator="do"),
]
"""What is ordered. `life`: seconds that such an order may live. `gives`: it lets somebody in or says that all is well,
so it counts only while the box knows the time; what takes access away counts in any case."""


class Order(WireModel):
    """The payload of a signed order. `number` rises with each order of a browser; the box takes each once."""

    iss: BrowserId
    aud: Id
    jti: Uuid
    number: OrderNumber
    iat: Seconds
    exp: Seconds
    order: OrderAction


# ---- questions ------------------------------------------------------------------------------------------------------


class BrowserQuery(WireModel):
    """A question: `at` is when it was asked, in seconds since 1970."""

    id: Uuid
    at: Annotated[float, Field(ge=0, le=2**33)]


class StateQuery(BrowserQuery):
    """How the house stands; `after`: answer once it stands otherwise than in that version."""

    ask: Literal["state"]
    after: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None


class MessagesQuery(BrowserQuery):
    """What the box told its household, in this language (None: in the house's); `after`: those behind this one."""

    ask: Literal["messages"]
    after: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None


class VisitsQuery(BrowserQuery):
    """The visits that were, with their films."""

    ask: Literal["visits"]


class FilmQuery(BrowserQuery):
    """One piece of a film."""

    ask: Literal["film"]
    path: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    piece: Annotated[int, Field(ge=0, le=2**31 - 1)]


class PictureQuery(BrowserQuery):
    """One piece of the picture that stands at a second of a film."""

    ask: Literal["picture"]
    path: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    second: Annotated[float, Field(ge=0, le=86_400)]
    piece: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class LiveQuery(BrowserQuery):
    """What a camera sees now."""

    ask: Literal["live"]
    camera: Id


AnyBrowserQuery = Annotated[
    StateQuery | MessagesQuery | VisitsQuery | FilmQuery | PictureQuery | LiveQuery, Field(discriminator="ask")
]
