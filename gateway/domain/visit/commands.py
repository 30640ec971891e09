"""All that an entrance can ask of the shell. Commit comes before effect for whatever increases access."""

from dataclasses import dataclass
from enum import StrEnum, auto

from devices.commands import Light, Sound
from gateway.domain.visit.state import DoorResult, Outcome, Refusal


class ScanAnswer(StrEnum):
    """What the door says to a scan."""

    WAIT = auto()
    GO = auto()
    NO = auto()


class Notification(StrEnum):
    """What the owner is told; `gateway/runtime/notifications/texts.py` has the words."""

    AT_THE_DOOR = auto()
    ASKS_FOR_YES = auto()
    ATTENDED = auto()
    NOT_OPENED = auto()
    LOCKED_AGAIN = auto()
    DOOR_OPEN = auto()
    LOOK_AFTER_THE_DOOR = auto()
    NOT_READY = auto()
    READY_AGAIN = auto()
    STOPPED_INSIDE = auto()
    LIFT_THE_HANDLE = auto()
    BATTERY_SOON = auto()
    SAFE_MODE = auto()
    STORE_IN_DOUBT = auto()  # not the entrance's doing: the box's store may be an older copy
    CODE_OF_SEVERAL = auto()
    BRAND_ASKS = auto()
    NEW_KEY = auto()  # not the entrance's doing: a brand that is let in has another key, which waits for the owner
    PASSWORD_RESET = auto()  # not the entrance's doing: somebody at the box set an owner's password anew
    SET_ASIDE = auto()  # not the entrance's doing: something from outside raised an unforeseen error


class AlarmCode(StrEnum):
    """What is wrong, said at once and loudly."""

    BOLT_IN_THE_AIR = auto()
    CAMERA_CODE_LIMIT = auto()
    CAMERA_LOST = auto()
    DISK_FULL = auto()
    DOOR_FORCED_OPEN = auto()
    DOOR_LEFT_OPEN = auto()
    FRIDGE_LEFT_OPEN = auto()
    FRIDGE_TOO_WARM = auto()
    HAND_USE_WHILE_AWAY = auto()
    LATE_UNLOCK = auto()
    LOCK_JAMMED = auto()
    LOCK_REFUSED = auto()
    NOT_LOCKED = auto()
    PROOF_INCOMPLETE = auto()
    SAFE_MODE = auto()
    SCANS_DROPPED = auto()
    STOPPED_INSIDE = auto()
    UNEXPECTED_UNLOCK = auto()
    UNLOCK_UNKNOWN = auto()
    WRONG_CODE_LIMIT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerScan:
    """Answer a scan at its scanner. The signal is not set by it: a `ShowSignal` comes beside it where one is due."""

    scan: str
    scanner: str
    word: ScanAnswer
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RingBell:
    """Ring by the door's buzzer; the signal's confirmation comes back as `BellRang`."""

    visit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveOpening:
    """The intent: its transaction checks the three versions again and counts one opening and one withdrawal."""

    visit: str
    delivery: str
    version: int
    permission_version: int
    stop_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlock:
    """Withdraw the bolt, once. `life` in seconds from the moment of publishing."""

    visit: str
    life: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Throw the bolt; `n` numbers the tries of this visit's part."""

    visit: str
    n: int
    life: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseGarageDoor:
    """Send the garage door down; `n` numbers how often since it opened. `life` as of `Unlock`."""

    visit: str
    n: int
    life: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDevice:
    """Ask a device ("lock", "door" or, at a garage, "way") for its state; the answer carries `number` back."""

    device: str
    session: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeOpening:
    """The reserved opening is used up."""

    visit: str
    delivery: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOpening:
    """The reserved opening comes back; the withdrawal too when it was certainly not sent."""

    visit: str
    delivery: str
    withdrawal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRecording:
    """Record all cameras of the entrance, pre-roll first, as this visit's (or incident's) part."""

    visit: str
    part: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecording:
    """End the recording; `keep` False deletes what was recorded (nobody came in)."""

    visit: str
    part: int
    keep: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SealProof:
    """Write and sign the manifest of this visit's part."""

    visit: str
    part: int
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowSignal:
    """Set the signal at the door."""

    light: Light
    sound: Sound


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyOwner:
    """Tell the owner. `picture`: with a fresh picture of the camera that sees the courier."""

    saying: Notification
    delivery: str | None = None
    visit: str | None = None
    detail: str = ""
    picture: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseAlarm:
    """Raise an alarm; `detail` names the device or place where one matters."""

    code: AlarmCode
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNote:
    """A line in the log and nothing else."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportParcelResult:
    """The parcels' result, once a visit: nothing more of it will come under this visit.

    A visit in which nobody came in, whose opening was given back and which may be tried again, tells no result:
    the promise is still open. `missing` counts the parcels that were not scanned, where it is partly delivered.
    """

    visit: str
    delivery: str
    outcome: Outcome
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDoorResult:
    """The house's result, once; after an acknowledged hand-over the owner's door is locked again in a second line."""

    visit: str
    delivery: str
    house: DoorResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReadiness:
    """The entrance is (not) ready for this delivery; `lacking` is empty when it is."""

    delivery: str
    lacking: tuple[str, ...]


Command = (
    AnswerScan
    | RingBell
    | ReserveOpening
    | Unlock
    | Lock
    | CloseGarageDoor
    | QueryDevice
    | ConsumeOpening
    | ReleaseOpening
    | StartRecording
    | StopRecording
    | SealProof
    | ShowSignal
    | NotifyOwner
    | RaiseAlarm
    | LogNote
    | ReportParcelResult
    | ReportDoorResult
    | ReportReadiness
)
