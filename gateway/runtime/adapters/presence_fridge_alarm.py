"""What stands around an entrance and is not its door: fridges, who is home, the alarm panel. Pure.

Of all three only bad news may be old: a stored "home" or "armed" is believed, a stored "away" or "disarmed" is not, nor
a stored temperature. Whoever is lost, or was silent for longer than the house file allows, is unknown.
"""

from collections.abc import Iterator, Mapping

from devices import reports as said
from gateway.config.devices import FridgeDevice
from gateway.config.home import EntranceSection, Home
from gateway.domain.visit import events as e
from gateway.domain.visit.presence import LIVE_ONLY
from gateway.domain.visit.state import FridgeState

SurroundingReport = said.FridgeReport | said.PresenceReport | said.AlarmPanelReport


def surrounding_devices(section: EntranceSection) -> frozenset[str]:
    """Name the devices around this entrance; each is asked at the start of a broker session, if it can be."""
    fridges = {place.fridge for place in section.places.values() if place.fridge is not None}
    return frozenset({*fridges, *section.presence, *(() if section.alarm is None else (section.alarm,))})


def surrounding_events(
    home: Home, section: EntranceSection, device: str, report: SurroundingReport, *, old: bool
) -> Iterator[e.Event]:
    """Say what a report of one of them means here. `old`: stored, or what a bridge that starts remembers."""
    configured = home.devices[device]
    match report:
        case said.FridgeReport() if not old and isinstance(configured, FridgeDevice):
            if report.compartment in ("", configured.compartment):
                for place, its in section.places.items():
                    if its.fridge == device:
                        yield e.FridgeReported(place=place, fridge=FridgeState(temp_c=report.temp_c, door=report.door))
        case said.PresenceReport(presence=presence) if device in section.presence:
            if not (old and presence in LIVE_ONLY):
                yield e.PresenceReported(device=device, presence=presence)
        case said.AlarmPanelReport(panel=panel) if device == section.alarm:
            bypassed = configured.bypassed if configured.kind == "alarm" else frozenset()
            if not (old and (panel in LIVE_ONLY or panel in bypassed)):
                yield e.AlarmPanelReported(panel=panel)
        case _:
            pass  # stored good news, or of another entrance


def unknown_events(section: EntranceSection, device: str) -> Iterator[e.Event]:
    """From here on nothing is known of this device."""
    for place, its in section.places.items():
        if its.fridge == device:
            yield e.FridgeReported(place=place, fridge=FridgeState())
    if device in section.presence:
        yield e.PresenceReported(device=device, presence=said.PresenceState.UNKNOWN)
    if device == section.alarm:
        yield e.AlarmPanelReported(panel=said.AlarmPanelState.UNKNOWN)


def silent_devices(home: Home, spoke: Mapping[str, float], mono: float) -> frozenset[str]:
    """Name those that have been silent for too long; `spoke`: when each was last heard live."""
    return frozenset(
        device
        for device, at in spoke.items()
        if isinstance(found := home.devices[device], FridgeDevice)
        and found.silence is not None
        and mono - at > found.silence
    )
