"""The walk test as a table: what each trial wants to see, what it never may, and what an answer does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.reports import DoorState, LockState
from gateway.config.home import Home
from gateway.config.loader import load
from gateway.domain.visit.state import (
    DoorResult,
    Entrance,
    Fact,
    LockRequest,
    LockRequestResult,
    Outcome,
    Phase,
    Visit,
    VisitDelivery,
)
from gateway.installation.capability import Walked
from gateway.installation.notes import keep, walk_file, walk_of, walked
from gateway.installation.walk import (
    RITES,
    Ending,
    Seen,
    Step,
    Trial,
    Walk,
    Word,
    advance,
    answer,
    begin,
    fitted,
    forbids,
    looked_at,
    resumed,
    standing,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUSE = load(Path(__file__).parents[3] / "config" / "home.yaml")
FRONT = HOUSE.entrances["front"]
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
        id="front", broker_session=session, door=Fact(value=door, proven=proven), bolt=Fact(value=bolt, proven=proven)
    )


def only(trial: Trial, camera: str | None = None) -> Walk:
    """A walk of this one trial."""
    return Walk(entrance="front", begun=NOW, by="Ida", steps=(Step(trial=trial, camera=camera),))


def visit(*, rang: bool = False, outcome: Outcome | None = None, house_: DoorResult | None = None) -> Visit:
    return Visit(
        id="v1",
        delivery=DELIVERY,
        phase=Phase.LOCKED_AGAIN,
        scanner="s",
        bell_confirmed=rang,
        outcome=outcome,
        door_result=house_,
    )


OPEN, SHUT = Seen(state=house(DoorState.OPEN, LockState.UNLOCKED)), Seen(state=house(bolt=LockState.UNLOCKED))
LOCKED = Seen(state=house())
UNPROVEN = Seen(state=house(proven=False))
GONE = Seen(state=house(DoorState.UNKNOWN, LockState.UNKNOWN, proven=False, session=None), cut=True)
NOT_YET = Seen(state=GONE.state)  # a gateway that has not reached the broker yet
DEAF = Seen(state=house(DoorState.UNKNOWN, LockState.UNKNOWN, proven=False, session=2))
JAMMED = Seen(
    state=Entrance(
        id="front",
        lock_request=LockRequest(id="l", result=LockRequestResult.NOT_PROVEN),
        door=Fact(value=DoorState.CLOSED, proven=True),
    )
)
IN_AIR = Seen(state=house(DoorState.OPEN, LockState.LOCKED))
LIVE, DARK = Seen(state=house(), live=frozenset({"hall"})), Seen(state=house(), lost=frozenset({"hall"}))
STARTED = Seen(state=house())  # a gateway that has not seen the camera yet
RANG = Seen(state=Entrance(id="front", visit=visit(rang=True)), delivery="walk-test.1")
DONE = Seen(
    state=Entrance(id="front", grace_visit=visit(outcome=Outcome.DELIVERED, house_=DoorResult.LOCKED_AGAIN)),
    delivery="walk-test.1",
)
HANDED = Seen(
    state=Entrance(id="front", visit=visit(outcome=Outcome.DELIVERED, house_=DoorResult.HANDED_TO_OWNER)),
    delivery="walk-test.1",
)
OTHER = Seen(state=DONE.state, delivery="walk-test.2")


@pytest.mark.parametrize(
    ("trial", "shown", "ending"),
    [
        (Trial.DOOR_SENSOR, [SHUT, OPEN, SHUT], Ending.PASSED),
        (Trial.DOOR_SENSOR, [SHUT, OPEN, UNPROVEN], None),  # a closed door that is not proven is none
        (Trial.DOOR_SENSOR, [OPEN, SHUT], None),
        (Trial.BOLT_IN_AIR, [OPEN, IN_AIR, OPEN], Ending.PASSED),
        (Trial.BOLT_IN_AIR, [OPEN, LOCKED], Ending.FAILED),  # the sensor says closed: the house claims it locked
        (Trial.JAM, [SHUT, JAMMED], Ending.PASSED),
        (Trial.JAM, [SHUT, LOCKED], Ending.FAILED),  # a jam that is called locked
        (Trial.ANSWER, [SHUT, Seen(state=house(), answered=True)], Ending.PASSED),
        (Trial.COVERED, [LIVE, DARK, LIVE], Ending.PASSED),
        (Trial.COVERED, [LIVE, LIVE], None),
        (Trial.COVERED, [LIVE, STARTED, LIVE], None),  # a restart is no loss that was noticed
        (Trial.BROKER, [LOCKED, NOT_YET, LOCKED], None),
        (Trial.CUT, [DARK, LIVE], None),
        (Trial.BROKER, [LOCKED, GONE, LOCKED], Ending.PASSED),
        (Trial.BROKER, [GONE, DEAF], None),  # the broker is back, and lock and door are not
    ],
)
def test_a_trial_ends_by_what_the_house_shows(trial: Trial, shown: list[Seen], ending: Ending | None) -> None:
    walk = only(trial, "hall")
    for seen in shown:
        walk = advance(walk, seen, NOW)
    assert walk.steps[0].ending is ending


def test_after_a_restart_a_loss_is_looked_for_from_its_beginning() -> None:
    lost = advance(advance(only(Trial.CUT, "hall"), LIVE, NOW), DARK, NOW)
    assert (lost.steps[0].shown, resumed(lost).steps[0].shown) == (2, 0)
    opened = advance(advance(only(Trial.DOOR_SENSOR), SHUT, NOW), OPEN, NOW)
    assert resumed(opened) == opened


@pytest.mark.parametrize(
    ("shown", "asks"),
    [([LOCKED, RANG, DONE], True), ([LOCKED, RANG, HANDED], False), ([LOCKED, RANG, OTHER], False), ([DONE], False)],
)
def test_the_delivery_counts_when_it_is_in_and_the_door_is_locked_again(shown: list[Seen], *, asks: bool) -> None:
    walk = only(Trial.DELIVERY)
    for seen in shown:
        walk = advance(walk, seen, NOW)
    assert walk.steps[0].asks is asks


@pytest.mark.parametrize(
    ("word", "ending"), [(Word.YES, Ending.PASSED), (Word.NO, Ending.FAILED), (Word.FAILED, Ending.FAILED)]
)
def test_only_who_stands_there_knows_whether_it_opened_without_a_key(word: Word, ending: Ending) -> None:
    walk = only(Trial.WAY_OUT)
    with pytest.raises(ValueError, match="does not take"):
        answer(walk, 0, Word.YES, NOW)  # nothing was shown yet
    for seen in (LOCKED, OPEN, SHUT):
        walk = advance(walk, seen, NOW)
    assert answer(walk, 0, word, NOW).steps[0].ending is ending


def test_a_neighbour_s_door_in_the_picture_blocks_and_an_unseen_picture_is_not_answered() -> None:
    walk = only(Trial.PICTURE, "hall")
    with pytest.raises(ValueError, match="does not take"):
        answer(walk, 0, Word.NO, NOW)
    walk = looked_at(walk, 0, "ab" * 32)
    assert standing(answer(walk, 0, Word.YES, NOW)) is Walked.BLOCKED
    assert standing(answer(walk, 0, Word.NO, NOW)) is Walked.PASSED


def test_what_an_earlier_walk_forbade_stays_forbidden_until_one_is_passed() -> None:
    walk = begin("front", FRONT, now=NOW, by="Ida", before=Walked.BLOCKED)
    assert (standing(walk), forbids(standing(walk))) == (Walked.BLOCKED, True)
    passed = walk.model_copy(
        update={"steps": tuple(s.model_copy(update={"ending": Ending.PASSED}) for s in walk.steps)}
    )
    assert standing(passed) is Walked.PASSED
    again = answer(passed, 0, Word.AGAIN, NOW)
    assert standing(again) is Walked.BLOCKED


@pytest.mark.parametrize("trial", Trial)
def test_only_what_a_house_may_lack_can_be_left_out(trial: Trial) -> None:
    walk = only(trial, "hall")
    if RITES[trial].optional:
        assert standing(answer(walk, 0, Word.NOT_HERE, NOW)) is Walked.PASSED
    else:
        with pytest.raises(ValueError, match="does not take"):
            answer(walk, 0, Word.NOT_HERE, NOW)


def test_every_camera_is_looked_at_covered_and_cut() -> None:
    walk = begin("front", FRONT, now=NOW, by="Ida", before=Walked.NEVER)
    for trial in (Trial.PICTURE, Trial.COVERED, Trial.CUT):
        assert [step.camera for step in walk.steps if step.trial is trial] == ["doorbell", "hall-camera"]
    assert {step.trial for step in walk.steps} == set(Trial)


def test_a_garage_door_has_neither_bolt_nor_key_to_be_tried() -> None:
    walk = begin("front", FRONT, now=NOW, by="Ida", before=Walked.NEVER, cover=True)
    assert {*Trial} - {step.trial for step in walk.steps} == {Trial.BOLT_IN_AIR, Trial.JAM, Trial.KEY}


def house_in(folder: Path) -> Home:
    return HOUSE.model_copy(update={"storage": HOUSE.storage.model_copy(update={"folder": folder})})


def test_a_walk_is_read_back_as_it_was_written_and_one_that_cannot_be_read_forbids(tmp_path: Path) -> None:
    home = house_in(tmp_path)
    assert walked(home, "front") is Walked.NEVER
    walk = advance(begin("front", FRONT, now=NOW, by="Ida", before=Walked.NEVER), SHUT, NOW)
    keep(tmp_path, walk)
    assert walk_of(tmp_path, "front") == walk
    assert walk.steps[0].shown == 1
    assert walked(home, "front") is Walked.UNDER_WAY
    walk_file(tmp_path, "front").write_text("{")
    assert forbids(walked(home, "front"))


def test_what_was_passed_with_another_camera_is_stale_and_what_failed_forbids_with_any(tmp_path: Path) -> None:
    home = house_in(tmp_path)
    walk = begin("front", FRONT, now=NOW, by="Ida", before=Walked.NEVER, fitted=fitted(home, "front"))
    steps = tuple(step.model_copy(update={"ending": Ending.PASSED}) for step in walk.steps)
    keep(tmp_path, walk.model_copy(update={"steps": steps}))
    assert walked(home, "front") is Walked.PASSED
    moved = home.devices["doorbell"].model_copy(update={"url": "rtsp://192.168.1.99/stream"})
    other = home.model_copy(update={"devices": {**home.devices, "doorbell": moved}})
    assert walked(other, "front") is Walked.STALE
    late = home.devices["front-lock"].model_copy(update={"latency": 9.0})
    tuned = home.model_copy(update={"devices": {**home.devices, "front-lock": late}})
    assert walked(tuned, "front") is Walked.PASSED
    keep(tmp_path, answer(walk, 0, Word.FAILED, NOW))
    assert walked(other, "front") is Walked.FAILED


@pytest.mark.parametrize("ending", [Ending.BLOCKED, Ending.FAILED])
def test_what_forbade_forbids_while_it_is_tried_anew_and_until_it_is_passed(ending: Ending) -> None:
    walk = only(Trial.PICTURE, "hall")
    ended = looked_at(walk, 0, "ab" * 32)
    ended = answer(ended, 0, Word.YES if ending is Ending.BLOCKED else Word.FAILED, NOW)
    again = answer(ended, 0, Word.AGAIN, NOW)
    assert standing(again) is standing(ended)
    assert forbids(standing(again))
    assert standing(answer(looked_at(again, 0, "cd" * 32), 0, Word.NO, NOW)) is Walked.PASSED
