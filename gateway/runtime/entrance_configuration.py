"""Derives the rules of an entrance and the configuration of the video process from the house file."""

from collections.abc import Iterable

from gateway.config.closures import basic_sensors, entrance_closures
from gateway.config.conditions import entrance_conditions
from gateway.config.home import Home
from gateway.domain.guests.passes import Stay
from gateway.domain.visit.state import Rules
from gateway.video.ipc import CameraSource, ConfigureCameras, PrivatePeriod


def entrance_rules(home: Home, entrance: str) -> Rules:
    """Return the rules of this entrance for `decide`."""
    section = home.entrances[entrance]
    closures = entrance_closures(home, entrance)
    first = closures[0].id
    outside = () if section.cameras.outside is None else (section.cameras.outside,)
    watched_by = {first: outside, **{closure.id: closure.cameras for closure in closures if closure.cameras}}
    scanners = dict.fromkeys(section.scanners, first)
    for closure in closures:
        scanners |= dict.fromkeys(closure.scanners, closure.id)
    return Rules(
        closures=closures,
        basic_sensors=basic_sensors(home, closures),
        routes={place: section.places[place].routes for place in section.places if section.places[place].routes},
        cameras=dict.fromkeys(section.film_cameras, False) | dict.fromkeys(section.courier_cameras, True),
        watched_by=watched_by,
        scanners=scanners,
        place_scanners=section.place_scanners,
        holder=section.holder,
        keepers=frozenset(section.keepers),
        robots=frozenset() if section.robots is None else frozenset(section.robots.devices),
        evidence=section.evidence,
        has_signal=section.signal is not None,
        household_refuses=section.home_refuses,
        conditions=entrance_conditions(home, entrance),
        open_limit={id_: place.open_limit for id_, place in section.places.items()},
        timing=section.timing,
    )


def private_periods(home: Home, stays: Iterable[Stay]) -> tuple[PrivatePeriod, ...]:
    """Return when each camera may not run: in the stays that hold at every entrance that it films."""
    users = {
        camera: [name for name, section in home.entrances.items() if camera in section.film_cameras]
        for camera, device in home.devices.items()
        if device.kind == "camera"
    }
    return tuple(
        PrivatePeriod(camera=camera, start=stay.starts, end=stay.ends)
        for stay in stays
        for camera, entrances in users.items()
        if entrances and all(map(stay.holds_at, entrances))
    )


def video_configuration(home: Home) -> ConfigureCameras:
    """Return every camera of the house, how to reach it, and whether it sees the courier."""
    courier = {camera for section in home.entrances.values() for camera in section.courier_cameras}
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
        film_sync_s=home.storage.film_sync_s,
    )
