"""The moves of each kind's procedures, step by step: what is queried, sent and waited for, and when it gives up."""

import pytest

from devices.commands import Light, Sound
from gateway.domain.visit.closures import (
    AnyClosure,
    BoltedDoor,
    Compartment,
    GarageDoor,
    KeyedDoor,
    KeySafe,
    Strike,
)
from gateway.domain.visit.closures.contract import (
    Circumstances,
    Fact,
    Move,
    Order,
    Pause,
    ProcedureRun,
    Verdict,
    View,
)
from gateway.domain.visit.commands import AlarmCode
from tests.gateway.domain.visit.closures.seen import seen

BOLTED = BoltedDoor(id="flat")
HANDLE = BoltedDoor(id="flat", lift_handle=True, handle=20.0)
GARAGE = GarageDoor(id="garage")
BEAM = GarageDoor(id="garage", obstruction_sensor=True, warning=10.0, closing=30.0)
STRIKE = Strike(id="street", wedged=60.0)
BOX = Compartment(id="small", devices={"content": "eye"})
BLIND_BOX = Compartment(id="small")
SAFE = KeySafe(id="safe")
KEYED = KeyedDoor(id="hall")

WAIT, DONE, AGAIN = Verdict.WAIT, Verdict.DONE, Verdict.AGAIN
LOCKED = {"lock": "locked", "door": "closed"}
EMPTY = {"latch": "locked", "lid": "closed", "content": "empty"}
AT_HOME = {"flap": "closed", "key": "present"}

LOCK = Move(to="bolt_moves", send=Order.LOCK, invalidate=("lock",), ends_delivery=True)
BOLT = Move(to="bolt_answers", query=("lock",), after_expiry=True)


@pytest.mark.parametrize(
    ("closure", "step", "values", "is_over", "result"),
    [
        (BOLTED, "start", LOCKED, False, Move(to="door_before", query=("door",))),
        (BOLTED, "door_before", {"door": "closed"}, False, LOCK),
        (BOLTED, "door_before", {"door": "closed?"}, False, WAIT),
        (BOLTED, "door_before", {"door": "unknown?"}, True, AGAIN),
        (BOLTED, "door_before", {"door": "open?"}, True, AGAIN),
        (BOLTED, "bolt_moves", {"lock": "unlocked?", "door": "closed"}, False, WAIT),
        (BOLTED, "bolt_moves", {"lock": "locked?", "door": "closed"}, False, BOLT),
        (BOLTED, "bolt_moves", {"lock": "unlocked?", "door": "closed"}, True, BOLT),
        (BOLTED, "bolt_answers", {"lock": "locked?", "door": "closed"}, False, WAIT),
        (BOLTED, "bolt_answers", {"lock": "unlocked?", "door": "closed"}, True, AGAIN),
        (BOLTED, "bolt_answers", LOCKED, False, Move(to="door_after", query=("door",))),
        (BOLTED, "door_after", LOCKED | {"door": "closed?"}, False, WAIT),
        (BOLTED, "door_after", LOCKED | {"lock": "locked?"}, True, AGAIN),
        (BOLTED, "door_after", LOCKED, False, DONE),
        (GARAGE, "start", {}, False, Move(to="door_before", query=("door",))),
        (GARAGE, "door_before", {"door": "closed?"}, False, WAIT),
        (GARAGE, "door_before", {"door": "open?"}, True, AGAIN),
        (GARAGE, "door_before", {"door": "closed"}, False,
         Move(to="door_after", query=("door",), after_expiry=True, ends_delivery=True)),
        (GARAGE, "door_after", {"door": "closed?"}, False, WAIT),
        (GARAGE, "door_after", {"door": "closed"}, False, DONE),
        (STRIKE, "start", {}, False, Move(to="before", query=("door",))),
        (STRIKE, "before", {"door": "closed?"}, False, WAIT),
        (STRIKE, "before", {"door": "closed"}, False, Move(to="after", query=("door",), after_expiry=True)),
        (STRIKE, "after", {"door": "closed?"}, False, WAIT),
        (STRIKE, "after", {"door": "closed"}, False, DONE),
        (BOX, "start", {}, False, Move(to="lid_before", query=("lid",), invalidate=("content",))),
        (BOX, "lid_before", EMPTY | {"lid": "closed?"}, False, WAIT),
        (BOX, "lid_before", EMPTY | {"lid": "open?"}, True, AGAIN),
        (BOX, "lid_before", EMPTY, False, Move(to="all", query=("latch", "lid", "content"), after_expiry=True)),
        (BOX, "all", EMPTY, False, DONE),
        (BOX, "all", EMPTY | {"content": "occupied"}, False, DONE),
        (BOX, "all", EMPTY | {"content": "occupied?"}, False, WAIT),
        (BOX, "all", EMPTY | {"content": "unknown?"}, True, DONE),  # what lies in it may stay unknown
        (BOX, "all", EMPTY | {"latch": "locked?"}, True, AGAIN),
        (BOX, "all", EMPTY | {"lid": "open?"}, True, AGAIN),
        (BLIND_BOX, "lid_before", {"lid": "closed"}, False, Move(to="all", query=("latch", "lid"), after_expiry=True)),
        (BLIND_BOX, "all", {"latch": "locked", "lid": "closed"}, False, DONE),
        (SAFE, "start", {}, False, Move(to="before", query=("flap", "key"))),
        (SAFE, "before", AT_HOME, False, Move(to="after", query=("flap", "key"), after_expiry=True)),
        (SAFE, "before", AT_HOME | {"key": "present?"}, False, WAIT),
        (SAFE, "before", AT_HOME | {"key": "absent?"}, True, AGAIN),
        (SAFE, "after", AT_HOME | {"key": "absent?"}, True, AGAIN),
        (SAFE, "after", AT_HOME | {"flap": "closed?"}, False, WAIT),
        (SAFE, "after", AT_HOME, False, DONE),
        (KEYED, "start", {}, False, Move(to="queried", query=("door",))),
        (KEYED, "queried", {"door": "closed?"}, False, WAIT),
        (KEYED, "queried", {"door": "open?"}, True, AGAIN),
        (KEYED, "queried", {"door": "closed"}, False, DONE),
    ],
)  # fmt: skip
def test_it_is_secured_by_queries_of_which_the_last_is_sent_when_no_command_can_act(
    closure: AnyClosure, step: str, values: dict[str, str], result: object, *, is_over: bool
) -> None:
    assert closure.secure(seen(closure, values, run=ProcedureRun(step=step), is_over=is_over)) == result


