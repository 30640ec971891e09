"""What one running entrance hears of its devices: every report of every vendor, and whatever else may arrive."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.reports import (
    AnswerButtonReport,
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    CommandProgress,
    DoorReport,
    DoorState,
    ErrorReport,
    FridgeReport,
    LockReport,
    LockState,
    OperationError,
    ProgressReport,
    Report,
    ScanReport,
)
from devices.vendors import esphome, smartthings
from devices.vendors.words import TopicSuffix
from gateway.config.home import Home
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import FridgeReported
from gateway.domain.visit.conditions.cold_chain import FridgeState
from gateway.domain.visit.decide import decide
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.entrance import MAX_MESSAGES_PER_SECOND
from gateway.runtime.event_queue import MAX_QUEUED_REPORTS
from tests.gateway.domain.delivery.shop import NOW, PARCEL
from tests.house.reports import door_report, is_door_report, lock_report
from tests.shell.box import ShellBox, box, run_tasks
from tests.shell.house import make_home
from tests.shell.parts import ManualTime


class Ear:
    """A front door that only listens."""

    def __init__(self, made: ShellBox, name: str = "front") -> None:
        self.made, self.running = made, made.entrances[name]

    def hears(self, device: str, report: Any, **properties: Any) -> list[e.Event]:  # noqa: ANN401 - any report
        self.made.says(device, report, **properties)
        return self.taken()

    def taken(self) -> list[e.Event]:
        inbox = self.running._event_queue  # noqa: SLF001 - what waits there is what was heard
        return [inbox.take() for _ in range(len(inbox))]


@pytest.fixture
async def ear(tmp_path: Path) -> AsyncIterator[Ear]:
    async with box(tmp_path) as made:
        yield Ear(made)


async def test_lock_and_door_are_heard_with_all_that_tells_what_they_prove(ear: Ear) -> None:
    said = LockReport(bolt=LockState.LOCKED)
    ear.made.asks("front", "lock", 7)
    (event,) = ear.hears("lock", said, channel=TopicSuffix.RESULT, correlation=b"1:7", boot="b", seq=4, uptime_ms=9)
    assert event == lock_report(report=said, context=e.ReportContext(session=1, answers=7, boot="b", seq=4))
    (event,) = ear.hears("lock", said, correlation=b"1:7", retain=True)
    # Only a result is an answer
    assert event == lock_report(report=said, context=e.ReportContext(session=1, retained=True))
    (event,) = ear.hears("door", DoorReport(door=DoorState.OPEN), channel=TopicSuffix.RESULT, correlation=b"2:7")
    # Of another session
    assert event == door_report(report=DoorReport(door=DoorState.OPEN), context=e.ReportContext(session=1))


async def test_whatever_else_lock_and_door_publish_carries_their_sequence_on(ear: Ear) -> None:
    heard = e.ReportContext(session=1, boot="b", seq=5)
    spoke = [e.SequenceAdvanced(sensor="lock", context=heard)]
    assert ear.hears("lock", ProgressReport(id="x", progress=CommandProgress.SENT), boot="b", seq=5) == spoke
    failed = e.LockFailed(failure=OperationError.BUSY, command="x")
    assert ear.hears("lock", ErrorReport(id="x", failure=OperationError.BUSY), boot="b", seq=5) == [failed, *spoke]
    assert ear.hears("lock", AvailabilityReport(online=True), boot="b", seq=5) == spoke
    ear.made.hear("lock", TopicSuffix.STATE, b"rubbish", boot="b", seq=5)
    assert ear.taken() == spoke


@pytest.mark.parametrize("role", ["lock", "door"])
async def test_a_lost_device_is_heard(ear: Ear, role: str) -> None:
    events = ear.hears(role, AvailabilityReport(online=False))
    assert events[0] == e.SensorOffline(sensor=role)


@pytest.mark.parametrize("role", ["lock", "door"])
@pytest.mark.parametrize("level", BatteryLevel)
@pytest.mark.parametrize("retain", [True, False])
async def test_batteries_are_heard_and_old_good_news_is_not(
    ear: Ear, role: str, level: BatteryLevel, *, retain: bool
) -> None:
    events = ear.hears(role, BatteryReport(level=level), retain=retain, boot="b", seq=5)
    word = BatteryLevel.GOOD if level is BatteryLevel.MEDIUM else level
    heard = [] if retain and word is BatteryLevel.GOOD else [e.BatteryReported(device=role, level=word)]
    assert events == [
        e.SequenceAdvanced(sensor=role, context=e.ReportContext(session=1, retained=retain, boot="b", seq=5)),
        *heard,
    ]


async def test_a_stored_copys_countdown_is_not_believed(ear: Ear) -> None:
    said = LockReport(bolt=LockState.LOCKED)
    ear.hears("lock", said, boot="old", uptime_ms=5, retain=True)
    assert ear.running._executor._uptimes == {}  # noqa: SLF001 - what an unlock's deadline would be made of
    ear.hears("lock", said, boot="new", uptime_ms=5)
    assert ear.running._executor._uptimes["lock"][0] == "new"  # noqa: SLF001 - the same


async def test_a_shared_fridge_is_heard_at_each_entrance_by_its_own_compartment(ear: Ear) -> None:
    garage = Ear(ear.made, "garage")
    payload = smartthings.status(
        (
            FridgeReport(compartment="cooler", temp_c=4.0, door=DoorState.CLOSED),
            FridgeReport(compartment="freezer", temp_c=-18.0, door=DoorState.CLOSED),
        )
    )
    message = InboundMessage(topic="perron/cooler/state", payload=payload, retain=False, session=1)
    expected = [FridgeReported(place="fridge", fridge=FridgeState(temp_c=4.0, door=DoorState.CLOSED))]
    for one in (ear, garage):
        one.running.on_message("cooler", TopicSuffix.STATE, message)
        assert one.taken() == expected


async def test_a_door_that_cannot_be_asked_is_lost_when_its_heartbeat_is_missed(tmp_path: Path) -> None:
    document = make_home(tmp_path).model_dump(mode="json")
    document["devices"]["door"] |= {"answers": False, "heartbeat": 60}
    for entrance in document["entrances"].values():
        entrance["living_space"] = False
    time = ManualTime()
    async with box(tmp_path, Home.model_validate(document, strict=False), time=time) as made:
        ear = Ear(made)
        clock = time.clock()
        ear.hears("door", DoorReport(door=DoorState.CLOSED))
        time.mono += 60
        ear.running.check_heartbeats(clock.now())
        assert ear.taken() == []
        time.mono += 1
        ear.running.check_heartbeats(clock.now())
        ear.running.check_heartbeats(clock.now())
        assert ear.taken() == [e.SensorOffline(sensor="door")]  # once


async def test_a_door_that_can_be_asked_may_be_quiet(ear: Ear) -> None:
    ear.hears("door", DoorReport(door=DoorState.CLOSED))
    ear.running.check_heartbeats(replace(NOW, mono=1e6))
    assert ear.taken() == []


async def test_a_stored_temperature_is_not_believed_and_a_lost_fridge_is_unknown(ear: Ear) -> None:
    payload = smartthings.status((FridgeReport(compartment="cooler", temp_c=4.0, door=DoorState.CLOSED),))
    stored = InboundMessage(topic="perron/cooler/state", payload=payload, retain=True, session=1)
    ear.running.on_message("cooler", TopicSuffix.STATE, stored)
    assert ear.taken() == []
    lost = InboundMessage(topic="perron/cooler/availability", payload=b'{"state":"OFFLINE"}', retain=False, session=1)
    ear.running.on_message("cooler", TopicSuffix.AVAILABILITY, lost)
    assert ear.taken() == [FridgeReported(place="fridge", fridge=FridgeState())]


async def test_a_shared_cameras_words_are_no_lock_report(ear: Ear) -> None:
    for name in ("front", "garage"):
        one = Ear(ear.made, name)
        message = InboundMessage(topic="perron/cam/state", payload=b"{}", retain=False, session=1)
        one.running.on_message("cam", TopicSuffix.STATE, message)
        assert one.taken() == []


async def test_the_answer_button_is_heard_unless_it_is_an_old_copy(ear: Ear) -> None:
    assert ear.hears("signal", AnswerButtonReport()) == [e.HouseholdAnswered()]
    assert ear.hears("signal", AnswerButtonReport(), retain=True) == []


async def test_a_signal_that_confirms_what_nobody_asked_is_not_heard(ear: Ear) -> None:
    ear.made.hear("signal", TopicSuffix.EVENT, b'{"done": "of-nobody"}')
    assert ear.taken() == []


async def test_each_scan_has_an_id_of_its_own(ear: Ear) -> None:
    events = ear.hears("scanner", ScanReport(code=PARCEL)) + ear.hears("scanner", ScanReport(code=PARCEL))
    assert [event.code for event in events if isinstance(event, e.Scanned)] == [PARCEL, PARCEL]
    assert len({event.id for event in events if isinstance(event, e.Scanned)}) == 2


async def test_a_wired_reed_proves_the_door_closed_by_the_mark_in_its_answer_and_by_nothing_else(
    tmp_path: Path,
) -> None:
    document = make_home(tmp_path).model_dump(mode="json")
    document["devices"]["door"] = {"kind": "door", "vendor": "esphome"}
    async with box(tmp_path, Home.model_validate(document, strict=False)) as made:
        ear = Ear(made)
        closed = DoorReport(door=DoorState.CLOSED)
        made.asks("front", "door", 7)
        made.asks("front", "lock", 8)
        for payload, channel, proves in (
            (esphome.answer(closed, "1:7").payload, TopicSuffix.RESULT, 7),
            (esphome.answer(closed, "2:7").payload, TopicSuffix.RESULT, None),  # a question of another session
            (esphome.answer(closed, "x").payload, TopicSuffix.RESULT, None),
            (esphome.answer(closed, "1:8").payload, TopicSuffix.RESULT, None),  # what the lock was asked
            (esphome.answer(closed, "1:900").payload, TopicSuffix.RESULT, None),  # what nobody was asked yet
            (b"OFF", TopicSuffix.STATE, None),  # nobody asked
        ):
            made.hear("door", channel, payload)
            assert ear.taken() == [door_report(report=closed, context=e.ReportContext(session=1, answers=proves))]
        made.front.post(e.BrokerUp(session=1))
        async with run_tasks(made.front.run()):
            await made.quiet()
        (question,) = made.line.on("perron/door/get")
        assert question.payload == question.fields["correlation"]  # the mark, where both kinds of device find it
        made.hear("door", TopicSuffix.RESULT, esphome.answer(closed, question.payload.decode()).payload)
        for event in ear.taken():
            made.front.state, _ = decide(made.front.state, event, now=NOW)
        assert made.front.state.facts["door"].proven


@pytest.mark.parametrize(
    ("device", "kind", "payload"),
    [
        ("claire", "presence", b'{"echo":"1:7","state":"not_home"}'),
        ("cooler", "fridge", b'{"echo":"1:7","state":"4.0"}'),
        ("panel", "alarm", b'{"echo":"1:7","state":"disarmed"}'),
    ],
)
async def test_an_answer_of_another_maker_s_device_answers_no_question_that_was_put_to_lock_or_door(
    tmp_path: Path, device: str, kind: str, payload: bytes
) -> None:
    document = make_home(tmp_path).model_dump(mode="json")
    entities = {"presence": "person.claire", "fridge": "sensor.fridge", "alarm": "alarm_control_panel.house"}
    document["devices"]["door"] = {"kind": "door", "vendor": "esphome"}
    document["devices"][device] = {"kind": kind, "vendor": "homeassistant", "address": entities[kind]}
    document["entrances"]["front"] |= {"presence": ["claire"]} if kind == "presence" else {}
    document["entrances"]["front"] |= {"alarm": "panel"} if kind == "alarm" else {}
    async with box(tmp_path, Home.model_validate(document, strict=False)) as made:
        ear = Ear(made)
        made.asks("front", "door", 7)
        made.asks("front", "lock", 8)
        before = made.front.state
        made.hear(device, TopicSuffix.RESULT, payload)
        events = ear.taken()
        assert events
        assert not any(isinstance(event, e.SensorReported | e.SequenceAdvanced) for event in events)
        for event in events:
            made.front.state, _ = decide(made.front.state, event, now=NOW)
        assert made.front.state.facts == before.facts
        made.hear("door", TopicSuffix.RESULT, esphome.answer(DoorReport(door=DoorState.CLOSED), "1:7").payload)
        told = [event for event in ear.taken() if is_door_report(event)]
        assert [event.context.answers for event in told] == [7], "the door's own answer still counts"


async def test_what_another_glove_of_the_same_gateway_reads_is_no_wrong_code_at_this_door(tmp_path: Path) -> None:
    document = make_home(tmp_path).model_dump(mode="json")
    document["devices"]["scanner"] |= {"vendor": "proglove", "address": "Perron/gateway/PGGW1/MDMR1"}
    body = {"event_type": "scan", "event_id": "02114da8-feae-46e3-8b00-a3f7ea8672df", "scan_code": PARCEL}
    async with box(tmp_path, Home.model_validate(document, strict=False)) as made:
        ear = Ear(made)
        made.hear("scanner", TopicSuffix.EVENT, json.dumps(body | {"device_serial": "MDMR2"}).encode())
        assert ear.taken() == []
        made.hear("scanner", TopicSuffix.EVENT, json.dumps(body | {"device_serial": "MDMR1"}).encode())
        (event,) = ear.taken()
        assert isinstance(event, e.Scanned)
        assert event.code == PARCEL
        made.hear("scanner", TopicSuffix.EVENT, b"rubbish")
        (event,) = ear.taken()
        assert isinstance(event, e.Scanned)  # what cannot be read is still one attempt
        assert event.code.startswith("bad:")


# ---- floods ----------------------------------------------------------------------------------------------------------


def degrees(celsius: float) -> FridgeReport:
    return FridgeReport(compartment="cooler", temp_c=celsius, door=DoorState.CLOSED)


async def test_a_sensor_that_floods_leaves_one_reading_and_what_lock_and_door_say_overtakes_it(ear: Ear) -> None:
    for number in range(MAX_MESSAGES_PER_SECOND):
        ear.made.says("cooler", degrees(number))
        ear.running.post(e.BatteryReported(device="fridge/cooler", level=BatteryLevel.GOOD, percent=number))
    ear.made.scan("a stranger's code")
    ear.made.says("lock", LockReport(bolt=LockState.UNLOCKED))
    ear.made.says("door", DoorReport(door=DoorState.CLOSED))
    ear.running.post(e.Stopped(epoch=7))
    heard = ear.taken()
    newest = FridgeReported(
        place="fridge", fridge=FridgeState(temp_c=MAX_MESSAGES_PER_SECOND - 1, door=DoorState.CLOSED)
    )
    battery = e.BatteryReported(device="fridge/cooler", level=BatteryLevel.GOOD, percent=MAX_MESSAGES_PER_SECOND - 1)
    assert [type(event) for event in heard[:3]] == [e.SensorReported, e.SensorReported, e.Stopped]
    assert heard[3:5] == [newest, battery]
    assert [type(event) for event in heard[5:]] == [e.Scanned]


async def test_a_device_that_floods_is_heard_no_further_than_its_ration(ear: Ear) -> None:
    for _ in range(10 * MAX_MESSAGES_PER_SECOND):
        ear.made.says("lock", LockReport(bolt=LockState.LOCKED))
    assert len(ear.taken()) == MAX_MESSAGES_PER_SECOND
    ear.made.time.mono += 1
    assert len(ear.hears("lock", LockReport(bolt=LockState.LOCKED))) == 1


async def test_reports_that_find_no_room_are_asked_for_again(ear: Ear) -> None:
    for seq in range(3 * MAX_QUEUED_REPORTS):
        ear.running.post(e.SequenceAdvanced(sensor="lock", context=e.ReportContext(session=1, boot="b", seq=seq)))
    ear.running.post(e.Stopped(epoch=7))
    waiting = ear.taken()
    assert len(waiting) == MAX_QUEUED_REPORTS + 1
    assert waiting[-1] == e.Stopped(epoch=7)
    assert await ear.running._next_event() == e.ReportsMissed()  # noqa: SLF001 - what it decides next


@pytest.mark.parametrize(
    ("device", "report", "learnt"),
    [
        ("lock", LockReport(bolt=LockState.LOCKED), e.ReportsMissed()),
        ("door", DoorReport(door=DoorState.CLOSED), e.ReportsMissed()),
    ],
)
async def test_what_a_flood_may_have_hidden_is_asked_for_at_once_and_then_once_a_second(
    ear: Ear, device: str, report: Report, learnt: e.Event
) -> None:
    def times_learnt() -> int:
        return [step.event for step in ear.made.journal.steps].count(learnt)

    async with run_tasks(ear.running.run()):
        ear.running.post(e.BrokerUp(session=1))
        await ear.made.quiet()
        for expected in (1, 2):
            for _ in range(3):
                for _ in range(MAX_MESSAGES_PER_SECOND):
                    ear.made.says(device, report)
                await ear.made.quiet()
            assert times_learnt() == expected
            ear.made.time.mono += 1.1
            ear.running.post(e.TimerExpired())


async def test_of_a_fridge_that_floods_nothing_is_known(ear: Ear) -> None:
    async with run_tasks(ear.running.run()):
        ear.running.post(e.BrokerUp(session=1))
        ear.running.post(FridgeReported(place="fridge", fridge=FridgeState(temp_c=4)))
        await ear.made.quiet()
        for _ in range(2 * MAX_MESSAGES_PER_SECOND):
            ear.made.says("cooler", degrees(4))
        await ear.made.quiet()
        unknown = FridgeReported(place="fridge", fridge=FridgeState())
        assert ear.running.state.surroundings == {"fridge/fridge": unknown}


DEVICES = ("lock", "door", "cam", "scanner", "signal", "cooler")
json_bytes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode(errors="replace"))


messages = st.fixed_dictionaries(
    {
        "retain": st.booleans(),
        "correlation": st.none() | st.binary(max_size=30),
        "seq": st.none() | st.integers(0, 10**18),
        "uptime_ms": st.none() | st.integers(0, 10**18),
    }
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # no test asserts speed
@given(
    device=st.sampled_from(DEVICES),
    channel=st.sampled_from([TopicSuffix.STATE, TopicSuffix.AVAILABILITY, TopicSuffix.EVENT, TopicSuffix.RESULT]),
    payload=st.binary(max_size=300) | json_bytes,
    message=messages,
)
async def test_no_payload_of_any_device_raises(
    quiet_ear: Ear, device: str, channel: TopicSuffix, payload: bytes, message: dict[str, Any]
) -> None:
    quiet_ear.made.time.mono += 1  # no device floods
    quiet_ear.made.hear(device, channel, payload, boot="b", **message)
    for event in quiet_ear.taken():
        decide(quiet_ear.running.state, event, now=NOW)  # and what was heard can be decided on


@pytest.fixture
async def quiet_ear(ear: Ear) -> AsyncIterator[Ear]:
    """What hostile devices say would fill the log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield ear
    structlog.reset_defaults()
