"""What the log of a visit is taken to tell, and what not."""

import pytest

from gateway.evidence.documents.visit_timeline import Moment, course
from gateway.protocol.hash_chain import Json
from tests.gateway.evidence.documents.visits import DELIVERY, after, bolt, door, fridge, row, scan
from tests.gateway.evidence.visits import VISIT


def test_a_delivery_is_told_by_five_moments() -> None:
    told = course(DELIVERY, visit=VISIT)
    assert {moment: one.at for moment, one in told.main().items()} == {
        Moment.SCANNED: after(0.5),
        Moment.UNLOCKED: after(1),
        Moment.OPENED: after(1.5),
        Moment.CLOSED: after(3),
        Moment.LOCKED_AGAIN: after(4.5),
    }
    assert told.others() == ()
    assert [(one.start, one.end) for one in told.open] == [(after(1.5), after(3))]
    assert [(one.start, one.end) for one in told.withdrawn] == [(after(1), after(4))]


def test_a_stored_copy_tells_nothing() -> None:
    told = course([bolt(1, "unlocked", retained=True), door(2, "open", retained=True)], visit=VISIT)
    assert told.happenings == ()


def test_a_report_that_comes_twice_is_one_moment() -> None:
    told = course([door(1, "open"), door(2, "open"), door(3, "closed"), door(4, "closed")], visit=VISIT)
    assert [(one.moment, one.at) for one in told.happenings] == [(Moment.OPENED, after(1)), (Moment.CLOSED, after(3))]


def test_a_door_that_opens_again_before_it_is_locked_counts_with_its_last_closing() -> None:
    rows = [door(1, "open"), door(2, "closed"), door(3, "open"), door(4, "closed"), door(5, "closed", proven=True)]
    told = course(rows, visit=VISIT)
    assert told.main()[Moment.OPENED].at == after(1)
    assert told.main()[Moment.CLOSED].at == after(4)
    assert [one.at for one in told.others()] == [after(2), after(3)]


def test_the_way_out_by_hand_is_told_apart_from_the_delivery() -> None:
    way_out = [bolt(60, "unlocked"), door(61, "open"), door(62, "closed"), bolt(63, "locked")]
    told = course([*DELIVERY, *way_out, door(64, "closed", proven=True)], visit=VISIT)
    assert told.main()[Moment.CLOSED].at == after(3)
    assert [one.moment for one in told.others()] == [
        Moment.UNLOCKED, Moment.OPENED, Moment.CLOSED, Moment.LOCKED_AGAIN,
    ]  # fmt: skip


def test_nothing_is_concluded_from_silence() -> None:
    told = course([scan(0), bolt(1, "unlocked"), bolt(2, "unknown"), door(3, "unknown")], visit=VISIT)
    assert set(told.main()) == {Moment.SCANNED, Moment.UNLOCKED}
    assert told.withdrawn[0].end is None
    assert course([], visit=VISIT).happenings == ()


def test_a_door_handed_to_its_owner_is_told() -> None:
    handed = row(9, {"event": "Due"}, {"command": "HouseResult", "house": "handed_to_owner"})
    assert Moment.HANDED_TO_OWNER in course([*DELIVERY[:4], handed], visit=VISIT).main()


def test_another_scan_is_none_of_this_visit() -> None:
    assert course([row(1, {"event": "Scanned", "id": "another"})], visit=VISIT).happenings == ()


def test_temperatures_are_told_where_any_was_measured() -> None:
    told = course([fridge(1, 4.5), fridge(2, None), fridge(3, 5.0)], visit=VISIT)
    assert [reading.temp_c for reading in told.temperatures["fridge"]] == [4.5, None, 5.0]
    assert course([fridge(1, None)], visit=VISIT).temperatures == {}


@pytest.mark.parametrize(
    "body",
    [
        None, [], "step", {"kind": "clip"}, {**scan(1), "at": "yesterday"}, {**scan(1), "event": None},
        {**scan(1), "commands": "Unlock"}, {**bolt(1, "unlocked"), "event": {"event": "LockHeard", "report": 7}},
        {**fridge(1, 4.0), "event": {"event": "FridgeHeard", "place": "x", "cold": {"temp_c": "NaN"}}},
        {**fridge(1, 4.0), "event": {"event": "FridgeHeard", "place": "x", "cold": {"temp_c": 1e308}}},
    ],
)  # fmt: skip
def test_what_is_no_decision_is_passed_over(body: Json) -> None:
    told = course([body, *DELIVERY], visit=VISIT)
    assert set(told.main()) == set(course(DELIVERY, visit=VISIT).main())
    assert told.temperatures == {}
