"""A door with a motor lock and an independent sensor. Bolt and door are queried apart: neither proves the other."""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal

from devices.commands import Light, Sound
from devices.reports import DoorState, LockState, OperationSource
from gateway.domain.timing import Seconds
from gateway.domain.visit.closures.contract import (
    LEAF_CONTACT,
    OPEN_DOOR_STATES,
    START,
    Closure,
    DeviceFlag,
    Move,
    Next,
    Opening,
    Order,
    Pause,
    Prompt,
    Quantity,
    ReportOrigin,
    Sensor,
    Use,
    Verdict,
    View,
    is_by_hand,
)
from gateway.domain.visit.commands import AlarmCode, Notification

OPENABLE = frozenset({LockState.UNLOCKED, LockState.UNLATCHED})
NOT_LOCKED = OPENABLE | {LockState.NOT_FULLY_LOCKED}
AUTOMATIC_SOURCES = frozenset({OperationSource.AUTO, OperationSource.SCHEDULE})  # such a lock bolts by itself
LIFT_THE_HANDLE = Prompt(
    light=Light.AMBER, sound=Sound.LIFT_THE_HANDLE, notification=Notification.LIFT_THE_HANDLE.value
)


class BoltedDoor(Closure):
    """A door with a lock that the box commands, and a sensor that does not depend on the lock."""

    order_kinds: ClassVar[frozenset[str]] = frozenset({"lock"})
    roles: ClassVar[Mapping[str, Quantity]] = {"lock": Quantity.BOLT, "door": Quantity.CONTACT}
    independent_roles: ClassVar[frozenset[str]] = frozenset({"door"})

    kind: Literal["bolted_door"] = "bolted_door"
    """Kind: a door with a motor lock and a door sensor."""
    unlatch: DeviceFlag = False
    lift_handle: DeviceFlag = False
    handle: Seconds = 20.0
    """Time to lift: how long a person at the door has to lift the handle before the next try to lock."""

    @cached_property
    def sensors(self) -> Mapping[str, Sensor]:
        return {
            "lock": Sensor(quantity=Quantity.BOLT, needs_answer=frozenset({LockState.LOCKED})),
            "door": LEAF_CONTACT,
        }

    def not_ready(self, view: View) -> tuple[str, ...]:
        faults = {"lock": not self.holds(view), "door": not view.proves("door", DoorState.CLOSED)}
        return tuple(word for word, is_wrong in faults.items() if is_wrong)

    def opening(self) -> Opening:
        return Opening(invalidate=("lock",), query=("lock",), pulls_latch=self.unlatch)

    def passable(self, view: View) -> bool:
        bolt = view.value("lock")
        return bolt == LockState.UNLATCHED or (bolt == LockState.UNLOCKED and not self.unlatch)

    def unsecured(self, view: View) -> bool:
        return view.value("lock") in NOT_LOCKED

    def forced(self, view: View) -> bool:
        return self.opened(view) and view.value("lock") == LockState.LOCKED

    def holds(self, view: View) -> bool:
        return view.proves("lock", LockState.LOCKED)

    def secured(self, view: View) -> bool:
        return self.holds(view) and view.proves("door", DoorState.CLOSED)

    def secure(self, view: View) -> Next:
        """Door closed, bolt moves, bolt locked, door still closed."""
        run = view.run
        match run.step:
            case "start":
                return Move(to="door_before", query=("door",))
            case "door_before" if view.proves("door", DoorState.CLOSED):
                return Move(to="bolt_moves", send=Order.LOCK, invalidate=("lock",), ends_delivery=True)
            case "bolt_moves" if view.value("lock") == LockState.LOCKED or run.refused or view.is_over:
                return Move(to="bolt_answers", query=("lock",), after_expiry=True)
            case "bolt_answers" if self.holds(view):
                return Move(to="door_after", query=("door",))
            case "door_after" if self.secured(view):
                return Verdict.DONE
            case _:
                pass
        if not (view.is_over or run.jammed):
            return Verdict.WAIT
        stopped_half_way = self.lift_handle and view.value("lock") == LockState.NOT_FULLY_LOCKED
        return Pause(within_s=self.handle, prompt=LIFT_THE_HANDLE) if stopped_half_way else Verdict.AGAIN

    def exit_prompt(self) -> Prompt | None:
        return LIFT_THE_HANDLE if self.lift_handle else None

    def detect(self, view: View) -> Next | AlarmCode:
        """Find out whether the bolt is out with the door open: the bolt answers "locked", a later query "open".

        A "closed" that a "locked" overtook looks the same at first. A basic door cannot be queried: there the bolt's
        fresh answer must hold for a while.
        """
        if not self.forced(view):
            return Verdict.NOTHING
        is_basic = "door" in view.now.basic
        if view.run.step == START or view.is_over:
            if view.run.step != START and self.holds(view) and is_basic:
                return AlarmCode.BOLT_IN_THE_AIR
            return Move(to="bolt_queried", query=("lock",), within_s=2 * self.latency)
        if is_basic or not self.holds(view):
            return Verdict.WAIT
        if view.answered("door") > view.answered("lock"):
            return AlarmCode.BOLT_IN_THE_AIR
        if view.now.last_query_id == view.answered("lock"):
            return Move(to="door_queried", query=("door",), keeps_timer=True)
        return Verdict.WAIT

    def interpret(self, sensor: str, before: str, origin: ReportOrigin, view: View) -> Use:
        return self._on_bolt(before, origin, view) if sensor == "lock" else self._on_door(before, origin, view)

    def _on_bolt(self, before: str, origin: ReportOrigin, view: View) -> Use:
        bolt = view.value("lock")
        if bolt in (LockState.UNKNOWN, before):  # a repetition does not say who moved it
            return Use.NONE
        if bolt not in NOT_LOCKED and origin.source in AUTOMATIC_SOURCES:
            return Use.NONE
        if not is_by_hand(origin, view):
            return Use.UNEXPECTED if bolt in NOT_LOCKED and before not in NOT_LOCKED else Use.NONE
        # A bolt found so after a break, or found locked on a query, did not move while somebody observed it
        if before == LockState.UNKNOWN:
            is_observed = not origin.is_answer and origin.source is not OperationSource.UNSPECIFIED
        else:
            is_observed = not origin.is_answer or bolt in NOT_LOCKED
        if not is_observed:
            return Use.NONE
        return Use.OPENED_BY_HAND if bolt in NOT_LOCKED else Use.LOCKED_BY_HAND

    def _on_door(self, before: str, origin: ReportOrigin, view: View) -> Use:
        opens = before == DoorState.CLOSED and self.opened(view)
        # Of a door that a query finds closed, the time at which it closed is unknown
        closes = before in OPEN_DOOR_STATES and view.value("door") == DoorState.CLOSED and not origin.is_answer
        if opens and view.value("lock") == LockState.LOCKED:
            return Use.SUSPICIOUS
        return Use.MOVED if opens or closes else Use.NONE
