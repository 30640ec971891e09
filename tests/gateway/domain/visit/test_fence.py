"""Whether a car stands where it must: by its fix, the fence, and how old the fix is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.reports import PositionReport
from gateway.domain.visit.fence import AWAY, METRES_PER_DEGREE, NO_FIX, THERE, Fence, offset_from, place_of

PARIS = Fence(latitude=48.8566, longitude=2.3522, radius=60, fix_age=120)


def north(metres: float, *, accuracy_m: float | None = 10, age_s: float | None = 5) -> PositionReport:
    """A fix so far north of the middle of the fence."""
    return PositionReport(
        latitude=PARIS.latitude + metres / METRES_PER_DEGREE,
        longitude=PARIS.longitude,
        accuracy_m=accuracy_m,
        age_s=age_s,
    )


@pytest.mark.parametrize(
    ("fix", "place"),
    [
        (north(0), THERE),
        (north(49), THERE),
        (north(51), NO_FIX),  # its circle overlaps the edge
        (north(69), NO_FIX),
        (north(71), AWAY),
        (north(-71), AWAY),
        (north(0, age_s=120), THERE),
        (north(0, age_s=121), NO_FIX),
        (north(0, age_s=None), NO_FIX),
        (north(0, age_s=-1), NO_FIX),  # a clock that runs ahead
        (north(0, age_s=math.nan), NO_FIX),
        (north(5000, age_s=9000), AWAY),  # bad news counts however old it is
        (north(5000, age_s=None), AWAY),
        (north(0, accuracy_m=None), NO_FIX),
        (north(5000, accuracy_m=None), NO_FIX),
        (north(0, accuracy_m=61), NO_FIX),  # a fence that is smaller than the fix is exact never opens
        (north(0, accuracy_m=math.inf), NO_FIX),
        (north(0, accuracy_m=-5), NO_FIX),
        (north(math.nan), NO_FIX),
        (PositionReport(), NO_FIX),
        (PositionReport(latitude=48.8566, accuracy_m=5, age_s=1), NO_FIX),
    ],
)
def test_a_car_stands_there_only_by_a_young_fix_that_lies_wholly_inside(fix: PositionReport, place: str) -> None:
    assert place_of(fix, PARIS) == place


def test_the_shorter_way_round_the_earth_counts() -> None:
    fence = Fence(latitude=-18.0, longitude=179.9999)
    here = offset_from(fence, -18.0, -179.9999)
    assert here.east_m == pytest.approx(0.0002 * METRES_PER_DEGREE * math.cos(math.radians(18)))
    assert here.north_m == 0


def test_a_degree_of_longitude_is_shorter_in_the_north() -> None:
    paris, quito = offset_from(PARIS, 48.8566, 2.3622), offset_from(Fence(latitude=0, longitude=2.3522), 0, 2.3622)
    assert paris.east_m == pytest.approx(quito.east_m * math.cos(math.radians(48.8566)))


DEGREES = st.floats(-90, 90), st.floats(-180, 180)


@given(*DEGREES, st.floats(0, 1e5), st.floats(0, 1e5))
def test_a_worse_or_older_fix_never_makes_a_car_be_there(
    latitude: float, longitude: float, accuracy_m: float, age_s: float
) -> None:
    fix = PositionReport(latitude=latitude, longitude=longitude, accuracy_m=accuracy_m, age_s=age_s)
    if place_of(fix, PARIS) != THERE:
        worse = PositionReport(latitude=latitude, longitude=longitude, accuracy_m=accuracy_m + 1, age_s=age_s + 1)
        assert place_of(worse, PARIS) != THERE


@given(*DEGREES, st.floats(0, 1e5), st.floats(15, 500))
def test_what_is_there_in_a_fence_is_never_away_from_a_larger_one(
    latitude: float, longitude: float, accuracy_m: float, radius: float
) -> None:
    fix = PositionReport(latitude=latitude, longitude=longitude, accuracy_m=accuracy_m, age_s=0)
    small, large = (Fence(latitude=48, longitude=2, radius=one) for one in (15, radius))
    if place_of(fix, small) == THERE:
        assert place_of(fix, large) == THERE
    if place_of(fix, large) == AWAY:
        assert place_of(fix, small) == AWAY


@pytest.mark.parametrize(
    "wrong",
    [{"latitude": 86}, {"longitude": 181}, {"radius": 14}, {"radius": 501}, {"fix_age": 9}, {"fix_age": 301},
     {"latitude": math.nan}],
)  # fmt: skip
def test_a_fence_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Fence.model_validate({"latitude": 48, "longitude": 2} | wrong)
