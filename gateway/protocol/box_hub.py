"""The messages between a box and its hub over MQTT 5. Pure.

    dn/{home}/jobs                a job: JSON of `Job`
    dn/{home}/ack                 the box's events up to this one are kept: JSON of `Ack`
    up/{shard}/{home}/hello       the box begins: JSON of `Hello`
    up/{shard}/{home}/status      the box has a job on its disk, or refuses it for good: JSON of `JobReceipt`
    up/{shard}/{home}/evt         one of its events: a JWS under the box's key, of `BoxEvent` (protocol/box_event.py)
    dn/{home}/ask                 a sealed query of one of its household's browsers: JSON of `SealedQuery`
    up/{shard}/{home}/said/{via}  the sealed answer, to the hub's process that asked: JSON of `SealedReply`
    up/{shard}/{home}/gone        the box disconnected, or the broker published its last will; no content

Of its events a box sends the oldest that it has no acknowledgement of, some ahead of it, and again until there is one.
An acknowledgement names the event by its bytes too. A box that finds another event there than its own was put back
from an older copy, or the hub was: it numbers what is not acknowledged anew, from there on, so there is one chain.

The broker gives a box its own topics only (the client id is the home, proven by its certificate). The hub carries: what
a job says counts by the signature inside it, of the brand or of an enrolled browser, and an event by the box's own.
A job is sent again until its receipt has come; the box knows it by the bytes of its token, so twice is once.
"""

from enum import StrEnum, auto
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from gateway.domain.delivery.promise import DeliveryResult, Digest, Id, Instant, Name, Version, WireModel
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.browser_messages import BrowserId
from gateway.protocol.delivery_record import DeliveryRecord

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


def _printable(text: str) -> str:
    if not text.isprintable():  # no line of a log, and nothing that a database does not take (PostgreSQL: NUL)
        raise ValueError("printable characters only")
    return text


class JobKind(StrEnum):
    """What a job is."""

    DELIVERY = auto()
    """A delivery's offer, update or cancel, signed by its brand."""

    HUB_DELIVERY = auto()
    """The same for a brand without keys: signed by the hub, and refused where the permission does not allow that."""

    CONNECT = auto()
    """A brand asks to be let in."""

    OWNER = auto()
    """A permit, stop or approval that somebody of the household signed in his browser."""


class Job(WireModel):
    """One thing for the box. Its name is the hub's own; what counts is the token."""

    job: Id
    kind: JobKind
    token: Token


class JobReceipt(WireModel):
    """The box has a job on its disk (`received`), or will never take it (`refused`: it is none, and says why)."""

    job: Id
    state: Literal["received", "refused"]
    why: Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)] | None = None


class OpenDelivery(WireModel):
    """A delivery that the box knows and that is not over."""

    brand: Id
    delivery: Id
    version: Version


class EntranceDescription(WireModel):
    """An entrance as the hub may know it: nothing of its devices, nothing of who is home."""

    id: Id
    name: Name
    places: tuple[Id, ...]
    courier_proof: bool


class Hello(WireModel):
    """A box begins a session. `events`: how many events it has made; the hub answers with what it has of them.

    `keys`: how the box's keys followed each other, the newest changes (lines of gateway/evidence/succession.py): a hub
    that knows one of them so learns the one under which the box signs now. `again`: it was said in this session before
    and had no answer, or to see that the hub is there; what is on its way to the box need not be sent again for it.
    """

    boot: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    keys: Annotated[tuple[Annotated[str, StringConstraints(max_length=2000)], ...], Field(max_length=16)] = ()
    events: Annotated[int, Field(ge=0, le=2**53 - 1)]
    open: Annotated[tuple[OpenDelivery, ...], Field(max_length=500)]
    entrances: Annotated[tuple[EntranceDescription, ...], Field(max_length=32)]
    timezone: Annotated[str, StringConstraints(max_length=64), AfterValidator(_printable)]
    again: bool = False


class Ack(WireModel):
    """The hub keeps all the box's events up to and with `seq`; 0: none. `head`: the digest of that one's token.

    `support`: the home's support code there, as it is now (gateway/protocol/support_code.py). It is no secret.
    """

    seq: Annotated[int, Field(ge=0, le=2**53 - 1)]
    head: Digest
    support: Annotated[str, StringConstraints(max_length=16)] | None = None


MAX_NAMES_PER_DECISION = 32
"""Entrances, places, carriers that one `PermissionDecision` names at most: an event has a largest size."""


class PermissionDecision(WireModel):
    """What the home says to a brand now: its standing, and the terms that the brand may know."""

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
    """A browser of the household counts from now on, by this key, or (`ended`) no longer. Whose it is stays at home.

    `farewell`: what its box has to say to one that has ended, sealed for it.
    """

    browser: BrowserId
    sign: Jwk | None = None
    ended: bool
    farewell: Envelope | None = None


class SealedQuery(WireModel):
    """A question for the box, which the hub cannot read; `via`: the hub's process that waits, `id`: its own number."""

    via: Id
    id: Id
    browser: BrowserId
    sealed: Envelope


class SealedReply(WireModel):
    """The answer to it."""

    id: Id
    browser: BrowserId
    sealed: Envelope


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


def token_digest(token: bytes) -> str:
    """What the next event names as the one before it."""
    return sha256(token).hexdigest()


def down_topics(home: str) -> str:
    """What a box subscribes to: all that is for it, in one, for a cluster's time goes into subscriptions."""
    return f"dn/{home}/+"


def jobs_topic(home: str) -> str:
    """Where a box hears its jobs."""
    return f"dn/{home}/jobs"


def ack_topic(home: str) -> str:
    """Where a box hears which of its events are kept."""
    return f"dn/{home}/ack"


def query_topic(home: str) -> str:
    """Where a box hears what its household asks."""
    return f"dn/{home}/ask"


def reply_topic(shard: int, home: str, via: str) -> str:
    """Where a box answers its household, by the hub's process that asked."""
    return f"up/{shard}/{home}/said/{via}"


def reply_subscription(via: str) -> str:
    """What the hub's process subscribes to for the answers to what it asked."""
    return f"up/+/+/said/{via}"


def home_of_reply(topic: str, via: str) -> str | None:
    """Tell which home answers on a topic what this process asked; None: it is no such topic."""
    match topic.split("/"):
        case ["up", shard, home, "said", who] if shard.isdigit() and who == via:
            return home
        case _:
            return None


UplinkChannel = Literal["hello", "status", "evt", "gone"]


def up_topic(shard: int, home: str, channel: UplinkChannel) -> str:
    """Where a box speaks."""
    return f"up/{shard}/{home}/{channel}"


def home_of_topic(topic: str) -> tuple[str, UplinkChannel] | None:
    """Tell which home speaks on a topic, and of what; None: it is no such topic."""
    match topic.split("/"):
        case ["up", shard, home, ("hello" | "status" | "evt" | "gone") as what] if shard.isdigit():
            return home, what
        case _:
            return None


def shard_of(home: str) -> int:
    """Where a home's words go in: fixed by its name, so that a hub's workers may share the shards."""
    return int.from_bytes(sha256(home.encode()).digest()[:4]) % SHARD_COUNT
