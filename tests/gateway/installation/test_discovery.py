"""What calls its name, read: from a broker's stored messages and from mDNS."""

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from devices.vendors import matter
from gateway.config.devices import AnyDevice, CameraDevice, DoorDevice, FridgeDevice, LockDevice, SignalDevice
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.installation.discovery import (
    MDNS_SERVICES,
    DiscoveredDevice,
    read_broker_message,
    read_mdns_service,
)
from gateway.system.located_yaml import parse_yaml

ROOT = Path(__file__).parents[3]
RADIO = ROOT / "tests" / "devices" / "payloads" / "bridges" / "zigbee2mqtt_devices.json"


@pytest.fixture
def home() -> Home:
    return load_home_file(ROOT / "config" / "home.yaml")


def sightings(home: Home, topic: str, payload: bytes) -> list[DiscoveredDevice]:
    return list(read_broker_message(home, topic, payload))


def test_a_device_that_stands_in_the_house_file_is_known_and_another_is_not(home: Home) -> None:
    (lock,) = sightings(home, "perron/front-lock/availability", b"online")
    assert (lock.known_as, lock.text_key, lock.address) == ("front-lock", "lock", "online")
    (stranger,) = sightings(home, "perron/back-lock/availability", b"on\x1b[31mline")
    assert (stranger.known_as, stranger.text_key) == (None, "device")
    assert "\x1b" not in stranger.address
    (enveloped,) = sightings(home, "perron/front-lock/availability", b'{"name":"DeviceAvailableEvent"}')
    assert (enveloped.known_as, enveloped.address) == ("front-lock", "")


def test_what_stands_behind_a_radio_is_named_with_the_command_that_adds_it(home: Home) -> None:
    found = sightings(home, "zigbee2mqtt/bridge/devices", RADIO.read_bytes())
    locks = [one for one in found if one.text_key == "lock"]
    assert locks
    assert all(one.add_command.startswith("perron add ") and "--vendor zigbee2mqtt" in one.add_command for one in locks)
    assert len({one.key for one in found}) == len(found)
    address = shlex.split(locks[0].add_command)[-1]
    lock = home.devices["front-lock"].model_copy(update={"address": address})
    added = home.model_copy(update={"devices": {**home.devices, "front-lock": lock}})
    again = next(
        one for one in sightings(added, "zigbee2mqtt/bridge/devices", RADIO.read_bytes()) if one.text_key == "lock"
    )
    assert (again.known_as, again.add_command) == ("front-lock", "")


def device_of(line: str) -> AnyDevice:
    """The device that `perron add` makes of this line."""
    words = shlex.split(line)
    section: dict[str, Any] = {}
    for option, value in zip(words[3::2], words[4::2], strict=True):
        key, _, set_to = value.partition("=") if option == "--set" else (option.removeprefix("--"), "", value)
        *outer, last = key.split(".")
        at = section
        for part in outer:
            at = at.setdefault(part, {})
        at[last] = parse_yaml(set_to)
    device: AnyDevice = TypeAdapter(AnyDevice).validate_json(json.dumps(section), strict=True)
    return device


def added(home: Home, payload: bytes = RADIO.read_bytes(), base: str = "zigbee2mqtt") -> dict[str, AnyDevice]:
    found = sightings(home, f"{base}/bridge/devices", payload)
    return {one.name: device_of(one.add_command) for one in found if one.add_command}


def test_the_line_that_adds_a_device_says_all_that_its_bridge_says_of_it(home: Home) -> None:
    devices = json.loads(RADIO.read_bytes())
    fridge = next(one for one in devices if one["friendly_name"] == "fridge")
    next(e for e in fridge["definition"]["exposes"] if e["name"] == "temperature")["property"] = "temperature_2"
    found = added(home, json.dumps(devices).encode())
    contact, thermometer, siren = found["front_contact"], found["fridge"], found["siren"]
    assert isinstance(contact, DoorDevice)
    assert (contact.answers, contact.heartbeat) == (False, 3600), "it sleeps: it is never called one that can be asked"
    assert isinstance(thermometer, FridgeDevice)
    assert thermometer.keys == {"temperature": "temperature_2"}
    assert isinstance(siren, SignalDevice)
    assert siren.topics == {"event": "zigbee2mqtt/BUTTON"}, "the answer button is to be named"
    assert isinstance(found["Porte entrée"], LockDevice)


def test_an_opener_is_added_only_by_who_says_whether_it_reverses(home: Home) -> None:
    devices = json.loads(RADIO.read_bytes())
    plug = next(one for one in devices if one["friendly_name"] == "plug")
    state = {"name": "state", "property": "state", "type": "enum", "access": 3, "values": ["OPEN", "CLOSE", "STOP"]}
    plug["definition"]["exposes"] = [{"type": "cover", "features": [state]}]
    (cover,) = [
        one for one in sightings(home, "zigbee2mqtt/bridge/devices", json.dumps(devices).encode())
        if one.text_key == "cover"
    ]  # fmt: skip
    assert cover.add_fields["beam"] == "false", "none answers about a beam"
    with pytest.raises(ValueError, match="reverses"):
        device_of(cover.add_command)
    declared = device_of(cover.add_command.replace("reverses=TRIED", "reverses=true"))
    assert (declared.kind, declared.address) == ("cover", "zigbee2mqtt/plug")
    state["values"] = ["OPEN"]
    found = sightings(home, "zigbee2mqtt/bridge/devices", json.dumps(devices).encode())
    assert [one.text_key for one in found if one.name == "plug"] == ["of no use here"], "it could not be closed"


