"""A garage door behind the shell: whose word is heard of what, what is sent, and which house file is refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.commands import UnlockDoor
from devices.reports import (
    DoorbellPressed,
    DoorReport,
    DoorState,
    GarageDoorReport,
    GarageDoorState,
)
from devices.simulators.house import SimulatedHouse
from devices.vendors import VENDORS, esphome
from devices.vendors.words import TopicSuffix
from gateway.cli.simulation import plan_house
from gateway.config.home import Home
from gateway.config.topics import TopicMap, device_topic
from gateway.config.validation import find_problems
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import GarageDoor
from gateway.domain.visit.closures.contract import CLEAR, OBSTRUCTED
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.entrance_configuration import entrance_rules
from tests.gateway.domain.delivery.shop import NOW
from tests.house.reports import door_report, obstruction_report
from tests.shell.box import ShellBox, box
from tests.shell.house import make_home

OPENER = {"kind": "cover", "vendor": "esphome", "reverses": True, "closing": 20, "warning": 5}
SENSOR = {"kind": "door", "vendor": "esphome"}


def with_garage(
    folder: Path,
    opener: dict[str, Any] = OPENER,
    sensor: dict[str, Any] = SENSOR,
    **entrance: Any,  # noqa: ANN401 - any of a section
) -> Home:
    document = make_home(folder).model_dump(mode="json")
    document["devices"] |= {"garage-lock": opener, "garage-door": sensor}
    document["entrances"]["garage"] |= entrance
    return Home.model_validate(document, strict=False)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, with_garage(tmp_path)) as one:
        yield one


def hears(made: ShellBox, device: str, payload: bytes, channel: TopicSuffix, **properties: Any) -> list[e.Event]:  # noqa: ANN401 - of a message
    running = made.entrances["garage"]
    running.on_message(
        device, channel, InboundMessage(topic="x", payload=payload, retain=False, session=1, **properties)
    )
    inbox = running._event_queue  # noqa: SLF001 - what waits there is what was heard
    events = list(inbox)
    while inbox:
        inbox.take()
    return events


def heard(answers: int | None = None) -> e.ReportContext:
    return e.ReportContext(session=1, answers=answers)


async def test_the_sensors_word_is_the_doors_and_there_is_no_bolt_beside_it(made: ShellBox) -> None:
    made.asks("garage", "garage-door", 7)
    closed = door_report(report=DoorReport(door=DoorState.CLOSED), context=heard(7))
    answer = esphome.answer(DoorReport(door=DoorState.CLOSED), "1:7").payload
    assert hears(made, "garage-door", answer, TopicSuffix.RESULT) == [closed]
    opened = door_report(report=DoorReport(door=DoorState.OPEN), context=heard())
    assert hears(made, "garage-door", b"ON", TopicSuffix.STATE) == [opened]
    unclear = door_report(report=DoorReport(door=DoorState.UNKNOWN), context=heard())
    assert hears(made, "garage-door", b"?", TopicSuffix.STATE) == [unclear]


async def test_the_openers_own_closed_proves_nothing(made: ShellBox) -> None:
    nothing = e.SequenceAdvanced(sensor="way", context=heard())
    assert hears(made, "garage-lock", b"closed", TopicSuffix.STATE) == [nothing]
    made.asks("garage", "garage-lock", 7)
    answer = esphome.answer(GarageDoorReport(cover=GarageDoorState.CLOSED, clear=True), "1:7").payload
    assert hears(made, "garage-lock", answer, TopicSuffix.RESULT) == [
        obstruction_report(obstruction=CLEAR, context=heard(7))
    ]
    assert hears(made, "garage-lock", b"obstructed", TopicSuffix.EVENT) == [
        obstruction_report(obstruction=OBSTRUCTED, context=heard())
    ]


async def test_a_lost_sensor_takes_the_door_and_a_lost_opener_only_the_beam(made: ShellBox) -> None:
    lost = hears(made, "garage-door", b"offline", TopicSuffix.AVAILABILITY)
    assert lost[0] == e.SensorOffline(sensor="door")
    assert hears(made, "garage-lock", b"offline", TopicSuffix.AVAILABILITY)[0] == e.SensorOffline(sensor="way")


async def test_the_bell_outside_is_heard_and_any_other_cameras_is_not(made: ShellBox) -> None:
    (letter,) = VENDORS["alexa"].encode_report(DoorbellPressed(), made.home.devices["cam"].device_ref)
    assert hears(made, "cam", letter.payload, letter.suffix) == [e.BellPressed()]
    assert hears(made, "hall", letter.payload, letter.suffix) == []


async def test_each_question_goes_to_who_can_answer_it(made: ShellBox) -> None:
    hands, state = made.entrances["garage"]._executor, made.entrances["garage"].state  # noqa: SLF001 - what obeys
    for number, sensor in enumerate(("door", "way", "lock")):
        hands.perform(c.QuerySensor(sensor=sensor, session=1, number=number), state, NOW)
    asked = [(sent.topic, sent.payload) for sent in made.line.sent if sent.topic.endswith("/get")]
    assert asked == [("perron/garage-door/get", b"1:0"), ("perron/garage-lock/get", b"1:1")]


async def test_it_is_sent_down_by_its_own_command(made: ShellBox) -> None:
    hands, state = made.entrances["garage"]._executor, made.entrances["garage"].state  # noqa: SLF001 - what obeys
    hands.perform(c.Close(closure="door", visit="v", attempt=1, life=5), state, NOW)
    (sent,) = made.line.on("perron/garage-lock/set")
    assert sent.payload == b"CLOSE"
    assert sent.fields["expiry"] == 5
    assert not sent.fields.get("retain")


@pytest.mark.parametrize(
    ("vendor", "address", "topic", "words"),
    [
        ("homeassistant", "cover.garage", "perron/garage-lock/set", (b"OPEN", b"CLOSE")),
        ("homeassistant", "ha/cover/garage", "perron/garage-lock/set", (b"OPEN", b"CLOSE")),
        ("ratgdo", "garage/ratgdo", "garage/ratgdo/command/door", (b"open", b"close")),
        ("zigbee2mqtt", "zigbee2mqtt/gate", "zigbee2mqtt/gate/set", (b'{"state":"OPEN"}', b'{"state":"CLOSE"}')),
    ],
)
async def test_an_opener_of_any_maker_is_moved_in_its_words_once_and_its_beam_is_never_asked(
    tmp_path: Path, vendor: str, address: str, topic: str, words: tuple[bytes, bytes]
) -> None:
    opener = {"kind": "cover", "vendor": vendor, "address": address, "reverses": True, "beam": False}
    home = with_garage(tmp_path, opener)
    assert not [problem for problem in find_problems(home) if "garage" in problem.loc]
    async with box(tmp_path, home) as made:
        hands, state = made.entrances["garage"]._executor, made.entrances["garage"].state  # noqa: SLF001 - what obeys
        order = UnlockDoor(id="v", intent="v", issued_at=NOW.utc, expires_at=NOW.utc)
        section = made.home.devices["garage-lock"]
        letter = VENDORS[vendor].encode_command(order, section.device_ref)
        assert (device_topic(made.home, "garage-lock", letter.suffix), letter.payload) == (topic, words[0])
        hands.perform(c.Close(closure="door", visit="v", attempt=1, life=5), state, NOW)
        (sent,) = made.line.on(topic)
        assert (sent.payload, sent.fields["expiry"], sent.fields.get("retain", False)) == (words[1], 5, False)
        hands.perform(c.QuerySensor(sensor="way", session=1, number=1), state, NOW)
        assert [one.topic for one in made.line.sent] == [topic], "it has no beam that could be asked"


async def test_what_a_ratgdo_board_said_before_is_known_to_be_of_before(tmp_path: Path) -> None:
    opener = {"kind": "cover", "vendor": "ratgdo", "address": "garage/ratgdo", "reverses": True, "beam": False}
    async with box(tmp_path, with_garage(tmp_path, opener)) as made:
        topics = {one.topic: one.wants_retained for one in TopicMap(made.home).subscriptions}
        assert topics["garage/ratgdo/status/obstruction"], "else a live word could not be told from a stored one"
        running = made.entrances["garage"]
        for payload in (b"clear", b"obstructed"):
            stored = InboundMessage(topic="garage/ratgdo/status/obstruction", payload=payload, retain=True, session=1)
            running.on_message("garage-lock", TopicSuffix.BEAM, stored)
            assert list(running._event_queue) == [], "without a beam that answers nothing rests on it"  # noqa: SLF001 - nothing else shows it


def test_the_rules_know_the_opener(tmp_path: Path) -> None:
    (known,) = entrance_rules(with_garage(tmp_path), "garage").closures
    assert isinstance(known, GarageDoor)
    assert (known.obstruction_sensor, known.guarded, known.warning, known.closing) == (True, False, 5, 20)
    (without_beam,) = entrance_rules(with_garage(tmp_path, {**OPENER, "beam": False}), "garage").closures
    assert set(without_beam.sensors) == {"door"}
    (front,) = entrance_rules(with_garage(tmp_path), "front").closures
    assert front.kind == "bolted_door"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, None),
        ({"living_space": True}, "which is no lock"),
        ({"sensor": {**SENSOR, "answers": False}}, "only its answer proves that the door is closed"),
        ({"opener": {**OPENER, "reverses": False}}, "must not move unattended"),
        ({"opener": {"kind": "cover", "vendor": "esphome"}}, "Field required"),
        ({"door": "garage-lock"}, "a door is needed here"),
    ],
)
def test_a_garage_that_could_hurt_somebody_or_be_wrong_is_not_enrolled(
    tmp_path: Path, more: dict[str, Any], told: str | None
) -> None:
    try:
        found = find_problems(with_garage(tmp_path, **more))
        said = [problem.text for problem in found if "garage" in problem.loc]
    except ValueError as error:
        said = [str(error)]
    assert any(told in text for text in said) if told else said == [], said


def test_a_garage_is_simulated_as_it_is_configured_and_home_assistant_is_played_by_nobody(tmp_path: Path) -> None:
    house = with_garage(tmp_path)
    of_home_assistant = {"kind": "presence", "vendor": "homeassistant", "address": "person.claire"}
    document = house.model_dump(mode="json")
    document["devices"] = {
        **{name: document["devices"][name] for name in ("garage-lock", "garage-door")},
        "claire": of_home_assistant,
    }
    document["entrances"] = {}
    played = SimulatedHouse.model_validate(plan_house(Home.model_validate(document, strict=False)))
    assert {name: device.kind for name, device in played.devices.items()} == {
        "garage-lock": "cover",
        "garage-door": "door",
    }
