"""Defines the contract of a kind of closure: its sensors, what it may see, and the moves of its procedures.

A closure is one thing on the way in that opens and closes, and that the box opens or whose key it guards (Matter:
Closure, in a wider sense): a bolted door, a garage door, a street door with a strike, a compartment, a key safe. A kind
is one class. Its fields are its section in the house file; its methods define what "ready", "open" and "secured" mean
for it. A kind is pure. It sees its own sensors, the clock, and the facts of `Circumstances`; it never sees a delivery,
a person, a film or another closure. It returns the next step as a `Move`, and the core carries it out.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import Enum, StrEnum, auto
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from devices.commands import Light, Sound
from devices.reports import DoorState, OperationSource, PositionReport
from gateway.domain.delivery.features import Dimensions
from gateway.domain.frozen import Frozen, replace
from gateway.domain.visit.commands import AlarmCode, Notification

UNKNOWN = "unknown"
CLEAR, OBSTRUCTED = "clear", "obstructed"  # of `Quantity.OBSTRUCTION`
KEY_TAKEN, KEY_RETURNED = "key_taken", "key_returned"  # marks of a visit
START = "start"  # the step in which every procedure begins
ORDER_ROLE = "order"  # the role of the device that opens it
MAIN_CLOSURE = "door"  # the id whose sensors and conditions have no prefix: `lock` and `door`, as before closures

OPEN_DOOR_STATES = frozenset({DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN})
VAGUE_DOOR_STATES = frozenset(DoorState) - OPEN_DOOR_STATES - {DoorState.CLOSED}

# A person, not a command of the gateway: at the door, or in the manufacturer's app.
MANUAL_SOURCES = frozenset(
    {
        OperationSource.MANUAL,
        OperationSource.KEYPAD,
        OperationSource.BUTTON,
        OperationSource.RFID,
        OperationSource.BIOMETRIC,
        OperationSource.ALIRO,
        OperationSource.PROPRIETARY_REMOTE,
    }
)


ClosureId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
ClosureRole = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]
DeviceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Quantity(StrEnum):
    """What a sensor measures; the runtime derives its value from a device's report by it."""

    BOLT = auto()  # a `LockState`
    CONTACT = auto()  # a `DoorState`
    OBSTRUCTION = auto()  # `CLEAR`, `OBSTRUCTED` or `unknown`
    CONTENT = auto()  # `empty`, `occupied` or `unknown`
    KEY = auto()  # `present`, `absent` or `unknown`
    MOTION = auto()  # `parked`, `driving` or `unknown`
    PLACE = auto()  # `there`, `away`, `no_fix` or `unknown`: where it stands, and never its coordinates


class Sensor(Frozen):
    """What the core must know of a sensor to judge its reports."""

    quantity: Quantity
    needs_answer: frozenset[str]  # values that only the answer to a query, sent after the last bad news, proves
    detects_passage: bool = True  # a gap in its reports ends the claim that nobody went through
    vague: frozenset[str] = frozenset()  # values that are neither good nor bad: they end that claim too
    cancels_exit_report: bool = False  # bad news or silence cancels the courier's report that he left
    queried_with: tuple[str, ...] = ()  # sensors that are queried with it, and lost when its observation is
    is_probed: bool = True  # it is queried again while it is not proven and that matters
    max_age_s: float | None = None  # a good value that was measured longer ago proves nothing; None: it does not age

    def is_bad(self, value: str) -> bool:
        """Return whether a value is bad news: known, and neither good nor vague."""
        return value != UNKNOWN and value not in self.needs_answer | self.vague


LEAF_CONTACT = Sensor(quantity=Quantity.CONTACT, needs_answer=frozenset({DoorState.CLOSED}), vague=VAGUE_DOOR_STATES)
"""The contact of a door, a lid or a flap: only the answer to a query proves that it is closed."""


