"""Tells the simulated cameras what there is to see, from what people do and from where leaves and lamps are."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from devices.simulators import control as ask
from devices.simulators.at_the_door import SimulatedSignal
from devices.simulators.backdrop import View, Way
from devices.simulators.control import Request
from devices.simulators.device import SimulatedDevice
from devices.simulators.doorway import Doorway, Position
from devices.simulators.fridge import SimulatedFridge
from devices.simulators.house import CameraPlan, FridgePlan, OpenerPlan, SimulatedHouse
from devices.simulators.key_safe import KeyedDoor, KeySafe, KeySafePlan
from devices.simulators.opener import Opener
from devices.simulators.sight import Figure, Sight, Spot, Swing, route
from devices.simulators.thing import Compartment, CompartmentPlan, StreetDoor, StreetDoorPlan, Thing

_Thing = TypeVar("_Thing", bound=Thing)
SWING_S = 0.5  # seconds that a leaf takes which a hand moves
NEARLY_THERE = timedelta(seconds=0.5)  # of the way that somebody has come who rings or scans: the face is to be seen
CARRIER = "courier"  # comes with a parcel

_SPOTS: Mapping[Position, Spot] = {
    Position.AWAY: Spot.AWAY,
    Position.OUTSIDE: Spot.LENS,
    Position.INSIDE: Spot.ROOM,
}


def view_of(house: SimulatedHouse, plan: CameraPlan) -> View:
    """Return what a camera of the house looks at."""
    things = house.things.values()
    way: Way = "door"
    if any(isinstance(device, OpenerPlan) and device.of is None for device in house.devices.values()):
        way = "garage"
    elif any(isinstance(thing, StreetDoorPlan) for thing in things):
        way = "landing"
    return View(
        inside=plan.sees is Position.INSIDE,
        way=way,
        fridge=any(isinstance(device, FridgePlan) for device in house.devices.values()),
        box=any(isinstance(thing, CompartmentPlan) for thing in things),
        safe=any(isinstance(thing, KeySafePlan) for thing in things),
    )


class Staging:
    """Keeps the sight of one house up to date and passes it to `show` of each camera.

    People are where the doorway says; where exactly depends on what they did last.
    """

    def __init__(
        self,
        house: SimulatedHouse,
        doorway: Doorway,
        things: Mapping[str, Thing],
        devices: Iterable[SimulatedDevice],
        shows: Iterable[Callable[[Sight], None]],
    ) -> None:
        self._doorway, self._things, self._shows = doorway, things, tuple(shows)
        self._sight = Sight(daylight=house.daylight, lids=tuple(Swing() for _ in self._all(Compartment)))
        self._signals = [device for device in devices if isinstance(device, SimulatedSignal)]
        self._fridges = [device for device in devices if isinstance(device, SimulatedFridge)]
        self._openers = [device for device in devices if isinstance(device, Opener) and device.moves_front]
        doorway.leaf_moved.append(self.look)
        for thing in things.values():
            thing.leaf_moved.append(self.look)
            thing.inside_moved.append(self.look)
        for changed in (
            *(signal.changed for signal in self._signals),
            *(fridge.door_moved for fridge in self._fridges),
            *(opener.moved for opener in self._openers),
        ):
            changed.append(self.look)
        people = [Figure(who, (_SPOTS[where],)) for who, where in doorway.people.items()]
        self._sight = replace(self._sight, figures=tuple(people))
        self.look()

    def look(self) -> None:
        """Look where every leaf, key and lamp is now."""
        now, sight = datetime.now(UTC), self._sight
        lids = zip(sight.lids, self._all(Compartment), strict=True)
        safes = self._all(KeySafe)
        opened, seconds = self._leaf()
        seen = replace(
            sight,
            leaf=sight.leaf.moved(opened=opened, at=now, seconds=seconds),
            fridge=sight.fridge.moved(opened=any(one.open for one in self._fridges), at=now, seconds=SWING_S),
            flap=sight.flap.moved(opened=any(safe.open for safe in safes), at=now, seconds=SWING_S),
            key=all(safe.key for safe in safes),
            lids=tuple(swing.moved(opened=lid.open, at=now, seconds=SWING_S) for swing, lid in lids),
            contents=tuple(one.occupied for one in self._all(Compartment)),
            lamp=self._signals[0].light if self._signals else "off",
        )
        self._show(seen)

    def saw(self, request: Request) -> None:
        """Move a person who did this, which the house has allowed."""
        who = getattr(request, "who", None)
        figure = next((one for one in self._sight.figures if one.who == who), None)
        if figure is None:
            return
        now = datetime.now(UTC)
        where = self._doorway.people[figure.who]
        inside = figure.is_inside if self._walks_by_things else where is Position.INSIDE
        if figure.spot is Spot.AWAY and where is not Position.AWAY:
            figure = replace(figure, carries=figure.who == CARRIER)
        spot, sight = self._spot(request, figure, inside=inside), self._sight
        match request:
            case ask.Scan():
                figure = replace(figure, scans=now)
            case ask.PutParcel() if figure.carries:
                figure, sight = replace(figure, carries=False), self._with_parcel(inside=inside)
            case ask.OpenFridge() if figure.who == CARRIER and sight.parcels and not figure.carries:
                figure, sight = (
                    replace(figure, carries=True),
                    replace(sight, parcels=sight.parcels - 1),
                )  # from the bench
            case ask.CloseFridge() | ask.WalkOut() if figure.spot is Spot.FRIDGE and figure.carries:
                figure, sight = replace(figure, carries=False), replace(sight, parcel_in_fridge=True)
            case ask.Handle(act="put_in"):
                figure = replace(figure, carries=False)
            case _:
                pass
        if spot is not figure.spot:
            figure = replace(figure, spots=route(figure.spot, spot), since=now)
        if isinstance(request, ask.Scan | ask.PressBell):
            figure = replace(figure, since=min(figure.since, now - NEARLY_THERE))
        self._show(replace(sight, figures=tuple(figure if one.who == who else one for one in sight.figures)))

    @property
    def _walks_by_things(self) -> bool:
        """Whether people go through a thing, of which the doorway knows nothing."""
        return bool(self._all(KeyedDoor))

    def _spot(self, request: Request, figure: Figure, *, inside: bool) -> Spot:
        """Return where the person is who did this."""
        match request:
            case ask.Leave():
                return Spot.AWAY
            case ask.WalkIn():
                return Spot.ROOM
            case ask.WalkOut():
                return Spot.DOOR
            case ask.OpenFridge() | ask.CloseFridge():
                return Spot.FRIDGE
            case ask.OpenDoor() | ask.CloseDoor() | ask.Force() | ask.TurnKey() | ask.ThumbTurn() | ask.LockByHand():
                return Spot.ENTRY if inside else Spot.DOOR
            case ask.Handle():
                return self._at_thing(request, figure)
            case _ if inside:
                return figure.spot if figure.is_inside else Spot.ROOM
            case _ if self._all(StreetDoor) and figure.spot is Spot.AWAY:
                return Spot.AWAY  # still before the street door, which this camera does not see
            case _:
                return Spot.LENS if isinstance(request, ask.Scan) or figure.spot is Spot.AWAY else figure.spot

    def _at_thing(self, request: ask.Handle, figure: Figure) -> Spot:
        match self._things[request.thing]:
            case StreetDoor():
                return Spot.LENS if request.act == "go_through" else figure.spot
            case KeyedDoor() if request.act == "go_through":
                return Spot.DOOR if figure.is_inside else Spot.ROOM
            case KeyedDoor():
                return Spot.ENTRY if figure.is_inside else Spot.DOOR
            case KeySafe():
                return Spot.DOOR
            case Compartment():
                return Spot.BOX
            case _:
                return figure.spot

    def _with_parcel(self, *, inside: bool) -> Sight:
        """Return the sight with a parcel that was put down: in an open fridge, else in the room, or before the door."""
        if not inside:
            return replace(self._sight, parcel_outside=True)
        if self._sight.fridge.open:
            return replace(self._sight, parcel_in_fridge=True)
        return replace(self._sight, parcels=self._sight.parcels + 1)

    def _leaf(self) -> tuple[bool, float]:
        """Return whether the way in is open or opens, and how long it takes."""
        for opener in self._openers:
            return opener.rises, opener.travel_s
        doors = self._all(KeyedDoor)
        return (any(door.open for door in doors) if doors else self._doorway.open), SWING_S

    def _all(self, kind: type[_Thing]) -> list[_Thing]:
        return [thing for thing in self._things.values() if isinstance(thing, kind)]

    def _show(self, sight: Sight) -> None:
        self._sight = sight
        for show in self._shows:
            show(sight)
