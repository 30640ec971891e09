"""A garage door: its opener opens it, and one independent sensor measures both door and bolt."""

from typing import Literal

from devices.reports import DoorState
from gateway.domain.visit.closures.closed_by_box import ClosedByBox
from gateway.domain.visit.closures.contract import OPEN_DOOR_STATES, ReportOrigin, Use, View, is_by_hand


class GarageDoor(ClosedByBox):
    """A garage door with an opener. The household drives in and out: it opens and closes by hand, remote or app."""

    kind: Literal["garage_door"] = "garage_door"
    """Kind: a garage door with an opener and a door sensor."""

    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        if sensor != "door" or view.value("door") == before:
            return Use.NONE
        if self.opened(view) and before not in OPEN_DOOR_STATES:
            if not is_by_hand(origin, view):
                return Use.UNEXPECTED
            return Use.OPENED_BY_HAND if before == DoorState.CLOSED else Use.NONE
        closes = before in OPEN_DOOR_STATES and view.value("door") == DoorState.CLOSED and not origin.is_answer
        return Use.LOCKED_BY_HAND if closes else Use.NONE
