"""The drawing of each kind of closure on the pages, 48 by 48, in the path data of SVG. Pure.

A new kind of closure has its row in `CLOSURE_DRAWINGS`; a test compares the table with the registry.
"""

from collections.abc import Mapping

from gateway.domain.frozen import Frozen
from gateway.domain.visit.summary import ClosureState


class Drawing(Frozen):
    """The drawing of a closure: its frame in every state, its open leaf, and its closed leaf."""

    frame: str
    opened: str
    closed: str

    def path(self, state: ClosureState) -> str:
        """Return the path data of this state; the page adds a question mark where the state is unknown."""
        return f"{self.frame} {self.opened if state is ClosureState.OPEN else self.closed}".strip()


_HOUSE_DOOR = Drawing(
    frame="M10 44V4h28v40",
    opened="M10 4l18 7v37l-18-4",
    closed="M14 8h20v36H14zM30 26h1",
)

CLOSURE_DRAWINGS: Mapping[str, Drawing] = {
    "bolted_door": _HOUSE_DOOR,
    "garage_door": Drawing(
        frame="M4 44V16L24 4l20 12v28",
        opened="M10 20h28",
        closed="M10 20h28v24H10zM10 28h28M10 36h28",
    ),
    "strike": _HOUSE_DOOR,
    "compartment": Drawing(
        frame="M6 20h36v22H6z",
        opened="M6 20 18 6h30l-6 14",
        closed="M6 12h36v8H6z",
    ),
    "key_safe": Drawing(
        frame="M15 4h18a3 3 0 0 1 3 3v34a3 3 0 0 1-3 3H15a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z"
        "M19 18a5 5 0 1 0 10 0 5 5 0 1 0-10 0",
        opened="",
        closed="M24 23v14M24 31h5M24 36h5",
    ),
    "keyed_door": _HOUSE_DOOR,
    "car_boot": Drawing(
        frame="M2 36V27l5-3 5-9h16M2 36h5M15 36h16M39 36h5M7 36a4 4 0 1 0 8 0 4 4 0 1 0-8 0"
        "M31 36a4 4 0 1 0 8 0 4 4 0 1 0-8 0",
        opened="M28 15 44 4M36 24v12M44 26v10",
        closed="M28 15l8 8 8 2v11M36 23H12",
    ),
}
"""The drawing of every kind of closure."""
