"""The walk test of one entrance: tries the known faults in this house with a person at its door.

Pure: a walk test is a list of trials (`trials.py` has their table), first those of each closure in the order in which
they stand on the way in. A trial has goals that the house must show in their order, goals that it must not show
meanwhile, and a question for the person at the door. `advance` takes an observation of the house, `answer_trial` an
answer. The runner stores the value after each change, so a restart loses nothing. Nothing here moves a bolt: the
only opening is that of a delivery, under all rules.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum, auto
from hashlib import sha256
from itertools import pairwise

from devices.reports import BatteryLevel, DoorState, LockState
from gateway.config.home import EntranceSection, Home
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.domain.visit import summary
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.bolted_door import OPENABLE
from gateway.domain.visit.closures.car_boot import DRIVING, PARKED
from gateway.domain.visit.closures.compartment import EMPTY, OCCUPIED
from gateway.domain.visit.closures.contract import CLEAR, MAIN_CLOSURE, OBSTRUCTED, OPEN_DOOR_STATES, Fact, Quantity
from gateway.domain.visit.closures.key_safe import ABSENT
from gateway.domain.visit.fence import AWAY, THERE
from gateway.domain.visit.state import WALK_TEST, Entrance, LockRequestResult
from gateway.domain.visit.views import view
from gateway.installation.capability import WALK_TEST_CAPABILITIES, WalkTestStatus
from gateway.installation.trials import (
    EACH_CAMERA_TRIALS,
    KIND_TRIALS,
    LOSS_TRIALS,
    PICTURE_TRIALS,
    RESTS_OPEN_S,
    TRIAL_PROCEDURES,
    TrialAnswer,
    TrialGoal,
    TrialProcedure,
    WalkTrial,
    closure_trials,
)
from gateway.system.config_section import ConfigSection

WALK_TEST_BRAND = WALK_TEST  # reserved: no brand of the house file has this id


IDENTIFYING_KEYS = {"kind", "vendor", "address", "topics", "url"}  # with other values it is another device


class TrialResult(StrEnum):
    """Result of a trial."""

    PASSED = auto()
    FAILED = auto()
    NOT_HERE = auto()  # only for trials that are optional
    BLOCKED = auto()  # a camera shows a neighbour's door or the street


FORBIDDING_RESULTS = frozenset({TrialResult.FAILED, TrialResult.BLOCKED})


class WalkTestStep(ConfigSection):
    """One trial and its progress."""

    trial: WalkTrial
    closure: str | None = None  # None: the whole entrance, or its only door
    camera: str | None = None
    skippable: bool = False  # optional here, because this house may not be able to try it
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
    def is_optional(self) -> bool:
        """Whether the person may leave it out."""
        return self.procedure.is_optional or self.skippable

    @property
    def shows_picture(self) -> bool:
        """Whether its question is about a picture of its camera."""
        return self.trial in PICTURE_TRIALS

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

    @property
    def passed(self) -> int:
        """How many trials were passed."""
        return sum(step.ending is TrialResult.PASSED for step in self.steps)


class HouseObservation(Frozen):
    """State of the house at one instant, and what happened since the last observation.

    A gateway that has just started cannot claim a loss.
    """

    state: Entrance
    mono: float = 0.0  # seconds of the clock by which `state` has the time since which a value has held
    delivery: str | None = None  # key of the test's own delivery
    answer_was_pressed: bool = False
    wrong_code_scanners: frozenset[str] = frozenset()  # which counted an unknown code
    live_cameras: frozenset[str] = frozenset()
    lost_cameras: frozenset[str] = frozenset()  # were live in this process and are not any more
    is_broker_lost: bool = False  # the broker session that was observed before is over; there may be another one


def walk_steps(section: EntranceSection, closures: tuple[AnyClosure, ...]) -> tuple[WalkTestStep, ...]:
    """Return the steps of a new walk test: the trials of each closure in the order of the way in, then the others.

    The steps of an only door do not name it, as in records of releases that had no other closures.
    """
    names = {one.id: None if len(closures) == 1 and one.id == MAIN_CLOSURE else one.id for one in closures}
    watching, scanning = _by_closure(section, closures)
    return (
        *(
            WalkTestStep(trial=trial, closure=names[one.id])
            for one in closures
            for trial in closure_trials(one, KIND_TRIALS[one.kind].before)
        ),
        *((WalkTestStep(trial=WalkTrial.ANSWER),) if section.signal is not None else ()),
        *(WalkTestStep(trial=trial, camera=camera) for trial in EACH_CAMERA_TRIALS for camera in section.film_cameras),
        *(
            WalkTestStep(trial=WalkTrial.SEES, closure=names[one.id], camera=camera)
            for one in closures
            for camera in watching[one.id]
        ),
        WalkTestStep(trial=WalkTrial.BATTERIES),
        WalkTestStep(trial=WalkTrial.BROKER),
        # A camera that reads labels ignores unknown codes
        *(WalkTestStep(trial=WalkTrial.WRONG_CODE, closure=names[one.id]) for one in closures if scanning[one.id]),
        *_delivery_steps(section, closures),
        *(
            WalkTestStep(trial=trial, closure=names[one.id])
            for one in closures
            for trial in closure_trials(one, KIND_TRIALS[one.kind].after)
        ),
    )


def _by_closure(
    section: EntranceSection, closures: tuple[AnyClosure, ...]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return the cameras that see each closure, and the scanners that hang at it."""
    first = closures[0].id
    outside = () if section.cameras.outside is None else (section.cameras.outside,)
    watching = {one.id: one.cameras or (outside if one.id == first else ()) for one in closures}
    scanning = {one.id: (*(section.scanners if one.id == first else ()), *one.scanners) for one in closures}
    return watching, scanning


