# Made from the hub's OpenAPI document by `make sdk`: do not edit.
from __future__ import annotations

from enum import Enum, StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field
from typing_extensions import TypeAliasType

from .model import AnswerModel, ChangeModel, RequestModel


class AccountLineKind(StrEnum):
    """
    The kind of a record entry.
    """

    PARCEL = "parcel"
    COLLECTED = "collected"
    UNLOCKED = "unlocked"
    OPENED = "opened"
    CLOSED = "closed"
    TEMPERATURE = "temperature"
    LOCKED_AGAIN = "locked_again"
    HANDED_TO_OWNER = "handed_to_owner"
    NOT_OPENED = "not_opened"


class AddressKind(StrEnum):
    """
    What an owner tells of the home's address.
    """

    POSTCODE = "postcode"
    WORD = "word"


class ApiKey(AnswerModel):
    """
    An API key, without its secret. `carrier`: of a key with that right, the carrier whose deliveries it sees.
    """

    id: str
    label: str
    right: Literal["full", "read", "carrier"] | str
    carrier: str | None
    sandbox: bool
    created: AwareDatetime
    expires: AwareDatetime | None


class ApiKeys(AnswerModel):
    """
    All API keys of the retailer, newest first.
    """

    data: list[ApiKey]


class ArrivalNotice(RequestModel):
    """
    When the courier comes: `on_the_way` once he has set out, `eta` when he expects to be there, or both.

    Without `token` the hub signs it, for a delivery that it signed too. If the brand signed the delivery, `token` is
    the brand's own message of version 2 with `do` `arrival`, the delivery's `id` and its newest `version`, `needs`
    `["arrival"]`, and the same `on_the_way` and `eta`.
    """

    on_the_way: Literal[True] | None = None
    eta: AwareDatetime | None = None
    token: str | None = None


class AskedTerms(AnswerModel):
    """
    The terms that a brand asks for.

    A brand that does not know a home's entrances and places leaves them out; the home then chooses. Days and hours are
    in the home's time zone. `hub_signed`: the home shall also accept deliveries that the brand did not sign itself.
    """

    entrances: list[str] | None
    places: list[str] | None
    carriers: list[str]
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] | str]
    hours: str
    openings: int
    expires: AwareDatetime | None
    hub_signed: bool


class AvailabilityQuestion(RequestModel):
    """
    A question about one connection; times, `entrance` and `place` as in `readAvailability`.
    """

    connection: str
    start: AwareDatetime
    end: AwareDatetime
    entrance: str | None = None
    place: str | None = None


class BoxDescription(AnswerModel):
    """
    What the box of a home understands, as it states it to your brand: the hub cannot promise for it.

    `delivery`: the versions of a delivery order. `needs`: the optional features of version 2. `entrances`: those that
    each entrance of yours understands. `token`: the statement, a compact JWS (`typ: perron-box+jwt`) under the box's
    `key` (Ed25519, a JWK's `x`), which also signs the accounts of proofs. Until `expires` it counts.
    """

    home: str
    brand: str
    delivery: list[int]
    needs: list[str]
    entrances: dict[str, list[str]]
    expires: AwareDatetime
    token: str
    key: str


class Brand(AnswerModel):
    """
    A brand.
    """

    id: str
    name: str
    sandbox: bool
    created: AwareDatetime


class BrandFacts(AnswerModel):
    """
    What one brand did here from `since` to `until`; durations are in seconds, None where nothing was measured.
    """

    since: AwareDatetime | None
    until: AwareDatetime
    announced: int
    visits: int
    outcomes: dict[str, int]
    on_time: int
    missed: int
    inside_median_s: float | None
    inside_longest_s: float | None
    doors_left_open: int
    handed_to_owner: int
    refusals: dict[str, int]
    complaints: dict[str, int]


class BrandKey(AnswerModel):
    """
    A key of a brand. A key with `revoked` does not count any more, and its name is never given again.
    """

    kid: str
    x: str
    created: AwareDatetime
    revoked: AwareDatetime | None


class BrandKeys(AnswerModel):
    """
    All keys that the brand ever had, newest first.
    """

    data: list[BrandKey]


class BrandMessageState(AnswerModel):
    """
    The state of a message: `waiting` until the home has answered. `code`: why the home refused it.

    Sending the same bytes again returns the current state.
    """

    message: Literal["facts", "comment"] | str
    token_sha256: str
    state: Literal["waiting", "accepted", "refused"] | str
    code: str | None
    created: AwareDatetime
    answered: AwareDatetime | None


class Brands(AnswerModel):
    """
    A page of the retailer's brands, newest first. `next` is the cursor of the following page.
    """

    data: list[Brand]
    next: str | None


class CancelStatus(StrEnum):
    """
    What became of a retailer's cancel.
    """

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    TOO_LATE = "too_late"
    REFUSED = "refused"


class Cancellation(RequestModel):
    """
    An empty object, or the brand's own signed cancel, which is needed if the brand signed the delivery.
    """

    token: str | None = None


class Carrier(AnswerModel):
    """
    A carrier. `name` and `aliases` are names for it: case, accents, spaces and punctuation do not matter in them.
    """

    id: str
    name: str
    aliases: list[str]


class Carriers(AnswerModel):
    """
    The carriers, by id. A carrier that is not in the list may be named too.
    """

    data: list[Carrier]


class CollectResult(StrEnum):
    """
    The result of what a visit was to collect, beside its `Outcome`; set with it, once.

    It counts the announced codes that were scanned inside before the courier left. Nothing can prove what else he took.
    """

    COLLECTED = "collected"
    PARTLY_COLLECTED = "partly_collected"
    NOT_COLLECTED = "not_collected"


class ConnectionAnsweredData(AnswerModel):
    """
    A home's answer to your query for facts or to your comment. `code`: why the home refused it; null: it did not.

    `token_sha256` is the SHA-256 of the message that you sent, and `message` says which kind it is.
    """

    id: str
    brand: str
    message: Literal["facts", "comment"] | str
    token_sha256: str
    accepted: bool
    code: str | None


