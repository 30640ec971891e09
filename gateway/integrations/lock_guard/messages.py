"""What the guard's rules hear and what they want done; `GuardState` is all they know. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from types import MappingProxyType

from devices.commands import LockDoor, UnlockDoor
from devices.reports import DoorState, LockState, Report
from gateway.integrations.lock_guard.timing import Timing
from gateway.protocol.guard_message import ToGuard


class GuardPart(StrEnum):
    """Whom a message is about: the two devices behind the radio, or the guard itself."""

    LOCK = auto()
    DOOR = auto()
    GUARD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """What `guard.yaml` declares, and fixed limits; times in seconds.

    `silent`, `latency` and `timing` are those of `guard.yaml`. `longest`: the longest lifetime of a command. `alive`:
    how long the radio's broker may take to answer. `echoes`: the parts whose answers carry the number of the question.
    `latches`: the lock can also pull its latch. `settling`: after a bridge has come back, its messages in this time
    answer no question, because it repeats what it remembers.
    """

    lock: str
    door: bool
    silent: float
    echoes: frozenset[GuardPart] = frozenset()
    latches: bool = False
    settling: float = 5.0
    timing: Timing = field(default_factory=Timing)
    longest: float = 30.0
    alive: float = 0.5
    latency: float = 3.0


# ---- what is heard --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayMessage:
    """A message that the gateway's key signed. `fresh` is a new random word, for the challenge in the answer."""

    claims: ToGuard
    fresh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioReported:
    """A device behind the radio spoke, live. `number`: of our question that it answers, where it echoes.

    `by_bridge`: what carries it said it, of all that it carries.
    """

    part: GuardPart
    reports: tuple[Report, ...]
    number: int | None = None
    by_bridge: bool = False


@dataclass(frozen=True, slots=True)
class RadioConnected:
    """The radio's broker is there."""


@dataclass(frozen=True, slots=True)
class RadioDisconnected:
    """The radio's broker is lost."""


@dataclass(frozen=True, slots=True)
class RadioAnswered:
    """The radio's broker has just answered, asked because of the unlock that waits."""


@dataclass(frozen=True, slots=True)
class LedgerWriteFailed:
    """The disk did not take what had to be on it before a move: the move was not made and never will be."""


@dataclass(frozen=True, slots=True)
class CommandNotSent:
    """The radio's broker was lost at that instant: not one byte of the move left."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """A deadline passed."""


GuardEvent = (
    GatewayMessage
    | RadioReported
    | RadioConnected
    | RadioDisconnected
    | RadioAnswered
    | LedgerWriteFailed
    | CommandNotSent
    | DeadlinePassed
)


# ---- what is to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReport:
    """Tell the gateway, signed. `nonce` is a challenge that it may use for `nonce_life` from now."""

    part: GuardPart
    report: Report | None
    seq: int
    counter: int
    uptime_ms: int
    question: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLedger:
    """Have this on the disk before anything after it in the list is done."""

    counter: int
    intents: tuple[str, ...]
    owes: bool


@dataclass(frozen=True, slots=True)
class PublishCommand:
    """Publish this to the lock, now or never."""

    command: UnlockDoor | LockDoor


@dataclass(frozen=True, slots=True)
class QueryRadioDevice:
    """Ask a device behind the radio."""

    part: GuardPart
    number: int


@dataclass(frozen=True, slots=True)
class ProbeRadioBroker:
    """Ask the radio's broker for any answer at all: `RadioAnswered`."""


@dataclass(frozen=True, slots=True)
class GuardNote:
    """A line for the log."""

    what: str


GuardCommand = SendReport | WriteLedger | PublishCommand | QueryRadioDevice | ProbeRadioBroker | GuardNote


# ---- what is known --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IssuedNonce:
    """A challenge that was given, and until when it is taken back (monotonic seconds)."""

    value: str
    until: float


@dataclass(frozen=True, slots=True)
class OpenQuery:
    """A question to a device that is under way, and the gateway's questions that its answer will answer."""

    number: int
    until: float
    questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PendingUnlock:
    """An unlock that was found good and waits for the radio's broker to show that it is alive."""

    command: UnlockDoor
    nonce: IssuedNonce
    counter: int
    question: str
    until: float


class SecuringStep(StrEnum):
    """How far the guard's own locking has come."""

    DOOR = auto()  # the door is asked
    STABLE = auto()  # it said closed; it has to stay so
    DOOR_AGAIN = auto()  # it is asked once more
    MOVING = auto()  # the bolt was told to lock, and gets the time it needs
    BOLT = auto()  # it is asked


@dataclass(frozen=True, slots=True)
class SecuringSequence:
    """The guard's own locking: each step rests on an answer asked for after the step before."""

    step: SecuringStep
    number: int
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardState:
    """All the guard knows. Times are monotonic seconds; `began` is the boot's.

    `counter`, `intents` (the last that were obeyed) and `owes` (the guard withdrew the bolt, and it has not been proven
    locked since) are also on the disk. `heard` is when the gateway last showed that it is there.
    """

    settings: GuardSettings
    boot: str
    began: float
    counter: int
    intents: tuple[str, ...]
    owes: bool
    heard: float
    nonces: tuple[IssuedNonce, ...] = ()
    questions: tuple[str, ...] = ()  # the last that were taken: a copy of one asks nothing
    locked_by: tuple[str, ...] = ()  # ids of lock commands that were obeyed in this boot
    waiting: PendingUnlock | None = None
    seqs: Mapping[GuardPart, int] = field(default_factory=lambda: MappingProxyType({}))
    number: int = 0
    asked: Mapping[GuardPart, OpenQuery] = field(default_factory=lambda: MappingProxyType({}))
    queued: Mapping[GuardPart, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    radio: bool = False
    lost: frozenset[GuardPart] = frozenset()  # out of reach, as they or their bridge said
    back: Mapping[GuardPart, float] = field(default_factory=lambda: MappingProxyType({}))  # since when they are back
    bolt: LockState | None = None
    door: DoorState | None = None
    moved: float | None = None  # when the bolt was last told to withdraw in this boot
    floor: int = 0  # answers to earlier questions say nothing of the bolt after that
    withdrawn: bool = False  # since then it said something other than locked
    chain: SecuringSequence | None = None
    tries: float = 0.0  # no own locking before
