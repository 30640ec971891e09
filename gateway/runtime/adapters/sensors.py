"""Derives the values of closures' sensors from what devices report, and folds the queries to one device. Pure.

One table turns a report into a value of a quantity; the house file says which sensor a device serves.
"""

from collections.abc import Iterator, Sequence

from devices import reports as r
from gateway.config.closures import SensorBinding
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.car_boot import DRIVING, PARKED
from gateway.domain.visit.closures.compartment import EMPTY, OCCUPIED
from gateway.domain.visit.closures.contract import CLEAR, OBSTRUCTED, UNKNOWN, Quantity
from gateway.domain.visit.closures.key_safe import ABSENT, PRESENT
from gateway.domain.visit.state import Rules
from gateway.domain.visit.views import find_sensor


def report_value(report: r.Report) -> tuple[Quantity, str] | None:
    """Return what a report says of a closure: a quantity and its value; None if it says nothing of one."""
    match report:
        case r.LockReport(bolt=bolt):
            return Quantity.BOLT, bolt
        case r.DoorReport(door=door):
            return Quantity.CONTACT, door
        case r.GarageDoorReport(clear=clear) if clear is not None:
            return Quantity.OBSTRUCTION, CLEAR if clear else OBSTRUCTED
        case r.ContentReport(occupied=occupied):
            return Quantity.CONTENT, UNKNOWN if occupied is None else OCCUPIED if occupied else EMPTY
        case r.KeyReport(present=present):
            return Quantity.KEY, UNKNOWN if present is None else PRESENT if present else ABSENT
        case r.ParkedReport(parked=parked):
            return Quantity.MOTION, UNKNOWN if parked is None else PARKED if parked else DRIVING
        case _:
            return None


def sensor_events(
    closures: Sequence[AnyClosure],
    bindings: tuple[SensorBinding, ...],
    device: str,
    report: r.Report,
    context: e.ReportContext,
) -> Iterator[e.SensorReported]:
    """Yield the event of each sensor that the report is about and that this device serves or is a witness of.

    A position becomes the closure's own word for it here: coordinates go no further.
    """
    lock = report if isinstance(report, r.LockReport) else None
    for binding in bindings:
        closure = next(one for one in closures if one.id == binding.closure)
        measured = _measured(closure, report)
        if measured is None:
            continue
        quantity, value = measured
        if binding.device == device and binding.quantity is quantity:
            yield e.SensorReported(
                sensor=binding.name,
                value=value,
                context=context,
                source=r.OperationSource.UNSPECIFIED if lock is None else lock.source,
                user=None if lock is None else lock.user,
                is_movement=lock is not None and lock.event,
                jammed=bool(lock is not None and lock.jammed),
                age_s=report.age_s if isinstance(report, r.PositionReport) else None,
            )
        elif _is_of_witness(closure, binding, device, quantity) and closure.sensors[binding.role].is_bad(value):
            # A witness is no answer, and its sequence is another device's
            yield e.SensorReported(
                sensor=binding.name, value=value, context=replace(context, answers=None, boot=None, seq=None)
            )


def witness_events(
    closures: Sequence[AnyClosure], bindings: tuple[SensorBinding, ...], device: str, report: r.Report
) -> Iterator[e.WitnessReported]:
    """Yield the event of each sensor that the report is about and that this device is a witness of."""
    for binding in bindings:
        closure = next(one for one in closures if one.id == binding.closure)
        measured = _measured(closure, report)
        if measured is not None and _is_of_witness(closure, binding, device, measured[0]):
            yield e.WitnessReported(sensor=binding.name, device=device, value=measured[1])


def _is_of_witness(closure: AnyClosure, binding: SensorBinding, device: str, quantity: Quantity) -> bool:
    is_its_own = binding.device == device
    return not is_its_own and device in closure.witness_devices and binding.quantity is quantity


def _measured(closure: AnyClosure, report: r.Report) -> tuple[Quantity, str] | None:
    if isinstance(report, r.PositionReport):
        return Quantity.PLACE, closure.locate(report)
    return report_value(report)


def is_bad_news(rules: Rules, event: e.SensorReported | e.SensorOffline) -> bool:
    """Return whether the event, once decided, would end what its sensor has proven."""
    if isinstance(event, e.SensorOffline):
        return True
    found = find_sensor(rules, event.sensor)
    return not event.context.retained and found is not None and event.value not in found[2].needs_answer


def is_good_basic_news(rules: Rules, event: e.SensorReported) -> bool:
    """Return whether the report of a sensor that answers no query would prove something."""
    found = find_sensor(rules, event.sensor)
    return event.sensor in rules.basic_sensors and found is not None and event.value in found[2].needs_answer


def with_folded_queries(bindings: tuple[SensorBinding, ...], commands: tuple[c.Command, ...]) -> tuple[c.Command, ...]:
    """Return the commands with one query to each device: the newest, whose answer proves all of its sensors."""
    devices = {binding.name: binding.device for binding in bindings}
    newest = {devices.get(command.sensor): command.number for command in commands if isinstance(command, c.QuerySensor)}
    return tuple(
        command
        for command in commands
        if not isinstance(command, c.QuerySensor) or newest[devices.get(command.sensor)] == command.number
    )
