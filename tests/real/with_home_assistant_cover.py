"""A real Home Assistant with a garage door of its own, at a broker with Perron's accounts and access list.

Run by `make test-homeassistant`, as `with_home_assistant.py`.
"""

import asyncio
import contextlib
import re
import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from devices.commands import LockDoor, QueryState, UnlockDoor
from devices.reports import CorrelationReport, GarageDoorReport, GarageDoorState, Report
from devices.vendors import homeassistant
from devices.vendors.words import TopicSuffix
from gateway.config.broker_acl import access_list, account_names
from gateway.config.home import Home
from gateway.config.topics import HOMEASSISTANT_STATUS_TOPIC, TopicMap, device_topic
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import InboundMessage
from gateway.system.mqtt_settings import BrokerSection
from tests.gateway.domain.delivery.shop import NOW
from tests.mosquitto import mosquitto
from tests.real.home_assistant import HomeAssistant, home_assistant
from tests.waiting import wait_until

DOCS = Path(__file__).parents[2] / "docs" / "installer" / "garage.md"
COVER, MOTOR = "cover.garage_door", "input_boolean.garage_is_up"
ENTITIES = """
input_boolean:
  garage_is_up:
template:
  - cover:
      - name: Garage door
        device_class: garage
        state: "{{ 'open' if is_state('input_boolean.garage_is_up', 'on') else 'closed' }}"
        open_cover: {action: input_boolean.turn_on, target: {entity_id: input_boolean.garage_is_up}}
        close_cover: {action: input_boolean.turn_off, target: {entity_id: input_boolean.garage_is_up}}
mqtt_statestream:
  base_topic: homeassistant
  include:
    entities: [cover.garage_door]
automation:
"""
ANSWER = """\
- alias: Perron asks where the garage door is
  triggers:
    - trigger: mqtt
      topic: perron/garage-asked/get
  actions:
    - action: mqtt.publish
      data:
        topic: perron/garage-asked/result
        qos: 1
        payload: >-
          {{ {'echo': trigger.payload, 'state': states('cover.garage_door')} | to_json }}
"""
OPENER = {"kind": "cover", "vendor": "homeassistant", "reverses": True, "beam": False}
HOME = Home.model_validate(
    {
        "box": "b", "name": "n", "entrances": {},
        "devices": {
            "garage-opener": {**OPENER, "address": "homeassistant/cover/garage_door"},
            "garage-asked": {**OPENER, "address": COVER},
            "front-lock": {"kind": "lock", "vendor": "somfy", "address": "io://1"},
        },
    }
)  # fmt: skip


def documented() -> str:
    """The automation that the installer's page shows, as configuration.yaml takes it."""
    page = DOCS.read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n# Home Assistant\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return textwrap.indent(block + ANSWER, "  ")


@dataclass
class Garage:
    """Home Assistant, and a gateway's account that hears and commands it."""

    ha: HomeAssistant
    mqtt: MqttClient
    said: list[tuple[str, InboundMessage, tuple[Report, ...]]]

    def command(self, kind: type[UnlockDoor | LockDoor]) -> None:
        """Send the order as the gateway does."""
        section = HOME.devices["garage-opener"]
        order = kind(id="v", intent="v", issued_at=NOW.utc, expires_at=NOW.utc)
        letter = homeassistant.encode_command(order, section.device_ref)
        self.mqtt.publish(device_topic(HOME, "garage-opener", letter.suffix), letter.payload, expiry=5)

    def heard(self, device: str, after: int = 0) -> list[Report]:
        """What a device said live."""
        return [
            report
            for name, message, reports in self.said[after:]
            if name == device and not message.retain
            for report in reports
        ]


