"""Which accounts a house needs."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.broker_acl import AccountTaken, access_list, account_names, bridge_topics
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.system.config_section import ConfigError
from tests.gateway.cli.terminal import HOME_YAML


def test_a_camera_without_mqtt_has_no_account_and_those_behind_one_frigate_share_its_own(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    doorbell, hall = "alexa\n    address: doorbell-1", "alexa\n    address: hall-camera-1"
    file.write_text(HOME_YAML.replace(doorbell, "rtsp").replace(hall, "frigate"), encoding="utf-8")

    home = load_home_file(file)

    assert bridge_topics(home) == {"frigate": ("frigate",)}
    assert {"doorbell", "hall-camera"}.isdisjoint(account_names(home))
    assert "frigate" in account_names(home)


def house(*bases: str, **devices: Mapping[str, object]) -> Home:
    named = {id_.replace("_", "-"): device for id_, device in devices.items()}
    broker = {"bridges": bases}
    return Home.model_validate({"box": "b", "name": "n", "broker": broker, "devices": named, "entrances": {}})


def rights(home: Home, account: str) -> list[str]:
    """What stands below this account in the access list."""
    lines = access_list(home, homeassistant=True).splitlines()
    own = lines[lines.index(f"user {account}") + 1 :]
    end = next((n for n, line in enumerate(own) if not line.startswith("topic ")), len(own))
    return [line.removeprefix("topic ") for line in own[:end]]


LOCK = {"kind": "lock", "vendor": "zigbee2mqtt"}
DOOR = {"kind": "door", "vendor": "zigbee2mqtt"}


def test_devices_behind_one_bridge_share_its_account_which_owns_their_base_topic_and_nothing_else() -> None:
    home = house(front_lock={**LOCK, "address": "zigbee2mqtt/front lock"}, front_door={
        **DOOR, "address": "zigbee2mqtt/front door"})  # fmt: skip
    assert bridge_topics(home) == {"zigbee2mqtt": ("zigbee2mqtt",)}
    assert {"front-lock", "front-door"}.isdisjoint(account_names(home))
    assert rights(home, "zigbee2mqtt") == ["readwrite zigbee2mqtt/#"]
    assert "write zigbee2mqtt/front lock/set" in rights(home, "gateway")
    assert "read zigbee2mqtt/bridge/state" in rights(home, "gateway")
    assert not [right for right in rights(home, "installer") if "write" in right and right.endswith("/set")]
    assert not [right for right in rights(home, "homeassistant") if "zigbee2mqtt" in right]


def test_a_bridge_has_its_account_before_its_first_device_is_enrolled() -> None:
    home = house("zigbee2mqtt", "zwave", "frigate")
    assert {"zigbee2mqtt", "zwave", "frigate"} <= set(account_names(home))
    assert "read zwave/#" in rights(home, "installer"), "to find what stands behind it"
    assert not [right for right in rights(home, "observer") if "zwave" in right], "PINs may pass there"


@pytest.mark.parametrize(
    "home",
    [
        house("gateway"),
        house("bridge"),
        house("Zigbee2MQTT", "zigbee2mqtt"),
        house("frigate", frigate={"kind": "signal", "vendor": "signal"}),
        house("perron"),
        house("perron/front-lock"),
        house("homeassistant"),
        house("$SYS"),
        house(fridge={"kind": "fridge", "vendor": "homeassistant", "address": "perron/sensor/x"}),
        house("zigbee2mqtt",
              fridge={"kind": "fridge", "vendor": "homeassistant", "address": "zigbee2mqtt/ha/sensor/x"}),
        house(lock={"kind": "lock", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/lock"},
              fridge={"kind": "fridge", "vendor": "homeassistant", "address": "zigbee2mqtt/sensor/x"}),
        house(lock={"kind": "lock", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/lock"},
              other={"kind": "lock", "vendor": "nukihub", "address": "zigbee2mqtt"}),
    ],
)  # fmt: skip
def test_a_bridge_whose_account_or_base_topic_would_be_anothers_is_refused(home: Home) -> None:
    with pytest.raises(AccountTaken, match=r"taken|not for a bridge|two programs"):
        account_names(home)


def test_home_assistant_may_stream_below_a_word_of_its_owners() -> None:
    home = house(fridge={"kind": "fridge", "vendor": "homeassistant", "address": "my_home/sensor/fridge"})
    assert bridge_topics(home) == {"homeassistant": ("my_home",)}
    assert "readwrite my_home/#" in rights(home, "homeassistant")


def test_each_brand_has_an_account_of_its_own_which_no_device_takes() -> None:
    brand = {"books": {"name": "Books", "keys": ()}}
    home = house().model_copy(update={"brands": Home.model_validate(
        {"box": "b", "name": "n", "devices": {}, "entrances": {}, "brands": brand}).brands})  # fmt: skip
    assert rights(home, "retailer-books") == ["write perron/deliveries/offer", "read perron/deliveries/result/books"]
    taken = house(retailer_books={"kind": "signal", "vendor": "signal"}).model_copy(update={"brands": home.brands})
    with pytest.raises(AccountTaken, match="account of the brand `books`"):
        account_names(taken)


def test_a_house_file_that_names_such_a_bridge_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    file.write_text(HOME_YAML.replace("  port: 1883\n", "  port: 1883\n  bridges: [doorbell]\n"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"home\.yaml:\d+:\d+: the base topic `doorbell`"):
        load_home_file(file)


def test_a_house_file_whose_broker_is_another_machines_says_how_it_is_believed(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    far = HOME_YAML.replace("  host: 127.0.0.1\n  port: 1883", "  host: perron.home.arpa\n  port: 8883", 1)
    file.write_text(far, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"home\.yaml:\d+:\d+: .*without TLS") as refused:
        load_home_file(file)
    assert "tls:" in str(refused.value)
    file.write_text(far.replace("  port: 8883\n", "  port: 8883\n  tls: {ca: authority.pem}\n"), encoding="utf-8")
    assert load_home_file(file).broker.tls is not None
    file.write_text(far.replace("  port: 8883\n", "  port: 8883\n  tls: {verify: false}\n"), encoding="utf-8")
    with pytest.raises(ConfigError, match="not known here"):
        load_home_file(file)


def test_each_right_of_an_account_stands_once_and_nobody_but_the_gateway_commands_a_device() -> None:
    home = load_home_file(Path(__file__).parents[3] / "config" / "home.yaml")
    for account in account_names(home, homeassistant=True):
        if f"user {account}\n" in access_list(home, homeassistant=True):
            own = rights(home, account)
            assert len(own) == len(set(own))
            commands = [r for r in own if r.split(" ", 1)[0] != "read" and r.endswith("/set")]
            assert account == "gateway" or all("/entrance/" in r or "/ha/" in r for r in commands), account


def test_home_assistant_may_say_what_its_entities_say_by_automation_and_nothing_of_another_device() -> None:
    tom = {"kind": "presence", "vendor": "homeassistant", "address": "person.tom"}
    claire = {"kind": "presence", "vendor": "homeassistant", "address": "homeassistant/person/claire"}
    contact = {"kind": "door", "vendor": "somfy", "address": "io://1"}
    theirs = rights(house(tom=tom, claire=claire, front_door=contact), "homeassistant")
    assert {"write perron/tom/state", "write perron/tom/result", "read perron/tom/get"} <= set(theirs)
    assert "readwrite homeassistant/#" in theirs
    assert not [line for line in theirs if "perron/claire/" in line or "perron/front-door/" in line]
    assert "homeassistant" in account_names(house(tom=tom))


def test_home_assistant_hears_the_orders_to_its_cover_and_nobody_elses() -> None:
    for address in ("cover.garage", "homeassistant/cover/garage"):
        opener = {"kind": "cover", "vendor": "homeassistant", "address": address, "reverses": True, "beam": False}
        home = house(opener=opener, front_lock={"kind": "lock", "vendor": "somfy", "address": "io://1"},
                     tom={"kind": "presence", "vendor": "homeassistant", "address": "person.tom"})  # fmt: skip
        orders = [line for line in rights(home, "homeassistant") if line.endswith("/set") and "/ha/" not in line]
        assert orders == ["read perron/opener/set"]


def test_two_hubs_below_one_word_have_two_accounts_for_each_connects_by_itself() -> None:
    home = house(
        front={"kind": "lock", "vendor": "nukihub", "address": "nuki/front"},
        garage={"kind": "lock", "vendor": "nukihub", "address": "nuki/garage"},
        hall={"kind": "scanner", "vendor": "proglove", "address": "shop/gateway/PG1/SN1"},
        porch={"kind": "lock", "vendor": "zwave", "address": "zwave/5"},
    )
    assert bridge_topics(home) == {
        "nuki-front": ("nuki/front",),
        "nuki-garage": ("nuki/garage",),
        "shop-gateway-pg1": ("shop/gateway/PG1",),
        "zwave": ("zwave",),
    }


@pytest.mark.parametrize(
    ("kind", "address", "is_read"),
    [
        ("speaker", "media_player.door", True),
        ("cover", "cover.garage", True),
        ("fridge", "sensor.fridge", False),
        ("presence", "person.anna", False),
    ],
)
def test_home_assistant_reads_what_it_is_to_carry_out_and_nothing_else(
    kind: str, address: str, *, is_read: bool
) -> None:
    more: dict[str, object] = {"reverses": True, "beam": False} if kind == "cover" else {}
    home = house(thing={"kind": kind, "vendor": "homeassistant", "address": address, **more})
    assert ("read perron/thing/set" in rights(home, "homeassistant")) is is_read
