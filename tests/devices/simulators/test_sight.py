from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from devices.simulators.sight import LEG_S, Daylight, Figure, Leg, Spot, Swing, daylight, route

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(3, "night"), (6, "dusk"), (7, "day"), (14, "day"), (17, "dusk"), (20, "night")],
)
def test_it_is_day_dusk_or_night_by_the_clock_on_the_wall(hour: int, expected: str) -> None:
    assert daylight(NOON.replace(hour=hour), PARIS) is Daylight(expected)


def test_who_goes_in_passes_the_door_and_who_leaves_the_fridge_too() -> None:
    assert route(Spot.LENS, Spot.ROOM) == (Spot.LENS, Spot.DOOR, Spot.ENTRY, Spot.ROOM)
    assert route(Spot.FRIDGE, Spot.DOOR) == (Spot.FRIDGE, Spot.ROOM, Spot.ENTRY, Spot.DOOR)
    assert route(Spot.LENS, Spot.BOX) == (Spot.LENS, Spot.BOX)
    assert route(Spot.DOOR, Spot.DOOR) == (Spot.DOOR,)


def test_a_person_walks_from_spot_to_spot_and_stands_at_the_last_one() -> None:
    courier = Figure("courier", (Spot.AWAY, Spot.LENS, Spot.DOOR), NOON)

    assert courier.leg(NOON) == Leg(Spot.AWAY, Spot.LENS, 0.0)
    halfway = courier.leg(NOON + timedelta(seconds=1.5 * LEG_S))
    assert (halfway.start, halfway.end) == (Spot.LENS, Spot.DOOR)
    assert halfway.done == pytest.approx(0.5)
    assert courier.leg(NOON + timedelta(seconds=10)) == Leg(Spot.DOOR, Spot.DOOR, 1.0)


def test_a_leaf_that_turns_round_on_its_way_goes_on_from_where_it_is() -> None:
    opens = Swing().moved(opened=True, at=NOON, seconds=2.0)
    half = NOON + timedelta(seconds=1)
    closes = opens.moved(opened=False, at=half, seconds=1.0)

    assert opens.part(half) == pytest.approx(0.5)
    assert opens.part(NOON + timedelta(minutes=1)) == 1.0
    assert closes.part(half) == pytest.approx(0.5)
    assert closes.part(half + timedelta(seconds=0.5)) == pytest.approx(0.25)
    assert opens.moved(opened=True, at=half, seconds=1.0) is opens
