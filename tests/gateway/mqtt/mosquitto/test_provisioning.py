"""Who may log in and who may say what, shown by what the other side received."""

import asyncio
import base64
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import aiomqtt
import pytest

from gateway.config.broker_acl import access_list
from gateway.config.home import Home
from gateway.mqtt.mosquitto import provisioning as broker_module
from gateway.mqtt.mosquitto.provisioning import (
    BrokerMissing,
    RunningBroker,
    free_port,
    is_listening,
    keep_broker,
    private_broker,
    write_house,
)
from gateway.mqtt.packets import InboundMessage
from gateway.system.mosquitto import PBKDF2_ITERATIONS, BrokerListener, broker_user, configuration, password_line
from tests.gateway.callers import TIMEOUT_S, account_session, collect_until, publish_reason_code, raw_client
from tests.processes import process_with
from tests.waiting import wait_until

QUIET = 0.5  # seconds in which a will that the broker carries out has come
DENIED = 0x87  # MQTT 5: not authorised
OWN = {"state": "barcode/front/state", "event": "barcode/front"}


def house(folder: Path, port: int) -> Home:
    return Home.model_validate(
        {
            "box": "test-box",
            "name": "A house",
            "broker": {"port": port, "password_file": folder / "gateway.password"},
            "devices": {
                "front-lock": {"kind": "lock", "vendor": "somfy", "address": "io://1"},
                "front-door": {"kind": "door", "vendor": "somfy", "address": "io://2"},
                "front-scanner": {"kind": "scanner", "vendor": "scanner", "topics": OWN},
                "front-keypad": {"kind": "keypad", "vendor": "perron"},
            },
            "entrances": {},
        }
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return house(tmp_path / "broker", free_port())


@pytest.fixture
async def broker(home: Home, tmp_path: Path) -> AsyncIterator[RunningBroker]:
    async with private_broker(tmp_path / "broker", home) as broker:
        assert broker.kind == "mosquitto"
        yield broker


@pytest.mark.slow
@pytest.mark.parametrize(
    ("account", "topic", "allowed"),
    [
        ("front-lock", "perron/front-lock/state", True),
        ("front-lock", "perron/front-lock/result", True),
        ("front-lock", "perron/front-door/state", False),  # spoofed: the door is another's
        ("front-lock", "perron/front-lock/set", False),  # no device commands itself
        ("front-lock", "perron/bridge/state", False),
        ("front-lock", "perron/entrance/front/set", False),
        ("front-scanner", "barcode/front", True),  # a product with topics of its own
        ("front-lock", "barcode/front", False),
        ("owner", "perron/entrance/front/set", True),
        ("owner", "perron/front-lock/set", False),
        ("owner", "perron/deliveries/offer", False),
        ("retailer", "perron/deliveries/offer", True),
        ("retailer", "perron/deliveries/result", False),
        ("retailer", "perron/entrance/front/set", False),
        ("observer", "perron/entrance/front/set", False),
        ("installer", "perron/front-lock/get", True),
        ("installer", "perron/front-lock/set", False),
        ("gateway", "perron/front-lock/set", True),
        ("gateway", "perron/entrance/front/state", True),
    ],
)
async def test_each_account_says_what_is_its_own_and_nothing_else(
    home: Home, broker: RunningBroker, account: str, topic: str, allowed: bool
) -> None:
    assert broker.pid > 0
    watcher = "observer" if account == "gateway" else "gateway"
    async with (
        account_session(home, account) as speaker,
        account_session(home, watcher, "perron/#", "barcode/front") as ears,
    ):
        code = await publish_reason_code(speaker, topic, b"said")
        assert (code == 0) is allowed
        assert allowed or code == DENIED
        async with account_session(home, "front-door") as marker:
            await publish_reason_code(marker, "perron/front-door/event", b"marker")
        came = await collect_until(ears, b"marker")
    assert (b"said" in [incoming.payload for incoming in came]) is allowed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("account", "heard"),
    [
        ("front-lock", {"perron/front-lock/set", "perron/front-lock/get"}),
        ("front-door", {"perron/front-door/set"}),
        ("owner", {"perron/entrance/front/state"}),
        ("retailer", {"perron/deliveries/result"}),
        ("observer", None),
        ("installer", None),
    ],
)
async def test_each_account_hears_what_is_its_own_and_nothing_else(
    home: Home, broker: RunningBroker, account: str, heard: set[str] | None
) -> None:
    assert broker.pid > 0
    topics = ["perron/front-lock/set", "perron/front-lock/get", "perron/front-door/set", "perron/entrance/front/state",
              "perron/deliveries/result", "perron/deliveries/offer"]  # fmt: skip
    pins = "perron/front-keypad/set"  # nobody but the keypad
    async with account_session(home, account, "#") as ears, account_session(home, "gateway") as gateway:
        for topic in (pins, *topics):
            assert await publish_reason_code(gateway, topic) in {0, 16}
        everything = set(topics) if heard is None else heard
        assert await publish_reason_code(gateway, min(everything), b"marker") == 0
        came = await collect_until(ears, b"marker")
    assert {incoming.topic for incoming in came[:-1]} == everything