def test_a_button_is_no_signal_of_its_own_and_is_known_by_the_signal_that_it_answers_for(home: Home) -> None:
    def buttons(house: Home) -> list[tuple[str, str | None]]:
        found = sightings(house, "zigbee2mqtt/bridge/devices", RADIO.read_bytes())
        return [(one.add_command, one.known_as) for one in found if one.text_key == "button"]

    assert buttons(home) == [("", None)]
    topics = {"event": "zigbee2mqtt/answer_button"}
    signal = SignalDevice.model_validate(
        {"kind": "signal", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/siren", "topics": topics}, strict=False
    )
    with_it = home.model_copy(update={"devices": {**home.devices, "front-signal": signal}})
    assert buttons(with_it) == [("", "front-signal")]


def test_behind_a_base_topic_of_several_levels_the_line_says_so(home: Home) -> None:
    found = added(home, base="home/zigbee2mqtt")
    assert {one.keys.get("base") for one in found.values()} == {"home/zigbee2mqtt"}


@pytest.mark.parametrize(
    ("address", "id_", "keys"),
    [("zwave/5", "lock-5", {}), ("zwave/hall/front_lock", "front-lock", {"node": "12"})],
)
def test_a_z_wave_lock_is_known_by_its_mode_and_one_with_a_name_is_asked_for_its_number(
    home: Home, address: str, id_: str, keys: dict[str, str]
) -> None:
    topic = f"{address}/98/0/currentMode"
    (seen,) = sightings(home, topic, b'{"time":1717,"value":255}')
    assert (seen.text_key, seen.known_as, shlex.split(seen.add_command)[2]) == ("lock", None, id_)
    lock = device_of(seen.add_command.replace("NUMBER", "12"))
    assert isinstance(lock, LockDevice)
    assert (lock.vendor, lock.address, lock.keys) == ("zwave", address, keys)
    with_it = home.model_copy(update={"devices": {**home.devices, "front-lock": lock}})
    assert [(one.known_as, one.add_command) for one in sightings(with_it, topic, b"")] == [("front-lock", "")]
    assert sightings(home, f"{address}/113/0/Access_Control/Lock_state", b"") == []


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("zigbee2mqtt/bridge/devices", b"{"),
        ("zigbee2mqtt/bridge/devices", b"\xff" * 100),
        ("perron/a/b/availability", b""),
        ("x", b""),
    ],
)
def test_what_cannot_be_read_says_nothing(home: Home, topic: str, payload: bytes) -> None:
    assert sightings(home, topic, payload) == []


def test_a_camera_on_the_network_is_known_by_its_address_and_port(home: Home) -> None:
    service = "_rtsp._tcp.local."
    seen = read_mdns_service(home, service, f"Porch Cam.{service}", "192.168.1.30", 554)
    assert (seen.source, seen.text_key, seen.name, seen.address) == (
        "network",
        "camera",
        "Porch Cam",
        "192.168.1.30:554",
    )
    assert seen.add_command == "perron add porch-cam --kind camera --vendor rtsp --set url=rtsp://192.168.1.30:554/PATH"
    known = read_mdns_service(home, service, f"Bell.{service}", "127.0.0.1", 8554)
    assert (known.known_as is not None, known.add_command) == (True, "")


HOSTILE = [
    "$(touch${IFS}x).local",
    "a;touch x;#",
    "a b",
    "it's",
    "`touch x`",
    "x\x1b[2J",
    "a\nb",
    "..",
    "a|b",
    "é.local",
    "",
]


@pytest.mark.parametrize("host", HOSTILE)
def test_a_camera_whose_host_is_none_of_the_house_file_s_is_shown_without_a_command(home: Home, host: str) -> None:
    service = "_rtsp._tcp.local."
    seen = read_mdns_service(home, service, f"Porch.{service}", host, 554)
    assert (seen.add_arguments, seen.add_command, dict(seen.add_fields)) == ((), "", {})
    assert seen.address.isprintable()


@pytest.mark.parametrize("host", ["porch.local", "192.168.1.30", "fe80::1", "PORCH-2.lan"])
def test_a_camera_of_an_ordinary_host_is_offered(home: Home, host: str) -> None:
    seen = read_mdns_service(home, "_rtsp._tcp.local.", "Porch._rtsp._tcp.local.", host, 554)
    assert isinstance(device_of(seen.add_command), CameraDevice)


NAMES = [
    "a $(touch x)",
    "a;touch x;",
    "it's",
    "`touch x`",
    'a"b',
    "a --set keys.a=b",
    "é à",
    "-rf",
    "a\\b",
    "`perron doctor`",
]


