"""The table of the walk test: the trials, the goals of each, and the trials of each kind of closure. Pure.

A new kind of closure needs a line in `KIND_TRIALS`. A test compares the table with the registry, and requires a trial
for every sensor that the kind can have.
"""

from collections.abc import Iterator, Mapping
from enum import Enum, StrEnum, auto

from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import Quantity
from gateway.system.i18n import _

RESTS_OPEN_S = 10.0  # seconds for which a wedged door must be seen open


class WalkTrial(StrEnum):
    """The trials; a camera's trials occur once for each camera, a closure's once for each closure."""

    DOOR_SENSOR = auto()
    BOLT = auto()
    BOLT_IN_AIR = auto()
    JAM = auto()
    WEDGED = auto()
    NOT_CAUGHT = auto()
    CONTENT = auto()
    KEY_HOOK = auto()
    LOCKED = auto()
    IGNITION = auto()
    PLACE = auto()
    OBSTRUCTION = auto()
    WAY_OUT = auto()
    KEY = auto()
    ANSWER = auto()
    PICTURE = auto()
    COVERED = auto()
    CUT = auto()
    SEES = auto()
    BATTERIES = auto()
    BROKER = auto()
    WRONG_CODE = auto()
    DELIVERY = auto()
    HOLDS = auto()


EACH_CAMERA_TRIALS = (WalkTrial.PICTURE, WalkTrial.COVERED, WalkTrial.CUT)
PICTURE_TRIALS = frozenset({WalkTrial.PICTURE, WalkTrial.SEES})  # their question is about a picture
LOSS_TRIALS = frozenset({WalkTrial.COVERED, WalkTrial.CUT, WalkTrial.BROKER})  # they wait for the loss of something
# They need live cameras, which run only near a window
LIVE_TRIALS = frozenset({*EACH_CAMERA_TRIALS, WalkTrial.SEES, WalkTrial.DELIVERY})


class TrialGoal(Enum):
    """A state or event that the house must show, with the text of who waits for it.

    Of a trial that belongs to a closure it is that closure's state, otherwise the entrance's.
    """

    CLOSED = _("waits for: closed")
    OPEN = _("waits for: open")
    RESTS_OPEN = _("waits for: still open after 10 s")
    LOCKED = _("waits for: closed and locked, proven")
    BOLT_OUT = _("waits for: bolt out")  # it reports out or moving, proven or not
    FREE = _("waits for: bolt in")
    NOT_PROVEN = _("waits for: “locking not proven”")  # of a lock request
    NOT_CAUGHT = _("waits for: lid closed, latch not caught")
    EMPTY = _("waits for: closed and empty, proven")
    OCCUPIED = _("waits for: closed and something in it, proven")
    KEY_OUT = _("waits for: key taken")
    SHUT_WITHOUT_KEY = _("waits for: flap closed, key still out")
    PARKED = _("waits for: parked, proven")
    DRIVING = _("waits for: engine on, or rolling")
    THERE = _("waits for: where it must stand, proven")
    AWAY = _("waits for: somewhere else")
    CLEAR = _("waits for: nothing in the way")
    OBSTRUCTED = _("waits for: something in the way")
    ANSWERED = _("waits for: the answer button")
    LIVE = _("waits for: live picture")
    NOT_LIVE = _("waits for: picture lost")
    BATTERIES_GOOD = _("waits for: no battery is running out")
    BROKER_GONE = _("waits for: broker lost")
    BROKER_BACK = _("waits for: broker back, all sensors have reported")
    WRONG = _("waits for: code refused and counted")
    RANG = _("waits for: the bell has confirmed")  # the delivery's bell rang; without a signal shown at once
    DELIVERED = _("waits for: delivered, all locked again")  # both proven


class TrialAnswer(StrEnum):
    """Answer of the person at the door."""

    YES = auto()
    NO = auto()
    FAILED = auto()  # it did not work, or the house did not detect it
    NOT_HERE = auto()
    AGAIN = auto()  # repeat this trial


