"""A door with a motor lock, in truth."""

import random
from collections.abc import Callable
from typing import ClassVar

from devices.reports import OperationSource
from tests.house.things.thing import HAND, Thing


class BoltedLeaf(Thing):
    """A bolt and a leaf. A bolt that is thrown while the leaf stands open blocks it."""

    securing: ClassVar = ("lock", "door")
    acknowledges: ClassVar = "lock"

    def __init__(self) -> None:
        super().__init__()
        self.is_bolted, self.is_open = True, False
        self.withdrawn_by = HAND

    def values(self) -> dict[str, str]:
        return {"lock": "locked" if self.is_bolted else "unlocked", "door": "open" if self.is_open else "closed"}

    def is_secured(self) -> bool:
        return self.is_bolted and not self.is_open

    def opens(self, visit: str) -> None:
        if self.is_bolted:
            self.is_bolted, self.withdrawn_by = False, visit
            self.moved("withdrawn", "lock", source=OperationSource.REMOTE)

    def locks(self) -> None:
        if not self.is_bolted:
            self.is_bolted = True
            self.moved("thrown", "lock", source=OperationSource.REMOTE)

    def check_lock(self) -> None:
        """Never against an open door: its newest answer is fresh, and was true when it was made."""
        answer = self.house.looks.answer(self, "door")
        assert answer.value == "closed", "I10 lock sent while the door did not answer closed"
        assert self.house.t - answer.asked <= self.closure.latency + 0.01, "I10 the door was not queried afresh"
        assert not self.is_open or self.changed["door"] >= answer.made, "I10 lock sent at an open door"

    def enter(self) -> bool:
        if self.is_bolted or self.is_open:
            return False
        self.is_open = True
        if self.withdrawn_by != HAND:
            self.opened_under(self.withdrawn_by)
        self.moved("opened", "door")
        return True

    def shut(self) -> None:
        if self.is_open and not self.is_bolted:
            self.is_open = False
            self.moved("closed", "door")

    def leave(self) -> None:
        """By the thumb-turn, if it was locked behind the courier."""
        if not self.is_open:
            self.turn(unlock=True)
            self.enter()
        self.house.run(2)
        self.shut()

    def turn(self, *, unlock: bool) -> None:
        """Turn the bolt by hand."""
        if unlock == self.is_bolted:
            self.is_bolted = not unlock
            self.withdrawn_by = HAND
            self.moved("unlocked by hand" if unlock else "locked by hand", "lock", source=OperationSource.MANUAL)

    def turn_by_radio(self) -> None:
        """Somebody unlocks it by radio, and it is not the gateway."""
        if self.is_bolted:
            self.is_bolted, self.withdrawn_by = False, HAND
            self.moved("unlocked by radio", "lock", source=OperationSource.REMOTE)

    def force(self) -> None:
        """Break it open: the bolt stays thrown."""
        if self.is_secured():
            self.is_open = True
            self.moved("forced", "door")

    def acts(self, rng: random.Random) -> tuple[tuple[int, Callable[[], object]], ...]:
        return (
            (8, self.enter),
            (8, self.shut),
            (2, lambda: self.turn(unlock=rng.random() < 0.5)),
            (1, self.turn_by_radio if rng.random() < 0.3 else self.shut),
            (1, self.force if rng.random() < 0.3 else self.shut),
        )

    def tidy(self) -> None:
        if self.is_open:
            self.turn(unlock=True)
            self.shut()
        if self.house.mem.visit is None and self.house.mem.grace_visit is None:
            self.turn(unlock=False)
