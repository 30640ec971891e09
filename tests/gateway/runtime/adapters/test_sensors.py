"""What a device's report means for the sensors of closures, and how many queries one device gets."""

import pytest

from devices import reports as r
from gateway.config.closures import SensorBinding, sensor_bindings
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import BoltedDoor, CarBoot, Compartment, KeySafe
from gateway.domain.visit.closures.contract import UNKNOWN, Quantity
from gateway.domain.visit.fence import Fence
from gateway.domain.visit.state import Rules
from gateway.runtime.adapters.sensors import (
    is_bad_news,
    is_good_basic_news,
    report_value,
    sensor_events,
    with_folded_queries,
    witness_events,
)

LIVE = e.ReportContext(session=1, answers=4)
STORED = e.ReportContext(session=1, retained=True)

BINDINGS = (
    SensorBinding(name="flat/lock", closure="flat", role="lock", quantity=Quantity.BOLT, device="lock"),
    SensorBinding(name="flat/door", closure="flat", role="door", quantity=Quantity.CONTACT, device="reed"),
    SensorBinding(name="one/latch", closure="one", role="latch", quantity=Quantity.BOLT, device="board"),
    SensorBinding(name="one/lid", closure="one", role="lid", quantity=Quantity.CONTACT, device="board"),
    SensorBinding(name="one/content", closure="one", role="content", quantity=Quantity.CONTENT, device="eye"),
)
RULES = Rules(
    closures=(BoltedDoor(id="flat"), Compartment(id="one", devices={"content": "eye"}), KeySafe(id="safe")),
    basic_sensors=frozenset({"flat/door"}),
)


@pytest.mark.parametrize(
    ("report", "value"),
    [
        (r.LockReport(bolt=r.LockState.LOCKED), (Quantity.BOLT, "locked")),
        (r.DoorReport(door=r.DoorState.AJAR), (Quantity.CONTACT, "ajar")),
        (r.GarageDoorReport(cover=r.GarageDoorState.CLOSED, clear=True), (Quantity.OBSTRUCTION, "clear")),
        (r.GarageDoorReport(cover=r.GarageDoorState.CLOSED, clear=False), (Quantity.OBSTRUCTION, "obstructed")),
        (r.GarageDoorReport(cover=r.GarageDoorState.CLOSED, clear=None), None),
        (r.ContentReport(occupied=True), (Quantity.CONTENT, "occupied")),
        (r.ContentReport(occupied=False), (Quantity.CONTENT, "empty")),
        (r.ContentReport(occupied=None), (Quantity.CONTENT, UNKNOWN)),
        (r.KeyReport(present=True), (Quantity.KEY, "present")),
        (r.KeyReport(present=False), (Quantity.KEY, "absent")),
        (r.KeyReport(present=None), (Quantity.KEY, UNKNOWN)),
        (r.ParkedReport(parked=True), (Quantity.MOTION, "parked")),
        (r.ParkedReport(parked=False), (Quantity.MOTION, "driving")),
        (r.ParkedReport(parked=None), (Quantity.MOTION, UNKNOWN)),
        (r.PositionReport(latitude=48.0, longitude=2.0, accuracy_m=5.0, age_s=1.0), None),
        (r.MotionReport(detected=True), None),
    ],
)
def test_a_report_is_a_value_of_one_quantity_and_what_it_does_not_say_is_unknown(
    report: r.Report, value: tuple[Quantity, str] | None
) -> None:
    assert report_value(report) == value


def test_a_device_reports_for_its_own_sensors_of_that_quantity_and_for_no_other() -> None:
    (event,) = sensor_events(RULES.closures, BINDINGS, "board", r.DoorReport(door=r.DoorState.CLOSED), LIVE)
    assert (event.sensor, event.value, event.context) == ("one/lid", "closed", LIVE)
    (event,) = sensor_events(RULES.closures, BINDINGS, "board", r.LockReport(bolt=r.LockState.LOCKED), LIVE)
    assert event.sensor == "one/latch"
    assert not [*sensor_events(RULES.closures, BINDINGS, "lock", r.DoorReport(door=r.DoorState.CLOSED), LIVE)]
    assert not [*sensor_events(RULES.closures, BINDINGS, "another", r.LockReport(bolt=r.LockState.LOCKED), LIVE)]


def test_who_moved_a_lock_and_whether_it_jammed_goes_with_its_report() -> None:
    report = r.LockReport(
        bolt=r.LockState.UNLOCKED, source=r.OperationSource.KEYPAD, user="anna", event=True, jammed=True
    )
    (event,) = sensor_events(RULES.closures, BINDINGS, "lock", report, LIVE)
    assert (event.source, event.user, event.is_movement, event.jammed) == (
        r.OperationSource.KEYPAD, "anna", True, True
    )  # fmt: skip
    (event,) = sensor_events(RULES.closures, BINDINGS, "reed", r.DoorReport(door=r.DoorState.OPEN), LIVE)
    assert (event.source, event.user, event.is_movement, event.jammed) == (
        r.OperationSource.UNSPECIFIED, None, False, False
    )  # fmt: skip


