"""Defines every report that a device can send.

The names are those of the Matter Door Lock cluster in snake_case; a vendor's own names stay inside its module. An
unknown wire value stays unknown: it never becomes a known state.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto


class LockState(StrEnum):
    """The position of the bolt (Matter LockState)."""

    LOCKED = auto()
    UNLOCKED = auto()
    NOT_FULLY_LOCKED = auto()
    UNLATCHED = auto()
    UNKNOWN = auto()


class BoltMotion(StrEnum):
    """The activity of the bolt's motor."""

    IDLE = auto()
    LOCKING = auto()
    UNLOCKING = auto()
    OPENING = auto()
    UNKNOWN = auto()


class DoorState(StrEnum):
    """The position of the door (Matter DoorState)."""

    CLOSED = auto()
    OPEN = auto()
    AJAR = auto()
    FORCED_OPEN = auto()
    JAMMED = auto()
    ERROR = auto()
    UNKNOWN = auto()


class GarageDoorState(StrEnum):
    """The position of a garage door as its opener reports it, or the direction of its movement."""

    OPEN = auto()
    CLOSED = auto()
    OPENING = auto()
    CLOSING = auto()
    UNKNOWN = auto()


class OperationSource(StrEnum):
    """Who or what moved the bolt (Matter OperationSource)."""

    UNSPECIFIED = auto()
    MANUAL = auto()
    PROPRIETARY_REMOTE = auto()
    KEYPAD = auto()
    AUTO = auto()
    BUTTON = auto()
    SCHEDULE = auto()
    REMOTE = auto()
    RFID = auto()
    BIOMETRIC = auto()
    ALIRO = auto()  # a phone or watch held at the reader


class BatteryLevel(StrEnum):
    """A battery's level in the four steps that locks use."""

    CRITICAL = auto()
    LOW = auto()
    MEDIUM = auto()
    GOOD = auto()


class OperationError(StrEnum):
    """Why a device did not execute a command (Matter OperationError and the errors of other manufacturers)."""

    UNSPECIFIED = auto()
    INVALID_CREDENTIAL = auto()
    DISABLED_USER_DENIED = auto()
    RESTRICTED = auto()
    INSUFFICIENT_BATTERY = auto()
    UNREACHABLE = auto()
    BUSY = auto()
    LOW_POWER = auto()
    TIMEOUT = auto()
    NOT_CALIBRATED = auto()
    EXPIRED = auto()
    REPEATED = auto()


class CommandProgress(StrEnum):
    """The progress of a command of the gateway; an acknowledgement never means that the bolt moved."""

    ACCEPTED = auto()
    SENT = auto()
    CONFIRMED = auto()


class PresenceState(StrEnum):
    """Where a tracked person of the household is."""

    HOME = auto()
    AWAY = auto()
    UNKNOWN = auto()


class AlarmPanelState(StrEnum):
    """The mode of an alarm panel (the states of Home Assistant's alarm panels)."""

    DISARMED = auto()
    ARMED_HOME = auto()
    ARMED_AWAY = auto()
    ARMED_NIGHT = auto()
    ARMED_VACATION = auto()
    ARMED_CUSTOM_BYPASS = auto()
    ARMING = auto()
    DISARMING = auto()
    PENDING = auto()  # somebody has come in: it will be triggered unless it is disarmed
    TRIGGERED = auto()
    UNKNOWN = auto()


class ParcelStatus(StrEnum):
    """Where a parcel is, as its carrier says (the states of the parcel integrations of Home Assistant)."""

    REGISTERED = auto()
    IN_TRANSIT = auto()
    OUT_FOR_DELIVERY = auto()
    AT_PICKUP_POINT = auto()
    DELIVERED = auto()
    RETURNING = auto()
    PROBLEM = auto()
    UNKNOWN = auto()


class CodeStatus(StrEnum):
    """What a keypad says of a slot for a code (Matter UserStatusEnum)."""

    AVAILABLE = auto()  # no code is there
    ENABLED = auto()
    DISABLED = auto()  # a code is there, and opens nothing
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReport:
    """The bolt's state. `jammed` is None where the lock does not report it.

    `event`: the lock reports a move as it happens. That is news, not the answer to a query.
    """

    bolt: LockState
    motion: BoltMotion = BoltMotion.UNKNOWN
    jammed: bool | None = None
    source: OperationSource = OperationSource.UNSPECIFIED
    user: str | None = None
    event: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorReport:
    """The door's state, from a sensor that does not depend on the lock."""

    door: DoorState


