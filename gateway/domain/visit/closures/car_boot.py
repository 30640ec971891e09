"""A car's boot: it opens only where its owner wants the car to stand, parked, by a fix that is young and surely inside.

Nothing films it. That something was left is the courier's own statement, made by a scan after the boot was closed;
without that scan nobody knows. Whoever drives the car may open it anywhere, so its use is never an intrusion.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from devices.reports import DoorState, LockState, PositionReport
from gateway.domain.visit.closures.contract import (
    VAGUE_DOOR_STATES,
    Closure,
    Deposit,
    DeviceFlag,
    DeviceId,
    Move,
    Next,
    Opening,
    Order,
    Quantity,
    ReportOrigin,
    Sensor,
    Use,
    Verdict,
    View,
)
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.fence import AWAY, NO_FIX, THERE, Fence, place_of

PARKED, DRIVING = "parked", "driving"
WHOLE_CAR = "whole_car_unlocked"  # a declared gap of the proof
WATCH_INTERVAL_S = 15.0  # seconds between two questions to an open car whether it still stands there
DEFAULT_MAX_AGE_S = 120.0  # seconds: without a fence nothing opens, and the pages show what the car said last


class CarBoot(Closure):
    """The boot of a car that can be asked for its locks and its position."""

    order_kinds: ClassVar[frozenset[str]] = frozenset({"car"})
    roles: ClassVar[Mapping[str, Quantity]] = {
        "boot": Quantity.CONTACT,
        "locked": Quantity.BOLT,
        "parked": Quantity.MOTION,
        "place": Quantity.PLACE,
    }
    leaf: ClassVar[str] = "boot"
    queried_roles: ClassVar[frozenset[str]] = frozenset(roles)
    bars_living_space: ClassVar[bool] = False
    may_lead_home: ClassVar[bool] = False
    household_words: ClassVar[frozenset[str]] = frozenset({"not_there", "moving", "unlocked", "boot_open"})

    kind: Literal["car_boot"] = "car_boot"
    """Kind: the boot of a car."""
    fence: Fence | None = None
    """Fence: where the car must stand. Without one the boot never opens. The owner sets it on
    the page Cars."""
    opens: Literal["boot", "car"] = "boot"
    """Opens: `boot` is an order for the boot alone. Most cars have none: with `car` the owner accepts that every door
    of the car is unlocked, and each proof says so."""
    scan_within: Annotated[float, Field(ge=10, le=600, json_schema_extra={"x-unit": "seconds"})] = 60.0
    """Scan within: how long the courier may take for the scan after closing. Without it the parcel's result is
    unknown."""
    witnesses: tuple[DeviceId, ...] = ()
    """Witnesses: ids of further devices of the same car, also such as cannot be asked. While one of them says
    that the car moves, is elsewhere, open or unlocked, nothing opens; what it says that is good never counts."""
    has_boot_order: DeviceFlag = True

    @cached_property
    def sensors(self) -> Mapping[str, Sensor]:
        max_age_s = DEFAULT_MAX_AGE_S if self.fence is None else self.fence.fix_age
        return {
            # A scan while the boot stands open is no closing scan
            "boot": Sensor(
                quantity=Quantity.CONTACT,
                needs_answer=frozenset({DoorState.CLOSED}),
                vague=VAGUE_DOOR_STATES,
                cancels_exit_report=True,
                max_age_s=max_age_s,
            ),
            "locked": Sensor(quantity=Quantity.BOLT, needs_answer=frozenset({LockState.LOCKED}), max_age_s=max_age_s),
            "parked": Sensor(
                quantity=Quantity.MOTION, needs_answer=frozenset({PARKED}), detects_passage=False, max_age_s=max_age_s
            ),
            "place": Sensor(
                quantity=Quantity.PLACE,
                needs_answer=frozenset({THERE}),
                vague=frozenset({NO_FIX}),
                detects_passage=False,
                max_age_s=max_age_s,
            ),
        }

    @property
    def witness_devices(self) -> tuple[str, ...]:
        return self.witnesses

    @property
    def declared_gaps(self) -> tuple[str, ...]:
        return (WHOLE_CAR,) if self.opens == "car" else ()

    def shown_gaps(self, view: View) -> tuple[str, ...]:
        return (WHOLE_CAR,) if view.value("locked") in (LockState.UNLOCKED, LockState.UNLATCHED) else ()

    def problem(self) -> tuple[str, str] | None:
        if self.opens == "boot" and not self.has_boot_order:
            return "opens", (
                "this car has no order for the boot alone: it unlocks every door. If its owner accepts that, write"
                " opens: car"
            )
        if self.opens == "car" and self.has_boot_order:
            return "opens", "this car has an order for the boot alone, so its doors stay locked: leave this out"
        return None

    def locate(self, position: PositionReport) -> str:
        return NO_FIX if self.fence is None else place_of(position, self.fence)

    def not_ready(self, view: View) -> tuple[str, ...]:
        is_open, is_away = self.opened(view), view.value("place") == AWAY
        faults = {
            "boot_open": is_open,
            "boot": not is_open and not view.proves("boot", DoorState.CLOSED),
            "unlocked": view.value("locked") == LockState.UNLOCKED,
            "locked": view.value("locked") != LockState.UNLOCKED and not view.proves("locked", LockState.LOCKED),
            "moving": view.value("parked") == DRIVING,
            "parked": view.value("parked") != DRIVING and not view.proves("parked", PARKED),
            "no_fence": self.fence is None,
            "not_there": self.fence is not None and is_away,
            "no_fix": self.fence is not None and not is_away and not view.proves("place", THERE),
        }
        return tuple(word for word, is_wrong in faults.items() if is_wrong)

    def opening(self) -> Opening:
        return Opening(invalidate=("boot", "locked"), query=("boot", "locked"), opens_itself=True)

    def passable(self, view: View) -> bool:
        is_unlocked = view.value("locked") in (LockState.UNLOCKED, LockState.UNLATCHED)
        return self.opened(view) or (self.opens == "car" and is_unlocked)

    def unsecured(self, view: View) -> bool:
        return self.opened(view) or view.value("locked") in (LockState.UNLOCKED, LockState.UNLATCHED)

    def in_use(self, view: View) -> bool:
        return False  # whoever drives it is not at home

    def secured(self, view: View) -> bool:
        return view.proves("boot", DoorState.CLOSED) and view.proves("locked", LockState.LOCKED)

    def secure(self, view: View) -> Next:
        """Lock it once the boot answers closed, prove both, and give a courier who opened it time for his last scan."""
        match view.run.step:
            case "start":
                return Move(to="boot_before", query=("boot",))
            case "boot_before" if view.proves("boot", DoorState.CLOSED):
                return Move(to="locks", send=Order.LOCK, invalidate=("locked",))
            case "locks" if view.value("locked") == LockState.LOCKED or view.run.refused or view.is_over:
                return Move(to="answers", query=("locked", "boot"), after_expiry=True)
            case "answers" if self.secured(view) and (view.now.courier_left or not view.now.was_opened):
                return Verdict.DONE  # into a boot that never opened nothing was put
            case "answers" if self.secured(view):
                return Move(to="scan", within_s=self.scan_within)
            case "scan" if self.secured(view):
                return Verdict.DONE if view.now.courier_left or view.is_over else Verdict.WAIT
            case "scan":
                return Verdict.AGAIN
            case _:
                return Verdict.AGAIN if view.is_over or view.run.jammed else Verdict.WAIT

    def detect(self, view: View) -> Next | AlarmCode:
        """Query an open car repeatedly whether it still stands there; a bad value counts without a query."""
        if not self.opened(view):
            return Verdict.NOTHING
        if view.value("parked") == DRIVING or view.value("place") == AWAY:
            return AlarmCode.CAR_MOVES_OPEN
        if view.run.step == "start" or view.is_over:
            return Move(to="watch", query=("parked", "place"), within_s=WATCH_INTERVAL_S)
        return Verdict.WAIT

    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        is_opened = sensor == "boot" and before == DoorState.CLOSED and self.opened(view)
        return Use.MOVED if is_opened else Use.NONE

    def deposited(self, view: View) -> Deposit:
        return Deposit.LEFT if view.now.courier_left and self.secured(view) else Deposit.BY_FILM
