"""What calls its name in a house: on its broker and, by mDNS, on its network. Pure: words in, sightings out.

A sighting is no promise: what it says of a device is what `perron add` would write, and the walk test shows the rest.

Sources: Zigbee2MQTT's `bridge/devices` (`devices/vendors/zigbee2mqtt_exposes.py`); Frigate's documentation of MQTT
(`<base>/available`, online or offline); DNS service types of RTSP cameras (`_rtsp._tcp`), Axis cameras
(`_axis-video._tcp`), ESPHome nodes (`_esphomelib._tcp`), brokers (`_mqtt._tcp`) and Home Assistant
(`_home-assistant._tcp`), as those products and IANA's registry name them.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from types import MappingProxyType

from devices.reports import Unreadable
from devices.vendors.zigbee2mqtt_exposes import Found, Kind, read_devices
from gateway.config import Home
from gateway.voice import inert

MDNS: Mapping[str, str] = MappingProxyType({
    "_rtsp._tcp.local.": "camera",
    "_axis-video._tcp.local.": "camera",
    "_esphomelib._tcp.local.": "ESPHome node",
    "_mqtt._tcp.local.": "broker",
    "_secure-mqtt._tcp.local.": "broker",
    "_home-assistant._tcp.local.": "Home Assistant",
})  # fmt: skip
"""The service types that are looked for, and what calls itself so."""

_USABLE = {Kind.LOCK: "lock", Kind.DOOR: "door", Kind.FRIDGE: "fridge", Kind.BUTTON: "signal", Kind.SIREN: "signal"}
_AVAILABILITY = re.compile(r"perron/([a-z0-9-]{1,64})/availability")


class Where(StrEnum):
    """Where something called its name."""

    BROKER = auto()
    NETWORK = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One thing that called its name. `known`: its id in the house file; `offer`: what of it may be written there.

    Two sightings of one `key` are the same thing.
    """

    key: str
    where: Where
    what: str
    name: str
    at: str = ""
    known: str | None = None
    offer: Mapping[str, str] = field(default_factory=dict)  # id, kind, vendor, and address or url

    @property
    def add(self) -> str:
        """The command that would write it into the house file; empty: it is there, or of no use."""
        if not self.offer:
            return ""
        said = self.offer
        where = f"--set url={said['url']}" if "url" in said else f"--address {shlex.quote(said['address'])}"
        return f"perron add {said['id']} --kind {said['kind']} --vendor {said['vendor']} {where}"


def on_the_broker(home: Home, topic: str, payload: bytes) -> Iterator[Sighting]:
    """Read one stored message of the broker; what is none of ours says nothing."""
    device = _AVAILABILITY.fullmatch(topic)
    if device is not None:
        known = device[1] if device[1] in home.devices else None
        what = home.devices[device[1]].kind if known else "device"
        yield Sighting(key=topic, where=Where.BROKER, what=what, name=device[1], at=_said(payload), known=known)
        return
    base, _, rest = topic.rpartition("/bridge/")
    if base and rest == "devices":
        found = read_devices(payload)
        if not isinstance(found, Unreadable):
            for one in found:
                yield from _of_a_radio(home, base, one)
    elif topic.endswith("/available"):
        name = topic.removesuffix("/available")
        yield Sighting(key=topic, where=Where.BROKER, what="Frigate", name=inert(name), at=_said(payload))


def _said(payload: bytes) -> str:
    """Tell a plain word like online; a maker's envelope (Alexa's, Somfy's JSON) tells a reader nothing."""
    text = payload[:40].decode(errors="replace").strip()
    return "" if text.startswith(("{", "[")) else inert(text)


def _of_a_radio(home: Home, base: str, found: Found) -> Iterator[Sighting]:
    address = f"{base}/{found.friendly_name}"
    known: dict[tuple[str, str], str] = {(d.kind, d.address): id_ for id_, d in home.devices.items()}
    made = " ".join(word for word in (found.maker, found.model) if word)
    for use in found.uses:
        kind = _USABLE[use.kind]
        id_ = known.get((kind, address))
        offer = {"id": _id(found.friendly_name), "kind": kind, "vendor": "zigbee2mqtt", "address": address}
        yield Sighting(
            key=f"{address} {use.kind}", where=Where.BROKER, what=kind, name=inert(found.friendly_name), at=inert(made),
            known=id_, offer={} if id_ else offer,
        )  # fmt: skip
    if not found.uses:
        yield Sighting(
            key=address, where=Where.BROKER, what="of no use here", name=inert(found.friendly_name), at=inert(made)
        )


def on_the_network(home: Home, service: str, name: str, host: str, port: int) -> Sighting:
    """Read one mDNS service; `host` is an address or a name.

    Raises:
        KeyError: no such service type is looked for.
    """
    what = MDNS[service]
    called = inert(name.removesuffix(f".{service}"))
    at = f"{host}:{port}"
    known = next((id_ for id_, d in home.devices.items() if d.kind == "camera" and f"//{at}/" in f"{d.url}/"), None)
    offer = {}
    if what == "camera" and known is None:
        offer = {"id": _id(called), "kind": "camera", "vendor": "rtsp", "url": f"rtsp://{at}/PATH"}
    return Sighting(
        key=f"{service} {name}", where=Where.NETWORK, what=what, name=called, at=inert(at), known=known, offer=offer
    )


def _id(name: str) -> str:
    """Make an id of a name, as the house file wants it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "device"
