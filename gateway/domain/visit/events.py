"""All that can happen to one entrance."""

from dataclasses import dataclass

from devices.reports import AlarmPanelState, BatteryLevel, DoorReport, LockReport, OperationError, PresenceState
from gateway.domain.visit.state import CodeKind, FridgeState, Obstruction, PausePeriod, VisitDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """How a report reached us; this decides what it proves.

    `answers` is the number of our question that it answers, None when unasked. `boot` and `seq` are the device's own
    boot id and rising sequence number, None where it has none.
    """

    session: int
    retained: bool = False
    answers: int | None = None
    boot: str | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """First event after a boot, before any report. `safe_mode`: the third crash within a minute."""

    safe_mode: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUp:
    """A new broker session; numbers of sessions never repeat, not even over a restart."""

    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerDown:
    """The broker is lost: from here on nothing is observed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReported:
    """The lock said something of its bolt."""

    report: LockReport
    context: ReportContext


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorReported:
    """The door sensor said something of the leaf."""

    report: DoorReport
    context: ReportContext


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceAdvanced:
    """The lock ("lock") or the door sensor ("door") published something that tells nothing of bolt or leaf.

    A battery, the progress of a command. It only carries the device's sequence number on: without it the next report
    would look like one with a hole before it, and a hole breaks observation. Never sent for a publication that gave a
    `LockReported` or `DoorReported`.
    """

    device: str
    context: ReportContext


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryReported:
    """The lock ("lock"), the door sensor ("door") or what stands beside them ("fridge/ID") told its battery.

    `rules.battery` puts a report into one of three words: critical, low, good. Never sent for a stored copy that is
    good: bad news is believed however old it is, good news is not. `percent` where it was told, of live reports.
    """

    device: str
    level: BatteryLevel
    percent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFailed:
    """The lock, or what carries it, says that it did not do what it was told, and why.

    `command` is the order's id, None where it does not say which.
    """

    failure: OperationError
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOffline:
    """The link of the lock ("lock") or the door sensor ("door") is down: what it said is unknown from here on."""

    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportsMissed:
    """The receive queue overflowed: some reports were lost, all that is not asked again is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraChanged:
    """Edges only; the 4 Hz proofs stay between video and `perform`. `recording` speaks of the running clip."""

    camera: str
    live: bool
    moving: bool
    recording: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskChanged:
    """Whether films and log can be stored: the reserve is free and the last write succeeded."""

    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkTestChanged:
    """How the entrance's walk test stands now: `barred`, it forbids unattended visits. Said at each start too."""

    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FridgeReported:
    """A fridge said something of itself."""

    place: str
    fridge: FridgeState


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceReported:
    """A device that follows somebody said where they are. Never sent for a stored copy that says "away"."""

    device: str
    presence: PresenceState


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPanelReported:
    """The alarm panel said what it does. Never sent for a stored copy that says good news."""

    panel: AlarmPanelState


@dataclass(frozen=True, slots=True, kw_only=True)
class ObstructionReported:
    """The opener of a garage door said whether something is in the door's way."""

    obstruction: Obstruction
    context: ReportContext


@dataclass(frozen=True, slots=True, kw_only=True)
class BellPressed:
    """Somebody outside pressed the bell: at a garage, the courier who is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMatch:
    """One delivery that knows the scanned code."""

    kind: CodeKind
    delivery: VisitDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """A code was read at the door; `code` is normalised.

    `id` is random, made by the shell: it becomes the visit's and the intent's id. `expected_only`: read by a camera,
    so it is answered only where it is known, and counts by the camera's own limit.
    """

    id: str
    scanner: str
    code: str
    matches: tuple[CodeMatch, ...] = ()
    retained: bool = False
    expected_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScansDropped:
    """So many scans were dropped unread: somebody floods a scanner. The shell says it at most once a minute."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BellConfirmed:
    """The signal at the door confirmed that it rang for this visit."""

    visit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdAnswered:
    """Somebody inside pressed the answer button."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerDecided:
    """The owner's yes or no to a visit that waits for it."""

    visit: str
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The owner's stop; an epoch that is not newer than the last is ignored."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopLifted:
    """The owner lifts the stop."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerAcknowledged:
    """The owner looked after a door that was handed to them, or ends safe mode (`visit` None)."""

    visit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockoutCleared:
    """The owner lets a locked-out scanner try again."""

    scanner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeChanged:
    """The household says whether somebody is home, and whether it is away (then hand use alarms)."""

    somebody_home: bool
    away: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PausesChanged:
    """The household's pauses of this entrance, all of them, as they stand in the store now."""

    pauses: tuple[PausePeriod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequested:
    """Somebody (a person's id; None: not by an account) asks to lock now; `id` is random, made by the shell."""

    id: str
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChanged:
    """Whether a delivery's window is open or near at this entrance."""

    near: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightDue:
    """It is time to see whether the entrance is ready for this delivery."""

    delivery: VisitDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsChanged:
    """The store's fresh word on a delivery: on update, cancel, revocation, or an intent that was rolled back.

    `pauses` where the intent was rolled back, None where nothing is said of them.
    """

    delivery: VisitDelivery
    stopped: bool
    epoch: int
    pauses: tuple[PausePeriod, ...] | None = None


class UnsentReason:
    """Why an unlock did not leave."""

    STOP = "stop"
    PROOF_TOO_OLD = "proof_too_old"
    BROKER = "broker"
    EXPIRED = "expired"
    UNMARKED = "unmarked"  # the mark outside the store could not be written: an older store would not show


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockNotSent:
    """Certain: not one byte of the unlock went to the broker. `why` is one of `UnsentReason`."""

    visit: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmClosed:
    """The clips of this visit's part are closed, hashed and named; `gaps` are declared holes."""

    visit: str
    part: int
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSealed:
    """The manifest of this visit's part is signed and on disk."""

    visit: str
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerExpired:
    """The earliest instant of the due map has come."""


Event = (
    Restarted
    | BrokerUp
    | BrokerDown
    | LockReported
    | DoorReported
    | SequenceAdvanced
    | BatteryReported
    | LockFailed
    | DeviceOffline
    | ReportsMissed
    | CameraChanged
    | DiskChanged
    | WalkTestChanged
    | FridgeReported
    | PresenceReported
    | AlarmPanelReported
    | ObstructionReported
    | BellPressed
    | Scanned
    | ScansDropped
    | BellConfirmed
    | HouseholdAnswered
    | OwnerDecided
    | Stopped
    | StopLifted
    | OwnerAcknowledged
    | LockoutCleared
    | HomeChanged
    | PausesChanged
    | LockRequested
    | WindowChanged
    | PreflightDue
    | FactsChanged
    | UnlockNotSent
    | FilmClosed
    | ProofSealed
    | TimerExpired
)
