"""The physics of what stands beside the front door: street doors, compartments, key safes. No message changes them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum, auto
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from devices.simulators.control import Impossible
from devices.simulators.physical_log import PhysicalLog

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Delay = Annotated[float, Field(ge=0, le=600)]  # seconds


class LeafPosition(StrEnum):
    """The position of a leaf, flap or lid."""

    OPEN = auto()
    CLOSED = auto()
    AJAR = auto()  # it only leans: no latch has caught


class Hands(NamedTuple):
    """How a person of the household opens and closes a thing without the gateway: its acts, one after the other."""

    opens: tuple[str, ...]  # on the side that needs a key, a code or a handle
    closes: tuple[str, ...] = ()  # empty: it falls shut by itself
    opens_inside: tuple[str, ...] | None = None  # from inside without a key; None: by `opens`, or it has no inside


class Thing(ABC):
    """One thing with a leaf. `FAULTS` can be switched, `ACTS` are what people do to it, `HANDS` which of them move it.

    `leaf_moved` and `inside_moved` are called after each change, for its sensors.
    """

    NOUN: ClassVar[str] = "thing"
    FAULTS: ClassVar[frozenset[str]] = frozenset()
    ACTS: ClassVar[frozenset[str]] = frozenset()
    HANDS: ClassVar[Hands]

    def __init__(self, name: str, log: PhysicalLog) -> None:
        self.name, self.log = name, log
        self.position = LeafPosition.CLOSED
        self.faults: set[str] = set()
        self.leaf_moved: list[Callable[[], None]] = []
        self.inside_moved: list[Callable[[], None]] = []

    @property
    def open(self) -> bool:
        """Whether a contact at the leaf is open: ajar is open too."""
        return self.position is not LeafPosition.CLOSED

    @property
    def seems_inside(self) -> bool:
        """Whether a sensor inside detects its object, a parcel or a key; False: the thing cannot hold one."""
        return False

    @abstractmethod
    def release(self, seconds: float, cause: str) -> None:
        """Let go, as its relay or board orders; what lets go for a moment does so for `seconds`."""

    @abstractmethod
    def act(self, act: str, who: str) -> None:
        """Let `who` do one of `ACTS`; Impossible: not now."""

    @abstractmethod
    def physical(self) -> Mapping[str, object]:
        """Return its physical state, for the control's `state`."""

    def handle(self, act: str, who: str) -> None:
        """Let `who` do something; Impossible: not to such a thing, or not now."""
        if act not in self.ACTS:
            raise Impossible(f"to a {self.NOUN} one can {', '.join(sorted(self.ACTS))}")
        self.act(act, who)

    def set_fault(self, fault: str, on: bool | float | str) -> None:
        """Switch a fault on or off."""
        if fault not in self.FAULTS:
            raise Impossible(f"{self.name} has no such fault; it has {', '.join(sorted(self.FAULTS))}")
        if not isinstance(on, bool):
            raise Impossible(f"{fault} is on or off")
        (self.faults.add if on else self.faults.discard)(fault)
        self.log.write("fault", device=self.name, fault=fault, on=on)
        self.repaired(fault)

    def repaired(self, _fault: str) -> None:
        """React to a switched fault."""
        return

    def move_leaf(self, position: LeafPosition, by: str) -> None:
        """Move the leaf, and tell its sensors."""
        if position is self.position:
            return
        self.position = position
        self.log.write("way", thing=self.name, state=position.value, by=by)
        for subscriber in self.leaf_moved:
            subscriber()

    def tell_inside(self) -> None:
        """Tell the sensors inside."""
        for subscriber in self.inside_moved:
            subscriber()


