"""The declared table of phases: nothing goes where no arrow leads. That each is taken is seen in the seeded lives."""

import itertools

import pytest

from gateway.domain.frozen import replace
from gateway.domain.visit.state import TRANSITIONS, Phase
from gateway.domain.visit.step import Step
from tests.house import arrows
from tests.house.entrances import build, walk
from tests.house.story import announce_delivery, inside, locked_again

UNDECLARED = [
    (before, after)
    for before, after in itertools.product(Phase, Phase)
    if before is not after and after not in TRANSITIONS[before]
]


def in_phase(phase: Phase) -> Step:
    house = inside()
    assert house.mem.visit is not None
    return Step(replace(house.mem, visit=replace(house.mem.visit, phase=phase)), house.now())


@pytest.mark.parametrize(("before", "after"), UNDECLARED)
def test_an_arrow_that_is_not_declared_ends_the_process(before: Phase, after: Phase) -> None:
    with pytest.raises(RuntimeError, match=f"no transition from {before} to {after}"):
        in_phase(before).transition(after, {})


@pytest.mark.parametrize("phase", [phase for phase in Phase if None not in TRANSITIONS[phase]])
def test_a_visit_ends_only_where_that_is_declared(phase: Phase) -> None:
    with pytest.raises(RuntimeError, match=f"no end from {phase}"):
        in_phase(phase).end_visit()


def test_a_visit_whose_door_is_locked_again_may_end() -> None:
    house = locked_again()
    step = Step(house.mem, house.now())
    step.end_visit()
    assert step.state.visit is None


def test_what_a_visit_goes_through_is_recorded_as_the_arrows_that_it_takes() -> None:
    with arrows.recorded() as taken:
        house = build("flat")
        house.run(5)
        walk(house, announce_delivery(house))
        house.run(60)
    assert taken == {
        (None, Phase.RINGING),
        (Phase.RINGING, Phase.UNLOCKING),
        (Phase.UNLOCKING, Phase.UNLOCKED),
        (Phase.UNLOCKED, Phase.INSIDE),
        (Phase.INSIDE, Phase.ADVANCING),
        (Phase.ADVANCING, Phase.UNLOCKING),
        (Phase.INSIDE, Phase.RELOCKING),
        (Phase.RELOCKING, Phase.LOCKED_AGAIN),
        (Phase.LOCKED_AGAIN, None),
    }
