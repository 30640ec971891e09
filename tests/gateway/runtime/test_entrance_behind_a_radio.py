"""An entrance whose lock, contact, thermometer, siren and button stand behind a radio's bridge."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.reports import BatteryLevel, DoorState, LockReport, LockState, OperationError, OperationSource
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.config.topics import DeviceOrigin, TopicMap
from gateway.config.validation import find_problems
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import FridgeReported
from gateway.domain.visit.conditions.cold_chain import FridgeState
from gateway.domain.visit.decide import decide
from gateway.domain.visit.state import Entrance
from gateway.runtime.entrance import MAX_MESSAGES_PER_SECOND
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.runtime.reconnects import SETTLE_TIME_S
from tests.house.reports import is_door_report, is_lock_report, lock_report
from tests.house.rules import front_door
from tests.shell.box import SESSION, AnsweringPublisher, ShellBox, box
from tests.shell.house import make_home

LATENCY = 0.1  # the lock's, in the shell's house
LOCKED = {"state": "LOCK", "lock_state": "locked", "battery": 84}


def radio_home(folder: Path) -> Home:
    """The usual house, with the front door's devices behind Zigbee2MQTT."""
    document: dict[str, Any] = make_home(folder).model_dump(mode="json")
    zigbee = {"vendor": "zigbee2mqtt", "topics": {}}
    devices = document["devices"]
    devices["lock"] |= {**zigbee, "address": "zigbee2mqtt/front lock", "guarded": False}
    devices["door"] |= {**zigbee, "address": "zigbee2mqtt/contact", "answers": False, "heartbeat": 3600}
    devices["cooler"] |= {**zigbee, "address": "zigbee2mqtt/fridge"}
    button = {"event": "zigbee2mqtt/button inside"}
    devices["signal"] |= {**zigbee, "address": "zigbee2mqtt/siren", "topics": button}
    devices["garage-door"]["address"] += "-leaf"
    document["entrances"]["front"]["living_space"] = False
    return Home.model_validate(document, strict=False)


class Radio:
    """The front door, and what its radio's bridge says."""

    def __init__(self, made: ShellBox) -> None:
        self.made, self.running = made, made.entrances["front"]
        if isinstance(made.line, AnsweringPublisher):
            made.line.mute = True  # here the bridge answers, and a test plays it

    def says(
        self,
        device: str,
        body: object,
        channel: TopicSuffix = TopicSuffix.STATE,
        **properties: Any,  # noqa: ANN401 - of a message
    ) -> list[e.Event]:
        self.made.hear(device, channel, json.dumps(body).encode(), **properties)
        inbox = self.running._event_queue  # noqa: SLF001 - what waits there is what was heard
        events = list(inbox)
        while inbox:
            inbox.take()
        return events

    def asks(self, number: int, device: str = "lock") -> None:
        """The gateway asks."""
        question = c.QuerySensor(sensor=device, session=SESSION, number=number)
        self.running._executor.perform(question, self.running.state, self.made.clock.now())  # noqa: SLF001 - its hands

    def passes(self, seconds: float) -> list[e.Event]:
        self.made.time.mono += seconds
        self.running.query_reconnected(self.made.clock.now())
        inbox = self.running._event_queue  # noqa: SLF001 - as above
        events = list(inbox)
        while inbox:
            inbox.take()
        return events


@pytest.fixture
async def radio(tmp_path: Path) -> AsyncIterator[Radio]:
    async with box(tmp_path, radio_home(tmp_path)) as made:
        yield Radio(made)


def answers(events: list[e.Event]) -> list[int | None]:
    return [event.context.answers for event in events if is_lock_report(event)]


async def test_the_house_is_heard_on_its_bridge_s_topics_and_the_bridge_is_shared(tmp_path: Path) -> None:
    house = radio_home(tmp_path)
    assert list(find_problems(house)) == []
    topics = TopicMap(house)
    shared = topics.origin("zigbee2mqtt/bridge/state")
    assert isinstance(shared, DeviceOrigin)
    assert set(shared.devices) == {"lock", "door", "cooler", "signal"}
    assert topics.origin("zigbee2mqtt/front lock") == DeviceOrigin(devices=("lock",), channel=TopicSuffix.STATE)
    assert topics.origin("zigbee2mqtt/button inside") == DeviceOrigin(devices=("signal",), channel=TopicSuffix.EVENT)
    assert topics.origin("perron/lock/state") is None


