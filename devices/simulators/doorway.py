"""The physics of one door: bolt, leaf, and the people on each side. No message can change it directly."""

from collections.abc import Callable
from enum import StrEnum, auto

from devices.simulators.control import Impossible
from devices.simulators.physical_log import PhysicalLog

# causes of a bolt's movement that are not a command's id
HAND, APP, ITSELF, FROM_AFAR, KEYPAD = "hand", "app", "itself", "from_afar", "keypad"
RESIDENT = "resident"
PEOPLE = ("courier", RESIDENT, "thief")


class Position(StrEnum):
    """A person's position."""

    AWAY = auto()
    OUTSIDE = auto()
    INSIDE = auto()


class Doorway:
    """A door with its bolt, and the people around it.

    A thrown bolt keeps a closed leaf closed and an open leaf open. From inside the door always opens by hand.
    `bolt_moved(cause)`, `leaf_moved()` and `people_moved()` are called after each change, for the sensors.
    """

    def __init__(self, log: PhysicalLog) -> None:
        self.thrown = True
        self.open = False
        self.people = dict.fromkeys(PEOPLE, Position.AWAY)
        self.bolt_moved: list[Callable[[str], None]] = []
        self.leaf_moved: list[Callable[[], None]] = []
        self.people_moved: list[Callable[[], None]] = []
        self._log = log

    @property
    def in_air(self) -> bool:
        """Return whether the bolt is out while the leaf is open."""
        return self.thrown and self.open

    def move_bolt(self, *, thrown: bool, cause: str, intent: str | None = None) -> None:
        """Throw or withdraw the bolt; do nothing if it is there already."""
        if self.thrown == thrown:
            return
        self.thrown = thrown
        state = "thrown" if thrown else "withdrawn"
        self._log.write("bolt", state=state, cause=cause, intent=intent, in_air=self.in_air)
        for subscriber in self.bolt_moved:
            subscriber(cause)

    def open_door(self, who: str) -> None:
        """Push the door open."""
        where = self.arrive(who)
        if self.open:
            raise Impossible("the door is open already")
        if self.thrown and where is Position.OUTSIDE:
            raise Impossible("the door is locked")
        self.move_bolt(thrown=False, cause=HAND)
        self._move_leaf(opened=True, by=who)

    def close_door(self, who: str) -> None:
        """Close the door."""
        self.arrive(who)
        if not self.open:
            raise Impossible("the door is closed already")
        if self.thrown:
            raise Impossible("the bolt is out: the door does not close")
        self._move_leaf(opened=False, by=who)

    def lift(self, by: str) -> None:
        """Lift the leaf of a garage by motor; the motor itself holds it closed."""
        self.move_bolt(thrown=False, cause=by)
        if not self.open:
            self._move_leaf(opened=True, by=by)

    def lower(self, by: str) -> None:
        """Finish lowering it to the ground, where the motor holds it."""
        if self.open:
            self._move_leaf(opened=False, by=by)
        self.move_bolt(thrown=True, cause=by)

    def force_door(self, who: str) -> None:
        """Break the door open; the bolt stays as it is."""
        self.arrive(who)
        if self.open:
            raise Impossible("the door is open already")
        self._move_leaf(opened=True, by=who, forced=True)

    def turn_key(self, who: str) -> None:
        """Unlock from outside with the mechanical key."""
        if who != RESIDENT:
            raise Impossible(f"the {who} has no key")
        if self.arrive(who) is not Position.OUTSIDE:
            raise Impossible("the key works from outside; inside there is the thumb-turn")
        self.move_bolt(thrown=False, cause=HAND)

    def thumb_turn(self, who: str) -> None:
        """Unlock by hand from inside."""
        self._need(who, Position.INSIDE)
        self.move_bolt(thrown=False, cause=HAND)

    def lock_by_hand(self, who: str) -> None:
        """Throw the bolt by hand, whatever the position of the leaf."""
        if self.arrive(who) is Position.OUTSIDE and who != RESIDENT:
            raise Impossible(f"the {who} has no key")
        self.move_bolt(thrown=True, cause=HAND)

    def arrive(self, who: str) -> Position:
        """Come to the door unless there already; return the position."""
        if self._place(who) is Position.AWAY:
            self._go(who, Position.OUTSIDE)
        return self.people[who]

    def leave(self, who: str) -> None:
        """Go away from outside."""
        self._need(who, Position.OUTSIDE)
        self._go(who, Position.AWAY)

    def walk_in(self, who: str) -> None:
        """Go in through the open door."""
        self.arrive(who)
        self._need(who, Position.OUTSIDE)
        self._need_open()
        self._go(who, Position.INSIDE)

    def walk_out(self, who: str) -> None:
        """Go out through the open door."""
        self._need(who, Position.INSIDE)
        self._need_open()
        self._go(who, Position.OUTSIDE)

    def need_inside(self, who: str) -> None:
        """Refuse what only a person inside can do."""
        self._need(who, Position.INSIDE)

    def place(self, who: str, where: Position) -> None:
        """Put a person there at the start."""
        self._place(who)
        self._go(who, where)

    def anybody(self, where: Position) -> bool:
        """Return whether a person is there."""
        return where in self.people.values()

    def _move_leaf(self, *, opened: bool, by: str, forced: bool = False) -> None:
        self.open = opened
        self._log.write("door", state="open" if opened else "closed", by=by, **({"forced": True} if forced else {}))
        for subscriber in self.leaf_moved:
            subscriber()

    def _go(self, who: str, where: Position) -> None:
        self.people[who] = where
        self._log.write("person", who=who, where=where.value)
        for subscriber in self.people_moved:
            subscriber()

    def _place(self, who: str) -> Position:
        if who not in self.people:
            raise Impossible(f"nobody here is called {who}: there are {', '.join(self.people)}")
        return self.people[who]

    def _need(self, who: str, where: Position) -> None:
        if self._place(who) is not where:
            raise Impossible(f"the {who} is not {where.value}")

    def _need_open(self) -> None:
        if not self.open:
            raise Impossible("the door is closed")