def test_place(section: EntranceSection) -> str:
    """Return the place of the test's delivery: the first one without a fridge."""
    without_fridge = (id_ for id_, place in section.places.items() if place.fridge is None)
    return next(without_fridge, next(iter(section.places)))


def _delivery_steps(section: EntranceSection, closures: tuple[AnyClosure, ...]) -> Iterator[WalkTestStep]:
    """Yield one test delivery by any route, and one by each further route: to each compartment of a parcel box.

    The next compartment opens because a parcel lies in the one before it, so this trial needs a sensor inside.
    """
    yield WalkTestStep(trial=WalkTrial.DELIVERY)
    routes = section.places[test_place(section)].routes
    has_content = {one.id: any(s.quantity is Quantity.CONTENT for s in one.sensors.values()) for one in closures}
    for former, route in pairwise(routes):
        is_skippable = not has_content.get(former[-1], False)
        yield WalkTestStep(trial=WalkTrial.DELIVERY, closure=route[-1], skippable=is_skippable)


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
    # The short form has no name: a trial that one door passed before there were closures stays passed
    fitted = (devices, [(one.id, one.kind) for one in section.closures]) if section.closures else devices
    return sha256(repr(fitted).encode()).hexdigest()[:16]


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
        if step.shown and _shows_forbidden(step, observation):
            step = _end_step(step, TrialResult.FAILED, now)
        elif step.shown < len(procedure.goals) and _is_shown(procedure.goals[step.shown], step, observation):
            step = step.model_copy(update={"shown": step.shown + 1})
            if step.shown == len(procedure.goals) and procedure.good_answer is None:
                step = _end_step(step, TrialResult.PASSED, now)
        else:
            break
    return _with_step(walk, number, step)


def _shows_forbidden(step: WalkTestStep, observation: HouseObservation) -> bool:
    """Return whether the house shows a forbidden goal; the goal that comes next is no longer forbidden."""
    forbidden = step.procedure.forbidden_goals - {*step.procedure.goals[step.shown : step.shown + 1]}
    return any(_is_shown(goal, step, observation) for goal in forbidden)


def resume(walk: WalkTest) -> WalkTest:
    """Return the walk test after a restart: a trial about a loss begins again with its first goal.

    A gateway that has just started has not seen the camera live, so it cannot report its loss.
    """
    number = walk.current
    if number is None or walk.steps[number].trial not in LOSS_TRIALS:
        return walk
    return _with_step(walk, number, walk.steps[number].model_copy(update={"shown": 0}))


def answer_trial(walk: WalkTest, number: int, answer: TrialAnswer, now: datetime) -> WalkTest:
    """Return the walk test after an answer to trial `number`; ValueError: it does not accept that answer now."""
    if not 0 <= number < len(walk.steps):
        raise ValueError("there is no such trial")
    step = walk.steps[number]
    match answer:
        case TrialAnswer.AGAIN if step.ending is not None:
            fresh = WalkTestStep.model_validate(
                {name: getattr(step, name) for name in ("trial", "closure", "camera", "skippable")}
                | {"before": step.ending}
            )
            return _with_step(walk, number, fresh).model_copy(update={"reported": False})
        case _ if number != walk.current:
            raise ValueError("another trial is open")
        case TrialAnswer.FAILED:
            return _with_step(walk, number, _end_step(step, TrialResult.FAILED, now))
        case TrialAnswer.NOT_HERE if step.is_optional:
            return _with_step(walk, number, _end_step(step, TrialResult.NOT_HERE, now))
        case TrialAnswer.YES | TrialAnswer.NO if step.asks and not (step.shows_picture and step.picture is None):
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
    request, visit = state.lock_request, state.visit
    match goal:
        case TrialGoal.NOT_PROVEN:
            return request is not None and request.result is LockRequestResult.NOT_PROVEN
        case TrialGoal.ANSWERED:
            return seen.answer_was_pressed
        case TrialGoal.LIVE:
            return step.camera in seen.live_cameras
        case TrialGoal.NOT_LIVE:
            return step.camera in seen.lost_cameras
        case TrialGoal.BATTERIES_GOOD:
            return not {BatteryLevel.LOW, BatteryLevel.CRITICAL} & {*state.batteries.values()}
        case TrialGoal.BROKER_GONE:
            return seen.is_broker_lost
        case TrialGoal.BROKER_BACK:
            return state.broker_session is not None and summary.are_all_reported(state)
        case TrialGoal.WRONG:
            at = {scanner for scanner in seen.wrong_code_scanners if _hangs_at(scanner, step, state)}
            return bool(at)
        case TrialGoal.RANG:
            is_ours = visit is not None and visit.delivery.id == seen.delivery
            return visit is not None and is_ours and visit.consent.bell_confirmed
        case TrialGoal.DELIVERED:
            return _is_delivered(step, seen)
        case TrialGoal.LOCKED if step.closure is None:
            return summary.is_locked(state)
        case _:
            closure = _closure_of(step, state)
            return closure is not None and _closure_shows(goal, closure, seen)


