"""Derives the rules of an entrance from its section of the house file and from its devices."""

from dataclasses import replace

from gateway.config.devices import CoverDevice, LockDevice
from gateway.config.home import Home
from gateway.domain.visit.state import Rules


def entrance_rules(home: Home, entrance: str) -> Rules:
    """Return the rules of this entrance for `decide`."""
    section = home.entrances[entrance]
    door = home.devices[section.door]
    alarm = None if section.alarm is None else home.devices[section.alarm]
    rules = Rules(
        cameras={section.cameras.outside: True, **dict.fromkeys(section.cameras.inside, False)},
        guarded=False,
        door_answers=door.kind == "door" and door.can_be_queried,
        presence=section.presence,
        alarm=section.alarm,
        bypassed=alarm.bypassed_states if alarm is not None and alarm.kind == "alarm" else frozenset(),
        open_limit={id_: place.open_limit for id_, place in section.places.items()},
        timing=section.timing,
    )
    match home.devices[section.lock]:
        case LockDevice() as lock:
            return replace(
                rules,
                guarded=lock.refuses_late,
                latency=lock.latency,
                command_hold=lock.command_hold_s,
                unlatch=lock.unlatch,
                lift_handle=lock.lift_handle,
            )
        case CoverDevice() as cover:
            return replace(
                rules,
                latency=cover.latency,
                command_hold=cover.command_hold,
                garage_door=True,
                obstruction_sensor=cover.beam,
                warning=cover.warning,
                closing=cover.closing,
            )
        case _:
            return rules  # `gateway.config.validation` refuses every other kind
