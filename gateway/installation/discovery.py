"""What calls its name in a house: on its broker and, by mDNS, on its network. Pure: words in, sightings out.

A sighting is no promise: what it says of a device is what `perron add` would write, and the walk test shows the rest.

Sources: Zigbee2MQTT's `bridge/devices` (`devices/vendors/zigbee2mqtt_exposes.py`); the topics of Z-Wave JS UI
(`devices/vendors/zwave.py`), of which a value of the class Door Lock is told by locks alone; Frigate's documentation
of MQTT (`<base>/available`, online or offline); DNS service types of RTSP cameras (`_rtsp._tcp`), Axis cameras
(`_axis-video._tcp`), ESPHome nodes (`_esphomelib._tcp`), brokers (`_mqtt._tcp`) and Home Assistant
(`_home-assistant._tcp`), as those products and IANA's registry name them.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from types import MappingProxyType
from typing import assert_never

from devices.reports import Unreadable
from devices.vendors.zigbee2mqtt_exposes import Found, Kind, Use, read_devices
from gateway.config import Home
from gateway.equipment import Device
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

ZWAVE_LOCK = "/98/0/currentMode"
"""What the topic of a Z-Wave lock's own mode ends in; before it stands the address."""

QUIET = 3600.0  # seconds for which a sensor on a battery may be silent

_USABLE = {Kind.LOCK: "lock", Kind.DOOR: "door", Kind.FRIDGE: "fridge", Kind.BUTTON: "button", Kind.SIREN: "signal"}
_AVAILABILITY = re.compile(r"perron/([a-z0-9-]{1,64})/availability")


class Where(StrEnum):
    """Where something called its name."""

    BROKER = auto()
    NETWORK = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One thing that called its name. `known`: its id in the house file; `add`: the command that would write it there.

    Two sightings of one `key` are the same thing.
    """

    key: str
    where: Where
    what: str
    name: str
    at: str = ""
    known: str | None = None
    add: str = ""

    @property
    def offer(self) -> Mapping[str, str]:
        """What that command says: id, kind, and each key of the house file (nested ones with points) with its value."""
        words = shlex.split(self.add)[2:]
        said = {word.removeprefix("--"): value for word, value in zip(words[1::2], words[2::2], strict=True)
                if word != "--set"}  # fmt: skip
        sets = (value.partition("=") for word, value in zip(words[1::2], words[2::2], strict=True) if word == "--set")
        return {**({"id": words[0]} if words else {}), **said, **{key: value for key, _, value in sets}}


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
    elif topic.endswith(ZWAVE_LOCK):
        yield from _of_zwave(home, topic)
    elif topic.endswith("/available"):
        name = topic.removesuffix("/available")
        yield Sighting(key=topic, where=Where.BROKER, what="Frigate", name=inert(name), at=_said(payload))


def _said(payload: bytes) -> str:
    """Tell a plain word like online; a maker's envelope (Alexa's, Somfy's JSON) tells a reader nothing."""
    text = payload[:40].decode(errors="replace").strip()
    return "" if text.startswith(("{", "[")) else inert(text)


def _of_a_radio(home: Home, base: str, found: Found) -> Iterator[Sighting]:
    """Read what one device can be used as: a use that no entry of the house file can have is shown without a line."""
    address = f"{base}/{found.friendly_name}"
    made = " ".join(word for word in (found.maker, found.model) if word)
    for use in found.uses:
        id_ = next((i for i, device in home.devices.items() if _is_used(device, use, address)), None)
        yield Sighting(
            key=f"{address} {use.kind}", where=Where.BROKER, what=_USABLE[use.kind], name=inert(found.friendly_name),
            at=inert(made), known=id_, add="" if id_ else _added(base, found.friendly_name, use),
        )  # fmt: skip
    if not found.uses:
        yield Sighting(
            key=address, where=Where.BROKER, what="of no use here", name=inert(found.friendly_name), at=inert(made)
        )


def _of_zwave(home: Home, topic: str) -> Iterator[Sighting]:
    """Read the topic of a lock's mode. One that has a name for its node's number is asked for that."""
    address = topic.removesuffix(ZWAVE_LOCK)
    name = address.rpartition("/")[2]
    known = next((i for i, one in home.devices.items() if (one.kind, one.address) == ("lock", address)), None)
    line = _command(name if not name.isdecimal() else f"lock-{name}", "lock", "zwave", address)
    node = "" if name.isdecimal() else " --set 'keys.node=\"NUMBER\"'"
    yield Sighting(
        key=address, where=Where.BROKER, what="lock", name=inert(name), at="Z-Wave", known=known,
        add="" if known else line + node,
    )  # fmt: skip


def _is_used(device: Device, use: Use, address: str) -> bool:
    if use.kind is Kind.BUTTON:
        return device.kind == "signal" and address in device.topics.values()
    return (device.kind, device.address) == (_USABLE[use.kind], address)


def _added(base: str, name: str, use: Use) -> str:
    """Write the command that adds it, with all that its bridge says of it; a button is added with its siren."""
    sets = {f"keys.{word}": where for word, where in sorted(use.keys.items())}
    if "/" in base:
        sets["keys.base"] = base
    match use.kind:
        case Kind.BUTTON:
            return ""
        case Kind.SIREN:
            sets["topics.event"] = f"{base}/BUTTON"
        case Kind.DOOR if not use.answers:
            sets |= {"answers": "false", "heartbeat": f"{QUIET:g}"}
        case Kind.LOCK | Kind.DOOR | Kind.FRIDGE:
            pass
        case _:
            assert_never(use.kind)
    line = _command(name, _USABLE[use.kind], "zigbee2mqtt", f"{base}/{name}")
    return " ".join([line, *(f"--set {shlex.quote(f'{key}={value}')}" for key, value in sets.items())])


def on_the_network(home: Home, service: str, name: str, host: str, port: int) -> Sighting:
    """Read one mDNS service; `host` is an address or a name.

    Raises:
        KeyError: no such service type is looked for.
    """
    what = MDNS[service]
    called = inert(name.removesuffix(f".{service}"))
    at = f"{host}:{port}"
    known = next((id_ for id_, d in home.devices.items() if d.kind == "camera" and f"//{at}/" in f"{d.url}/"), None)
    line = ""
    if what == "camera" and known is None:
        line = f"perron add {_id(called)} --kind camera --vendor rtsp --set url=rtsp://{at}/PATH"
    return Sighting(
        key=f"{service} {name}", where=Where.NETWORK, what=what, name=called, at=inert(at), known=known, add=line
    )


def _command(name: str, kind: str, vendor: str, address: str) -> str:
    return f"perron add {_id(name)} --kind {kind} --vendor {vendor} --address {shlex.quote(address)}"


def _id(name: str) -> str:
    """Make an id of a name, as the house file wants it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "device"