@pytest.mark.parametrize("step", ["before", "after"])
def test_a_street_door_that_stays_open_waits_for_whoever_wedged_it(step: str) -> None:
    result = STRIKE.secure(seen(STRIKE, {"door": "open?"}, run=ProcedureRun(step=step), is_over=True))
    assert isinstance(result, Pause)
    assert result.within_s == 60.0
    assert result.prompt.sound is Sound.CLOSE_THE_DOOR


def test_a_refused_lock_is_queried_at_once_and_a_jam_fails_this_try() -> None:
    moving = {"lock": "unlocked?", "door": "closed"}
    assert BOLTED.secure(seen(BOLTED, moving, run=ProcedureRun(step="bolt_moves", refused=True))) == BOLT
    assert BOLTED.secure(seen(BOLTED, moving, run=ProcedureRun(step="bolt_moves", jammed=True))) is AGAIN


def test_a_bolt_that_stopped_half_way_waits_for_the_handle_where_it_has_to_be_lifted() -> None:
    half, run = {"lock": "not_fully_locked?", "door": "closed"}, ProcedureRun(step="bolt_answers")
    waits = HANDLE.secure(seen(HANDLE, half, run=run, is_over=True))
    assert isinstance(waits, Pause)
    assert (waits.within_s, waits.prompt.sound) == (20.0, Sound.LIFT_THE_HANDLE)
    assert BOLTED.secure(seen(BOLTED, half, run=run, is_over=True)) is AGAIN
    assert HANDLE.exit_prompt() == waits.prompt
    assert BOLTED.exit_prompt() is None


HE_LEFT = Circumstances(mono=100.0, courier_left=True)
OPEN = {"door": "open?", "way": "clear"}
CLOSE = Move(to="sent", send=Order.CLOSE, counts=True, within_s=30.0)
RETRY = Move(to="waiting", within_s=10.0)


@pytest.mark.parametrize(
    ("step", "values", "tries", "is_over", "result"),
    [
        ("start", OPEN, 0, False, Move(to="queried", query=("way",))),
        ("start", OPEN, 3, False, Verdict.GIVE_UP),
        ("queried", OPEN | {"way": "clear?"}, 0, False, WAIT),
        ("queried", OPEN | {"way": "obstructed?"}, 0, True, RETRY),
        ("warned", OPEN, 0, False, WAIT),
        ("warned", OPEN, 0, True, Move(to="queried_again", query=("way",))),
        ("queried_again", OPEN | {"way": "clear?"}, 0, False, WAIT),
        ("queried_again", OPEN | {"way": "unknown?"}, 0, True, RETRY),
        ("queried_again", OPEN, 0, False, CLOSE),
        ("sent", OPEN, 1, False, WAIT),
        ("sent", OPEN, 1, True, RETRY),
        ("sent", OPEN, 3, True, Verdict.GIVE_UP),
        ("waiting", OPEN, 1, True, Move(to="queried", query=("way",))),
    ],
)
def test_a_garage_door_is_closed_only_after_a_warning_between_two_answers_of_its_beam(
    step: str, values: dict[str, str], tries: int, result: object, *, is_over: bool
) -> None:
    view = seen(BEAM, values, now=HE_LEFT, run=ProcedureRun(step=step, tries=tries), is_over=is_over)
    assert BEAM.close(view) == result


