"""What every kind of closure must keep: the contract on which the core relies, held over the registry.

A new kind is held to it by its line in the registry, without a line here.
"""

import ast
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.commands import Light, Sound
from devices.reports import DoorState, LockState, OperationSource
from gateway.domain.frozen import replace
from gateway.domain.visit.closures import KINDS, AnyClosure
from gateway.domain.visit.closures.contract import (
    START,
    UNKNOWN,
    Circumstances,
    Closure,
    Deposit,
    Fact,
    Move,
    Order,
    Pause,
    ProcedureRun,
    ReportOrigin,
    Use,
    Verdict,
    View,
)
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Rules
from gateway.runtime.notifications.texts import ALARM_TEXTS, NOTIFICATION_TEXTS, readiness_text
from gateway.system.i18n import languages
from tests.closures import CLOSURE, plain, whole

ROOT = Path(__file__).parents[5]
CORE = ROOT / "gateway" / "domain" / "visit"
# `summary` shows the one door of an older page; the default rules of `state` are one bolted door
MAY_NAME_A_KIND = {"summary.py"}
DEFAULT_IN_STATE = {"BoltedDoor"}

WORDS = (*LockState, *DoorState, "clear", "obstructed", "empty", "occupied", "present", "absent", UNKNOWN, "nonsense")
BAD = ("unlocked", "open", "obstructed", "occupied", "absent", UNKNOWN)
PROCEDURES = ("secure", "close", "detect")
NOW = 100.0


def variants(kind: type[Closure]) -> Iterator[AnyClosure]:
    """As little as it can be, and with every sensor and every property that it can have."""
    word = kind.model_fields["kind"].default
    yield plain(word)
    yield whole(word)


EVERY_VARIANT = [
    pytest.param(closure, id=f"{closure.kind}-{name}")
    for kind in KINDS
    for name, closure in zip(("plain", "whole"), variants(kind), strict=True)
]
every_kind = pytest.mark.parametrize("closure", EVERY_VARIANT)


def view_of(closure: AnyClosure, facts: dict[str, Fact], now: Circumstances | None = None) -> View:
    """What the closure may see of these facts, by role."""
    named = {closure.sensor_names[role]: fact for role, fact in facts.items()}
    seen = Circumstances(mono=NOW) if now is None else now
    return View(named, closure.sensor_names, lambda: seen)


def values(closure: AnyClosure, role: str) -> list[str]:
    """Values of a sensor: those that it knows, and those of other sensors."""
    sensor = closure.sensors[role]
    return sorted({*sensor.needs_answer, *sensor.vague, *WORDS})


def moves(closure: AnyClosure, view: View) -> Iterator[tuple[str, object]]:
    """What each of its procedures returns."""
    for name in PROCEDURES:
        yield name, getattr(closure, name)(view)


def steps(closure: AnyClosure) -> tuple[str, ...]:
    """Every step of its procedures."""
    if repr(closure) not in STEPS:
        STEPS[repr(closure)] = _walked(closure)
    return STEPS[repr(closure)]


STEPS: dict[str, tuple[str, ...]] = {}  # of each variant


def _walked(closure: AnyClosure) -> tuple[str, ...]:
    """Find the steps by walking the procedures with all that the sensors can report."""
    found, left = {START}, [START]
    goods = [
        [Fact(value=value, proven=value in sensor.needs_answer) for value in (*sorted(sensor.needs_answer), "open")]
        for sensor in closure.sensors.values()
    ]
    for step in left:
        for facts, is_over, has_left in itertools.product(itertools.product(*goods), (False, True), (False, True)):
            seen = view_of(
                closure,
                dict(zip(closure.sensors, facts, strict=True)),
                Circumstances(mono=NOW, courier_left=has_left),
            ).in_procedure(ProcedureRun(step=step), is_over=is_over)
            for _, result in moves(closure, seen):
                if isinstance(result, Move) and result.to not in found:
                    found.add(result.to)
                    left.append(result.to)
    return tuple(sorted(found))


RECENCIES = ((0.0, -1), (50.0, 3), (NOW, 9))  # since when a value has held, and which query it answered
CIRCUMSTANCES = [
    {"ordered_at": ordered, "is_away": away, "courier_left": left, "reminders": reminders, "marks": frozenset(marks)}
    for ordered, away, left, reminders, marks in itertools.product(
        (None, 50.0), (False, True), (False, True), (0, 1, 4, 9), ((), ("key_taken",), ("key_taken", "key_returned"))
    )
]
RUNS = list(itertools.product((0, 1, 3, 4), (False, True), (False, True), (False, True)))