def under_two_levels(folder: Path, *, keys: dict[str, str], bridges: tuple[str, ...] = ()) -> Home:
    document = radio_home(folder).model_dump(mode="json")
    for name in ("lock", "door", "cooler", "signal"):
        device = document["devices"][name]
        device |= {"address": f"home/{device['address']}", "keys": keys}
    document["broker"]["bridges"] = bridges
    return Home.model_validate(document, strict=False)


async def test_a_bridge_whose_base_topic_has_two_levels_is_heard_where_the_house_file_says_so(tmp_path: Path) -> None:
    house = under_two_levels(tmp_path, keys={"base": "home/zigbee2mqtt"}, bridges=("home/zigbee2mqtt",))
    assert list(find_problems(house)) == []
    shared = TopicMap(house).origin("home/zigbee2mqtt/bridge/state")
    assert isinstance(shared, DeviceOrigin)
    assert set(shared.devices) == {"lock", "door", "cooler", "signal"}
    async with box(tmp_path, house) as made:
        behind = Radio(made)
        line = {"level": "error", "message": "z2m: Publish 'set' 'state' to 'front lock' failed: 'Error: Timeout - 1'"}
        assert e.LockFailed(failure=OperationError.TIMEOUT) in behind.says("lock", line, TopicSuffix.LOG)
        assert behind.says("lock", {"state": "offline"}, TopicSuffix.BRIDGE)[0] == e.SensorOffline(sensor="lock")


def test_a_device_that_names_no_bridge_of_the_house_is_refused_with_what_to_write(tmp_path: Path) -> None:
    house = under_two_levels(tmp_path, keys={}, bridges=("home/zigbee2mqtt",))
    told = [problem for problem in find_problems(house) if problem.loc == ("devices", "lock", "address")]
    assert ["keys: {base: home/zigbee2mqtt}" in problem.text for problem in told] == [True]
    for address, keys in (("zigbee2mqtt", {}), ("zigbee2mqtt/front lock", {"base": "radio"})):
        document = radio_home(tmp_path).model_dump(mode="json")
        document["devices"]["lock"] |= {"address": address, "keys": keys}
        found = [problem.text for problem in find_problems(Home.model_validate(document, strict=False))]
        assert "FRIENDLY_NAME, as Zigbee2MQTT shows it" in found[-1]


@pytest.mark.parametrize(
    ("bridges", "keys", "topic"),
    [
        ((), {}, "zigbee2mqtt/front lock"),
        (("frigate", "home/zigbee2mqtt"), {}, "home/zigbee2mqtt/front lock"),
        ((), {"base": "radio"}, "radio/front lock"),
    ],
)
def test_a_friendly_name_alone_is_refused_with_the_topic_that_it_has(
    bridges: tuple[str, ...], keys: dict[str, str], topic: str, tmp_path: Path
) -> None:
    document = radio_home(tmp_path).model_dump(mode="json")
    document["devices"]["lock"] |= {"address": "front lock", "keys": keys}
    document["broker"]["bridges"] = bridges
    found = [problem.text for problem in find_problems(Home.model_validate(document, strict=False))]
    assert [text for text in found if f"`front lock` alone is no topic: write `{topic}`" in text] != []


async def test_the_first_state_after_a_question_is_its_answer_and_the_next_is_none(radio: Radio) -> None:
    radio.asks(7)
    (asked,) = radio.made.line.on("zigbee2mqtt/front lock/get")
    assert json.loads(asked.payload) == {"state": ""}
    assert answers(radio.says("lock", LOCKED)) == [7]
    assert answers(radio.says("lock", LOCKED)) == [None]


async def test_what_tells_nothing_of_the_bolt_or_was_kept_by_the_broker_is_no_answer(radio: Radio) -> None:
    radio.asks(7)
    assert answers(radio.says("lock", {"battery": 84})) == []
    assert answers(radio.says("lock", LOCKED, retain=True)) == [None]
    assert answers(radio.says("lock", LOCKED)) == [7]