class Fact(Frozen):
    """A sensor's reported value; bad news counts at once, good news only as the answer to a later query."""

    value: str = UNKNOWN
    proven: bool = False
    stable_since: float = 0.0  # the value held, observed without a break, since
    answered_query_id: int = -1  # the newest query that this value answered
    min_query_id: int = 0  # only an answer to a query numbered at or above this proves
    reported_query_id: int = -1  # the newest query at the time of the device's last report without a query
    expires_at: float | None = None  # from then on the value is too old; None: it does not age
    refresh_at: float | None = None  # from then on it is queried again, before it is too old; None: it was queried
    boot: str | None = None
    seq: int = -1


UNREPORTED = Fact()


class Order(StrEnum):
    """What a procedure may send. None of these orders opens anything: only the core sends the command that opens."""

    LOCK = auto()
    CLOSE = auto()


class Use(Enum):
    """What a change at a closure means, if no visit explains it."""

    NONE = auto()  # nothing, or of no concern, as at a street door
    MOVED = auto()  # somebody is there, which is permitted
    OPENED_BY_HAND = auto()  # the household opened it
    LOCKED_BY_HAND = auto()
    UNEXPECTED = auto()  # no known person opened it: an incident
    SUSPICIOUS = auto()  # it stands open although it should hold: query it first; then it was forced


class ReportOrigin(Frozen):
    """Who caused a report. `is_answer`: it answers a query. `unlock_may_act`: a command to open may still act."""

    source: OperationSource = OperationSource.UNSPECIFIED
    user: str | None = None
    is_answer: bool = False
    unlock_may_act: bool = False


class ProcedureRun(Frozen):
    """How far a procedure is."""

    step: str = START
    tries: int = 0
    sent_in: str | None = None  # the step in which this try waits for the effect of what it sent
    refused: bool = False  # the device reported that it did not obey, and was not queried since
    jammed: bool = False

    def reported(self, *, refused: bool, jammed: bool) -> "ProcedureRun":
        """Return a copy with what the device reported since the last step; the same object if nothing changed."""
        if (refused, jammed) == (self.refused, self.jammed):
            return self
        return replace(self, refused=refused, jammed=jammed)


class Circumstances(Frozen):
    """What a kind may know beside its sensors: the clock, and facts of the visit and of the household."""

    mono: float = 0.0
    last_query_id: int = 0
    basic: frozenset[str] = frozenset()  # roles of sensors whose device answers no query
    ordered_at: float | None = None  # when the running visit ordered it open; None: it did not
    was_opened: bool = False  # it was seen open in the running visit
    is_away: bool = False  # the household reported that it is away, and no guests stay
    courier_left: bool = False  # the courier reported that he is outside, and nothing cancelled it
    reminders: int = 0  # how often the courier and the owner were reminded that it stands open
    marks: frozenset[str] = frozenset()  # the marks of the closures in this visit so far


