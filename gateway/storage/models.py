"""The models that the store takes and returns."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto

from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.promise import DeliveryResult
from gateway.domain.now import Now
from gateway.domain.visit.commands import Command
from gateway.domain.visit.events import Event, FactsChanged
from gateway.domain.visit.state import Entrance


class StoreFailed(Exception):  # noqa: N818 - a failure of the world that the caller turns into an event
    """Nothing of the step was stored for certain: the disk is full, broken, or did not confirm."""


class DatabaseRefused(Exception):  # noqa: N818 - it says what happened
    """The database file is not one that this version can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """One decision of an entrance, to be stored as a whole or not at all."""

    entrance: str
    event: Event
    state: Entrance
    commands: tuple[Command, ...]
    now: Now


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult:
    """The decision is on disk; `seq` is the number of its log entry, `row` the stored body of it (JSON).

    `messages` are the numbers of the decision's messages to the owner, in their order.
    """

    seq: int
    messages: tuple[int, ...] = ()
    is_marked: bool = True  # of an intent: whether the mark outside the store could be written; else nothing may open
    row: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitConflict:
    """Nothing of the step was stored: the facts it stood on have changed since. Decide again on `facts`."""

    facts: FactsChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAnswer:
    """What a retailer is told of one signed message, and whom it concerns in this house.

    `changed` are the deliveries whose facts are other than before: their entrances may have a visit to tell. `asks` is
    the number of the message that tells the owner that its brand asks to be let in.
    """

    result: DeliveryResult
    changed: tuple[str, ...] = ()
    permission_message: int | None = None
    is_repeated: bool = False  # the same signed bytes were answered before


@dataclass(frozen=True, slots=True, kw_only=True)
class StopState:
    """The owner's stop of one entrance as it stands."""

    stopped: bool
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdPresence:
    """What the household says of itself at one entrance."""

    somebody_home: bool
    away: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingDelivery:
    """A delivery that may still come, with the instant of the last look at the entrance's readiness for it."""

    delivery: VisitDelivery
    checked: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """What the owner is to be told, stored before it is sent. `body` is the command as JSON; `id` rises."""

    id: int
    at: datetime
    entrance: str
    visit: str | None
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredClip:
    """One closed film file of a visit's part; `path` is relative to the storage folder."""

    path: str
    entrance: str
    visit: str
    part: int
    camera: str
    start: datetime
    end: datetime
    sha256: str
    fragments: int
    size: int
    gaps: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmRecord:
    """All that is known of one visit's (or incident's) part: its clips, its manifest, whether it is held or erased."""

    visit: str
    part: int
    entrance: str
    delivery: str | None
    began: datetime
    manifest_sha256: str | None = None
    sealed: datetime | None = None
    held: str | None = None  # why it may not be deleted
    erased: datetime | None = None
    clips: tuple[StoredClip, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHolder:
    """Somebody with an account, or who had one. `role` is one of the words of `gateway.web.auth.roles.Role`."""

    id: str
    name: str
    role: str
    added: datetime
    removed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """Somebody who is to have an account: `folded` is what he signs in under, `password` an argon2id string."""

    person: AccountHolder
    folded: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation that was not taken yet; `secret` is the SHA-256 of its token's secret, `by` an owner's id."""

    id: str
    secret: bytes = field(repr=False)
    role: str
    by: str
    made: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A browser in which a person has signed in before; `secret` is the SHA-256 of what its cookie holds."""

    id: str
    secret: bytes = field(repr=False)
    person: str
    seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in, as he is now; `secret` is the SHA-256 of what the cookie holds."""

    id: str
    secret: bytes = field(repr=False)
    device: str
    person: AccountHolder
    began: datetime
    seen: datetime
    browser: str | None = None  # a word of gateway/web/auth/user_agent.py


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBrandKey:
    """A brand's public signing key `x`: trusted without a break since `since`, or `distrusted`; `by`: who said so.

    `came`: from the house file (`file`), with the question of a brand that is not in it (`asked`), or later, an earlier
    key vouching for it (`next`). `standing`: `approved`, `waits` for the owner, or `refused`; only the first opens.
    """

    x: str
    kid: str
    brand: str
    since: datetime
    used: datetime | None = None  # the last message that it signed
    distrusted: datetime | None = None
    by: str | None = None
    came: str = "file"
    standing: str = "approved"
    withdrawn: datetime | None = None  # by the brand itself


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneStatus:
    """How a phone stands: the last try and what came of it, when it last took something, how many messages wait."""

    name: str
    language: str | None = None  # None: the house's
    tried: datetime | None = None
    heard: str | None = None
    reached: datetime | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedVisit:
    """A visit that is shown to whoever has its link; `secret` is the SHA-256 of the link's secret."""

    id: str
    secret: bytes = field(repr=False)
    visit: str
    by: str
    made: datetime
    until: datetime


class ClaimResult(StrEnum):
    """What came of a claim code."""

    DONE = auto()
    WRONG = auto()
    VOID = auto()  # no code, or too many wrong ones: a new one has to be made on the box
    TAKEN = auto()  # the box has an owner


class AccountChangeResult(StrEnum):
    """What came of a change of people."""

    DONE = auto()
    UNKNOWN = auto()  # no such person or invitation, or no longer
    NAME_TAKEN = auto()
    LAST_OWNER = auto()  # the house would be left without one
    BUSY = auto()  # not while a visit runs


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodeUse:
    """The code of a recovery (its SHA-256), which stays used until `keep`; and the body of the message about it."""

    code: bytes
    keep: datetime
    entrance: str
    message: bytes


class RecoveryResult(StrEnum):
    """What came of a code by which an owner comes back."""

    DONE = auto()
    USED = auto()
    GONE = auto()  # he is no owner any more


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseOffer:
    """The offer of the whole house to its next owner; `secret` is the SHA-256 of its token's secret, `by` an owner.

    Films stay where it `leaves_films`; where not, those that are held go only if it says so (`held_too`).
    """

    id: str
    secret: bytes = field(repr=False)
    by: str
    made: datetime
    leaves_films: bool
    held_too: bool = False
