"""The models that the store takes and returns."""

from dataclasses import field
from datetime import datetime
from enum import StrEnum, auto

from gateway.domain.delivery.promise import DeliveryResult
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.commands import Command
from gateway.domain.visit.events import Event
from gateway.domain.visit.state import Entrance


class StoreFailed(Exception):  # noqa: N818 - the caller turns this failure into an event
    """Nothing of the work was stored, for certain: the disk is full, broken, or did not confirm."""


class DatabaseRefused(Exception):  # noqa: N818 - the name says what happened
    """This version cannot use the database file."""


class StoredDecision(Frozen):
    """One decision of an entrance, which is stored as a whole or not at all."""

    entrance: str
    event: Event
    state: Entrance
    commands: tuple[Command, ...]
    now: Now


class CommitResult(Frozen):
    """The decision is on disk; `seq` is the number of its log entry, `row` the stored body of it (JSON).

    `messages` are the numbers of the decision's messages to the owner, in their order.
    """

    seq: int
    messages: tuple[int, ...] = ()
    is_marked: bool = True  # of an intent: whether the mark outside the store was written; otherwise nothing may open
    row: bytes = field(default=b"", compare=False)


class MessageAnswer(Frozen):
    """The answer to a retailer's signed message, and what it concerns in this house.

    `changed` are the deliveries whose facts changed, so a running visit may need them. `permission_message` is the
    number of the message to the owner that the brand asks for permission, `time_message` that of a late courier's
    question, `arrival_message` that a courier comes, at `eta` if that is known.
    """

    result: DeliveryResult
    changed: tuple[str, ...] = ()
    permission_message: int | None = None
    time_message: int | None = None
    arrival_message: int | None = None
    eta: datetime | None = None


class StopState(Frozen):
    """The owner's stop of one entrance."""

    stopped: bool
    epoch: int


class HouseholdPresence(Frozen):
    """What the household reported about itself at one entrance."""

    somebody_home: bool
    away: bool


class StoredMessage(Frozen):
    """A message to the owner, stored before it is sent. `body` is the command as JSON; `id` rises."""

    id: int
    at: datetime
    entrance: str
    visit: str | None
    body: bytes


class StoredClip(Frozen):
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


class FilmRecord(Frozen):
    """One part of a visit or incident: its clips, its manifest, whether it is held or erased."""

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


class AccountHolder(Frozen):
    """A person who has or had an account. `role` is a value of `gateway.web.auth.roles.Role`."""

    id: str
    name: str
    role: str
    added: datetime
    removed: datetime | None = None


class NewAccount(Frozen):
    """A new account: `folded` is the name for sign-in, `password` an argon2id string."""

    person: AccountHolder
    folded: str
    password: str = field(repr=False)


class Invitation(Frozen):
    """An open invitation; `secret` is the SHA-256 of its token's secret, `by` an owner's id."""

    id: str
    secret: bytes = field(repr=False)
    role: str
    by: str
    made: datetime


class KnownDevice(Frozen):
    """A browser in which a person has signed in; `secret` is the SHA-256 of its cookie's content."""

    id: str
    secret: bytes = field(repr=False)
    person: str
    seen: datetime


class Session(Frozen):
    """A session with its person's present account; `secret` is the SHA-256 of its cookie's content."""

    id: str
    secret: bytes = field(repr=False)
    device: str
    person: AccountHolder
    began: datetime
    seen: datetime
    browser: str | None = None  # a value of gateway/web/auth/user_agent.py


class StoredBrandKey(Frozen):
    """A brand's public signing key `x`: trusted since `since`, or `distrusted`; `by`: the person who decided that.

    `came`: from the house file (`file`), with the request of a brand that is not in it (`asked`), or later, signed by
    an earlier key (`next`). `standing`: `approved`, `waits` for the owner, or `refused`; only an approved key is valid.
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


class PhoneStatus(Frozen):
    """A phone's last try and its result, the last success, and the number of waiting messages."""

    name: str
    language: str | None = None  # None: the house's
    tried: datetime | None = None
    heard: str | None = None
    reached: datetime | None = None
    muted: str = ""  # the categories that it is not told, by commas
    pairing: bool = False  # its address is shown until a test arrived
    waiting: int = 0


class SharedVisit(Frozen):
    """A visit that its link shows to an outsider; `secret` is the SHA-256 of the link's secret."""

    id: str
    secret: bytes = field(repr=False)
    visit: str
    by: str
    made: datetime
    until: datetime


class AccountResult(StrEnum):
    """The result of an operation on an account."""

    DONE = auto()
    CODE_WRONG = auto()
    CODE_VOID = auto()  # no claim code, or too many wrong tries: a new one must be made on the box
    CODE_USED = auto()  # of a recovery
    CLAIMED = auto()  # the box has an owner
    INVITATION_GONE = auto()  # the invitation or the offer that would make an account is not valid (any more)
    UNKNOWN = auto()  # there is no such owner, person, invitation or offer (any more)
    NAME_TAKEN = auto()
    LAST_OWNER = auto()  # the house would be left without one
    BUSY = auto()  # not while a visit runs


class RecoveryCodeUse(Frozen):
    """The code of a recovery (its SHA-256), which stays used until `keep`; and the body of the message about it."""

    code: bytes
    keep: datetime
    entrance: str
    message: bytes


class HouseOffer(Frozen):
    """The offer of the whole house to its next owner; `secret` is the SHA-256 of its token's secret, `by` an owner.

    With `leaves_films` the films stay; otherwise they are erased, the held ones only with `held_too`.
    """

    id: str
    secret: bytes = field(repr=False)
    by: str
    made: datetime
    leaves_films: bool
    held_too: bool = False
