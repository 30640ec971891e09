"""Defines the guard's waiting times, events, commands and its whole state, `GuardState`. Pure."""

from collections.abc import Mapping
from dataclasses import field
from enum import Enum, StrEnum, auto

from pydantic import BaseModel, ConfigDict

from devices.commands import LockDoor, UnlockDoor
from devices.reports import DoorState, LockState, Report
from gateway.domain.frozen import Frozen
from gateway.domain.timing import Seconds
from gateway.protocol.guard_message import FromGuard, ToGuard


class Timing(BaseModel):
    """Waiting times of the guard. Leave them out: shorter times are for demonstrations and tests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nonce_life: Seconds = 15.0
    """Challenge lifetime: how long the gateway may use a challenge of the guard in a command. If it is too short, a
    slow network delays commands past it; if it is too long, a held-back command stays valid longer."""
    answer: Seconds = 5.0
    """Answer deadline: how long lock and door sensor may take to answer a question."""
    stable: Seconds = 2.0
    """Closed door: the time between the two answers `closed` that the guard needs before it locks by itself."""
    again: Seconds = 30.0
    """Next try: the time until the guard tries again to lock by itself."""
    moving: Seconds = 30.0
    """Movement after an unlock: an answer `locked` in this time after an unlock does not count, because the bolt may
    not have begun to move."""


class GuardPart(StrEnum):
    """The subject of a message: one of the two devices behind the radio, or the guard itself."""

    LOCK = auto()
    DOOR = auto()
    GUARD = auto()


class GuardSettings(Frozen):
    """What the guard's rules need of `guard.yaml` and of the vendors; times in seconds.

    `echoing_parts`: the parts whose answers carry the number of the query. `can_unlatch`: the lock can pull its latch.
    """

    lock: str
    has_door: bool
    max_silence_s: float
    echoing_parts: frozenset[GuardPart] = frozenset()
    can_unlatch: bool = False
    timing: Timing = field(default_factory=Timing)
    latency_s: float = 3.0


class GatewayMessage(Frozen):
    """A message that the gateway's key signed. `new_nonce` is the random challenge for the answer."""

    claims: ToGuard
    new_nonce: str


class RadioReported(Frozen):
    """A device behind the radio sent a live report. `query_number`: the query that it answers, if the device echoes it.

    `by_bridge`: the bridge sent it, for all its devices.
    """

    part: GuardPart
    reports: tuple[Report, ...]
    query_number: int | None = None
    by_bridge: bool = False


class GuardSignal(Enum):
    """An event without content."""

    RADIO_CONNECTED = auto()
    RADIO_DISCONNECTED = auto()
    RADIO_ANSWERED = auto()  # the radio's broker has just answered the probe for the unlock that waits
    LEDGER_WRITE_FAILED = auto()  # before a move: the move was not made and never will be
    COMMAND_NOT_SENT = auto()  # the radio's broker was lost at that instant: not one byte of the command was sent
    DEADLINE_PASSED = auto()


GuardEvent = GatewayMessage | RadioReported | GuardSignal


class WriteLedger(Frozen):
    """Write this to the disk before any later command of the list."""

    counter: int
    intents: tuple[str, ...]
    owes: bool


class QueryRadioDevice(Frozen, kw_only=False):
    """Query a device behind the radio."""

    part: GuardPart
    number: int


class ProbeRadioBroker(Frozen, kw_only=False):
    """Probe the radio's broker for any answer at all: `RADIO_ANSWERED`."""


class GuardNote(Frozen, kw_only=False):
    """Write an entry to the log."""

    text: str


GuardCommand = FromGuard | WriteLedger | UnlockDoor | LockDoor | QueryRadioDevice | ProbeRadioBroker | GuardNote
"""`FromGuard`: sign and send this report. `UnlockDoor`, `LockDoor`: publish it immediately or not at all."""


class IssuedNonce(Frozen, kw_only=False):
    """An issued challenge and its expiry (monotonic seconds)."""

    value: str
    until_mono: float


class OpenQuery(Frozen, kw_only=False):
    """An outstanding query to a device, and the gateway's queries that its answer will answer."""

    number: int
    until_mono: float
    questions: tuple[str, ...] = ()


class PendingUnlock(Frozen, kw_only=False):
    """A valid unlock that waits until the radio's broker proves that it is alive."""

    command: UnlockDoor
    nonce: IssuedNonce
    counter: int
    until_mono: float


class SecuringStep(StrEnum):
    """The step of the guard's own locking."""

    DOOR = auto()  # the door is queried
    STABLE = auto()  # it answered closed; it has to stay so
    DOOR_AGAIN = auto()  # it is queried once more
    MOVING = auto()  # the lock command was sent, and the bolt gets the time it needs
    BOLT = auto()  # it is queried


class SecuringSequence(Frozen, kw_only=False):
    """The guard's own locking: each step needs an answer that was requested after the step before."""

    step: SecuringStep
    number: int
    until_mono: float


class GuardState(Frozen):
    """The whole state of the guard. Times are monotonic seconds; `boot_mono` is the start of this boot.

    `counter`, `intents` (the last that were obeyed) and `owes_locking` (the guard withdrew the bolt, and it has not
    been proven locked since) are also on the disk. `gateway_heard_mono` is when the gateway last sent a message; at the
    start of the guard the gateway counts as present, and no challenge of an earlier boot is valid.
    """

    settings: GuardSettings
    boot: str
    boot_mono: float
    counter: int
    intents: tuple[str, ...]
    owes_locking: bool
    gateway_heard_mono: float
    nonces: tuple[IssuedNonce, ...] = ()
    questions: tuple[str, ...] = ()  # the last accepted ones: a copy of one queries nothing
    obeyed_lock_ids: tuple[str, ...] = ()  # ids of lock commands that were obeyed in this boot
    pending_unlock: PendingUnlock | None = None
    seqs: Mapping[GuardPart, int] = field(default_factory=dict)
    last_query_number: int = 0
    open_queries: Mapping[GuardPart, OpenQuery] = field(default_factory=dict)
    queued_questions: Mapping[GuardPart, tuple[str, ...]] = field(default_factory=dict)
    is_radio_connected: bool = False
    offline_parts: frozenset[GuardPart] = frozenset()  # offline, as they or their bridge reported
    # since when parts are online again
    back_since_mono: Mapping[GuardPart, float] = field(default_factory=dict)
    bolt: LockState | None = None
    door: DoorState | None = None
    unlocked_at_mono: float | None = None  # when the bolt was last commanded to withdraw in this boot
    min_query_number: int = 0  # answers to earlier queries do not prove the bolt after that
    bolt_has_moved: bool = False  # since then it reported something other than locked
    securing: SecuringSequence | None = None
    next_try_mono: float = 0.0  # no own locking before