def any_fact(closure: AnyClosure, role: str) -> st.SearchStrategy[Fact]:
    """Any value, old or new; one that needs no answer is never proven."""
    good = closure.sensors[role].needs_answer
    return st.sampled_from(
        [
            Fact(value=value, proven=proven, stable_since=since, answered_query_id=answered)
            for value in values(closure, role)
            for proven in ((False, True) if value in good else (False,))
            for since, answered in RECENCIES
        ]
    )


def _views(closure: AnyClosure) -> st.SearchStrategy[View]:
    def build(facts: tuple[Fact, ...], now: dict[str, object], run: tuple[int, bool, bool, bool], step: str) -> View:
        tries, refused, jammed, is_over = run
        seen = Circumstances(mono=NOW, last_query_id=9, **now)  # type: ignore[arg-type] # its own fields
        view = view_of(closure, dict(zip(closure.sensors, facts, strict=True)), seen)
        how_far = ProcedureRun(step=step, tries=tries, refused=refused, jammed=jammed)
        return view.in_procedure(how_far, is_over=is_over)

    facts = st.tuples(*(any_fact(closure, role) for role in closure.sensors))
    basic = [frozenset[str](), frozenset(closure.sensors)]
    now = st.sampled_from([{**seen, "basic": roles} for seen in CIRCUMSTANCES for roles in basic])
    return st.builds(build, facts, now, st.sampled_from(RUNS), st.sampled_from(steps(closure)))


def any_view(closure: AnyClosure) -> st.SearchStrategy[View]:
    """Any facts, any circumstances, any step of a procedure."""
    if repr(closure) not in VIEWS:
        VIEWS[repr(closure)] = _views(closure)
    return VIEWS[repr(closure)]


VIEWS: dict[str, st.SearchStrategy[View]] = {}  # of each variant


held = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@every_kind
def test_of_a_closure_of_which_nothing_is_known_nothing_is_good(closure: AnyClosure) -> None:
    blank = view_of(closure, {role: Fact() for role in closure.sensors})
    assert closure.not_ready(blank)
    assert not closure.secured(blank)
    assert not closure.holds(blank)
    assert not closure.passable(blank)
    assert closure.closed_since(blank) is None
    assert closure.deposited(blank) is not Deposit.LEFT
    assert not closure.marks(blank)
    first = closure.secure(blank)
    assert isinstance(first, Move)
    assert first.query
    assert first.send is None


@every_kind
@held
@given(data=st.data())
def test_it_is_done_only_when_it_is_proven_secured(closure: AnyClosure, data: st.DataObject) -> None:
    view = data.draw(any_view(closure))
    if closure.secure(view) is Verdict.DONE:
        assert closure.secured(view)


@every_kind
@held
@given(data=st.data())
def test_a_kind_that_is_not_asked_for_marks_or_gaps_has_none(closure: AnyClosure, data: st.DataObject) -> None:
    rules, view = Rules(closures=(closure,)), data.draw(any_view(closure))
    assert rules.closures_with_marks or not closure.marks(view)
    assert rules.closures_with_gaps or not closure.shown_gaps(view)


@every_kind
@held
@given(data=st.data())
def test_it_is_never_secured_and_open_at_once(closure: AnyClosure, data: st.DataObject) -> None:
    view = data.draw(any_view(closure))
    if closure.secured(view):
        assert not closure.opened(view)
        assert not closure.unsecured(view)
        assert not closure.forced(view)
        assert closure.closed_since(view) is not None
    if closure.opened(view):
        assert closure.closed_since(view) is None
        assert closure.not_ready(view) or not closure.is_private


@every_kind
@held
@given(data=st.data())
def test_only_an_answer_makes_it_secured(closure: AnyClosure, data: st.DataObject) -> None:
    """Take the proof of all its sensors away, and nothing but bad news is left."""
    view = data.draw(any_view(closure))
    for role in closure.sensors:
        view = view.with_fact(role, replace(view.fact(role), proven=False))
    assert not closure.secured(view)
    assert closure.secure(view) is not Verdict.DONE
    assert closure.deposited(view) is not Deposit.LEFT


@every_kind
@held
@given(data=st.data())
def test_each_sensor_that_detects_a_passage_has_to_answer_before_it_is_secured(
    closure: AnyClosure, data: st.DataObject
) -> None:
    view = data.draw(any_view(closure))
    needed = [role for role, sensor in closure.sensors.items() if sensor.detects_passage]
    assert needed
    for role in needed:
        assert not closure.secured(view.with_fact(role, replace(view.fact(role), proven=False))), role


