"""A compartment of a parcel box, in truth."""

import random
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from tests.house.things.thing import NEVER_S, Thing


class Box(Thing):
    """Its latch springs open; the lid is pushed shut by hand, and sometimes does not catch."""

    securing: ClassVar = ("latch", "lid")
    acknowledges: ClassVar = "latch"

    def __init__(self) -> None:
        super().__init__()
        self.is_latched, self.is_open, self.is_full = True, False, False
        self.bounces = False  # the lid falls shut and the latch does not catch
        self.shut_at = NEVER_S

    def values(self) -> dict[str, str]:
        return {
            "latch": "locked" if self.is_latched else "unlocked",
            "lid": "open" if self.is_open else "closed",
            "content": "occupied" if self.is_full else "empty",
        }

    def is_secured(self) -> bool:
        return self.is_latched and not self.is_open

    def may_open(self) -> bool:
        return self.is_secured() and not self.is_full

    def opens(self, visit: str) -> None:
        self.is_latched = False
        self.moved("unlatched", "latch")
        if not self.is_open:
            self.is_open = True
            self.opened_under(visit)
            self.moved("sprang open", "lid")

    def check_obeys(self) -> None:
        """I26: it never opens on a parcel that was in it when it was queried."""
        answer = self.house.looks.answer(self, "content")
        filled_since = self.changed.get("content", NEVER_S) >= answer.made
        assert not self.is_full or filled_since, f"I26 {self.closure.id} opened on a parcel"

    def check_delivered(self) -> None:
        """I26: only "occupied", in answer to a query after the lid was shut, proves it; a film is no substitute."""
        answer = self.house.looks.answer(self, "content")
        assert answer.value == "occupied", "I26 delivered, and nothing answered occupied"
        assert answer.made >= self.shut_at, "I26 delivered by an answer of before the lid was shut"
        assert not self.is_open or self.changed["lid"] >= answer.made, "I26 delivered while the lid stood open"

    def enter(self) -> bool:
        return self.is_open

    def errand(self) -> None:
        self.fill(full=True)
        self.house.run(1)

    def shut(self) -> None:
        if self.is_open:
            self.is_open = False
            self.is_latched = not self.bounces
            self.shut_at = self.house.t
            self.moved("pushed shut", "lid", "latch")

    def fill(self, *, full: bool) -> None:
        """Put something in, or take it out."""
        if self.is_open and self.is_full != full:
            self.is_full = full
            self.moved("filled" if full else "emptied", "content")

    def owner_comes(self, *, leaves: bool = False) -> None:
        """With the box's own key: the owner empties it, or leaves something in it."""
        if not self.is_open:
            self.is_latched, self.is_open = False, True
            self.moved("opened by hand", "latch", "lid")
            self.fill(full=leaves)
            self.house.run(1)
            self.shut()

    def acts(self, rng: random.Random) -> tuple[tuple[int, Callable[[], object]], ...]:
        return (
            (5, partial(self.fill, full=True)),
            (2, partial(self.fill, full=False)),
            (8, self.shut),
            (2, self.owner_comes),
            (1, lambda: self.owner_comes(leaves=rng.random() < 0.3)),
            (1, partial(setattr, self, "bounces", not self.bounces)),
        )

    def tidy(self) -> None:
        self.bounces = False
        if not self.is_secured():
            self.is_open = True
            self.shut()
        if self.house.mem.visit is None and self.is_full:
            self.owner_comes()
