"""A sensor's value that grows old: what it says of now, when it is queried again, and when it proves nothing."""

import pytest

from gateway.domain.visit import aging
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures.contract import Fact
from gateway.domain.visit.views import fact_of
from tests.house.entrances import build
from tests.house.things.car_boot import Car
from tests.house.ways import EntranceHouse

PLACE = "car/place"


@pytest.mark.parametrize(
    ("value", "age_s", "present"),
    [
        ("there", None, "there"),
        ("there", 120.0, "there"),
        ("there", 120.1, "unknown"),
        ("away", 9000.0, "away"),
        ("no_fix", 9000.0, "no_fix"),
    ],
)
def test_good_news_of_long_ago_says_nothing_and_bad_news_counts(value: str, age_s: float | None, present: str) -> None:
    sensor = build("car").rules.closures[0].sensors["place"]
    assert aging.present_value(sensor, value, age_s) == present


@pytest.mark.parametrize(
    ("fact", "age_s", "expires_at", "refresh_at"),
    [
        (Fact(value="there", proven=True), None, 1120.0, 1114.0),
        (Fact(value="there", proven=True), 100.0, 1020.0, 1014.0),
        (Fact(value="there", proven=True), 110.0, 1010.0, None),  # asked again only when it is too old
        (Fact(value="there", proven=True), 118.0, 1002.0, None),
        (Fact(value="away"), 500.0, None, 1120.0),
        (Fact(value="unknown"), None, None, 1030.0),
        (Fact(value="no_fix"), None, None, 1030.0),
    ],
)
def test_good_news_is_asked_for_again_shortly_before_it_is_too_old(
    fact: Fact, age_s: float | None, expires_at: float | None, refresh_at: float | None
) -> None:
    closure = build("car").rules.closures[0]
    dated = aging.dated(fact, closure, closure.sensors["place"], age_s, 1000.0)
    assert (dated.expires_at, dated.refresh_at) == (expires_at, refresh_at)


def near_a_window() -> EntranceHouse:
    house = build("car")
    house.run(5)
    house.feed(e.WindowChanged(near=True))
    house.run(5)
    return house


def asked(house: EntranceHouse, sensor: str = PLACE) -> int:
    return sum(query.sensor == sensor for query in house.all(c.QuerySensor))


def test_a_car_that_stays_where_it_is_stays_ready_and_is_asked_now_and_then() -> None:
    house = near_a_window()
    before = asked(house)
    for _ in range(60):
        house.run(10)
        assert fact_of(house.mem, PLACE).proven
    assert 4 <= asked(house) - before <= 12


def test_a_car_that_answers_no_longer_proves_nothing_after_its_time() -> None:
    house = near_a_window()
    house.unplugged.update(house.sensors)
    house.run(100)
    assert fact_of(house.mem, PLACE).proven
    house.run(25)
    assert fact_of(house.mem, PLACE).value == "unknown"


def test_a_car_that_is_away_for_the_day_is_not_asked_every_ten_seconds() -> None:
    house = near_a_window()
    thing = house.things["car"]
    assert isinstance(thing, Car)
    thing.is_there = False
    house.run(120)
    before = asked(house)
    house.run(1200)
    assert fact_of(house.mem, PLACE).value == "away"
    assert asked(house) - before <= 12


def test_a_car_that_its_driver_left_unlocked_is_not_asked_every_ten_seconds() -> None:
    house = near_a_window()
    thing = house.things["car"]
    assert isinstance(thing, Car)
    thing.driver_uses(leaves=True)
    house.run(120)
    before = asked(house, "car/locked")
    house.run(1200)
    assert fact_of(house.mem, "car/locked").value == "unlocked"
    assert asked(house, "car/locked") - before <= 12


def test_a_car_that_left_its_garage_is_found_ready_within_half_a_minute() -> None:
    house = near_a_window()
    thing = house.things["car"]
    assert isinstance(thing, Car)
    thing.sees_sky(sees=False)
    house.run(300)
    assert not fact_of(house.mem, PLACE).proven
    thing.sees_sky(sees=True)
    house.run(31)
    assert fact_of(house.mem, PLACE).proven


def test_a_car_that_did_not_answer_at_first_is_asked_again() -> None:
    house = build("car")
    house.unplugged.update(house.sensors)
    house.run(5)
    house.feed(e.WindowChanged(near=True))
    house.run(60)
    assert not fact_of(house.mem, "car/locked").proven
    house.unplugged.clear()
    house.run(31)
    assert fact_of(house.mem, "car/locked").proven


def test_nobody_asks_a_car_of_which_nothing_is_expected() -> None:
    house = build("car")
    house.run(5)
    before = len(house.all(c.QuerySensor))
    house.run(3600)
    assert len(house.all(c.QuerySensor)) == before