@pytest.mark.slow
@pytest.mark.parametrize(
    ("topic", "carried_out"), [("perron/front-lock/availability", True), ("perron/front-door/state", False)]
)
async def test_a_will_is_carried_out_on_ones_own_topic_only(
    home: Home, broker: RunningBroker, topic: str, *, carried_out: bool
) -> None:
    assert broker.pid > 0
    will = aiomqtt.Will(topic, b"will", qos=1, retain=True)
    async with account_session(home, "observer", "perron/#") as ears:
        with contextlib.suppress(aiomqtt.MqttError):
            async with raw_client(home, "front-lock", will=will) as client:
                dying = cast("socket.socket", client._client.socket())  # noqa: SLF001 - it dies without a word
                dying.shutdown(socket.SHUT_RDWR)
                await anext(client.messages)
        came: list[InboundMessage] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT_S if carried_out else QUIET):
                while b"will" not in [incoming.payload for incoming in came]:
                    came.append(await ears.receive())
        async with account_session(home, "front-door") as marker:
            await publish_reason_code(marker, "perron/front-door/event", b"marker")
        came += await collect_until(ears, b"marker")
    assert ((topic, b"will") in [(i.topic, i.payload) for i in came]) is carried_out


@pytest.mark.slow
async def test_nobody_pushes_the_gateway_out_by_taking_its_client_id(home: Home, broker: RunningBroker) -> None:
    assert broker.pid > 0
    async with (
        account_session(home, "gateway", "perron/#") as gateway,
        raw_client(home, "front-lock", identifier="gateway") as thief,
    ):
        await thief.publish("perron/front-lock/event", b"here", qos=1)
        assert (await collect_until(gateway, b"here"))[-1].topic == "perron/front-lock/event"
        assert await publish_reason_code(gateway, "perron/bridge/state") == 0  # still in its own chair


@pytest.mark.slow
async def test_nobody_comes_in_without_a_password(home: Home, broker: RunningBroker) -> None:
    assert broker.pid > 0
    with pytest.raises(aiomqtt.MqttError):
        async with raw_client(home, None):
            pass