def _closure_of(step: WalkTestStep, state: Entrance) -> AnyClosure | None:
    """Return the closure that a step is about; None: the entrance no longer has it."""
    ident = MAIN_CLOSURE if step.closure is None else step.closure
    return next((one for one in state.rules.closures if one.id == ident), None)


def _hangs_at(scanner: str, step: WalkTestStep, state: Entrance) -> bool:
    return step.closure is None or state.rules.scanners.get(scanner) == step.closure


def _is_delivered(step: WalkTestStep, seen: HouseObservation) -> bool:
    """Return whether the test's delivery is in, by the step's route, and everything is locked again.

    The visit shows it, or for 15 minutes the grace after it.
    """
    return any(
        visit is not None
        and visit.delivery.id == seen.delivery
        and (visit.outcome, visit.door_result) == (Outcome.DELIVERED, DoorResult.LOCKED_AGAIN)
        and (step.closure is None or visit.route[-1] == step.closure)
        for visit in (seen.state.visit, seen.state.grace_visit)
    )


def _closure_shows(goal: TrialGoal, closure: AnyClosure, seen: HouseObservation) -> bool:
    """Return whether a closure shows this goal, by its sensors alone."""
    at = view(seen.state, closure, mono=seen.mono)

    def of(quantity: Quantity) -> list[Fact]:
        return [at.fact(role) for role, sensor in closure.sensors.items() if sensor.quantity is quantity]

    contacts, bolts = of(Quantity.CONTACT), {fact.value for fact in of(Quantity.BOLT)}
    is_closed = bool(contacts) and all(fact.value == DoorState.CLOSED and fact.proven for fact in contacts)
    is_open = any(fact.value in OPEN_DOOR_STATES for fact in contacts)
    match goal:
        case TrialGoal.CLOSED:
            return is_closed
        case TrialGoal.OPEN:
            return is_open
        case TrialGoal.RESTS_OPEN:
            return is_open and all(seen.mono - fact.stable_since >= RESTS_OPEN_S for fact in contacts)
        case TrialGoal.LOCKED:
            return closure.secured(at)
        case TrialGoal.BOLT_OUT:
            return not bolts.isdisjoint({LockState.LOCKED, LockState.NOT_FULLY_LOCKED})
        case TrialGoal.FREE:
            return not bolts.isdisjoint(OPENABLE)
        case TrialGoal.NOT_CAUGHT:
            return is_closed and not bolts.isdisjoint(OPENABLE)
        case TrialGoal.EMPTY | TrialGoal.OCCUPIED:
            wanted = EMPTY if goal is TrialGoal.EMPTY else OCCUPIED
            return is_closed and any(fact.value == wanted and fact.proven for fact in of(Quantity.CONTENT))
        case TrialGoal.KEY_OUT | TrialGoal.SHUT_WITHOUT_KEY:
            is_out = any(fact.value == ABSENT for fact in of(Quantity.KEY))
            return is_out and (is_closed or goal is TrialGoal.KEY_OUT)
        case TrialGoal.PARKED | TrialGoal.THERE:
            wanted, quantity = (PARKED, Quantity.MOTION) if goal is TrialGoal.PARKED else (THERE, Quantity.PLACE)
            return any(fact.value == wanted and fact.proven for fact in of(quantity))
        case TrialGoal.DRIVING | TrialGoal.AWAY:
            wanted, quantity = (DRIVING, Quantity.MOTION) if goal is TrialGoal.DRIVING else (AWAY, Quantity.PLACE)
            return any(fact.value == wanted for fact in of(quantity))
        case TrialGoal.CLEAR | TrialGoal.OBSTRUCTED:  # the newest report: it is queried in a visit only
            wanted = CLEAR if goal is TrialGoal.CLEAR else OBSTRUCTED
            return any(fact.value == wanted for fact in of(Quantity.OBSTRUCTION))
        case _:
            return False
