"""A key safe, in truth."""

import random
from collections.abc import Callable
from typing import ClassVar

from tests.house.things.thing import Thing


class Safe(Thing):
    """A flap and a hook. The key may be away for long."""

    securing: ClassVar = ("flap", "key")

    def __init__(self) -> None:
        super().__init__()
        self.is_open, self.has_key = False, True

    def values(self) -> dict[str, str]:
        return {"flap": "open" if self.is_open else "closed", "key": "present" if self.has_key else "absent"}

    def is_secured(self) -> bool:
        return self.has_key and not self.is_open

    def is_breached(self) -> bool:
        return not self.has_key

    def key_is_out(self) -> bool:
        return not self.has_key

    def opens(self, visit: str) -> None:
        if not self.is_open:
            self.is_open = True
            self.opened_under(visit)
            self.moved("sprang open", "flap")

    def enter(self) -> bool:
        if not (self.is_open and self.has_key):
            return False
        self.has_key = False
        self.moved("key taken", "key")
        return True

    def shut(self) -> None:
        if self.is_open:
            self.is_open = False
            self.moved("flap shut", "flap")

    def leave(self) -> None:
        self.bring_key()
        self.house.run(1)
        self.shut()

    def bring_key(self) -> None:
        """Hang it back: the flap opens with the key."""
        if not self.has_key:
            self.is_open, self.has_key = True, True
            self.moved("key back", "flap", "key")

    def open_by_code(self) -> None:
        """Somebody knows the safe's own code, and takes the key."""
        if self.is_secured():
            self.is_open = True
            self.moved("opened by its code", "flap")
            self.house.run(1)
            self.enter()

    def acts(self, rng: random.Random) -> tuple[tuple[int, Callable[[], object]], ...]:
        return (
            (8, self.enter),
            (4, self.bring_key),
            (9, self.shut),
            (1, self.open_by_code if rng.random() < 0.3 else self.shut),
        )

    def tidy(self) -> None:
        self.bring_key()
        self.shut()
