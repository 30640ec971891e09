"""Reports of the devices of an entrance with one closure, as the runtime makes them events of its sensors."""

from typing import TypeGuard

from devices.reports import DoorReport, LockReport
from gateway.domain.visit import events as e


def lock_report(*, report: LockReport, context: e.ReportContext, sensor: str = "lock") -> e.SensorReported:
    """Return the event of a lock's report."""
    return e.SensorReported(
        sensor=sensor,
        value=report.bolt,
        context=context,
        source=report.source,
        user=report.user,
        is_movement=report.event,
        jammed=bool(report.jammed),
    )


def door_report(*, report: DoorReport, context: e.ReportContext, sensor: str = "door") -> e.SensorReported:
    """Return the event of a door sensor's report."""
    return e.SensorReported(sensor=sensor, value=report.door, context=context)


def obstruction_report(*, obstruction: str, context: e.ReportContext, sensor: str = "way") -> e.SensorReported:
    """Return the event of an opener's report about an obstruction."""
    return e.SensorReported(sensor=sensor, value=obstruction, context=context)


def is_lock_report(event: object) -> TypeGuard[e.SensorReported]:
    """Return whether the event is a report of the main door's bolt."""
    return isinstance(event, e.SensorReported) and event.sensor == "lock"


def is_door_report(event: object) -> TypeGuard[e.SensorReported]:
    """Return whether the event is a report of the main door's sensor."""
    return isinstance(event, e.SensorReported) and event.sensor == "door"
