"""The walk test of one entrance: the known faults, tried in this house with somebody at its door.

Pure: a walk is a list of trials, each a chain of goals that the house must show in their order, what it may never show
meanwhile, and a question that only somebody who stands there can answer. `advance` takes what the house shows now,
`answer` what was answered. A walk is a plain value that is written down after each change, so a restart in the middle
loses nothing. Nothing here moves a bolt: the one opening is a delivery's own, through all the rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from hashlib import sha256
from types import MappingProxyType
from typing import assert_never

from devices.reports import DoorState, LockState
from gateway.config.fields import Section
from gateway.config.home import EntranceSection, Home
from gateway.domain.visit.rules import OPEN_DOOR_STATES, OPENABLE, closed, locked
from gateway.domain.visit.state import WALK_TEST, DoorResult, Entrance, LockRequestResult, Outcome
from gateway.installation.capability import Walked

BRAND = WALK_TEST  # no brand of the house file may be called so


class Trial(StrEnum):
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


FITTED = {"kind", "vendor", "address", "topics", "url"}  # of a device: with another one it is another device
OF_A_BOLT = frozenset({Trial.BOLT_IN_AIR, Trial.JAM, Trial.KEY})


class Goal(StrEnum):
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


class Ending(StrEnum):
    """What came of a trial."""

    PASSED = auto()
    FAILED = auto()
    NOT_HERE = auto()  # it cannot be tried in this house; only of some trials
    BLOCKED = auto()  # a camera sees what it must not


FORBIDDING = frozenset({Ending.FAILED, Ending.BLOCKED})


class Word(StrEnum):
    """What whoever stands at the door answers."""

    YES = auto()
    NO = auto()
    FAILED = auto()  # it did not work, or the house did not notice
    NOT_HERE = auto()
    AGAIN = auto()  # try this one anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Rite:
    """How a trial goes. `good` is the answer to its question that passes it; None: there is no question.

    `asks_lock`: the box may be told to lock now. `optional`: a house may have no way to try it.
    """

    goals: tuple[Goal, ...] = ()
    good: Word | None = None
    never: frozenset[Goal] = frozenset()
    asks_lock: bool = False
    optional: bool = False


RITES: Mapping[Trial, Rite] = MappingProxyType({
    Trial.DOOR_SENSOR: Rite(goals=(Goal.CLOSED, Goal.OPEN, Goal.CLOSED)),
    Trial.BOLT: Rite(goals=(Goal.CLOSED, Goal.LOCKED), good=Word.YES, asks_lock=True),
    Trial.BOLT_IN_AIR: Rite(goals=(Goal.OPEN, Goal.BOLT_OUT, Goal.FREE), never=frozenset({Goal.LOCKED}), optional=True),
    Trial.JAM: Rite(goals=(Goal.FREE, Goal.NOT_PROVEN), never=frozenset({Goal.LOCKED}), asks_lock=True, optional=True),
    Trial.WAY_OUT: Rite(goals=(Goal.LOCKED, Goal.OPEN, Goal.CLOSED), good=Word.YES, asks_lock=True),
    Trial.KEY: Rite(goals=(Goal.LOCKED, Goal.OPEN, Goal.CLOSED), good=Word.YES, asks_lock=True, optional=True),
    Trial.ANSWER: Rite(goals=(Goal.ANSWERED,)),
    Trial.PICTURE: Rite(good=Word.NO),
    Trial.COVERED: Rite(goals=(Goal.LIVE, Goal.NOT_LIVE, Goal.LIVE)),
    Trial.CUT: Rite(goals=(Goal.LIVE, Goal.NOT_LIVE, Goal.LIVE)),
    Trial.BROKER: Rite(goals=(Goal.BROKER_GONE, Goal.BROKER_BACK)),
    Trial.WRONG_CODE: Rite(goals=(Goal.WRONG,), good=Word.YES),
    Trial.DELIVERY: Rite(goals=(Goal.LOCKED, Goal.RANG, Goal.DELIVERED), good=Word.YES, asks_lock=True),
})  # fmt: skip
"""The table of the walk test: what each trial must show. Nothing else says so."""


class Step(Section):
    """One trial of a walk and how far it has come. `shown`: so many of its goals were seen, in their order.

    `before`: what it ended with before it was tried anew; what forbade then forbids until it has ended again.
    """

    trial: Trial
    camera: str | None = None
    shown: int = 0
    before: Ending | None = None
    ending: Ending | None = None
    at: datetime | None = None  # when it ended
    answered: Word | None = None
    picture: str | None = None  # SHA-256 of the picture that was looked at

    @property
    def rite(self) -> Rite:
        """How it goes."""
        return RITES[self.trial]

    @property
    def asks(self) -> bool:
        """Whether only its question is open."""
        rite = self.rite
        return self.ending is None and rite.good is not None and self.shown == len(rite.goals)


class Promised(Section):
    """The walk's own delivery, as it was promised last.

    `secret`: of the courier's code, `seed`: of the brand's key, both hex; they are good for this delivery alone.
    """

    id: str
    parcel: str
    secret: str
    seed: str
    until: datetime


class Walk(Section):
    """A walk of one entrance. `before`: what an earlier one ended with, and what therefore still forbids.

    `by` is the name of who began it, `person` their account's id. `asks_owner`: the owner is asked before the test's
    delivery is let in, because another than the owner began it. `fitted` names the devices with which it was begun;
    `reported`: its report lies there.
    """

    entrance: str
    begun: datetime
    by: str
    person: str | None = None
    asks_owner: bool = False
    fitted: str = ""
    reported: bool = False
    before: Walked = Walked.NEVER
    steps: tuple[Step, ...]
    promised: Promised | None = None

    @property
    def current(self) -> int | None:
        """Which step is open; None: all have ended."""
        return next((n for n, step in enumerate(self.steps) if step.ending is None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the house shows at one instant, and what happened since the last look.

    `lost` are the cameras that this process saw live and sees no more, `cut`: it had the broker and has it no more. A
    gateway that has just started knows of neither, and that is no evidence that it notices.
    """

    state: Entrance
    delivery: str | None = None  # the key of the walk's own delivery
    answered: bool = False
    wrong: bool = False
    live: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    cut: bool = False


