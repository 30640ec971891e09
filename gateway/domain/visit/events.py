"""Defines every event that can happen at one entrance."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from devices.reports import BatteryLevel, OperationError, OperationSource
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.label import LabelElements
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.domain.visit.conditions.contract import ConditionReport
from gateway.domain.visit.state import CodeKind, KeeperCode, PausePeriod, RobotProof, StayPeriod


class ReportContext(Frozen):
    """How a report reached the gateway; this decides what it proves."""

    session: int
    retained: bool = False
    answers: int | None = None  # the number of the gateway's query that it answers; None: unsolicited
    boot: str | None = None  # the device's own boot id
    seq: int | None = None  # the device's own rising sequence number


class Restarted(Frozen):
    """First event after a boot, before any report. `safe_mode`: the third crash within a minute."""

    safe_mode: bool = False


class BrokerUp(Frozen):
    """A new broker session; session numbers never repeat, not even after a restart."""

    session: int


class BrokerDown(Frozen):
    """The connection to the broker is lost: from here on nothing is observed."""


class SensorReported(Frozen):
    """A sensor of a closure (`lock`, `street/door`) reported a value of its quantity.

    `is_movement`: it reports a move as it happens; the end of the move is queried. `age_s`: how long ago the device
    measured it, if it says so.
    """

    sensor: str
    value: str
    context: ReportContext
    source: OperationSource = OperationSource.UNSPECIFIED
    user: str | None = None
    is_movement: bool = False
    jammed: bool = False
    age_s: float | None = None


class WitnessReported(Frozen):
    """A witness of a closure reported a value of one of its sensors. The report may be stored.

    What it says that is bad keeps the closure shut until it says otherwise. A live one is bad news of the sensor
    itself, too, and has its own `SensorReported`.
    """

    sensor: str
    device: str
    value: str


class SequenceAdvanced(Frozen):
    """The device of a sensor published something that does not concern this sensor.

    Examples are a battery level and the progress of a command. The event only advances the device's sequence number:
    without it the next report would seem to follow a gap, and a gap breaks observation. Never sent for a publication
    that gave a `SensorReported` of this sensor.
    """

    sensor: str
    context: ReportContext


class BatteryReported(Frozen):
    """The lock ("lock"), the door sensor ("door") or a device beside them ("fridge/ID") reported its battery.

    Never sent for a retained message that is good: bad news counts however old it is, good news does not.
    """

    device: str
    level: BatteryLevel
    percent: int | None = None  # if a live report contained it


class LockFailed(Frozen):
    """The device that opens a closure, or one that relays its commands, reports why a command failed.

    `command`: its id, if the device names it.
    """

    failure: OperationError
    closure: str = MAIN_CLOSURE
    command: str | None = None


class SensorOffline(Frozen):
    """The link of a sensor's device is down: its value is unknown from here on."""

    sensor: str


class ReportsMissed(Frozen):
    """The receive queue overflowed and reports were lost: the state of every device is unknown until queried again."""


class CameraChanged(Frozen):
    """A camera's state changed; the proofs at 4 Hz stay between video and `perform`."""

    camera: str
    live: bool
    moving: bool
    recording: bool  # the running clip


class DiskChanged(Frozen):
    """Whether films and log can be stored: the reserved space is free and the last write succeeded."""

    ok: bool


class WalkTestChanged(Frozen):
    """The state of the entrance's walk test; `failed`: it forbids unattended visits. Also sent at each start."""

    failed: bool


class BellPressed(Frozen):
    """Somebody outside pressed the bell: if the box closes the closure itself, the courier has finished."""


class CodeMatch(Frozen):
    """One delivery that contains the scanned code."""

    kind: CodeKind
    delivery: VisitDelivery


class Scanned(Frozen):
    """A scanner or camera read a code at the door."""

    id: str  # random, made by the runtime: it becomes the id of the visit and of the intent
    scanner: str
    code: str  # normalised
    matches: tuple[CodeMatch, ...] = ()
    keeper: KeeperCode | None = None  # the keeper whose code it is; the code then belongs to no delivery
    awaiting: tuple[CodeMatch, ...] = ()  # with a keeper's code: the parcel that was scanned before it
    robot: RobotProof | None = None  # no scanner read it: a robot proved who it is and what it carries
    retained: bool = False
    expected_only: bool = False  # a camera read it: the gateway answers a known code only
    label: LabelElements = field(default_factory=dict)  # the rules that were read with it


class ScansDropped(Frozen):
    """This many scans were dropped unread because a scanner floods. The runtime sends it at most once a minute."""

    count: int


class BellConfirmed(Frozen):
    """The signal at the door confirmed that it rang for this visit."""

    visit: str


class HouseholdAnswered(Frozen):
    """Somebody inside pressed the answer button."""


class OwnerDecided(Frozen):
    """The owner's decision on a visit that waits for approval."""

    visit: str
    yes: bool


