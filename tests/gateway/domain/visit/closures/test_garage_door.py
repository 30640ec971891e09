"""A garage door that opens, waits and is sent down, beside a flat's way in at the same entrance."""

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.entrances import build, walk
from tests.house.story import announce_delivery
from tests.house.things.garage_door import Garage
from tests.house.ways import EntranceHouse


def garage(house: EntranceHouse) -> Garage:
    thing = house.things["garage"]
    assert isinstance(thing, Garage)
    return thing


def inside() -> EntranceHouse:
    house = build("garage")
    house.run(5)
    assert walk(house, announce_delivery(house), "in garage")[-1] == "in garage", house.refusals
    house.run(2)
    return house


def test_it_comes_down_behind_a_courier_who_rings_outside() -> None:
    house = inside()
    garage(house).leave()
    house.run(60)
    assert house.orders == ["Unlock garage", "Close garage"]
    assert garage(house).is_secured()
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]


def test_it_never_comes_down_on_a_courier_who_did_not_report_that_he_left() -> None:
    house = inside()
    house.run(1200)
    assert not house.all(c.Close)
    assert house.houses == ["handed_to_owner"]
    assert "door_left_open" in house.alarms


def test_whoever_walks_in_after_the_bell_keeps_it_open() -> None:
    house = inside()
    house.feed(e.BellPressed())
    house.run(2)
    garage(house).enter()
    house.run(60)
    assert not house.all(c.Close)


def test_something_in_its_way_keeps_it_open_until_it_is_gone() -> None:
    house = inside()
    garage(house).break_beam(broken=True)
    house.run(1)
    house.feed(e.BellPressed())
    house.run(30)
    assert not house.all(c.Close)
    garage(house).break_beam(broken=False)
    house.run(1)
    house.feed(e.BellPressed())
    house.run(60)
    assert house.orders[-1] == "Close garage"
    assert garage(house).is_secured()


def test_a_door_that_does_not_come_down_is_sent_three_times_and_then_the_owners() -> None:
    house = inside()
    house.faults.jam = True
    house.feed(e.BellPressed())
    house.run(300)
    assert house.orders == ["Unlock garage", *["Close garage"] * 3]
    assert house.houses == ["handed_to_owner"]


def test_the_garage_and_the_flat_of_one_entrance_open_each_for_its_own_place() -> None:
    house = build("two ways in")
    house.run(5)
    walk(house, announce_delivery(house, "d0", place="garage"))
    house.run(90)
    walk(house, announce_delivery(house, "d1", place="hall"))
    house.run(90)
    assert house.orders == ["Unlock garage", "Close garage", "Unlock street", "Unlock flat", "Lock flat"]
    assert house.outcomes == ["delivered"] * 2
