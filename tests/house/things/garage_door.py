"""A garage door with its opener and a light beam, in truth."""

import random
from collections.abc import Callable
from typing import ClassVar

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Phase
from tests.house.things.thing import HAND, NEVER_S, Thing

CLOSING_S = 12.0  # seconds that the door takes
MAX_CLOSE_COMMANDS = 3


class Garage(Thing):
    """The opener reverses on what the door meets; the beam sees what stands in the way."""

    securing: ClassVar = ("door",)

    def __init__(self) -> None:
        super().__init__()
        self.is_open, self.is_beam_broken = False, False
        self.opened_at = NEVER_S  # by an order
        self.beam_moved: list[float] = []  # when the beam was broken or freed
        self.run = 0  # the motor's newest run

    def values(self) -> dict[str, str]:
        way = "obstructed" if self.is_beam_broken else "clear"
        door = {"door": "open" if self.is_open else "closed"}
        return {**door, "way": way} if "way" in self.closure.sensors else door

    def is_secured(self) -> bool:
        return not self.is_open

    def may_open(self) -> bool:
        return self.is_secured() and not ("way" in self.closure.sensors and self.is_beam_broken)

    def opens(self, visit: str) -> None:
        self.run += 1
        if not self.is_open:
            self.is_open = True
            self.opened_at = self.house.t
            self.opened_under(visit)
            self.moved("opened", "door")

    def closes(self) -> None:
        self._comes_down()

    def check_close(self, close: c.Close) -> None:
        """Never on somebody: all that must hold, by what really happened."""
        house, visit = self.house, self.house.mem.visit
        assert visit is not None
        assert visit.phase is Phase.INSIDE
        assert (close.visit, close.closure) in house.looks.intended, "a door sent down that no intent opened"
        assert close.attempt <= MAX_CLOSE_COMMANDS, "sent down more often than three times"
        broken = [at for at in self.beam_moved if at < house.t - 0.1]  # newer is reported a moment later
        since = max(self.opened_at, house.looks.blind_at, *broken, NEVER_S)
        left = [at for at in house.looks.left if at > since]
        assert left, "nobody reported that he left since it opened, was not observed, or the beam was broken"
        warning_s = getattr(self.closure, "warning", 0.0)
        warned = [at for at in house.looks.warnings if left[0] <= at <= house.t - warning_s + 0.01]
        assert warned, "no warning since he reported it, or too short a one"
        answer = house.looks.answer(self, "way")
        assert answer.value == "clear", "sent down though the beam did not answer clear"
        assert answer.asked >= warned[0] + warning_s - 0.01, "the beam was not queried after the warning"
        house.oracle.seen["Close"] += 1

    def _comes_down(self) -> None:
        if not self.is_open:
            return
        self.run += 1
        run = self.run

        def step(left_s: float) -> None:
            if self.run != run or not self.is_open:
                return
            if self.is_beam_broken:
                self.run += 1
                self.log.append("reversed")
            elif left_s <= 0:
                self.is_open = False
                self.moved("closed", "door")
            else:
                self.house.later(1.0, lambda: step(left_s - 1.0))

        self.house.later(1.0, lambda: step(CLOSING_S))

    def break_beam(self, *, broken: bool) -> None:
        """Somebody or something stands in the light beam, or goes."""
        if self.is_beam_broken != broken:
            self.is_beam_broken = broken
            self.beam_moved.append(self.house.t)
            if "way" in self.closure.sensors:
                self.moved("beam broken" if broken else "beam free", "way")

    def enter(self) -> bool:
        """Walk through, in or out: the beam is broken for a moment."""
        if self.is_open:
            self.break_beam(broken=True)
            self.house.later(0.8, lambda: self.break_beam(broken=False))
        return self.is_open

    def shut(self) -> None:
        """The household's remote control sends it down."""
        if not self.is_beam_broken:
            self._comes_down()

    def leave(self) -> None:
        """Walk out and ring the bell outside; the box closes it."""
        if not self.is_open:
            return
        self.enter()
        self.house.run(2)
        self.house.feed(e.BellPressed())
        self.house.run(45)

    def by_remote(self) -> None:
        """The household's remote control opens it."""
        self.run += 1
        if not self.is_open:
            self.is_open = True
            self.moved(f"opened by {HAND}", "door")

    def acts(self, rng: random.Random) -> tuple[tuple[int, Callable[[], object]], ...]:
        return (
            (5, self.enter),
            (4, lambda: self.house.feed(e.BellPressed())),
            (1, lambda: self.break_beam(broken=not self.is_beam_broken)),
            (1, self.by_remote if rng.random() < 0.3 else self.shut),
            (4, self.shut),
        )

    def tidy(self) -> None:
        self.break_beam(broken=False)
        self.shut()
