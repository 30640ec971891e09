"""Finds devices in what a house announces by MQTT and mDNS. Pure: messages in, found devices out.

An announcement proves nothing: it fills in what `perron add` would write, and the walk test checks the device.

Sources: Zigbee2MQTT's `bridge/devices` (`devices/vendors/zigbee2mqtt_exposes.py`); `bridge/nodes` of `perron matter`
(`devices/vendors/matter.py`); the topics of Z-Wave JS UI (`devices/vendors/zwave.py`), where only locks have a value of
the class Door Lock; Frigate's documentation
of MQTT (`<base>/available`, online or offline); DNS service types of RTSP cameras (`_rtsp._tcp`), Axis cameras
(`_axis-video._tcp`), ESPHome nodes (`_esphomelib._tcp`), brokers (`_mqtt._tcp`) and Home Assistant
(`_home-assistant._tcp`), as those products and IANA's registry name them. A camera may name its stream's `path` in its
TXT record. A device that speaks Perron's own words or ESPHome's may announce `_perron._tcp` (ESPHome: `mdns:
services:`) with `kind`, `vendor`, and perhaps `address`, `latency`, `heartbeat` and `answers` in its TXT record.
"""

import contextlib
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Literal, assert_never

from devices.reports import UnreadablePayload
from devices.vendors import VENDORS, matter
from devices.vendors.zigbee2mqtt_exposes import BridgeDevice, DeviceUse, UsableKind, read_devices
from gateway.config.devices import AnyDevice
from gateway.config.home import Home
from gateway.config.stream_url import valid_stream_url
from gateway.domain.frozen import Frozen
from gateway.system.text import sanitized

PERRON_SERVICE = "_perron._tcp.local."
"""The service type of a device that says itself what it is in a house file."""

MDNS_SERVICES = {
    PERRON_SERVICE: "device",
    "_rtsp._tcp.local.": "camera",
    "_axis-video._tcp.local.": "camera",
    "_esphomelib._tcp.local.": "ESPHome node",
    "_mqtt._tcp.local.": "broker",
    "_secure-mqtt._tcp.local.": "broker",
    "_home-assistant._tcp.local.": "Home Assistant",
}
"""The service types that are looked for, and what calls itself so."""

ZWAVE_LOCK_SUFFIX = "/98/0/currentMode"
"""What the topic of a Z-Wave lock's own mode ends in; before it stands the address."""

BATTERY_SENSOR_HEARTBEAT_S = 3600.0  # of a sensor on a battery

_ADD_OPTIONS = ("kind", "vendor", "address")  # keys with an option of their own in `perron add`; the others use --set
_TXT_KEYS = ("vendor", "address", "latency", "heartbeat", "answers")  # what `_perron._tcp` may say of a device
_AVAILABILITY_PATTERN = re.compile(r"perron/([a-z0-9-]{1,64})/availability")


class DiscoveredDevice(Frozen):
    """One announced device.

    `add_fields`: id, kind and each key of the house file (nested keys with points) with its value; empty if Perron
    cannot use the device. Each value is printable.
    """

    key: str  # two announcements with the same one are the same device
    source: Literal["broker", "network"]  # where it announced itself
    text_key: str
    name: str
    address: str = ""
    known_as: str | None = None  # its id in the house file
    add_fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def add_arguments(self) -> tuple[str, ...]:
        """The arguments of `perron` that add the device; each needs quotes in a shell."""
        if not self.add_fields:
            return ()
        words = ["add", self.add_fields["id"]]
        for key, value in self.add_fields.items():
            if key != "id":
                words += [f"--{key}", value] if key in _ADD_OPTIONS else ["--set", f"{key}={value}"]
        return tuple(words)

    @property
    def add_command(self) -> str:
        """The quoted command line with `add_arguments`; empty if the device cannot be added."""
        return shlex.join(("perron", *self.add_arguments)) if self.add_fields else ""