@every_kind
@held
@given(data=st.data())
def test_it_is_never_locked_while_it_stands_open(closure: AnyClosure, data: st.DataObject) -> None:
    view = data.draw(any_view(closure))
    for _, result in moves(closure, view):
        if isinstance(result, Move) and result.send is Order.LOCK:
            assert not closure.opened(view)
            assert closure.closed_since(view) is not None


@every_kind
@held
@given(data=st.data())
def test_it_is_sent_shut_only_when_the_courier_reported_that_he_left(closure: AnyClosure, data: st.DataObject) -> None:
    view = data.draw(any_view(closure))
    for name, result in moves(closure, view):
        if isinstance(result, Move) and result.send is Order.CLOSE:
            assert view.now.courier_left
            assert name == "close"


@every_kind
def test_before_it_is_sent_shut_what_guards_people_has_answered_twice_that_the_way_is_free(closure: AnyClosure) -> None:
    guards = [role for role, sensor in closure.sensors.items() if sensor.cancels_exit_report]
    for run, queries, seen in sent_shut(closure):
        assert guards, "it is closed by a person, for nothing would notice one below"
        assert all(queries[role] >= 2 for role in guards), f"sent in {run.step} after {dict(queries)}"
        for role in guards:
            bad = seen.with_fact(role, Fact(value="obstructed"))
            result = closure.close(bad.in_procedure(run, is_over=False))
            assert not (isinstance(result, Move) and result.send is Order.CLOSE), "somebody stands below"


@every_kind
def test_it_is_sent_shut_a_few_times_and_not_for_ever(closure: AnyClosure) -> None:
    assert sum(1 for _ in sent_shut(closure)) <= 5


def sent_shut(closure: AnyClosure) -> Iterator[tuple[ProcedureRun, Counter[str], View]]:
    """Each command to close of an opening at which all is good, and the door never comes down."""
    facts = {
        role: Fact(value=min(sensor.needs_answer), proven=True) if sensor.cancels_exit_report else Fact(value="open")
        for role, sensor in closure.sensors.items()
    }
    seen = view_of(closure, facts, Circumstances(mono=NOW, courier_left=True, ordered_at=50.0))
    run, queries, is_over = ProcedureRun(), Counter[str](), False
    for _ in range(200):
        result = closure.close(seen.in_procedure(run, is_over=is_over))
        is_over = not is_over if result is Verdict.WAIT else False
        if isinstance(result, Move):
            queries.update(result.query)
            if result.send is Order.CLOSE:
                yield run, queries, seen
                queries = Counter[str]()
            run = replace(run, step=result.to, tries=run.tries + result.counts)
        elif result in {Verdict.GIVE_UP, Verdict.DONE}:
            return


def test_what_the_box_closes_is_among_the_kinds() -> None:
    assert [kind for kind in KINDS if any(True for one in variants(kind) for _ in sent_shut(one))] != []


@every_kind
@held
@given(data=st.data())
def test_it_queries_only_sensors_that_it_has_and_waits_for_each_answer(
    closure: AnyClosure, data: st.DataObject
) -> None:
    view = data.draw(any_view(closure))
    opening = closure.opening()
    assert {*opening.invalidate, *opening.query} <= set(closure.sensors)
    assert set(opening.invalidate) <= set(opening.query), "what its opening moves is not queried"
    for _, result in moves(closure, view):
        if isinstance(result, Move):
            assert {*result.query, *result.invalidate} <= set(closure.sensors)
            assert result.within_s is None or result.within_s > 0
        if isinstance(result, Pause):
            assert result.within_s > 0


@every_kind
@held
@given(data=st.data())
def test_whatever_a_sensor_reports_it_says_what_that_means(closure: AnyClosure, data: st.DataObject) -> None:
    view = data.draw(any_view(closure))
    role = data.draw(st.sampled_from(sorted(closure.sensors)))
    before = data.draw(st.sampled_from(values(closure, role)))
    origin = ReportOrigin(
        source=data.draw(st.sampled_from(OperationSource)),
        user=data.draw(st.sampled_from((None, "anna"))),
        is_answer=data.draw(st.booleans()),
        unlock_may_act=data.draw(st.booleans()),
    )
    use = closure.interpret(role, before, origin, view)
    assert isinstance(use, Use)
    assert closure.interpret(role, view.value(role), origin, view) is Use.NONE, "the core does not ask: nothing changed"
    assert closure.interpret(role, before, origin, view.with_fact(role, Fact())) is Use.NONE, "unknown means nothing"
    if not closure.is_private:
        assert use is Use.NONE, "what neighbours do is nobody's business"
    if closure.secured(view):
        assert use in {Use.NONE, Use.MOVED, Use.LOCKED_BY_HAND}, "nobody opened what is secured"


