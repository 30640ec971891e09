"""A reed of one's own that can be asked: the firmware we give, at a real broker, and what its answers prove."""

import asyncio
import re
from pathlib import Path

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.commands import QueryState
from devices.reports import CorrelationReport, DoorReport, DoorState
from devices.vendors import esphome
from devices.vendors.words import DeviceRef, TopicSuffix
from tests.mosquitto import Mosquitto, mosquitto

FIRMWARE = Path(__file__).parents[3] / "config" / "esphome" / "door.yaml"
ACL = "user gateway\ntopic readwrite perron/#\nuser front-door\ntopic readwrite perron/front-door/#\n"
PATIENCE = 30.0


def _answer(mark: str, *, closed: bool) -> str:
    """What the firmware's C++ returns: the literals of its one `return`, with the mark and the door in their places."""
    text = FIRMWARE.read_text(encoding="utf-8")
    (expression,) = re.findall(r"return (.*);", text)
    out = ""
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|\([^)]*\)|\bx\b', expression):
        if part == "x":
            out += mark
        elif part.startswith("("):
            yes, no = re.findall(r'"(\w+)"', part)
            assert part.startswith("(closed ?")
            out += yes if closed else no
        else:
            out += part[1:-1].replace('\\"', '"')
    return out


def test_the_firmware_answers_with_the_mark_of_the_question_and_what_the_pin_says() -> None:
    for closed, door in ((True, DoorState.CLOSED), (False, DoorState.OPEN)):
        answer = _answer("12:7", closed=closed).encode()
        said = (CorrelationReport(echo="12:7"), DoorReport(door=door))
        assert esphome.decode_report(TopicSuffix.RESULT, answer) == said
        assert esphome.answer(DoorReport(door=door), "12:7").payload == answer


def test_the_firmware_speaks_on_the_topics_of_its_id_and_takes_no_late_question() -> None:
    text = FIRMWARE.read_text(encoding="utf-8").replace("${device}", "front-door")
    topics = set(re.findall(r"perron/front-door/\w+", text))
    assert topics == {f"perron/front-door/{word}" for word in ("state", "availability", "get", "result")}
    assert "clean_session: true" in text
    assert "pullup: true" in text  # a cut wire looks open


def _client(broker: Mosquitto, account: str, protocol: aiomqtt.ProtocolVersion) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host, broker.port, username=account, password=broker.accounts[account], protocol=protocol
    )


async def test_an_answer_is_tied_to_its_question_though_the_device_speaks_the_older_mqtt() -> None:
    async with mosquitto({"gateway": "g", "front-door": "d"}, ACL) as broker, asyncio.timeout(PATIENCE):
        firmware = _client(broker, "front-door", aiomqtt.ProtocolVersion.V311)
        gateway = _client(broker, "gateway", aiomqtt.ProtocolVersion.V5)
        async with firmware, gateway:
            await firmware.subscribe("perron/front-door/get", qos=1)
            await gateway.subscribe("perron/front-door/result", qos=1)
            question = esphome.encode_command(QueryState(echo="12:7"), DeviceRef())
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho leaves it untyped
            properties.CorrelationData = b"12:7"
            await gateway.publish("perron/front-door/get", question.payload, qos=1, properties=properties)
            asked = await anext(aiter(firmware.messages))
            assert asked.properties is None  # the older MQTT carries nothing beside the payload
            assert isinstance(asked.payload, bytes)
            await firmware.publish("perron/front-door/result", _answer(asked.payload.decode(), closed=True), qos=1)
            answer = await anext(aiter(gateway.messages))
            assert getattr(answer.properties, "CorrelationData", None) is None
            assert isinstance(answer.payload, bytes)
            assert CorrelationReport(echo="12:7") in esphome.decode_report(TopicSuffix.RESULT, answer.payload)
