"""Names a device for people: by the name in the house file, else by what it is at its entrance. Pure."""

from collections.abc import Mapping

from gateway.config.closure_names import closure_label, has_named_closures
from gateway.config.closures import entrance_closures
from gateway.config.devices import DEVICE_SECTIONS
from gateway.config.home import Home
from gateway.system.i18n import SOURCE, Fact, Language, Text, _, in_language

BUTTON = "button"  # in place of a kind: the button of a signal, where it is a device of its own


def device_labels(home: Home) -> Mapping[str, Fact]:
    """Return what people call each device of a house, by its id; no two devices have the same label."""
    entrances = _entrances_of_devices(home)
    plain = {ident: device.name or _role(home, ident, entrances.get(ident)) for ident, device in home.devices.items()}
    same: dict[str, list[str]] = {}
    for ident, label in plain.items():
        same.setdefault(in_language(label, SOURCE), []).append(ident)
    labels = dict(plain)
    for idents in same.values():
        places = {ident: home.entrances[entrances[ident]].name for ident in idents if ident in entrances}
        is_told_apart = len(set(places.values())) == len(idents)
        for ident in idents if len(idents) > 1 else ():
            where = places[ident] if is_told_apart else ident
            labels[ident] = _("{name} ({where})", name=plain[ident], where=where)
    return labels


def device_names(home: Home, language: Language) -> dict[str, str]:
    """Return the name of each device of a house, by its id."""
    return {ident: in_language(label, language) for ident, label in device_labels(home).items()}


def battery_label(battery: str) -> Text | None:
    """Return whose battery it is, by its role (`lock`, `door`, `KIND/ID`); None: it is that of a closure's sensor."""
    kind, slash, id_ = battery.partition("/")
    if kind != BUTTON and kind not in DEVICE_SECTIONS:
        return None
    label = _("Button") if kind == BUTTON else DEVICE_SECTIONS[kind].label
    return Text("{device} ({id})").with_facts(device=label, id=id_) if slash else label


def _entrances_of_devices(home: Home) -> Mapping[str, str]:
    """Return the first entrance at which each device is."""
    found: dict[str, str] = {}
    for entrance, section in home.entrances.items():
        single = (one for one in (section.signal, section.speaker, section.alarm) if one is not None)
        devices = (*section.closure_devices, *section.film_cameras, *section.all_scanners, *single, *section.presence)
        for device in devices:
            found.setdefault(device, entrance)
    return found


def _role(home: Home, ident: str, entrance: str | None) -> Fact:
    """Return what a device without a name is: a camera by what it sees, another one by its kind."""
    device = home.devices[ident]
    if device.kind != "camera" or entrance is None:
        return device.label
    section, closures = home.entrances[entrance], entrance_closures(home, entrance)
    if ident in section.cameras.inside:
        return _("Inside camera")
    watched = next((one.id for one in section.closures if ident in one.cameras), None)
    if watched is not None and has_named_closures(closures):
        return _("Camera, {closure}", closure=closure_label(closures, watched))
    return _("Door camera")
