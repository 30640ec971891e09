"""Defines the state of one entrance with at most one visit: everything that `decide` may know.

All of it is frozen and can be stored and read back (`pydantic.TypeAdapter(Entrance)`). Durations and deadlines are
monotonic seconds; only a delivery's window is UTC.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum, auto
from typing import Generic, TypeVar

from devices.reports import AlarmPanelState, BatteryLevel, DoorState, LockState, PresenceState
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.domain.timing import Timing


class Phase(StrEnum):
    """The physical state of the door during a visit. Without a visit the entrance is ready."""

    RINGING = auto()
    APPROVING = auto()
    UNLOCKING = auto()
    UNLOCKED = auto()
    INSIDE = auto()
    RELOCKING = auto()
    LOCKED_AGAIN = auto()
    HANDED_TO_OWNER = auto()


BEFORE_INTENT = frozenset({Phase.RINGING, Phase.APPROVING})


class RelockStep(StrEnum):
    """The step of a relocking; every step is a query with one deadline."""

    WAIT = auto()
    DOOR_BEFORE = auto()
    BOLT_MOVES = auto()
    BOLT_ANSWERS = auto()
    DOOR_AFTER = auto()


class Timer(StrEnum):
    """The reason for a deadline: why `decide` must run again at an instant."""

    RING = auto()  # the ringing time (a veto) is over
    BELL = auto()  # the bell must have rung
    CAMERA = auto()  # the cameras must have proven that they film
    APPROVAL = auto()  # the owner's approval must have come
    ANSWER = auto()  # the device must have answered
    NEVER = auto()  # nobody went in
    STABLE = auto()  # the door has been closed long enough
    OPEN_LONG = auto()  # the door has been open too long
    RELOCK = auto()  # the bolt may be thrown
    OUTAGE = auto()  # the broker has been away too long to go on alone
    POST_ROLL = auto()  # the film may end
    SEAL = auto()  # film closed, proof sealed
    ALARM = auto()  # repeat the alarm
    CLOSE = auto()  # the next step of closing a garage door
    AIR = auto()  # the bolt seems thrown with the door open: it must have answered
    # these outlive a phase
    LOCKOUT = auto()
    HALF = auto()
    WATCH = auto()
    HELD = auto()  # an unlock that no report answered can act no longer: bolt and door must prove it
    FORCED = auto()
    INCIDENT = auto()
    PROBE = auto()
    PREFLIGHT = auto()
    SIGNAL = auto()  # the red light of a refusal goes out
    SAFE = auto()  # safe mode queries bolt and door again
    PAUSE = auto()  # a pause begins or ends
    LOCKUP = auto()  # a lock request: its answer is due, or its result was shown long enough


class Obstruction(StrEnum):
    """The state of the light beam under a garage door."""

    CLEAR = auto()
    OBSTRUCTED = auto()
    UNKNOWN = auto()


class ClosingStep(StrEnum):
    """The step in closing a garage door."""

    NOT = auto()
    ASKED = auto()  # queried for an obstruction, before the warning
    WARNED = auto()  # the signal warns
    ASKED_AGAIN = auto()  # queried again, after the warning
    SENT = auto()  # the close command was sent
    WAITING = auto()  # it could not be sent, or the door did not come down: tried again later


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

WALK_TEST = "walk-test"  # the brand of the delivery of a walk test

T = TypeVar("T", LockState, DoorState, Obstruction)


class Fact(Frozen, Generic[T]):
    """A device's reported value; bad news counts at once, good news only as the answer to a later query."""

    value: T
    proven: bool = False
    stable_since: float = 0.0  # the value held, observed without a break, since
    answered_query_id: int = -1  # the newest query that this value answered
    min_query_id: int = 0  # only an answer to a query numbered at or above this proves
    boot: str | None = None
    seq: int = -1


class CameraState(Frozen):
    """The newest state of one camera from the video process; only changes arrive here."""

    live: bool = False  # packets, rising timestamps, decodable pictures
    moving: bool = False  # motion or the burnt-in clock within 1.5 s
    recording: bool = False  # the running clip's first fragment is on disk


class CodeKind(StrEnum):
    """What a scanned code is to a delivery."""

    PARCEL = auto()
    COURIER = auto()


