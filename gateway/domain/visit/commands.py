"""Defines every command that the state machine can give the runtime."""

from enum import StrEnum, auto
from typing import Annotated, assert_never

from pydantic import Field

from devices.commands import Light, Sound
from gateway.domain.delivery.result import CollectResult, DoorResult, Outcome, Refusal
from gateway.domain.frozen import Frozen


class ScanAnswer(StrEnum):
    """The answer to a scan at the door."""

    WAIT = auto()
    GO = auto()
    NO = auto()


class Notification(StrEnum):
    """A notification to the owner; `gateway/runtime/notifications/texts.py` contains the texts."""

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
    KEY_TAKEN = auto()
    KEY_MISSED = auto()  # it should be on its hook by now
    BATTERY_SOON = auto()
    SAFE_MODE = auto()
    STORE_IN_DOUBT = auto()  # not from an entrance: the box's store may be an older copy
    CODE_OF_SEVERAL = auto()
    BRAND_ASKS = auto()
    NEW_KEY = auto()  # not from an entrance: a granted brand has a new key, which waits for the owner's decision
    PASSWORD_RESET = auto()  # not from an entrance: somebody at the box reset an owner's password
    SET_ASIDE = auto()  # not from an entrance: an input from outside raised an unforeseen error
    PARCEL_RECEIVED = auto()  # from a reception, as the next three
    PARCEL_DECLINED = auto()
    PARCEL_HANDED_OVER = auto()
    NO_RECEIVER = auto()
    ADMITTED = auto()  # the box let somebody of the household's own in: nobody rings
    LATE_COURIER = auto()  # no entrance sends it: a courier is late, and asks for more time
    ON_THE_WAY = auto()  # no entrance sends it, as the next one: a courier set out
    EXPECTED_AT = auto()  # a courier says when he comes
    MOVED = auto()  # no entrance sends it: the house moved a delivery to another place
    BOOKING_PROPOSED = auto()  # no entrance sends it, as the next two: a source of guests' bookings has a new one
    BOOKING_CHANGED = auto()
    BOOKING_GONE = auto()  # the source does not list it any more


BOOKING_NOTIFICATIONS = (Notification.BOOKING_PROPOSED, Notification.BOOKING_CHANGED, Notification.BOOKING_GONE)


class AlarmCode(StrEnum):
    """The reason for an alarm, which the gateway raises at once."""

    BOLT_IN_THE_AIR = auto()
    CAMERA_CODE_LIMIT = auto()
    CAMERA_LOST = auto()
    CODE_STILL_VALID = auto()  # at a keypad, after its end: it is not read back as gone
    CAR_MOVES_OPEN = auto()
    DISK_FULL = auto()
    DOOR_FORCED_OPEN = auto()
    DOOR_LEFT_OPEN = auto()
    FRIDGE_LEFT_OPEN = auto()
    FRIDGE_TOO_COLD = auto()
    FRIDGE_TOO_WARM = auto()
    HAND_USE_WHILE_AWAY = auto()
    KEPT_TOO_LONG = auto()  # a perishable parcel at a reception
    KEY_LATE = auto()
    LATE_UNLOCK = auto()
    LOCK_JAMMED = auto()
    LOCK_REFUSED = auto()
    NOT_LOCKED = auto()
    PROOF_INCOMPLETE = auto()
    ROBOT_STRANDED = auto()  # a robot stands in the way, and cannot or does not leave
    SAFE_MODE = auto()
    SCANS_DROPPED = auto()
    STOPPED_INSIDE = auto()
    UNEXPECTED_UNLOCK = auto()
    UNLOCK_UNKNOWN = auto()
    WRONG_CODE_LIMIT = auto()


class AnswerScan(Frozen):
    """Answer a scan at its scanner. It does not set the signal: a separate `ShowSignal` does that where needed."""

    scan: str
    scanner: str
    answer: ScanAnswer
    refusal: Refusal | None = None
    lacking: tuple[str, ...] = ()  # of `not_ready`: what the route lacks, in its closures' words
    delivery: str | None = None  # with "no": the refused delivery; None: no delivery has this code


class RingBell(Frozen):
    """Ring the buzzer at the door; the signal's confirmation comes back as `BellConfirmed`."""

    visit: str


class ReserveOpening(Frozen):
    """Store the intent to open one closure; the transaction rechecks the three versions.

    The first one of a visit (`stage` 0) counts one opening and one withdrawal.
    """

    visit: str
    closure: str
    stage: int
    delivery: str
    version: int
    permission_version: int
    stop_epoch: int
    permit: str = ""  # SHA-256 of the signed yes to this opening, which counts once; empty: none was needed


