"""Translates a garage door's devices for `decide`: the opener is the lock, its sensor gives door and bolt. Pure.

A closed garage door is locked, an open one is not: anyone can open it without a bolt. So each report of the sensor
becomes two events, and a query about the bolt goes to the sensor. The opener itself counts only for obstructions.
"""

from collections.abc import Iterator

from devices.reports import DoorReport, DoorState, GarageDoorReport, LockReport, LockState
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import OPEN_DOOR_STATES
from gateway.domain.visit.state import Obstruction


def with_bolt_events(event: e.Event) -> Iterator[e.Event]:
    """Yield the sensor's event for the bolt too, in an order in which no bolt is out while the door is open."""
    match event:
        case e.DoorReported(report=DoorReport(door=DoorState.CLOSED), context=context):
            yield event
            yield e.LockReported(report=LockReport(bolt=LockState.LOCKED), context=context)
        case e.DoorReported(report=report, context=context):
            bolt = LockState.UNLOCKED if report.door in OPEN_DOOR_STATES else LockState.UNKNOWN
            yield e.LockReported(report=LockReport(bolt=bolt), context=context)
            yield event
        case e.SequenceAdvanced(device="door", context=context):
            yield event
            yield e.SequenceAdvanced(device="lock", context=context)
        case e.DeviceOffline(device="door"):
            yield event
            yield e.DeviceOffline(device="lock")
        case _:
            yield event


def obstruction_events(report: GarageDoorReport, context: e.ReportContext) -> Iterator[e.Event]:
    """Yield the opener's report of an obstruction; the sensor alone reports the door's position."""
    if report.clear is not None:
        obstruction = Obstruction.CLEAR if report.clear else Obstruction.OBSTRUCTED
        yield e.ObstructionReported(obstruction=obstruction, context=context)
