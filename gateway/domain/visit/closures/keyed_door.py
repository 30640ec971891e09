"""A door that only a key opens: the box queries its contact, films it and proves it closed; it never moves it.

On a route it comes behind the key safe. The key is out while somebody uses the door, so the door is no stage: everybody
who has the key may open it, any number of times, until the key is back.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal

from devices.reports import DoorState
from gateway.domain.visit.closures.contract import (
    KEY_TAKEN,
    LEAF_CONTACT,
    OPEN_DOOR_STATES,
    Closure,
    Move,
    Next,
    Opening,
    Quantity,
    ReportOrigin,
    Sensor,
    Use,
    Verdict,
    View,
)


class KeyedDoor(Closure):
    """A door that latches when somebody pulls it shut."""

    roles: ClassVar[Mapping[str, Quantity]] = {"door": Quantity.CONTACT}

    kind: Literal["keyed_door"] = "keyed_door"
    """Kind: a door that only a key opens, with a door sensor."""

    @cached_property
    def sensors(self) -> Mapping[str, Sensor]:
        return {"door": LEAF_CONTACT}

    def not_ready(self, view: View) -> tuple[str, ...]:
        return () if self.secured(view) else ("door",)

    def opening(self) -> Opening:
        return Opening(invalidate=(), query=("door",), is_ordered=False)

    def passable(self, view: View) -> bool:
        return False  # its key opens it, not the box

    def may_be_used(self, view: View) -> bool:
        return KEY_TAKEN in view.now.marks  # else its key hangs in the safe, or the hook's sensor is wrong

    def holds(self, view: View) -> bool:
        return False

    def secured(self, view: View) -> bool:
        return view.proves("door", DoorState.CLOSED)

    def secure(self, view: View) -> Next:
        match view.run.step:
            case "start":
                return Move(to="queried", query=("door",))
            case "queried" if self.secured(view):
                return Verdict.DONE
            case _:
                return Verdict.AGAIN if view.is_over else Verdict.WAIT

    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        opens = before == DoorState.CLOSED and self.opened(view)
        if opens and view.now.is_away:
            return Use.UNEXPECTED
        closes = before in OPEN_DOOR_STATES and view.value("door") == DoorState.CLOSED and not origin.is_answer
        return Use.MOVED if opens or closes else Use.NONE