class ValueAge(Frozen):
    """How old a value was when an order to open rested on it: of a sensor whose good values grow old.

    `sensor`: its role at the closure. `age_s`: seconds since it was measured; `max_age_s`: how old it might be.
    """

    sensor: str
    value: str
    age_s: float
    max_age_s: float


class Unlock(Frozen):
    """Open one closure, once. `life`: seconds from the moment of publishing until the command expires.

    `ages`: of the values that grow old. They are for the log and the proof alone.
    """

    visit: str
    closure: str
    pulls_latch: bool = False
    life: float
    ages: tuple[ValueAge, ...] = ()


class Lock(Frozen):
    """Lock one closure; `attempt` numbers the tries in this part of the visit."""

    visit: str
    closure: str
    attempt: int
    life: float


class Close(Frozen):
    """Close one closure by its motor; `attempt` counts the tries since it opened. `life` as in `Unlock`."""

    visit: str
    closure: str
    attempt: int
    life: float


class QuerySensor(Frozen):
    """Query the device of a sensor (`lock`, `street/door`) for its state; the answer returns `number`."""

    sensor: str
    session: int
    number: int


class ConsumeOpening(Frozen):
    """Mark the reserved opening as used."""

    visit: str
    delivery: str


class ReleaseOpening(Frozen):
    """Release the reserved opening, and the withdrawal too if the unlock was certainly not sent."""

    visit: str
    delivery: str
    withdrawal: bool


class StartRecording(Frozen):
    """Record all cameras of the entrance, pre-roll first, as this part of the visit (or incident).

    There is no such command, and so no film, for a part in a stay of guests or of an errand that is not filmed.
    """

    visit: str
    part: int = 1


class StopRecording(Frozen):
    """End the recording; `keep` False deletes what was recorded (nobody came in)."""

    visit: str
    part: int
    keep: bool


class SealProof(Frozen):
    """Write and sign the manifest of this part of the visit."""

    visit: str
    part: int
    gaps: tuple[str, ...]


class ShowSignal(Frozen):
    """Set the signal at the door."""

    light: Light
    sound: Sound


class NotifyOwner(Frozen):
    """Notify the owner. `picture`: with a new picture from the camera that sees the courier.

    `closure`: the closure that it is about, if the entrance has other closures than one door.
    """

    notification: Annotated[Notification, Field(alias="saying")]  # the name in stored messages
    delivery: str | None = None
    visit: str | None = None
    detail: str = ""
    picture: bool = False
    closure: str = ""


class RaiseAlarm(Frozen):
    """Raise an alarm. `detail` names the device or place, if one matters; `closure` is as in `NotifyOwner`."""

    code: AlarmCode
    detail: str = ""
    closure: str = ""


OwnerMessage = NotifyOwner | RaiseAlarm


class LogNote(Frozen):
    """Write an entry to the log; nothing else follows from it."""

    what: str


class ReportParcelResult(Frozen):
    """Report the parcels' result, once per visit; none if the released opening leaves the delivery open."""

    visit: str
    delivery: str
    outcome: Outcome
    missing: int = 0  # parcels that were not scanned, where it is partly delivered
    collected: CollectResult | None = None  # of a delivery that also collects; None: nothing is known of it


class ReportDoorResult(Frozen):
    """Report the door result, once; a second time where a door that was handed over is locked again."""

    visit: str
    delivery: str
    door_result: DoorResult


class ReportReadiness(Frozen):
    """Report whether the entrance is ready for this delivery; `lacking` is empty when it is."""

    delivery: str
    lacking: tuple[str, ...]


Command = (
    AnswerScan
    | RingBell
    | ReserveOpening
    | Unlock
    | Lock
    | Close
    | QuerySensor
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


class Performed(StrEnum):
    """When the runtime performs a command, seen from the commit of its decision."""

    BESIDE = auto()  # at once: it raises no access, and nothing that is stored has to precede it
    EVEN_UNSTORED = auto()  # after the commit, or after the commit failed: it raises no access
    STORED = auto()  # only after the commit


def when_performed(command: Command) -> Performed:
    """Return when a command is performed."""
    match command:
        # The person at the door and the bolt that locks wait for no disk. If newer facts overtake the decision, the
        # event is decided again: the scanner gets another answer, and the bell rang for nobody
        case AnswerScan() | ShowSignal() | RingBell() | Lock() | Close():
            return Performed.BESIDE
        # A query has the number of its stored state, a film belongs to a stored visit, a message has a stored number
        case RaiseAlarm() | NotifyOwner() | QuerySensor() | StartRecording() | StopRecording():
            return Performed.EVEN_UNSTORED
        case (
            ReserveOpening()
            | Unlock()
            | ConsumeOpening()
            | ReleaseOpening()
            | SealProof()
            | LogNote()
            | ReportParcelResult()
            | ReportDoorResult()
            | ReportReadiness()
        ):
            return Performed.STORED
        case _:
            assert_never(command)
