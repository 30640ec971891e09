"""What the log of a visit is taken to tell, and what not."""

import pytest

from gateway.evidence.documents.visit_timeline import VisitMoment, read_timeline
from gateway.protocol.hash_chain import Json
from tests.gateway.evidence.documents.visits import (
    DELIVERY_ROWS,
    bolt_event,
    door_event,
    fridge_event,
    log_row,
    scan_event,
    seconds_after,
)
from tests.gateway.evidence.visits import VISIT


def test_a_delivery_is_told_by_five_moments() -> None:
    told = read_timeline(DELIVERY_ROWS, visit=VISIT)
    assert {moment: one.at for moment, one in told.first_of_each().items()} == {
        VisitMoment.SCANNED: seconds_after(0.5),
        VisitMoment.UNLOCKED: seconds_after(1),
        VisitMoment.OPENED: seconds_after(1.5),
        VisitMoment.CLOSED: seconds_after(3),
        VisitMoment.LOCKED_AGAIN: seconds_after(4.5),
    }
    assert told.remaining_events() == ()
    assert [(one.start, one.end) for one in told.open] == [(seconds_after(1.5), seconds_after(3))]
    assert [(one.start, one.end) for one in told.withdrawn] == [(seconds_after(1), seconds_after(4))]


def test_a_stored_copy_tells_nothing() -> None:
    told = read_timeline([bolt_event(1, "unlocked", retained=True), door_event(2, "open", retained=True)], visit=VISIT)
    assert told.events == ()


def test_a_report_that_comes_twice_is_one_moment() -> None:
    told = read_timeline(
        [door_event(1, "open"), door_event(2, "open"), door_event(3, "closed"), door_event(4, "closed")], visit=VISIT
    )
    assert [(one.moment, one.at) for one in told.events] == [
        (VisitMoment.OPENED, seconds_after(1)),
        (VisitMoment.CLOSED, seconds_after(3)),
    ]


def test_of_a_street_door_and_a_flats_door_the_flats_own_moments_count() -> None:
    def heard(seconds: float, sensor: str, value: str) -> dict[str, Json]:
        report: dict[str, Json] = {
            "event": "SensorReported",
            "sensor": sensor,
            "value": value,
            "heard": {"retained": False},
        }
        return log_row(seconds, report)

    street = [heard(1, "street/door", "open"), heard(2, "street/door", "closed")]
    flat = [heard(3, "lock", "unlocked"), heard(4, "door", "open"), heard(5, "door", "closed")]
    told = read_timeline([*street, *flat], visit=VISIT, way=("street", "door"))
    assert [event.at for event in told.first_of_each().values()] == [seconds_after(second) for second in (3, 4, 5)]
    assert [(event.closure, event.at) for event in told.remaining_events()] == [
        ("street", seconds_after(1)),
        ("street", seconds_after(2)),
    ]
    turned_back = read_timeline(street, visit=VISIT, way=("street", "door"))
    assert [event.at for event in turned_back.first_of_each().values()] == [seconds_after(1), seconds_after(2)]


def test_a_door_that_opens_again_before_it_is_locked_counts_with_its_last_closing() -> None:
    rows = [
        door_event(1, "open"),
        door_event(2, "closed"),
        door_event(3, "open"),
        door_event(4, "closed"),
        door_event(5, "closed", proven=True),
    ]
    told = read_timeline(rows, visit=VISIT)
    assert told.first_of_each()[VisitMoment.OPENED].at == seconds_after(1)
    assert told.first_of_each()[VisitMoment.CLOSED].at == seconds_after(4)
    assert [one.at for one in told.remaining_events()] == [seconds_after(2), seconds_after(3)]


def test_the_way_out_by_hand_is_told_apart_from_the_delivery() -> None:
    way_out = [bolt_event(60, "unlocked"), door_event(61, "open"), door_event(62, "closed"), bolt_event(63, "locked")]
    told = read_timeline([*DELIVERY_ROWS, *way_out, door_event(64, "closed", proven=True)], visit=VISIT)
    assert told.first_of_each()[VisitMoment.CLOSED].at == seconds_after(3)
    assert [one.moment for one in told.remaining_events()] == [
        VisitMoment.UNLOCKED, VisitMoment.OPENED, VisitMoment.CLOSED, VisitMoment.LOCKED_AGAIN,
    ]  # fmt: skip


def test_nothing_is_concluded_from_silence() -> None:
    told = read_timeline(
        [scan_event(0), bolt_event(1, "unlocked"), bolt_event(2, "unknown"), door_event(3, "unknown")], visit=VISIT
    )
    assert set(told.first_of_each()) == {VisitMoment.SCANNED, VisitMoment.UNLOCKED}
    assert told.withdrawn[0].end is None
    assert read_timeline([], visit=VISIT).events == ()


def test_a_door_handed_to_its_owner_is_told() -> None:
    handed = log_row(9, {"event": "Due"}, {"command": "HouseResult", "house": "handed_to_owner"})
    assert VisitMoment.HANDED_TO_OWNER in read_timeline([*DELIVERY_ROWS[:4], handed], visit=VISIT).first_of_each()


def test_another_scan_is_none_of_this_visit() -> None:
    assert read_timeline([log_row(1, {"event": "Scanned", "id": "another"})], visit=VISIT).events == ()


def test_temperatures_are_told_where_any_was_measured() -> None:
    told = read_timeline([fridge_event(1, 4.5), fridge_event(2, None), fridge_event(3, 5.0)], visit=VISIT)
    assert [reading.temp_c for reading in told.temperatures["fridge"]] == [4.5, None, 5.0]
    assert read_timeline([fridge_event(1, None)], visit=VISIT).temperatures == {}


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "step",
        {"kind": "clip"},
        {**scan_event(1), "at": "yesterday"},
        {**scan_event(1), "event": None},
        {**scan_event(1), "commands": "Unlock"},
        {**bolt_event(1, "unlocked"), "event": {"event": "LockHeard", "report": 7}},
        {**fridge_event(1, 4.0), "event": {"event": "FridgeHeard", "place": "x", "cold": {"temp_c": "NaN"}}},
        {**fridge_event(1, 4.0), "event": {"event": "FridgeHeard", "place": "x", "cold": {"temp_c": 1e308}}},
    ],
)
def test_what_is_no_decision_is_passed_over(body: Json) -> None:
    told = read_timeline([body, *DELIVERY_ROWS], visit=VISIT)
    assert set(told.first_of_each()) == set(read_timeline(DELIVERY_ROWS, visit=VISIT).first_of_each())
    assert told.temperatures == {}