def test_before_a_garage_door_is_closed_it_warns_for_the_whole_time() -> None:
    warns = BEAM.close(seen(BEAM, OPEN, now=HE_LEFT, run=ProcedureRun(step="queried")))
    assert isinstance(warns, Move)
    assert warns.within_s == 10.0
    assert warns.prompt is not None
    assert (warns.prompt.light, warns.prompt.sound) == (Light.RED, Sound.LEAVE)
    assert warns.send is None


@pytest.mark.parametrize("step", ["start", "queried", "warned", "queried_again", "sent", "waiting"])
@pytest.mark.parametrize(
    ("closure", "values", "now"),
    [
        (BEAM, OPEN, Circumstances(mono=100.0)),
        (GARAGE, {"door": "open?"}, HE_LEFT),
        (BEAM, OPEN | {"door": "closed?"}, HE_LEFT),
    ],
    ids=["nobody reported that the courier left", "no beam", "it is closed"],
)
def test_otherwise_it_is_never_closed(
    closure: AnyClosure, values: dict[str, str], now: Circumstances, step: str
) -> None:
    for is_over in (False, True):
        view = seen(closure, values, now=now, run=ProcedureRun(step=step), is_over=is_over)
        assert closure.close(view) is Verdict.NOTHING


@pytest.mark.parametrize("closure", [BOLTED, STRIKE, BOX, KEYED], ids=lambda one: one.kind)
def test_people_close_every_other_closure(closure: AnyClosure) -> None:
    for step in ("start", "queried", "queried_again", "sent"):
        assert closure.close(seen(closure, {}, now=HE_LEFT, run=ProcedureRun(step=step))) is Verdict.NOTHING


@pytest.mark.parametrize(("closure", "reminders"), [(BEAM, BEAM.left_open), (SAFE, SAFE.reminders)])
def test_after_so_many_reminders_the_owner_has_to_look_after_it(closure: AnyClosure, reminders: int) -> None:
    for count in range(reminders + 2):
        now = Circumstances(mono=100.0, reminders=count)
        gives_up = closure.close(seen(closure, {}, now=now)) is Verdict.GIVE_UP
        assert gives_up is (count > reminders)


def in_the_air(step: str, *, lock_answer: int, door_answer: int, last_query: int, is_basic: bool = False) -> View:
    """The bolt answered "locked" and the door's newest word is "open"."""
    facts = {
        "flat/lock": Fact(value="locked", proven=True, answered_query_id=lock_answer),
        "flat/door": Fact(value="open", answered_query_id=door_answer),
    }
    now = Circumstances(mono=100.0, last_query_id=last_query, basic=frozenset({"door"}) if is_basic else frozenset())
    return View(facts, BOLTED.sensor_names, lambda: now, ProcedureRun(step=step))


def test_a_bolt_in_the_air_is_believed_when_the_door_answers_open_after_the_bolt_answered_locked() -> None:
    queries_door = Move(to="door_queried", query=("door",), keeps_timer=True)
    first = BOLTED.detect(in_the_air("start", lock_answer=3, door_answer=4, last_query=4))
    assert first == Move(to="bolt_queried", query=("lock",), within_s=2 * BOLTED.latency)
    assert BOLTED.detect(in_the_air("bolt_queried", lock_answer=5, door_answer=4, last_query=5)) == queries_door
    assert BOLTED.detect(in_the_air("door_queried", lock_answer=5, door_answer=4, last_query=6)) is WAIT
    assert (
        BOLTED.detect(in_the_air("door_queried", lock_answer=5, door_answer=6, last_query=6))
        is AlarmCode.BOLT_IN_THE_AIR
    )


def test_where_the_door_answers_no_query_the_bolts_answer_must_hold_for_a_while() -> None:
    view = in_the_air("bolt_queried", lock_answer=5, door_answer=-1, last_query=5, is_basic=True)
    assert BOLTED.detect(view) is WAIT
    assert BOLTED.detect(view.in_procedure(view.run, is_over=True)) is AlarmCode.BOLT_IN_THE_AIR


def test_a_door_that_is_not_open_or_not_bolted_is_no_trouble() -> None:
    for values in (LOCKED, {"lock": "unlocked?", "door": "open?"}, {"lock": "unknown?", "door": "open?"}):
        assert BOLTED.detect(seen(BOLTED, values)) is Verdict.NOTHING