class ConnectionAnsweredEvent(AnswerModel):
    """
    A home answered your query for facts, or your comment.
    """

    id: str
    seq: int
    type: Literal["connection.answered"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: ConnectionAnsweredData


class ConnectionAnsweredMessage(AnswerModel):
    """
    A home answered your query for facts, or your comment.
    """

    id: str
    seq: int
    type: Literal["connection.answered"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: ConnectionAnsweredData
    timestamp: AwareDatetime
    """
    The same as `at`.
    """
    event: str
    """
    The same as `id`.
    """
    previous: int
    """
    The `seq` of the message before this one to the same endpoint; 0: this is the first.
    """


class ConnectionEnd(RequestModel):
    """
    The end of a connection. Without `signed` the home knows only from the hub that the brand wants it.

    `signed`: a compact JWS under the brand's key with header `{alg: Ed25519, kid, typ: perron-end+jwt}` and payload
    `{iss, hub, iat, connection}`, both JSON without spaces between the tokens.
    """

    signed: str | None = None


class ConnectionErasure(RequestModel):
    """
    Erases this one `connection`.
    """

    connection: str


class CourierCode(AnswerModel):
    """
    A courier's one-time code. The hub shows it once and keeps its digest only.

    `text`: what the QR code contains. `courier_sha256`: the digest that the order has now. `link`: the page for the
    courier; the code stands behind its `#`, which no browser sends. `qr_svg`: the QR code as an SVG document, `qr_png`:
    the same as a PNG image in base64.
    """

    text: str
    courier_sha256: str
    link: str
    qr_svg: str
    qr_png: str


class CreatedApiKey(AnswerModel):
    """
    A new API key. Send `token` as `Authorization: Bearer`; it is never shown again.
    """

    id: str
    label: str
    right: Literal["full", "read", "carrier"] | str
    carrier: str | None
    sandbox: bool
    created: AwareDatetime
    expires: AwareDatetime | None
    token: str


class HolderEnum(StrEnum):
    ROBOT = "robot"


Holder = TypeAliasType("Holder", HolderEnum | None)


class YesEachEnum(Enum):
    BOOLEAN_TRUE = True


YesEach = TypeAliasType("YesEach", YesEachEnum | None)


class CustomerErasure(RequestModel):
    """
    Erases all connections with this `reference`, your name for the customer.
    """

    reference: str


class Holder1Enum(StrEnum):
    ROBOT = "robot"


Holder1 = TypeAliasType("Holder1", Holder1Enum | None)


class YesEach1Enum(Enum):
    BOOLEAN_TRUE = True


YesEach1 = TypeAliasType("YesEach1", YesEach1Enum | None)


class DeliveryMetadataChange(ChangeModel):
    """
    A change of metadata alone, which makes no new version.
    """

    version: int | None = None
    metadata: dict[str, str | None]
    """
    Keys to set; null removes a key, and others stay. Metadata alone makes no new version, and may be changed after the end.
    """


class Holder2Enum(StrEnum):
    """
    `robot`: a robot brings it under human supervision, and nobody else may. The hub adds `yes_each`: a supervisor says yes to each opening, on a picture. The home must let robots in at `entrance`, and a robot takes nothing with it (`collect`): otherwise `state` is `refused`, `reason` is `unsupported`. The order needs the features `holder_robot` and `yes_each`.
    """

    ROBOT = "robot"


Holder2 = TypeAliasType("Holder2", Holder2Enum | None)
"""
`robot`: a robot brings it under human supervision, and nobody else may. The hub adds `yes_each`: a supervisor says yes to each opening, on a picture. The home must let robots in at `entrance`, and a robot takes nothing with it (`collect`): otherwise `state` is `refused`, `reason` is `unsupported`. The order needs the features `holder_robot` and `yes_each`.
"""


class DeliveryState(StrEnum):
    """
    The state of a delivery, as a retailer sees it.
    """

    AWAITING_LABEL = "awaiting_label"
    AWAITING_PERMISSION = "awaiting_permission"
    SCHEDULED = "scheduled"
    WINDOW_OPEN = "window_open"
    VISITING = "visiting"
    DELIVERED = "delivered"
    PARTLY_DELIVERED = "partly_delivered"
    NOT_DELIVERED = "not_delivered"
    COLLECTED = "collected"
    PARTLY_COLLECTED = "partly_collected"
    NOT_COLLECTED = "not_collected"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class DoorResult(StrEnum):
    """
    How the visit left the door; set once, apart from the parcels' outcome.
    """

    NOT_OPENED = "not_opened"
    LOCKED_AGAIN = "locked_again"
    HANDED_TO_OWNER = "handed_to_owner"


class ErasureCause(StrEnum):
    """
    Who asked for an erasure. The journal lists none of the hub's own retention, which the hub repeats by itself.
    """

    RETAILER = "retailer"
    OPERATOR = "operator"
    RETENTION = "retention"


class EventErasedData(AnswerModel):
    """
    The erasure that erased the event.
    """

    id: str


class EventErasedEvent(AnswerModel):
    """
    Replaces an event about a customer whose data was erased.
    """

    id: str
    seq: int
    type: Literal["event.erased"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: EventErasedData


class EventType(StrEnum):
    """
    What an event is about. A delivery's state and a permission's standing are in its data.
    """

    CONNECTION_DECIDED = "connection.decided"
    CONNECTION_ANSWERED = "connection.answered"
    DELIVERY_CREATED = "delivery.created"
    DELIVERY_CHANGED = "delivery.changed"
    DELIVERY_PROOF = "delivery.proof"
    EVENT_ERASED = "event.erased"
    WEBHOOK_ENDPOINT_CHALLENGE = "webhook_endpoint.challenge"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    PING = "ping"


class ExpectedAddress(AnswerModel):
    """
    What you know of the home's address: its `postcode`, the owner's `word`, or both. Case and spaces do not matter.

    The home compares the one that its owner chose to tell you (`address` of the connection), and refuses the order if
    it differs. A home that tells nothing compares nothing.
    """

    postcode: str | None
    word: str | None


class FoodProfile(StrEnum):
    """
    A kind of food that has its temperature by law.
    """

    QUICK_FROZEN = "quick_frozen"
    ICE_CREAM = "ice_cream"
    FROZEN = "frozen"
    FISH = "fish"
    MINCED_MEAT = "minced_meat"
    OFFAL = "offal"
    READY_MEAL = "ready_meal"
    POULTRY = "poultry"
    CUT_MEAT = "cut_meat"
    MEAT = "meat"
    VERY_PERISHABLE = "very_perishable"
    PERISHABLE = "perishable"
    HOT_MEAL = "hot_meal"


class GrantedTerms(AnswerModel):
    """
    The terms that a home granted, as far as the brand may know them.

    `entrance_places`: which of `places` belong to each entrance; null: the home did not say.
    """

    entrances: list[str]
    places: list[str]
    entrance_places: dict[str, list[str]] | None
    carriers: list[str]
    days: list[str]
    hours: str
    openings: int
    expires: AwareDatetime | None
    hub_signed: bool


class HomeAnswer(AnswerModel):
    """
    The home's answer to one version that it refused.
    """

    version: int | None
    accepted: bool
    code: str | None


class HubKey(AnswerModel):
    """
    The key with which the hub signs what brands did not sign themselves, as a JWK. Such messages have type `typ`.
    """

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    alg: str
    kid: str
    x: str
    typ: str


class ImpossibleReason(StrEnum):
    """
    The reason why a delivery is not possible.
    """

    NOT_GRANTED = "not_granted"
    PAST = "past"
    EXPIRED = "expired"
    ENTRANCE_NOT_PERMITTED = "entrance_not_permitted"
    PLACE_NOT_PERMITTED = "place_not_permitted"
    OUTSIDE_WINDOW = "outside_window"
    NOT_KNOWN = "not_known"


class ItemColdChain(AnswerModel):
    """
    How the cold chain of one item held (`ColdVerdict`), with the reasons (`ColdReason`) if it is not conformant.

    `seconds`: from the door to its place. `lowest_c`, `highest_c`: the air of its place from its arrival on, in °C.
    """

    code: str
    verdict: str
    reasons: list[str]
    seconds: float | None
    lowest_c: float | None
    highest_c: float | None


class LabelRule(StrEnum):
    """
    The rules that the box obeys, by their application identifiers.
    """

    FIELD_4322 = "4322"
    FIELD_4323 = "4323"
    FIELD_4324 = "4324"
    FIELD_4325 = "4325"


class MoreTimeRequest(RequestModel):
    """
    An empty object, or the brand's own signed request, which is needed if the brand signed the delivery.

    That is a message of version 2 with `do` `more_time`, the delivery's `id` and its newest `version`, and `needs`
    `["more_time"]`.
    """

    token: str | None = None


class MoreTimeStatus(StrEnum):
    """
    What became of a late courier's question for more time.
    """

    ASKED = "asked"
    GIVEN = "given"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


class NewApiKey(RequestModel):
    """
    An API key to make. A key of the sandbox never reaches a real home.

    `right`: `full` may do everything, `read` changes nothing. `carrier` is for a carrier's own systems, and needs
    `carrier`, the name that stands in your deliveries: the key lists and reads your deliveries of that carrier, says
    when its courier arrives, asks for more time and makes the courier's code. Everything else it is refused.
    """

    label: str
    right: Literal["full", "read", "carrier"] | None = None
    """
    Left out: `"full"`.
    """
    carrier: str | None = None
    expires: AwareDatetime | None = None


class NewAskedTerms(RequestModel):
    """
    The terms that a brand asks for.

    A brand that does not know a home's entrances and places leaves them out; the home then chooses. Days and hours are
    in the home's time zone. `hub_signed`: the home shall also accept deliveries that the brand did not sign itself.
    """

    entrances: list[str] | None = None
    places: list[str] | None = None
    carriers: list[str]
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] | None = None
    """
    Left out: `["mon", "tue", "wed", "thu", "fri", "sat", "sun"]`.
    """
    hours: str | None = None
    """
    Left out: `"00:00-24:00"`.
    """
    openings: int | None = None
    """
    Left out: `1`.
    """
    expires: AwareDatetime | None = None
    hub_signed: bool | None = None
    """
    Left out: `false`.
    """


class NewBrand(RequestModel):
    """
    A brand to make. `id` is the name under which homes know it, and the `iss` of its signed messages.
    """

    id: str
    name: str


class NewBrandKey(RequestModel):
    """
    A public key (Ed25519) and a proof that the retailer has its private key.

    `proof` is a compact JWS under this key: header `{alg: Ed25519, kid, typ: perron-brand-key+jwt}`, payload
    `{brand, kid, hub}` with the hub's address. `vouched` is a compact JWS under an earlier key, with which that key
    confirms this one: header `{alg: Ed25519, kid, typ: perron-next-key+jwt}`, payload `{iss, hub, iat, kid, x}`;
    `iss` is the brand, `kid` and `x` are those of the new key. No home accepts a later key without it; the first
    key needs none. Header and payload of `vouched` are JSON without spaces between the tokens.
    """

    kid: str
    x: str
    proof: str
    vouched: str | None = None


class NewConnection(RequestModel):
    """
    A request to a home. `reference`: your name for the customer. `return_url`: where the page leads back.

    `signed`: the request under the brand's key, for homes that do not know the brand yet: a compact JWS with header
    `{alg: Ed25519, kid, typ: perron-ask+jwt}` and payload `{iss, hub, iat, exp, jti, name, asked}`. `iss` is the
    brand, `hub` the hub's address, `name` the brand's name at this hub, `asked` the same as in this object. Header
    and payload are JSON without spaces between the tokens.
    """

    brand: str
    asked: NewAskedTerms
    reference: str | None = None
    return_url: str | None = None
    signed: str | None = None


class NewDeliveryItem(RequestModel):
    """
    One item of an order.

    `code`: its SSCC, its GTIN with serial number (SGTIN), either of them as a GS1 Digital Link, or another number that
    stands on it. `place`: where it goes. `min_celsius`, `max_celsius`, `profile`: the limits of the air there, at least
    one of the three. `max_seconds`: how long it may be between door and place.
    """

    code: str
    place: str
    min_celsius: float | None = None
    max_celsius: float | None = None
    profile: FoodProfile | None = None
    max_seconds: int | None = None


class Holder3Enum(StrEnum):
    """
    `robot`: a robot brings it under human supervision, and nobody else may. The hub adds `yes_each`: a supervisor says yes to each opening, on a picture. The home must let robots in at `entrance`, and a robot takes nothing with it (`collect`): otherwise `state` is `refused`, `reason` is `unsupported`. The order needs the features `holder_robot` and `yes_each`.
    """

    ROBOT = "robot"


Holder3 = TypeAliasType("Holder3", Holder3Enum | None)
"""
`robot`: a robot brings it under human supervision, and nobody else may. The hub adds `yes_each`: a supervisor says yes to each opening, on a picture. The home must let robots in at `entrance`, and a robot takes nothing with it (`collect`): otherwise `state` is `refused`, `reason` is `unsupported`. The order needs the features `holder_robot` and `yes_each`.
"""


NewErasure = TypeAliasType("NewErasure", CustomerErasure | ConnectionErasure)
"""
Whose data to erase: all connections with this `reference`, your name for the customer, or one `connection`.
"""


class NewExpectedAddress(RequestModel):
    """
    What you know of the home's address: its `postcode`, the owner's `word`, or both. Case and spaces do not matter.

    The home compares the one that its owner chose to tell you (`address` of the connection), and refuses the order if
    it differs. A home that tells nothing compares nothing.
    """

    postcode: str | None = None
    word: str | None = None


class NewParcelSize(RequestModel):
    """
    The outer size of the largest parcel, in whole millimetres.
    """

    length: int
    width: int
    height: int


class NewSignedDelivery(RequestModel):
    """
    A delivery as your brand signed it. The hub stores `token` and passes it on byte for byte.
    """

    connection: str
    token: str
    """
    The order as your brand signed it: a compact JWS whose `typ` is `perron-delivery+jwt` or `perron-delivery-2+jwt`, and whose claims are `iss`, `aud`, `iat`, `nbf`, `exp`, `jti` and `delivery`. The page docs/retailer/api.md describes each claim.
    """
    metadata: dict[str, str] | None = None
    """
    Your own keys and values, such as the number of an order: at most 50, each key up to 40 characters and each value up to 500. The hub keeps them with the delivery and tells them in answers and events. It never sends them to a home.
    """


class NewWebhookEndpoint(RequestModel):
    """
    The address of a webhook endpoint. `types`: the types of events to send; empty: all, also future ones.
    """

    url: str
    """
    Https, a public host name, port 443, 80 or any from 1024; the hub connects to public addresses only.
    """
    types: list[EventType] | None = None
    """
    Left out: `[]`.
    """


class NewWindow(RequestModel):
    """
    When the door may open: from `start` up to, not including, `end`.
    """

    start: AwareDatetime
    end: AwareDatetime


class ParcelSize(AnswerModel):
    """
    The outer size of the largest parcel, in whole millimetres.
    """

    length: int
    width: int
    height: int


class PingData(AnswerModel):
    """
    The webhook endpoint that you asked the hub to test.
    """

    id: str


class PingEvent(AnswerModel):
    """
    You asked the hub to test a webhook endpoint.
    """

    id: str
    seq: int
    type: Literal["ping"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: PingData


class PingMessage(AnswerModel):
    """
    You asked the hub to test a webhook endpoint.
    """

    id: str
    seq: int
    type: Literal["ping"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: PingData
    timestamp: AwareDatetime
    """
    The same as `at`.
    """
    event: str
    """
    The same as `id`.
    """
    previous: int
    """
    The `seq` of the message before this one to the same endpoint; 0: this is the first.
    """


class ProblemError(AnswerModel):
    """
    One mistake: its place (RFC 6901 in a body, otherwise the parameter's name), its code, and a sentence.
    """

    pointer: str
    in_: Annotated[Literal["body", "query", "header", "path"] | str, Field(alias="in")]
    code: str
    detail: str


class SignedBrandMessage(RequestModel):
    """
    The brand's message: a compact JWS under the brand's key. The hub forwards it byte for byte.

    Its header is `{alg: Ed25519, kid, typ}` and its payload `{iss, aud, iat, nbf, exp, jti}`, for a comment also
    `comment`: `iss` is the brand, `aud` the home. It is valid for at most 31 days. `typ` is `perron-facts-query+jwt` of
    a query, and `perron-brand-comment+jwt` of a comment.
    """

    token: str


class SignedDeliveryChange(ChangeModel):
    """
    A new version as your brand signed it: `token` is the whole order. `version`: the version that you know; if there is a newer one, the hub changes nothing.
    """

    token: str
    """
    The order as your brand signed it: a compact JWS whose `typ` is `perron-delivery+jwt` or `perron-delivery-2+jwt`, and whose claims are `iss`, `aud`, `iat`, `nbf`, `exp`, `jti` and `delivery`. The page docs/retailer/api.md describes each claim.
    """
    version: int | None = None
    metadata: dict[str, str | None] | None = None
    """
    Keys to set; null removes a key, and others stay. Metadata alone makes no new version, and may be changed after the end.
    """


class SignedOrder(AnswerModel):
    """
    One version of the promise as it was sent to the home, and the key (a JWK's `x`) under which it was signed.
    """

    key: str
    token: str


class SimulatedEntrance(AnswerModel):
    """
    An entrance of the simulated home. `courier_proof`: it needs the SHA-256 of the courier's one-time code.
    """

    id: str
    name: str
    places: list[str]
    cold: list[str]
    courier_proof: bool


class StatedAddress(AnswerModel):
    """
    The home's postcode, or a word of its owner, which he tells the brands that he lets in.
    """

    kind: Annotated[AddressKind | str, Field(union_mode="left_to_right")]
    text: str


class StatedFacts(AnswerModel):
    """
    What your brand did in a home, in the statement of its box: counts and times, nothing about a person.

    `token`: the statement, a compact JWS (`typ: perron-brand-facts+jwt`) under the box's `key` (Ed25519, a JWK's `x`),
    which also signs the accounts of proofs; the other members are its content. `answers`: the `jti` of your query. The
    hub can change neither, if you verify the token. `comment`: your newest one. `at`: the time of the statement.
    """

    home: str
    brand: str
    at: AwareDatetime
    facts: BrandFacts
    comment: str | None
    answers: str | None
    token: str
    key: str


class TimeSpan(AnswerModel):
    """
    From `start` up to, not including, `end`.
    """

    start: AwareDatetime
    end: AwareDatetime


class TimelineStep(AnswerModel):
    """
    The state of a delivery from `at` on, as the hub learned it. `answer`: the version that the home refused then.
    """

    at: AwareDatetime
    state: Annotated[DeliveryState | str, Field(union_mode="left_to_right")]
    reason: str | None
    cancel: Annotated[CancelStatus | str | None, Field(union_mode="left_to_right")]
    missing: int
    missing_parcels: list[str] | None
    house: str | None
    custody: str | None
    moved_to: str | None
    more_time: str | None
    collected: str | None
    cold_chain: list[ItemColdChain] | None
    version: int
    answer: HomeAnswer | None


class WebhookAttempt(AnswerModel):
    """
    One attempt to send a message: its result, the answer's status, and its beginning if it is not 2xx.
    """

    number: int
    at: AwareDatetime
    result: str
    status: int | None
    excerpt: str | None
    milliseconds: int


class WebhookEndpoint(AnswerModel):
    """
    A webhook endpoint, without its secret. `disabled`: the reason; `failing`: since when no message was accepted.

    `verified`: an endpoint of a sandbox gets only a challenge (type `webhook_endpoint.challenge`, its text in
    `data.challenge`) until it has answered 2xx with `{"challenge": "<that text>"}`. Then it gets the messages that
    waited.
    """

    id: str
    url: str
    types: list[str]
    enabled: bool
    disabled: Literal["asked", "gone", "failing", "unverified"] | str | None
    verified: bool
    failing: AwareDatetime | None
    old_secret_until: AwareDatetime | None
    sandbox: bool
    created: AwareDatetime


class WebhookEndpointChallengeData(AnswerModel):
    """
    The text that the receiver sends back in its answer, as `{"challenge": "..."}`.
    """

    id: str
    challenge: str


class WebhookEndpointChallengeEvent(AnswerModel):
    """
    The receiver of a sandbox's endpoint must send back a text before it gets other messages.
    """

    id: str
    seq: int
    type: Literal["webhook_endpoint.challenge"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: WebhookEndpointChallengeData


class WebhookEndpointChallengeMessage(AnswerModel):
    """
    The receiver of a sandbox's endpoint must send back a text before it gets other messages.
    """

    id: str
    seq: int
    type: Literal["webhook_endpoint.challenge"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: WebhookEndpointChallengeData
    timestamp: AwareDatetime
    """
    The same as `at`.
    """
    event: str
    """
    The same as `id`.
    """
    previous: int
    """
    The `seq` of the message before this one to the same endpoint; 0: this is the first.
    """


class WebhookEndpointChange(ChangeModel):
    """
    The fields to change; null and missing fields stay. Waiting messages go to the new address.
    """

    url: str | None = None
    types: list[EventType] | None = None
    enabled: bool | None = None


class WebhookEndpointDisabledData(AnswerModel):
    """
    Which of your webhook endpoints the hub disabled, and why.
    """

    id: str
    disabled: Literal["gone", "failing", "unverified"] | str


class WebhookEndpointDisabledEvent(AnswerModel):
    """
    The hub disabled one of your webhook endpoints; the others get this event.
    """

    id: str
    seq: int
    type: Literal["webhook_endpoint.disabled"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: WebhookEndpointDisabledData


class WebhookEndpointDisabledMessage(AnswerModel):
    """
    The hub disabled one of your webhook endpoints; the others get this event.
    """

    id: str
    seq: int
    type: Literal["webhook_endpoint.disabled"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: WebhookEndpointDisabledData
    timestamp: AwareDatetime
    """
    The same as `at`.
    """
    event: str
    """
    The same as `id`.
    """
    previous: int
    """
    The `seq` of the message before this one to the same endpoint; 0: this is the first.
    """


class WebhookEndpointWithSecret(AnswerModel):
    """
    An endpoint that was just made or rotated. The answer contains the secret this once.
    """

    id: str
    url: str
    types: list[str]
    enabled: bool
    disabled: Literal["asked", "gone", "failing", "unverified"] | str | None
    verified: bool
    failing: AwareDatetime | None
    old_secret_until: AwareDatetime | None
    sandbox: bool
    created: AwareDatetime
    secret: str


class WebhookEndpoints(AnswerModel):
    """
    All webhook endpoints of the retailer, newest first.
    """

    data: list[WebhookEndpoint]


class WebhookMessage(AnswerModel):
    """
    A message: `id` is its `webhook-id`. `due`: its next try. `attempts`: the newest, at most 20.
    """

    id: str
    event: str
    type: str
    seq: int
    previous: int
    state: Literal["waiting", "delivered", "given_up"] | str
    created: AwareDatetime
    due: AwareDatetime | None
    attempts_made: int
    attempts: list[WebhookAttempt]


class WebhookMessages(AnswerModel):
    """
    A page of the log, newest first. `next` is the cursor of the following page.
    """

    data: list[WebhookMessage]
    next: str | None


class WebhookReplay(RequestModel):
    """
    Which events to send again: from this `seq` on, and not before `since`; without both, all that are stored.
    """

    seq: int | None = None
    """
    Left out: `0`.
    """
    since: AwareDatetime | None = None


class WebhookReplayResult(AnswerModel):
    """
    The number of messages that wait now. `next`: the `seq` from which to continue, if there were more than 1000.
    """

    queued: int
    next: int | None


class Window(AnswerModel):
    """
    When the door may open: from `start` up to, not including, `end`.
    """

    start: AwareDatetime
    end: AwareDatetime


class OtherEvent(AnswerModel):
    """
    An event of a type that this release of the SDK does not know.
    """

    id: str
    seq: int
    type: str
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: dict[str, Any]


class OtherMessage(AnswerModel):
    """
    An event of a type that this release of the SDK does not know.
    """

    id: str
    seq: int
    type: str
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: dict[str, Any]
    timestamp: AwareDatetime
    """
    The same as `at`.
    """
    event: str
    """
    The same as `id`.
    """
    previous: int
    """
    The `seq` of the message before this one to the same endpoint; 0: this is the first.
    """


class AccountLine(AnswerModel):
    """
    One line of the extract. `n` counts from 1; `hash` covers this line and those before it.
    """

    at: AwareDatetime
    what: Annotated[AccountLineKind | str, Field(union_mode="left_to_right")]
    code: str | None
    celsius: float | None
    n: int
    hash: str


class AccountStatement(AnswerModel):
    """
    The box's signed statement about a delivery.

    `lines`, `head`: the number of lines and the hash of the last one. `entry`: the hash of the log entry with the lines
    and with this statement, without `entry`. `message_sha256`: SHA-256 of the message that the home accepted as this
    version, byte for byte, so that nobody can present another one; None: the home accepted it before boxes recorded
    that. `collected`: of an order with `collect`. `left_out`: the number of lines in the middle without room (a door
    that opened and closed many times). `clock_trusted`: whether the box knew the time at each line. `sandbox`: the home
    is simulated.
    """

    kind: Literal["perron account 1"]
    home: str
    brand: str
    delivery: str
    version: int
    message_sha256: str | None
    state: Annotated[DeliveryState | str, Field(union_mode="left_to_right")]
    reason: str | None
    missing: int
    house: Annotated[DoorResult | str, Field(union_mode="left_to_right")]
    collected: Annotated[CollectResult | str | None, Field(union_mode="left_to_right")]
    at: AwareDatetime
    clock_trusted: bool
    sandbox: bool
    lines: int
    left_out: int
    head: str
    entry: str


class Availability(AnswerModel):
    """
    Whether the home's terms allow the whole span, `why` not, and the parts that days and hours allow.

    It does not say whether somebody is home or an entrance is ready.
    """

    possible: bool
    why: Annotated[ImpossibleReason | str | None, Field(union_mode="left_to_right")]
    windows: list[TimeSpan]


class AvailabilityBatch(RequestModel):
    """
    Questions about connections, of which each has its own times.
    """

    items: list[AvailabilityQuestion]


class Connection(AnswerModel):
    """
    A brand's request to a home, and the home's answer.

    `terms`: what the home granted, at most what was `asked`. `home`: the `aud` of messages that the brand signs for
    it. Both exist while the connection is granted. `address`: what the owner chose to tell you of the home's
    address, its postcode or a word of his own, in the box's own signed statement (`readBox`); null: nothing.
    `version` rises with each decision of the home. `expires`: the end of the time in which the home may answer; no
    answer is a no.
    """

    id: str
    state: Literal["pending", "granted", "refused", "revoked", "expired", "ended"] | str
    brand: str
    asked: AskedTerms
    terms: GrantedTerms | None
    address: StatedAddress | None
    version: int
    home: str | None
    reference: str | None
    return_url: str | None
    sandbox: bool
    created: AwareDatetime
    expires: AwareDatetime
    decided: AwareDatetime | None


class ConnectionDecidedEvent(AnswerModel):
    """
    A home granted, refused or revoked a connection, or changed its terms.
    """

    id: str
    seq: int
    type: Literal["connection.decided"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: Connection


class ConnectionDecidedMessage(AnswerModel):
    """
    A home granted, refused or revoked a connection, or changed its terms.
    """

    id: str
    seq: int
    type: Literal["connection.decided"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: Connection
    timestamp: AwareDatetime
    """
    The same as `at`.
    """
    event: str
    """
    The same as `id`.
    """
    previous: int
    """
    The `seq` of the message before this one to the same endpoint; 0: this is the first.
    """


class Connections(AnswerModel):
    """
    A page of the retailer's connections, newest first. `next` is the cursor of the following page.
    """

    data: list[Connection]
    next: str | None


class CreatedConnection(AnswerModel):
    """
    A new connection. `consent_url` is for the customer only, and never shown again.
    """

    id: str
    state: Literal["pending", "granted", "refused", "revoked", "expired", "ended"] | str
    brand: str
    asked: AskedTerms
    terms: GrantedTerms | None
    address: StatedAddress | None
    version: int
    home: str | None
    reference: str | None
    return_url: str | None
    sandbox: bool
    created: AwareDatetime
    expires: AwareDatetime
    decided: AwareDatetime | None
    consent_url: str


class DeliveryEventData(AnswerModel):
    """
    A delivery as it was at the event; each field means what it means in the delivery (`Delivery`).

    `answer` is there if the event reports that the home refused a version of the order.
    """

    id: str
    connection: str
    brand: str
    version: int
    answered: int | None
    state: Annotated[DeliveryState | str, Field(union_mode="left_to_right")]
    reason: str | None
    missing: int
    missing_parcels: list[str] | None
    house: Annotated[DoorResult | str | None, Field(union_mode="left_to_right")]
    custody: Literal["receiver", "household"] | str | None
    moved_to: str | None
    more_time: Annotated[MoreTimeStatus | str | None, Field(union_mode="left_to_right")]
    collected: Annotated[CollectResult | str | None, Field(union_mode="left_to_right")]
    cold_chain: list[ItemColdChain] | None
    cancel: Annotated[CancelStatus | str | None, Field(union_mode="left_to_right")]
    on_the_way: AwareDatetime | None
    eta: AwareDatetime | None
    name: str
    order_id: str
    metadata: dict[str, str]
    answer: HomeAnswer | None = None


class DeliveryItem(AnswerModel):
    """
    One item of an order.

    `code`: its SSCC, its GTIN with serial number (SGTIN), either of them as a GS1 Digital Link, or another number that
    stands on it. `place`: where it goes. `min_celsius`, `max_celsius`, `profile`: the limits of the air there, at least
    one of the three. `max_seconds`: how long it may be between door and place.
    """

    code: str
    place: str
    min_celsius: float | None
    max_celsius: float | None
    profile: Annotated[FoodProfile | str | None, Field(union_mode="left_to_right")]
    max_seconds: int | None


class DeliveryOrderChange(ChangeModel):
    """
    The fields to change; others stay. Null removes `parcels`, `courier_sha256` and the fields after them.
    """

    entrance: str | None = None
    carrier: str | None = None
    place: str | None = None
    window: NewWindow | None = None
    parcels: list[str] | None = None
    courier_sha256: str | None = None
    """
    The SHA-256, in 64 small hexadecimal digits, of the 16 random bytes of the courier's one-time code. The courier shows the code itself as a QR code with the text `perron:` and the 16 bytes in base32 (RFC 4648), in small letters without padding: 33 characters. Make new bytes for each delivery, give the text to the courier alone, and send its digest here. Of the bytes 00 01 02 ... 0f the text is `perron:aaaqeayeaudaocajbifqydiob4`, and the digest is the example. An entrance with `courier_proof` opens for the parcel's code and this one together, and refuses a delivery without it: `state` is `refused`, `reason` is `courier_code_missing`.
    """
    max_celsius: float | None = None
    min_celsius: float | None = None
    """
    The place may not be colder than this, in °C. The order needs the feature `min_celsius`.
    """
    items: list[NewDeliveryItem] | None = None
    """
    Items with places and limits of their own. `code` is the item's SSCC, its GTIN with serial number `(01)...(21)...`, or either of them as a GS1 Digital Link. Each has `min_celsius`, `max_celsius` or the name of a legal `profile`; the strictest counts, also against what is on the label. `max_seconds` is how long it may be between the door and its place (300 if left out). The order needs the feature `items`.
    """
    entrances: list[str] | None = None
    """
    Every entrance at which you accept the delivery; the hub adds `entrance` to them. Without it you say nothing about others. The order needs the feature `entrances`.
    """
    dimensions: NewParcelSize | None = None
    """
    The outer size of the largest parcel, in whole millimetres. The order needs the feature `dimensions`.
    """
    label_rules: list[LabelRule] | None = None
    """
    GS1 identifiers of rules on the label that the box must have read before it opens: 4322 authority to leave, 4323 signature required, 4324 not before, 4325 not after. The order needs the feature `label_rules`.
    """
    collect: list[str] | None = None
    """
    The codes on the parcels that the courier takes with him, such as returns: he scans each inside, before he leaves. Without `parcels` he brings none, and his one-time code opens: then `courier_sha256` is required. A code that stands here opens nothing. The order needs the feature `collect`.
    """
    holder: Holder2 | None = None
    """
    `robot`: a robot brings it under human supervision, and nobody else may. The hub adds `yes_each`: a supervisor says yes to each opening, on a picture. The home must let robots in at `entrance`, and a robot takes nothing with it (`collect`): otherwise `state` is `refused`, `reason` is `unsupported`. The order needs the features `holder_robot` and `yes_each`.
    """
    expected_address: NewExpectedAddress | None = None
    """
    Which home you mean, to notice an order for another address: its `postcode`, the owner's `word`, or both. The hub and the home refuse the order (`other_address`) if it differs from what the owner tells you (`address` of the connection). The order needs the feature `expected_address`.
    """
    info: dict[str, str] | None = None
    """
    Texts for people; nothing decides on them.
    """


class Erasure(AnswerModel):
    """
    An erasure. It contains the connections' ids, and no data of the customer.

    `state` is `erasing` for some seconds, and then `erased`. `deliveries` is the number of deliveries that the hub has
    erased until now. `cause` says who asked for the erasure: the `retailer`, or the `operator` of the hub. `retention`:
    the hub erases the customer because the connections ended long ago.
    """

    id: str
    state: Literal["erasing", "erased"] | str
    connections: list[str]
    deliveries: int
    cause: Annotated[ErasureCause | str, Field(union_mode="left_to_right")]
    sandbox: bool
    created: AwareDatetime
    done: AwareDatetime | None


class Erasures(AnswerModel):
    """
    A page of the retailer's erasures, newest first. `next` is the cursor of the following page.
    """

    data: list[Erasure]
    next: str | None


class NewDeliveryOrder(RequestModel):
    """
    The delivery to announce.

    `name` is your name for it; without one the hub chooses one. Without parcels: the label comes later. With
    `entrances`, `dimensions`, `items`, `label_rules`, `min_celsius`, `collect`, `holder` or `info` the hub signs an
    order of version 2, which older boxes refuse (`readBox`).
    """

    name: str | None = None
    """
    Your own name for the delivery, such as the number of the order. Without one the hub chooses one. A home has one delivery of a name. Homes get `order_id`, which is the name where it has only small letters, digits and hyphens.
    """
    entrance: str
    carrier: str
    place: str
    window: NewWindow
    parcels: list[str] | None = None
    """
    Left out: `[]`.
    """
    courier_sha256: str | None = None
    """
    The SHA-256, in 64 small hexadecimal digits, of the 16 random bytes of the courier's one-time code. The courier shows the code itself as a QR code with the text `perron:` and the 16 bytes in base32 (RFC 4648), in small letters without padding: 33 characters. Make new bytes for each delivery, give the text to the courier alone, and send its digest here. Of the bytes 00 01 02 ... 0f the text is `perron:aaaqeayeaudaocajbifqydiob4`, and the digest is the example. An entrance with `courier_proof` opens for the parcel's code and this one together, and refuses a delivery without it: `state` is `refused`, `reason` is `courier_code_missing`.
    """
    max_celsius: float | None = None
    min_celsius: float | None = None
    """
    The place may not be colder than this, in °C. The order needs the feature `min_celsius`.
    """
    items: list[NewDeliveryItem] | None = None
    """
    Items with places and limits of their own. `code` is the item's SSCC, its GTIN with serial number `(01)...(21)...`, or either of them as a GS1 Digital Link. Each has `min_celsius`, `max_celsius` or the name of a legal `profile`; the strictest counts, also against what is on the label. `max_seconds` is how long it may be between the door and its place (300 if left out). The order needs the feature `items`.
    """
    entrances: list[str] | None = None
    """
    Every entrance at which you accept the delivery; the hub adds `entrance` to them. Without it you say nothing about others. The order needs the feature `entrances`.
    """
    dimensions: NewParcelSize | None = None
    """
    The outer size of the largest parcel, in whole millimetres. The order needs the feature `dimensions`.
    """
    label_rules: list[LabelRule] | None = None
    """
    GS1 identifiers of rules on the label that the box must have read before it opens: 4322 authority to leave, 4323 signature required, 4324 not before, 4325 not after. The order needs the feature `label_rules`.
    """
    collect: list[str] | None = None
    """
    The codes on the parcels that the courier takes with him, such as returns: he scans each inside, before he leaves. Without `parcels` he brings none, and his one-time code opens: then `courier_sha256` is required. A code that stands here opens nothing. The order needs the feature `collect`.
    """
    holder: Holder3 | None = None
    """
    `robot`: a robot brings it under human supervision, and nobody else may. The hub adds `yes_each`: a supervisor says yes to each opening, on a picture. The home must let robots in at `entrance`, and a robot takes nothing with it (`collect`): otherwise `state` is `refused`, `reason` is `unsupported`. The order needs the features `holder_robot` and `yes_each`.
    """
    expected_address: NewExpectedAddress | None = None
    """
    Which home you mean, to notice an order for another address: its `postcode`, the owner's `word`, or both. The hub and the home refuse the order (`other_address`) if it differs from what the owner tells you (`address` of the connection). The order needs the feature `expected_address`.
    """
    info: dict[str, str] | None = None
    """
    Texts for people; nothing decides on them.
    """


class NewPlainDelivery(RequestModel):
    """
    A delivery as plain JSON. The hub signs it, as not signed by the brand.
    """

    connection: str
    delivery: NewDeliveryOrder
    metadata: dict[str, str] | None = None
    """
    Your own keys and values, such as the number of an order: at most 50, each key up to 40 characters and each value up to 500. The hub keeps them with the delivery and tells them in answers and events. It never sends them to a home.
    """
    courier: bool | None = None
    """
    `true`: the hub makes the courier's one-time code, writes its digest into the order, and returns the code once, with a QR code and a link to a page for the courier. Only of a `delivery` without `courier_sha256`. Left out: `false`.
    """


class PlainDeliveryChange(ChangeModel):
    """
    A new version as plain JSON: `delivery` has the fields to change. `version`: the version that you know; if there is a newer one, the hub changes nothing.
    """

    delivery: DeliveryOrderChange
    version: int | None = None
    metadata: dict[str, str | None] | None = None
    """
    Keys to set; null removes a key, and others stay. Metadata alone makes no new version, and may be changed after the end.
    """


class Problem(AnswerModel):
    """
    The body of an error (RFC 9457). `code` is stable; `detail` and `title` are for people.

    `request_id` is that of the header `Request-Id`: name it to the hub's operator, who finds the request by it.
    `sealed` is for a household's browser that has ended: its home's last message, which only that browser can
    decrypt.
    """

    type: str
    title: str
    status: int
    code: str
    """
    The stable code of the mistake. A later release of the hub may add codes.
    """
    detail: str | None = None
    instance: str | None = None
    request_id: str | None = None
    errors: list[ProblemError] | None = None
    sealed: str | None = None


class Sandbox(AnswerModel):
    """
    A sandbox. Send `api_key` as `Authorization: Bearer` with each request; the answer contains it this once.

    No request with this key reaches a real home. A robot plays home and courier, in shortened time: a window opens
    a second after the delivery is scheduled, and the courier has gone three seconds later. `support_code` finds the
    home on a consent page, for another brand or other terms.
    """

    sandbox: Literal[True]
    time_lapse: Literal[True]
    retailer: str
    api_key: str
    brand: str
    home: str
    support_code: str
    connection: str
    entrances: list[SimulatedEntrance]
    carriers: list[str]
    ends: AwareDatetime


class SignedAccount(AnswerModel):
    """
    A box's account of how a delivery ended (gateway/protocol/delivery_record.py), and the box's key.

    `statement` is the content of the token, to be read; `lines` is the extract of the box's log.
    """

    key: str
    statement: AccountStatement
    lines: list[AccountLine]
    token: str


class Timeline(AnswerModel):
    """
    A page of a delivery's steps, oldest first.
    """

    data: list[TimelineStep]
    next: str | None


class AvailabilityItemResult(AnswerModel):
    """
    The answer about one connection: a `body`, or the `problem`.
    """

    index: int
    status: int
    body: Availability | None
    problem: Problem | None


class CreatedDelivery(AnswerModel):
    """
    A new delivery. `courier`: the code that was asked for, which is never shown again; null: none was asked for.
    """

    id: str
    connection: str
    brand: str
    name: str
    order_id: str
    version: int
    answered: int | None
    state: Annotated[DeliveryState | str, Field(union_mode="left_to_right")]
    reason: str | None
    cancel: Annotated[CancelStatus | str | None, Field(union_mode="left_to_right")]
    missing: int
    missing_parcels: list[str] | None
    house: Annotated[DoorResult | str | None, Field(union_mode="left_to_right")]
    custody: Literal["receiver", "household"] | str | None
    moved_to: str | None
    more_time: Annotated[MoreTimeStatus | str | None, Field(union_mode="left_to_right")]
    on_the_way: AwareDatetime | None
    eta: AwareDatetime | None
    collected: Annotated[CollectResult | str | None, Field(union_mode="left_to_right")]
    cold_chain: list[ItemColdChain] | None
    entrance: str
    place: str
    carrier: str
    window: Window
    parcels: list[str]
    courier_sha256: str | None
    """
    The SHA-256, in 64 small hexadecimal digits, of the 16 random bytes of the courier's one-time code. The courier shows the code itself as a QR code with the text `perron:` and the 16 bytes in base32 (RFC 4648), in small letters without padding: 33 characters. Make new bytes for each delivery, give the text to the courier alone, and send its digest here. Of the bytes 00 01 02 ... 0f the text is `perron:aaaqeayeaudaocajbifqydiob4`, and the digest is the example. An entrance with `courier_proof` opens for the parcel's code and this one together, and refuses a delivery without it: `state` is `refused`, `reason` is `courier_code_missing`.
    """
    max_celsius: float | None
    needs: list[str] | None
    min_celsius: float | None
    items: list[DeliveryItem] | None
    entrances: list[str] | None
    dimensions: ParcelSize | None
    label_rules: list[str] | None
    collect: list[str] | None
    holder: Holder | None
    yes_each: YesEach | None
    expected_address: ExpectedAddress | None
    info: dict[str, str] | None
    metadata: dict[str, str]
    hub_signed: bool
    sandbox: bool
    created: AwareDatetime
    changed: AwareDatetime
    courier: CourierCode | None


class Delivery(AnswerModel):
    """
    A delivery: its newest version, and its state as the home reports it.

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

    id: str
    connection: str
    brand: str
    name: str
    order_id: str
    version: int
    answered: int | None
    state: Annotated[DeliveryState | str, Field(union_mode="left_to_right")]
    reason: str | None
    cancel: Annotated[CancelStatus | str | None, Field(union_mode="left_to_right")]
    missing: int
    missing_parcels: list[str] | None
    house: Annotated[DoorResult | str | None, Field(union_mode="left_to_right")]
    custody: Literal["receiver", "household"] | str | None
    moved_to: str | None
    more_time: Annotated[MoreTimeStatus | str | None, Field(union_mode="left_to_right")]
    on_the_way: AwareDatetime | None
    eta: AwareDatetime | None
    collected: Annotated[CollectResult | str | None, Field(union_mode="left_to_right")]
    cold_chain: list[ItemColdChain] | None
    entrance: str
    place: str
    carrier: str
    window: Window
    parcels: list[str]
    courier_sha256: str | None
    """
    The SHA-256, in 64 small hexadecimal digits, of the 16 random bytes of the courier's one-time code. The courier shows the code itself as a QR code with the text `perron:` and the 16 bytes in base32 (RFC 4648), in small letters without padding: 33 characters. Make new bytes for each delivery, give the text to the courier alone, and send its digest here. Of the bytes 00 01 02 ... 0f the text is `perron:aaaqeayeaudaocajbifqydiob4`, and the digest is the example. An entrance with `courier_proof` opens for the parcel's code and this one together, and refuses a delivery without it: `state` is `refused`, `reason` is `courier_code_missing`.
    """
    max_celsius: float | None
    needs: list[str] | None
    min_celsius: float | None
    items: list[DeliveryItem] | None
    entrances: list[str] | None
    dimensions: ParcelSize | None
    label_rules: list[str] | None
    collect: list[str] | None
    holder: Holder1 | None
    yes_each: YesEach1 | None
    expected_address: ExpectedAddress | None
    info: dict[str, str] | None
    metadata: dict[str, str]
    hub_signed: bool
    sandbox: bool
    created: AwareDatetime
    changed: AwareDatetime


DeliveryChange = TypeAliasType("DeliveryChange", PlainDeliveryChange | SignedDeliveryChange | DeliveryMetadataChange)
"""
A change: a new version as plain JSON or as the brand's own signed message, or metadata, or both.
"""


class DeliveryChangedEvent(AnswerModel):
    """
    You changed a delivery, or its home reported something about it.
    """

    id: str
    seq: int
    type: Literal["delivery.changed"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: DeliveryEventData


class DeliveryChangedMessage(AnswerModel):
    """
    You changed a delivery, or its home reported something about it.
    """

    id: str
    seq: int
    type: Literal["delivery.changed"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: DeliveryEventData
    timestamp: AwareDatetime
    """
    The same as `at`.
    """
    event: str
    """
    The same as `id`.
    """
    previous: int
    """
    The `seq` of the message before this one to the same endpoint; 0: this is the first.
    """


class DeliveryCreatedEvent(AnswerModel):
    """
    You announced a delivery.
    """

    id: str
    seq: int
    type: Literal["delivery.created"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: DeliveryEventData


class DeliveryCreatedMessage(AnswerModel):
    """
    You announced a delivery.
    """

    id: str
    seq: int
    type: Literal["delivery.created"]
    about: str
    at: AwareDatetime
    sandbox: bool
    request: str | None
    data: DeliveryEventData
    timestamp: AwareDatetime
    """
    The same as `at`.
    """
    event: str
    """
    The same as `id`.
    """
    previous: int
    """
    The `seq` of the message before this one to the same endpoint; 0: this is the first.
    """


class DeliveryItemResult(AnswerModel):
    """
    What became of one delivery: a `body` if it was announced, or the `problem`.
    """

    index: int
    status: int
    body: CreatedDelivery | None
    problem: Problem | None


class DeliveryWithCourierCode(AnswerModel):
    """
    A delivery whose order has a new courier's code, and that code, which is never shown again.
    """

    delivery: Delivery
    courier: CourierCode


Event = TypeAliasType(
    "Event",
    Annotated[
        ConnectionDecidedEvent
        | ConnectionAnsweredEvent
        | DeliveryCreatedEvent
        | DeliveryChangedEvent
        | WebhookEndpointChallengeEvent
        | WebhookEndpointDisabledEvent
        | EventErasedEvent
        | PingEvent
        | OtherEvent,
        Field(union_mode="left_to_right"),
    ],
)
"""
Something happened: the one shape of an event, in the list, in the stream and in a webhook's message.

`seq` rises with each of the retailer's; `about` is the id of what `data` tells of. `request`: the id of the API
request that caused it (`Request-Id`); null: a home or the hub itself did. What `data` tells of a delivery never
goes back: neither its `version` nor the `answered` one, nor to the state of an older answer.

`type` says which of these it is. A later release of the hub may add types: name the ones that you want in `types`, or ignore those that you do not know.
"""


class Events(AnswerModel):
    """
    A page of events, oldest first, or newest first with `order=newest`.

    `next` is the cursor of the following page in the same order; null if there are no more yet.
    """

    data: list[Event]
    next: str | None


NewDelivery = TypeAliasType("NewDelivery", NewPlainDelivery | NewSignedDelivery)
"""
A delivery as plain JSON, or as the brand's own signed message.
"""


class Proof(AnswerModel):
    """
    The order that counted, all messages about it, and the home's accounts of its end, oldest first.

    A door that was handed to its owner and locked later has two accounts; the newest counts. `missing_parcels`:
    which of `parcels` did not come, by that account (`missing_parcels_of`); None: the account does not tell, or the
    proof is older than this field.
    """

    home: str
    brand: str
    name: str
    entrance: str
    place: str
    carrier: str
    window: Window
    parcels: list[str]
    max_celsius: float | None
    messages: list[SignedOrder]
    accounts: list[SignedAccount]
    missing_parcels: list[str] | None


WebhookBody = TypeAliasType(
    "WebhookBody",
    Annotated[
        ConnectionDecidedMessage
        | ConnectionAnsweredMessage
        | DeliveryCreatedMessage
        | DeliveryChangedMessage
        | WebhookEndpointChallengeMessage
        | WebhookEndpointDisabledMessage
        | PingMessage
        | OtherMessage,
        Field(union_mode="left_to_right"),
    ],
)
"""
The body of a webhook's message.
"""


class AvailabilityBatchResult(AnswerModel):
    """
    The answer to each question, in the order of the batch.
    """

    data: list[AvailabilityItemResult]


class Deliveries(AnswerModel):
    """
    A page of deliveries, newest first. `next` is the cursor of the following page, null on the last.
    """

    data: list[Delivery]
    next: str | None


class DeliveryBatch(RequestModel):
    """
    Deliveries to announce, each as in `createDelivery`.
    """

    items: list[NewDelivery]


class DeliveryBatchResult(AnswerModel):
    """
    What became of each item, in the order of the batch.
    """

    data: list[DeliveryItemResult]
