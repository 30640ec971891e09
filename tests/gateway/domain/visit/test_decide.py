"""`decide` itself: pure, at rest, and its state can be stored."""

import copy
from collections.abc import Callable

import pytest

from gateway.domain.frozen import replace
from gateway.domain.visit import events as e
from gateway.domain.visit import film
from gateway.domain.visit.decide import decide
from gateway.domain.visit.state import Phase, Rules
from gateway.domain.visit.step import Step
from gateway.storage.entrance_state import dump, load
from tests.house import story
from tests.house.house import SimulatedHome

STORIES = [story.good_day, story.unlocked, story.inside, story.locked_again]


@pytest.mark.parametrize("begin", STORIES)
def test_the_same_arguments_give_the_same_answer_and_change_nothing(begin: Callable[[], SimulatedHome]) -> None:
    house = begin()
    before = copy.deepcopy(house.mem)
    answers = [decide(house.mem, e.BrokerDown(), now=house.now()) for _ in range(2)]
    assert answers[0] == answers[1]
    assert house.mem == before


@pytest.mark.parametrize("begin", STORIES)
def test_the_whole_state_survives_the_store(begin: Callable[[], SimulatedHome]) -> None:
    kept = replace(begin().mem, rules=Rules(), surroundings={})  # the house file's, and unknown after a boot
    assert load(dump(kept)) == kept


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
