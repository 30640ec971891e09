"""The walk test of one entrance: tries the known faults in this house with a person at its door.

Pure: a walk test is a list of trials. A trial has goals that the house must show in their order, goals that it must not
show meanwhile, and a question for the person at the door. `advance` takes an observation of the house, `answer_trial`
an answer. The runner stores the value after each change, so a restart loses nothing. Nothing here moves a bolt: the
only opening is that of a delivery, under all rules.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, StrEnum, auto
from hashlib import sha256

from devices.reports import LockState
from gateway.config.closures import entrance_closures
from gateway.config.home import EntranceSection, Home
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.domain.visit import summary
from gateway.domain.visit.closures.bolted_door import OPENABLE
from gateway.domain.visit.predicates import is_open
from gateway.domain.visit.state import WALK_TEST, Entrance, LockRequestResult
from gateway.domain.visit.views import fact_of
from gateway.installation.capability import WALK_TEST_CAPABILITIES, WalkTestStatus
from gateway.system.config_section import ConfigSection
from gateway.system.i18n import _

WALK_TEST_BRAND = WALK_TEST  # reserved: no brand of the house file has this id


class WalkTrial(StrEnum):
    """The trials; a camera's trials occur once for each camera."""

    DOOR_SENSOR = auto()
    BOLT = auto()
    BOLT_IN_AIR = auto()
    JAM = auto()
    WAY_OUT = auto()
    KEY = auto()
    ANSWER = auto()
    PICTURE = auto()
    COVERED = auto()
    CUT = auto()
    BROKER = auto()
    WRONG_CODE = auto()
    DELIVERY = auto()


IDENTIFYING_KEYS = {"kind", "vendor", "address", "topics", "url"}  # with other values it is another device
BOLT_TRIALS = frozenset({WalkTrial.BOLT_IN_AIR, WalkTrial.JAM, WalkTrial.KEY})
EACH_CAMERA_TRIALS = frozenset({WalkTrial.PICTURE, WalkTrial.COVERED, WalkTrial.CUT})


class TrialGoal(Enum):
    """A state or event that the house must show, with the text of who waits for it."""

    CLOSED = _("waits for: door closed")
    OPEN = _("waits for: door open")
    LOCKED = _("waits for: door closed and bolt out, proven")
    BOLT_OUT = _("waits for: bolt out")  # it reports out or moving, proven or not
    FREE = _("waits for: bolt in")
    NOT_PROVEN = _("waits for: “locking not proven”")  # of a lock request
    ANSWERED = _("waits for: the answer button")
    LIVE = _("waits for: live picture")
    NOT_LIVE = _("waits for: picture lost")
    BROKER_GONE = _("waits for: broker lost")
    BROKER_BACK = _("waits for: broker back, lock and door heard")
    WRONG = _("waits for: code refused and counted")
    RANG = _("waits for: the bell has confirmed")  # that it rang for the delivery
    DELIVERED = _("waits for: delivered, door locked again")  # both proven


class TrialResult(StrEnum):
    """Result of a trial."""

    PASSED = auto()
    FAILED = auto()
    NOT_HERE = auto()  # only for trials that are optional
    BLOCKED = auto()  # a camera shows a neighbour's door or the street


FORBIDDING_RESULTS = frozenset({TrialResult.FAILED, TrialResult.BLOCKED})


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
    good_answer: TrialAnswer | None = None  # which passes it; None: the trial has no question
    forbidden_goals: frozenset[TrialGoal] = frozenset()
    asks_lock: bool = False  # the page offers "Lock"
    is_optional: bool = False  # some houses cannot do it


