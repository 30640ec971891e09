"""All that a device can say.

The words are those of the Matter Door Lock cluster in snake_case; a vendor's own words stay inside its module.
An unknown wire value stays unknown: it never becomes a known state.
"""

from dataclasses import dataclass
from enum import StrEnum, auto


class LockState(StrEnum):
    """Where the bolt is (Matter LockState)."""

    LOCKED = auto()
    UNLOCKED = auto()
    NOT_FULLY_LOCKED = auto()
    UNLATCHED = auto()
    UNKNOWN = auto()


class BoltMotion(StrEnum):
    """What the bolt's motor is doing."""

    IDLE = auto()
    LOCKING = auto()
    UNLOCKING = auto()
    OPENING = auto()
    UNKNOWN = auto()


class DoorState(StrEnum):
    """Where the door's leaf is (Matter DoorState)."""

    CLOSED = auto()
    OPEN = auto()
    AJAR = auto()
    FORCED_OPEN = auto()
    JAMMED = auto()
    ERROR = auto()
    UNKNOWN = auto()


class GarageDoorState(StrEnum):
    """Where a garage door is by its opener's own word, or which way it moves."""

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


class BatteryLevel(StrEnum):
    """A battery's level in the four words that locks use."""

    CRITICAL = auto()
    LOW = auto()
    MEDIUM = auto()
    GOOD = auto()


class OperationError(StrEnum):
    """Why a device did not do what it was told (Matter OperationError and the words of other makers)."""

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
    """How far a command of ours has come: an acknowledgement is never the deed."""

    ACCEPTED = auto()
    SENT = auto()
    CONFIRMED = auto()


class PresenceState(StrEnum):
    """Where somebody is whom the household lets be followed."""

    HOME = auto()
    AWAY = auto()
    UNKNOWN = auto()


class AlarmPanelState(StrEnum):
    """What an alarm panel does (the states of Home Assistant's alarm panels)."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReport:
    """The bolt's state. `jammed` is None where the lock does not say.

    `event`: the lock tells a move as it happens. That is news, and no answer to a question.
    """

    bolt: LockState
    motion: BoltMotion = BoltMotion.UNKNOWN
    jammed: bool | None = None
    source: OperationSource = OperationSource.UNSPECIFIED
    user: str | None = None
    event: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorReport:
    """The leaf's state, from a sensor that does not depend on the lock."""

    door: DoorState


@dataclass(frozen=True, slots=True, kw_only=True)
class GarageDoorReport:
    """The opener of a garage door. `clear`: nothing breaks the light beam; None where it says nothing of it."""

    cover: GarageDoorState = GarageDoorState.UNKNOWN
    clear: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryReport:
    """A device's battery: `percent` 0 to 100 or None, `level` or None; at least one is known."""

    percent: int | None = None
    level: BatteryLevel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityReport:
    """Whether the device's own link answers. Offline makes all else it said unknown."""

    online: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReport:
    """How far the command with our `id` has come."""

    id: str
    progress: CommandProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReport:
    """A command of ours (`id`, or None where the device does not say which) failed, and why."""

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
    """Where a camera's H.264 stream is."""

    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FridgeReport:
    """One compartment. Temperatures in degrees Celsius; None where not measured or not told.

    `compartment` is empty where a thermometer lies in it that does not know where it lies.
    """

    compartment: str
    temp_c: float | None = None
    setpoint_c: float | None = None
    door: DoorState = DoorState.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReport:
    """The signal at the door did what the command with our `id` asked (light on, buzzer sounded).

    `id` is empty where it carries none: it answers a question that was asked after the command.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerButtonReport:
    """Somebody inside pressed the answer button: the household is at home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceReport:
    """Whether somebody (or anybody, of a group) is home."""

    presence: PresenceState


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPanelReport:
    """What the alarm panel does."""

    panel: AlarmPanelState


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationReport:
    """What stands beside it in the same message answers the question that carried `echo` in its payload.

    Said by devices whose MQTT has no correlation data (3.1.1).
    """

    echo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswerReport:
    """What carries the device says that it did not answer our question: what comes now is no answer to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadablePayload:
    """The payload is none that this vendor's devices send; `why` is one clear line, safe to log."""

    why: str


Report = (
    LockReport
    | DoorReport
    | GarageDoorReport
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
    | CorrelationReport
    | NoAnswerReport
    | UnreadablePayload
)
