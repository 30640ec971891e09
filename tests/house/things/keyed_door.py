"""A door that only its key opens, in truth."""

import random
from collections.abc import Callable, Iterable
from typing import ClassVar

from tests.house.things.key_safe import Safe
from tests.house.things.thing import Thing


class KeyedLeaf(Thing):
    """It latches when somebody pulls it shut; whoever has the key opens it."""

    securing: ClassVar = ("door",)

    def __init__(self, safe: Safe) -> None:
        super().__init__()
        self.safe, self.is_open = safe, False

    @classmethod
    def beside(cls, things: Iterable[Thing]) -> Thing:
        """One that stands behind the newest safe of these, which has its key."""
        *_others, safe = (thing for thing in things if isinstance(thing, Safe))
        return cls(safe)

    def values(self) -> dict[str, str]:
        return {"door": "open" if self.is_open else "closed"}

    def is_secured(self) -> bool:
        return not self.is_open

    def enter(self) -> bool:
        if self.is_open or self.safe.has_key:
            return False
        self.is_open = True
        self.moved("opened with the key", "door")
        return True

    def shut(self) -> None:
        if self.is_open:
            self.is_open = False
            self.moved("pulled shut", "door")

    def from_inside(self) -> None:
        """Somebody who was inside opens it."""
        if not self.is_open:
            self.is_open = True
            self.moved("opened from inside", "door")

    def acts(self, rng: random.Random) -> tuple[tuple[int, Callable[[], object]], ...]:
        return ((8, self.enter), (8, self.shut), (1, self.from_inside if rng.random() < 0.3 else self.shut))

    def tidy(self) -> None:
        self.shut()
