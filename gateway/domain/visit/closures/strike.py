"""A door that others use too, released for a moment by an electric strike: a street door, a hall door.

The strike reports nothing: only its command and the door's contact are known. Neighbours use the door too, so an
opening without a command means nothing for this household. Only one thing is proven: the door fell shut after the
courier went through. The box cannot hold the door shut or close it. It shows the person who wedged it what to do.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal

from devices.commands import Light, Sound
from devices.reports import DoorState
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import (
    LEAF_CONTACT,
    VAGUE_DOOR_STATES,
    Closure,
    DeviceSeconds,
    Move,
    Next,
    Opening,
    Pause,
    Prompt,
    Quantity,
    ReportOrigin,
    Sensor,
    Use,
    Verdict,
    View,
)
from gateway.domain.visit.commands import Notification

CLOSE_THE_DOOR = Prompt(light=Light.AMBER, sound=Sound.CLOSE_THE_DOOR, notification=Notification.DOOR_OPEN.value)


class Strike(Closure):
    """A shared door with an electric strike and a contact."""

    order_kinds: ClassVar[frozenset[str]] = frozenset({"strike"})
    roles: ClassVar[Mapping[str, Quantity]] = {"door": Quantity.CONTACT}
    independent_roles: ClassVar[frozenset[str]] = frozenset({"door"})
    is_private: ClassVar[bool] = False

    kind: Literal["strike"] = "strike"
    """Kind: a door that neighbours use too, with an electric strike and a door sensor."""
    release: DeviceSeconds = 5.0
    wedged: Seconds = 60.0
    """Wedged: how long the gateway waits for a door that does not fall shut, three times. Then the owner gets an
    alarm."""

    @cached_property
    def sensors(self) -> Mapping[str, Sensor]:
        return {"door": LEAF_CONTACT}

    def not_ready(self, view: View) -> tuple[str, ...]:
        return ("door",) if view.value("door") in VAGUE_DOOR_STATES else ()  # it may stand open: others use it

    def opening(self) -> Opening:
        return Opening(invalidate=("door",), query=("door",), passable_for_s=self.release + self.latency)

    def passable(self, view: View) -> bool:
        return view.now.ordered_at is not None

    def holds(self, view: View) -> bool:
        return False  # anybody with a key opens it

    def secured(self, view: View) -> bool:
        return view.proves("door", DoorState.CLOSED)

    def secure(self, view: View) -> Next:
        match view.run.step:
            case "start":
                return Move(to="before", query=("door",))
            case "before" if self.secured(view):
                return Move(to="after", query=("door",), after_expiry=True)
            case "after" if self.secured(view):
                return Verdict.DONE
            case _:
                return Pause(within_s=self.wedged, prompt=CLOSE_THE_DOOR) if view.is_over else Verdict.WAIT

    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        return Use.NONE
