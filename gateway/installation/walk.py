"""The walk test of one entrance: tries the known faults in this house with a person at its door.

Pure: a walk is a list of trials, each a chain of goals that the house must show in their order, what it may never show
meanwhile, and a question that only somebody who stands there can answer. `advance` takes what the house shows now,
`answer_trial` what was answered. A walk is a plain value that is written down after each change, so a restart in the
middle loses nothing. Nothing here moves a bolt: the one opening is a delivery's own, through all the rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from hashlib import sha256
from types import MappingProxyType
from typing import assert_never

from devices.reports import DoorState, LockState
from gateway.config.home import EntranceSection, Home
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit.conditions import OPEN_DOOR_STATES, OPENABLE, closed, locked
from gateway.domain.visit.state import WALK_TEST, Entrance, LockRequestResult
from gateway.installation.capability import WalkTestStatus
from gateway.system.config_section import ConfigSection

WALK_TEST_BRAND = WALK_TEST  # no brand of the house file may be called so


class WalkTrial(StrEnum):
    """What is tried. Those of a camera stand once for each."""

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


IDENTIFYING_KEYS = {"kind", "vendor", "address", "topics", "url"}  # of a device: with another one it is another device
BOLT_TRIALS = frozenset({WalkTrial.BOLT_IN_AIR, WalkTrial.JAM, WalkTrial.KEY})


class TrialGoal(StrEnum):
    """One thing that the house must show."""

    CLOSED = auto()
    OPEN = auto()
    LOCKED = auto()  # bolt and door proven, as the pages call it locked
    BOLT_OUT = auto()  # the bolt says that it is out, or on its way, whatever that is worth
    FREE = auto()  # the bolt is in
    NOT_PROVEN = auto()  # a lock-up was asked for and said that it is not proven
    ANSWERED = auto()  # the answer button was pressed
    LIVE = auto()
    NOT_LIVE = auto()
    BROKER_GONE = auto()
    BROKER_BACK = auto()  # and lock and door were heard again
    WRONG = auto()  # a code that nobody promised was read, and counted as wrong
    RANG = auto()  # the signal said that it rang for the delivery
    DELIVERED = auto()  # delivered, locked again, both proven


class TrialResult(StrEnum):
    """What came of a trial."""

    PASSED = auto()
    FAILED = auto()
    NOT_HERE = auto()  # it cannot be tried in this house; only of some trials
    BLOCKED = auto()  # a camera sees what it must not


FORBIDDING_RESULTS = frozenset({TrialResult.FAILED, TrialResult.BLOCKED})


class TrialAnswer(StrEnum):
    """What whoever stands at the door answers."""

    YES = auto()
    NO = auto()
    FAILED = auto()  # it did not work, or the house did not notice
    NOT_HERE = auto()
    AGAIN = auto()  # try this one anew


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialProcedure:
    """How a trial goes. `good` is the answer to its question that passes it; None: there is no question.

    `asks_lock`: the box may be told to lock now. `optional`: a house may have no way to try it.
    """

    goals: tuple[TrialGoal, ...] = ()
    good_answer: TrialAnswer | None = None
    forbidden_goals: frozenset[TrialGoal] = frozenset()
    asks_lock: bool = False
    is_optional: bool = False


TRIAL_PROCEDURES: Mapping[WalkTrial, TrialProcedure] = MappingProxyType(
    {
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
)
"""The table of the walk test: what each trial must show. Nothing else says so."""


class WalkTestStep(ConfigSection):
    """One trial of a walk and how far it has come. `shown`: so many of its goals were seen, in their order.

    `before`: what it ended with before it was tried anew; what forbade then forbids until it has ended again.
    """

    trial: WalkTrial
    camera: str | None = None
    shown: int = 0
    before: TrialResult | None = None
    ending: TrialResult | None = None
    at: datetime | None = None  # when it ended
    answered: TrialAnswer | None = None
    picture: str | None = None  # SHA-256 of the picture that was looked at

    @property
    def procedure(self) -> TrialProcedure:
        """How it goes."""
        return TRIAL_PROCEDURES[self.trial]

    @property
    def asks(self) -> bool:
        """Whether only its question is open."""
        rite = self.procedure
        return self.ending is None and rite.good_answer is not None and self.shown == len(rite.goals)


class TestDelivery(ConfigSection):
    """The walk's own delivery, as it was promised last.

    `secret`: of the courier's code, `seed`: of the brand's key, both hex; they are good for this delivery alone.
    """

    id: str
    parcel: str
    secret: str
    seed: str
    until: datetime


class WalkTest(ConfigSection):
    """A walk of one entrance. `before`: what an earlier one ended with, and what therefore still forbids.

    `by` is the name of who began it, `person` their account's id. `asks_owner`: the owner is asked before the test's
    delivery is let in, because another than the owner began it. `fitted_devices` names the devices with which it was
    begun; `reported`: its report lies there.
    """

    entrance: str
    begun: datetime
    by: str
    person: str | None = None
    asks_owner: bool = False
    fitted: str = ""
    reported: bool = False
    before: WalkTestStatus = WalkTestStatus.NEVER
    steps: tuple[WalkTestStep, ...]
    promised: TestDelivery | None = None

    @property
    def current(self) -> int | None:
        """Which step is open; None: all have ended."""
        return next((n for n, step in enumerate(self.steps) if step.ending is None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseObservation:
    """What the house shows at one instant, and what happened since the last look.

    `lost` are the cameras that this process saw live and sees no more, `cut`: it had the broker and has it no more. A
    gateway that has just started knows of neither, and that is no evidence that it notices.
    """

    state: Entrance
    delivery: str | None = None  # the key of the walk's own delivery
    answer_was_pressed: bool = False
    has_wrong_code: bool = False
    live_cameras: frozenset[str] = frozenset()
    lost_cameras: frozenset[str] = frozenset()
    is_broker_lost: bool = False


def begin_walk(  # noqa: PLR0913 - what begins, and who begins it
    name: str,
    section: EntranceSection,
    *,
    now: datetime,
    by: str,
    before: WalkTestStatus,
    person: str | None = None,
    asks_owner: bool = False,
    fitted: str = "",
    cover: bool = False,
) -> WalkTest:
    """Begin a walk of this entrance: every trial, those of cameras for each camera.

    `cover`: a garage door, which has neither a bolt nor a key.
    """
    cameras = (section.cameras.outside, *section.cameras.inside)
    steps: list[WalkTestStep] = []
    for trial in WalkTrial:
        if trial is WalkTrial.WRONG_CODE and not section.scanners:
            continue  # a camera that reads labels refuses no wrong code
        if cover and trial in BOLT_TRIALS:
            continue
        if trial in (WalkTrial.PICTURE, WalkTrial.COVERED, WalkTrial.CUT):
            steps.extend(WalkTestStep(trial=trial, camera=camera) for camera in cameras)
        else:
            steps.append(WalkTestStep(trial=trial))
    return WalkTest(
        entrance=name,
        begun=now,
        by=by,
        person=person,
        asks_owner=asks_owner,
        fitted=fitted,
        before=before,
        steps=tuple(steps),
    )


def walk_test_status(walk: WalkTest | None) -> WalkTestStatus:
    """Say how an entrance stands. What an earlier walk forbade stays forbidden until one is passed."""
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
    """Name the devices of an entrance as they stand in the house file: others make another name.

    Raises:
        KeyError: no such entrance.
    """
    section = home.entrances[entrance]
    names = (section.lock, section.door, section.signal, *section.scanners, section.cameras.outside,
             *section.cameras.inside)  # fmt: skip
    told = [(name, home.devices[name].model_dump_json(include=IDENTIFYING_KEYS)) for name in names]
    return sha256(repr(told).encode()).hexdigest()[:16]


def status_with_devices(walk: WalkTest | None, fitted: str) -> WalkTestStatus:
    """Say how an entrance stands with the devices that it has now: what was passed with others is stale."""
    how = walk_test_status(walk)
    return WalkTestStatus.STALE if how is WalkTestStatus.PASSED and walk is not None and walk.fitted != fitted else how


def forbids_visits(status: WalkTestStatus) -> bool:
    """Whether it keeps deliveries out while nobody is home."""
    match status:
        case WalkTestStatus.FAILED | WalkTestStatus.BLOCKED:
            return True
        case WalkTestStatus.NEVER | WalkTestStatus.UNDER_WAY | WalkTestStatus.STALE | WalkTestStatus.PASSED:
            return False
        case _:
            assert_never(status)


def advance(walk: WalkTest, observation: HouseObservation, now: datetime) -> WalkTest:
    """Take what the house shows now: the open trial goes on by the goals that are shown, or fails."""
    number = walk.current
    if number is None:
        return walk
    step = walk.steps[number]
    rite = step.procedure
    while step.ending is None:
        if step.shown and any(_is_shown(goal, step, observation) for goal in rite.forbidden_goals):
            step = _end_step(step, TrialResult.FAILED, now)
        elif step.shown < len(rite.goals) and _is_shown(rite.goals[step.shown], step, observation):
            step = step.model_copy(update={"shown": step.shown + 1})
            if step.shown == len(rite.goals) and rite.good_answer is None:
                step = _end_step(step, TrialResult.PASSED, now)
        else:
            break
    return _with_step(walk, number, step)


def resume(walk: WalkTest) -> WalkTest:
    """Take a walk up again after a restart: what is being lost and found is looked at from its beginning.

    A gateway that has just started has not seen the camera live, so it cannot say that it was lost.
    """
    number = walk.current
    if number is None or walk.steps[number].trial not in (WalkTrial.COVERED, WalkTrial.CUT, WalkTrial.BROKER):
        return walk
    return _with_step(walk, number, walk.steps[number].model_copy(update={"shown": 0}))


def answer_trial(walk: WalkTest, number: int, answer: TrialAnswer, now: datetime) -> WalkTest:
    """Take an answer to trial `number`.

    Raises:
        ValueError: this trial does not take that answer now.
    """
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
    """Note which picture was shown for a question: only that one is answered."""
    return _with_step(walk, number, walk.steps[number].model_copy(update={"picture": digest}))


def _with_step(walk: WalkTest, number: int, step: WalkTestStep) -> WalkTest:
    if step == walk.steps[number]:
        return walk
    return walk.model_copy(update={"steps": (*walk.steps[:number], step, *walk.steps[number + 1 :])})


def _end_step(step: WalkTestStep, ending: TrialResult, now: datetime) -> WalkTestStep:
    return step.model_copy(update={"ending": ending, "at": now})


def _is_shown(goal: TrialGoal, step: WalkTestStep, observation: HouseObservation) -> bool:
    """Whether the house shows this now. Good news counts as proven only, as everywhere."""
    return _GOAL_CHECKS[goal](step, observation)


def _is_live(step: WalkTestStep, observation: HouseObservation) -> bool:
    return step.camera in observation.live_cameras


def _is_broker_back(_step: WalkTestStep, observation: HouseObservation) -> bool:
    state = observation.state
    return (
        state.broker_session is not None
        and state.bolt.value is not LockState.UNKNOWN
        and state.door.value is not DoorState.UNKNOWN
    )


def _has_rung(_step: WalkTestStep, observation: HouseObservation) -> bool:
    visit = observation.state.visit
    return visit is not None and visit.delivery.id == observation.delivery and visit.bell_confirmed


def _is_delivered(_step: WalkTestStep, observation: HouseObservation) -> bool:
    """It is latched in the visit, and in what is left of it for a quarter of an hour after."""
    return any(
        visit is not None
        and visit.delivery.id == observation.delivery
        and (visit.outcome, visit.door_result) == (Outcome.DELIVERED, DoorResult.LOCKED_AGAIN)
        for visit in (observation.state.visit, observation.state.grace_visit)
    )


def _is_not_proven(_step: WalkTestStep, observation: HouseObservation) -> bool:
    lockup = observation.state.lock_request
    return lockup is not None and lockup.result is LockRequestResult.NOT_PROVEN


_GOAL_CHECKS: Mapping[TrialGoal, Callable[[WalkTestStep, HouseObservation], bool]] = MappingProxyType({
    TrialGoal.CLOSED: lambda _, seen: closed(seen.state),
    TrialGoal.OPEN: lambda _, seen: seen.state.door.value in OPEN_DOOR_STATES,
    TrialGoal.LOCKED: lambda _, seen: locked(seen.state) and closed(seen.state),
    TrialGoal.BOLT_OUT: lambda _, seen: seen.state.bolt.value in (LockState.LOCKED, LockState.NOT_FULLY_LOCKED),
    TrialGoal.FREE: lambda _, seen: seen.state.bolt.value in OPENABLE,
    TrialGoal.NOT_PROVEN: _is_not_proven,
    TrialGoal.ANSWERED: lambda _, seen: seen.answer_was_pressed,
    TrialGoal.LIVE: _is_live,
    TrialGoal.NOT_LIVE: lambda step, seen: step.camera in seen.lost_cameras,
    TrialGoal.BROKER_GONE: lambda _, seen: seen.is_broker_lost,
    TrialGoal.BROKER_BACK: _is_broker_back,
    TrialGoal.WRONG: lambda _, seen: seen.has_wrong_code,
    TrialGoal.RANG: _has_rung,
    TrialGoal.DELIVERED: _is_delivered,
})  # fmt: skip