@pytest.mark.slow
async def test_a_packet_larger_than_the_limit_ends_its_senders_connection_only(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.pid > 0
    async with account_session(home, "gateway", "perron/#") as gateway:
        async with raw_client(home, "front-lock") as lock:
            sending = asyncio.create_task(lock.publish("perron/front-lock/state", b"x" * 100_000, qos=1))
            with pytest.raises(aiomqtt.MqttError):
                await anext(lock.messages)
            sending.cancel()
        assert await publish_reason_code(gateway, "perron/bridge/state") == 0


@pytest.mark.slow
async def test_nothing_survives_a_restart_of_the_private_broker(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    async with private_broker(folder, home), account_session(home, "front-lock") as lock:
        assert await publish_reason_code(lock, "perron/front-lock/state", b"kept") == 16
    async with (
        private_broker(folder, home),
        account_session(home, "observer", "perron/#") as ears,
        account_session(home, "front-lock") as lock,
    ):
        await publish_reason_code(lock, "perron/front-lock/event", b"marker")
        assert [incoming.payload for incoming in await collect_until(ears, b"marker")] == [b"marker"]


@pytest.mark.slow
async def test_the_private_broker_ends_even_when_it_stands_still(home: Home, tmp_path: Path) -> None:
    async with private_broker(tmp_path / "broker", home) as broker:
        pid = broker.pid
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.slow
async def test_the_embedded_broker_asks_for_a_password_and_admits_that_it_knows_no_access_list(
    home: Home, tmp_path: Path
) -> None:
    async with private_broker(tmp_path / "broker", home, embedded=True) as broker:
        assert broker.kind == "embedded"
        async with (
            account_session(home, "gateway", "perron/front-lock/state") as gateway,
            account_session(home, "front-lock") as lock,
        ):
            assert await publish_reason_code(lock, "perron/front-lock/state", b"hello") == 0
            assert (await collect_until(gateway, b"hello"))[-1].payload == b"hello"
        (tmp_path / "broker" / "front-lock.password").write_text("guess\n")
        with pytest.raises(ConnectionError):
            async with account_session(home, "front-lock"):
                pass


async def test_without_any_broker_a_person_is_told_what_to_install(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.system.mosquitto.mosquitto_path", lambda: None)
    monkeypatch.setattr(broker_module, "find_spec", lambda _name: None)
    with pytest.raises(BrokerMissing, match="apt install mosquitto"):
        async with private_broker(tmp_path / "broker", home):
            pass


@pytest.mark.slow
async def test_another_broker_on_our_port_is_never_taken_for_ours(home: Home, tmp_path: Path) -> None:
    async with private_broker(tmp_path / "one", home):
        with pytest.raises(BrokerMissing, match="Take another port"):
            async with private_broker(tmp_path / "two", home):
                pass


def test_a_hash_is_the_one_that_mosquitto_itself_makes(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    command = ["mosquitto_passwd", "-b", "-c", str(file), "lock", "open sesame"]
    subprocess.run(command, check=True, capture_output=True)
    theirs = file.read_text().strip()
    rounds, salt = theirs.split("$")[2], theirs.split("$")[3]
    assert rounds == str(PBKDF2_ITERATIONS)
    assert password_line("lock", "open sesame", base64.b64decode(salt)) == theirs


def test_passwords_are_kept_when_the_files_are_written_anew_and_only_their_owner_reads_them(
    home: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "accounts"
    write_house(folder, home, host="127.0.0.1", port=1883)
    first = (folder / "front-lock.password").read_text()
    write_house(folder, home, host="127.0.0.1", port=1884)
    assert (folder / "front-lock.password").read_text() == first
    assert len({file.read_text() for file in folder.glob("*.password")}) == len(list(folder.glob("*.password")))
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())


@pytest.mark.slow
async def test_a_broker_that_a_box_brings_is_started_again_when_it_dies(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    write_house(folder, home, host=home.broker.host, port=home.broker.port, user=broker_user())
    async with keep_broker(folder, home):
        first = process_with(folder / "mosquitto.conf")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await wait_until(lambda: process_with(folder / "mosquitto.conf") not in (None, first))
        await wait_until(lambda: is_listening(home.broker.host, home.broker.port))
    assert process_with(folder / "mosquitto.conf") is None, "it ends with the box"


def test_what_makes_mosquitto_2_0_21_cut_clients_off_at_random_is_not_configured(tmp_path: Path) -> None:
    text = configuration(tmp_path, [BrokerListener(host="127.0.0.1", port=1883)])
    assert not [line for line in text.splitlines() if line.startswith("max_keepalive")]


def test_the_access_list_names_a_devices_own_topics_and_no_wildcard_of_a_device(home: Home) -> None:
    text = access_list(home)
    assert "user front-scanner\ntopic write barcode/front/state\ntopic write barcode/front\n" in text
    assert "pattern write perron/%u/state" in text
    assert "user front-lock" not in text  # the patterns are enough