async def test_an_unlock_by_hand_beside_an_old_state_is_believed_at_once_and_the_lock_is_asked(radio: Radio) -> None:
    kwikset = {**LOCKED, "action": "manual_unlock", "action_source_name": "manual", "action_user": 65535}
    radio.asks(7)
    (heard,) = (event for event in radio.says("lock", kwikset) if isinstance(event, e.SensorReported))
    assert heard == lock_report(
        report=LockReport(bolt=LockState.UNLOCKED, source=OperationSource.MANUAL, event=True), context=heard.context
    )
    assert heard.context.answers is None, "an operation is no answer"
    state = Entrance(id="front", broker_session=SESSION)
    new, commands = decide(state, heard, now=radio.made.clock.now())
    assert new.facts["lock"].value == LockState.UNLOCKED
    assert [command.sensor for command in commands if isinstance(command, c.QuerySensor)] == ["lock"]


async def test_an_old_lock_in_a_battery_report_after_an_unlock_by_hand_proves_nothing_by_itself(radio: Radio) -> None:
    """The hole that stays: asked, and the cache answers before the lock does. It is closed by the lock's own word."""
    state = Entrance(id="front", broker_session=SESSION, last_query_id=7)
    unlocked = {**LOCKED, "action": "manual_unlock"}
    for body in (unlocked, LOCKED):
        for event in radio.says("lock", body):
            state, _ = decide(state, event, now=radio.made.clock.now())
    assert state.facts["lock"].value == LockState.LOCKED
    assert not state.facts["lock"].proven


async def test_a_bridge_that_ends_makes_all_behind_it_unknown(radio: Radio) -> None:
    lost = radio.says("lock", {"state": "offline"}, TopicSuffix.BRIDGE)
    assert lost[0] == e.SensorOffline(sensor="lock")
    assert radio.says("door", {"state": "offline"}, TopicSuffix.BRIDGE)[0] == e.SensorOffline(sensor="door")
    assert radio.says("cooler", {"state": "offline"}, TopicSuffix.BRIDGE) == [
        FridgeReported(place="fridge", fridge=FridgeState())
    ]


async def test_what_a_starting_bridge_remembers_answers_no_question_and_all_is_asked_anew(radio: Radio) -> None:
    radio.says("lock", {"state": "offline"}, TopicSuffix.BRIDGE)
    radio.asks(7)
    radio.says("lock", {"state": "online"}, TopicSuffix.BRIDGE)
    assert answers(radio.says("lock", LOCKED)) == [None], "asked before it was back"
    radio.asks(8)
    assert answers(radio.says("lock", LOCKED)) == [None], "it still tells its cache"
    assert radio.passes(SETTLE_TIME_S - 0.1) == []
    assert radio.passes(0.1) == [e.ReportsMissed()]
    assert radio.passes(60) == []
    radio.asks(9)
    assert answers(radio.says("lock", LOCKED)) == [9]


async def test_a_closed_out_of_a_starting_bridge_s_memory_is_not_believed_and_an_open_is(radio: Radio) -> None:
    radio.says("door", {"state": "online"}, TopicSuffix.BRIDGE)
    assert not [event for event in radio.says("door", {"contact": True}) if is_door_report(event)]
    assert [event for event in radio.says("door", {"contact": False}) if is_door_report(event)]
    radio.passes(SETTLE_TIME_S)
    assert [event for event in radio.says("door", {"contact": True}) if is_door_report(event)]


async def test_a_temperature_out_of_a_starting_bridge_s_memory_is_not_believed(radio: Radio) -> None:
    radio.says("cooler", {"state": "online"}, TopicSuffix.BRIDGE)
    assert radio.says("cooler", {"temperature": 4.2}) == []
    radio.passes(SETTLE_TIME_S)
    assert radio.says("cooler", {"temperature": 4.2}) == [
        FridgeReported(place="fridge", fridge=FridgeState(temp_c=4.2, door=DoorState.UNKNOWN))
    ]


