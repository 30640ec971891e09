"""Records the changes of phase that really happen, to hold them against the declared table."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from gateway.domain.visit.state import TRANSITIONS, Phase, Timer
from gateway.domain.visit.step import Step

Arrow = tuple[Phase | None, Phase | None]

DECLARED: frozenset[Arrow] = frozenset((at, to) for at, following in TRANSITIONS.items() for to in following)


@contextmanager
def recorded() -> Iterator[set[Arrow]]:
    """Collect each arrow that is taken; staying in a phase is none."""
    taken: set[Arrow] = set()
    transition, end = Step.transition, Step.end_visit

    def on_transition(step: Step, phase: Phase, timers: Mapping[Timer, float], *, begins: bool = False) -> None:
        before = None if begins else step.visit.phase
        transition(step, phase, timers, begins=begins)
        if before is not phase:
            taken.add((before, phase))

    def on_end(step: Step) -> None:
        before = step.visit.phase
        end(step)
        taken.add((before, None))

    with patch.object(Step, "transition", on_transition), patch.object(Step, "end_visit", on_end):
        yield taken