def read_broker_message(home: Home, topic: str, payload: bytes) -> Iterator[DiscoveredDevice]:
    """Yield the devices that one retained message of the broker announces."""
    base, _, rest = topic.rpartition("/bridge/")
    if match := _AVAILABILITY_PATTERN.fullmatch(topic):
        id_ = match[1]
        device = home.devices.get(id_)
        yield DiscoveredDevice(
            key=topic, source="broker", text_key="device" if device is None else device.kind, name=id_,
            address=_plain_state(payload), known_as=None if device is None else id_,
        )  # fmt: skip
    elif base and rest == "devices":
        devices = read_devices(payload)
        if not isinstance(devices, UnreadablePayload):
            for radio_device in devices:
                yield from _read_radio_device(home, base, radio_device)
    elif base and topic == f"{base}/{matter.NODES}":
        endpoints = matter.read_endpoints(payload)
        if not isinstance(endpoints, UnreadablePayload):
            for endpoint in endpoints:
                yield from _read_matter_endpoint(home, base, endpoint)
    elif topic.endswith(ZWAVE_LOCK_SUFFIX):
        yield from _read_zwave_lock(home, topic)
    elif topic.endswith("/available"):
        yield DiscoveredDevice(
            key=topic, source="broker", text_key="Frigate",
            name=sanitized(topic.removesuffix("/available")), address=_plain_state(payload),
        )  # fmt: skip


def _plain_state(payload: bytes) -> str:
    """Return a plain state like `online`; empty for a vendor's JSON, which a reader would not understand."""
    text = payload[:40].decode(errors="replace").strip()
    return "" if text.startswith(("{", "[")) else sanitized(text)


def _read_radio_device(home: Home, base: str, radio_device: BridgeDevice) -> Iterator[DiscoveredDevice]:
    """Yield each possible use of one radio device; one that the house file cannot express has no `add_fields`."""
    address = f"{base}/{radio_device.friendly_name}"
    useless = DiscoveredDevice(
        key=address, source="broker", text_key="of no use here", name=sanitized(radio_device.friendly_name),
        address=sanitized(" ".join(word for word in (radio_device.maker, radio_device.model) if word)),
    )  # fmt: skip
    for use in radio_device.uses:
        id_ = next((i for i, device in home.devices.items() if _is_used(device, use, address)), None)
        yield replace(
            useless, key=f"{address} {use.kind}", text_key=_house_kind(use), known_as=id_,
            add_fields={} if id_ else _add_fields(base, radio_device.friendly_name, use),
        )  # fmt: skip
    if not radio_device.uses:
        yield useless


def _read_matter_endpoint(home: Home, base: str, endpoint: matter.EndpointLine) -> Iterator[DiscoveredDevice]:
    """Yield each possible use of one endpoint of a Matter server."""
    address = f"{base}/{endpoint.at.name}"
    name = endpoint.label or endpoint.product or endpoint.at.name
    for kind in endpoint.kinds:
        known = next(
            (i for i, device in home.devices.items() if (device.kind, device.address) == (kind, address)), None
        )
        # Only who tried it may declare that it reverses
        tried = {"beam": "false", "reverses": "TRIED"} if kind == matter.COVER else {}
        offer = {} if known else _safe_offer(f"{name} {kind}", kind=kind, vendor="matter", address=address, **tried)
        yield DiscoveredDevice(
            key=f"{address} {kind}", source="broker", text_key=kind, name=sanitized(name),
            address=sanitized(f"Matter {endpoint.at.name}"), known_as=known, add_fields=offer,
        )  # fmt: skip


def _read_zwave_lock(home: Home, topic: str) -> Iterator[DiscoveredDevice]:
    address = topic.removesuffix(ZWAVE_LOCK_SUFFIX)
    name = address.rpartition("/")[2]
    known = next((i for i, device in home.devices.items() if (device.kind, device.address) == ("lock", address)), None)
    node = {} if name.isdecimal() else {"keys.node": '"NUMBER"'}
    offer = _safe_offer(
        f"lock-{name}" if name.isdecimal() else name, kind="lock", vendor="zwave", address=address, **node
    )
    yield DiscoveredDevice(
        key=address, source="broker", text_key="lock", name=sanitized(name), address="Z-Wave",
        known_as=known, add_fields={} if known else offer,
    )  # fmt: skip