class ThingSection(BaseModel):
    """The section of a thing in the house file; its keys beside `kind` are the arguments of the thing.

    `makes`: the thing. `takes`: the kinds of devices that can be at it. `closure`: the kind of closure in a house
    file that this thing simulates (`perron simulate`). `needs`: the keys that name another thing, and which kind that
    thing must have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    makes: ClassVar[type[Thing]]
    takes: ClassVar[frozenset[str]]
    closure: ClassVar[str]
    needs: ClassVar[Mapping[str, str]] = {}
    kind: str

    def make(self, name: str, log: PhysicalLog, things: Mapping[str, Thing]) -> Thing:
        """Return the thing; `things` are those made before, among them all that it needs."""
        needed = {key: things[getattr(self, key)] for key in self.needs}
        arguments: dict[str, Any] = {**self.model_dump(exclude={"kind"}), **needed}
        return self.makes(name, log, **arguments)


class MotorThing(Thing):
    """A thing whose leaf an opener lifts and lowers (`opener.py`): a hatch, a gate.

    `crossed` is called when somebody goes or reaches through.

    Nothing moves it without power, so `release` does nothing.
    """

    def __init__(self, name: str, log: PhysicalLog) -> None:
        super().__init__(name, log)
        self.crossed: list[Callable[[], None]] = []

    def lift(self, by: str) -> None:
        """Lift the leaf by its motor."""
        self.move_leaf(LeafPosition.OPEN, by)

    def lower(self, by: str) -> None:
        """Finish lowering it, until the motor holds it."""
        self.move_leaf(LeafPosition.CLOSED, by)

    def release(self, seconds: float, cause: str) -> None:
        """Do nothing: only its opener moves it."""

    def cross(self) -> None:
        """Report to the light beam that somebody goes or reaches through."""
        for subscriber in self.crossed:
            subscriber()


class StreetDoor(Thing):
    """A door that others use too. Its strike releases it for a moment; it falls shut by itself.

    Faults: dead (the strike never moves, whatever the relay does), sticks (once released, it stays so), wedged (it does
    not fall shut), neighbour_follows (a neighbour goes through behind each person).
    Acts: go_through, come_with_key (a neighbour does, whatever the strike does), close.
    """

    NOUN = "street door"
    FAULTS = frozenset({"dead", "sticks", "wedged", "neighbour_follows"})
    ACTS = frozenset({"go_through", "come_with_key", "close"})
    HANDS = Hands(opens=("come_with_key",))

    def __init__(self, name: str, log: PhysicalLog, *, closes_s: float) -> None:
        super().__init__(name, log)
        self._closes_s = closes_s
        self.released = False
        self._holding: asyncio.TimerHandle | None = None
        self._falling: asyncio.TimerHandle | None = None

    def release(self, seconds: float, cause: str) -> None:
        """Let go for so many seconds; a second order begins the time anew."""
        if "dead" in self.faults:
            return
        if self._holding is not None:
            self._holding.cancel()
        if not self.released:
            self.released = True
            self.log.write("strike", thing=self.name, released=True, cause=cause)
        self._holding = asyncio.get_running_loop().call_later(seconds, self._hold)

    def _hold(self) -> None:
        self._holding = None
        if "sticks" not in self.faults and self.released:
            self.released = False
            self.log.write("strike", thing=self.name, released=False, cause="itself")

    def act(self, act: str, who: str) -> None:
        """Go through, come with a key, or close it."""
        match act:
            case "close":
                if not self.open:
                    raise Impossible("it is closed already")
                if "wedged" in self.faults:
                    raise Impossible("it is wedged open")
                self.move_leaf(LeafPosition.CLOSED, who)
            case "come_with_key":
                self._pass(who)
            case _:
                if not (self.open or self.released):
                    raise Impossible("it is closed, and its strike holds")
                self._pass(who)

    def _pass(self, who: str) -> None:
        self.move_leaf(LeafPosition.OPEN, who)
        for passing in (who, "neighbour") if "neighbour_follows" in self.faults else (who,):
            self.log.write("passed", thing=self.name, who=passing)
        if self._falling is not None:
            self._falling.cancel()
        self._falling = asyncio.get_running_loop().call_later(self._closes_s, self._fall_shut)

    def _fall_shut(self) -> None:
        self._falling = None
        if "wedged" not in self.faults:
            self.move_leaf(LeafPosition.CLOSED, "itself")

    def repaired(self, fault: str) -> None:
        """Fall shut once nothing wedges it; hold again once nothing sticks."""
        if fault == "wedged" and fault not in self.faults and self._falling is None:
            self._fall_shut()
        if fault == "sticks" and fault not in self.faults and self._holding is None:
            self._hold()

    def physical(self) -> Mapping[str, object]:
        """Return leaf and strike."""
        return {"leaf": self.position.value, "released": self.released, "faults": sorted(self.faults)}


class StreetDoorPlan(ThingSection):
    """A street door, which falls shut `closes_s` seconds after somebody went through."""

    makes = StreetDoor
    takes = frozenset({"strike", "door"})
    closure = "strike"
    kind: Literal["street_door"]
    closes_s: Delay = 3.0


class Compartment(Thing):
    """A compartment of a parcel box: its latch springs open on an order and catches when the lid is pushed shut.

    Faults: dead (its latch does not move), stuck_shut (the first order does nothing, the second opens), bounces (a lid
    that is pushed shut springs open again), does_not_catch (the lid is shut, the latch has not caught), ajar (the lid
    is not pushed quite shut). Acts: put_in, take_out, push_shut, open_with_key.
    """

    NOUN = "compartment"
    FAULTS = frozenset({"dead", "stuck_shut", "bounces", "does_not_catch", "ajar"})
    ACTS = frozenset({"put_in", "take_out", "push_shut", "open_with_key"})
    HANDS = Hands(opens=("open_with_key",), closes=("push_shut",))

    def __init__(self, name: str, log: PhysicalLog, *, occupied: bool) -> None:
        super().__init__(name, log)
        self.caught, self.occupied = True, occupied
        self._tries = 0

    @property
    def seems_inside(self) -> bool:
        """Whether a parcel lies in it."""
        return self.occupied

    def release(self, seconds: float, cause: str) -> None:  # noqa: ARG002 - a latch that is open stays so
        """Spring open."""
        self._tries += 1
        if "dead" in self.faults or ("stuck_shut" in self.faults and self._tries == 1):
            return
        self._spring_open(cause)

    def _spring_open(self, cause: str) -> None:
        if self.caught:
            self.caught = False
            self.log.write("latch", thing=self.name, caught=False, cause=cause)
        self.move_leaf(LeafPosition.OPEN, cause)

    def act(self, act: str, who: str) -> None:
        """Put something in, take it out, push the lid shut, open it with the box's own key."""
        if act == "open_with_key":
            self._spring_open(who)
            return
        if self.position is LeafPosition.CLOSED:
            raise Impossible("the lid is closed")
        if act == "push_shut":
            self._push_shut(who)
        elif self.occupied == (act == "put_in"):
            raise Impossible("something lies in it already" if self.occupied else "nothing lies in it")
        else:
            self.occupied = act == "put_in"
            self.log.write("content", thing=self.name, occupied=self.occupied, by=who)
            self.tell_inside()

    def _push_shut(self, who: str) -> None:
        if "ajar" in self.faults:
            self.move_leaf(LeafPosition.AJAR, who)
            return
        if not self.faults & {"does_not_catch", "bounces"}:
            self.caught = True
            self.log.write("latch", thing=self.name, caught=True, cause=who)
        self.move_leaf(LeafPosition.CLOSED, who)
        self._tries = 0
        if "bounces" in self.faults:
            self.move_leaf(LeafPosition.OPEN, "itself")

    def physical(self) -> Mapping[str, object]:
        """Return lid, latch and content."""
        own = {"caught": self.caught, "occupied": self.occupied}
        return {"leaf": self.position.value, **own, "faults": sorted(self.faults)}


class CompartmentPlan(ThingSection):
    """A compartment of a parcel box."""

    makes = Compartment
    takes = frozenset({"strike", "compartment", "content", "door"})
    closure = "compartment"
    kind: Literal["compartment"]
    occupied: bool = False
