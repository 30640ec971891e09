"""Accounts at the house's own broker: made for a device that is accepted, without a restart, and told to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.vendors import VENDORS
from gateway.config.devices import DoorDevice
from gateway.config.home import Home
from gateway.mqtt.mosquitto import accounts, provisioning
from gateway.mqtt.mosquitto.provisioning import RunningBroker, free_port, private_broker
from gateway.system.mosquitto import BrokerListener
from gateway.system.regular_file import read_text
from tests.gateway.callers import account_session, publish_reason_code
from tests.gateway.mqtt.mosquitto.test_provisioning import house

ACCEPTED = 0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return house(tmp_path / "broker", free_port())


@pytest.fixture
async def broker(home: Home, tmp_path: Path) -> AsyncIterator[RunningBroker]:
    async with private_broker(tmp_path / "broker", home) as broker:
        yield broker


def with_sensor(home: Home) -> Home:
    sensor = DoorDevice.model_validate({"kind": "door", "vendor": "esphome"})
    return home.model_copy(update={"devices": {**home.devices, "back-door": sensor}})


def in_network(home: Home, folder: Path) -> None:
    """The broker is reached from the network by TLS."""
    beyond = BrokerListener(host="0.0.0.0", port=8883, tls=True)  # noqa: S104 - by TLS
    provisioning.write_house(
        folder, home, host="127.0.0.1", port=home.broker.port, lan_listener=beyond, names=["192.168.1.20"]
    )


def test_a_device_is_told_the_address_of_the_network_and_the_authority(home: Home, tmp_path: Path) -> None:
    in_network(home, tmp_path / "broker")
    access = accounts.broker_access(home, "front-lock")
    assert (access.port, access.user, access.topic) == (8883, "front-lock", "perron/front-lock")
    assert access.password == read_text(tmp_path / "broker" / "front-lock.password").strip()
    for vendor, told in (
        ("esphome", "mqtt_password: "),
        ("zigbee2mqtt", "  server: mqtts://"),
        ("nukihub", "Password: "),
    ):
        block = VENDORS[vendor].DEFINITION.settings(access)
        assert told in block
        assert access.password in block
    assert "BEGIN CERTIFICATE" in VENDORS["esphome"].DEFINITION.settings(access)


def test_new_accounts_keep_listeners_names_and_every_password(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    in_network(home, folder)
    before = {file.name: file.read_text() for file in folder.glob("*.password")}
    conf = (folder / "mosquitto.conf").read_text()
    assert accounts.update_accounts(with_sensor(home))
    assert accounts.has_password(home, "back-door")
    assert before.items() <= {file.name: file.read_text() for file in folder.glob("*.password")}.items()
    assert (folder / "mosquitto.conf").read_text() == conf


def test_a_broker_that_perron_did_not_write_is_left_alone(home: Home, tmp_path: Path) -> None:
    assert not accounts.update_accounts(home), "there is none"
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "mosquitto.conf").write_text("listener 1883")
    assert not accounts.update_accounts(home)
    assert [file.name for file in folder.iterdir()] == ["mosquitto.conf"]


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_a_running_broker_lets_a_new_device_in_without_a_restart_and_a_former_password_out(home: Home) -> None:
    house = with_sensor(home)
    async with account_session(home, "front-lock") as known:
        assert accounts.update_accounts(house)
        async with account_session(house, "back-door") as device:
            assert await publish_reason_code(device, "perron/back-door/state", b"{}") in (ACCEPTED, 16)
        assert await publish_reason_code(known, "perron/front-lock/state", b"{}") in (ACCEPTED, 16)
    former = read_text(house.broker.account("back-door").password_file or Path())
    assert accounts.renew_password(house, "back-door")
    assert read_text(house.broker.account("back-door").password_file or Path()) != former
