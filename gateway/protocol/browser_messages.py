"""The messages between a household's browser and the box: tokens, orders, queries. Pure; unknown keys are refused.

An order changes something: the browser signs and numbers it, and the box stores it. The box answers a query and
stores nothing.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gateway.domain.delivery.promise import Id, Name, Seconds, WireModel

IMMEDIATE_ORDER_LIFETIME_S = 900  # of an order for now: a stop that arrives later is no longer wanted
DEFERRED_ORDER_LIFETIME_S = 86_400  # of an order that may wait for the box
MAX_QUERY_SKEW_S = 60  # between a query's time and the box's clock

BrowserId = Annotated[str, StringConstraints(pattern=r"^brw-[0-9a-f]{32}$")]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
VisitId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
OrderNumber = Annotated[int, Field(ge=1, le=2**53 - 1)]
RequestDigest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PublicX = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class BrowserTokenClaims(WireModel):
    """The claims of the token by which a browser signs in to a hub (RFC 7519)."""

    iss: BrowserId
    sub: Id
    aud: Annotated[str, StringConstraints(max_length=400)]
    iat: Seconds
    exp: Seconds


class OrderedTerms(WireModel):
    """The terms of a permission, as on the form of the house's own page. `until`: the last whole day."""

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


class DecideOrder(WireModel):
    """Refuse or approve the visit that rings or waits for approval."""

    do: Literal["veto", "approve"]
    entrance: Id
    visit: VisitId


class LockOrder(WireModel):
    """Lock now, if the door is closed and no visit runs."""

    do: Literal["lock"]
    entrance: Id


class AcknowledgeOrder(WireModel):
    """Confirm that somebody has checked the door that the box handed over."""

    do: Literal["acknowledge"]
    entrance: Id
    visit: VisitId


class PermitOrder(WireModel):
    """Permit a brand, if its request is still the one that was shown (`ask`, its digest)."""

    do: Literal["permit"]
    brand: Id
    ask: RequestDigest
    terms: OrderedTerms


class DenyOrder(WireModel):
    """Refuse a brand, or revoke its permission."""

    do: Literal["refuse", "revoke"]
    brand: Id


class KeyOrder(WireModel):
    """Accept a new key of a permitted brand, or refuse a key, also one that was accepted before."""

    do: Literal["approve-key", "refuse-key"]
    brand: Id
    key: PublicX


OrderAction = Annotated[
    StopOrder | DecideOrder | LockOrder | AcknowledgeOrder | PermitOrder | DenyOrder | KeyOrder,
    Field(discriminator="do"),
]
_MAY_WAIT = frozenset({"permit", "refuse", "revoke", "approve-key", "refuse-key"})
_TAKE_ACCESS = frozenset({"stop", "lock", "refuse", "revoke", "refuse-key"})


class Order(WireModel):
    """The payload of a signed order. `number` rises with each order of a browser; the box performs each number once."""

    iss: BrowserId
    aud: Id
    jti: Uuid
    number: OrderNumber
    iat: Seconds
    exp: Seconds
    order: OrderAction

    @property
    def max_lifetime_s(self) -> int:
        """The longest time in seconds for which the order may be valid."""
        return DEFERRED_ORDER_LIFETIME_S if self.order.do in _MAY_WAIT else IMMEDIATE_ORDER_LIFETIME_S

    @property
    def gives(self) -> bool:
        """Whether it grants access or confirms that all is well: then it counts only while the box knows the time.

        A refusal at the door needs the clock too, which does no harm. An order that takes access away always counts.
        """
        return self.order.do not in _TAKE_ACCESS


class BrowserQuery(WireModel):
    """A query, sent at `at` (seconds since 1970)."""

    id: Uuid
    at: Annotated[float, Field(ge=0, le=2**33)]


class StateQuery(BrowserQuery):
    """The state of the house. `after`: answer when the state differs from that version."""

    ask: Literal["state"]
    after: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None


class MessagesQuery(BrowserQuery):
    """The messages to the household after the number `after`, in this language (None: the house's)."""

    ask: Literal["messages"]
    after: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None


class VisitsQuery(BrowserQuery):
    """The past visits with their films."""

    ask: Literal["visits"]


class FilmQuery(BrowserQuery):
    """One piece of a film."""

    ask: Literal["film"]
    path: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    piece: Annotated[int, Field(ge=0, le=2**31 - 1)]


class PictureQuery(BrowserQuery):
    """One piece of the picture at a second of a film."""

    ask: Literal["picture"]
    path: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    second: Annotated[float, Field(ge=0, le=86_400)]
    piece: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class LiveQuery(BrowserQuery):
    """The current picture of a camera."""

    ask: Literal["live"]
    camera: Id


class SharedVisitQuery(BrowserQuery):
    """The visit that a link shares, in this language. Only the browser of such a link may ask it."""

    ask: Literal["shared"]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


AnyBrowserQuery = Annotated[
    StateQuery | MessagesQuery | VisitsQuery | FilmQuery | PictureQuery | LiveQuery | SharedVisitQuery,
    Field(discriminator="ask"),
]
