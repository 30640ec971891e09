"""Returns: the courier takes parcels with him, alone or after he has left one; each is scanned inside."""

import pytest

from gateway.domain.delivery.result import CollectResult, Outcome
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import CodeKind
from tests.house.house import SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.story import RINGING_S, announce_delivery, good_day


def at_the_door(returns: int = 1, *, alone: bool = False) -> tuple[SimulatedHome, SimulatedDelivery]:
    """A delivery with parcels to collect is announced, and its courier has come."""
    house = good_day()
    return house, announce_delivery(house, "d0", returns=returns, alone=alone)


def gone_in(returns: int = 1, *, alone: bool = False) -> tuple[SimulatedHome, SimulatedDelivery]:
    """The courier scanned outside, and stands in the open door."""
    house, delivery = at_the_door(returns, alone=alone)
    house.scan(min(delivery.door_codes))
    house.run(RINGING_S + 1)
    assert house.open(), house.refusals
    house.run(1)
    return house, delivery


def results(house: SimulatedHome) -> list[tuple[str, str | None]]:
    """What was told of the parcels: the outcome, and what was collected."""
    told = house.all(c.ReportParcelResult)
    return [(str(one.outcome), None if one.collected is None else str(one.collected)) for one in told]


@pytest.mark.parametrize(
    ("returns", "scanned", "collected"),
    [(1, 1, "collected"), (2, 2, "collected"), (2, 1, "partly_collected"), (1, 0, "not_collected")],
)
@pytest.mark.parametrize("alone", [False, True])
def test_what_is_scanned_inside_is_collected_in_the_same_opening(
    returns: int, scanned: int, collected: str, *, alone: bool
) -> None:
    house, delivery = gone_in(returns, alone=alone)
    for code in sorted(delivery.collect)[:scanned]:
        house.scan(code)
    house.run(1)
    house.close()
    house.run(60)
    assert results(house) == [(collected if alone else "delivered", collected)]
    assert house.physical == ["withdrawn", "open", "close", "thrown"]
    assert house.mem.visit is None


def test_a_return_s_code_opens_nothing_and_is_no_wrong_attempt() -> None:
    house, delivery = at_the_door(returns=1)
    for _ in range(4):
        house.run(11)
        house.scan(min(delivery.collect))
    house.run(RINGING_S + 1)
    assert house.refusals == ["collect_inside"] * 4
    assert house.physical == []
    assert not house.alarms


def test_a_return_that_is_scanned_before_the_door_opens_does_not_count() -> None:
    house, delivery = at_the_door(returns=1)
    house.scan(min(delivery.door_codes))
    house.run(1)
    house.scan(min(delivery.collect))
    house.run(RINGING_S + 1)
    house.open()
    house.run(1)
    house.close()
    house.run(60)
    assert "collect_inside" in house.refusals
    assert results(house) == [("delivered", "not_collected")]


def test_a_return_that_is_scanned_after_the_door_closed_does_not_count() -> None:
    house, delivery = gone_in()
    house.close()
    house.run(4)
    assert house.phase == "relocking"
    house.scan(min(delivery.collect))
    house.run(60)
    assert house.refusals == ["collect_inside"]
    assert results(house) == [("delivered", "not_collected")]


def test_he_may_open_again_and_scan_what_he_forgot() -> None:
    house, delivery = gone_in()
    house.close()
    house.run(4)
    house.open()
    house.run(1)
    house.scan(min(delivery.collect))
    house.close()
    house.run(60)
    assert results(house) == [("delivered", "collected")]


def test_a_courier_who_only_collects_needs_his_own_code_and_no_parcel_s() -> None:
    house, delivery = at_the_door(alone=True)
    house.scan(delivery.courier)
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked", house.refusals


def test_a_visit_that_the_household_attends_to_says_nothing_of_what_was_taken() -> None:
    house, delivery = at_the_door(alone=True)
    house.scan(delivery.courier)
    house.run(2)
    house.feed(e.HouseholdAnswered())
    assert results(house) == [("attended", None)]


def test_a_delivery_that_collects_nothing_says_nothing_of_it() -> None:
    house, _ = gone_in(returns=0)
    house.close()
    house.run(60)
    assert results(house) == [("delivered", None)]


def test_a_parcel_of_one_shop_opens_though_another_shop_wants_to_collect_it() -> None:
    house = good_day()
    announce_delivery(house, "d1", label="both")
    other = announce_delivery(house, "d2", brand="farm", returns=1)
    delivery = house.promises["d1"].facts()
    matches = (
        e.CodeMatch(kind=CodeKind.COLLECT, delivery=other.facts()),
        e.CodeMatch(kind=CodeKind.PARCEL, delivery=delivery),
    )
    house.oracle.scan_times["v9"] = ({"both": house.t}, e.Scanned(id="v9", scanner="s", code="both", matches=matches))
    house.oracle.begun_at["v9"] = house.t
    house.feed(e.Scanned(id="v9", scanner="s", code="both", matches=matches))
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked", house.refusals


def test_each_result_of_a_collection_is_also_an_outcome() -> None:
    assert {Outcome(one.value) for one in CollectResult} < set(Outcome)
