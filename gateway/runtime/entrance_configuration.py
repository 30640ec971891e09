"""Derives the rules of an entrance and the configuration of the video process from the house file."""

from dataclasses import replace

from gateway.config.devices import CoverDevice, LockDevice
from gateway.config.home import Home
from gateway.domain.visit.state import Rules
from gateway.video.ipc import CameraSource, ConfigureCameras


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


def video_configuration(home: Home) -> ConfigureCameras:
    """Return every camera of the house, how to reach it, and whether it sees the courier."""
    courier = {section.cameras.outside for section in home.entrances.values()}
    return ConfigureCameras(
        cameras=tuple(
            CameraSource(
                name=name,
                url=device.url,
                login=device.credentials_file,
                ca=device.ca,
                fingerprint=device.fingerprint,
                clock_region=device.clock_region,
                sees_courier=name in courier,
            )
            for name, device in home.devices.items()
            if device.kind == "camera"
        ),
        pre_roll=max((section.timing.pre_roll for section in home.entrances.values()), default=10.0),
        folder=str(home.storage.folder),
    )
