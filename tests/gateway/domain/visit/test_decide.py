"""`decide` itself: pure, at rest, and its state can be stored."""

from collections.abc import Callable

import pytest
from pydantic import TypeAdapter

from gateway.domain.visit import events as e
from gateway.domain.visit import film
from gateway.domain.visit.decide import decide
from gateway.domain.visit.state import Entrance, Phase
from gateway.domain.visit.step import Step
from tests.house import story
from tests.house.house import SimulatedHome

STATE: TypeAdapter[Entrance] = TypeAdapter(Entrance)

STORIES = [story.good_day, story.unlocked, story.inside, story.locked_again]


@pytest.mark.parametrize("begin", STORIES)
def test_the_same_arguments_give_the_same_answer_and_change_nothing(begin: Callable[[], SimulatedHome]) -> None:
    house = begin()
    before = STATE.dump_json(house.mem)
    answers = [decide(house.mem, e.BrokerDown(), now=house.now()) for _ in range(2)]
    assert answers[0] == answers[1]
    assert STATE.dump_json(house.mem) == before


@pytest.mark.parametrize("begin", STORIES)
def test_the_whole_state_survives_the_store(begin: Callable[[], SimulatedHome]) -> None:
    house = begin()
    assert STATE.validate_json(STATE.dump_json(house.mem)) == house.mem


@pytest.mark.parametrize("begin", STORIES)
def test_nothing_happens_twice_when_time_stands_still(begin: Callable[[], SimulatedHome]) -> None:
    house = begin()
    state, commands = decide(house.mem, e.TimerExpired(), now=house.now())
    again, more = decide(state, e.TimerExpired(), now=house.now())
    assert (again, more) == (state, ())
    assert commands == ()


@pytest.mark.parametrize("begin", STORIES[1:])
def test_a_running_visit_always_has_something_to_wait_for(begin: Callable[[], SimulatedHome]) -> None:
    house = begin()
    while house.phase != "ready":
        assert min(house.mem.timers.values()) > house.now().mono
        house.run(0.5)
        house.close()


def test_a_visit_that_waits_for_nothing_is_a_bug_and_ends_the_process() -> None:
    house = story.inside()
    step = Step(house.mem, house.now())
    step.transition(Phase.INSIDE, {})
    with pytest.raises(RuntimeError, match="no way on"):
        decide(step.state, e.HouseholdAnswered(), now=house.now())


def test_only_a_visit_has_a_phase() -> None:
    house = story.good_day()
    with pytest.raises(LookupError):
        film.end(Step(house.mem, house.now()))


def test_a_state_that_an_older_gateway_stored_is_read_though_its_rules_named_each_waiting_time() -> None:
    house = story.inside()
    stored = STATE.dump_python(house.mem, mode="json")
    stored["rules"] |= stored["rules"].pop("timing")
    assert STATE.validate_python(stored) == house.mem
