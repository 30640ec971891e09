"""A compartment of a parcel box: its latch springs open on a command, and catches when somebody pushes the lid shut.

A separate sensor detects what lies in it, because the status of a board is only the contact of its lid. Only an empty
compartment opens. Only "occupied", answered after the lid was shut, proves that something was left.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from devices.reports import DoorState, LockState
from gateway.domain.delivery.features import Dimensions
from gateway.domain.visit.closures.bolted_door import OPENABLE
from gateway.domain.visit.closures.contract import (
    LEAF_CONTACT,
    Closure,
    Deposit,
    Move,
    Next,
    Opening,
    Quantity,
    ReportOrigin,
    Sensor,
    Use,
    Verdict,
    View,
    is_by_hand,
)

EMPTY, OCCUPIED = "empty", "occupied"

Millimetres = Annotated[int, Field(ge=10, le=5000, json_schema_extra={"x-unit": "millimetres"})]


class Compartment(Closure):
    """One compartment of a parcel box."""

    order_kinds: ClassVar[frozenset[str]] = frozenset({"compartment"})
    roles: ClassVar[Mapping[str, Quantity]] = {
        "latch": Quantity.BOLT,
        "lid": Quantity.CONTACT,
        "content": Quantity.CONTENT,
    }
    leaf: ClassVar[str] = "lid"
    optional_roles: ClassVar[frozenset[str]] = frozenset({"content"})
    bars_living_space: ClassVar[bool] = False
    may_lead_home: ClassVar[bool] = False

    kind: Literal["compartment"] = "compartment"
    """Kind: a compartment of a parcel box, with a latch and a sensor of its lid."""
    size: tuple[Millimetres, Millimetres, Millimetres] = (400, 400, 600)
    """Size: inner width, height and depth. A larger parcel is refused. Example: `[300, 200, 400]`."""

    @cached_property
    def sensors(self) -> Mapping[str, Sensor]:
        latch = Sensor(quantity=Quantity.BOLT, needs_answer=frozenset({LockState.LOCKED}))
        content = Sensor(quantity=Quantity.CONTENT, needs_answer=frozenset({EMPTY, OCCUPIED}), detects_passage=False)
        known = {"latch": latch, "lid": LEAF_CONTACT}
        return {**known, "content": content} if "content" in self.devices else known

    def not_ready(self, view: View) -> tuple[str, ...]:
        has_content_sensor = "content" in self.sensors
        faults = {
            "latch": not view.proves("latch", LockState.LOCKED),
            "lid": not view.proves("lid", DoorState.CLOSED),
            "occupied": has_content_sensor and view.value("content") == OCCUPIED,
            "content": has_content_sensor and view.value("content") != OCCUPIED and not view.proves("content", EMPTY),
        }
        return tuple(word for word, is_wrong in faults.items() if is_wrong)

    def opening(self) -> Opening:
        return Opening(invalidate=("latch",), query=("latch",), opens_itself=True)

    def passable(self, view: View) -> bool:
        return view.value("latch") in OPENABLE

    def unsecured(self, view: View) -> bool:
        return view.value("latch") in OPENABLE

    def forced(self, view: View) -> bool:
        return self.opened(view) and view.value("latch") == LockState.LOCKED

    def holds(self, view: View) -> bool:
        return view.proves("latch", LockState.LOCKED)

    def secured(self, view: View) -> bool:
        return self.holds(view) and view.proves("lid", DoorState.CLOSED)

    def secure(self, view: View) -> Next:
        """Send nothing, because a hand pushes the lid shut; query everything when no command can act any longer.

        An answer about the content while the lid stood open proves nothing: somebody may have taken the parcel out.
        """
        match view.run.step:
            case "start":
                has_stale_answer = "content" in self.sensors and "content" not in view.now.basic
                stale = ("content",) if has_stale_answer else ()
                return Move(to="lid_before", query=("lid",), invalidate=stale)
            case "lid_before" if view.proves("lid", DoorState.CLOSED):
                return Move(to="all", query=tuple(self.sensors), after_expiry=True)
            case "all" if self.secured(view) and (view.is_over or self._is_content_known(view)):
                return Verdict.DONE
            case _:
                return Verdict.AGAIN if view.is_over else Verdict.WAIT

    def _is_content_known(self, view: View) -> bool:
        return "content" not in self.sensors or view.fact("content").proven

    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        if sensor == "latch" and before == LockState.LOCKED and self.unsecured(view):
            return Use.OPENED_BY_HAND if is_by_hand(origin, view) else Use.UNEXPECTED
        if sensor == "lid" and before == DoorState.CLOSED and self.opened(view):
            return Use.SUSPICIOUS if self.forced(view) else Use.MOVED
        return Use.NONE

    def fits(self, parcel: Dimensions) -> bool:
        length, width, height = self.size
        return parcel.fits_in(Dimensions(length=length, width=width, height=height))

    def deposited(self, view: View) -> Deposit:
        if "content" not in self.sensors:
            return Deposit.BY_FILM
        if not view.fact("content").proven:
            return Deposit.UNKNOWN
        return Deposit.LEFT if view.value("content") == OCCUPIED else Deposit.NOTHING
