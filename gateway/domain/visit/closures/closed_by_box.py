"""The rules of every closure that the box itself closes: a garage door, a gate, a hatch. This class is no kind itself.

Opening is one command with its intent, as for every closure. But nobody pulls such a leaf shut: the box has to close
it, and a moving leaf is the only device here that can hurt somebody. So the box closes it only when

- the courier reported that he left: he rang outside, or scanned there again,
- nothing has broken the light beam since (a broken beam cancels his report, and so does a gap in its reports),
- the beam answered "nothing in the way" to a query sent then, the signal warned for a while, and
- the beam gave the same answer again, to a query sent after the warning.

The box tries this at most three times, each time under all of these conditions. Then it hands the closure over to the
owner. It does the same if nobody reports that the courier left. It never closes an opener whose beam does not report.
At enrolment the installer declares that the opener reverses by itself at an obstacle; nothing here needs to react
faster than the opener.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import Field

from devices.commands import Light, Sound
from devices.reports import DoorState
from gateway.domain.frozen import replace
from gateway.domain.visit.closures.contract import (
    CLEAR,
    LEAF_CONTACT,
    OPEN_DOOR_STATES,
    Closure,
    DeviceFlag,
    DeviceSeconds,
    Move,
    Next,
    Opening,
    Order,
    Prompt,
    Quantity,
    ReportOrigin,
    Sensor,
    Use,
    Verdict,
    View,
    is_by_hand,
)

MAX_CLOSE_COMMANDS = 3
OBSTRUCTED_RETRY_S = 10.0  # seconds until the next query about an obstruction
WARNING = Prompt(light=Light.RED, sound=Sound.LEAVE)


class ClosedByBox(Closure):
    """A closure with an opener, and one independent sensor that measures both door and bolt: closed is locked."""

    order_kinds: ClassVar[frozenset[str]] = frozenset({"cover"})
    roles: ClassVar[Mapping[str, Quantity]] = {"door": Quantity.CONTACT, "way": Quantity.OBSTRUCTION}
    optional_roles: ClassVar[frozenset[str]] = frozenset({"way"})
    """If a kind must not open without a beam, leave `way` out here: the loader then refuses an opener without a
    beam."""
    independent_roles: ClassVar[frozenset[str]] = frozenset({"door"})
    bars_living_space: ClassVar[bool] = False

    obstruction_sensor: DeviceFlag = False
    warning: DeviceSeconds = 10.0
    closing: DeviceSeconds = 30.0
    left_open: Annotated[int, Field(ge=1, le=20, json_schema_extra={"x-unit": "reminders"})] = 5
    """Left open: the number of reminders about the open closure before the owner has to look after it."""

    @cached_property
    def sensors(self) -> Mapping[str, Sensor]:
        door = replace(LEAF_CONTACT, queried_with=("way",)) if self.obstruction_sensor else LEAF_CONTACT
        way = Sensor(
            quantity=Quantity.OBSTRUCTION,
            needs_answer=frozenset({CLEAR}),
            detects_passage=False,
            cancels_exit_report=True,
            is_probed=False,
        )
        return {"door": door, "way": way} if self.obstruction_sensor else {"door": door}

    def not_ready(self, view: View) -> tuple[str, ...]:
        door = () if self.secured(view) else ("lock", "door")  # a closed leaf is locked: it is both
        is_obstructed = self.obstruction_sensor and not view.proves("way", CLEAR)
        return (*door, "way") if is_obstructed else door

    def opening(self) -> Opening:
        return Opening(invalidate=("door",), query=("door",))

    def passable(self, view: View) -> bool:
        return self.opened(view)

    def secured(self, view: View) -> bool:
        return view.proves("door", DoorState.CLOSED)

    def secure(self, view: View) -> Next:
        """Query the door, and again when no command can act any longer; send nothing that might open it."""
        match view.run.step:
            case "start":
                return Move(to="door_before", query=("door",))
            case "door_before" if self.secured(view):
                return Move(to="door_after", query=("door",), after_expiry=True, ends_delivery=True)
            case "door_after" if self.secured(view):
                return Verdict.DONE
            case _:
                return Verdict.AGAIN if view.is_over else Verdict.WAIT

    def close(self, view: View) -> Next:
        if view.now.reminders > self.left_open:
            return Verdict.GIVE_UP
        if not (self.obstruction_sensor and view.now.courier_left and self.opened(view)):
            return Verdict.NOTHING
        is_clear, is_last_try = view.proves("way", CLEAR), view.run.tries >= MAX_CLOSE_COMMANDS
        match view.run.step:
            case "start":
                return Verdict.GIVE_UP if is_last_try else Move(to="queried", query=("way",))
            case "queried" if is_clear:
                return Move(to="warned", prompt=WARNING, within_s=self.warning)
            case "warned" if view.is_over:
                return Move(to="queried_again", query=("way",))
            case "queried_again" if is_clear:
                return Move(to="sent", send=Order.CLOSE, counts=True, within_s=self.closing)
            case "sent" if view.is_over and is_last_try:
                return Verdict.GIVE_UP
            case "queried" | "queried_again" | "sent" if view.is_over:
                return Move(to="waiting", within_s=OBSTRUCTED_RETRY_S)
            case "waiting" if view.is_over:
                return Move(to="queried", query=("way",))
            case _:
                return Verdict.WAIT

    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        """The household opens and closes it by hand, by a remote control, a button or an app."""
        if sensor != "door":
            return Use.NONE
        if self.opened(view) and before not in OPEN_DOOR_STATES:
            if not is_by_hand(origin, view):
                return Use.UNEXPECTED
            return Use.OPENED_BY_HAND if before == DoorState.CLOSED else Use.NONE
        closes = before in OPEN_DOOR_STATES and view.value("door") == DoorState.CLOSED and not origin.is_answer
        return Use.LOCKED_BY_HAND if closes else Use.NONE
