"""The generated configuration under attack, shown by what the other side received."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import aiomqtt
import pytest
from pydantic import ValidationError

from devices.vendors.words import TopicSuffix
from gateway.config.devices import ScannerDevice
from gateway.config.home import Home
from gateway.mqtt.mosquitto.provisioning import RunningBroker, free_port, private_broker
from tests.gateway.callers import account_session, collect_until, publish_reason_code, raw_client

DENIED = 0x87  # MQTT 5: not authorised
FORGED = b"forged"
SHARED = ("zigbee2mqtt/#", "frigate/#", "homeassistant/#", "homeassistant_statestream/#")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A house with bridges on its broker, and the owner's Home Assistant."""
    return Home.model_validate(
        {
            "box": "test-box",
            "name": "A house",
            "broker": {
                "port": free_port(),
                "password_file": tmp_path / "broker" / "gateway.password",
                "bridges": ("zigbee2mqtt", "frigate", "homeassistant_statestream"),
            },
            "devices": {
                "front-lock": {"kind": "lock", "vendor": "somfy", "address": "io://1"},
                "front-door": {"kind": "door", "vendor": "somfy", "address": "io://2"},
            },
            "entrances": {},
        }
    )


@pytest.fixture
async def broker(home: Home, tmp_path: Path) -> AsyncIterator[RunningBroker]:
    async with private_broker(tmp_path / "broker", home) as broker:
        assert broker.kind == "mosquitto"
        yield broker


async def heard_by_the_others(home: Home, attack: Sequence[tuple[str, str]]) -> set[str]:
    """Let each account publish on each topic, retained and live; tell what bridges and devices received of it."""
    victims = ("gateway", "zigbee2mqtt", "frigate", "homeassistant", "front-lock", "front-door")
    forged = set()
    async with contextlib.AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(account_session(home, v, "perron/#", *SHARED)) for v in victims]
        for account, topic in attack:
            name = account if account not in victims else None
            speaker = (
                await stack.enter_async_context(account_session(home, account))
                if name is not None
                else ears[victims.index(account)]
            )
            assert await publish_reason_code(speaker, topic, FORGED) == DENIED, (account, topic)
        gateway, bridge = ears[0], ears[1]
        for topic in ("perron/front-lock/set", "perron/front-door/set"):
            await publish_reason_code(gateway, topic, b"marker")
        for topic, speaker in (("zigbee2mqtt/marker", bridge), ("frigate/marker", ears[2]),
                               ("perron/ha/front/state", gateway)):  # fmt: skip
            await publish_reason_code(speaker, topic, b"marker")
        for ear in ears:
            forged |= {i.topic for i in await collect_until(ear, b"marker") if i.payload == FORGED}
    late = [await _kept(home, victim) for victim in victims]
    return forged.union(*late)


async def _kept(home: Home, victim: str) -> set[str]:
    """What somebody who comes later is handed of the forgeries."""
    async with account_session(home, victim, "perron/#", *SHARED) as ear:
        return {i.topic for i in await collect_until(ear, b"marker") if i.payload == FORGED}


