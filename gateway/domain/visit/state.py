"""One entrance and at most one visit: everything that `decide` may know.

All of it is frozen and can be written to the store and read back (`pydantic.TypeAdapter(Entrance)`).
Durations and deadlines are monotonic seconds; only a delivery's window is UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Generic, TypeVar

from devices.reports import AlarmPanelState, BatteryLevel, DoorState, LockState, PresenceState
from gateway.domain.timing import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """One reading of the clock. `mono` are seconds that only go forward and begin anew at a boot."""

    utc: datetime
    trusted: bool
    mono: float


class Phase(StrEnum):
    """What the door physically does under a visit. No visit: the entrance is ready."""

    RINGING = auto()
    APPROVING = auto()
    UNLOCKING = auto()
    UNLOCKED = auto()
    INSIDE = auto()
    RELOCKING = auto()
    LOCKED_AGAIN = auto()
    HANDED_TO_OWNER = auto()


BEFORE_INTENT = frozenset({Phase.RINGING, Phase.APPROVING})


class Outcome(StrEnum):
    """What became of the visit's parcels, latched once."""

    DELIVERED = auto()
    PARTLY_DELIVERED = auto()
    NOT_DELIVERED = auto()
    ATTENDED = auto()
    REFUSED = auto()
    UNKNOWN = auto()


class DoorResult(StrEnum):
    """How the visit left the house, latched once, apart from the parcels' outcome."""

    NOT_OPENED = auto()
    LOCKED_AGAIN = auto()
    HANDED_TO_OWNER = auto()


class RelockStep(StrEnum):
    """Where a relocking stands; every step is a question with one deadline."""

    WAIT = auto()
    DOOR_BEFORE = auto()
    BOLT_MOVES = auto()
    BOLT_ANSWERS = auto()
    DOOR_AFTER = auto()


class Refusal(StrEnum):
    """Why a scan is answered with no. At the door all are one neutral word; these stand in the log."""

    OUTSIDE_WINDOW = auto()
    UNKNOWN_CODE = auto()
    CODE_OF_SEVERAL = auto()  # several brands that may come in now announced it, and nothing tells which is meant
    ALREADY_USED = auto()
    EXPIRED = auto()
    CANCELLED = auto()
    BRAND_NOT_PERMITTED = auto()
    CARRIER_NOT_PERMITTED = auto()
    COURIER_NOT_PROVEN = auto()
    WRONG_ENTRANCE = auto()
    NOT_READY = auto()
    CAMERA_UNAVAILABLE = auto()
    CLOCK_UNTRUSTED = auto()
    LOCKED_OUT = auto()
    BUSY = auto()
    HOUSEHOLD_PRESENT = auto()
    STOPPED_BY_OWNER = auto()
    PAUSED = auto()
    AWAITING_PERMISSION = auto()
    NOT_APPROVED = auto()
    FRIDGE_TOO_WARM = auto()
    KEY_DISTRUSTED = auto()
    HUB_SIGNED_NOT_PERMITTED = auto()  # the hub signed it, not its brand
    ANNOUNCE_AGAIN = auto()  # promised before the box's state was put back from a copy: it may have been used since


class Timer(StrEnum):
    """A reason in the due map: why `decide` wants to be asked again at an instant."""

    RING = auto()  # the ringing time (a veto) is over
    BELL = auto()  # the bell must have rung
    CAMERA = auto()  # the cameras must have proven themselves
    APPROVAL = auto()  # the owner's yes must have come
    ANSWER = auto()  # the device must have answered
    NEVER = auto()  # nobody went in
    STABLE = auto()  # the door has been closed long enough
    OPEN_LONG = auto()  # the door has been open too long
    RELOCK = auto()  # the bolt may be thrown
    OUTAGE = auto()  # the broker has been away too long to go on alone
    POST_ROLL = auto()  # the film may end
    SEAL = auto()  # film closed, proof sealed
    ALARM = auto()  # say it again
    CLOSE = auto()  # the next step of sending a garage door down
    AIR = auto()  # the bolt looks thrown with the door open: it must have answered
    # these outlive a phase
    LOCKOUT = auto()
    HALF = auto()
    WATCH = auto()
    HELD = auto()  # an unlock that no report answered is held no longer: bolt and door are to prove it
    FORCED = auto()
    INCIDENT = auto()
    PROBE = auto()
    PREFLIGHT = auto()
    SIGNAL = auto()  # the red light of a refusal goes out
    SAFE = auto()  # safe mode looks at bolt and door again
    PAUSE = auto()  # a pause begins or ends
    LOCKUP = auto()  # the lock-up that somebody asked for: its answer is due, or its result was shown for long enough


