"""Sources that disagree about one closure: what a witness says that is bad keeps it shut until it takes it back.

A witness is a device that answers no query, so its good news never counts. A car that answers good again after a
witness said otherwise is no reason to open.
"""

import pytest

from gateway.domain.frozen import replace
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import CarBoot
from gateway.domain.visit.decide import decide
from gateway.domain.visit.predicates import missing_on_route
from gateway.domain.visit.state import Entrance
from gateway.domain.visit.views import fact_of, view
from tests.house.entrances import build
from tests.house.ways import EntranceHouse

WORDS = [
    ("parked", "driving", "car/moving"),
    ("place", "away", "car/not_there"),
    ("boot", "ajar", "car/boot_open"),
    ("locked", "unlocked", "car/unlocked"),
]
NOTHING_BAD = [("parked", "parked"), ("parked", "unknown"), ("place", "no_fix"), ("boot", "unknown")]
SENSORS_OF_CAR = ("boot", "locked", "parked", "place")


def watched() -> EntranceHouse:
    """A car of which two witnesses tell, near a window, ready."""
    house = build("car")
    (car,) = house.mem.rules.closures
    assert isinstance(car, CarBoot)
    rules = replace(house.mem.rules, closures=(car.model_copy(update={"witnesses": ("app", "cloud")}),))
    house.mem = replace(house.mem, rules=rules)
    house.run(5)
    house.feed(e.WindowChanged(near=True))
    house.run(5)
    assert missing(house) == ()
    return house


def missing(house: EntranceHouse) -> tuple[str, ...]:
    return missing_on_route(house.mem, ("car",))


def told(house: EntranceHouse, sensor: str, value: str, device: str = "app") -> None:
    house.feed(e.WitnessReported(sensor=f"car/{sensor}", device=device, value=value))


@pytest.mark.parametrize(("sensor", "value", "word"), WORDS)
def test_a_car_that_answers_good_stays_shut_while_a_witness_says_otherwise(sensor: str, value: str, word: str) -> None:
    house = watched()
    told(house, sensor, value)
    house.run(300)  # meanwhile the car answered, several times
    assert all(fact_of(house.mem, f"car/{name}").proven for name in SENSORS_OF_CAR)
    assert missing(house) == (word,)


@pytest.mark.parametrize(("sensor", "value"), NOTHING_BAD)
def test_a_witness_that_says_nothing_bad_any_longer_lets_the_car_answer_for_itself(sensor: str, value: str) -> None:
    house, bad = watched(), {role: said for role, said, _ in WORDS}
    told(house, sensor, bad[sensor])
    told(house, sensor, value)
    house.run(5)
    assert missing(house) == ()


def test_of_two_witnesses_each_takes_back_its_own_word() -> None:
    house = watched()
    told(house, "parked", "driving", "app")
    told(house, "parked", "driving", "cloud")
    told(house, "parked", "parked", "app")
    assert missing(house) == ("car/moving",)
    told(house, "parked", "parked", "cloud")
    assert missing(house) == ()


def test_a_device_that_is_a_witness_no_longer_keeps_nothing_shut() -> None:
    house = watched()
    told(house, "parked", "driving", "former")
    assert missing(house) == ()


def test_a_witness_that_is_slow_does_not_keep_the_car_from_counting_as_locked() -> None:
    house = watched()
    told(house, "locked", "unlocked")
    (car,) = house.mem.rules.closures
    assert car.secured(view(house.mem, car))


def test_what_a_witness_said_last_outlives_a_restart_and_the_broker() -> None:
    house = watched()
    told(house, "parked", "driving")
    state: Entrance = house.mem
    for event in (e.BrokerDown(), e.BrokerUp(session=9), e.Restarted()):
        state, _ = decide(state, event, now=house.now())
    assert [one.value for one in state.objections] == ["driving"]