@pytest.mark.slow
async def test_what_another_says_is_said_by_nobody_else_neither_live_nor_retained(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.pid > 0
    spoofed = [
        ("front-door", "perron/front-lock/state"),
        ("front-door", "perron/front-lock/result"),
        ("front-lock", "zigbee2mqtt/front-door"),
        ("front-lock", "zigbee2mqtt/bridge/state"),
        ("zigbee2mqtt", "frigate/available"),
        ("zigbee2mqtt", "perron/front-door/state"),
        ("zigbee2mqtt", "homeassistant_statestream/sensor/fridge/state"),
        ("homeassistant", "perron/front-lock/state"),
        ("homeassistant", "perron/ha/front/state"),
        ("homeassistant", "zigbee2mqtt/front-door"),
        ("installer", "zigbee2mqtt/front-door"),
        ("observer", "zigbee2mqtt/bridge/state"),
        ("retailer", "perron/deliveries/result"),
        ("frigate", "perron/bridge/state"),
        ("zigbee2mqtt", "homeassistant/status"),
    ]
    assert await heard_by_the_others(home, spoofed) == set()


@pytest.mark.slow
async def test_a_command_is_given_by_the_gateway_alone_and_a_retained_one_waits_for_nobody(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.pid > 0
    commands = [
        ("front-door", "perron/front-lock/set"),
        ("front-lock", "perron/front-lock/set"),
        ("zigbee2mqtt", "perron/front-lock/set"),
        ("homeassistant", "perron/front-lock/set"),
        ("homeassistant", "zigbee2mqtt/front-lock/set"),
        ("homeassistant", "perron/entrance/front/set"),
        ("homeassistant", "perron/ha/front/more/set"),
        ("owner", "perron/front-lock/set"),
        ("installer", "perron/front-lock/set"),
        ("installer", "zigbee2mqtt/bridge/request/permit_join"),
        ("retailer", "perron/front-lock/set"),
    ]
    assert await heard_by_the_others(home, commands) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "password"),
    [(None, None), ("gateway", None), ("gateway", "guess"), ("gateway", "of:front-lock"), ("nobody", "of:front-lock")],
)
async def test_who_has_no_account_or_not_its_password_does_not_come_in_and_nobody_hears_him(
    home: Home, broker: RunningBroker, name: str | None, password: str | None
) -> None:
    assert broker.pid > 0
    if password is not None and password.startswith("of:"):
        password = home.broker.account(password[3:]).password()
    async with account_session(home, "gateway", "perron/#") as gateway:
        with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authori[sz]ed|bad user name"):
            async with aiomqtt.Client(home.broker.host, home.broker.port, username=name, password=password,
                                      protocol=aiomqtt.ProtocolVersion.V5) as intruder:  # fmt: skip
                await intruder.publish("perron/front-lock/state", FORGED, qos=1, retain=True)
        await publish_reason_code(gateway, "perron/bridge/state", b"marker")
        assert [i.payload for i in await collect_until(gateway, b"marker")] == [b"marker"]


@pytest.mark.slow
async def test_no_will_speaks_for_another_when_its_client_dies(home: Home, broker: RunningBroker) -> None:
    assert broker.pid > 0
    wills = {"front-door": "perron/front-lock/state", "front-lock": "zigbee2mqtt/bridge/state",
             "zigbee2mqtt": "perron/front-lock/set", "homeassistant": "perron/entrance/front/set",
             "frigate": "frigate/available"}  # fmt: skip
    async with (
        account_session(home, "gateway", "perron/#") as gateway,
        account_session(home, "installer", "perron/#", *SHARED) as ears,
    ):
        for account, topic in wills.items():
            will = aiomqtt.Will(topic, FORGED, qos=1, retain=True)
            with contextlib.suppress(aiomqtt.MqttError):
                async with raw_client(home, account, will=will) as client:
                    dying = cast("socket.socket", client._client.socket())  # noqa: SLF001 - it dies without a word
                    dying.shutdown(socket.SHUT_RDWR)
                    await anext(client.messages)
        async with asyncio.timeout(30):
            while (await ears.receive()).topic != "frigate/available":  # the last one, and its own: that is carried out
                pass
        await publish_reason_code(gateway, "perron/bridge/state", b"marker")
        assert [i.payload for i in await collect_until(gateway, b"marker")] == [b"marker"]
        assert [i.payload for i in await collect_until(ears, b"marker")] == [b"marker"]