class View:
    """All that a kind may know at an instant: its own sensors, its circumstances, and how far its procedure is.

    `facts` are those of the entrance by the names of its sensors, `names` the names of this closure's sensors by role.
    `circumstances` is called when one of them is needed: most questions need none.
    """

    __slots__ = ("_circumstances", "_facts", "_names", "is_over", "run")

    def __init__(
        self,
        facts: Mapping[str, Fact],
        names: Mapping[str, str],
        circumstances: Callable[[], Circumstances] = Circumstances,
        run: ProcedureRun = ProcedureRun(),  # noqa: B008 - it is frozen
        *,
        is_over: bool = False,
    ) -> None:
        self._facts, self._names, self._circumstances = facts, names, circumstances
        self.run = run
        self.is_over = is_over
        """Whether the deadline of the procedure's step has passed."""

    @property
    def now(self) -> Circumstances:
        """The circumstances at this instant."""
        return self._circumstances()

    def fact(self, sensor: str) -> Fact:
        """Return what is known of a sensor. KeyError: the closure has no such sensor."""
        return self._facts.get(self._names[sensor], UNREPORTED)

    def value(self, sensor: str) -> str:
        """Return the newest reported value, proven or not."""
        return self._facts.get(self._names[sensor], UNREPORTED).value

    def proves(self, sensor: str, value: str) -> bool:
        """Return whether the sensor proves this value."""
        fact = self._facts.get(self._names[sensor], UNREPORTED)
        return fact.proven and fact.value == value

    def stable_since(self, sensor: str) -> float:
        """Return since when the value has held, observed without a break."""
        return self.fact(sensor).stable_since

    def answered(self, sensor: str) -> int:
        """Return the newest query that the value answers, -1 for none."""
        return self.fact(sensor).answered_query_id

    def with_fact(self, sensor: str, fact: Fact) -> "View":
        """Return the view with another fact of this sensor."""
        facts = {**self._facts, self._names[sensor]: fact}
        return View(facts, self._names, self._circumstances, self.run, is_over=self.is_over)

    def in_procedure(self, run: ProcedureRun, *, is_over: bool) -> "View":
        """Return the view with how far a procedure is, and whether the deadline of its step has passed."""
        return View(self._facts, self._names, self._circumstances, run, is_over=is_over)


class Prompt(Frozen):
    """What the signal shows. `notification`: the value of a `Notification` that the owner gets once a visit."""

    light: Light
    sound: Sound
    notification: str | None = None


class Move(Frozen):
    """A procedure's next step. What it queries has to answer anew, within `within_s` seconds."""

    to: str
    within_s: float | None = None  # None: the device's declared latency
    keeps_timer: bool = False  # the running deadline stays
    query: tuple[str, ...] = ()
    send: Order | None = None
    invalidate: tuple[str, ...] = ()  # earlier values of these no longer count, although they are not queried yet
    after_expiry: bool = False  # not while a command to open may still act: the core waits until it cannot
    ends_delivery: bool = False  # nothing more is carried in: the parcels' result may be reported
    counts: bool = False  # it is one of the tries
    prompt: Prompt | None = None


class Verdict(Enum):
    """What else a procedure can return."""

    WAIT = auto()
    DONE = auto()  # securing: proven secured
    AGAIN = auto()  # this try failed
    NOTHING = auto()  # nothing to do: the procedure begins anew
    GIVE_UP = auto()  # the owner has to look after it


class Pause(Frozen):
    """This try failed, and the next one begins after this time, because somebody has to do something first."""

    within_s: float
    prompt: Prompt


Next = Move | Pause | Verdict


class Opening(Frozen):
    """How a closure is opened."""

    invalidate: tuple[str, ...]  # sensors whose earlier values no longer count
    query: tuple[str, ...]  # sensors that are queried if no report comes
    passable_for_s: float | None = None  # how long it can be opened after the command; None: until it is secured
    is_ordered: bool = True  # False: only a key opens it; it is no stage of a route, but is secured at the end
    pulls_latch: bool = False
    opens_itself: bool = False  # it springs open when it obeys, whatever the sensor of its lid reports


class Deposit(Enum):
    """Whether something was left at a closure, as far as it is known."""

    LEFT = auto()  # a sensor answered this after the closure was closed
    NOTHING = auto()
    UNKNOWN = auto()  # its sensor has not answered since; a film is no substitute
    BY_FILM = auto()  # no sensor here can detect it


class Overdue(Frozen):
    """What follows when it stands open too long."""

    alarm: AlarmCode = AlarmCode.DOOR_LEFT_OPEN
    sound: Sound = Sound.CLOSE_THE_DOOR
    notification: Notification = Notification.DOOR_OPEN
    limit_s: float | None = None  # the time that is left; None: the place's own limit


class FromDevice(Frozen, kw_only=False):
    """Marks a field that the section of the bound device declares, and not that of the closure."""

    role: str = "order"


