"""A street door with a strike, in truth: others use it too."""

import random
from collections.abc import Callable
from typing import ClassVar

from tests.house.things.thing import NEVER_S, Thing

RELEASED_S = 5.0
FALLS_SHUT_S = 3.0


class StreetDoor(Thing):
    """It lets go for some seconds, falls shut by itself unless it is wedged, and neighbours come and go."""

    securing: ClassVar = ("door",)

    def __init__(self) -> None:
        super().__init__()
        self.is_open, self.is_wedged = False, False
        self.released_until, self.released_by = NEVER_S, ""

    def values(self) -> dict[str, str]:
        return {"door": "open" if self.is_open else "closed"}

    def is_secured(self) -> bool:
        return not self.is_open

    def opens(self, visit: str) -> None:
        self.released_until, self.released_by = self.house.t + RELEASED_S, visit
        self.log.append("released")

    def enter(self) -> bool:
        if self.is_open:
            return True
        if self.house.t > self.released_until:
            return False
        self.opened_under(self.released_by)
        self._swings_open("courier")
        return True

    def neighbour(self) -> None:
        """Somebody with a key, or from inside, goes through."""
        if not self.is_open:
            self._swings_open("neighbour")

    def _swings_open(self, who: str) -> None:
        self.is_open = True
        self.moved(f"opened by {who}", "door")
        self.house.later(FALLS_SHUT_S, self._falls_shut)

    def _falls_shut(self) -> None:
        if self.is_open and not self.is_wedged:
            self.is_open = False
            self.moved("fell shut", "door")

    def shut(self) -> None:
        """Nobody has to: it falls shut."""

    def leave(self) -> None:
        """From inside it opens by its handle."""
        if not self.is_open:
            self._swings_open("courier who leaves")

    def wedge(self, *, wedged: bool) -> None:
        """Movers put something into it, and take it out."""
        self.is_wedged = wedged
        if not wedged:
            self._falls_shut()

    def acts(self, rng: random.Random) -> tuple[tuple[int, Callable[[], object]], ...]:
        return (
            (6, self.enter),
            (4, self.neighbour),
            (2, lambda: self.wedge(wedged=rng.random() < 0.4)),
        )

    def tidy(self) -> None:
        self.wedge(wedged=False)