class Rules(Frozen):
    """The configuration of this entrance. Times are in seconds unless stated otherwise."""

    cameras: Mapping[str, bool] = field(default_factory=dict)  # required camera -> it sees the courier
    guarded: bool = True  # the lock checks id and expiry itself (by challenge or its own countdown)
    door_answers: bool = True  # the door sensor answers queries; if not it is a basic door
    presence: tuple[str, ...] = ()  # devices that report whether somebody is home
    alarm: str | None = None  # the alarm panel, where there is one
    bypassed: frozenset[AlarmPanelState] = frozenset()  # its modes in which opening this door sets off nothing
    garage_door: bool = False  # the lock is the opener of a garage door
    obstruction_sensor: bool = False  # and it reports a light beam, so that the box may close the door
    warning: float = 10.0  # how long the signal warns before closing
    closing: float = 30.0  # the opener's declared longest time from the command until the sensor reports closed
    left_open: int = 5  # the number of notices about an open garage door before it is handed to the owner
    latency: float = 3.0  # the lock's declared longest answer
    command_hold: float = 900.0  # the longest time for which a bridge or radio may hold a command
    unlatch: bool = False  # the knob outside is fixed: only a pulled latch lets anybody in
    lift_handle: bool = False  # somebody has to lift the handle before the bolts can be thrown
    handle: float = 20.0  # the time to lift it before the next try
    timing: Timing = field(default_factory=Timing)
    open_limit: Mapping[str, float] = field(default_factory=dict)  # place -> how long the door may stand open
    tries: int = 3
    wrong: int = 3
    tried: int = 20  # different unknown codes of a scanner in `tried_period`, even if their labels were excused
    tried_period: float = 3600.0
    camera_tried: int = 30  # the same for a camera that reads labels: it also sees codes that nobody holds up to it
    camera_tried_period: float = 600.0
    held_probe: float = 30.0  # the query interval for a lock that may still obey an unlock which no report answered
    signal: float = 5.0  # how long a refusal's red light stays
    lockup_shown: float = 60.0  # how long the result of a lock request is shown


class Visit(Frozen):
    """One visit under one delivery."""

    id: str  # also the intent's id: one visit, one intent
    delivery: VisitDelivery
    phase: Phase
    scanner: str
    bell_confirmed: bool = False
    approved: bool | None = None  # the owner's decision, None until it is made
    attended: bool = False  # somebody of the household answered or came
    unlock_intent: bool = False  # the unlock intent is stored
    # Monotonic: until then an unlocking command of ours may still act by its own lifetime
    command_valid_until: float = 0.0
    unlock_unanswered: bool = False  # the unlock was sent, and no report shows that the lock obeyed or refused
    hold_expired: bool = False  # it can act no longer: bolt and door were queried, and have to prove their state
    observed_throughout: bool = True  # observed without a break since the intent
    opened: bool = False  # the door was seen open under this visit
    reservation_settled: bool = False  # the opening was consumed or released, once
    not_sent: str | None = None  # why the unlock was certainly never sent, one of `events.UnsentReason`
    queried: bool = False
    relock: RelockStep = RelockStep.WAIT
    lock_tries: int = 0
    lock_tries_refunded: int = 0  # since the door was last opened: tries that a lost broker interrupted
    jammed: bool = False
    jam_notified: bool = False
    lock_refused: bool = False  # the lock reported why it did not obey, and was not queried since
    refusal_notified: bool = False
    handle_notified: bool = False
    warm_notified: bool = False
    tried_to_lock: bool = False
    courier_left: bool = False  # the courier reported that he is outside, and nothing broke the beam since
    closing: ClosingStep = ClosingStep.NOT
    close_commands: int = 0  # the number of close commands since it opened
    stop_notified: bool = False
    open_notifications: int = 0
    parcels: frozenset[str] = frozenset()
    outcome: Outcome | None = None  # set once
    door_result: DoorResult | None = None  # set once
    acknowledged: bool = False  # the owner checked a door that was handed over
    part: int = 1
    filming: bool = True  # this part's film runs
    gaps: tuple[str, ...] = ()
    film_closed: bool = False
    sealing: bool = False
    # (earlier part, its gaps) whose film is not closed yet
    unsealed_parts: tuple[tuple[int, tuple[str, ...]], ...] = ()


class ScanLockout(Frozen):
    """Unknown codes of one scanner, or of a camera, which uses only `tried_codes`, `recent_codes` and the lockout."""

    unknown_codes: tuple[tuple[str, float], ...] = ()  # (code, counted at), one a label
    label_codes: frozenset[str] = frozenset()  # codes of the label being read
    label_read_at: float = -1e9
    locked_out: bool = False
    locked_out_until: float = 0.0  # monotonic: the end of the lockout
    # Codes of the last moment (`Timing.merge`) and when they were taken in
    recent_codes: tuple[tuple[str, float], ...] = ()
    retained_noted: bool = False  # the newest scan was a retained one, and is in the log
    tried_codes: tuple[tuple[str, float], ...] = ()  # different unknown codes and when; nothing reduces these
    excused_deliveries: tuple[str, ...] = ()  # deliveries whose code has excused a label already, the newest last