# Not written with the closure's section: the section of the device has it.
DeviceSeconds = Annotated[float, Field(exclude=True), SkipJsonSchema(), FromDevice()]
DeviceFlag = Annotated[bool, Field(exclude=True), SkipJsonSchema(), FromDevice()]


class Closure(BaseModel, ABC):
    """One closure of an entrance. Its fields are its section in the house file; a subclass is a kind.

    A field marked `FromDevice` is not in that section: the device has it. Unknown is never good.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    order_kinds: ClassVar[frozenset[str]] = frozenset()
    """The kinds of devices that can open it, by their names in the house file; empty: no device can."""
    roles: ClassVar[Mapping[str, Quantity]]
    """Every sensor that the kind can have, and what it measures."""
    optional_roles: ClassVar[frozenset[str]] = frozenset()
    """The sensors that an entrance need not have."""
    leaf: ClassVar[str] = "door"
    """The role of the contact of the leaf: the door, the lid, the flap."""
    independent_roles: ClassVar[frozenset[str]] = frozenset()
    """The sensors that must not depend on the device that opens it: if that device is wrong, they must show it."""
    bars_living_space: ClassVar[bool] = True
    """False: it is no lock, so it cannot be the way into the living space."""
    may_lead_home: ClassVar[bool] = True
    """False: no door leads from it into the home, as from a car or a parcel box."""
    announced_marks: ClassVar[Mapping[str, Notification]] = {}
    """The marks about which the owner is notified, with the notification."""
    queried_roles: ClassVar[frozenset[str]] = frozenset()
    """The sensors whose device must answer queries, because its own reports come too late to open anything by."""
    household_words: ClassVar[frozenset[str]] = frozenset()
    """The words of `not_ready` that would tell a retailer what the household does: it gets a neutral one."""
    is_private: ClassVar[bool] = True
    """False: other people use it too (a street door), so that its openings say nothing about this household."""

    id: ClosureId
    """Id: its name in the log, in the proof and for the retailer. Example: `street`."""
    kind: str
    """Kind: what it is."""
    devices: dict[ClosureRole, DeviceId] = {}
    """Devices: the id of the device that opens it (`order`), and of each sensor's device by the sensor's name. Example:
    `{order: lock, lock: lock, door: contact}`."""
    cameras: tuple[DeviceId, ...] = ()
    """Cameras: ids of the cameras that see who stands in front of it. Leave it out at the first closure: its camera is
    `cameras.outside` of the entrance."""
    scanners: tuple[DeviceId, ...] = ()
    """Scanners: ids of the barcode scanners that hang at it. Leave it out at the first closure, whose scanners are
    `scanners` of the entrance."""
    latency: DeviceSeconds = 3.0
    guarded: DeviceFlag = True
    command_hold: DeviceSeconds = 900.0

    @classmethod
    def has_own(cls, method: str) -> bool:
        """Return whether the kind overrides this method of the contract; if not, the method returns a constant."""
        return getattr(cls, method) is not getattr(Closure, method)

    @cached_property
    @abstractmethod
    def sensors(self) -> Mapping[str, Sensor]:
        """Its sensors by role, in the order in which they are queried."""

    @cached_property
    def sensor_names(self) -> Mapping[str, str]:
        """The names of its sensors in its entrance, by role."""
        return {role: sensor_name(self.id, role) for role in self.sensors}

    @property
    def witness_devices(self) -> tuple[str, ...]:
        """The further devices whose bad values count for its sensors; their good values never count."""
        return ()

    @property
    def declared_gaps(self) -> tuple[str, ...]:
        """The gaps that every proof of an opening here declares, because of how it is opened."""
        return ()

    def shown_gaps(self, view: View) -> tuple[str, ...]:
        """Return the gaps that its sensors show after it was ordered open: it did more than its order should."""
        return ()

    def problem(self) -> tuple[str, str] | None:
        """Return the field that contradicts what its devices declare, and what to write instead; None if none does."""
        return None

    @property
    def key_back_within_s(self) -> float | None:
        """The seconds after which a key that somebody took has to be back; None: it hands out no key."""
        return None

    @abstractmethod
    def not_ready(self, view: View) -> tuple[str, ...]:
        """Return why it may not be opened, as words for owner and retailer; empty: it is ready. Unknown is a word."""

    @abstractmethod
    def opening(self) -> Opening:
        """Return how it is opened."""

    @abstractmethod
    def passable(self, view: View) -> bool:
        """Return whether somebody can go through, take something out or put something in now: the courier gets "go"."""

    @abstractmethod
    def secured(self, view: View) -> bool:
        """Return whether it is proven closed and holding: only this may be shown as locked."""

    @abstractmethod
    def secure(self, view: View) -> Next:
        """Return the next move of the procedure that ends with `secured`."""

    @abstractmethod
    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        """Return what a sensor's change from `before` means; `view` has the new value.

        The caller does not ask about a value that did not change or that became unknown: neither means anything.
        """

    def opened(self, view: View) -> bool:
        """Return whether it stands open by its newest report. In a visit, this consumes the opening."""
        return view.value(self.leaf) in OPEN_DOOR_STATES

    def closed_since(self, view: View) -> float | None:
        """Return since when it has been closed by its newest report, in monotonic seconds; None: it is not closed."""
        return view.stable_since(self.leaf) if view.value(self.leaf) == DoorState.CLOSED else None

    def unsecured(self, view: View) -> bool:
        """Return whether it is unlocked or open by its newest report: an order to open has acted, or a hand."""
        return self.opened(view)

    def holds(self, view: View) -> bool:
        """Return whether it is proven that nobody can use an ordered opening any longer."""
        return self.secured(view)

    def in_use(self, view: View) -> bool:
        """Return whether it stands open because somebody of the household is there."""
        return self.opened(view)

    def forced(self, view: View) -> bool:
        """Return whether it stands open although its bolt should hold."""
        return False

    def close(self, view: View) -> Next:
        """Return the next move with which the box itself closes it; people close most closures."""
        return Verdict.NOTHING

    def detect(self, view: View) -> Next | AlarmCode:
        """Return the next move that finds a fault while it stands open, or the alarm if there is one."""
        return Verdict.NOTHING

    def exit_prompt(self) -> Prompt | None:
        """Return what the person who leaves has to do."""
        return None

    def marks(self, view: View) -> frozenset[str]:
        """Return the marks of this visit for the log and the proof."""
        return frozenset()

    def deposited(self, view: View) -> Deposit:
        """Return whether something was left here, as far as it is known."""
        return Deposit.BY_FILM

    def may_be_used(self, view: View) -> bool:
        """Return whether the visit explains that somebody opens it; False: the core raises an alarm."""
        return True

    def locate(self, position: PositionReport) -> str:
        """Return the value of `Quantity.PLACE` for a position; only what can be driven away has one."""
        return UNKNOWN

    def fits(self, parcel: Dimensions) -> bool:
        """Return whether a parcel of these dimensions fits through or into it."""
        return True

    def overdue(self, view: View) -> Overdue:
        """Return what follows if it stands open too long."""
        return Overdue()


def is_by_hand(origin: ReportOrigin, view: View) -> bool:
    """Return whether a hand moved it.

    A named user or the manufacturer's app counts as the household; a device that names no source does too, unless all
    are away. While a command to open may still act, only a source that is known to be a hand counts.
    """
    if origin.unlock_may_act:
        return origin.source in MANUAL_SOURCES
    if origin.user is not None:
        return True
    if origin.source is OperationSource.UNSPECIFIED:
        return not view.now.is_away
    return origin.source is not OperationSource.REMOTE


def sensor_name(closure: str, sensor: str) -> str:
    """Return a closure's sensor or condition as the entrance names it: `street/door`; of the closure `door`, `lock`."""
    return sensor if closure == MAIN_CLOSURE else f"{closure}/{sensor}"