@dataclass(frozen=True, slots=True, kw_only=True)
class GarageDoorReport:
    """The state of a garage door's opener. `clear`: nothing breaks the light beam; None if it does not report that."""

    cover: GarageDoorState = GarageDoorState.UNKNOWN
    clear: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReport:
    """Whether something lies in a compartment. `occupied` is None where the sensor cannot tell."""

    occupied: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """Whether the key hangs on its hook. `present` is None where the sensor cannot tell."""

    present: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypadCode:
    """One slot of a keypad. A keypad never reports the PIN itself, and Perron never reads one.

    `name`: as it was set; None if the keypad stores no names. `starts` and `ends` (UTC): when the keypad accepts it;
    None: it does not report that, or it always accepts it.
    """

    slot: int
    status: CodeStatus
    name: str | None = None
    starts: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesReport:
    """The codes of a keypad. `is_complete`: a code that is not in it does not exist."""

    codes: tuple[KeypadCode, ...]
    is_complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedReport:
    """Whether a vehicle is parked: its engine is off and it does not roll. None where it cannot tell."""

    parked: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReport:
    """Where a vehicle is: WGS 84 in degrees, the radius of the fix in metres, and its age in seconds.

    A vehicle without a usable fix has None for all of them. `accuracy_m` or `age_s` alone is None where it is not said.
    """

    latitude: float | None = None
    longitude: float | None = None
    accuracy_m: float | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryReport:
    """A device's battery: `percent` 0 to 100 or None, `level` or None; at least one is known."""

    percent: int | None = None
    level: BatteryLevel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityReport:
    """Whether the device's own link works. Offline makes all its other reports unknown."""

    online: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReport:
    """The progress of the gateway's command with this `id`."""

    id: str
    progress: CommandProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReport:
    """A command of the gateway failed, and why; `id` is None if the device does not name the command."""

    id: str | None
    failure: OperationError


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """A scanner read `code`; `event` is the scanner's own id of this reading, or None."""

    code: str
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorbellPressed:
    """Somebody pressed the bell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionReport:
    """Whether the camera's own detector sees motion. Never proof of live pictures."""

    detected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    """The address of a camera's H.264 stream."""

    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FridgeReport:
    """One compartment. Temperatures in degrees Celsius; None where not measured or not reported.

    `compartment` is empty for a thermometer that does not know in which compartment it lies.
    """

    compartment: str
    temp_c: float | None = None
    setpoint_c: float | None = None
    door: DoorState = DoorState.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReport:
    """The signal at the door executed the command with this `id` (light on, buzzer sounded).

    `id` is empty where the signal returns none: then it answers a query that was sent after the command.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerButtonReport:
    """Somebody inside pressed the answer button: the household is at home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceReport:
    """Whether the person, or somebody of a group, is home."""

    presence: PresenceState


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPanelReport:
    """The mode of the alarm panel."""

    panel: AlarmPanelState


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedParcel:
    """One parcel of the household: its tracking number as the carrier writes it, and where it is."""

    number: str
    status: ParcelStatus


class TrackingReport:
    """A report about the household's parcels, which belongs to no entrance."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelsReport(TrackingReport):
    """All parcels that the household's tracking knows; None: it knows nothing at the moment."""

    parcels: tuple[TrackedParcel, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTimeReport(TrackingReport):
    """When the tracking last learnt something. It is sent before the parcels that it belongs to."""

    at: datetime


class RobotMode(StrEnum):
    """Who moves a robot (VDA 5050 operatingMode)."""

    STARTUP = auto()
    AUTOMATIC = auto()
    SEMIAUTOMATIC = auto()
    INTERVENED = auto()
    MANUAL = auto()
    SERVICE = auto()
    TEACH_IN = auto()
    UNKNOWN = auto()


class ZoneStatus(StrEnum):
    """The status of a robot's request for a zone, as the robot reports it (VDA 5050 requestStatus)."""

    REQUESTED = auto()
    GRANTED = auto()
    REVOKED = auto()
    EXPIRED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRequest:
    """A robot's request to enter a zone. The robot removes it from its state only after it left the zone.

    A zone's id is its own within its zone set only; `zone_set` None: the request names none.
    """

    id: str
    zone: str
    status: ZoneStatus
    zone_set: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotReport:
    """A robot reports its whole state. None is unknown.

    `requests`: for access to zones. `loads`: what it carries, as it names it. `release_lost`: it stands still in a zone
    because its permission ended.
    """

    mode: RobotMode
    emergency_stop: bool | None
    field_violation: bool | None
    requests: tuple[ZoneRequest, ...] | None
    loads: tuple[str, ...] | None
    release_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotIdentityReport:
    """A robot answers a challenge with a signed token, which the device layer does not read."""

    token: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationReport:
    """The other reports of the same message answer the query that carried `echo` in its payload.

    Sent by devices whose MQTT version has no correlation data (3.1.1).
    """

    echo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswerReport:
    """The device's bridge reports that the query got no answer: what the device sends now does not answer it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadablePayload:
    """The payload is not valid for this vendor's devices; `why` is one clear line, safe to log."""

    why: str


Report = (
    LockReport
    | DoorReport
    | GarageDoorReport
    | ContentReport
    | KeyReport
    | CodesReport
    | ParkedReport
    | PositionReport
    | BatteryReport
    | AvailabilityReport
    | ProgressReport
    | ErrorReport
    | ScanReport
    | DoorbellPressed
    | MotionReport
    | StreamReport
    | FridgeReport
    | SignalReport
    | AnswerButtonReport
    | PresenceReport
    | AlarmPanelReport
    | ParcelsReport
    | UpdateTimeReport
    | RobotReport
    | RobotIdentityReport
    | CorrelationReport
    | NoAnswerReport
    | UnreadablePayload
)
