"""How a garage door speaks to `decide`: its opener is the lock, its own sensor stands for door and bolt. Pure.

A closed garage door is locked, an open one is not: whoever opens it needs no bolt. So each word of the sensor is told
twice, and a question about the bolt goes to the sensor. The opener itself is heard only of what is in the door's way.
"""

from collections.abc import Iterator

from devices.reports import Bolt, CoverReport, Door, DoorReport, LockReport
from gateway.config.home import EntranceSection, Home
from gateway.domain.visit import events as e
from gateway.domain.visit.rules import OPEN
from gateway.domain.visit.state import Way


def is_one(home: Home, section: EntranceSection) -> bool:
    """Whether this entrance is a garage door."""
    return home.devices[section.lock].kind == "cover"


def asked(section: EntranceSection, device: str) -> str:
    """Name the device to which a question about "lock", "door" or "way" goes."""
    return section.lock if device == "way" else section.door


def told(event: e.Event) -> Iterator[e.Event]:
    """Tell the sensor's word of the bolt too; in the order in which no bolt ever stands out of an open door."""
    match event:
        case e.DoorHeard(report=DoorReport(door=Door.CLOSED), heard=heard):
            yield event
            yield e.LockHeard(report=LockReport(bolt=Bolt.LOCKED), heard=heard)
        case e.DoorHeard(report=report, heard=heard):
            bolt = Bolt.UNLOCKED if report.door in OPEN else Bolt.UNKNOWN
            yield e.LockHeard(report=LockReport(bolt=bolt), heard=heard)
            yield event
        case e.DeviceSpoke(device="door", heard=heard):
            yield event
            yield e.DeviceSpoke(device="lock", heard=heard)
        case e.DeviceLost(device="door"):
            yield event
            yield e.DeviceLost(device="lock")
        case _:
            yield event


def way(report: CoverReport, heard: e.Heard) -> Iterator[e.Event]:
    """Hear what the opener says of the door's way; where the door stands the sensor says."""
    if report.clear is not None:
        yield e.WayHeard(way=Way.CLEAR if report.clear else Way.OBSTRUCTED, heard=heard)