async def test_where_availability_is_off_a_quiet_device_is_not_lost(radio: Radio) -> None:
    assert radio.passes(86_400) == []
    radio.asks(7)
    assert answers(radio.says("lock", LOCKED)) == [7]


async def test_a_device_that_comes_back_by_itself_is_asked_and_one_that_never_left_is_not(radio: Radio) -> None:
    online = {"state": "online"}
    radio.says("lock", online, TopicSuffix.AVAILABILITY)
    assert radio.passes(SETTLE_TIME_S) == []
    radio.says("lock", {"state": "offline"}, TopicSuffix.AVAILABILITY)
    radio.says("lock", online, TopicSuffix.AVAILABILITY)
    assert radio.passes(SETTLE_TIME_S) == [e.ReportsMissed()]


async def test_a_talkative_log_costs_no_ration_and_is_no_heartbeat(radio: Radio) -> None:
    line = {"level": "debug", "message": "z2m: Received Zigbee message from 'contact'", "namespace": "z2m"}
    for device in ("lock", "door"):
        for _ in range(MAX_MESSAGES_PER_SECOND + 5):
            assert radio.says(device, line, TopicSuffix.LOG) == []
    assert answers(radio.says("lock", LOCKED)) == [None]
    (closed, *_) = radio.says("door", {"contact": True})
    assert is_door_report(closed)
    radio.made.time.mono += 3601
    radio.says("door", line, TopicSuffix.LOG)
    radio.running.check_heartbeats(radio.made.clock.now())
    assert list(radio.running._event_queue)[-1] == e.SensorOffline(sensor="door")  # noqa: SLF001 - what was heard


async def test_a_question_that_failed_or_was_put_long_ago_is_answered_by_nothing(radio: Radio) -> None:
    radio.asks(7)
    line = {"level": "error", "message": "z2m: Publish 'get' 'state' to 'front lock' failed: 'Error: Timeout - 1'"}
    radio.says("lock", line, TopicSuffix.LOG)
    assert answers(radio.says("lock", LOCKED)) == [None], "its cache, published for another reason"
    radio.asks(8)
    radio.made.time.mono += LATENCY + 0.1
    assert answers(radio.says("lock", LOCKED)) == [None]
    radio.asks(9)
    assert answers(radio.says("lock", LOCKED)) == [9]


async def test_a_failed_order_is_heard_of_the_lock_alone_and_never_out_of_the_broker_s_memory(radio: Radio) -> None:
    line = {"level": "error", "message": "z2m: Publish 'set' 'state' to 'front lock' failed: 'Error: Timeout - 1'"}
    failed = e.LockFailed(failure=OperationError.TIMEOUT)
    assert failed in radio.says("lock", line, TopicSuffix.LOG)
    assert failed not in radio.says("lock", line, TopicSuffix.LOG, retain=True)
    siren = {**line, "message": line["message"].replace("'state' to 'front lock'", "'warning' to 'siren'")}
    assert radio.says("signal", siren, TopicSuffix.LOG) == []


async def test_the_button_inside_answers_the_bell(radio: Radio) -> None:
    assert radio.says("signal", {"action": "single"}, TopicSuffix.EVENT) == [e.HouseholdAnswered()]
    assert radio.says("signal", {"action": "single"}, TopicSuffix.EVENT, retain=True) == []
    assert radio.says("signal", {"action": ""}, TopicSuffix.EVENT) == []


async def test_a_siren_has_rung_when_it_answers_after_it_was_told_to(radio: Radio) -> None:
    state = Entrance(id="front", broker_session=SESSION)
    assert radio.says("signal", {"max_duration": 1800}) == []
    radio.running._executor.perform(c.RingBell(visit="v1"), state, radio.made.clock.now())  # noqa: SLF001 - its hands
    told, asked = radio.made.line.sent[-2:]
    assert (told.topic, asked.topic) == ("zigbee2mqtt/siren/set", "zigbee2mqtt/siren/get")
    assert json.loads(told.payload)["warning"]["mode"] == "emergency"
    full = e.BatteryReported(device="signal/signal", level=BatteryLevel.GOOD, percent=90)
    assert radio.says("signal", {"battery": 90}) == [full]
    assert radio.says("signal", {"max_duration": 1800}) == [e.BellConfirmed(visit="v1")]
    assert radio.says("signal", {"max_duration": 1800}) == []


