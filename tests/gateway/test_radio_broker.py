"""The radio's own broker: the guard alone moves a lock there, and nobody from outside the machine comes near it."""

import socket
from pathlib import Path

import aiomqtt
import pytest

from gateway.config.broker_acl import radio_access_list
from gateway.system.mqtt_settings import BrokerSection
from tests.gateway.callers import collect_until, open_session, publish_reason_code
from tests.mosquitto import Mosquitto, radio

DENIED = 0x87  # MQTT 5: not authorised


def of(broker: Mosquitto, folder: Path, account: str) -> BrokerSection:
    return BrokerSection(port=broker.port, username=account, password_file=folder / f"{account}.password")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("account", "topic", "allowed"),
    [
        ("guard", "zigbee2mqtt/front lock/set", True),
        ("guard", "zigbee2mqtt/front lock/get", True),
        ("guard", "zigbee2mqtt/hall/front lock/set", True),  # a friendly name may have a slash in it
        ("guard", "zigbee2mqtt/front lock", False),  # what a device says only the bridge says
        ("guard", "zigbee2mqtt/bridge/request/device/remove", False),
        ("guard", "zigbee2mqtt/bridge/state", False),
        ("guard", "perron/front-lock/state", False),
        ("bridge", "zigbee2mqtt/front lock", True),
        ("bridge", "zigbee2mqtt/bridge/devices", True),
        ("bridge", "homeassistant/lock/front/config", False),
    ],
)
async def test_the_guard_commands_the_bridge_tells_and_neither_does_the_others_part(
    tmp_path: Path, account: str, topic: str, *, allowed: bool
) -> None:
    async with (
        radio(tmp_path) as broker,
        open_session(of(broker, tmp_path, "bridge"), "zigbee2mqtt/#") as bridge,
        open_session(of(broker, tmp_path, "guard"), "zigbee2mqtt/#") as guard,
    ):
        speaker = guard if account == "guard" else bridge
        code = await publish_reason_code(speaker, topic, b"said")
        assert code == (0 if allowed else DENIED)
        await publish_reason_code(bridge, "zigbee2mqtt/marker", b"marker")
        for ears in (bridge, guard):
            assert (b"said" in [i.payload for i in await collect_until(ears, b"marker")]) is allowed


@pytest.mark.slow
async def test_nobody_else_comes_in_and_the_bridges_long_list_of_devices_does(tmp_path: Path) -> None:
    async with radio(tmp_path) as broker:
        for name, password in ((None, None), ("gateway", "x"), ("guard", broker.accounts["bridge"])):
            with pytest.raises(aiomqtt.MqttError):
                async with aiomqtt.Client(broker.host, broker.port, username=name, password=password,
                                          protocol=aiomqtt.ProtocolVersion.V5):  # fmt: skip
                    pass
        async with (
            aiomqtt.Client(broker.host, broker.port, username="bridge", password=broker.accounts["bridge"]) as bridge,
            aiomqtt.Client(broker.host, broker.port, username="guard", password=broker.accounts["guard"]) as guard,
        ):  # as Zigbee2MQTT comes by default: MQTT 3.1.1
            await guard.subscribe("zigbee2mqtt/#", qos=1)
            await bridge.publish("zigbee2mqtt/bridge/devices", b"x" * 1_000_000, qos=1, retain=True)
            assert len((await anext(guard.messages)).payload) == 1_000_000


@pytest.mark.slow
async def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    async with radio(tmp_path) as broker:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", broker.port), timeout=2)  # an address of this machine as any other
        assert [line for line in (tmp_path / "mosquitto.conf").read_text().splitlines()
                if line.startswith("listener")] == [f"listener {broker.port} 127.0.0.1"]  # fmt: skip


def test_its_access_list_names_two_accounts_and_the_base_topic_only() -> None:
    lines = radio_access_list("home/zwave").splitlines()
    assert [line for line in lines if line.startswith("user")] == ["user guard", "user bridge"]
    assert all("home/zwave/" in line for line in lines if line.startswith("topic"))
    assert not [line for line in lines if line.startswith("pattern")]
