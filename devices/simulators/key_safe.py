"""The physics of a key safe, and of the door that its key opens."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from devices.simulators.control import Impossible
from devices.simulators.physical_log import PhysicalLog
from devices.simulators.thing import Hands, Id, LeafPosition, Thing, ThingSection


class KeySafe(Thing):
    """A flap before a hook. The flap springs open on an order; the key is hung back without one.

    Faults: dead (its flap does not move), magnet (somebody hung a magnet on the hook: it looks like the key).
    Acts: open_with_code (its own one, as the household does), take_key, bring_key, shut_flap. The scene decides who
    brings the key late, or never.
    """

    NOUN = "key safe"
    FAULTS = frozenset({"dead", "magnet"})
    ACTS = frozenset({"open_with_code", "take_key", "bring_key", "shut_flap"})
    HANDS = Hands(opens=("open_with_code",), closes=("shut_flap",))

    def __init__(self, name: str, log: PhysicalLog, *, key: bool) -> None:
        super().__init__(name, log)
        self.key = key

    @property
    def seems_inside(self) -> bool:
        """Whether a reed below the hook sees a magnet."""
        return self.key or "magnet" in self.faults

    def release(self, seconds: float, cause: str) -> None:  # noqa: ARG002 - a flap that is open stays so
        """Spring the flap open."""
        if "dead" not in self.faults:
            self.move_leaf(LeafPosition.OPEN, cause)

    def act(self, act: str, who: str) -> None:
        """Open the flap, take the key, hang it back, or press the flap shut."""
        match act:
            case "open_with_code":
                self.move_leaf(LeafPosition.OPEN, who)
            case "shut_flap":
                if not self.open:
                    raise Impossible("the flap is shut already")
                self.move_leaf(LeafPosition.CLOSED, who)
            case "take_key":
                if not (self.open and self.key):
                    raise Impossible("the flap is shut" if self.key else "the key is out already")
                self._move_key(present=False, who=who)
            case _:
                if self.key:
                    raise Impossible("the key hangs there already")
                self.move_leaf(LeafPosition.OPEN, who)
                self._move_key(present=True, who=who)

    def _move_key(self, *, present: bool, who: str) -> None:
        self.key = present
        self.log.write("key", thing=self.name, present=present, by=who)
        self.tell_inside()

    def repaired(self, fault: str) -> None:
        """Tell the sensor of a magnet that was hung there, or taken away."""
        if fault == "magnet":
            self.tell_inside()

    def physical(self) -> Mapping[str, object]:
        """Return flap and key."""
        return {"leaf": self.position.value, "key": self.key, "faults": sorted(self.faults)}


class KeySafePlan(ThingSection):
    """A key safe. `key`: its key hangs there at the start."""

    makes = KeySafe
    takes = frozenset({"strike", "key", "door"})
    closure = "key_safe"
    kind: Literal["key_safe"]
    key: bool = True


class KeyedDoor(Thing):
    """A door that only the key of `safe` opens, while the key is out. It latches when it is pulled shut.

    Faults: ajar (it does not latch when it is pulled). Acts: open, open_inside (by its handle, without a key),
    go_through, pull_shut.
    """

    NOUN = "keyed door"
    FAULTS = frozenset({"ajar"})
    ACTS = frozenset({"open", "open_inside", "go_through", "pull_shut"})
    HANDS = Hands(opens=("open",), closes=("pull_shut",), opens_inside=("open_inside",))

    def __init__(self, name: str, log: PhysicalLog, *, safe: KeySafe) -> None:
        super().__init__(name, log)
        self._safe = safe

    def release(self, seconds: float, cause: str) -> None:
        """Do nothing: nothing opens it but its key."""

    def act(self, act: str, who: str) -> None:
        """Open it with the key or from inside, go through, or pull it shut."""
        match act:
            case "open" | "open_inside":
                if self.open:
                    raise Impossible("the door is open already")
                if act == "open" and self._safe.key:
                    raise Impossible(f"the key hangs in {self._safe.name}")
                self.move_leaf(LeafPosition.OPEN, who)
            case "go_through":
                if not self.open:
                    raise Impossible("the door is closed")
                self.log.write("passed", thing=self.name, who=who)
            case _:
                if self.position is LeafPosition.CLOSED:
                    raise Impossible("the door is closed already")
                ajar = "ajar" in self.faults
                self.move_leaf(LeafPosition.AJAR if ajar else LeafPosition.CLOSED, who)

    def physical(self) -> Mapping[str, object]:
        """Return the leaf."""
        return {"leaf": self.position.value, "faults": sorted(self.faults)}


class KeyedDoorPlan(ThingSection):
    """A door that the key of the key safe `safe` opens."""

    makes = KeyedDoor
    takes = frozenset({"door"})
    closure = "keyed_door"
    needs: ClassVar[Mapping[str, str]] = {"safe": "key_safe"}
    kind: Literal["keyed_door"]
    safe: Id