FENCE = Fence(latitude=48.85, longitude=2.35, radius=60, fix_age=120)
CAR = CarBoot(
    id="zoe", fence=FENCE, devices=dict.fromkeys(("order", *CarBoot.roles), "modem"), witnesses=("teslamate",)
)
OF_CAR = sensor_bindings((CAR,))


@pytest.mark.parametrize(
    ("latitude", "age_s", "value"), [(48.85, 7.0, "there"), (48.86, 7.0, "away"), (48.85, 300.0, "no_fix")]
)
def test_a_position_becomes_a_word_and_its_age_and_nothing_else_of_it_goes_on(
    latitude: float, age_s: float, value: str
) -> None:
    report = r.PositionReport(latitude=latitude, longitude=2.35, accuracy_m=10.0, age_s=age_s)
    (event,) = sensor_events((CAR,), OF_CAR, "modem", report, LIVE)
    assert event == e.SensorReported(sensor="zoe/place", value=value, context=LIVE, age_s=age_s)
    assert "48.8" not in repr(event)
    assert "2.35" not in repr(event)


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (r.ParkedReport(parked=False), ("zoe/parked", "driving")),
        (r.ParkedReport(parked=True), None),
        (r.ParkedReport(parked=None), None),
        (r.DoorReport(door=r.DoorState.OPEN), ("zoe/boot", "open")),
        (r.DoorReport(door=r.DoorState.CLOSED), None),
        (r.DoorReport(door=r.DoorState.JAMMED), None),
        (r.LockReport(bolt=r.LockState.UNLOCKED), ("zoe/locked", "unlocked")),
        (r.LockReport(bolt=r.LockState.LOCKED), None),
        (r.PositionReport(latitude=50.0, longitude=2.35, accuracy_m=50.0), ("zoe/place", "away")),
        (r.PositionReport(latitude=48.85, longitude=2.35, accuracy_m=50.0), None),
        (r.PositionReport(), None),
    ],
)
def test_a_witness_s_bad_news_counts_and_its_good_news_does_not(report: r.Report, told: tuple[str, str] | None) -> None:
    context = e.ReportContext(session=1, answers=4, boot="b", seq=9)
    events = [*sensor_events((CAR,), OF_CAR, "teslamate", report, context)]
    assert [(event.sensor, event.value) for event in events] == ([] if told is None else [told])
    assert all(event.context == e.ReportContext(session=1) for event in events)


@pytest.mark.parametrize(
    ("device", "report", "told"),
    [
        ("teslamate", r.ParkedReport(parked=False), [("zoe/parked", "driving")]),
        ("teslamate", r.ParkedReport(parked=True), [("zoe/parked", "parked")]),
        ("teslamate", r.ParkedReport(parked=None), [("zoe/parked", "unknown")]),
        ("teslamate", r.PositionReport(latitude=48.9, longitude=2.35, accuracy_m=50.0), [("zoe/place", "away")]),
        ("teslamate", r.KeyReport(present=True), []),
        ("modem", r.ParkedReport(parked=False), []),
        ("neighbour", r.ParkedReport(parked=False), []),
    ],
)
def test_each_word_of_a_witness_is_told_with_its_name_and_without_coordinates(
    device: str, report: r.Report, told: list[tuple[str, str]]
) -> None:
    events = [*witness_events((CAR,), OF_CAR, device, report)]
    assert [(event.sensor, event.value) for event in events] == told
    assert all(event.device == device and "48.9" not in repr(event) for event in events)


@pytest.mark.parametrize(
    ("event", "is_bad"),
    [
        (e.SensorOffline(sensor="flat/lock"), True),
        (e.SensorReported(sensor="flat/lock", value="unlocked", context=LIVE), True),
        (e.SensorReported(sensor="flat/lock", value="unknown", context=LIVE), True),
        (e.SensorReported(sensor="flat/lock", value="locked", context=LIVE), False),
        (e.SensorReported(sensor="flat/lock", value="unlocked", context=STORED), False),
        (e.SensorReported(sensor="nobody/lock", value="unlocked", context=LIVE), False),
    ],
)
def test_bad_news_is_live_and_of_a_sensor_that_there_is(
    event: e.SensorReported | e.SensorOffline, *, is_bad: bool
) -> None:
    assert is_bad_news(RULES, event) is is_bad


@pytest.mark.parametrize(
    ("sensor", "value", "proves"),
    [("flat/door", "closed", True), ("flat/door", "open", False), ("one/lid", "closed", False)],
)
def test_only_a_sensor_that_answers_no_query_proves_something_by_its_mere_report(
    sensor: str, value: str, *, proves: bool
) -> None:
    assert is_good_basic_news(RULES, e.SensorReported(sensor=sensor, value=value, context=LIVE)) is proves


def test_a_device_with_several_sensors_is_queried_once_by_the_newest_number() -> None:
    queries = tuple(
        c.QuerySensor(sensor=sensor, session=1, number=number)
        for number, sensor in enumerate(("one/latch", "flat/door", "one/lid", "one/content"), 7)
    )
    show = c.LogNote(what="between")
    left = with_folded_queries(BINDINGS, (queries[0], show, *queries[1:]))
    assert left == (show, queries[1], queries[2], queries[3])
