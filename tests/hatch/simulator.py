"""The physics of a hatch in the wall, whose leaf an opener lifts and lowers (`opener.py`)."""

from collections.abc import Mapping
from typing import Literal

from devices.simulators.control import Impossible
from devices.simulators.thing import Hands, LeafPosition, MotorThing, ThingSection


class Hatch(MotorThing):
    """A hatch: its opener lifts the leaf, people reach through, and the household has a crank inside.

    Faults: ajar (the leaf stops a finger's breadth above its sill). Acts: reach_through, crank_open, crank_shut.
    """

    NOUN = "hatch"
    FAULTS = frozenset({"ajar"})
    ACTS = frozenset({"reach_through", "crank_open", "crank_shut"})
    HANDS = Hands(opens=("crank_open",), closes=("crank_shut",))

    def lower(self, by: str) -> None:
        """Finish lowering it."""
        self.move_leaf(LeafPosition.AJAR if "ajar" in self.faults else LeafPosition.CLOSED, by)

    def act(self, act: str, who: str) -> None:
        """Reach through, or turn the crank."""
        match act:
            case "crank_open":
                self.lift(who)
            case "crank_shut":
                self.lower(who)
            case _:
                if not self.open:
                    raise Impossible("it is closed")
                self.log.write("passed", thing=self.name, who=who)
                self.cross()

    def physical(self) -> Mapping[str, object]:
        """Return the leaf."""
        return {"leaf": self.position.value, "faults": sorted(self.faults)}


class HatchPlan(ThingSection):
    """A hatch in the wall that an opener moves."""

    makes = Hatch
    takes = frozenset({"cover", "door"})
    closure = "hatch"
    kind: Literal["hatch"]