async def test_an_order_is_one_bare_word_and_no_pin_is_ever_sent(radio: Radio) -> None:
    lock, executor = c.Lock(closure="door", visit="v1", attempt=1, life=5), radio.running._executor  # noqa: SLF001 - what it publishes
    executor.perform(lock, radio.running.state, radio.made.clock.now())
    (order,) = radio.made.line.on("zigbee2mqtt/front lock/set")
    assert json.loads(order.payload) == {"state": "LOCK"}


@pytest.mark.parametrize(
    "body",
    [
        {**LOCKED, "last_used_pin_code": "48151"},
        {**LOCKED, "pin_code": {"user": 1, "pin_code": 48151}, "users": {"1": {"pin_code": "48151"}}},
        {"action": "pin_code_added", "action_user": 1, "users": {"1": {"pin_code": "48151"}}},
        {"last_used_pin_code": "48151", "state": 48151, "lock_state": "48151"},
    ],
)
async def test_no_pin_gets_any_further(radio: Radio, body: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert "48151" not in repr(radio.says("lock", body))
    message = f"z2m: Publish 'set' 'pin_code' to 'front lock' failed: {json.dumps(body)}"
    assert radio.says("lock", {"level": "error", "message": message}, TopicSuffix.LOG) == []
    told = capsys.readouterr()
    assert "48151" not in told.out + told.err


def test_the_lock_s_own_sensor_is_no_door_and_a_zigbee_lock_is_never_called_guarded(tmp_path: Path) -> None:
    document = radio_home(tmp_path).model_dump(mode="json")
    document["devices"]["door"]["address"] = "zigbee2mqtt/front lock"
    found = [problem.text for problem in find_problems(Home.model_validate(document, strict=False))]
    assert found[0].startswith("`door` is the sensor of the lock `lock` itself")
    document["devices"]["lock"]["guarded"] = True
    with pytest.raises(ValueError, match="It is a basic lock"):
        Home.model_validate(document, strict=False)


async def test_a_fixed_knob_is_for_a_lock_that_can_pull_the_latch_and_is_then_told_to(tmp_path: Path) -> None:
    document = radio_home(tmp_path).model_dump(mode="json")
    document["devices"]["lock"]["unlatch"] = True
    with pytest.raises(ValueError, match="no lock of the vendor zigbee2mqtt is known to pull the latch"):
        Home.model_validate(document, strict=False)
    document["devices"]["lock"] |= {"vendor": "nukihub", "address": "nuki"}
    house = Home.model_validate(document, strict=False)
    assert front_door(entrance_rules(house, "front")).unlatch
    async with box(tmp_path, house) as made:
        running = made.entrances["front"]
        made.prove("v1")
        now = made.clock.now()
        running._executor.perform(c.Unlock(closure="door", visit="v1", pulls_latch=True, life=5), running.state, now)  # noqa: SLF001 - its hands
        assert [one.payload for one in made.line.on("nuki/lock/action")] == [b"unlatch"]


def test_a_handle_to_be_lifted_is_known_to_the_rules(tmp_path: Path) -> None:
    document = radio_home(tmp_path).model_dump(mode="json")
    assert not front_door(entrance_rules(Home.model_validate(document, strict=False), "front")).lift_handle
    document["devices"]["lock"]["lift_handle"] = True
    assert front_door(entrance_rules(Home.model_validate(document, strict=False), "front")).lift_handle


def test_an_address_with_a_wildcard_is_refused(tmp_path: Path) -> None:
    document = radio_home(tmp_path).model_dump(mode="json")
    document["devices"]["lock"]["address"] = "zigbee2mqtt/+"
    assert [problem.loc for problem in find_problems(Home.model_validate(document, strict=False))] == [
        ("devices", "lock", "address")
    ]


async def test_words_of_the_bridge_do_not_stand_for_the_devices(radio: Radio) -> None:
    """Online says that the radio is there; what the bolt does stays unknown."""
    events = radio.says("lock", {"state": "online"}, TopicSuffix.BRIDGE)
    assert not [event for event in events if isinstance(event, e.SensorReported)]


# ---- Z-Wave JS UI ---------------------------------------------------------------------------------------------------


def zwave_home(folder: Path) -> Home:
    """The usual house with a Z-Wave lock at its front door."""
    document = radio_home(folder).model_dump(mode="json")
    document["devices"]["lock"] |= {"vendor": "zwave", "address": "zwave/5"}
    return Home.model_validate(document, strict=False)


@pytest.fixture
async def zwaves(tmp_path: Path) -> AsyncIterator[Radio]:
    async with box(tmp_path, zwave_home(tmp_path)) as made:
        yield Radio(made)


async def test_a_z_wave_lock_s_answer_is_ours_by_its_number_and_what_it_publishes_beside_is_none(zwaves: Radio) -> None:
    zwaves.asks(7)
    (asked,) = zwaves.made.line.on("zwave/_CLIENTS/ZWAVE_GATEWAY-zwave-js-ui/api/pollValue/set")
    call = json.loads(asked.payload)["args"]
    assert call == [{"nodeId": 5, "commandClass": 98, "endpoint": 0, "property": "currentMode"}, f"{SESSION}:7"]
    assert answers(zwaves.says("lock", {"value": 255})) == [None]
    assert answers(zwaves.says("lock", {"success": True, "result": 255, "args": call}, TopicSuffix.RESULT)) == [7]
    foreign = [{**call[0], "nodeId": 6}, call[1]]
    assert answers(zwaves.says("lock", {"success": True, "result": 255, "args": foreign}, TopicSuffix.RESULT)) == []


async def test_a_z_wave_order_is_sent_by_the_api_and_its_failure_is_heard_with_its_id(zwaves: Radio) -> None:
    command = c.Lock(closure="door", visit="v1", attempt=1, life=5)
    executor = zwaves.running._executor  # noqa: SLF001 - a command of its own, without a visit
    executor.perform(command, zwaves.running.state, zwaves.made.clock.now())
    (order,) = zwaves.made.line.on("zwave/_CLIENTS/ZWAVE_GATEWAY-zwave-js-ui/api/writeValue/set")
    call = json.loads(order.payload)["args"]
    assert (call[0]["property"], call[1]) == ("targetMode", 255)
    failed = {"success": False, "message": "Z-Wave client not connected", "args": call}
    heard = zwaves.says("lock", failed, TopicSuffix.LOG)
    assert e.LockFailed(failure=OperationError.UNREACHABLE, command=call[3]) in heard


async def test_who_moved_a_z_wave_bolt_and_its_battery_are_heard_though_the_gateway_retains_all(zwaves: Radio) -> None:
    stored = {s.topic for s in TopicMap(zwaves.made.home).subscriptions if s.wants_retained}
    assert {"zwave/5/98/0/currentMode", "zwave/5/113/0/Access_Control/Lock_state", "zwave/5/128/0/level"} <= stored
    (heard,) = zwaves.says("lock", {"value": 6}, TopicSuffix.OPERATION)
    assert isinstance(heard, e.SensorReported)
    keypad = LockReport(bolt=LockState.UNLOCKED, source=OperationSource.KEYPAD, event=True)
    assert heard == lock_report(report=keypad, context=heard.context)
    assert e.BatteryReported(device="lock", level=BatteryLevel.LOW, percent=20) in zwaves.says(
        "lock", {"value": 20}, TopicSuffix.BATTERY
    )
    assert zwaves.says("lock", {"value": False}, TopicSuffix.BRIDGE)[0] == e.SensorOffline(sensor="lock")


def test_a_z_wave_lock_without_its_number_is_refused(tmp_path: Path) -> None:
    document = zwave_home(tmp_path).model_dump(mode="json")
    document["devices"]["lock"]["address"] = "zwave/front_lock"
    with pytest.raises(ValueError, match="needs its node's number"):
        Home.model_validate(document, strict=False)
    document["devices"]["lock"]["keys"] = {"node": "5"}
    assert Home.model_validate(document, strict=False).devices["lock"].address == "zwave/front_lock"
