"""Translates reports of fridges, presence devices and the alarm panel into events. Pure.

Of all three only bad news may be old: a retained "home" or "armed" counts, a retained "away" or "disarmed" does not,
nor does a retained temperature. A device that is offline, or silent for longer than the house file allows, is unknown.
"""

from collections.abc import Iterator, Mapping

from devices import reports as r
from gateway.config.devices import FridgeDevice
from gateway.config.home import EntranceSection, Home
from gateway.domain.visit import events as e
from gateway.domain.visit.presence import LIVE_ONLY
from gateway.domain.visit.state import FridgeState

SurroundingReport = r.FridgeReport | r.PresenceReport | r.AlarmPanelReport


def surrounding_devices(section: EntranceSection) -> frozenset[str]:
    """Return the devices around this entrance; the gateway queries each one that answers at the start of a session."""
    fridges = {place.fridge for place in section.places.values() if place.fridge is not None}
    return frozenset({*fridges, *section.presence, *(() if section.alarm is None else (section.alarm,))})


def surrounding_events(
    home: Home, section: EntranceSection, device: str, report: SurroundingReport, *, old: bool
) -> Iterator[e.Event]:
    """Yield the events of such a device's report. `old`: retained, or remembered by a bridge that starts."""
    configured = home.devices[device]
    match report:
        case r.FridgeReport() if not old and isinstance(configured, FridgeDevice):
            if report.compartment in ("", configured.compartment):
                for name, place in section.places.items():
                    if place.fridge == device:
                        yield e.FridgeReported(place=name, fridge=FridgeState(temp_c=report.temp_c, door=report.door))
        case r.PresenceReport(presence=presence) if device in section.presence:
            if not (old and presence in LIVE_ONLY):
                yield e.PresenceReported(device=device, presence=presence)
        case r.AlarmPanelReport(panel=panel) if device == section.alarm:
            bypassed = configured.bypassed_states if configured.kind == "alarm" else frozenset()
            if not (old and (panel in LIVE_ONLY or panel in bypassed)):
                yield e.AlarmPanelReported(panel=panel)
        case _:
            pass  # retained good news, or of another entrance


def unknown_events(section: EntranceSection, device: str) -> Iterator[e.Event]:
    """Yield events that set this device's state to unknown."""
    for name, place in section.places.items():
        if place.fridge == device:
            yield e.FridgeReported(place=name, fridge=FridgeState())
    if device in section.presence:
        yield e.PresenceReported(device=device, presence=r.PresenceState.UNKNOWN)
    if device == section.alarm:
        yield e.AlarmPanelReported(panel=r.AlarmPanelState.UNKNOWN)


def silent_devices(home: Home, spoke: Mapping[str, float], mono: float) -> frozenset[str]:
    """Return the devices that were silent for too long; `spoke`: when each last sent a live message."""
    return frozenset(
        device
        for device, at in spoke.items()
        if isinstance(fridge := home.devices[device], FridgeDevice)
        and fridge.silence_s is not None
        and mono - at > fridge.silence_s
    )