def begin(  # noqa: PLR0913 - what begins, and who begins it
    name: str,
    section: EntranceSection,
    *,
    now: datetime,
    by: str,
    before: Walked,
    person: str | None = None,
    asks_owner: bool = False,
    fitted: str = "",
    cover: bool = False,
) -> Walk:
    """Begin a walk of this entrance: every trial, those of cameras for each camera.

    `cover`: a garage door, which has neither a bolt nor a key.
    """
    cameras = (section.cameras.outside, *section.cameras.inside)
    steps: list[Step] = []
    for trial in Trial:
        if trial is Trial.WRONG_CODE and not section.scanners:
            continue  # a camera that reads labels refuses no wrong code
        if cover and trial in OF_A_BOLT:
            continue
        if trial in (Trial.PICTURE, Trial.COVERED, Trial.CUT):
            steps.extend(Step(trial=trial, camera=camera) for camera in cameras)
        else:
            steps.append(Step(trial=trial))
    return Walk(
        entrance=name,
        begun=now,
        by=by,
        person=person,
        asks_owner=asks_owner,
        fitted=fitted,
        before=before,
        steps=tuple(steps),
    )


def standing(walk: Walk | None) -> Walked:
    """Say how an entrance stands. What an earlier walk forbade stays forbidden until one is passed."""
    if walk is None:
        return Walked.NEVER
    endings = {step.before if step.ending is None and step.before in FORBIDDING else step.ending for step in walk.steps}
    if Ending.BLOCKED in endings:
        return Walked.BLOCKED
    if Ending.FAILED in endings:
        return Walked.FAILED
    if None not in endings:
        return Walked.PASSED
    return walk.before if forbids(walk.before) else Walked.UNDER_WAY


def fitted(home: Home, entrance: str) -> str:
    """Name the devices of an entrance as they stand in the house file: others make another name.

    Raises:
        KeyError: no such entrance.
    """
    section = home.entrances[entrance]
    names = (section.lock, section.door, section.signal, *section.scanners, section.cameras.outside,
             *section.cameras.inside)  # fmt: skip
    told = [(name, home.devices[name].model_dump_json(include=FITTED)) for name in names]
    return sha256(repr(told).encode()).hexdigest()[:16]


def standing_with(walk: Walk | None, now_fitted: str) -> Walked:
    """Say how an entrance stands with the devices that it has now: what was passed with others is stale."""
    how = standing(walk)
    return Walked.STALE if how is Walked.PASSED and walk is not None and walk.fitted != now_fitted else how


def forbids(walked: Walked) -> bool:
    """Whether it keeps deliveries out while nobody is home."""
    match walked:
        case Walked.FAILED | Walked.BLOCKED:
            return True
        case Walked.NEVER | Walked.UNDER_WAY | Walked.STALE | Walked.PASSED:
            return False
        case _:
            assert_never(walked)


def advance(walk: Walk, seen: Seen, now: datetime) -> Walk:
    """Take what the house shows now: the open trial goes on by the goals that are shown, or fails."""
    number = walk.current
    if number is None:
        return walk
    step = walk.steps[number]
    rite = step.rite
    while step.ending is None:
        if step.shown and any(_shows(goal, step, seen) for goal in rite.never):
            step = _ended(step, Ending.FAILED, now)
        elif step.shown < len(rite.goals) and _shows(rite.goals[step.shown], step, seen):
            step = step.model_copy(update={"shown": step.shown + 1})
            if step.shown == len(rite.goals) and rite.good is None:
                step = _ended(step, Ending.PASSED, now)
        else:
            break
    return _with(walk, number, step)