class PendingScan(Frozen):
    """One of the two codes, parcel or courier token, for this version of the delivery; the other is still missing."""

    delivery: str
    version: int = 0
    kind: CodeKind
    codes: frozenset[str]
    scan: str  # the newest scan of it, which gets an answer when the other code does not come
    scanner: str


class Preflight(Frozen):
    """A delivery whose readiness is tracked. `lacking` was last reported; None before the first report."""

    delivery: VisitDelivery
    lacking: tuple[str, ...] | None = None
    batteries_to_change: tuple[str, ...] = ()  # batteries that the owner was notified to change in time
    report_due: bool = False  # a report is due even when nothing has changed


class PausePeriod(Frozen):
    """A pause set by the household: no delivery may begin from `start` until before `end` (UTC). `id` names it."""

    id: str
    start: datetime
    end: datetime


class LockRequestResult(StrEnum):
    """The result of a lock request: `PROVEN`, or why the door is not proven locked."""

    PROVEN = auto()
    DOOR_OPEN = auto()  # no lock was sent, or the door opened before the bolt was proven
    DOOR_UNKNOWN = auto()  # the door did not answer "closed": no lock was sent
    NOT_PROVEN = auto()  # a lock was sent, and bolt or door did not prove that it holds
    NO_LINK = auto()  # the broker is away: the gateway can neither query nor send
    VISIT = auto()  # a visit runs: it locks by itself, and a stop is what ends it


class LockRequest(Frozen):
    """A request to lock while no visit runs: the step of its chain of queries, and in the end its result."""

    id: str
    step: RelockStep = RelockStep.DOOR_BEFORE
    lock_sent: bool = False
    lock_refused: bool = False  # the lock reported that it did not obey
    result: LockRequestResult | None = None


class BatteryTrend(Frozen):
    """How a battery discharges: the percentage at `since` (UTC), and the newest."""

    since: datetime
    first: int
    last: int


class FridgeState(Frozen):
    """The reported state of a fridge: measured temperature or None, its door."""

    temp_c: float | None = None
    door: DoorState = DoorState.UNKNOWN


class Entrance(Frozen):
    """The whole state of one entrance."""

    id: str
    rules: Rules = field(default_factory=Rules)
    broker_session: int | None = None  # None while there is no broker session
    last_query_id: int = 0
    bolt: Fact[LockState] = field(default_factory=lambda: Fact(value=LockState.UNKNOWN))
    door: Fact[DoorState] = field(default_factory=lambda: Fact(value=DoorState.UNKNOWN))
    obstruction: Fact[Obstruction] = field(default_factory=lambda: Fact(value=Obstruction.UNKNOWN))  # of a garage door
    by_hand: bool = False  # how the bolt was last withdrawn
    by_hand_at: float = -1e9  # when the door was last used by hand
    cameras: Mapping[str, CameraState] = field(default_factory=dict)
    disk_ok: bool = False
    batteries: Mapping[str, BatteryLevel] = field(default_factory=dict)  # device -> last level, over restarts
    # Of those batteries that report a percentage
    battery_trends: Mapping[str, BatteryTrend] = field(default_factory=dict)
    batteries_to_change: frozenset[str] = frozenset()  # devices whose change was requested, until it comes
    battery_notified_at: Mapping[str, float] = field(default_factory=dict)  # device -> when that was last notified
    fridges: Mapping[str, FridgeState] = field(default_factory=dict)  # place -> the reported state of its fridge
    scan_lockouts: Mapping[str, ScanLockout] = field(default_factory=dict)
    pending_scan: PendingScan | None = None
    stopped: bool = False
    stop_epoch: int = 0
    pauses: tuple[PausePeriod, ...] = ()  # those that are not over
    somebody_home: bool = False
    away: bool = False
    walk_test_failed: bool = False  # the walk test forbids unattended visits: only its own delivery may come in
    presence: Mapping[str, PresenceState] = field(default_factory=dict)  # device -> its last report in this session
    alarm_panel: AlarmPanelState = AlarmPanelState.UNKNOWN  # the alarm panel's last report in this session
    safe_mode: bool = False
    safe_mode_lock_tries: int = 0  # how often safe mode threw the bolt
    safe_mode_query_id: int = 0  # the query to the lock in safe mode's running round, 0 for none
    window_near: bool = False  # a window is open or near
    preflights: tuple[Preflight, ...] = ()
    visit: Visit | None = None
    grace_visit: Visit | None = None  # the last sealed visit, while somebody may still come out
    incident: str | None = None  # the id under which an unexpected opening (or safe mode) is filmed
    lock_request: LockRequest | None = None
    timers: Mapping[Timer, float] = field(default_factory=dict)
