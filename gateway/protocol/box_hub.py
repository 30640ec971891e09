"""The messages between a box and its hub over MQTT 5. Pure.

    dn/{home}/jobs                a job: JSON of `Job`
    dn/{home}/ack                 the box's events up to this one are kept: JSON of `Ack`
    dn/{home}/speaks              the format of events that the hub reads, before the first `ack`: JSON of `HubSpeaks`
    up/{shard}/{home}/hello       the box begins: JSON of `Hello`
    up/{shard}/{home}/status      the box has a job on its disk, or refuses it for good: JSON of `JobReceipt`
    up/{shard}/{home}/evt         one of its events: a JWS under the box's key, of `BoxEvent`
    dn/{home}/ask                 a sealed query of one of its household's browsers: JSON of `SealedQuery`
    up/{shard}/{home}/said/{via}  the sealed answer, to the hub's process that asked: JSON of `SealedReply`
    up/{shard}/{home}/gone        the box disconnected, or the broker published its last will; no content

A box sends its unacknowledged events, oldest first, a few at a time, and repeats them until the hub acknowledges them.
An acknowledgement contains a digest of the event. If it is not the digest of the box's own event, somebody restored box
or hub from an older copy: the box then numbers its unacknowledged events again from there on, so there is one chain.

The broker gives a box its own topics only (the client id is the home, proven by its certificate). The hub only passes
messages on: a job counts by the signature inside it, of the brand or of an enrolled browser, and an event by the box's.
The hub repeats a job until its receipt has come; the box knows the job by the bytes of its token, so a repeated job has
no second effect.
"""

from enum import StrEnum, auto
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from gateway.domain.delivery.promise import DeliveryResult, Digest, Id, Instant, Name, Version, WireModel, printable
from gateway.protocol import jws
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.browser_messages import BrowserId
from gateway.protocol.delivery_record import DeliveryRecord, Statement
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectionCode

SHARD_COUNT = 64
GENESIS_DIGEST = "0" * 64  # what the first event names as the one before it
MAX_JOB_BYTES = 40_000  # bytes
MAX_EVENT_BYTES = 16_000  # bytes of its token

MAX_ENVELOPE_CHARS = 60_400  # characters of an envelope: with what is around it, it fits into one packet

_JWS = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_JWE = r"[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
Token = Annotated[str, StringConstraints(max_length=32 * 1024, pattern=f"^(?:{_JWS}|{_JWE})$")]
Envelope = Annotated[str, StringConstraints(max_length=MAX_ENVELOPE_CHARS, pattern=f"^{_JWE}$")]
EventNumber = Annotated[int, Field(ge=1, le=2**53 - 1)]


class JobKind(StrEnum):
    """The kind of a job."""

    DELIVERY = auto()  # a delivery's offer, update or cancel, or a message about a brand's facts, signed by the brand
    HUB_DELIVERY = auto()  # the same for a brand without keys, signed by the hub; the permission must allow that
    CONNECT = auto()  # a brand asks for permission
    OWNER = auto()  # a permit, stop or approval that a member of the household signed in a browser


class Job(WireModel):
    """One message for the box. `job` is the hub's id; only the token is trusted."""

    job: Id
    kind: JobKind
    token: Token


class JobReceipt(WireModel):
    """The box has stored a job (`received`), or will never accept it (`refused`, with the reason)."""

    job: Id
    state: Literal["received", "refused"]
    why: Annotated[str, StringConstraints(max_length=200), AfterValidator(printable)] | None = None


class JobOutcome(StrEnum):
    """The result of a message that the hub passed on."""

    ANSWERED = auto()  # the answer, accepted or rejected, is on the disk
    RETRY_LATER = auto()  # the box does not know the time, or the message is not valid yet: it may be accepted later
    REJECTED = auto()  # too many messages were rejected recently, so no answer is stored


class OpenDelivery(WireModel):
    """A delivery that the box knows and that has not ended."""

    brand: Id
    delivery: Id
    version: Version


class EntranceDescription(WireModel):
    """An entrance without its devices and without the presence of people, which the hub may not know."""

    id: Id
    name: Name
    places: tuple[Id, ...]
    courier_proof: bool


class Hello(WireModel):
    """A box begins a session. `events`: the number of its events; the hub answers with the last one that it stores.

    `keys`: the newest changes of the box's key (lines of gateway/evidence/succession.py): from a key that it knows the
    hub derives the key under which the box signs now. `again`: the box repeats its hello in this session, for want of
    an answer or to check that the hub is there; the hub need not send again what is on its way to the box.
    """

    boot: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    keys: Annotated[tuple[Annotated[str, StringConstraints(max_length=2000)], ...], Field(max_length=16)] = ()
    events: Annotated[int, Field(ge=0, le=2**53 - 1)]
    open: Annotated[tuple[OpenDelivery, ...], Field(max_length=500)]
    entrances: Annotated[tuple[EntranceDescription, ...], Field(max_length=32)]
    timezone: Annotated[str, StringConstraints(max_length=64), AfterValidator(printable)]
    again: bool = False


class Ack(WireModel):
    """The hub stores the box's events up to and including `seq`; 0: none. `head`: the digest of that event's token.

    `support`: the home's current support code (gateway/protocol/support_code.py). It is no secret.
    """

    seq: Annotated[int, Field(ge=0, le=2**53 - 1)]
    head: Digest
    support: Annotated[str, StringConstraints(max_length=16)] | None = None


EVENT_FORMAT = 2
"""The newest format of a box's events.

A hub that reads format 1 refuses an event with an unknown key, and then every later event of that box. Since format 2
an event may have `answer`, and a result `cold_chain`, `custody`, `more_time` and `moved_to`; its reader ignores unknown
keys of a result.
"""


