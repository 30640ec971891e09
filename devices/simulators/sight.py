"""What there is to see at a simulated house at one moment: where people, leaves and parcels are, and since when.

Frozen, so that the threads of the cameras can read it while the house goes on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from enum import StrEnum, auto
from itertools import pairwise
from typing import Literal

SceneKind = Literal["moving", "static_hall", "noisy_night"]
"""`moving`: a cat walks to and fro. `static_hall`: only people move. `noisy_night`: as an infrared camera sees it."""

Symbology = Literal["code128", "qr", "datamatrix"]

CLOCK_REGION = (0.0, 0.91, 1.0, 0.09)
"""Where the strip of the burnt-in clock is, with what H.264 smears of it: x, y, width, height, of 1."""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
LEG_S = 0.6  # seconds from one spot to the next


class Daylight(StrEnum):
    """How light it is outside."""

    DAY = auto()
    DUSK = auto()
    NIGHT = auto()


def daylight(at: datetime, zone: tzinfo) -> Daylight:
    """Return how light it is at a time, by the clock on the wall: a simulated house has no seasons."""
    clock = at.astimezone(zone).time()
    if time(8) <= clock < time(17, 30):
        return Daylight.DAY
    return Daylight.DUSK if time(7) <= clock < time(20) else Daylight.NIGHT


class Spot(StrEnum):
    """Where a person can stand, from the street to the fridge; `BOX` is what stands beside the door."""

    AWAY = auto()
    LENS = auto()
    DOOR = auto()
    ENTRY = auto()
    ROOM = auto()
    FRIDGE = auto()
    BOX = auto()


_WAY_IN = (Spot.AWAY, Spot.LENS, Spot.DOOR, Spot.ENTRY, Spot.ROOM, Spot.FRIDGE)
INSIDE = frozenset({Spot.ENTRY, Spot.ROOM, Spot.FRIDGE})


def route(start: Spot, end: Spot) -> tuple[Spot, ...]:
    """Return the spots on the way from one to another, both included."""
    if Spot.BOX in (start, end):
        return (start,) if start is end else (start, end)
    first, last = _WAY_IN.index(start), _WAY_IN.index(end)
    return _WAY_IN[first : last + 1] if first <= last else _WAY_IN[last : first + 1][::-1]


@dataclass(frozen=True, slots=True)
class Swing:
    """A leaf that is open or closed, or on its way since `since` for `seconds`."""

    open: bool = False
    since: datetime = LONG_AGO
    seconds: float = 0.5
    start: float = 0.0

    def part(self, at: datetime) -> float:
        """Return how far it is open, from 0 to 1."""
        goal = float(self.open)
        done = min(1.0, max(0.0, (at - self.since).total_seconds() / self.seconds))
        return self.start + (goal - self.start) * done

    def moved(self, *, opened: bool, at: datetime, seconds: float) -> "Swing":
        """Return it on its way from where it is now."""
        return self if opened == self.open else Swing(opened, at, seconds, self.part(at))


@dataclass(frozen=True, slots=True)
class Leg:
    """A person between two spots: `done` from 0 to 1. Who stands has two spots that are one."""

    start: Spot
    end: Spot
    done: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A person who walks along `spots` since `since`, and then stands at the last one."""

    who: str
    spots: tuple[Spot, ...]
    since: datetime = LONG_AGO
    carries: bool = False
    scans: datetime = LONG_AGO

    @property
    def spot(self) -> Spot:
        """Return where the walk ends."""
        return self.spots[-1]

    @property
    def is_inside(self) -> bool:
        """Return whether the walk ends in the house."""
        return self.spot in INSIDE

    def leg(self, at: datetime) -> Leg:
        """Return where on the walk the person is."""
        legs = list(pairwise(self.spots))
        gone = max(0.0, (at - self.since).total_seconds()) / LEG_S
        if gone >= len(legs):
            return Leg(self.spot, self.spot, 1.0)
        return Leg(*legs[int(gone)], gone % 1)


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything that a camera can see. `lids` and `contents` are those of the box's compartments, from above."""

    figures: tuple[Figure, ...] = ()
    leaf: Swing = Swing()
    fridge: Swing = Swing()
    flap: Swing = Swing()
    key: bool = True
    lids: tuple[Swing, ...] = ()
    contents: tuple[bool, ...] = ()
    parcels: int = 0
    parcel_in_fridge: bool = False
    parcel_outside: bool = False
    lamp: str = "off"
    daylight: Daylight | None = Daylight.DAY
    """None: by the clock."""
