"""Fridge, presence and panel of the owner's Home Assistant: what is heard, what is too old, what is lost."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.reports import AlarmPanelState, PresenceReport, PresenceState
from devices.vendors import homeassistant
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.config.topics import DeviceOrigin, TopicMap
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import (
    AlarmPanel,
    AlarmPanelReported,
    ColdChain,
    FridgeReported,
    Presence,
    PresenceReported,
)
from gateway.domain.visit.conditions.cold_chain import Fridge, FridgeState
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.entrance_configuration import entrance_rules
from tests.shell.box import ShellBox, box, run_tasks
from tests.shell.house import make_home
from tests.shell.parts import ManualTime

BASE = "homeassistant"
ENTITIES: dict[str, dict[str, Any]] = {
    "cooler": {"kind": "fridge", "vendor": "homeassistant", "address": f"{BASE}/sensor/fridge", "unit": "F"},
    "claire": {"kind": "presence", "vendor": "homeassistant", "address": f"{BASE}/person/claire"},
    "luc": {"kind": "presence", "vendor": "homeassistant", "address": "input_boolean.luc_is_home"},
    "panel": {
        "kind": "alarm",
        "vendor": "homeassistant",
        "address": f"{BASE}/alarm_control_panel/house",
        "bypassed_in": ["armed_custom_bypass"],
    },
}


def with_entities(folder: Path) -> Home:
    document = make_home(folder).model_dump(mode="json")
    document["devices"] |= ENTITIES
    document["entrances"]["front"] |= {"presence": ["claire", "luc"], "alarm": "panel"}
    return Home.model_validate(document, strict=False)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, with_entities(tmp_path), time=ManualTime()) as one:
        yield one


def hears(
    made: ShellBox, device: str, payload: str, channel: TopicSuffix = TopicSuffix.STATE, *, retain: bool = False
) -> Any:  # noqa: ANN401 - any event
    message = InboundMessage(topic="x", payload=payload.encode(), retain=retain, session=1)
    made.front.on_message(device, channel, message)
    return taken(made)


def taken(made: ShellBox) -> list[e.Event]:
    inbox = made.front._event_queue  # noqa: SLF001 - what waits there is what was heard
    events = list(inbox)
    while inbox:
        inbox.take()
    return events


def test_the_rules_know_who_is_followed_and_which_modes_spare_the_door(tmp_path: Path) -> None:
    cooler = ColdChain(fridges={"fridge": Fridge(device="cooler", compartment="cooler", silence_s=3600.0)})
    people = Presence(people=("claire", "luc"))
    panel = AlarmPanel(device="panel", bypassed=frozenset({AlarmPanelState.ARMED_CUSTOM_BYPASS}))
    assert entrance_rules(with_entities(tmp_path), "front").conditions == (cooler, people, panel)
    assert entrance_rules(with_entities(tmp_path), "garage").conditions == (cooler,)


async def test_a_statestream_is_heard_on_its_own_topics_and_its_going_on_home_assistants(made: ShellBox) -> None:
    topics = TopicMap(made.home)
    assert topics.origin(f"{BASE}/person/claire/state") == DeviceOrigin(devices=("claire",), channel=TopicSuffix.STATE)
    bridge = topics.origin("homeassistant/status")
    assert isinstance(bridge, DeviceOrigin)
    assert set(bridge.devices) == {"cooler", "claire", "panel"}
    assert topics.origin("perron/luc/state") == DeviceOrigin(devices=("luc",), channel=TopicSuffix.STATE)
    assert topics.origin("perron/claire/state") is None


@pytest.mark.parametrize(
    ("device", "payload", "live", "stored"),
    [
        ("claire", "home", PresenceState.HOME, PresenceState.HOME),
        ("claire", "not_home", PresenceState.AWAY, None),  # it was so when it was stored: that may be yesterday
        ("claire", "Work", PresenceState.AWAY, None),
        ("claire", "unavailable", PresenceState.UNKNOWN, PresenceState.UNKNOWN),
        ("luc", "on", PresenceState.HOME, PresenceState.HOME),
        ("luc", "off", PresenceState.AWAY, None),
        ("panel", "armed_away", AlarmPanelState.ARMED_AWAY, AlarmPanelState.ARMED_AWAY),
        ("panel", "triggered", AlarmPanelState.TRIGGERED, AlarmPanelState.TRIGGERED),
        ("panel", "disarmed", AlarmPanelState.DISARMED, None),
        ("panel", "armed_custom_bypass", AlarmPanelState.ARMED_CUSTOM_BYPASS, None),
        ("panel", "gone fishing", AlarmPanelState.UNKNOWN, AlarmPanelState.UNKNOWN),
    ],
)
async def test_bad_news_may_be_old_and_good_news_may_not(
    made: ShellBox,
    device: str,
    payload: str,
    live: AlarmPanelState | PresenceState,
    stored: AlarmPanelState | PresenceState | None,
) -> None:
    def event(word: AlarmPanelState | PresenceState | None) -> list[e.Event]:
        if isinstance(word, AlarmPanelState):
            return [AlarmPanelReported(panel=word)]
        return [] if word is None else [PresenceReported(device=device, presence=word)]

    assert hears(made, device, payload) == event(live)
    assert hears(made, device, payload, retain=True) == event(stored)


async def test_a_thermometer_in_fahrenheit_is_heard_live_and_forgotten_after_an_hour_of_silence(made: ShellBox) -> None:
    cold = FridgeReported(place="fridge", fridge=FridgeState(temp_c=4.0))
    assert hears(made, "cooler", "39.2", retain=True) == []
    assert hears(made, "cooler", "39.2") == [cold]
    made.time.mono += 3600
    made.front.check_heartbeats(made.clock.now())
    assert taken(made) == []
    made.time.mono += 1
    made.front.check_heartbeats(made.clock.now())
    made.front.check_heartbeats(made.clock.now())
    assert taken(made) == [FridgeReported(place="fridge", fridge=FridgeState())]  # once
    assert hears(made, "cooler", "39.2") == [cold]
    assert hears(made, "cooler", "unavailable") == [FridgeReported(place="fridge", fridge=FridgeState())]


@pytest.mark.parametrize("payload", ["null", "warm", "-500", "185", "\udcff"])
async def test_a_thermometer_that_says_no_temperature_is_unknown_at_once(made: ShellBox, payload: str) -> None:
    assert hears(made, "cooler", "39.2") == [FridgeReported(place="fridge", fridge=FridgeState(temp_c=4.0))]
    message = InboundMessage(topic="x", payload=payload.encode(errors="surrogateescape"), retain=False, session=1)
    made.front.on_message("cooler", TopicSuffix.STATE, message)
    assert taken(made) == [FridgeReported(place="fridge", fridge=FridgeState())]


async def test_who_is_home_is_unknown_when_the_answer_cannot_be_read(made: ShellBox) -> None:
    assert hears(made, "luc", '{"echo": "1:1", "state": 7}', TopicSuffix.RESULT) == [
        PresenceReported(device="luc", presence=PresenceState.UNKNOWN)
    ]


async def test_when_home_assistant_goes_all_that_it_said_is_unknown(made: ShellBox) -> None:
    assert hears(made, "claire", "offline", TopicSuffix.BRIDGE) == [
        PresenceReported(device="claire", presence=PresenceState.UNKNOWN)
    ]
    assert hears(made, "panel", "offline", TopicSuffix.BRIDGE) == [AlarmPanelReported(panel=AlarmPanelState.UNKNOWN)]
    assert hears(made, "cooler", "offline", TopicSuffix.BRIDGE) == [
        FridgeReported(place="fridge", fridge=FridgeState())
    ]
    assert hears(made, "claire", "online", TopicSuffix.BRIDGE) == []


async def test_an_automation_is_asked_at_the_start_and_a_statestream_never(made: ShellBox) -> None:
    made.front._executor.on_connected(1)  # noqa: SLF001 - as the shell does when the broker is there
    (question,) = [sent for sent in made.line.sent if sent.topic.endswith("/get")]
    assert question.topic == "perron/luc/get"
    device_ref = made.home.devices["luc"].device_ref
    answer = homeassistant.answer(PresenceReport(presence=PresenceState.AWAY), question.payload.decode(), device_ref)
    assert hears(made, "luc", answer.payload.decode(), TopicSuffix.RESULT) == [
        PresenceReported(device="luc", presence=PresenceState.AWAY)
    ]


async def test_an_entity_says_nothing_to_an_entrance_that_does_not_name_it(made: ShellBox) -> None:
    garage = made.entrances["garage"]
    message = InboundMessage(topic="x", payload=b"home", retain=False, session=1)
    garage.on_message("claire", TopicSuffix.STATE, message)
    assert list(garage._event_queue) == []  # noqa: SLF001 - what waits there is what was heard


async def test_a_new_session_of_the_broker_ends_each_measurement_in_the_log_and_nothing_else(made: ShellBox) -> None:
    async with run_tasks(made.front.run()):
        made.front.post(e.BrokerUp(session=1))
        made.front.post(PresenceReported(device="claire", presence=PresenceState.AWAY))
        made.front.post(FridgeReported(place="fridge", fridge=FridgeState(temp_c=4.0)))
        await made.quiet()
    made.front.on_connected(2)
    unknown = FridgeReported(place="fridge", fridge=FridgeState())
    assert taken(made) == [e.BrokerUp(session=2), unknown]


async def test_a_measurement_that_nobody_reported_needs_no_end(made: ShellBox) -> None:
    made.front.on_connected(1)
    assert [event for event in taken(made) if isinstance(event, FridgeReported)] == []