class TrialProcedure(Frozen):
    """Procedure of a trial."""

    goals: tuple[TrialGoal, ...] = ()
    good_answer: TrialAnswer | None = None  # the answer that passes it; None: the trial has no question
    # After its first goal was shown, these goals fail it, except the one that comes next
    forbidden_goals: frozenset[TrialGoal] = frozenset()
    asks_lock: bool = False  # the page offers "Lock"
    is_optional: bool = False  # some houses cannot do it
    tries: Quantity | None = None  # the sensor that it tries; a closure without it has no such trial


TRIAL_PROCEDURES: Mapping[WalkTrial, TrialProcedure] = {
    WalkTrial.DOOR_SENSOR: TrialProcedure(
        goals=(TrialGoal.CLOSED, TrialGoal.OPEN, TrialGoal.CLOSED), tries=Quantity.CONTACT
    ),
    WalkTrial.BOLT: TrialProcedure(
        goals=(TrialGoal.CLOSED, TrialGoal.LOCKED), good_answer=TrialAnswer.YES, asks_lock=True
    ),
    WalkTrial.BOLT_IN_AIR: TrialProcedure(
        goals=(TrialGoal.OPEN, TrialGoal.BOLT_OUT, TrialGoal.FREE),
        forbidden_goals=frozenset({TrialGoal.LOCKED}),
        is_optional=True,
        tries=Quantity.BOLT,
    ),
    WalkTrial.JAM: TrialProcedure(
        goals=(TrialGoal.FREE, TrialGoal.NOT_PROVEN),
        forbidden_goals=frozenset({TrialGoal.LOCKED}),
        asks_lock=True,
        is_optional=True,
        tries=Quantity.BOLT,
    ),
    WalkTrial.WEDGED: TrialProcedure(
        goals=(TrialGoal.OPEN, TrialGoal.RESTS_OPEN), forbidden_goals=frozenset({TrialGoal.CLOSED})
    ),
    WalkTrial.NOT_CAUGHT: TrialProcedure(
        goals=(TrialGoal.OPEN, TrialGoal.NOT_CAUGHT),
        forbidden_goals=frozenset({TrialGoal.LOCKED}),
        tries=Quantity.BOLT,
    ),
    WalkTrial.CONTENT: TrialProcedure(
        goals=(TrialGoal.EMPTY, TrialGoal.OCCUPIED, TrialGoal.EMPTY), tries=Quantity.CONTENT
    ),
    WalkTrial.KEY_HOOK: TrialProcedure(
        goals=(TrialGoal.KEY_OUT, TrialGoal.SHUT_WITHOUT_KEY, TrialGoal.LOCKED),
        forbidden_goals=frozenset({TrialGoal.LOCKED}),
        tries=Quantity.KEY,
    ),
    WalkTrial.LOCKED: TrialProcedure(goals=(TrialGoal.LOCKED, TrialGoal.FREE, TrialGoal.LOCKED), tries=Quantity.BOLT),
    WalkTrial.IGNITION: TrialProcedure(
        goals=(TrialGoal.PARKED, TrialGoal.DRIVING, TrialGoal.PARKED), tries=Quantity.MOTION
    ),
    WalkTrial.PLACE: TrialProcedure(goals=(TrialGoal.THERE, TrialGoal.AWAY, TrialGoal.THERE), tries=Quantity.PLACE),
    WalkTrial.OBSTRUCTION: TrialProcedure(
        goals=(TrialGoal.CLEAR, TrialGoal.OBSTRUCTED, TrialGoal.CLEAR), tries=Quantity.OBSTRUCTION
    ),
    WalkTrial.WAY_OUT: TrialProcedure(
        goals=(TrialGoal.LOCKED, TrialGoal.OPEN, TrialGoal.CLOSED), good_answer=TrialAnswer.YES, asks_lock=True
    ),
    WalkTrial.KEY: TrialProcedure(
        goals=(TrialGoal.LOCKED, TrialGoal.OPEN, TrialGoal.CLOSED),
        good_answer=TrialAnswer.YES,
        asks_lock=True,
        is_optional=True,
    ),
    WalkTrial.ANSWER: TrialProcedure(goals=(TrialGoal.ANSWERED,)),
    WalkTrial.PICTURE: TrialProcedure(good_answer=TrialAnswer.NO),
    WalkTrial.COVERED: TrialProcedure(goals=(TrialGoal.LIVE, TrialGoal.NOT_LIVE, TrialGoal.LIVE)),
    WalkTrial.CUT: TrialProcedure(goals=(TrialGoal.LIVE, TrialGoal.NOT_LIVE, TrialGoal.LIVE)),
    WalkTrial.SEES: TrialProcedure(good_answer=TrialAnswer.YES),
    WalkTrial.BATTERIES: TrialProcedure(goals=(TrialGoal.BATTERIES_GOOD,)),
    WalkTrial.BROKER: TrialProcedure(goals=(TrialGoal.BROKER_GONE, TrialGoal.BROKER_BACK)),
    WalkTrial.WRONG_CODE: TrialProcedure(goals=(TrialGoal.WRONG,), good_answer=TrialAnswer.YES),
    WalkTrial.DELIVERY: TrialProcedure(
        goals=(TrialGoal.LOCKED, TrialGoal.RANG, TrialGoal.DELIVERED), good_answer=TrialAnswer.YES, asks_lock=True
    ),
    WalkTrial.HOLDS: TrialProcedure(goals=(TrialGoal.CLOSED,), good_answer=TrialAnswer.YES),
}
"""The table of the walk test: what each trial must show. No other place defines it."""


