"""One word of a payload that cannot be read hides no other: above all not that a bolt is back or a door is open."""

import json
from pathlib import Path
from typing import Any

import pytest

from devices.reports import (
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    CorrelationReport,
    DoorReport,
    DoorState,
    FridgeReport,
    GarageDoorReport,
    LockReport,
    LockState,
    PresenceReport,
    ProgressReport,
    Report,
    UnreadablePayload,
)
from devices.vendors import VENDORS
from devices.vendors.words import DeviceRef, TopicSuffix
from gateway.config.devices import DoorDevice
from gateway.config.loader import load_home_file
from gateway.config.validation import find_problems
from gateway.runtime.entrance_configuration import entrance_rules

LOCK, CONTACT, BARE = (DeviceRef(address="io://1234-5678-3293/1", kind=kind) for kind in ("lock", "door", ""))


def heard(vendor: str, channel: str, payload: object, device_ref: DeviceRef = BARE) -> tuple[Report, ...]:
    return VENDORS[vendor].decode_report(TopicSuffix(channel), json.dumps(payload).encode(), device_ref)


def states(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    told = [{"name": name, "type": 3, "value": value} for name, value in pairs]
    return {"name": "DeviceStateChangedEvent", "deviceURL": "io://1234-5678-3293/1", "deviceStates": told}


BOLT, LEVEL, CHARGE, DEFECT = (
    f"core:{name}State" for name in ("LockedUnlocked", "BatteryDiscreteLevel", "Battery", "SensorDefect")
)
BESIDE = [
    (LEVEL, "verylow-ish"), (CHARGE, 7), (CHARGE, None), (DEFECT, "odd"), (DEFECT, 3), ("core:ContactState", 0),
    (None, 1), (7, 7),
    ("core:MovingState", "no"), ("perron:JammedState", "no"), ("perron:OperationSourceState", 7),
    ("perron:OperationUserState", "\x1b"), ("core:StatusState", 7),
]  # fmt: skip


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("first", [True, False])
def test_a_somfy_lock_that_is_unlocked_says_so_whatever_stands_beside_it(beside: tuple[Any, Any], first: bool) -> None:
    pairs = [beside, (BOLT, "unlocked")] if first else [(BOLT, "unlocked"), beside]
    bolts = [report.bolt for report in heard("somfy", "state", states(*pairs), LOCK) if isinstance(report, LockReport)]
    assert bolts == [LockState.UNLOCKED]


@pytest.mark.parametrize(
    ("values", "bolt"),
    [
        (("locked", "unlocked"), LockState.UNLOCKED),
        (("unlocked", "locked"), LockState.UNLOCKED),
        (("locked", "locked"), LockState.LOCKED),
        (("locked", "odd"), LockState.UNKNOWN),
        (("odd", "unlocked"), LockState.UNLOCKED),
    ],
)
def test_of_a_state_that_stands_twice_the_worse_value_counts(values: tuple[str, str], bolt: LockState) -> None:
    assert heard("somfy", "state", states(*((BOLT, value) for value in values))) == (LockReport(bolt=bolt),)
    twice = states(("core:ContactState", "closed"), ("core:ContactState", "open"))
    assert heard("somfy", "state", twice) == (DoorReport(door=DoorState.OPEN),)


@pytest.mark.parametrize(
    ("name", "word", "level"),
    [
        (CHARGE, "full", BatteryLevel.GOOD),
        (CHARGE, "normal", BatteryLevel.GOOD),
        (CHARGE, "low", BatteryLevel.LOW),
        (CHARGE, "verylow", BatteryLevel.CRITICAL),
        (LEVEL, "verylow", BatteryLevel.CRITICAL),
        (LEVEL, "medium", BatteryLevel.MEDIUM),
        (DEFECT, "lowBattery", BatteryLevel.LOW),
    ],
)
def test_every_word_of_overkiz_for_a_battery_is_read(name: str, word: str, level: BatteryLevel) -> None:
    assert heard("somfy", "state", states((name, word))) == (BatteryReport(level=level),)
    both = states((BOLT, "unlocked"), (name, word), (CHARGE, "full"))
    assert heard("somfy", "state", both) == (LockReport(bolt=LockState.UNLOCKED), BatteryReport(level=level))


def test_a_sensor_that_its_box_calls_dead_is_not_there_and_one_without_a_defect_proves_nothing() -> None:
    assert heard("somfy", "state", states((DEFECT, "dead"))) == (AvailabilityReport(online=False),)
    for word in ("noDefect", "maintenanceRequired"):
        assert heard("somfy", "state", states((DEFECT, word))) == ()


def test_a_contact_that_knows_only_open_and_closed_is_a_door_and_a_lock_s_own_word_for_it_never() -> None:
    word = "core:OpenClosedState"
    assert heard("somfy", "state", states((word, "open")), CONTACT) == (DoorReport(door=DoorState.OPEN),)
    assert heard("somfy", "state", states((word, "odd")), CONTACT) == (DoorReport(door=DoorState.UNKNOWN),)
    assert heard("somfy", "state", states((word, "closed")), LOCK) == ()
    both = states((BOLT, "unlocked"), (word, "closed"))
    assert heard("somfy", "state", both, CONTACT) == (LockReport(bolt=LockState.UNLOCKED),)


def test_every_state_of_an_execution_is_known_or_says_nothing() -> None:
    states_ = ("UNKNOWN", "INITIALIZED", "NOT_TRANSMITTED", "TRANSMITTED", "IN_PROGRESS", "COMPLETED", "FAILED",
               "QUEUED_GATEWAY_SIDE", "QUEUED_SERVER_SIDE", "NEW_ONE")  # fmt: skip
    for state in states_:
        body = {"name": "ExecutionStateChangedEvent", "execId": "e1", "newState": state, "failureType": 7}
        assert not any(isinstance(report, UnreadablePayload) for report in heard("somfy", "event", body)), state


PROPERTY = {"namespace": "Alexa.LockController", "name": "lockState", "value": "UNLOCKED"}
ODD = [
    {"namespace": "Alexa.EndpointHealth", "name": "connectivity", "value": {"value": "ODD"}},
    {"namespace": "Alexa.MotionSensor", "name": "detectionState", "value": "ODD"},
    {"namespace": 7}, 7, None,
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_an_alexa_lock_that_is_unlocked_says_so_whatever_stands_beside_it(odd: object) -> None:
    for name, header in (("StateReport", {}), ("Response", {"correlationToken": "\x1b"})):
        body = {
            "event": {"header": {"namespace": "Alexa", "name": name, **header}},
            "context": {"properties": [odd, PROPERTY]},
        }
        found = heard("alexa", "state", body)
        assert [one.bolt for one in found if isinstance(one, LockReport)] == [LockState.UNLOCKED], name
        assert not any(isinstance(one, ProgressReport) for one in found)


def test_a_compartment_of_a_fridge_that_cannot_be_read_hides_no_other() -> None:
    warm = {"temperatureMeasurement": {"temperature": {"value": 12, "unit": "C"}}}
    found = heard("smartthings", "state", {"components": {"freezer": 7, "cooler": warm}})
    assert [(one.compartment, one.temp_c) for one in found if isinstance(one, FridgeReport)] == [("cooler", 12)]
    assert isinstance(found[-1], UnreadablePayload)


def test_an_answer_with_an_echo_that_cannot_be_read_still_says_that_the_door_is_open() -> None:
    cover = DeviceRef(kind="cover")
    for echo in ({}, {"echo": 7}):
        found = heard("esphome", "result", {**echo, "door": "open"})
        assert found[0] == DoorReport(door=DoorState.OPEN)
        assert not any(isinstance(one, CorrelationReport) for one in found), "and answers no question"
    (_, opener) = heard("esphome", "result", {"echo": "1:7", "cover": "open", "clear": "odd"}, cover)
    assert isinstance(opener, GarageDoorReport)
    assert (opener.cover.value, opener.clear) == ("open", None)
    person = DeviceRef(address="homeassistant/person/anna", kind="presence")
    found = heard("homeassistant", "result", {"echo": 7, "state": "home", "unit": 7}, person)
    assert isinstance(found[0], PresenceReport)
    node = {"nodeId": 5, "commandClass": 98, "property": "currentMode"}
    answer = {"success": True, "args": [node, 7], "result": 0}
    assert heard("zwave", "result", answer, DeviceRef(address="zwave/5")) == (LockReport(bolt=LockState.UNLOCKED),)


def test_a_battery_that_is_critical_is_told_whatever_its_percentage_says() -> None:
    for level in ("odd", 300, None, True):
        found = heard("nukihub", "event", {"level": level, "critical": "1"})
        assert found == (BatteryReport(level=BatteryLevel.CRITICAL),)


def test_a_contact_that_only_sends_is_a_basic_door_whatever_the_house_file_says() -> None:
    def door(address: str) -> DoorDevice:
        return DoorDevice.model_validate({"kind": "door", "vendor": "somfy", "address": address, "answers": True})

    assert door("io://1234-5678-3293/5770899").can_be_queried
    sends = door("rtds://1234-5678-3293/12345")
    assert not sends.can_be_queried
    home = load_home_file(Path(__file__).parents[3] / "config" / "home.yaml")
    with_it = home.model_copy(update={"devices": {**home.devices, "front-door": sends}})
    assert entrance_rules(with_it, "front").basic_sensors == {"door"}
    refused = [problem.text for problem in find_problems(with_it) if problem.loc == ("entrances", "front", "door")]
    assert "cannot be queried" in "".join(refused)
