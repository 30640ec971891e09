"""An electric strike behind a peer's relay: current releases the door, no current holds it (fail-secure).

It has no sensor: a peer cannot know what it does. A test reads `log`, which is the truth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a strike."""

    NONE = "none"
    DEAD = "dead"  # it never moves, whatever the current
    STICKS = "sticks"  # once released it stays so, without current too


@dataclass(frozen=True)
class Movement:
    """The strike moved: `at` in seconds of the test's clock."""

    at: float
    released: bool


class Strike:
    """A strike.

    Args:
        clock: seconds, never going back; the log's times.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._energized = False
        self.fault = Fault.NONE
        self.log: list[Movement] = []

    @property
    def is_released(self) -> bool:
        """Whether the door can be pulled open now."""
        return bool(self.log) and self.log[-1].released

    @property
    def is_energized(self) -> bool:
        """Whether there is current: what the relay does, not what the strike does."""
        return self._energized

    def energize(self) -> None:
        """Current on."""
        self._energized = True
        self._follow()

    def deenergize(self) -> None:
        """Current off."""
        self._energized = False
        self._follow()

    def repair(self) -> None:
        """No fault any more: it follows the current at once."""
        self.fault = Fault.NONE
        self._follow()

    def _follow(self) -> None:
        stays = self.fault is Fault.DEAD or (self.fault is Fault.STICKS and self.is_released)
        if not stays and self._energized != self.is_released:
            self.log.append(Movement(self._clock(), self._energized))
