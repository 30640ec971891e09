"""Whatever arrives on whatever topic: a report, or one clear line of why not. Never an exception."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from devices.commands import Command, Light, LockDoor, QueryState, SetSignal, ShowResult, Sound, UnlockDoor
from devices.reports import (
    BatteryReport,
    DoorReport,
    DoorState,
    FridgeReport,
    LockReport,
    LockState,
    ScanReport,
    UnreadablePayload,
)
from devices.vendors import VENDORS
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, TopicSuffix
from tests.wire.broken import DEVICE_REFS, golden_payloads, read_broken_payloads

REAL = tuple(payload for payload in golden_payloads() if payload[:1] in (b"{", b"["))
AT = datetime(2026, 3, 2, 13, 5, tzinfo=UTC)
COMMANDS: tuple[Command, ...] = (
    UnlockDoor(id="u1", intent="v1", issued_at=AT, expires_at=AT),
    LockDoor(id="l1", intent="v1", issued_at=AT, expires_at=AT),
    QueryState(),
    SetSignal(id="s1", light=Light.AMBER, sound=Sound.RING),
    ShowResult(word="wait"),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _read(channel: TopicSuffix, payload: bytes) -> None:
    for vendor in VENDORS.values():
        for device_ref in DEVICE_REFS:
            for report in vendor.decode_report(channel, payload, device_ref):
                if isinstance(report, UnreadablePayload):
                    assert report.why.isprintable()
                    assert 0 < len(report.why) < 120
        command = vendor.decode_command(channel, payload)
        if isinstance(command, UnreadablePayload):
            assert command.why.isprintable()


@settings(deadline=None)  # no test asserts speed
@given(channel=st.sampled_from(TopicSuffix), payload=st.binary(max_size=400))
def test_no_bytes_raise(channel: TopicSuffix, payload: bytes) -> None:
    _read(channel, payload)


@settings(deadline=None)  # no test asserts speed
@given(channel=st.sampled_from(TopicSuffix), value=json_values)
def test_no_json_raises(channel: TopicSuffix, value: object) -> None:
    _read(channel, json.dumps(value).encode(errors="replace"))


@settings(deadline=None)  # no test asserts speed
@given(
    channel=st.sampled_from(TopicSuffix),
    real=st.sampled_from(REAL),
    path=st.randoms(use_true_random=False),
    value=json_values,
)
def test_a_real_payload_with_one_value_exchanged_never_raises(
    channel: TopicSuffix, real: bytes, path: random.Random, value: object
) -> None:
    body = json.loads(real)
    places = list(_places(body))
    assume(places)  # an empty list has none
    holder, key = path.choice(places)
    holder[key] = value
    _read(channel, json.dumps(body).encode(errors="replace"))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  JSON, whatever it holds
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _places(inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield value, number
            yield from _places(inner)


def test_a_hundred_thousand_broken_payloads_never_raise() -> None:
    assert read_broken_payloads(20_260_302, 100_000) > 300, "some are still readable, so the breaking is not blunt"


def _state(name: str, value: object) -> object:
    return {"name": "DeviceStateChangedEvent", "deviceStates": [{"name": name, "value": value}]}


def _lock_state(value: object) -> object:
    state = {"namespace": "Alexa.LockController", "name": "lockState", "value": value}
    header = {"namespace": "Alexa", "name": "StateReport"}
    return {"event": {"header": header}, "context": {"properties": [state]}}


def _celsius(value: object, unit: object = "C") -> object:
    return {"components": {"cooler": {"temperatureMeasurement": {"temperature": {"value": value, "unit": unit}}}}}


@pytest.mark.parametrize(
    ("vendor", "channel", "payload"),
    [
        ("somfy", "state", _state("core:LockedUnlockedState", True)),  # noqa: FBT003  the wrong type is the point
        ("somfy", "state", _state("core:LockedUnlockedState", None)),
        ("somfy", "state", _state("core:ContactState", 0)),
        ("somfy", "state", _state("core:BatteryDiscreteLevelState", "fullish")),
        ("somfy", "state", {"name": "DeviceStateChangedEvent", "deviceStates": {}}),
        ("somfy", "event", {"execId": 5}),
        ("alexa", "state", _lock_state(True)),  # noqa: FBT003  as above
        ("alexa", "state", _lock_state(1)),
        ("smartthings", "state", {"components": {"cooler": {"contactSensor": {"contact": {"value": False}}}}}),
        ("smartthings", "state", {"components": {"cooler": None}}),
        ("esphome", "result", {"echo": "1:7", "door": False}),
        ("proglove", "event", {"event_type": "scan", "event_id": "e1", "scan_code": "4250"}),
        ("proglove", "event", {"event_type": "scan", "event_id": "e1", "scan_code": "4250", "device_serial": 7}),
        ("scanner", "event", {"id": "e1", "barcode": 4250}),
        ("scanner", "event", {"barcode": "4250"}),
        ("signal", "event", {"event": "done", "id": 7}),
        ("signal", "event", {"event": "sung"}),
    ],
)
def test_a_value_of_the_wrong_type_is_unreadable(vendor: str, channel: str, payload: object) -> None:
    reports = VENDORS[vendor].decode_report(TopicSuffix(channel), json.dumps(payload).encode())
    assert [type(report) for report in reports] == [UnreadablePayload]


NO_TEMPERATURE = (None, "4", "warm", True, -500, -127.0, 85, 1e300, [4], {"value": 4})


@pytest.mark.parametrize("value", NO_TEMPERATURE)
def test_a_temperature_that_cannot_be_read_or_measured_is_an_unknown_one(value: object) -> None:
    lies_in = DeviceRef(address="zigbee2mqtt/fridge", kind="fridge")
    for vendor, device_ref, payload, compartment in (
        ("smartthings", NO_DEVICE_REF, _celsius(value), "cooler"),
        ("smartthings", NO_DEVICE_REF, _celsius(4, value), "cooler"),
        ("zigbee2mqtt", lies_in, {"temperature": value, "battery": 90}, ""),
    ):
        report = VENDORS[vendor].decode_report(TopicSuffix.STATE, json.dumps(payload).encode(), device_ref)[0]
        assert isinstance(report, FridgeReport), vendor
        assert (report.compartment, report.temp_c) == (compartment, None), vendor


@pytest.mark.parametrize("state", ["null", "warm", "-500", "-127", "85", "1e3", "4,2", "nan", " "])
@pytest.mark.parametrize("unit", ["C", "K"])
def test_a_thermometer_of_home_assistant_that_says_no_degrees_is_unknown(state: str, unit: str) -> None:
    device_ref = DeviceRef(address="homeassistant/sensor/fridge", kind="fridge", unit=unit)
    assert VENDORS["homeassistant"].decode_report(TopicSuffix.STATE, state.encode(), device_ref) == (
        FridgeReport(compartment=""),
    )


@pytest.mark.parametrize("payload", [b"", b"\r\n", b"a\nb", b"\xff", b"x" * 513, b"\x1b[2J", b"\xe2\x80\xae"])
def test_a_scan_that_is_no_code_is_unreadable(payload: bytes) -> None:
    assert [type(report) for report in VENDORS["scanner"].decode_report(TopicSuffix.EVENT, payload)] == [
        UnreadablePayload
    ]


def test_an_unknown_word_of_a_lock_or_contact_stays_unknown() -> None:
    for state, expected in (
        ("core:LockedUnlockedState", LockReport(bolt=LockState.UNKNOWN)),
        ("core:ContactState", DoorReport(door=DoorState.UNKNOWN)),
    ):
        body = {"name": "DeviceStateChangedEvent", "deviceStates": [{"name": state, "type": 3, "value": "tilted"}]}
        assert VENDORS["somfy"].decode_report(TopicSuffix.STATE, json.dumps(body).encode()) == (expected,)


def test_the_lock_s_own_open_and_closed_is_never_a_door() -> None:
    for value in ("open", "closed"):
        body = {"name": "DeviceStateChangedEvent", "deviceStates": [{"name": "core:OpenClosedState", "value": value}]}
        assert VENDORS["somfy"].decode_report(TopicSuffix.STATE, json.dumps(body).encode()) == ()


BLIND = {
    "nukihub",
    "ovms",
    "ratgdo",
    "zigbee2mqtt",
    "zwave",
}  # what is sent to them carries no id, so which command of ours it was cannot be read from it


def test_a_device_is_never_asked_what_it_cannot_do() -> None:
    able: dict[str, set[type]] = {
        "somfy": {UnlockDoor, LockDoor, QueryState},
        "alexa": {UnlockDoor, LockDoor, QueryState},
        "frigate": set(),
        "rtsp": set(),
        "guard": {UnlockDoor, LockDoor, QueryState},
        "smartthings": {QueryState},
        "nukihub": {UnlockDoor, LockDoor, QueryState},
        "carconnectivity": set(),
        "teslamate": set(),
        "tesla": {UnlockDoor, LockDoor, QueryState},
        "ovms": {UnlockDoor, LockDoor, QueryState},
        "esphome": {QueryState},
        "homeassistant": {QueryState},
        "ratgdo": {UnlockDoor, LockDoor},
        "perron": {UnlockDoor, QueryState},
        "locker": {UnlockDoor, QueryState},
        "matter": {UnlockDoor, LockDoor, QueryState},
        "proglove": set(),  # feedback has to carry an id and a time
        "scanner": {ShowResult},
        "signal": {SetSignal},
        "zigbee2mqtt": {UnlockDoor, LockDoor, QueryState, SetSignal},
        "zwave": {UnlockDoor, LockDoor, QueryState},
        "vda5050": set(),  # it answers requests for zones, which `payloads/vda5050.json` has
    }
    for name, vendor in VENDORS.items():
        device_ref = DeviceRef("zwave/5" if name == "zwave" else "a-1")
        for command in COMMANDS:
            if type(command) in able[name]:
                letter = vendor.encode_command(command, device_ref)
                if name not in BLIND or isinstance(command, QueryState):
                    assert vendor.decode_command(letter.suffix, letter.payload, device_ref) == command
            else:
                with pytest.raises(ValueError, match="cannot be asked"):
                    vendor.encode_command(command, device_ref)


def test_what_a_maker_has_no_word_for_is_not_bent_into_another() -> None:
    for name, report in (
        ("somfy", LockReport(bolt=LockState.UNLATCHED)),
        ("somfy", DoorReport(door=DoorState.AJAR)),
        ("somfy", BatteryReport(percent=50)),
        ("alexa", LockReport(bolt=LockState.NOT_FULLY_LOCKED)),
        ("alexa", LockReport(bolt=LockState.LOCKED, jammed=True)),
        ("alexa", DoorReport(door=DoorState.OPEN)),
        ("zigbee2mqtt", LockReport(bolt=LockState.UNLATCHED)),
        ("zwave", DoorReport(door=DoorState.OPEN)),
        ("zigbee2mqtt", LockReport(bolt=LockState.LOCKED, jammed=True)),
        ("zigbee2mqtt", DoorReport(door=DoorState.AJAR)),
        ("smartthings", FridgeReport(compartment="wine")),
        ("smartthings", FridgeReport(compartment="cooler", door=DoorState.AJAR)),
        ("scanner", DoorReport(door=DoorState.OPEN)),
        ("esphome", DoorReport(door=DoorState.AJAR)),
        ("esphome", LockReport(bolt=LockState.LOCKED)),
        ("homeassistant", DoorReport(door=DoorState.OPEN)),  # nobody said that it is a contact
        ("proglove", DoorReport(door=DoorState.OPEN)),
        ("proglove", ScanReport(code="RB123456785GB")),  # its scans have an event's id
        ("signal", DoorReport(door=DoorState.OPEN)),
        ("guard", FridgeReport(compartment="cooler")),
    ):
        with pytest.raises(ValueError, match=r"."):
            VENDORS[name].encode_report(report, DeviceRef("a-1"))


@pytest.mark.parametrize("vendor", ["somfy", "alexa", "guard"])
@pytest.mark.parametrize(
    "change",
    [
        {"boot": None},
        {"until_ms": None},
        {"until_ms": True},
        {"until_ms": -1},
        {"until_ms": "5"},
        {"until_ms": 5.5},
        {"id": 7},
        {"id": "a b"},
        {"intent": None},
        {"expires_at": "tomorrow"},
        {"issued_at": 1_700_000_000},
    ],
    ids=str,
)
def test_a_command_whose_deadline_cannot_be_read_moves_no_bolt(vendor: str, change: dict[str, object]) -> None:
    command = UnlockDoor(id="u1", intent="v1", issued_at=AT, expires_at=AT, boot="b1", until_ms=5)
    letter = VENDORS[vendor].encode_command(command, DeviceRef("a-1"))
    body = json.loads(letter.payload) | change
    for key, value in change.items():
        if value is None:
            del body[key]
    assert isinstance(VENDORS[vendor].decode_command(letter.suffix, json.dumps(body).encode()), UnreadablePayload)


@pytest.mark.parametrize("vendor", ["somfy", "alexa", "guard"])
@pytest.mark.parametrize(("boot", "until_ms"), [("b1", None), (None, 5)])
def test_half_a_countdown_is_never_sent(vendor: str, boot: str | None, until_ms: int | None) -> None:
    command = UnlockDoor(id="u1", intent="v1", issued_at=AT, expires_at=AT, boot=boot, until_ms=until_ms)
    with pytest.raises(ValueError, match="together"):
        VENDORS[vendor].encode_command(command, DeviceRef("a-1"))


def test_a_scanner_is_told_three_words_and_no_reason() -> None:
    with pytest.raises(ValueError, match="wait, go or no"):
        VENDORS["scanner"].encode_command(ShowResult(word="too early"), NO_DEVICE_REF)
    assert isinstance(VENDORS["scanner"].decode_command(TopicSuffix.SET, b'{"word":"too early"}'), UnreadablePayload)
