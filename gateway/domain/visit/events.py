"""Defines every event that can happen at one entrance."""

from dataclasses import dataclass

from devices.reports import AlarmPanelState, BatteryLevel, DoorReport, LockReport, OperationError, PresenceState
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.visit.state import CodeKind, FridgeState, Obstruction, PausePeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """How a report reached the gateway; this decides what it proves.

    `answers` is the number of the gateway's query that it answers, None for an unsolicited report. `boot` and `seq` are
    the device's own boot id and rising sequence number, None where it has none.
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
    """A new broker session; session numbers never repeat, not even after a restart."""

    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerDown:
    """The connection to the broker is lost: from here on nothing is observed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReported:
    """The lock reported the state of its bolt."""

    report: LockReport
    context: ReportContext


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorReported:
    """The door sensor reported the state of the door."""

    report: DoorReport
    context: ReportContext


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceAdvanced:
    """The lock ("lock") or the door sensor ("door") published something that does not concern bolt or door.

    Examples are a battery level and the progress of a command. The event only advances the device's sequence number:
    without it the next report would seem to follow a gap, and a gap breaks observation. Never sent for a publication
    that gave a `LockReported` or `DoorReported`.
    """

    device: str
    context: ReportContext


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryReported:
    """The lock ("lock"), the door sensor ("door") or a device beside them ("fridge/ID") reported its battery.

    `rules.battery_level` maps a report to critical, low or good. Never sent for a retained message that is good: bad
    news counts however old it is, good news does not. `percent` is set if a live report contained it.
    """

    device: str
    level: BatteryLevel
    percent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFailed:
    """The lock, or the device that relays its commands, reports that a command failed, and why.

    `command` is the command's id, None if the report does not name it.
    """

    failure: OperationError
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOffline:
    """The link of the lock ("lock") or the door sensor ("door") is down: its state is unknown from here on."""

    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportsMissed:
    """The receive queue overflowed and reports were lost: the state of every device is unknown until queried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraChanged:
    """A camera's state changed.

    Only changes arrive; the proofs at 4 Hz stay between video and `perform`. `recording` is about the running clip.
    """

    camera: str
    live: bool
    moving: bool
    recording: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskChanged:
    """Whether films and log can be stored: the reserved space is free and the last write succeeded."""

    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkTestChanged:
    """The state of the entrance's walk test; `failed`: it forbids unattended visits. Also sent at each start."""

    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FridgeReported:
    """A fridge reported its state."""

    place: str
    fridge: FridgeState


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceReported:
    """A presence device reported where its person is. Never sent for a retained message that says "away"."""

    device: str
    presence: PresenceState


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPanelReported:
    """The alarm panel reported its mode. Never sent for a retained message with good news."""

    panel: AlarmPanelState


@dataclass(frozen=True, slots=True, kw_only=True)
class ObstructionReported:
    """The opener of a garage door reported whether something blocks the door's way."""

    obstruction: Obstruction
    context: ReportContext


@dataclass(frozen=True, slots=True, kw_only=True)
class BellPressed:
    """Somebody outside pressed the bell: at a garage, the courier who has finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMatch:
    """One delivery that contains the scanned code."""

    kind: CodeKind
    delivery: VisitDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """A scanner or camera read a code at the door; `code` is normalised.

    `id` is random, made by the runtime: it becomes the id of the visit and of the intent. `expected_only`: a camera
    read it, so the gateway answers only a known code and applies the camera's own limit.
    """

    id: str
    scanner: str
    code: str
    matches: tuple[CodeMatch, ...] = ()
    retained: bool = False
    expected_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScansDropped:
    """This many scans were dropped unread because a scanner floods. The runtime sends it at most once a minute."""

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
    """The owner's decision on a visit that waits for approval."""

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
    """The owner checked a door that was handed over, or ends safe mode (`visit` None)."""

    visit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockoutCleared:
    """The owner lets a locked-out scanner try again."""

    scanner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeChanged:
    """The household says whether somebody is home, and whether it is away (then hand use raises an alarm)."""

    somebody_home: bool
    away: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PausesChanged:
    """All pauses of this entrance as they are in the store now."""

    pauses: tuple[PausePeriod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequested:
    """Somebody requests to lock now (a person's id; None: without an account); `id` is random, made by the runtime."""

    id: str
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChanged:
    """Whether a delivery's window is open or near at this entrance."""

    near: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightDue:
    """It is time to check whether the entrance is ready for this delivery."""

    delivery: VisitDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsChanged:
    """The stored delivery changed: after an update, a cancellation, a revocation, or an intent that was rolled back.

    `pauses` is set where the intent was rolled back, otherwise None.
    """

    delivery: VisitDelivery
    stopped: bool
    epoch: int
    pauses: tuple[PausePeriod, ...] | None = None


class UnsentReason:
    """Why an unlock was not sent."""

    STOP = "stop"
    PROOF_TOO_OLD = "proof_too_old"
    BROKER = "broker"
    EXPIRED = "expired"
    UNMARKED = "unmarked"  # the mark outside the store could not be written: an older store would go unnoticed


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockNotSent:
    """Not one byte of the unlock went to the broker; this is certain. `why` is one of `UnsentReason`."""

    visit: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmClosed:
    """The clips of this part are closed, hashed and named; `gaps` are declared gaps."""

    visit: str
    part: int
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSealed:
    """The manifest of this part is signed and on disk."""

    visit: str
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerExpired:
    """The earliest deadline in `Entrance.timers` has passed."""


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
