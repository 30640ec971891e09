"""Maps a battery report to its role and to the entrance that notifies the owner. Pure.

The device of a closure's sensor has the name of that sensor (`lock`, `street/door`); without its battery nothing opens.
All other devices of an entrance are `KIND/ID` (`fridge/kitchen-fridge`): the notices are the same, but such a battery
refuses nobody. For a device that several entrances share, the first of them in the house file notifies, so the owner
gets one message.
"""

from collections.abc import Iterator

from devices.reports import BatteryLevel, BatteryReport
from devices.vendors.words import TopicSuffix
from gateway.config.closures import entrance_closures, sensor_bindings
from gateway.config.conditions import entrance_conditions
from gateway.config.device_names import BUTTON
from gateway.config.home import Home
from gateway.config.topics import inbound_topics
from gateway.domain.visit import events as e
from gateway.domain.visit.closures.contract import Quantity
from gateway.domain.visit.predicates import battery_level
from gateway.runtime.adapters.surroundings import watched_devices


def auxiliary_devices(home: Home, entrance: str) -> frozenset[str]:
    """Return the devices of an entrance besides those of its closures."""
    section, conditions = home.entrances[entrance], entrance_conditions(home, entrance)
    signal = () if section.signal is None else (section.signal,)
    return frozenset({*signal, *section.all_scanners, *section.film_cameras, *watched_devices(conditions)})


def battery_role(home: Home, entrance: str, device: str, channel: TopicSuffix) -> str | None:
    """Return the role of this device's battery at the entrance; None if another entrance reports it."""
    configured = home.devices[device]
    for binding in sensor_bindings(entrance_closures(home, entrance)):
        if binding.device == device and binding.quantity is not Quantity.OBSTRUCTION:
            return binding.name
    first = next(
        (
            name
            for name, one in home.entrances.items()
            if device in (*one.closure_devices, *auxiliary_devices(home, name))
        ),
        None,
    )
    if first != entrance:
        return None
    apart = configured.kind == "signal" and channel is TopicSuffix.EVENT
    return f"{BUTTON if apart else configured.kind}/{device}"


def battery_events(  # noqa: PLR0913 - a report, its device and its channel
    home: Home, entrance: str, device: str, channel: TopicSuffix, report: BatteryReport, *, retained: bool
) -> Iterator[e.BatteryReported]:
    """Yield the events of a battery report; of a retained one only bad news, and no percentage."""
    whose, level = battery_role(home, entrance, device, channel), battery_level(report)
    if whose is not None and not (retained and level is BatteryLevel.GOOD):
        yield e.BatteryReported(device=whose, level=level, percent=None if retained else report.percent)


def auxiliary_batteries(home: Home, entrance: str) -> tuple[str, ...]:
    """Return the other batteries that this entrance may report, in their order."""
    section = home.entrances[entrance]
    of_sensors = {binding.name for binding in sensor_bindings(entrance_closures(home, entrance))}
    devices = (*section.closure_devices, *sorted(auxiliary_devices(home, entrance)))
    roles = (
        battery_role(home, entrance, device, suffix)
        for device in devices
        for suffix in home.devices[device].definition.battery
        if suffix in inbound_topics(home, device)
    )
    return tuple(dict.fromkeys(role for role in roles if role is not None and role not in of_sensors))