class Obstruction(StrEnum):
    """What the light beam under a garage door sees."""

    CLEAR = auto()
    OBSTRUCTED = auto()
    UNKNOWN = auto()


class ClosingStep(StrEnum):
    """How far the sending down of a garage door has come."""

    NOT = auto()
    ASKED = auto()  # whether something is in the way, before the warning
    WARNED = auto()  # the signal warns
    ASKED_AGAIN = auto()  # after the warning
    SENT = auto()  # the door was sent down
    WAITING = auto()  # it could not be, or did not come down: tried again later


ENTRANCE_WIDE = frozenset(
    {
        Timer.LOCKOUT,
        Timer.HALF,
        Timer.WATCH,
        Timer.HELD,
        Timer.FORCED,
        Timer.INCIDENT,
        Timer.PROBE,
        Timer.PREFLIGHT,
        Timer.SIGNAL,
        Timer.SAFE,
        Timer.PAUSE,
        Timer.LOCKUP,
    },
)

WALK_TEST = "walk-test"  # who promises the delivery of a walk test

T = TypeVar("T", LockState, DoorState, Obstruction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Generic[T]):
    """Bad news is believed at once; good news only as the answer to a question asked after the last bad news."""

    value: T
    proven: bool = False
    stable_since: float = 0.0  # the value held, observed without a break, since
    answered_query_id: int = -1  # the newest question that this value answered
    min_query_id: int = 0  # only an answer to a question numbered at or above this proves
    boot: str | None = None
    seq: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraState:
    """What the video process last said of one camera; only changes arrive here."""

    live: bool = False  # packets, rising timestamps, decodable pictures
    moving: bool = False  # motion or the burnt-in clock within 1.5 s
    recording: bool = False  # the running clip's first fragment is on disk