def _house_kind(use: DeviceUse) -> str:
    return "signal" if use.kind is UsableKind.SIREN else use.kind.value


def _is_used(device: AnyDevice, use: DeviceUse, address: str) -> bool:
    if use.kind is UsableKind.BUTTON:
        return device.kind == "signal" and address in device.topics.values()
    return (device.kind, device.address) == (_house_kind(use), address)


def _add_fields(base: str, name: str, use: DeviceUse) -> Mapping[str, str]:
    """Return the fields that add this device, from what its bridge reports; a button is added with its siren."""
    sets = {f"keys.{word}": where for word, where in sorted(use.keys.items())}
    if "/" in base:
        sets["keys.base"] = base
    match use.kind:
        case UsableKind.BUTTON:
            return {}
        case UsableKind.SIREN:
            sets["topics.event"] = f"{base}/BUTTON"
        case UsableKind.DOOR if not use.answers:
            sets |= {"answers": "false", "heartbeat": f"{BATTERY_SENSOR_HEARTBEAT_S:g}"}
        case UsableKind.COVER:  # only who tried it may declare that it reverses
            sets |= {"beam": "false", "reverses": "TRIED"}
        case UsableKind.LOCK | UsableKind.DOOR | UsableKind.FRIDGE:
            pass
        case _:
            assert_never(use.kind)
    return _safe_offer(name, kind=_house_kind(use), vendor="zigbee2mqtt", address=f"{base}/{name}", **sets)


def read_mdns_service(  # noqa: PLR0913 - the parts of an announcement
    home: Home, service: str, name: str, host: str, port: int, *, txt: Mapping[str, str] | None = None
) -> DiscoveredDevice:
    """Return the device behind one of MDNS_SERVICES; `host` is an announced address or name, `txt` its TXT record.

    A camera has `add_fields` only if the house file accepts its address, an ESPHome node those of a door sensor, and a
    device of `PERRON_SERVICE` what it says.
    """
    kind, device_name, txt = MDNS_SERVICES[service], sanitized(name.removesuffix(f".{service}")), txt or {}
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    offer, known = dict[str, str](), None
    match kind:
        case "camera":
            known = next(
                (id_ for id_, d in home.devices.items() if d.kind == "camera" and f"//{at}/" in f"{d.url}/"), None
            )
            path = txt.get("path", "/PATH").lstrip("/")
            url = f"rtsp://{at}/{path}"
            if "path" in txt:  # several cameras of one recorder have one address
                known = next((id_ for id_, d in home.devices.items() if d.kind == "camera" and d.url == url), None)
            with contextlib.suppress(ValueError):
                offer = dict(_safe_offer(device_name, kind="camera", vendor="rtsp", url=valid_stream_url(url)))
        case "ESPHome node":
            offer = dict(_safe_offer(device_name, kind="door", vendor="esphome"))
        case "device":
            kind = txt.get("kind", "")
            said = {key: txt[key] for key in _TXT_KEYS if txt.get(key)}
            module = VENDORS.get(said.get("vendor", ""))
            if module is not None and kind in module.DEFINITION.kinds:
                offer = dict(_safe_offer(device_name, kind=kind, **said))
            else:
                kind = "device"
    if known is None and offer:
        known = offer["id"] if _is_same(home, offer) else None
    return DiscoveredDevice(
        key=f"{service} {name}", source="network", text_key=kind, name=device_name,
        address=sanitized(at), known_as=known, add_fields=offer if known is None else {},
    )  # fmt: skip


def _is_same(home: Home, offer: Mapping[str, str]) -> bool:
    """Return whether the house has a device of this id, kind and vendor: announced devices keep their names."""
    device = home.devices.get(offer["id"])
    return device is not None and device.model_dump(include={"kind", "vendor"}).items() <= offer.items()


def _safe_offer(name: str, **fields: str) -> Mapping[str, str]:
    """Return the fields to offer; empty if an announced value has characters that cannot be typed or seen."""
    if not all(map(str.isprintable, fields.values())):
        return {}
    return {"id": re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "device", **fields}
