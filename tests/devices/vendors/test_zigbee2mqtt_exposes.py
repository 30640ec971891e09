"""What a radio's devices can do is read from what their bridge says of them, not from a list of models."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.commands import Light, QueryState, SetSignal, Sound
from devices.reports import DoorReport, DoorState, UnreadablePayload
from devices.vendors import zigbee2mqtt
from devices.vendors.words import DeviceRef, TopicSuffix
from devices.vendors.zigbee2mqtt_exposes import (
    MODE,
    PROBE,
    BridgeDevice,
    LockFeatures,
    SirenFeatures,
    UsableKind,
    read_devices,
)
from tests.wire.broken import read_broken_lists

DEVICES = (Path(__file__).parents[1] / "payloads" / "bridges" / "zigbee2mqtt_devices.json").read_bytes()


def _read(payload: bytes = DEVICES) -> dict[str, BridgeDevice]:
    found = read_devices(payload)
    assert not isinstance(found, UnreadablePayload), found
    return {device.friendly_name: device for device in found}


def _changed(name: str, change: Any) -> bytes:  # noqa: ANN401  any change to JSON
    devices = json.loads(DEVICES)
    change(next(device for device in devices if device["friendly_name"] == name))
    return json.dumps(devices).encode()


def _expose(device: Any, name: str) -> Any:  # noqa: ANN401  JSON
    return next(e for e in device["definition"]["exposes"] if name in (e.get("name"), e.get("type")))


def test_every_device_is_found_with_what_it_can_be_used_as_and_the_coordinator_is_none() -> None:
    assert {name: [use.kind.value for use in found.uses] for name, found in _read().items()} == {
        "Porte entrée": ["lock"],
        "back_door": ["lock"],
        "garage/kwikset": ["lock"],
        "cellar_lock": ["lock"],
        "gate": ["lock"],
        "front_contact": ["door"],
        "fridge": ["fridge"],
        "answer_button": ["button"],
        "siren": ["siren"],
        "plug": [],
        "0x00158d00deadbeef": [],
    }


def test_a_device_carries_its_own_id_maker_and_model() -> None:
    lock = _read()["Porte entrée"]
    assert (lock.ieee, lock.maker, lock.model) == ("0x000d6f00055a1b01", "Danalock", "V3-BTZB/V3-BTZBE")
    assert lock.battery
    assert lock.tells_battery


def test_a_lock_says_whether_it_tells_a_half_thrown_bolt_and_locks_itself() -> None:
    found = {name: device.lock for name, device in _read().items() if device.lock is not None}
    assert {name: lock.relocks for name, lock in found.items()} == {
        "Porte entrée": False,
        "back_door": True,
        "garage/kwikset": False,
        "cellar_lock": True,
        "gate": True,
    }
    assert all(lock.lock_state and lock.pins and lock.sources for lock in found.values())
    assert [name for name, lock in found.items() if lock.door_state] == ["gate"]
    assert found["cellar_lock"] == LockFeatures(lock_state=True, sources=True, relocks=True, pins=True)


def test_a_sensor_on_a_battery_cannot_be_asked_even_where_its_driver_says_so() -> None:
    def askable(device: Any) -> None:  # noqa: ANN401  JSON
        _expose(device, "contact")["access"] = 5

    asleep = _read(_changed("front_contact", askable))["front_contact"].use(UsableKind.DOOR)
    assert asleep is not None
    assert not asleep.answers

    def mains(device: Any) -> None:  # noqa: ANN401  JSON
        askable(device)
        device |= {"power_source": "Mains (single phase)", "type": "Router"}

    awake = _read(_changed("front_contact", mains))["front_contact"].use(UsableKind.DOOR)
    assert awake is not None
    assert awake.answers


def test_a_siren_says_its_warnings() -> None:
    assert _read()["siren"].siren == SirenFeatures(
        modes=("stop", "emergency"), probe="max_duration", duration=True, strobe=True
    )


def test_a_siren_in_the_usual_words_needs_no_keys_of_its_own() -> None:
    use, device_ref = _read()["siren"].use(UsableKind.SIREN), DeviceRef("zigbee2mqtt/siren", kind="signal")
    assert use is not None
    assert dict(use.keys) == {}
    ring = SetSignal(id="s1", light=Light.AMBER, sound=Sound.RING)
    assert json.loads(zigbee2mqtt.encode_command(ring, device_ref).payload)["warning"]["mode"] == MODE
    assert json.loads(zigbee2mqtt.encode_command(QueryState(), device_ref).payload) == {PROBE: ""}


def test_a_siren_that_sounds_or_answers_in_other_words_says_which_and_one_that_answers_nothing_is_none() -> None:
    def other(device: Any) -> None:  # noqa: ANN401  JSON
        next(f for f in _expose(device, "warning")["features"] if f["name"] == "mode")["values"] = ["stop", "burglar"]
        _expose(device, "max_duration").update(property="alarm_time", access=5)

    use = _read(_changed("siren", other))["siren"].use(UsableKind.SIREN)
    assert use is not None
    assert dict(use.keys) == {"mode": "burglar", "probe": "alarm_time"}

    def mute(device: Any) -> None:  # noqa: ANN401  JSON
        _expose(device, "max_duration")["access"] = 3

    assert _read(_changed("siren", mute))["siren"].uses == ()


def test_a_button_says_its_presses_and_a_lock_s_actions_are_none() -> None:
    found = _read()
    assert found["answer_button"].actions == ("single", "double", "triple", "quadruple", "hold", "release")
    assert found["Porte entrée"].actions == ()
    assert "manual_unlock" in (found["Porte entrée"].lock or LockFeatures()).actions


def test_a_property_that_stands_elsewhere_is_named_for_home_yaml() -> None:
    def second(device: Any) -> None:  # noqa: ANN401  JSON
        _expose(device, "temperature")["property"] = "temperature_2"

    use = _read(_changed("fridge", second))["fridge"].use(UsableKind.FRIDGE)
    assert use is not None
    assert dict(use.keys) == {"temperature": "temperature_2"}


SAYS_CLOSED = "Indicates if the contact is closed (= true) or open (= false)"


@pytest.mark.parametrize(
    ("model", "said", "keys", "open_"),
    [
        ("MCCGQ11LM", {"value_on": False, "value_off": True, "access": 1}, {}, False),
        ("TERNCY-DC01", {"value_on": True, "value_off": False, "access": 7}, {}, False),
        ("POK003", {"value_on": "ON", "value_off": "OFF", "access": 5}, {"closed": "ON"}, "OFF"),
        ("POK010", {"value_on": "ON", "value_off": "OFF", "access": 5}, {"closed": "ON"}, "OFF"),
    ],
)
def test_a_contact_that_says_it_the_other_way_round_or_in_words_is_a_door(
    model: str, said: dict[str, object], keys: dict[str, str], open_: object
) -> None:
    """As zigbee-herdsman-converters 26.112.0 describes them. Each runs on a battery, so none can be asked."""

    def other(device: Any) -> None:  # noqa: ANN401  JSON
        device["definition"]["model"] = model
        _expose(device, "contact").update(said, description=SAYS_CLOSED)

    (use,) = _read(_changed("front_contact", other))["front_contact"].uses
    assert (use.kind, use.keys, use.answers) == (UsableKind.DOOR, keys, False)
    device_ref = DeviceRef(address="zigbee2mqtt/front_contact", keys=use.keys, kind="door")
    heard = zigbee2mqtt.decode_report(TopicSuffix.STATE, json.dumps({"contact": open_}).encode(), device_ref)
    assert heard == (DoorReport(door=DoorState.OPEN),)


@pytest.mark.parametrize("said", ["", "ON when open", None, 7])
def test_a_contact_of_which_nobody_says_which_word_is_closed_is_none(said: object) -> None:
    for on, off in ((True, False), ("ON", "OFF"), ("open", "closed")):

        def other(device: Any, on: object = on, off: object = off) -> None:  # noqa: ANN401  JSON
            _expose(device, "contact").update(value_on=on, value_off=off, description=said)

        assert _read(_changed("front_contact", other))["front_contact"].uses == (), (on, off)


def test_what_means_something_else_is_not_used() -> None:
    def turned(device: Any) -> None:  # noqa: ANN401  JSON
        _expose(device, "contact").update(value_on="ON", value_off="OFF")

    def fahrenheit(device: Any) -> None:  # noqa: ANN401  JSON
        _expose(device, "temperature")["unit"] = "°F"

    def only_told(device: Any) -> None:  # noqa: ANN401  JSON
        _expose(device, "lock")["features"][0]["access"] = 1

    def silent(device: Any) -> None:  # noqa: ANN401  JSON
        next(f for f in _expose(device, "warning")["features"] if f["name"] == "mode")["values"] = ["stop"]

    for name, change in (
        ("front_contact", turned),
        ("fridge", fahrenheit),
        ("Porte entrée", only_told),
        ("siren", silent),
    ):
        assert _read(_changed(name, change))[name].uses == (), name


def test_a_device_that_cannot_be_read_hides_no_other() -> None:
    whole = set(_read())
    for change in (
        lambda device: device.update(friendly_name="a/+/b"),
        lambda device: device.update(friendly_name=5),
        lambda device: device.update(ieee_address=None),
        lambda device: device.update(definition=[]),
        lambda device: device.update(disabled=True),
    ):
        assert set(_read(_changed("plug", change))) == whole - {"plug"}


def test_a_house_of_two_hundred_devices_is_read() -> None:
    devices = json.loads(DEVICES)
    many = [
        device | {"friendly_name": f"{device['friendly_name']} {n}"}
        for n in range(20)
        for device in devices
        if device["type"] != "Coordinator"
    ]
    payload = json.dumps(many).encode()
    assert len(payload) > 400_000
    assert len(_read(payload)) == len(many) == 220


def test_what_is_no_list_of_devices_is_one_clear_line() -> None:
    for payload in (b"", b"{}", b"null", b"[" * 99, b"\xff", b'"[]"'):
        assert isinstance(read_devices(payload), UnreadablePayload)
    assert read_devices(b"[]") == ()
    assert read_devices(b'[1, null, "lock", {}, []]') == ()


@settings(deadline=None)  # no test asserts speed
@given(rng=st.randoms(use_true_random=False), value=st.none() | st.booleans() | st.integers() | st.text())
def test_a_list_with_one_value_exchanged_never_raises(rng: random.Random, value: object) -> None:
    devices = json.loads(DEVICES)
    holder: Any = rng.choice(devices)
    for _ in range(rng.randint(0, 8)):
        inner = [v for v in (holder.values() if isinstance(holder, dict) else holder) if isinstance(v, dict | list)]
        if not inner:
            break
        holder = rng.choice(inner)
    if holder:
        holder[rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))] = value
    read_devices(json.dumps(devices).encode(errors="replace"))


def test_broken_lists_never_raise() -> None:
    read_broken_lists(20_261_125, 300)