def called(name: str) -> bytes:
    """What a bridge tells of one lock of this name."""
    devices = json.loads(RADIO.read_bytes())
    lock = next(one for one in devices if one["friendly_name"] == "Porte entrée")
    return json.dumps([{**lock, "friendly_name": name}]).encode()


@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_is_pasted_into_a_shell_says_to_perron_what_is_offered_and_does_nothing_else(
    home: Home, tmp_path: Path, name: str
) -> None:
    (seen,) = sightings(home, "zigbee2mqtt/bridge/devices", called(name))
    assert seen.add_fields["address"] == f"zigbee2mqtt/{name}"
    assert set(seen.add_fields) == {"id", "kind", "vendor", "address"}
    said = tmp_path / "said"
    perron = tmp_path / "bin" / "perron"
    perron.parent.mkdir()
    perron.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > {shlex.quote(str(said))}\n")
    perron.chmod(0o755)
    here = tmp_path / "here"
    here.mkdir()
    path = f"{perron.parent}:{os.environ['PATH']}"
    subprocess.run(["/bin/sh"], input=f"{seen.add_command}\n", text=True, cwd=here, env={"PATH": path}, check=True)
    assert tuple(said.read_text(encoding="utf-8").split("\0")[:-1]) == seen.add_arguments
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\u202eb", "a\x00b"])
def test_a_name_that_nobody_can_type_or_see_is_shown_without_a_command(home: Home, name: str) -> None:
    found = sightings(home, "zigbee2mqtt/bridge/devices", called(name))
    assert [one.add_command for one in found] == [""] * len(found)
    assert all(one.name.isprintable() for one in found)


@pytest.mark.parametrize("service", MDNS_SERVICES)
def test_names_from_the_network_are_inert_and_never_a_command_of_their_own(home: Home, service: str) -> None:
    seen = read_mdns_service(home, service, f"a; rm -rf /\x1b[2J\u202e.{service}", "10.0.0.1", 1)
    assert "\x1b" not in seen.name
    assert ";" not in seen.add_command
    assert "\u202e" not in seen.name + seen.add_command


def test_a_camera_that_names_its_path_and_a_device_that_says_what_it_is_fill_the_form(home: Home) -> None:
    camera, door, path = "_rtsp._tcp.local.", "_perron._tcp.local.", {"path": "/stream1"}
    seen = read_mdns_service(home, camera, f"Porch.{camera}", "192.168.1.30", 554, txt=path)
    assert seen.add_fields == {
        "id": "porch", "kind": "camera", "vendor": "rtsp", "url": "rtsp://192.168.1.30:554/stream1",
    }  # fmt: skip
    (contact,) = [
        read_mdns_service(home, door, f"back-door.{door}", "192.168.1.31", 80, txt=txt)
        for txt in [{"kind": "door", "vendor": "esphome", "answers": "true", "unlatch": "true"}]
    ]
    assert contact.text_key == "door"
    assert contact.add_fields == {"id": "back-door", "kind": "door", "vendor": "esphome", "answers": "true"}


@pytest.mark.parametrize(
    "txt", [{}, {"kind": "door"}, {"kind": "door", "vendor": "nobody"}, {"kind": "lock", "vendor": "scanner"}]
)
def test_a_device_that_says_what_no_vendor_has_is_shown_and_cannot_be_added(home: Home, txt: dict[str, str]) -> None:
    service = "_perron._tcp.local."
    seen = read_mdns_service(home, service, f"x.{service}", "192.168.1.31", 80, txt=txt)
    assert (seen.text_key, seen.add_fields) == ("device", {})


def test_of_several_cameras_at_one_recorder_only_the_one_in_the_house_is_known(home: Home) -> None:
    service = "_rtsp._tcp.local."
    doorbell = home.devices["doorbell"]
    assert isinstance(doorbell, CameraDevice)
    host, _, path = doorbell.url.removeprefix("rtsp://").partition("/")
    at, port = host.split(":")
    known = [
        read_mdns_service(home, service, f"c.{service}", at, int(port), txt={"path": one}).known_as
        for one in (f"/{path}", "/another")
    ]
    assert known == ["doorbell", None]


def test_what_a_matter_server_has_is_offered_for_each_use_and_known_once_it_stands_in_the_house(home: Home) -> None:
    listed = matter.write_endpoints(
        [
            matter.EndpointLine(at=matter.EndpointId(5, 1), kinds=("lock",), product="U200", label="Front"),
            matter.EndpointLine(at=matter.EndpointId(7, 2), kinds=("cover",), product="Gate"),
        ]
    )
    lock, gate = sightings(home, "matter/bridge/nodes", listed)
    device = device_of(lock.add_command)
    assert (device.kind, device.vendor, device.address) == ("lock", "matter", "matter/5-1")
    assert (lock.name, lock.add_fields["id"]) == ("Front", "front-lock")
    assert gate.add_fields["reverses"] == "TRIED", "only who tried it may say so"
    known = home.model_copy(update={"devices": {**home.devices, "front-lock": device}})
    again, _ = sightings(known, "matter/bridge/nodes", listed)
    assert (again.known_as, again.add_command) == ("front-lock", "")
    assert sightings(home, "matter/bridge/nodes", b"\xff") == []