TRIAL_PROCEDURES: Mapping[WalkTrial, TrialProcedure] = {
    WalkTrial.DOOR_SENSOR: TrialProcedure(goals=(TrialGoal.CLOSED, TrialGoal.OPEN, TrialGoal.CLOSED)),
    WalkTrial.BOLT: TrialProcedure(
        goals=(TrialGoal.CLOSED, TrialGoal.LOCKED), good_answer=TrialAnswer.YES, asks_lock=True
    ),
    WalkTrial.BOLT_IN_AIR: TrialProcedure(
        goals=(TrialGoal.OPEN, TrialGoal.BOLT_OUT, TrialGoal.FREE),
        forbidden_goals=frozenset({TrialGoal.LOCKED}),
        is_optional=True,
    ),
    WalkTrial.JAM: TrialProcedure(
        goals=(TrialGoal.FREE, TrialGoal.NOT_PROVEN),
        forbidden_goals=frozenset({TrialGoal.LOCKED}),
        asks_lock=True,
        is_optional=True,
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
    WalkTrial.BROKER: TrialProcedure(goals=(TrialGoal.BROKER_GONE, TrialGoal.BROKER_BACK)),
    WalkTrial.WRONG_CODE: TrialProcedure(goals=(TrialGoal.WRONG,), good_answer=TrialAnswer.YES),
    WalkTrial.DELIVERY: TrialProcedure(
        goals=(TrialGoal.LOCKED, TrialGoal.RANG, TrialGoal.DELIVERED), good_answer=TrialAnswer.YES, asks_lock=True
    ),
}
"""The table of the walk test: what each trial must show. Nothing else says so."""


class WalkTestStep(ConfigSection):
    """One trial and its progress."""

    trial: WalkTrial
    camera: str | None = None
    shown: int = 0  # goals that the house has shown, in their order
    before: TrialResult | None = None  # before it was repeated: what forbids visits does so until the trial has ended
    ending: TrialResult | None = None
    at: datetime | None = None  # when it ended
    answered: TrialAnswer | None = None
    picture: str | None = None  # SHA-256 of the picture that was shown

    @property
    def procedure(self) -> TrialProcedure:
        """Procedure of this trial."""
        return TRIAL_PROCEDURES[self.trial]

    @property
    def asks(self) -> bool:
        """Whether only its question remains."""
        procedure = self.procedure
        return self.ending is None and procedure.good_answer is not None and self.shown == len(procedure.goals)


class TestDelivery(ConfigSection):
    """The test's own delivery, as it was last announced."""

    id: str
    parcel: str
    secret: str  # hex, of the courier's code for this delivery alone
    seed: str  # hex, of the brand's key for this delivery alone
    until: datetime


class WalkTest(ConfigSection):
    """A walk test of one entrance."""

    entrance: str
    begun: datetime
    by: str  # the name of the person who began it
    person: str | None = None  # the id of that person's account
    asks_owner: bool = False  # before the test's delivery is admitted, because another person began the test
    fitted: str = ""  # identifies the devices with which it began
    reported: bool = False  # the report is stored
    before: WalkTestStatus = WalkTestStatus.NEVER  # of an earlier test, which may still forbid visits
    steps: tuple[WalkTestStep, ...]
    promised: TestDelivery | None = None

    @property
    def current(self) -> int | None:
        """Index of the open step; None: all have ended."""
        return next((n for n, step in enumerate(self.steps) if step.ending is None), None)


class HouseObservation(Frozen):
    """State of the house at one instant, and what happened since the last observation.

    A gateway that has just started cannot claim a loss.
    """

    state: Entrance
    delivery: str | None = None  # key of the test's own delivery
    answer_was_pressed: bool = False
    has_wrong_code: bool = False
    live_cameras: frozenset[str] = frozenset()
    lost_cameras: frozenset[str] = frozenset()  # were live in this process and are not any more
    is_broker_lost: bool = False  # this process had a broker session and has none


def closure_kinds(home: Home, entrance: str) -> frozenset[str]:
    """Return the kinds of closures of an entrance."""
    return frozenset(closure.kind for closure in entrance_closures(home, entrance))


def walk_steps(section: EntranceSection, kinds: frozenset[str]) -> tuple[WalkTestStep, ...]:
    """Return the steps of a new walk test of this entrance, with the camera trials for each camera.

    `kinds`: those of its closures; only a bolted door has a bolt and a key.
    """
    omitted = frozenset() if "bolted_door" in kinds else BOLT_TRIALS
    if not section.all_scanners:
        omitted |= {WalkTrial.WRONG_CODE}  # a camera that reads labels ignores unknown codes
    cameras = section.film_cameras
    return tuple(
        WalkTestStep(trial=trial, camera=camera)
        for trial in WalkTrial
        if trial not in omitted
        for camera in (cameras if trial in EACH_CAMERA_TRIALS else (None,))
    )


def walk_test_status(walk: WalkTest | None) -> WalkTestStatus:
    """Return the status of a walk test; what an earlier one forbade stays forbidden until one is passed."""
    if walk is None:
        return WalkTestStatus.NEVER
    endings = {
        step.before if step.ending is None and step.before in FORBIDDING_RESULTS else step.ending for step in walk.steps
    }
    if TrialResult.BLOCKED in endings:
        return WalkTestStatus.BLOCKED
    if TrialResult.FAILED in endings:
        return WalkTestStatus.FAILED
    if None not in endings:
        return WalkTestStatus.PASSED
    return walk.before if forbids_visits(walk.before) else WalkTestStatus.UNDER_WAY


def fitted_devices(home: Home, entrance: str) -> str:
    """Return a digest of the devices of an entrance, which changes with each replaced device."""
    section = home.entrances[entrance]
    signal = () if section.signal is None else (section.signal,)
    names = (*section.closure_devices, *signal, *section.all_scanners, *section.film_cameras)
    devices = [(name, home.devices[name].model_dump_json(include=IDENTIFYING_KEYS)) for name in names]
    return sha256(repr(devices).encode()).hexdigest()[:16]


def status_with_devices(walk: WalkTest | None, fitted: str) -> WalkTestStatus:
    """Return the status with today's devices: a test that was passed with others is stale."""
    status = walk_test_status(walk)
    is_stale = status is WalkTestStatus.PASSED and walk is not None and walk.fitted != fitted
    return WalkTestStatus.STALE if is_stale else status


def forbids_visits(status: WalkTestStatus) -> bool:
    """Return whether this status refuses deliveries while nobody is home."""
    return WALK_TEST_CAPABILITIES[status].forbids


def advance(walk: WalkTest, observation: HouseObservation, now: datetime) -> WalkTest:
    """Return the walk test after an observation: the open trial advances by the shown goals, or fails."""
    number = walk.current
    if number is None:
        return walk
    step = walk.steps[number]
    procedure = step.procedure
    while step.ending is None:
        if step.shown and any(_is_shown(goal, step, observation) for goal in procedure.forbidden_goals):
            step = _end_step(step, TrialResult.FAILED, now)
        elif step.shown < len(procedure.goals) and _is_shown(procedure.goals[step.shown], step, observation):
            step = step.model_copy(update={"shown": step.shown + 1})
            if step.shown == len(procedure.goals) and procedure.good_answer is None:
                step = _end_step(step, TrialResult.PASSED, now)
        else:
            break
    return _with_step(walk, number, step)


def resume(walk: WalkTest) -> WalkTest:
    """Return the walk test after a restart: a trial about a loss begins again with its first goal.

    A gateway that has just started has not seen the camera live, so it cannot report its loss.
    """
    number = walk.current
    if number is None or walk.steps[number].trial not in (WalkTrial.COVERED, WalkTrial.CUT, WalkTrial.BROKER):
        return walk
    return _with_step(walk, number, walk.steps[number].model_copy(update={"shown": 0}))


def answer_trial(walk: WalkTest, number: int, answer: TrialAnswer, now: datetime) -> WalkTest:
    """Return the walk test after an answer to trial `number`; ValueError: it does not accept that answer now."""
    if not 0 <= number < len(walk.steps):
        raise ValueError("there is no such trial")
    step = walk.steps[number]
    match answer:
        case TrialAnswer.AGAIN if step.ending is not None:
            fresh = WalkTestStep(trial=step.trial, camera=step.camera, before=step.ending)
            return _with_step(walk, number, fresh).model_copy(update={"reported": False})
        case _ if number != walk.current:
            raise ValueError("another trial is open")
        case TrialAnswer.FAILED:
            return _with_step(walk, number, _end_step(step, TrialResult.FAILED, now))
        case TrialAnswer.NOT_HERE if step.procedure.is_optional:
            return _with_step(walk, number, _end_step(step, TrialResult.NOT_HERE, now))
        case TrialAnswer.YES | TrialAnswer.NO if step.asks and (
            step.trial is not WalkTrial.PICTURE or step.picture is not None
        ):
            good = answer is step.procedure.good_answer
            bad = TrialResult.BLOCKED if step.trial is WalkTrial.PICTURE else TrialResult.FAILED
            answered = step.model_copy(update={"answered": answer})
            return _with_step(walk, number, _end_step(answered, TrialResult.PASSED if good else bad, now))
        case _:
            raise ValueError("this trial does not take that answer now")


def record_picture(walk: WalkTest, number: int, digest: str) -> WalkTest:
    """Return the walk test with the digest of the picture that is shown for a question."""
    return _with_step(walk, number, walk.steps[number].model_copy(update={"picture": digest}))


def _with_step(walk: WalkTest, number: int, step: WalkTestStep) -> WalkTest:
    if step == walk.steps[number]:
        return walk
    return walk.model_copy(update={"steps": (*walk.steps[:number], step, *walk.steps[number + 1 :])})


def _end_step(step: WalkTestStep, ending: TrialResult, now: datetime) -> WalkTestStep:
    return step.model_copy(update={"ending": ending, "at": now})


def _is_shown(goal: TrialGoal, step: WalkTestStep, seen: HouseObservation) -> bool:
    """Return whether the observation shows this goal; good news counts only if it is proven."""
    state = seen.state
    bolt, request = _newest_bolt(state), state.lock_request
    visit = None if state.visit is None or state.visit.delivery.id != seen.delivery else state.visit
    return {
        TrialGoal.CLOSED: summary.is_closed(state),
        TrialGoal.OPEN: is_open(state),
        TrialGoal.LOCKED: summary.is_locked(state),
        TrialGoal.BOLT_OUT: bolt in (LockState.LOCKED, LockState.NOT_FULLY_LOCKED),
        TrialGoal.FREE: bolt in OPENABLE,
        TrialGoal.NOT_PROVEN: request is not None and request.result is LockRequestResult.NOT_PROVEN,
        TrialGoal.ANSWERED: seen.answer_was_pressed,
        TrialGoal.LIVE: step.camera in seen.live_cameras,
        TrialGoal.NOT_LIVE: step.camera in seen.lost_cameras,
        TrialGoal.BROKER_GONE: seen.is_broker_lost,
        TrialGoal.BROKER_BACK: state.broker_session is not None and summary.are_all_reported(state),
        TrialGoal.WRONG: seen.has_wrong_code,
        TrialGoal.RANG: visit is not None and visit.consent.bell_confirmed,
        TrialGoal.DELIVERED: any(  # the visit shows it, or for 15 minutes the grace after it
            visit is not None
            and visit.delivery.id == seen.delivery
            and (visit.outcome, visit.door_result) == (Outcome.DELIVERED, DoorResult.LOCKED_AGAIN)
            for visit in (state.visit, state.grace_visit)
        ),
    }[goal]


def _newest_bolt(state: Entrance) -> str:
    """Return the newest reported state of the bolt, proven or not; unknown where no closure has one."""
    return fact_of(state, "lock").value