def resumed(walk: Walk) -> Walk:
    """Take a walk up again after a restart: what is being lost and found is looked at from its beginning.

    A gateway that has just started has not seen the camera live, so it cannot say that it was lost.
    """
    number = walk.current
    if number is None or walk.steps[number].trial not in (Trial.COVERED, Trial.CUT, Trial.BROKER):
        return walk
    return _with(walk, number, walk.steps[number].model_copy(update={"shown": 0}))


def answer(walk: Walk, number: int, word: Word, now: datetime) -> Walk:
    """Take an answer to trial `number`.

    Raises:
        ValueError: this trial does not take that answer now.
    """
    if not 0 <= number < len(walk.steps):
        raise ValueError("there is no such trial")
    step = walk.steps[number]
    match word:
        case Word.AGAIN if step.ending is not None:
            fresh = Step(trial=step.trial, camera=step.camera, before=step.ending)
            return _with(walk, number, fresh).model_copy(update={"reported": False})
        case _ if number != walk.current:
            raise ValueError("another trial is open")
        case Word.FAILED:
            return _with(walk, number, _ended(step, Ending.FAILED, now))
        case Word.NOT_HERE if step.rite.optional:
            return _with(walk, number, _ended(step, Ending.NOT_HERE, now))
        case Word.YES | Word.NO if step.asks and (step.trial is not Trial.PICTURE or step.picture is not None):
            good = word is step.rite.good
            bad = Ending.BLOCKED if step.trial is Trial.PICTURE else Ending.FAILED
            answered = step.model_copy(update={"answered": word})
            return _with(walk, number, _ended(answered, Ending.PASSED if good else bad, now))
        case _:
            raise ValueError("this trial does not take that answer now")


def looked_at(walk: Walk, number: int, digest: str) -> Walk:
    """Note which picture was shown for a question: only that one is answered."""
    return _with(walk, number, walk.steps[number].model_copy(update={"picture": digest}))


def _with(walk: Walk, number: int, step: Step) -> Walk:
    if step == walk.steps[number]:
        return walk
    return walk.model_copy(update={"steps": (*walk.steps[:number], step, *walk.steps[number + 1 :])})


def _ended(step: Step, ending: Ending, now: datetime) -> Step:
    return step.model_copy(update={"ending": ending, "at": now})


def _shows(goal: Goal, step: Step, seen: Seen) -> bool:
    """Whether the house shows this now. Good news counts as proven only, as everywhere."""
    return _SHOWS[goal](step, seen)


def _live(step: Step, seen: Seen) -> bool:
    return step.camera in seen.live


def _back(_step: Step, seen: Seen) -> bool:
    state = seen.state
    return (
        state.broker_session is not None
        and state.bolt.value is not LockState.UNKNOWN
        and state.door.value is not DoorState.UNKNOWN
    )


def _rang(_step: Step, seen: Seen) -> bool:
    visit = seen.state.visit
    return visit is not None and visit.delivery.id == seen.delivery and visit.bell_confirmed


def _delivered(_step: Step, seen: Seen) -> bool:
    """It is latched in the visit, and in what is left of it for a quarter of an hour after."""
    return any(
        visit is not None
        and visit.delivery.id == seen.delivery
        and (visit.outcome, visit.door_result) == (Outcome.DELIVERED, DoorResult.LOCKED_AGAIN)
        for visit in (seen.state.visit, seen.state.grace_visit)
    )


def _not_proven(_step: Step, seen: Seen) -> bool:
    lockup = seen.state.lock_request
    return lockup is not None and lockup.result is LockRequestResult.NOT_PROVEN


_SHOWS: Mapping[Goal, Callable[[Step, Seen], bool]] = MappingProxyType({
    Goal.CLOSED: lambda _, seen: closed(seen.state),
    Goal.OPEN: lambda _, seen: seen.state.door.value in OPEN_DOOR_STATES,
    Goal.LOCKED: lambda _, seen: locked(seen.state) and closed(seen.state),
    Goal.BOLT_OUT: lambda _, seen: seen.state.bolt.value in (LockState.LOCKED, LockState.NOT_FULLY_LOCKED),
    Goal.FREE: lambda _, seen: seen.state.bolt.value in OPENABLE,
    Goal.NOT_PROVEN: _not_proven,
    Goal.ANSWERED: lambda _, seen: seen.answered,
    Goal.LIVE: _live,
    Goal.NOT_LIVE: lambda step, seen: step.camera in seen.lost,
    Goal.BROKER_GONE: lambda _, seen: seen.cut,
    Goal.BROKER_BACK: _back,
    Goal.WRONG: lambda _, seen: seen.wrong,
    Goal.RANG: _rang,
    Goal.DELIVERED: _delivered,
})  # fmt: skip
