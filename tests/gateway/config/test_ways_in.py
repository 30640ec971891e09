"""What a house file may say of strikes, compartments, their sensors and key hooks, and what it is refused for."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from devices.vendors.words import TopicSuffix
from gateway.config.broker_acl import access_list, account_names
from gateway.config.devices import AnyDevice, StrikeDevice
from gateway.config.home import Home
from gateway.config.topics import TopicMap, device_topic
from gateway.config.validation import find_problems

DEVICE: TypeAdapter[AnyDevice] = TypeAdapter(AnyDevice)
EYE = {"kind": "content", "vendor": "esphome", "address": "box/binary_sensor/eye"}


def device(**fields: Any) -> AnyDevice:  # noqa: ANN401 - of a section
    return DEVICE.validate_python(fields, strict=True)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kind": "strike", "vendor": "perron"}, None),
        ({"kind": "strike", "vendor": "perron", "release": 0.2}, "greater than or equal to 1"),
        ({"kind": "strike", "vendor": "perron", "release": 60.0}, "less than or equal to 30"),
        ({"kind": "strike", "vendor": "perron", "guarded": True}, "Extra inputs"),
        ({"kind": "strike", "vendor": "perron", "address": "street"}, "leave the address out"),
        ({"kind": "strike", "vendor": "zigbee2mqtt"}, "needs its address: its topic"),
        ({"kind": "strike", "vendor": "esphome"}, "write the topic of the switch or button"),
        ({"kind": "strike", "vendor": "esphome", "address": "street/switch/strike"}, None),
        ({"kind": "strike", "vendor": "somfy"}, "Input should be"),
        ({"kind": "compartment", "vendor": "locker", "address": "locker/hall/compartment/1"}, None),
        ({"kind": "compartment", "vendor": "locker", "address": "one/two"}, "the board's topic first"),
        ({"kind": "compartment", "vendor": "locker"}, "the board's topic first"),
        ({"kind": "compartment", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/box"}, "Input should be"),
        (EYE, "answers must be false"),
        ({**EYE, "answers": False}, None),
        ({**EYE, "answers": False, "keys": {"when": "perhaps"}}, "`when` is ON or OFF"),
        ({"kind": "key", "vendor": "esphome"}, None),
        ({"kind": "key", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/hook", "answers": False}, None),
    ],
    ids=str,
)
def test_a_device_of_a_way_in_is_taken_or_refused_with_what_to_do(fields: dict[str, Any], told: str | None) -> None:
    if told is None:
        device(**fields)
        return
    with pytest.raises(ValidationError, match=told):
        device(**fields)


def test_a_relay_behind_a_radio_may_hold_an_order_for_an_hour_and_another_for_a_quarter() -> None:
    radio = device(kind="strike", vendor="zigbee2mqtt", address="zigbee2mqtt/strike")
    ours = device(kind="strike", vendor="perron")
    declared = device(kind="strike", vendor="perron", command_hold=20.0)
    assert isinstance(radio, StrikeDevice)
    assert isinstance(ours, StrikeDevice)
    assert isinstance(declared, StrikeDevice)
    assert (radio.command_hold_s, ours.command_hold_s, declared.command_hold_s) == (3600.0, 900.0, 20.0)


def house(**devices: dict[str, Any]) -> Home:
    named = {id_.replace("_", "-"): one for id_, one in devices.items()}
    return Home.model_validate({"box": "b", "name": "n", "devices": named, "entrances": {}})


def test_each_way_in_has_its_topics_and_its_account_at_the_broker() -> None:
    home = house(
        street={"kind": "strike", "vendor": "perron"},
        opener={"kind": "strike", "vendor": "nukihub", "address": "nuki"},
        relay={"kind": "strike", "vendor": "esphome", "address": "porch/switch/strike"},
        c1={"kind": "compartment", "vendor": "locker", "address": "locker/hall/compartment/1"},
        c2={"kind": "compartment", "vendor": "locker", "address": "locker/hall/compartment/2"},
    )
    assert not list(find_problems(home))
    orders = {id_: device_topic(home, id_, TopicSuffix.SET) for id_ in home.devices}
    assert orders == {
        "street": "perron/street/set",
        "opener": "nuki/opener/action",
        "relay": "porch/switch/strike/command",
        "c1": "locker/hall/compartment/1/set",
        "c2": "locker/hall/compartment/2/set",
    }
    assert {"street", "nuki", "porch", "locker-hall"} <= set(account_names(home))
    assert "c1" not in account_names(home), "the board is one account"
    lines = access_list(home).splitlines()
    assert "topic write nuki/opener/action" in lines
    assert "topic readwrite locker/hall/#" in lines
    heard = {one.topic for one in TopicMap(home).subscriptions}
    assert {"nuki/opener/ring", "porch/status", "locker/hall/compartment/2/result", "perron/street/event"} <= heard