@contextlib.asynccontextmanager
async def garage(folder: Path) -> AsyncIterator[Garage]:
    accounts = dict.fromkeys(account_names(HOME, homeassistant=True), "word")
    folder.joinpath("word").write_text("word", encoding="utf-8")
    async with mosquitto(accounts, access_list(HOME, homeassistant=True)) as broker:
        said: list[tuple[str, InboundMessage, tuple[Report, ...]]] = []
        born = asyncio.Event()

        def on_message(message: InboundMessage) -> None:
            if (message.topic, message.payload) == (HOMEASSISTANT_STATUS_TOPIC, b"online"):
                born.set()  # only then does it hear what is sent to it
            for device in ("garage-opener", "garage-asked"):
                for channel in (TopicSuffix.STATE, TopicSuffix.RESULT):
                    if device_topic(HOME, device, channel) == message.topic:
                        device_ref = HOME.devices[device].device_ref
                        reports = homeassistant.decode_report(channel, message.payload, device_ref)
                        said.append((device, message, reports))

        mqtt = client_of(BrokerSection(port=broker.port, password_file=folder / "word"), on_message)
        running = asyncio.create_task(mqtt.run())
        try:
            more = ENTITIES + documented()
            async with home_assistant(folder / "hass", broker=broker.port, password="word", more=more) as ha:  # noqa: S106 - of this test's own broker
                async with asyncio.timeout(60):
                    await born.wait()
                yield Garage(ha, mqtt, said)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def client_of(broker: BrokerSection, on_message: Callable[[InboundMessage], None]) -> MqttClient:
    """A client that is subscribed as the gateway is."""
    return MqttClient(
        broker=broker, subscriptions=TopicMap(HOME).subscriptions, on_message=on_message,
        on_up=lambda _session: None, on_down=lambda _why: None, on_missed=lambda _topic: None,
        monotonic=asyncio.get_running_loop().time,
    )  # fmt: skip


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Garage]:
    async with garage(tmp_path) as made:
        await made.ha.until(COVER, "closed")
        yield made


async def test_a_garage_door_of_home_assistant_goes_up_and_down_by_the_automation_of_the_docs(there: Garage) -> None:
    opened, closed = (GarageDoorReport(cover=state) for state in (GarageDoorState.OPEN, GarageDoorState.CLOSED))
    there.command(UnlockDoor)
    await there.ha.until(MOTOR, "on")
    await wait_until(lambda: opened in there.heard("garage-opener"))
    after = len(there.said)
    there.command(LockDoor)
    await there.ha.until(MOTOR, "off")
    await wait_until(lambda: closed in there.heard("garage-opener", after))


async def test_a_word_that_is_no_order_moves_nothing_and_nobody_else_s_orders_are_heard(there: Garage) -> None:
    for word in (b"STOP", b"open", b"", b"OPEN "):
        there.mqtt.publish(device_topic(HOME, "garage-opener", TopicSuffix.SET), word)
    there.mqtt.publish("perron/front-lock/set", b"OPEN")
    await asyncio.sleep(1.0)
    assert await there.ha.state(MOTOR) == "off"


async def test_asked_it_answers_with_the_question_s_mark(there: Garage) -> None:
    letter = homeassistant.encode_command(QueryState(echo="1:7"), HOME.devices["garage-asked"].device_ref)
    there.mqtt.publish(device_topic(HOME, "garage-asked", letter.suffix), letter.payload)
    wanted = [CorrelationReport(echo="1:7"), GarageDoorReport(cover=GarageDoorState.CLOSED)]
    await wait_until(lambda: there.heard("garage-asked") == wanted)


async def test_what_it_streamed_before_is_known_to_be_of_before(there: Garage) -> None:
    there.command(UnlockDoor)
    await wait_until(lambda: there.heard("garage-opener"))
    stored: list[InboundMessage] = []
    again = client_of(there.mqtt.broker.model_copy(update={"username": "observer"}), stored.append)
    running = asyncio.create_task(again.run())
    try:
        await wait_until(lambda: [one for one in stored if one.topic == "homeassistant/cover/garage_door/state"])
        assert all(one.retain for one in stored if one.topic == "homeassistant/cover/garage_door/state")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