@pytest.mark.slow
async def test_who_takes_the_gateways_client_id_is_still_himself_and_inherits_nothing(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.pid > 0
    async with (
        account_session(home, "gateway", "perron/#") as gateway,
        raw_client(home, "front-door", identifier="gateway", clean_start=False) as thief,
    ):
        await thief.subscribe("perron/#", qos=1)
        for device in ("front-lock", "front-door"):
            await publish_reason_code(gateway, f"perron/{device}/set", b"order")
        async with asyncio.timeout(30):
            first = await anext(thief.messages)
        assert first.topic.value == "perron/front-door/set", "the other device's was not handed to him"
        await publish_reason_code(gateway, "perron/bridge/state", b"marker")
        assert [i.payload for i in await collect_until(gateway, b"marker")] == [b"order", b"order", b"marker"], (
            "still there"
        )


@pytest.mark.slow
async def test_what_is_too_large_reaches_nobody_and_ends_only_its_senders_connection(tmp_path: Path) -> None:
    home = Home.model_validate(
        {
            "box": "b",
            "name": "n",
            "broker": {"port": free_port(), "password_file": tmp_path / "broker" / "gateway.password"},
            "devices": {"front-lock": {"kind": "lock", "vendor": "somfy", "address": "io://1"}},
            "entrances": {},
        }
    )
    async with private_broker(tmp_path / "broker", home), account_session(home, "gateway", "perron/#") as gateway:
        async with raw_client(home, "front-lock") as lock:
            sending = asyncio.create_task(lock.publish("perron/front-lock/state", b"x" * 100_000, qos=1, retain=True))
            with pytest.raises(aiomqtt.MqttError):
                await anext(lock.messages)
            sending.cancel()
        await publish_reason_code(gateway, "perron/bridge/state", b"marker")
        assert [i.payload for i in await collect_until(gateway, b"marker")] == [b"marker"]
        async with account_session(home, "observer", "perron/#") as late:
            assert [i.payload for i in await collect_until(late, b"marker")] == [b"marker"], "nothing was kept of it"


@pytest.mark.slow
async def test_a_brand_is_told_of_its_own_deliveries_and_hears_nothing_of_anothers(tmp_path: Path) -> None:
    accounts = {"port": free_port(), "password_file": tmp_path / "broker" / "gateway.password"}
    brands = {"books": {"name": "Books", "keys": ()}, "farm": {"name": "Farm", "keys": ()}}
    home = Home.model_validate(
        {"box": "b", "name": "n", "broker": accounts, "devices": {}, "entrances": {}, "brands": brands}
    )
    async with (
        private_broker(tmp_path / "broker", home),
        account_session(home, "gateway", "perron/#") as gateway,
        account_session(home, "retailer-books", "perron/#") as books,
        account_session(home, "retailer-farm", "perron/#") as farm,
    ):
        for topic, said in (("result/farm", b"farm"), ("result", b"farm"), ("result/books", b"marker")):
            await publish_reason_code(gateway, f"perron/deliveries/{topic}", said)
        assert [i.payload for i in await collect_until(books, b"marker")] == [b"marker"]
        await publish_reason_code(gateway, "perron/deliveries/result/farm", b"marker")
        assert [i.payload for i in await collect_until(farm, b"marker")] == [b"farm", b"marker"]
        assert await publish_reason_code(books, "perron/deliveries/offer", b"offer") == 0
        for topic in ("result/farm", "result/books", "result"):
            assert await publish_reason_code(books, f"perron/deliveries/{topic}", FORGED) == DENIED


@pytest.mark.slow
async def test_no_shared_or_system_subscription_listens_in_on_another(home: Home, broker: RunningBroker) -> None:
    assert broker.pid > 0
    async with (
        raw_client(home, "front-door") as thief,
        account_session(home, "gateway") as gateway,
        account_session(home, "front-lock", "perron/front-lock/set") as lock,
    ):
        for topic in ("$share/all/#", "$share/all/perron/front-lock/set", "$SYS/#", "perron/+/set"):
            await thief.subscribe(topic, qos=1)
        for _ in range(4):  # a shared subscription takes turns: none of them may come to the thief
            await publish_reason_code(gateway, "perron/front-lock/set", b"order")
        await publish_reason_code(gateway, "perron/front-lock/set", b"marker")
        assert [i.payload for i in await collect_until(lock, b"marker")] == [b"order"] * 4 + [b"marker"]
        await publish_reason_code(gateway, "perron/front-door/set", b"his own")
        async with asyncio.timeout(30):
            assert (await anext(thief.messages)).payload == b"his own"


async def test_a_space_at_a_topic_s_end_would_make_it_another_s_and_no_house_has_one(
    home: Home, tmp_path: Path
) -> None:
    document = home.model_dump(mode="json")
    document["devices"]["scanner"] = {"kind": "scanner", "vendor": "scanner", "topics": {"event": "shop/scan "}}
    with pytest.raises(ValidationError, match=r"topics\.event"):
        Home.model_validate_json(json.dumps(document))
    # What mosquitto makes of it: it takes the spaces off the end of each line of its access list.
    scanner = ScannerDevice.model_construct(
        kind="scanner", vendor="scanner", address="", topics={TopicSuffix.EVENT: "shop/scan "}, keys={}
    )
    unsafe = home.model_copy(update={"devices": {**home.devices, "scanner": scanner}})
    async with private_broker(tmp_path / "broker", unsafe), account_session(unsafe, "scanner") as visitor:
        assert await publish_reason_code(visitor, "shop/scan") != DENIED