class KindTrials(Frozen):
    """The trials of a kind of closure, in their order."""

    before: tuple[WalkTrial, ...]
    after: tuple[WalkTrial, ...] = ()  # after the test delivery: the released closure must hold again


KIND_TRIALS: Mapping[str, KindTrials] = {
    "bolted_door": KindTrials(
        before=(
            WalkTrial.DOOR_SENSOR, WalkTrial.BOLT, WalkTrial.BOLT_IN_AIR, WalkTrial.JAM, WalkTrial.WAY_OUT,
            WalkTrial.KEY,
        )
    ),
    "garage_door": KindTrials(
        before=(WalkTrial.DOOR_SENSOR, WalkTrial.BOLT, WalkTrial.OBSTRUCTION, WalkTrial.WAY_OUT)
    ),
    "strike": KindTrials(
        before=(WalkTrial.DOOR_SENSOR, WalkTrial.WEDGED, WalkTrial.WAY_OUT), after=(WalkTrial.HOLDS,)
    ),
    "compartment": KindTrials(before=(WalkTrial.DOOR_SENSOR, WalkTrial.NOT_CAUGHT, WalkTrial.CONTENT)),
    "key_safe": KindTrials(before=(WalkTrial.DOOR_SENSOR, WalkTrial.KEY_HOOK), after=(WalkTrial.HOLDS,)),
    "keyed_door": KindTrials(before=(WalkTrial.DOOR_SENSOR, WalkTrial.HOLDS, WalkTrial.WAY_OUT, WalkTrial.KEY)),
    "car_boot": KindTrials(
        before=(WalkTrial.DOOR_SENSOR, WalkTrial.LOCKED, WalkTrial.IGNITION, WalkTrial.PLACE, WalkTrial.WAY_OUT)
    ),
}  # fmt: skip


def closure_trials(closure: AnyClosure, trials: tuple[WalkTrial, ...]) -> Iterator[WalkTrial]:
    """Yield the trials of a kind that this closure has, without those of sensors that it does not have."""
    quantities = {sensor.quantity for sensor in closure.sensors.values()}
    for trial in trials:
        tried = TRIAL_PROCEDURES[trial].tries
        if tried is None or tried in quantities:
            yield trial