class HubSpeaks(WireModel):
    """The newest format of events that the hub reads. A hub that does not publish this reads format 1."""

    model_config = ConfigDict(extra="ignore")

    events: Annotated[int, Field(ge=1, le=10_000)]


MAX_NAMES_PER_DECISION = 32
"""Entrances, places and carriers in one `PermissionDecision`, so that the event stays below `MAX_EVENT_BYTES`."""


class PermissionDecision(WireModel):
    """The home's current decision about a brand, and the terms that the brand may know."""

    brand: Id
    version: Version
    standing: Literal["pending", "granted", "refused", "revoked"]
    entrances: tuple[Id, ...] = ()
    places: tuple[Id, ...] = ()
    carriers: tuple[Name, ...] = ()
    days: tuple[str, ...] = ()
    hours: str = "00:00-24:00"
    openings: Annotated[int, Field(ge=1, le=10)] = 1
    expires: Instant | None = None
    hub_signed: bool = False


class BrowserStatus(WireModel):
    """A browser of the household is enrolled with this key, or ended. The hub does not learn whose browser it is.

    `farewell`: the box's last message to an ended browser, encrypted for it.
    """

    browser: BrowserId
    sign: Jwk | None = None
    ended: bool
    farewell: Envelope | None = None


class SealedQuery(WireModel):
    """A query for the box, which the hub cannot read. `via`: the hub process that waits, `id`: its own number."""

    via: Id
    id: Id
    browser: BrowserId
    sealed: Envelope


class SealedReply(WireModel):
    """The answer to a `SealedQuery`."""

    id: Id
    browser: BrowserId
    sealed: Envelope


class BrandAnswer(WireModel):
    """The answer to a brand's query for its facts, or to its comment on them.

    `token_sha256`: the digest of the brand's message, byte for byte. `code`: why it is refused. `facts`: the box's
    statement about the brand (`gateway.protocol.brand_messages.FactsClaims`), in answer to a query.
    """

    brand: Id | None = None  # None: the message was not verified
    token_sha256: Digest
    accepted: bool
    code: Annotated[str, StringConstraints(max_length=64), AfterValidator(printable)] | None = None
    facts: Annotated[str, StringConstraints(max_length=11_000, pattern=f"^{_JWS}$")] | None = None


class BoxEvent(WireModel):
    """One event of a box, the payload of a JWS under its key. `prev`: SHA-256 of the token before it."""

    home: Id
    seq: EventNumber
    prev: Digest
    at: Instant
    result: DeliveryResult | None = None  # of a delivery
    account: DeliveryRecord | None = None  # of one that is over: what its retailer may keep
    decided: PermissionDecision | None = None  # of a permission
    browser: BrowserStatus | None = None  # of the household
    answer: BrandAnswer | None = None  # since format 2


C = TypeVar("C", BoxEvent, Statement)

# The statement is a token of its own, so that it can be shown without the event around it
_KINDS: Final = MappingProxyType({BoxEvent: jws.BOX_EVENT, Statement: jws.DELIVERY_RECORD})


def sign_by_box(claims: BoxEvent | Statement, sign: jws.Sign) -> bytes:
    """Sign with the box's key: the same claims give the same bytes."""
    return jws.sign_claims(_KINDS[type(claims)], claims, sign)


def verify_by_box(model: type[C], token: bytes, key: PublicKey) -> C | RejectionCode:
    """Return the claims that this key signed, or why the token is rejected."""
    payload = jws.verify_exact(token, _KINDS[model], key.jwk, max_bytes=MAX_EVENT_BYTES)
    try:
        return payload if isinstance(payload, RejectionCode) else jws.parse_claims(model, payload)
    except ValueError:
        return RejectionCode.WRONG_CLAIMS


def token_digest(token: bytes) -> str:
    """Return the digest by which the next event names this one as its predecessor."""
    return sha256(token).hexdigest()


DownlinkChannel = Literal["jobs", "ack", "speaks", "ask", "+"]


def down_topic(home: str, channel: DownlinkChannel) -> str:
    """Return the topic on which a box receives: jobs, acknowledgements, what the hub reads, its household's queries.

    With "+" it is the one topic filter of a box: in a cluster each further subscription would cost time.
    """
    return f"dn/{home}/{channel}"


def reply_topic(shard: int, home: str, via: str) -> str:
    """Return the topic of a box's answers for the hub process that sent the query."""
    return f"up/{shard}/{home}/said/{via}"


def reply_subscription(via: str) -> str:
    """Return the topic filter of a hub process for the answers to its queries."""
    return f"up/+/+/said/{via}"


def home_of_reply(topic: str, via: str) -> str | None:
    """Return the home that answers this process on a topic; None: the topic is another one."""
    match topic.split("/"):
        case ["up", shard, home, "said", who] if shard.isdigit() and who == via:
            return home
        case _:
            return None


UplinkChannel = Literal["hello", "status", "evt", "gone"]


def up_topic(shard: int, home: str, channel: UplinkChannel) -> str:
    """Return the topic on which a box publishes."""
    return f"up/{shard}/{home}/{channel}"


def home_of_topic(topic: str) -> tuple[str, UplinkChannel] | None:
    """Return the home and the channel of a box's topic; None: the topic is another one."""
    match topic.split("/"):
        case ["up", shard, home, ("hello" | "status" | "evt" | "gone") as what] if shard.isdigit():
            return home, what
        case _:
            return None


def shard_of(home: str) -> int:
    """Return the shard of a home. It depends on the home's id only, so that a hub's processes can share the shards."""
    return int.from_bytes(sha256(home.encode()).digest()[:4]) % SHARD_COUNT
