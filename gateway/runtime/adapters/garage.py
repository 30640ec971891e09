"""How a garage door speaks to `decide`: its opener is the lock, its own sensor stands for door and bolt. Pure.

A closed garage door is locked, an open one is not: whoever opens it needs no bolt. So each word of the sensor is told
twice, and a question about the bolt goes to the sensor. The opener itself is heard only of what is in the door's way.
"""

from collections.abc import Iterator

from devices.reports import DoorReport, DoorState, GarageDoorReport, LockReport, LockState
from gateway.config.home import EntranceSection, Home
from gateway.domain.visit import events as e
from gateway.domain.visit.rules import OPEN_DOOR_STATES
from gateway.domain.visit.state import Obstruction


def is_garage(home: Home, section: EntranceSection) -> bool:
    """Whether this entrance is a garage door."""
    return home.devices[section.lock].kind == "cover"


def query_target(section: EntranceSection, device: str) -> str:
    """Name the device to which a question about "lock", "door" or "way" goes."""
    return section.lock if device == "way" else section.door


def with_bolt_events(event: e.Event) -> Iterator[e.Event]:
    """Tell the sensor's word of the bolt too; in the order in which no bolt ever stands out of an open door."""
    match event:
        case e.DoorReported(report=DoorReport(door=DoorState.CLOSED), context=heard):
            yield event
            yield e.LockReported(report=LockReport(bolt=LockState.LOCKED), context=heard)
        case e.DoorReported(report=report, context=heard):
            bolt = LockState.UNLOCKED if report.door in OPEN_DOOR_STATES else LockState.UNKNOWN
            yield e.LockReported(report=LockReport(bolt=bolt), context=heard)
            yield event
        case e.SequenceAdvanced(device="door", context=heard):
            yield event
            yield e.SequenceAdvanced(device="lock", context=heard)
        case e.DeviceOffline(device="door"):
            yield event
            yield e.DeviceOffline(device="lock")
        case _:
            yield event


def obstruction_events(report: GarageDoorReport, heard: e.ReportContext) -> Iterator[e.Event]:
    """Hear what the opener says of the door's way; where the door stands the sensor says."""
    if report.clear is not None:
        yield e.ObstructionReported(
            obstruction=Obstruction.CLEAR if report.clear else Obstruction.OBSTRUCTED, context=heard
        )
