"""A home with a lock of the vendor `acme`, in each part of Perron that treats vendors differently."""

from pathlib import Path

import pytest

from devices.commands import QueryState
from devices.simulators.house import SimulatedHouse
from devices.vendors.words import TopicSuffix
from gateway.cli.schema import ConfigFile, json_schema
from gateway.cli.simulation import plan_house
from gateway.config.broker_acl import access_list
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.config.topics import DeviceOrigin, TopicMap, bridge_base_topic, device_topic
from gateway.integrations.lock_guard.file import RadioLock
from gateway.runtime.adapters.batteries import battery_role
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.system.config_section import ConfigError
from gateway.web.pages.add_device_form import FORM_FIELDS

EXAMPLE = Path(__file__).parents[3] / "config" / "home.yaml"
SOMFY = "vendor: somfy\n    address: io://1234-5678-3293/5770898\n    guarded: true "
ACME = "vendor: acme\n    address: acme/front\n    unlatch: true\n    guarded: false"


def load(folder: Path, lock: str) -> Home:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert SOMFY in text
    file = folder / "home.yaml"
    file.write_text(text.replace(SOMFY, lock), encoding="utf-8")
    return load_home_file(file)


def check_all(folder: Path) -> None:
    check_configuration(folder)
    home = load(folder, ACME)
    check_broker(home)
    rules = entrance_rules(home, "front")
    assert (rules.closures[0].command_hold, rules.closures[0].guarded) == (77.0, False)
    assert battery_role(home, "front", "front-lock", TopicSuffix.BATTERY) == "lock"
    assert RadioLock(vendor="acme", address="acme/front").supports(QueryState())
    house = SimulatedHouse.model_validate(plan_house(home))
    assert house.devices["front-lock"].vendor == "acme"


def check_configuration(folder: Path) -> None:
    with pytest.raises(ConfigError, match="an address of Acme has two levels"):
        load(folder, ACME.replace("acme/front", "acme"))
    with pytest.raises(ConfigError, match="guarded must be false: a lock of the vendor acme"):
        load(folder, ACME.replace("false", "true"))
    lock = json_schema(ConfigFile.HOME)["$defs"]["LockDevice"]["properties"]
    assert "acme" in lock["vendor"]["enum"]
    assert "acme" in FORM_FIELDS["lock"][0].choices


def check_broker(home: Home) -> None:
    assert device_topic(home, "front-lock", TopicSuffix.SET) == "acme/front/set"
    assert TopicMap(home).origin("acme/front/state") == DeviceOrigin(devices=("front-lock",), channel=TopicSuffix.STATE)
    assert bridge_base_topic(home, "front-lock") == "acme/front"
    access = access_list(home)
    assert "user acme-front\ntopic readwrite acme/front/#" in access
    assert "topic write acme/front/set" in access
