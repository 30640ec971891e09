"""Derives the conditions of an entrance from its section in the house file. Pure."""

from collections.abc import Iterator

from gateway.config.devices import FridgeDevice
from gateway.config.home import EntranceSection, Home
from gateway.domain.visit.conditions import AlarmPanel, AnyCondition, ColdChain, Presence, RobotFit, StrayCode
from gateway.domain.visit.conditions.cold_chain import Fridge


def entrance_conditions(home: Home, entrance: str) -> tuple[AnyCondition, ...]:
    """Return the conditions that must be met before anything opens at an entrance, in the order of their reasons."""
    section = home.entrances[entrance]
    return (
        _cold_chain(home, section),
        *_presence(section),
        *_alarm_panel(home, section),
        *_robots(section),
        *_stray_codes(section),
    )


def _cold_chain(home: Home, section: EntranceSection) -> ColdChain:
    fridges = {}
    room_sensors = {name: place.full_sensor for name, place in section.places.items() if place.full_sensor is not None}
    for name, place in section.places.items():
        device = None if place.fridge is None else home.devices[place.fridge]
        if isinstance(device, FridgeDevice):
            fridges[name] = Fridge(device=str(place.fridge), compartment=device.compartment, silence_s=device.silence_s)
    return ColdChain(fridges=fridges, room_sensors=room_sensors)


def _presence(section: EntranceSection) -> Iterator[Presence]:
    if section.presence:
        yield Presence(people=section.presence)


def _alarm_panel(home: Home, section: EntranceSection) -> Iterator[AlarmPanel]:
    device = None if section.alarm is None else home.devices[section.alarm]
    if section.alarm is not None and device is not None and device.kind == "alarm":
        yield AlarmPanel(device=section.alarm, bypassed=device.bypassed_states)


def _stray_codes(section: EntranceSection) -> Iterator[StrayCode]:
    if section.guests is not None and section.guests.keypads:
        yield StrayCode(keypads=section.guests.keypads)


def _robots(section: EntranceSection) -> Iterator[RobotFit]:
    if section.robots is not None:
        yield RobotFit(robots=section.robots.devices)
