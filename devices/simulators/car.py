"""The physics of a car: its boot, its central lock, whether it drives, and where it is."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from devices.simulators.control import Impossible
from devices.simulators.physical_log import PhysicalLog
from devices.simulators.thing import Hands, LeafPosition, Thing, ThingSection

AWAY_DEGREES = 0.02  # of latitude: about two kilometres north of where it usually stands


class Car(Thing):
    """A car. An order opens its boot, or unlocks it; hands open an unlocked boot and push it shut.

    Faults: dead (nothing happens on an order), will_not_lock (its central lock does not close), no_sky (it stands where
    its GPS sees no satellite, so its last fix grows old). Acts: open_boot (by its handle, if the car is unlocked),
    shut_boot, unlock_with_key, lock_with_key, drive_away, come_back.
    """

    NOUN = "car"
    FAULTS = frozenset({"dead", "will_not_lock", "no_sky"})
    ACTS = frozenset({"open_boot", "shut_boot", "unlock_with_key", "lock_with_key", "drive_away", "come_back"})
    HANDS = Hands(opens=("unlock_with_key", "open_boot"), closes=("shut_boot", "lock_with_key"))

    def __init__(self, name: str, log: PhysicalLog, *, latitude: float, longitude: float) -> None:
        super().__init__(name, log)
        self._home = latitude, longitude
        self.is_locked, self.is_driving, self.is_there = True, False, True
        self.has_sky = True

    @property
    def latitude(self) -> float:
        """Where it is, in degrees."""
        return self._home[0] + (0.0 if self.is_there else AWAY_DEGREES)

    @property
    def longitude(self) -> float:
        """Where it is, in degrees."""
        return self._home[1]

    def release(self, seconds: float, cause: str) -> None:  # noqa: ARG002 - a boot that is open stays so
        """Spring the boot open."""
        if "dead" not in self.faults:
            self.move_leaf(LeafPosition.OPEN, cause)

    def lock(self, *, locked: bool, cause: str) -> None:
        """Lock or unlock all doors. An order to a car that does not obey changes nothing."""
        if "dead" in self.faults or (locked and "will_not_lock" in self.faults) or locked is self.is_locked:
            return
        self.is_locked = locked
        self.log.write("car", thing=self.name, locked=locked, cause=cause)
        self.tell_inside()

    def act(self, act: str, who: str) -> None:
        """Use the boot, the key, or the road."""
        match act:
            case "open_boot":
                if self.is_locked or self.open:
                    raise Impossible("the boot is open already" if self.open else "the car is locked")
                self.move_leaf(LeafPosition.OPEN, who)
            case "shut_boot":
                if not self.open:
                    raise Impossible("the boot is shut already")
                self.move_leaf(LeafPosition.CLOSED, who)
            case "unlock_with_key" | "lock_with_key":
                self.lock(locked=act == "lock_with_key", cause=who)
            case _:
                self._drive(away=act == "drive_away", who=who)

    def _drive(self, *, away: bool, who: str) -> None:
        self.is_driving, self.is_there = away, not away
        self.log.write("car", thing=self.name, driving=away, where="away" if away else "there", by=who)
        self.tell_inside()

    def repaired(self, fault: str) -> None:
        """Lose sight of the sky, or see it again."""
        if fault == "no_sky":
            self.has_sky = "no_sky" not in self.faults
            self.tell_inside()

    def physical(self) -> Mapping[str, object]:
        """Return boot, lock and place."""
        own = {"locked": self.is_locked, "driving": self.is_driving, "there": self.is_there}
        return {"leaf": self.position.value, **own, "faults": sorted(self.faults)}


class CarPlan(ThingSection):
    """A car that stands at `latitude` and `longitude` at the start."""

    makes = Car
    takes = frozenset({"car"})
    closure = "car_boot"
    kind: Literal["car"]
    latitude: float = Field(default=48.8566, ge=-85, le=85)
    longitude: float = Field(default=2.3522, ge=-180, le=180)