class CodeKind(StrEnum):
    """What a scanned code is to a delivery."""

    PARCEL = auto()
    COURIER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitDelivery:
    """What the store says of a promise and its permission, at the moment of the event that carries it."""

    id: str
    version: int
    permission_version: int
    brand: str
    carrier: str
    entrance: str
    place: str
    refusal: Refusal | None  # the delivery's or its permission's own reason to say no
    start: datetime
    end: datetime
    openings_left: int
    withdrawals_left: int
    needs_courier: bool = False
    needs_yes: bool = False
    cold_max_c: float | None = None  # cold chain: the place may not be warmer
    parcels: frozenset[str] = frozenset()  # normalised parcel codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration says of this entrance. Seconds, unless said otherwise."""

    cameras: Mapping[str, bool] = field(default_factory=dict)  # required camera -> it sees the courier
    guarded: bool = True  # the lock checks id and expiry itself (by challenge or its own countdown)
    door_answers: bool = True  # the door sensor can be asked; if not it is a basic door
    presence: tuple[str, ...] = ()  # devices that say whether somebody is home
    alarm: str | None = None  # the alarm panel, where there is one
    bypassed: frozenset[AlarmPanelState] = frozenset()  # its modes in which opening this door sets off nothing
    garage_door: bool = False  # the lock is the opener of a garage door
    obstruction_sensor: bool = False  # and it tells of a light beam, so that the door may be sent down
    warning: float = 10.0  # how long the signal warns before
    closing: float = 30.0  # the opener's declared longest time from the command until the sensor says closed
    left_open: int = 5  # how often an open garage door is told of before it is the owner's
    latency: float = 3.0  # the lock's declared longest answer
    command_hold: float = 900.0  # the longest time for which what carries a command to the lock may hold it
    unlatch: bool = False  # the knob outside is fixed: only a pulled latch lets anybody in
    lift_handle: bool = False  # somebody has to lift the handle before the bolts can be thrown
    handle: float = 20.0  # how long somebody is given to lift it before the next try
    timing: Timing = field(default_factory=Timing)
    open_limit: Mapping[str, float] = field(default_factory=dict)  # place -> how long the door may stand open
    tries: int = 3
    wrong: int = 3
    tried: int = 20  # different unknown codes of a scanner in `tried_period`, whatever excused their labels
    tried_period: float = 3600.0
    camera_tried: int = 30  # the same of a camera that reads labels: it sees more than what is held up to it
    camera_tried_period: float = 600.0
    held_probe: float = 30.0  # how often a lock is asked that may still obey an unlock which no report answered
    signal: float = 5.0  # how long a refusal's red light stays
    lockup_shown: float = 60.0  # how long the result of a lock-up stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One person's passage under one delivery."""

    id: str  # also the intent's id: one visit, one intent
    delivery: VisitDelivery
    phase: Phase
    scanner: str
    bell_confirmed: bool = False
    approved: bool | None = None  # the owner's word, None until it is said
    attended: bool = False  # somebody of the household answered or came
    unlock_intent: bool = False  # the intent
    command_valid_until: float = (
        0.0  # monotonic: until then an unlocking command of ours may still act by its own lifetime
    )
    unlock_unanswered: bool = False  # the unlock was sent, and no report says that the lock obeyed it or refused it
    hold_expired: bool = False  # nothing can hold it any longer: bolt and door were asked, and have to prove it
    observed_throughout: bool = True  # observed without a break since the intent
    opened: bool = False  # the door was seen open under this visit
    reservation_settled: bool = False  # the reservation was spent or given back, once
    not_sent: str | None = None  # why the unlock certainly never left, one of `events.NotSent`
    queried: bool = False
    relock: RelockStep = RelockStep.WAIT
    lock_tries: int = 0
    lock_tries_refunded: int = 0  # since the door was last opened: tries that a lost broker cut short
    jammed: bool = False
    jam_notified: bool = False
    lock_refused: bool = False  # the lock said why it did not obey, and was not asked since
    refusal_notified: bool = False
    handle_notified: bool = False
    warm_notified: bool = False
    tried_to_lock: bool = False
    courier_left: bool = False  # the courier said that he is outside, and nothing broke the beam since
    closing: ClosingStep = ClosingStep.NOT
    close_commands: int = 0  # how often the door was sent down since it opened
    stop_notified: bool = False
    open_notifications: int = 0
    parcels: frozenset[str] = frozenset()
    outcome: Outcome | None = None  # latched
    door_result: DoorResult | None = None  # latched
    acknowledged: bool = False  # the owner looked after a door that was handed to them
    part: int = 1
    filming: bool = True  # this part's film runs
    gaps: tuple[str, ...] = ()
    film_closed: bool = False
    sealing: bool = False
    unsealed_parts: tuple[
        tuple[int, tuple[str, ...]], ...
    ] = ()  # (earlier part, its gaps) whose film is not closed yet


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLockout:
    """Wrong codes of one scanner, or of one camera that reads labels (only `tried`, the lock-out and `seen`)."""

    unknown_codes: tuple[tuple[str, float], ...] = ()  # (code, counted at), one a label
    label_codes: frozenset[str] = frozenset()  # codes of the label being read
    label_read_at: float = -1e9
    locked_out: bool = False
    locked_out_until: float = 0.0  # monotonic: the end of the lock-out
    recent_codes: tuple[
        tuple[str, float], ...
    ] = ()  # codes of the last moment (`Rules.merge`) and when they were taken in
    retained_noted: bool = False  # the newest scan was a retained one, and is in the log
    tried_codes: tuple[tuple[str, float], ...] = ()  # different unknown codes and when; nothing takes these back
    excused_deliveries: tuple[str, ...] = ()  # deliveries whose code has excused a label already, the newest last


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingScan:
    """A parcel without its courier yet, or the other way round: a code of this version of the delivery and no other."""

    delivery: str
    version: int = 0
    kind: CodeKind
    codes: frozenset[str]
    scan: str  # the newest scan of it, to be answered when the other half does not come
    scanner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """A delivery whose readiness is watched. `lacking` is what was last said, None before the first word."""

    delivery: VisitDelivery
    lacking: tuple[str, ...] | None = None
    batteries_to_change: tuple[str, ...] = ()  # batteries that the owner was told to change in time
    report_due: bool = False  # a word is owed even when nothing has changed


