"""Supports SmartThings fridges: a device's status, one entry per component.

    state, result  {"components": {"main": null or {...}, "cooler": {"contactSensor": {"contact": {"value": "closed"}},
                   "temperatureMeasurement": {"temperature": {"value": 37, "unit": "F"}},
                   "thermostatCoolingSetpoint": {"coolingSetpoint": {...}}}, ...}}
    get            {"commands": [{"component": "main", "capability": "refresh", "command": "refresh", "arguments": []}]}
    availability   {"state": "ONLINE"} or OFFLINE (a device's health)

Degrees are in F or C; a number without one of these units is ignored. `main` may be null or empty.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

from devices.commands import Command, QueryState
from devices.reports import AvailabilityReport, DoorState, FridgeReport, Report, UnreadablePayload
from devices.strict_json import MalformedPayload, mapping, parse, sequence, text, write
from devices.vendors.definition import Definition
from devices.vendors.parts import parse_each, unreadable_as_report, unreadable_as_value
from devices.vendors.temperature import plausible_celsius
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

Unit = Literal["C", "F"]

# component -> compartment; components not named here (ice makers, packs) hold no parcels
COMPARTMENTS = {"main": "main", "cooler": "cooler", "freezer": "freezer", "cvroom": "flex"}
_CAPABILITIES = ("contactSensor", "temperatureMeasurement", "thermostatCoolingSetpoint")
_DOORS = {"open": DoorState.OPEN, "closed": DoorState.CLOSED}
_REFRESH = {"component": "main", "capability": "refresh", "command": "refresh", "arguments": []}


DEFINITION = Definition(
    name="smartthings",
    title="SmartThings fridge",
    help="Another program forwards its messages to the broker.",
    kinds=frozenset({"fridge"}),
    simulated=frozenset({"fridge"}),
    correlates=True,
)


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a fridge's status, one report per compartment; an unreadable one gives one `UnreadablePayload`."""
    body = mapping(parse(payload), "the status")
    if suffix is TopicSuffix.AVAILABILITY:
        return (_health(body),)
    if suffix not in (TopicSuffix.STATE, TopicSuffix.RESULT):
        return (UnreadablePayload(why="a fridge tells its status on state and result"),)
    components = mapping(body.get("components"), "components")
    return parse_each(
        *(partial(_component_report, name, component) for name, component in components.items() if name in COMPARTMENTS)
    )


def _health(body: Mapping[str, object]) -> Report:
    match body.get("state"):
        case "ONLINE":
            return AvailabilityReport(online=True)
        case "OFFLINE":
            return AvailabilityReport(online=False)
        case _:
            raise MalformedPayload("state is neither ONLINE nor OFFLINE")


def _component_report(name: str, component: object) -> tuple[Report, ...]:
    if _has_no_value(name, component):
        return ()
    return (_compartment(COMPARTMENTS[name], mapping(component, "a component")),)


def _has_no_value(name: str, component: object) -> bool:
    """Return whether this is a `main` without a compartment: null, empty, or only about the whole appliance."""
    if name != "main":
        return False
    return component is None or not any(capability in mapping(component, "main") for capability in _CAPABILITIES)


def _compartment(name: str, component: Mapping[str, object]) -> FridgeReport:
    contact = _attribute(component, "contactSensor", "contact").get("value")
    return FridgeReport(
        compartment=name,
        temp_c=_celsius(_attribute(component, "temperatureMeasurement", "temperature")),
        setpoint_c=_celsius(_attribute(component, "thermostatCoolingSetpoint", "coolingSetpoint")),
        door=DoorState.UNKNOWN if contact is None else _DOORS.get(text(contact, "contact"), DoorState.UNKNOWN),
    )


def _attribute(component: Mapping[str, object], capability: str, attribute: str) -> Mapping[str, object]:
    """Return the attribute, empty where the component does not have it or has null."""
    found = component.get(capability)
    inner = None if found is None else mapping(found, capability).get(attribute)
    return {} if inner is None else mapping(inner, attribute)


def _celsius(attribute: Mapping[str, object]) -> float | None:
    return plausible_celsius(attribute.get("value"), attribute.get("unit"))


def status(reports: Sequence[FridgeReport], *, unit: Unit = "C", null_main: bool = False) -> bytes:
    """Encode the status of a fridge with these compartments, in this unit of temperature.

    Raises:
        ValueError: a compartment or a door state that a SmartThings fridge does not have.
    """
    names = {compartment: name for name, compartment in COMPARTMENTS.items()}
    components: dict[str, object] = {"main": None if null_main else {}}
    for report in reports:
        if report.compartment not in names:
            raise ValueError("a SmartThings fridge has no such compartment")
        components[names[report.compartment]] = _component(report, unit)
    return write({"components": components})


def _component(report: FridgeReport, unit: Unit) -> dict[str, object]:
    values = {door: value for value, door in _DOORS.items()} | {DoorState.UNKNOWN: None}
    if report.door not in values:
        raise ValueError("a fridge's contact says open or closed")
    return {
        "contactSensor": {"contact": {"value": values[report.door]}},
        "temperatureMeasurement": {"temperature": _degrees(report.temp_c, unit)},
        "thermostatCoolingSetpoint": {"coolingSetpoint": _degrees(report.setpoint_c, unit)},
    }


def _degrees(celsius: float | None, unit: Unit) -> dict[str, object]:
    if celsius is None:
        return {"value": None}
    return {"value": celsius if unit == "C" else round(celsius * 9 / 5 + 32, 2), "unit": unit}


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command.

    Raises:
        ValueError: a fridge accepts only a query of its status.
    """
    match command:
        case QueryState():
            return Publication(suffix=TopicSuffix.GET, payload=write({"commands": [_REFRESH]}))
        case _:
            raise ValueError(f"a fridge cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a fridge's report; for several compartments in one status see `status`.

    Raises:
        ValueError: a fridge cannot express the report.
    """
    if isinstance(report, FridgeReport):
        return (Publication(suffix=TopicSuffix.STATE, payload=status((report,))),)
    if isinstance(report, AvailabilityReport):
        body = {"state": "ONLINE" if report.online else "OFFLINE"}
        return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=write(body)),)
    raise ValueError(f"a fridge cannot say {type(report).__name__}")


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to a fridge: only a refresh."""
    if suffix is not TopicSuffix.GET:
        return UnreadablePayload(why="a fridge is only asked")
    commands = sequence(mapping(parse(payload), "the command").get("commands"), "commands")
    command = mapping(commands[0], "command") if len(commands) == 1 else {}
    if (command.get("capability"), command.get("command")) != ("refresh", "refresh"):
        return UnreadablePayload(why="the command is not one refresh")
    return QueryState()
