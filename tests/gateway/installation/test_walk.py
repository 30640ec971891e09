"""The walk test as a table: what each trial wants to see, what it never may, and what an answer does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.reports import DoorState, LockState
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit.closures.contract import Fact
from gateway.domain.visit.state import Consent, Entrance, LockRequest, LockRequestResult, Phase, Visit
from gateway.installation import records
from gateway.installation.capability import WalkTestStatus
from gateway.installation.records import read_walk, read_walk_status, store_walk, walk_file
from gateway.installation.trials import TRIAL_PROCEDURES, TrialAnswer, WalkTrial
from gateway.installation.walk import (
    HouseObservation,
    TrialResult,
    WalkTest,
    WalkTestStep,
    advance,
    answer_trial,
    fitted_devices,
    forbids_visits,
    record_picture,
    resume,
    walk_steps,
    walk_test_status,
)
from tests.house.door import BOLTED, proven_door

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUSE = load_home_file(Path(__file__).parents[3] / "config" / "home.yaml")
FRONT = HOUSE.entrances["front"]
BOLTED_STEPS = walk_steps(FRONT, BOLTED)
DELIVERY = VisitDelivery(
    id="walk-test.1", version=1, permission_version=1, brand="walk-test", carrier="Perron", entrance="front",
    place="hall", refusal=None, start=NOW, end=NOW + timedelta(hours=4), openings_left=1, withdrawals_left=2,
)  # fmt: skip


def house(
    door: DoorState = DoorState.CLOSED,
    bolt: LockState = LockState.LOCKED,
    *,
    proven: bool = True,
    session: int | None = 1,
) -> Entrance:
    return Entrance(
        id="front",
        broker_session=session,
        facts=proven_door(Fact(value=bolt, proven=proven), Fact(value=door, proven=proven)),
    )


def only(trial: WalkTrial, camera: str | None = None) -> WalkTest:
    """A walk of this one trial."""
    return WalkTest(entrance="front", begun=NOW, by="Ida", steps=(WalkTestStep(trial=trial, camera=camera),))


def visit(*, rang: bool = False, outcome: Outcome | None = None, house_: DoorResult | None = None) -> Visit:
    return Visit(
        id="v1",
        delivery=DELIVERY,
        phase=Phase.LOCKED_AGAIN,
        scanner="s",
        consent=Consent(bell_confirmed=rang),
        outcome=outcome,
        door_result=house_,
    )


OPEN, SHUT = (
    HouseObservation(state=house(DoorState.OPEN, LockState.UNLOCKED)),
    HouseObservation(state=house(bolt=LockState.UNLOCKED)),
)
LOCKED = HouseObservation(state=house())
UNPROVEN = HouseObservation(state=house(proven=False))
GONE = HouseObservation(
    state=house(DoorState.UNKNOWN, LockState.UNKNOWN, proven=False, session=None), is_broker_lost=True
)
NOT_YET = HouseObservation(state=GONE.state)  # a gateway that has not reached the broker yet
DEAF = HouseObservation(state=house(DoorState.UNKNOWN, LockState.UNKNOWN, proven=False, session=2))
JAMMED = HouseObservation(
    state=Entrance(
        id="front",
        lock_request=LockRequest(id="l", result=LockRequestResult.NOT_PROVEN),
        facts={"door": Fact(value=DoorState.CLOSED, proven=True)},
    )
)
IN_AIR = HouseObservation(state=house(DoorState.OPEN, LockState.LOCKED))
LIVE, DARK = (
    HouseObservation(state=house(), live_cameras=frozenset({"hall"})),
    HouseObservation(state=house(), lost_cameras=frozenset({"hall"})),
)
STARTED = HouseObservation(state=house())  # a gateway that has not seen the camera yet
RANG = HouseObservation(state=Entrance(id="front", visit=visit(rang=True)), delivery="walk-test.1")
DONE = HouseObservation(
    state=Entrance(id="front", grace_visit=visit(outcome=Outcome.DELIVERED, house_=DoorResult.LOCKED_AGAIN)),
    delivery="walk-test.1",
)
HANDED = HouseObservation(
    state=Entrance(id="front", visit=visit(outcome=Outcome.DELIVERED, house_=DoorResult.HANDED_TO_OWNER)),
    delivery="walk-test.1",
)
OTHER = HouseObservation(state=DONE.state, delivery="walk-test.2")


@pytest.mark.parametrize(
    ("trial", "shown", "ending"),
    [
        (WalkTrial.DOOR_SENSOR, [SHUT, OPEN, SHUT], TrialResult.PASSED),
        (WalkTrial.DOOR_SENSOR, [SHUT, OPEN, UNPROVEN], None),  # a closed door that is not proven is none
        (WalkTrial.DOOR_SENSOR, [OPEN, SHUT], None),
        (WalkTrial.BOLT_IN_AIR, [OPEN, IN_AIR, OPEN], TrialResult.PASSED),
        (
            WalkTrial.BOLT_IN_AIR,
            [OPEN, LOCKED],
            TrialResult.FAILED,
        ),  # the sensor says closed: the house claims it locked
        (WalkTrial.JAM, [SHUT, JAMMED], TrialResult.PASSED),
        (WalkTrial.JAM, [SHUT, LOCKED], TrialResult.FAILED),  # a jam that is called locked
        (WalkTrial.ANSWER, [SHUT, HouseObservation(state=house(), answer_was_pressed=True)], TrialResult.PASSED),
        (WalkTrial.COVERED, [LIVE, DARK, LIVE], TrialResult.PASSED),
        (WalkTrial.COVERED, [LIVE, LIVE], None),
        (WalkTrial.COVERED, [LIVE, STARTED, LIVE], None),  # a restart is no loss that was noticed
        (WalkTrial.BROKER, [LOCKED, NOT_YET, LOCKED], None),
        (WalkTrial.CUT, [DARK, LIVE], None),
        (WalkTrial.BROKER, [LOCKED, GONE, LOCKED], TrialResult.PASSED),
        (WalkTrial.BROKER, [GONE, DEAF], None),  # the broker is back, and lock and door are not
    ],
)
def test_a_trial_ends_by_what_the_house_shows(
    trial: WalkTrial, shown: list[HouseObservation], ending: TrialResult | None
) -> None:
    walk = only(trial, "hall")
    for seen in shown:
        walk = advance(walk, seen, NOW)
    assert walk.steps[0].ending is ending


def test_after_a_restart_a_loss_is_looked_for_from_its_beginning() -> None:
    lost = advance(advance(only(WalkTrial.CUT, "hall"), LIVE, NOW), DARK, NOW)
    assert (lost.steps[0].shown, resume(lost).steps[0].shown) == (2, 0)
    opened = advance(advance(only(WalkTrial.DOOR_SENSOR), SHUT, NOW), OPEN, NOW)
    assert resume(opened) == opened


@pytest.mark.parametrize(
    ("shown", "asks"),
    [([LOCKED, RANG, DONE], True), ([LOCKED, RANG, HANDED], False), ([LOCKED, RANG, OTHER], False), ([DONE], False)],
)
def test_the_delivery_counts_when_it_is_in_and_the_door_is_locked_again(
    shown: list[HouseObservation], *, asks: bool
) -> None:
    walk = only(WalkTrial.DELIVERY)
    for seen in shown:
        walk = advance(walk, seen, NOW)
    assert walk.steps[0].asks is asks


@pytest.mark.parametrize(
    ("word", "ending"),
    [
        (TrialAnswer.YES, TrialResult.PASSED),
        (TrialAnswer.NO, TrialResult.FAILED),
        (TrialAnswer.FAILED, TrialResult.FAILED),
    ],
)
def test_only_who_stands_there_knows_whether_it_opened_without_a_key(word: TrialAnswer, ending: TrialResult) -> None:
    walk = only(WalkTrial.WAY_OUT)
    with pytest.raises(ValueError, match="does not take"):
        answer_trial(walk, 0, TrialAnswer.YES, NOW)  # nothing was shown yet
    for seen in (LOCKED, OPEN, SHUT):
        walk = advance(walk, seen, NOW)
    assert answer_trial(walk, 0, word, NOW).steps[0].ending is ending


def test_a_neighbour_s_door_in_the_picture_blocks_and_an_unseen_picture_is_not_answered() -> None:
    walk = only(WalkTrial.PICTURE, "hall")
    with pytest.raises(ValueError, match="does not take"):
        answer_trial(walk, 0, TrialAnswer.NO, NOW)
    walk = record_picture(walk, 0, "ab" * 32)
    assert walk_test_status(answer_trial(walk, 0, TrialAnswer.YES, NOW)) is WalkTestStatus.BLOCKED
    assert walk_test_status(answer_trial(walk, 0, TrialAnswer.NO, NOW)) is WalkTestStatus.PASSED


def test_what_an_earlier_walk_forbade_stays_forbidden_until_one_is_passed() -> None:
    walk = WalkTest(entrance="front", steps=BOLTED_STEPS, begun=NOW, by="Ida", before=WalkTestStatus.BLOCKED)
    assert (walk_test_status(walk), forbids_visits(walk_test_status(walk))) == (WalkTestStatus.BLOCKED, True)
    passed = walk.model_copy(
        update={"steps": tuple(s.model_copy(update={"ending": TrialResult.PASSED}) for s in walk.steps)}
    )
    assert walk_test_status(passed) is WalkTestStatus.PASSED
    again = answer_trial(passed, 0, TrialAnswer.AGAIN, NOW)
    assert walk_test_status(again) is WalkTestStatus.BLOCKED


@pytest.mark.parametrize("trial", WalkTrial)
def test_only_what_a_house_may_lack_can_be_left_out(trial: WalkTrial) -> None:
    walk = only(trial, "hall")
    if TRIAL_PROCEDURES[trial].is_optional:
        assert walk_test_status(answer_trial(walk, 0, TrialAnswer.NOT_HERE, NOW)) is WalkTestStatus.PASSED
    else:
        with pytest.raises(ValueError, match="does not take"):
            answer_trial(walk, 0, TrialAnswer.NOT_HERE, NOW)


def test_every_camera_is_looked_at_covered_and_cut() -> None:
    walk = WalkTest(entrance="front", steps=walk_steps(FRONT, BOLTED), begun=NOW, by="Ida")
    for trial in (WalkTrial.PICTURE, WalkTrial.COVERED, WalkTrial.CUT):
        assert [step.camera for step in walk.steps if step.trial is trial] == ["doorbell", "hall-camera"]
    assert [step.camera for step in walk.steps if step.trial is WalkTrial.SEES] == ["doorbell"]
    assert {step.closure for step in walk.steps} == {None}, "the only door has no name"


def house_in(folder: Path) -> Home:
    return HOUSE.model_copy(update={"storage": HOUSE.storage.model_copy(update={"folder": folder})})


def test_a_walk_is_read_back_as_it_was_written_and_one_that_cannot_be_read_forbids(tmp_path: Path) -> None:
    home = house_in(tmp_path)
    assert read_walk_status(home, "front") is WalkTestStatus.NEVER
    walk = advance(WalkTest(entrance="front", steps=walk_steps(FRONT, BOLTED), begun=NOW, by="Ida"), SHUT, NOW)
    store_walk(tmp_path, walk)
    assert read_walk(tmp_path, "front") == walk
    assert walk.steps[0].shown == 1
    assert read_walk_status(home, "front") is WalkTestStatus.UNDER_WAY
    walk_file(tmp_path, "front").write_text("{")
    assert forbids_visits(read_walk_status(home, "front"))


def test_what_was_passed_with_another_camera_is_stale_and_what_failed_forbids_with_any(tmp_path: Path) -> None:
    home = house_in(tmp_path)
    walk = WalkTest(
        entrance="front",
        steps=walk_steps(FRONT, BOLTED),
        begun=NOW,
        by="Ida",
        before=WalkTestStatus.NEVER,
        fitted=fitted_devices(home, "front"),
    )
    steps = tuple(step.model_copy(update={"ending": TrialResult.PASSED}) for step in walk.steps)
    store_walk(tmp_path, walk.model_copy(update={"steps": steps}))
    assert read_walk_status(home, "front") is WalkTestStatus.PASSED
    moved = home.devices["doorbell"].model_copy(update={"url": "rtsp://192.168.1.99/stream"})
    other = home.model_copy(update={"devices": {**home.devices, "doorbell": moved}})
    assert read_walk_status(other, "front") is WalkTestStatus.STALE
    late = home.devices["front-lock"].model_copy(update={"latency": 9.0})
    tuned = home.model_copy(update={"devices": {**home.devices, "front-lock": late}})
    assert read_walk_status(tuned, "front") is WalkTestStatus.PASSED
    store_walk(tmp_path, answer_trial(walk, 0, TrialAnswer.FAILED, NOW))
    assert read_walk_status(other, "front") is WalkTestStatus.FAILED


@pytest.mark.parametrize("ending", [TrialResult.BLOCKED, TrialResult.FAILED])
def test_what_forbade_forbids_while_it_is_tried_anew_and_until_it_is_passed(ending: TrialResult) -> None:
    walk = only(WalkTrial.PICTURE, "hall")
    ended = record_picture(walk, 0, "ab" * 32)
    ended = answer_trial(ended, 0, TrialAnswer.YES if ending is TrialResult.BLOCKED else TrialAnswer.FAILED, NOW)
    again = answer_trial(ended, 0, TrialAnswer.AGAIN, NOW)
    assert walk_test_status(again) is walk_test_status(ended)
    assert forbids_visits(walk_test_status(again))
    assert (
        walk_test_status(answer_trial(record_picture(again, 0, "cd" * 32), 0, TrialAnswer.NO, NOW))
        is WalkTestStatus.PASSED
    )


def test_of_earlier_walk_tests_the_newest_ten_are_kept_for_each_entrance(tmp_path: Path) -> None:
    tried = WalkTestStep(trial=WalkTrial.BATTERIES, ending=TrialResult.PASSED, at=NOW)
    for number in range(12):
        for entrance in ("front", "front-garden"):
            begun = NOW + timedelta(days=number)
            walk = WalkTest(entrance=entrance, begun=begun, by="Ida", steps=(tried,), promised=None)
            records.keep_former_walk(tmp_path, walk)
    untried = WalkTest(entrance="front", begun=NOW, by="Ida", steps=(WalkTestStep(trial=WalkTrial.BATTERIES),))
    records.keep_former_walk(tmp_path, untried)
    former = records.read_former_walks(tmp_path, "front")
    assert [walk.begun for walk in former] == [NOW + timedelta(days=number) for number in range(11, 1, -1)]
    assert {walk.passed for walk in former} == {1}
    assert len(records.read_former_walks(tmp_path, "front-garden")) == records.MAX_FORMER_WALKS
