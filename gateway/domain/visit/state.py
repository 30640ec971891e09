"""Defines the state of one entrance with at most one visit: everything that `decide` may know.

All of it is frozen; what outlives a boot is stored as JSON (`storage.entrance_state`). Durations and deadlines are
monotonic seconds; only a delivery's window is UTC.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum, auto
from functools import cached_property

from devices.reports import BatteryLevel
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.delivery.temperature import Limits
from gateway.domain.frozen import Frozen
from gateway.domain.timing import Timing
from gateway.domain.visit.closures import ONE_DOOR, AnyClosure
from gateway.domain.visit.closures.contract import MAIN_CLOSURE, Fact, ProcedureRun, Sensor
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.conditions import ALWAYS, AnyCondition
from gateway.domain.visit.conditions.contract import ConditionReport


class Phase(StrEnum):
    """The physical state of the route during a visit. Without a visit the entrance is ready."""

    RINGING = auto()
    APPROVING = auto()
    UNLOCKING = auto()
    UNLOCKED = auto()
    INSIDE = auto()
    ADVANCING = auto()  # between two closures: the one behind is proven secured before the next one opens
    RELOCKING = auto()
    LOCKED_AGAIN = auto()
    HANDED_TO_OWNER = auto()


BEFORE_INTENT = frozenset({Phase.RINGING, Phase.APPROVING})
BETWEEN_INTENTS = BEFORE_INTENT | {Phase.ADVANCING}  # changes in the store still count for the next intent

TRANSITIONS: Mapping[Phase | None, frozenset[Phase | None]] = {
    None: frozenset({Phase.RINGING, Phase.RELOCKING}),
    Phase.RINGING: frozenset({Phase.APPROVING, Phase.UNLOCKING, None}),
    Phase.APPROVING: frozenset({Phase.UNLOCKING, None}),
    Phase.UNLOCKING: frozenset({Phase.UNLOCKED, Phase.INSIDE, Phase.RELOCKING, None}),
    Phase.UNLOCKED: frozenset({Phase.INSIDE, Phase.RELOCKING}),
    Phase.INSIDE: frozenset({Phase.ADVANCING, Phase.RELOCKING, Phase.HANDED_TO_OWNER}),
    Phase.ADVANCING: frozenset({Phase.UNLOCKING, Phase.INSIDE, Phase.RELOCKING}),
    Phase.RELOCKING: frozenset({Phase.INSIDE, Phase.LOCKED_AGAIN, Phase.HANDED_TO_OWNER}),
    Phase.LOCKED_AGAIN: frozenset({Phase.RELOCKING, None}),
    Phase.HANDED_TO_OWNER: frozenset({Phase.RELOCKING}),
}
"""Where a visit may go from each phase; None is no visit. `Step.transition` checks every change against this table.