class OpeningDecided(Frozen):
    """A supervisor's decision on one opening, by a signed message about a picture that this box had served.

    A yes counts for the opening of this closure in this visit, once, until `yes_life` after `issued` (UTC) and not
    after `expires`. A no before the door opens ends the visit; later it stops it as the owner's stop does.
    """

    visit: str
    closure: str
    yes: bool
    by: str  # the supervisor
    issued: datetime
    expires: datetime
    message_sha256: str  # of the signed message
    picture_sha256: str = ""  # of the picture that a yes names; a no has none
    token: str = ""  # the signed message itself, for the proof
    key: Mapping[str, str] = field(default_factory=dict)  # the public key that signed it, a JWK


class HolderLeft(Frozen):
    """Who acts in the visit, and cannot go out by hand, has left; `carries`: the parcels that he took away again."""

    holder: str
    carries: frozenset[str] = frozenset()


class HolderStrayed(Frozen):
    """Whether it is unknown where who acts in the visit, and cannot go out by hand, is: a person moved it.

    As long as it is unknown, that he left is not believed (`HolderLeft`).
    """

    holder: str
    is_astray: bool


class Stopped(Frozen):
    """The owner's stop; an epoch that is not newer than the last is ignored."""

    epoch: int


class StopLifted(Frozen):
    """The owner lifts the stop."""

    epoch: int


class OwnerAcknowledged(Frozen):
    """The owner checked a door that was handed over, or ends safe mode (`visit` None)."""

    visit: str | None


class LockoutCleared(Frozen):
    """The owner lets a locked-out scanner try again."""

    scanner: str


class HomeChanged(Frozen):
    """The household reports whether somebody is home, and whether it is away (then use by hand raises an alarm)."""

    somebody_home: bool
    away: bool


class PausesChanged(Frozen):
    """All pauses of this entrance as they are in the store now."""

    pauses: tuple[PausePeriod, ...]


class StaysChanged(Frozen):
    """All stays of guests at this entrance as they are in the store now."""

    stays: tuple[StayPeriod, ...]


class LockRequested(Frozen):
    """Somebody requests to lock now (a person's id; None: without an account); `id` is random, made by the runtime."""

    id: str
    by: str | None


class KeeperWithdrawn(Frozen):
    """The owner withdrew these codes of keepers (their ids in the store): they no longer count."""

    codes: frozenset[str]


class WindowChanged(Frozen):
    """Whether a delivery's window is open or near at this entrance."""

    near: bool


class PreflightDue(Frozen):
    """It is time to check whether the entrance is ready for this delivery."""

    delivery: VisitDelivery


class FactsChanged(Frozen):
    """The stored delivery changed: after an update, a cancellation, a revocation, or an intent that was rolled back."""

    delivery: VisitDelivery
    stopped: bool
    epoch: int
    pauses: tuple[PausePeriod, ...] | None = None  # set where the intent was rolled back
    stays: tuple[StayPeriod, ...] | None = None  # the same


class UnsentReason:
    """Why an unlock was not sent."""

    STOP = "stop"
    PROOF_TOO_OLD = "proof_too_old"
    BROKER = "broker"
    EXPIRED = "expired"
    SENSOR = "sensor"  # a sensor of the route reported something bad between the decision and the publishing
    NO_DEVICE = "no_device"  # the house file names no device that opens this closure
    UNMARKED = "unmarked"  # the mark outside the store could not be written: an older store would go unnoticed


class UnlockNotSent(Frozen):
    """Not one byte of the unlock went to the broker; this is certain. `why` is one of `UnsentReason`."""

    visit: str
    closure: str = MAIN_CLOSURE
    why: str


class UnlockPublished(Frozen):
    """The order to open a closure left the box at this instant (UTC); only a report can show whether it arrived.

    The event causes no command. It is in the log, so that the proof has the time at which the order left.
    """

    visit: str
    closure: str = MAIN_CLOSURE
    at: datetime


class FilmClosed(Frozen):
    """The clips of this part are closed, hashed and named; `gaps` are declared gaps."""

    visit: str
    part: int
    gaps: tuple[str, ...] = ()


class ProofSealed(Frozen):
    """The manifest of this part is signed and on disk."""

    visit: str
    part: int


class TimerExpired(Frozen):
    """The earliest deadline in `Entrance.timers` has passed."""


DeviceEvent = (
    BrokerUp
    | BrokerDown
    | SensorReported
    | WitnessReported
    | SequenceAdvanced
    | BatteryReported
    | SensorOffline
    | ReportsMissed
    | CameraChanged
    | DiskChanged
    | WalkTestChanged
    | ConditionReport
)
"""An event of a device or of its link."""

HouseholdEvent = (
    HouseholdAnswered
    | OwnerDecided
    | Stopped
    | StopLifted
    | OwnerAcknowledged
    | LockoutCleared
    | HomeChanged
    | PausesChanged
    | StaysChanged
    | LockRequested
    | KeeperWithdrawn
)
"""A decision of the owner or the household."""

Event = (
    DeviceEvent
    | HouseholdEvent
    | Restarted
    | LockFailed
    | BellPressed
    | Scanned
    | ScansDropped
    | BellConfirmed
    | OpeningDecided
    | HolderLeft
    | HolderStrayed
    | WindowChanged
    | PreflightDue
    | FactsChanged
    | UnlockNotSent
    | UnlockPublished
    | FilmClosed
    | ProofSealed
    | TimerExpired
)