@every_kind
def test_a_procedure_that_nothing_answers_comes_to_an_end(closure: AnyClosure) -> None:
    """Silence never keeps a try waiting: when the time of its step is over, the try has failed."""
    for step in steps(closure):
        silent = view_of(closure, {role: Fact() for role in closure.sensors})
        if step != START:
            result = closure.secure(silent.in_procedure(ProcedureRun(step=step), is_over=True))
            assert result is Verdict.AGAIN or isinstance(result, Pause | Move), step
            assert not (isinstance(result, Move) and result.to == step and not result.after_expiry), step


@every_kind
def test_it_can_be_stored_and_read_again(closure: AnyClosure) -> None:
    stored = CLOSURE.dump_json(closure)
    assert CLOSURE.validate_json(stored).model_dump() == closure.model_dump(), "what its devices declare is not stored"
    assert json.loads(stored)["kind"] == closure.kind


def words(closure: AnyClosure) -> set[str]:
    """Every word that it can say of why it is not ready."""
    found: set[str] = set()
    facts = [
        [Fact(value=value, proven=proven) for value in {*sensor.needs_answer, *BAD} for proven in (False, True)]
        for sensor in closure.sensors.values()
    ]
    for reported in itertools.product(*facts):
        found |= set(closure.not_ready(view_of(closure, dict(zip(closure.sensors, reported, strict=True)))))
    return found


@every_kind
def test_each_word_of_what_it_lacks_has_a_text_in_every_language(closure: AnyClosure) -> None:
    found = words(closure)
    assert found, "it is always ready"
    for word, language in itertools.product(sorted(found), languages()):
        assert readiness_text(word, language) != word, f"{word} has no text"
        assert readiness_text(f"street/{word}", language) == f"street: {readiness_text(word, language)}"
        named = readiness_text(f"street/{word}", language, {"street": "Street door"})
        assert named == f"Street door: {readiness_text(word, language)}"
    for word in found:
        assert readiness_text(word, "en") != readiness_text(word, "fr"), f"{word} is not translated"


@every_kind
@held
@given(data=st.data())
def test_each_alarm_and_prompt_has_a_text_in_every_language(closure: AnyClosure, data: st.DataObject) -> None:
    view = data.draw(any_view(closure))
    alarms = [closure.overdue(view).alarm, *(x for _, x in moves(closure, view) if isinstance(x, AlarmCode))]
    for alarm in alarms:
        assert ALARM_TEXTS[alarm].template("en") != ALARM_TEXTS[alarm].template("fr"), f"{alarm} is not translated"
    prompts = [x.prompt for _, x in moves(closure, view) if isinstance(x, Move | Pause)]
    for prompt in [*prompts, closure.exit_prompt()]:
        if prompt is not None:
            assert isinstance(prompt.light, Light)
            assert isinstance(prompt.sound, Sound)
            assert prompt.notification is None or Notification(prompt.notification) in NOTIFICATION_TEXTS


def test_each_kind_is_registered_once_under_its_own_word() -> None:
    kinds = [kind.model_fields["kind"].default for kind in KINDS]
    assert len(set(kinds)) == len(kinds)
    files = {path.stem for path in (CORE / "closures").glob("*.py")} - {"__init__", "contract", "closed_by_box"}
    assert files == set(kinds), "a module of a kind that is not registered, or a kind without a module"


def test_the_core_names_no_kind() -> None:
    """Neither the state machine nor its helpers: what a kind means is the kind's own answer."""
    classes = {kind.__name__ for kind in KINDS}
    kinds = {kind.model_fields["kind"].default for kind in KINDS}
    named = []
    for path in sorted(CORE.glob("*.py")):
        if path.name in MAY_NAME_A_KIND:
            continue
        allowed = DEFAULT_IN_STATE if path.name == "state.py" else set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Name(id=word) | ast.Attribute(attr=word) | ast.alias(name=word):
                    found = word in classes - allowed
                case ast.ImportFrom(module=str(word)):
                    found = word.rpartition(".")[2] in kinds
                case ast.Constant(value=str(word)):
                    found = word in kinds
                case _:
                    continue
            if found:
                named.append(f"{path.name}: {word}")
    assert not named


def test_a_word_without_a_text_would_be_found() -> None:
    for language in languages():
        assert readiness_text("no_such_word", language) == "no_such_word"