From none to relocking: the courier comes out late, or a lock obeys late (`late`)."""


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
    RELOCK = auto()  # the closures may be secured
    ADVANCE = auto()  # the courier must have come to the next closure
    OUTAGE = auto()  # the broker has been away too long to go on alone
    POST_ROLL = auto()  # the film may end
    SEAL = auto()  # film closed, proof sealed
    ALARM = auto()  # repeat the alarm
    CLOSE = auto()  # the next step of a closure that the box itself closes
    AIR = auto()  # something seems wrong with an open closure: it must have answered
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
    PAUSE = auto()  # a pause or a stay begins or ends
    LOCKUP = auto()  # a lock request: its answer is due, or its result was shown long enough
    OVERDUE = auto()  # a closure behind the courier should be closed by now: a key that is out
    EXPIRY = auto()  # a sensor's value is too old, or is queried again before it is


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
        Timer.OVERDUE,
        Timer.EXPIRY,
    },
)

WALK_TEST = "walk-test"  # the brand of the delivery of a walk test


class CameraState(Frozen):
    """The newest state of one camera from the video process; only changes arrive here."""

    live: bool = False  # packets, rising timestamps, decodable pictures
    moving: bool = False  # motion or the burnt-in clock within 1.5 s
    recording: bool = False  # the running clip's first fragment is on disk


class CodeKind(StrEnum):
    """The kind of a scanned code of a delivery."""

    PARCEL = auto()
    COURIER = auto()
    KEEPER = auto()
    COLLECT = auto()  # of a parcel that the courier takes with him
    ITEM = auto()  # an item of the running visit's delivery, which opens nothing


class Holder(StrEnum):
    """Who acts at an entrance."""

    COURIER = auto()
    KEEPER = auto()  # a named person or company, with its own code


class KeeperCode(Frozen):
    """A code of a keeper of this house: its id in the store (no secret), and the id of its keeper."""

    code: str
    keeper: str
    withdrawn: bool = False


class RobotProof(Frozen):
    """A robot's signed proof of who it is and what it carries, verified by the runtime.

    `robot`: its id in the house file. `delivery`: the key of the delivery that it brings. `loads`: normalised parcel
    codes.
    """

    robot: str
    delivery: str
    loads: frozenset[str]


class Evidence(StrEnum):
    """What the proof of a visit must have; less than `film` is a declared gap."""

    FILM = auto()  # a film of the whole way
    DOOR_FILM = auto()  # a film of the door only
    SENSOR = auto()  # a sensor that detects that something was left
    SCAN = auto()  # a closing scan of the courier
    NONE = auto()


class Rules(Frozen):
    """The configuration of this entrance. Times are in seconds unless stated otherwise."""

    closures: tuple[AnyClosure, ...] = ONE_DOOR
    basic_sensors: frozenset[str] = frozenset()  # sensors whose device answers no query
    # Place -> its routes, the preferred one first; a place without one has all closures
    routes: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    cameras: Mapping[str, bool] = field(default_factory=dict)  # required camera -> it sees the courier
    watched_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # closure -> cameras that see who is there
    scanners: Mapping[str, str] = field(default_factory=dict)  # scanner -> the closure at which it hangs
    place_scanners: Mapping[str, str] = field(default_factory=dict)  # scanner -> the place inside at which it hangs
    holder: Holder = Holder.COURIER
    keepers: frozenset[str] = frozenset()  # the keepers whose code is accepted, if a keeper acts
    robots: frozenset[str] = frozenset()  # the robots that may come in, under supervision
    evidence: Evidence = Evidence.FILM
    has_signal: bool = True  # a signal rings and shows the answer; without one nobody has to confirm it
    household_refuses: bool = True  # while the household is present nothing opens: it can open itself
    conditions: tuple[AnyCondition, ...] = ALWAYS  # must be met before anything opens
    timing: Timing = field(default_factory=Timing)
    open_limit: Mapping[str, float] = field(default_factory=dict)  # place -> how long a closure may stand open
    tries: int = 3
    wrong: int = 3
    tried: int = 20  # different unknown codes of a scanner in `tried_period`, even if their labels were excused
    tried_period: float = 3600.0
    camera_tried: int = 30  # the same for a camera that reads labels: it also sees codes that nobody holds up to it
    camera_tried_period: float = 600.0
    held_probe: float = 30.0  # the query interval for a closure that may still obey a command that no report answered
    signal: float = 5.0  # how long a refusal's red light stays
    lockup_shown: float = 60.0  # how long the result of a lock request is shown

    @cached_property
    def closures_by_id(self) -> Mapping[str, AnyClosure]:
        """The closures by their ids."""
        return {closure.id: closure for closure in self.closures}

    @cached_property
    def sensors(self) -> tuple[tuple[str, AnyClosure, str, Sensor], ...]:
        """Each sensor of the entrance: its name, its closure, its role there, and its properties."""
        return tuple(
            (closure.sensor_names[role], closure, role, sensor)
            for closure in self.closures
            for role, sensor in closure.sensors.items()
        )

    @cached_property
    def aging_sensors(self) -> tuple[tuple[str, Sensor], ...]:
        """The names and properties of the sensors whose values become too old."""
        return tuple((name, sensor) for name, _, _, sensor in self.sensors if sensor.max_age_s is not None)

    def _closures_with(self, method: str) -> frozenset[str]:
        return frozenset(closure.id for closure in self.closures if closure.has_own(method))

    @cached_property
    def closures_with_marks(self) -> frozenset[str]:
        """The ids of the closures whose kind reports marks of a visit."""
        return self._closures_with("marks")

    @cached_property
    def closures_with_gaps(self) -> frozenset[str]:
        """The ids of the closures whose sensors may show gaps of the proof."""
        return self._closures_with("shown_gaps")

    @cached_property
    def closures_with_close(self) -> frozenset[str]:
        """The ids of the closures that the box itself can close."""
        return self._closures_with("close")

    @cached_property
    def conditions_of_household(self) -> tuple[AnyCondition, ...]:
        """The conditions that report whether the household is at home."""
        return tuple(condition for condition in self.conditions if condition.has_own("household"))

    @property
    def latency(self) -> float:
        """Return the longest time that a device of a closure needs to answer."""
        return max((closure.latency for closure in self.closures), default=0.0)

    @property
    def is_filmed(self) -> bool:
        """Return whether a film belongs to the proof."""
        return self.evidence in (Evidence.FILM, Evidence.DOOR_FILM)


class Once(StrEnum):
    """What the gateway notifies of once a visit."""

    JAM = auto()
    REFUSAL = auto()  # the lock refused a command
    PROMPT = auto()  # somebody has to do something at the door
    STOP = auto()


class Permit(Frozen):
    """A yes to one opening: until when it counts (monotonic), and the SHA-256 of the signed message."""

    until: float
    message_sha256: str


class Consent(Frozen):
    """The decisions of people before an intent, and of a supervisor during the visit."""

    bell_confirmed: bool = False
    approved: bool | None = None  # the owner's decision, None until it is made
    attended: bool = False  # somebody of the household answered or came
    permits: Mapping[str, Permit] = field(default_factory=dict)  # closure -> a yes to its opening, unused
    stopped: bool = False  # the supervisor stopped this visit after an intent


class Entry(Frozen):
    """The intents of a visit, and their effects."""

    stage: int = 0  # the closure of the route that is being opened, or was last
    ordered_at: Mapping[str, float] = field(default_factory=dict)  # closure -> when its intent was stored
    opened: frozenset[str] = frozenset()  # closures seen open under this visit
    # Monotonic: until then a command of ours to open may still act by its own lifetime
    command_valid_until: float = 0.0
    unanswered: frozenset[str] = frozenset()  # closures ordered open of which no report shows that they obeyed or not
    obeyed: frozenset[str] = frozenset()  # closures that obeyed, by a report
    hold_expired: bool = False  # those can obey no longer: they were queried, and have to prove their state
    observed_throughout: bool = True  # observed without a break since the first intent
    reservation_settled: bool = False  # the opening was consumed or released, once
    not_sent: str | None = None  # why the newest command was certainly never sent, one of `events.UnsentReason`
    queried: bool = False
    arrival_scan: str | None = None  # the scan with which the courier showed that he is at the next closure
    marks: frozenset[str] = frozenset()  # the marks of its closures


class Recording(Frozen):
    """The film of a visit. A part is one recording with its own manifest."""

    part: int = 1
    is_running: bool = True
    is_filmed: bool = True  # False: the part has no film, or its film was ended early
    gaps: tuple[str, ...] = ()
    is_closed: bool = False
    is_sealing: bool = False
    # (earlier part, its gaps) whose film is not closed yet
    unsealed_parts: tuple[tuple[int, tuple[str, ...]], ...] = ()


class Securing(Frozen):
    """How far the securing is, in the reverse order of the route: which closure, and its procedure."""

    is_waiting: bool = True  # for the wait before it, or for somebody to do something first
    closure: str | None = None
    run: ProcedureRun = ProcedureRun()
    refunded: int = 0  # tries that a lost broker interrupted, since something was last opened


class Visit(Frozen):
    """One visit under one delivery."""

    id: str  # also the intents' id: one visit has one intent per closure
    delivery: VisitDelivery
    phase: Phase = Phase.RINGING
    scanner: str  # where the courier scanned last: the answers go there
    keeper: KeeperCode | None = None  # the keeper who acts, if one does
    robot: str | None = None  # the robot that acts, if one does
    route: tuple[str, ...] = (MAIN_CLOSURE,)  # closures in the order in which they are opened
    consent: Consent = Consent()
    entry: Entry = Entry()
    securing: Securing = Securing()
    closing: ProcedureRun = ProcedureRun()  # of a closure that the box itself closes
    detecting: ProcedureRun = ProcedureRun()  # of what may be wrong with an open closure
    recording: Recording = Recording()
    notified: frozenset[Once] = frozenset()
    breaches: frozenset[AlarmCode] = frozenset()  # the alarms that its conditions raised; each is raised once
    refused: bool = False  # the device reported why it did not obey, and was not queried since
    jammed: bool = False
    holder_left: bool = False  # who cannot go out by hand was reported outside, once
    holder_astray: bool = False  # a person moved who cannot go out by hand: where he is, is not known
    courier_left: bool = False  # the courier reported that he is outside, and nothing cancelled it since
    reminders: int = 0  # how often it was notified that something stands open too long
    parcels: frozenset[str] = frozenset()
    collected: frozenset[str] = frozenset()  # the codes to collect that were scanned inside
    outcome: Outcome | None = None  # set once
    door_result: DoorResult | None = None  # set once
    acknowledged: bool = False  # the owner checked a door that was handed over

    @property
    def holder(self) -> str:
        """The id of the keeper who acts; empty: a courier acts."""
        return (self.robot or "") if self.keeper is None else self.keeper.keeper

    @property
    def awaits_exit(self) -> bool:
        """Return whether nothing may be closed or secured yet: a robot went in and has not reported that it left.

        It may also have gone in unseen, through a closure that obeyed before observation broke.
        """
        if self.robot is None or self.holder_left:
            return False
        return self.opened or (bool(self.entry.obeyed) and not self.entry.observed_throughout)

    @property
    def unlock_intent(self) -> bool:
        """Return whether an intent is stored."""
        return bool(self.entry.ordered_at)

    @property
    def opened(self) -> bool:
        """Return whether anything was seen open under this visit."""
        return bool(self.entry.opened)


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
    """One of the two codes, parcel or courier token, for this version of the delivery; the other is still missing.

    A keeper's code belongs to no delivery: then `delivery` is None.
    """

    delivery: str | None = None
    version: int = 0
    kind: CodeKind
    codes: frozenset[str]
    label_limits: Mapping[str, Limits] = field(default_factory=dict)  # that were read with these codes
    scan: str  # the newest scan of it, which gets an answer when the other code does not come
    scanner: str
    keeper: KeeperCode | None = None


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


class StayPeriod(Frozen):
    """A stay of guests at this entrance from `start` until before `end` (UTC): nothing is filmed.

    `admits_deliveries`: the owner lets couriers in all the same, where the entrance requires no film.
    """

    id: str
    start: datetime
    end: datetime
    admits_deliveries: bool = False


class LockRequestResult(StrEnum):
    """The result of a lock request: `PROVEN`, or why the door is not proven locked."""

    PROVEN = auto()
    DOOR_OPEN = auto()  # no lock was sent, or the door opened before the bolt was proven
    DOOR_UNKNOWN = auto()  # the door did not answer "closed": no lock was sent
    NOT_PROVEN = auto()  # a lock was sent, and bolt or door did not prove that it holds
    NO_LINK = auto()  # the broker is away: the gateway can neither query nor send
    VISIT = auto()  # a visit runs: it locks by itself, and a stop is what ends it


class LockRequest(Frozen):
    """A request to lock while no visit runs: which closure is being secured, and in the end the result."""

    id: str
    securing: Securing = Securing(is_waiting=False)
    is_closed: bool = False  # a closure answered that it is closed, so what follows can be a lock command
    result: LockRequestResult | None = None


class SafeMode(Frozen):
    """Safe mode after repeated crashes. `first_query_id`: the first query of the running round, 0 for none."""

    lock_tries: int = 0
    first_query_id: int = 0
    securing: Securing = Securing()


class BatteryTrend(Frozen):
    """How a battery discharges: the percentage at `since` (UTC), and the newest."""

    since: datetime
    first: int
    last: int


class Objection(Frozen):
    """The newest word of a witness about a sensor, which is bad."""

    sensor: str
    device: str
    value: str


class Entrance(Frozen):
    """The whole state of one entrance."""

    id: str
    rules: Rules = field(default_factory=Rules)
    broker_session: int | None = None  # None while there is no broker session
    last_query_id: int = 0
    facts: Mapping[str, Fact] = field(default_factory=dict)  # sensor -> what it reports; a missing one is unknown
    objections: tuple[Objection, ...] = ()  # of witnesses, until they say otherwise
    opened_by_hand: frozenset[str] = frozenset()  # closures that a hand unlocked or opened last, not a command
    by_hand_at: float = -1e9  # when a closure was last used by hand
    cameras: Mapping[str, CameraState] = field(default_factory=dict)
    disk_ok: bool = False
    batteries: Mapping[str, BatteryLevel] = field(default_factory=dict)  # device -> last level, over restarts
    # Of those batteries that report a percentage
    battery_trends: Mapping[str, BatteryTrend] = field(default_factory=dict)
    batteries_to_change: frozenset[str] = frozenset()  # devices whose change was requested, until it comes
    battery_notified_at: Mapping[str, float] = field(default_factory=dict)  # device -> when that was last notified
    # Source of a condition -> its newest report; a missing one is unknown
    surroundings: Mapping[str, ConditionReport] = field(default_factory=dict)
    scan_lockouts: Mapping[str, ScanLockout] = field(default_factory=dict)
    pending_scan: PendingScan | None = None
    stopped: bool = False
    stop_epoch: int = 0
    pauses: tuple[PausePeriod, ...] = ()  # those that are not over
    stays: tuple[StayPeriod, ...] = ()  # those that are not over
    somebody_home: bool = False
    away: bool = False
    walk_test_failed: bool = False  # the walk test forbids unattended visits: only its own delivery may come in
    safe: SafeMode | None = None  # set while safe mode holds
    window_near: bool = False  # a window is open or near
    preflights: tuple[Preflight, ...] = ()
    visit: Visit | None = None
    grace_visit: Visit | None = None  # the last sealed visit, while somebody may still come out
    incident: str | None = None  # the id under which an unexpected opening (or safe mode) is filmed
    lock_request: LockRequest | None = None
    timers: Mapping[Timer, float] = field(default_factory=dict)

    @property
    def safe_mode(self) -> bool:
        """Return whether safe mode holds: nothing opens."""
        return self.safe is not None
