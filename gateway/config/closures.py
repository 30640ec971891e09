"""Derives the closures of an entrance from its section in the house file. Pure.

The short form, `lock` and `door`, is one closure with the id `door`; the kind of the lock's device says which kind.
What a device declares (its answer time, whether it is guarded) is filled into the closure's fields.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from gateway.config.devices import AnyDevice
from gateway.config.home import EntranceSection, Home
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures import AnyClosure, BoltedDoor, GarageDoor
from gateway.domain.visit.closures.contract import (
    MAIN_CLOSURE,
    ORDER_ROLE,
    FromDevice,
    Quantity,
    sensor_name,
)

# A bolt and an obstruction that answer no query prove nothing; of the others a live report counts as it is.
QUANTITIES_WITHOUT_QUERY = frozenset({Quantity.CONTACT, Quantity.CONTENT, Quantity.KEY})

QUESTIONS: Mapping[Quantity, str] = MappingProxyType({
    Quantity.BOLT: "whether it is locked",
    Quantity.CONTACT: "whether it is closed",
    Quantity.OBSTRUCTION: "whether something is in its way",
    Quantity.CONTENT: "whether something lies in it",
    Quantity.KEY: "whether the key hangs on its hook",
    Quantity.MOTION: "whether it is parked",
    Quantity.PLACE: "where it stands",
})  # fmt: skip
"""What a sensor of each quantity says, in words for an error."""


class SensorBinding(Frozen):
    """One sensor of an entrance and its device."""

    name: str  # `lock`, `street/door`
    closure: str
    role: str
    quantity: Quantity
    device: str


def short_form(section: EntranceSection, lock: AnyDevice | None) -> AnyClosure | None:
    """Return the closure that `lock` and `door` describe; None without them. `lock`: the section of that device."""
    if section.lock is None or section.door is None:
        return None
    if lock is not None and lock.kind == "cover":
        return GarageDoor(
            id=MAIN_CLOSURE, devices={ORDER_ROLE: section.lock, "door": section.door, "way": section.lock}
        )
    return BoltedDoor(id=MAIN_CLOSURE, devices={ORDER_ROLE: section.lock, "lock": section.lock, "door": section.door})


def entrance_closures(home: Home, entrance: str) -> tuple[AnyClosure, ...]:
    """Return the closures of an entrance in order, with what their devices declare."""
    section = home.entrances[entrance]
    short = short_form(section, None if section.lock is None else home.devices.get(section.lock))
    closures = section.closures if short is None else (short, *section.closures)
    return tuple(with_device_facts(closure, home.devices) for closure in closures)


def with_device_facts(closure: AnyClosure, devices: Mapping[str, AnyDevice]) -> AnyClosure:
    """Return the closure with what its devices declare."""
    kind = type(closure)
    values = {name: getattr(closure, name) for name in kind.model_fields}
    for name, role in device_fields(kind):
        device = devices.get(closure.devices.get(role, ""))
        if device is not None and name in device.closure_facts:
            values[name] = device.closure_facts[name]
    return kind.model_construct(**values)  # a copy would keep the sensors that were derived from the values before


def has_device_facts(closure: AnyClosure, devices: Mapping[str, AnyDevice]) -> bool:
    """Return whether each device that must declare something about the closure is there, and of a kind that can."""
    for role in {role for _name, role in device_fields(type(closure))}:
        if role not in closure.devices and (role in closure.optional_roles or not closure.order_kinds):
            continue
        device = devices.get(closure.devices.get(role, ""))
        if device is None or (role == ORDER_ROLE and device.kind not in closure.order_kinds):
            return False
    return True


def device_fields(kind: type[AnyClosure]) -> Iterator[tuple[str, str]]:
    """Yield each field of a kind that a device declares, with the role of that device."""
    for name, field in kind.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, FromDevice):
                yield name, mark.role


def sensor_bindings(closures: tuple[AnyClosure, ...]) -> tuple[SensorBinding, ...]:
    """Return the sensors of these closures that have a device, in the order of the house file."""
    return tuple(
        SensorBinding(
            name=sensor_name(closure.id, role),
            closure=closure.id,
            role=role,
            quantity=sensor.quantity,
            device=closure.devices[role],
        )
        for closure in closures
        for role, sensor in closure.sensors.items()
        if role in closure.devices
    )


def basic_sensors(home: Home, closures: tuple[AnyClosure, ...]) -> frozenset[str]:
    """Return the sensors whose device answers no query and whose live reports count as they are."""
    return frozenset(
        binding.name
        for binding in sensor_bindings(closures)
        if binding.quantity in QUANTITIES_WITHOUT_QUERY and not home.devices[binding.device].can_be_queried
    )


def declared_latencies(home: Home, section: EntranceSection) -> tuple[float, ...]:
    """Return the answer times, in seconds, that the devices of an entrance's closures declare."""
    facts = (home.devices[device].closure_facts.get("latency") for device in section.closure_devices)
    return tuple(latency for latency in facts if isinstance(latency, float))
