"""A courier or a robot who comes after the window is late at every way in: nothing opens, and his delivery is named.

`gateway/runtime/late_couriers.py` asks the household about a scan that is answered so.
"""

from dataclasses import replace as with_changes

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Holder
from gateway.runtime.late_couriers import LATE_REFUSALS
from tests.house.entrances import FIRST_SCANNER, LAYOUTS, TIMING, Layout, things_for
from tests.house.promise import SimulatedDelivery
from tests.house.robot_ways import WAYS, RobotEntrance
from tests.house.story import announce_delivery
from tests.house.ways import KEEPERS, EntranceHouse

KEY_SAFES = [name for name, layout in LAYOUTS.items() if any(one.kind == "key_safe" for one in layout.closures)]
WAYS_IN = dict(LAYOUTS) | {
    f"{name}, for keepers": with_changes(LAYOUTS[name], holder=Holder.KEEPER) for name in KEY_SAFES
}


def house_of(layout: Layout) -> EntranceHouse:
    house = EntranceHouse(1, layout.rules(TIMING), things_for(layout.closures))
    house.run(30)
    return house


def late_delivery(house: EntranceHouse, place: str, refusal: Refusal | None) -> SimulatedDelivery:
    """A delivery whose window was over ten minutes ago; the store says so too, or only the clock does."""
    promise = announce_delivery(house, "d1", place=place, refusal=refusal)
    promise.start, promise.end = house.t - 4200, house.t - 600
    return promise


def are_late(house: EntranceHouse) -> bool:
    """Whether each answer says "no" to a late courier of this delivery, and nothing moved."""
    answers = house.all(c.AnswerScan)
    assert answers
    assert house.orders == []
    return all(one.refusal in LATE_REFUSALS and one.delivery == "d1" for one in answers)


@pytest.mark.parametrize("refusal", [None, Refusal.EXPIRED])
@pytest.mark.parametrize("name", WAYS_IN)
def test_a_courier_is_late_at_every_way_in(name: str, refusal: Refusal | None) -> None:
    layout = WAYS_IN[name]
    for place in layout.routes or ("hall",):
        house = house_of(layout)
        house.scan(min(late_delivery(house, place, refusal).parcels), scanner=FIRST_SCANNER)
        house.run(TIMING.courier + 5)
        assert are_late(house), place


@pytest.mark.parametrize("name", [name for name, layout in WAYS_IN.items() if layout.holder is Holder.COURIER])
def test_a_courier_who_shows_his_code_first_is_late_too(name: str) -> None:
    house = house_of(WAYS_IN[name])
    promise = late_delivery(house, next(iter(WAYS_IN[name].routes or ("hall",))), Refusal.EXPIRED)
    promise.needs_courier = True
    house.scan(promise.courier, scanner=FIRST_SCANNER)
    assert are_late(house)


@pytest.mark.parametrize("name", KEY_SAFES)
def test_a_keeper_whose_code_came_first_learns_that_the_parcel_is_late(name: str) -> None:
    house = house_of(with_changes(LAYOUTS[name], holder=Holder.KEEPER))
    house.scan(house.code_of(KEEPERS[0]), scanner=FIRST_SCANNER)
    house.run(2)
    house.scan(min(late_delivery(house, "hall", Refusal.EXPIRED).parcels), scanner=FIRST_SCANNER)
    last = house.all(c.AnswerScan)[-1]
    assert (last.refusal, last.delivery) == (Refusal.EXPIRED, "d1")


@pytest.mark.parametrize("name", WAYS)
def test_a_robot_is_late_at_every_way_in(name: str) -> None:
    house = RobotEntrance(name, 1)
    house.run(30)
    promise = late_delivery(house, "hall", Refusal.EXPIRED)
    promise.for_robot = True
    house.comes(promise)
    assert are_late(house)
