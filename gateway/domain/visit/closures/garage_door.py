"""A garage door: its opener opens it, and one independent sensor measures both door and bolt."""

from typing import Literal

from gateway.domain.visit.closures.closed_by_box import ClosedByBox


class GarageDoor(ClosedByBox):
    """A garage door with an opener."""

    kind: Literal["garage_door"] = "garage_door"
    """Kind: a garage door with an opener and a door sensor."""