@dataclass(frozen=True, slots=True, kw_only=True)
class PausePeriod:
    """No delivery is let in from `start` up to, not including, `end` (UTC): the household said so. `id` names it."""

    id: str
    start: datetime
    end: datetime


class LockRequestResult(StrEnum):
    """What came of a lock-up: `PROVEN`, or why the door is not proven locked."""

    PROVEN = auto()
    DOOR_OPEN = auto()  # no lock was sent, or the door opened before the bolt was proven
    DOOR_UNKNOWN = auto()  # the door did not answer "closed": no lock was sent
    NOT_PROVEN = auto()  # a lock was sent, and bolt or door did not prove that it holds
    NO_LINK = auto()  # the broker is away: nothing can be asked or sent
    VISIT = auto()  # a visit runs: it locks by itself, and a stop is what ends it


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """Somebody asked to lock, and no visit runs: where its chain of questions stands, and in the end what came of it.

    `sent`: the bolt was told to go out; before that the relocking word is only `DOOR_BEFORE`.
    """

    id: str
    step: RelockStep = RelockStep.DOOR_BEFORE
    lock_sent: bool = False
    lock_refused: bool = False  # the lock said that it did not obey
    result: LockRequestResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryTrend:
    """How a battery goes down: the percentage at `since` (UTC), and the newest."""

    since: datetime
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FridgeState:
    """What a fridge says of itself: measured temperature or None, its door."""

    temp_c: float | None = None
    door: DoorState = DoorState.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """The whole state of one entrance."""

    id: str
    rules: Rules = field(default_factory=Rules)
    broker_session: int | None = None  # the broker session; None while there is none
    last_query_id: int = 0
    bolt: Fact[LockState] = field(default_factory=lambda: Fact(value=LockState.UNKNOWN))
    door: Fact[DoorState] = field(default_factory=lambda: Fact(value=DoorState.UNKNOWN))
    obstruction: Fact[Obstruction] = field(default_factory=lambda: Fact(value=Obstruction.UNKNOWN))  # of a garage door
    by_hand: bool = False  # how the bolt was last withdrawn
    by_hand_at: float = -1e9  # when the door was last used by hand
    cameras: Mapping[str, CameraState] = field(default_factory=dict)
    disk_ok: bool = False
    batteries: Mapping[str, BatteryLevel] = field(default_factory=dict)  # whose -> what was last said, over restarts
    battery_trends: Mapping[str, BatteryTrend] = field(
        default_factory=dict
    )  # of those batteries that tell a percentage
    batteries_to_change: frozenset[str] = frozenset()  # whose change was asked for, until it comes
    battery_notified_at: Mapping[str, float] = field(default_factory=dict)  # whose -> when that was said last
    fridges: Mapping[str, FridgeState] = field(default_factory=dict)  # place -> what its fridge says
    scan_lockouts: Mapping[str, ScanLockout] = field(default_factory=dict)
    pending_scan: PendingScan | None = None
    stopped: bool = False
    stop_epoch: int = 0
    pauses: tuple[PausePeriod, ...] = ()  # those that are not over
    somebody_home: bool = False
    away: bool = False
    walk_test_failed: bool = False  # the walk test forbids unattended visits: nothing is let in but its own delivery
    presence: Mapping[str, PresenceState] = field(default_factory=dict)  # device -> what it last said, in this session
    alarm_panel: AlarmPanelState = AlarmPanelState.UNKNOWN  # what the alarm panel last said, in this session
    safe_mode: bool = False
    safe_mode_lock_tries: int = 0  # how often safe mode threw the bolt
    safe_mode_query_id: int = 0  # the question to the lock of safe mode's running round, 0 for none
    window_near: bool = False  # a window is open or near
    preflights: tuple[Preflight, ...] = ()
    visit: Visit | None = None
    grace_visit: Visit | None = None  # the last sealed visit, while somebody may still come out
    incident: str | None = None  # the id under which an unexpected opening (or safe mode) is filmed
    lock_request: LockRequest | None = None
    timers: Mapping[Timer, float] = field(default_factory=dict)
