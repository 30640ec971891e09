"""A car with its boot, in truth: it may be driven away, also with the boot open.

I27: a car never opens elsewhere, moving, or without a young fix; a move while it stands open alarms at once.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import CarBoot
from gateway.domain.visit.state import Entrance, Phase
from gateway.domain.visit.views import fact_of
from tests.house.things.thing import NEVER_S, Thing

FIX_AGE_S = CarBoot(id="car").sensors["place"].max_age_s or 0.0


class Car(Thing):
    """Boot, central lock, road, and a GPS whose fix grows old where it sees no sky."""

    securing: ClassVar = ("boot", "locked")
    closure: CarBoot

    def __init__(self) -> None:
        super().__init__()
        self.is_open, self.is_locked, self.is_driving, self.is_there = False, True, False, True
        self.fixed_at: float | None = None  # since when it sees no sky; None: it sees it

    def values(self) -> dict[str, str]:
        return {
            "boot": "open" if self.is_open else "closed",
            "locked": "locked" if self.is_locked else "unlocked",
            "parked": "driving" if self.is_driving else "parked",
            "place": "there" if self.is_there else "away",
        }

    def ages(self) -> dict[str, float]:
        return {} if self.fixed_at is None else {"place": self.house.t - self.fixed_at}

    def is_secured(self) -> bool:
        return self.is_locked and not self.is_open

    def is_breached(self) -> bool:
        """Whoever drives uses it, wherever the household is: that is never an intrusion."""
        return False

    def may_open(self) -> bool:
        return self.is_secured() and self.is_there and not self.is_driving

    def check_ordered(self) -> None:
        """I27: when the order leaves, an answer of not long ago says that it stands there, by a young fix."""
        for sensor, good in (("place", "there"), ("parked", "parked")):
            answer = self.house.looks.answer(self, sensor)
            assert answer.value == good, f"I27 ordered open, and {sensor} answered {answer.value or 'nothing'}"
            age_s = self.house.t - answer.made
            assert age_s <= FIX_AGE_S + 0.001, f"I27 ordered open by an answer about {sensor} of {age_s:.0f} s ago"
            is_news = self.changed.get(sensor, NEVER_S) >= answer.made
            assert self.values()[sensor] == good or is_news, f"I27 ordered open though it is {self.values()[sensor]}"
        self.house.looks.seen["a car in its place"] += 1

    def check_news(self, event: e.SensorReported, new: Entrance, alarms: Sequence[c.AlarmCode]) -> None:
        """I27: a move while it stands open in a visit is alarmed in the same step, and it becomes the owner's."""
        visit, names = new.visit, self.closure.sensor_names
        is_move = event.value in {"driving", "away"} and fact_of(new, event.sensor).value == event.value
        if visit is None or not is_move or fact_of(new, names["boot"]).value != "open":
            return
        assert visit.phase is not Phase.INSIDE, "I27 it moves with its boot open, and the visit goes on"
        if visit.phase is Phase.HANDED_TO_OWNER:
            self.house.looks.seen["it moved with its boot open"] += c.AlarmCode.CAR_MOVES_OPEN in alarms

    def opens(self, visit: str) -> None:
        if self.closure.opens == "car":
            self.is_locked = False
            self.moved("unlocked", "locked")
        elif not self.is_open:
            self.is_open = True
            self.opened_under(visit)
            self.moved("sprang open", "boot")

    def locks(self) -> None:
        if not self.is_locked:
            self.is_locked = True
            self.moved("locked", "locked")

    def check_lock(self) -> None:
        """It is locked only after the boot answered closed."""
        answer = self.house.looks.answer(self, "boot")
        assert answer.value == "closed", "I10 locked though the boot did not answer closed"

    def check_delivered(self) -> None:
        """Only a scan after the boot was shut says that something was left, where no film does."""
        if self.house.rules.is_filmed:
            return
        since = self.changed.get("boot", NEVER_S)
        told = [at for at in self.house.looks.left if at >= since]
        assert told or self.is_open, "delivered, and nobody scanned after the boot was shut"

    def enter(self) -> bool:
        if not self.is_open and not self.is_locked and self.obeyed:
            self.is_open = True
            self.opened_under(self.obeyed[-1][1])
            self.moved("opened by its handle", "boot")
        return self.is_open

    def shut(self) -> None:
        if self.is_open:
            self.is_open = False
            self.moved("pushed shut", "boot")

    def leave(self) -> None:
        """Push the boot shut, and scan once more."""
        self.shut()
        visit = self.house.mem.visit
        if visit is not None:
            self.house.run(self.house.rules.timing.merge + 1)
            self.house.scan(min(self.house.promises[visit.delivery.id].door_codes), scanner=visit.scanner)

    def drives(self, *, away: bool) -> None:
        """Somebody drives it off, or comes back and parks."""
        if self.is_driving is not away or self.is_there is away:
            is_elsewhere = self.is_there is away
            self.is_driving, self.is_there = away, not away
            self.moved("drives off" if away else "parks", "parked", *(("place",) if is_elsewhere else ()))

    def manoeuvres(self) -> None:
        """Somebody moves it within its place, or stops again."""
        if self.is_there:
            self.is_driving = not self.is_driving
            self.moved("moves a little" if self.is_driving else "stands again", "parked")

    def sees_sky(self, *, sees: bool) -> None:
        """It stands in the open, or where no satellite is seen."""
        self.fixed_at = None if sees else self.house.t if self.fixed_at is None else self.fixed_at

    def driver_uses(self, *, leaves: bool) -> None:
        """Whoever drives takes something out of the boot, and sometimes leaves the car unlocked."""
        if not self.is_open:
            self.is_locked, self.is_open = False, True
            self.moved("opened with the key", "locked", "boot")
            self.house.run(2)
            self.shut()
            if not leaves:
                self.locks()

    def acts(self, rng: random.Random) -> tuple[tuple[int, Callable[[], object]], ...]:
        return (
            (8, self.shut),
            (2, partial(self.drives, away=True)),
            (4, partial(self.drives, away=False)),
            (3, self.manoeuvres),
            (2, lambda: self.sees_sky(sees=rng.random() < 0.6)),
            (1, lambda: self.driver_uses(leaves=rng.random() < 0.3)),
        )

    def tidy(self) -> None:
        self.sees_sky(sees=True)
        self.drives(away=False)
        self.shut()
        if self.house.mem.visit is None:
            self.locks()
