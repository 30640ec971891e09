"""What every simulated closure is: things that people and commands move, and sensors that report what is physically so.

A `Thing` decides nothing and believes nothing: it is the truth by which the oracle judges the gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from devices.reports import OperationSource

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

    from gateway.domain.visit import commands as c
    from gateway.domain.visit import events as e
    from gateway.domain.visit.closures import AnyClosure
    from gateway.domain.visit.state import Entrance
    from tests.house.ways import EntranceHouse

NEVER_S = -1e9
HAND = "hand"


class Thing:
    """One closure. `securing`: the sensors that together show that it is secured."""

    securing: ClassVar[tuple[str, ...]]
    acknowledges: ClassVar[str | None] = None  # the sensor on the device that takes the orders, if there is one
    house: EntranceHouse
    closure: AnyClosure

    def __init__(self) -> None:
        self.changed: dict[str, float] = {}  # sensor -> when what it measures last changed
        self.obeyed: list[tuple[float, str]] = []  # (at, visit): orders to open that it acted on
        self.opened_by: list[str] = []  # visits under which it was opened
        self.log: list[str] = []

    @classmethod
    def beside(cls, _things: Iterable[Thing]) -> Thing:
        """One that stands behind these; most stand for themselves."""
        return cls()

    def placed(self, house: EntranceHouse, closure: AnyClosure) -> None:
        """Stand in this house; as it stands there first it is secured."""
        self.house, self.closure = house, closure
        self.secured_values = {sensor: self.values()[sensor] for sensor in self.securing}

    # ---- what is so -------------------------------------------------------------------------------------------------

    def values(self) -> dict[str, str]:
        """What each of its sensors measures now."""
        raise NotImplementedError

    def ages(self) -> dict[str, float]:
        """How long ago each of its sensors measured what it reports; those that measure now are left out."""
        return {}

    def is_secured(self) -> bool:
        """Whether it holds everybody off."""
        raise NotImplementedError

    def may_open(self) -> bool:
        """Whether an intent may be stored."""
        return self.is_secured()

    def is_breached(self) -> bool:
        """Whether somebody can go in, or take what it keeps."""
        return not self.is_secured()

    def key_is_out(self) -> bool:
        """Whether something that opens the home is away from its place."""
        return False

    # ---- orders -----------------------------------------------------------------------------------------------------

    def opens(self, visit: str) -> None:
        """Obey an order to open."""
        raise AssertionError(f"{self.closure.id} was ordered to open by {visit}")

    def locks(self) -> None:
        """Obey an order to lock."""
        raise AssertionError(f"{self.closure.id} was ordered to lock")

    def closes(self) -> None:
        """Obey an order to close."""
        raise AssertionError(f"{self.closure.id} was ordered to close")

    # ---- the kind's own invariants ----------------------------------------------------------------------------------

    def check_obeys(self) -> None:
        """Assert what must hold when it obeys an order to open."""

    def check_ordered(self) -> None:
        """Assert what must hold when an order to open leaves the box."""

    def check_news(self, event: e.SensorReported, new: Entrance, alarms: Sequence[c.AlarmCode]) -> None:
        """Assert what must follow at once when one of its sensors reported something; `new`: the state after it."""

    def check_lock(self) -> None:
        """Assert what must hold when it is ordered to lock."""

    def check_close(self, close: c.Close) -> None:
        """Assert what must hold when it is ordered to close."""

    def check_delivered(self) -> None:
        """Assert what must hold when parcels count as delivered here."""

    # ---- people -----------------------------------------------------------------------------------------------------

    def enter(self) -> bool:
        """The courier opens it and goes in, or takes what it keeps; False: it holds."""
        raise NotImplementedError

    def errand(self) -> None:
        """The courier leaves the parcel."""

    def shut(self) -> None:
        """Whoever went through shuts it behind himself."""
        raise NotImplementedError

    def leave(self) -> None:
        """The courier comes out and shuts it."""
        self.shut()

    def acts(self, rng: random.Random) -> tuple[tuple[int, Callable[[], object]], ...]:
        """What people may do to it at random, with weights."""
        raise NotImplementedError

    def tidy(self) -> None:
        """Somebody of the household puts it right."""
        raise NotImplementedError

    def opened_under(self, visit: str) -> None:
        """Note that somebody opened it by an order of this visit."""
        self.opened_by.append(visit)
        self.house.looks.opened_by_order(self, visit)

    def moved(self, what: str, *sensors: str, source: OperationSource = OperationSource.UNSPECIFIED) -> None:
        """Note a movement, and let its sensors report it."""
        self.log.append(what)
        self.house.note(f"{'':26} == {self.closure.id} {what}")
        for sensor in sensors:
            self.changed[sensor] = self.house.t
        for sensor in sensors:
            self.house.network.reports(self, sensor, source=source)
