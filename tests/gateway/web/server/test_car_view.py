"""What the page of a car draws: where it stands around its fence, whatever it last said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.reports import PositionReport
from gateway.domain.visit.closures import CarBoot
from gateway.domain.visit.fence import METRES_PER_DEGREE, Fence, Offset
from gateway.runtime.entrance import LastPosition
from gateway.web.server.car_view import HALF_PX, draw, show_car

BOOT = CarBoot(id="boot", fence=Fence(latitude=48.8566, longitude=2.3522, radius=60, fix_age=120))
NOWHERE = CarBoot(id="boot")


def said(north_m: float, *, age_s: float | None = 5.0, accuracy_m: float | None = 10.0) -> LastPosition:
    """What a car said at 100 s of the clock."""
    latitude = 48.8566 + north_m / METRES_PER_DEGREE
    report = PositionReport(latitude=latitude, longitude=2.3522, accuracy_m=accuracy_m, age_s=age_s)
    return LastPosition(report=report, heard_mono=100.0)


@pytest.mark.parametrize(
    ("boot", "last", "verdict", "distance_m", "age_s"),
    [
        (BOOT, said(0), "The car stands where it must.", 0, 15.0),
        (BOOT, said(2000), "The car is somewhere else.", 2000, 15.0),
        (BOOT, said(0, age_s=115.0), "The car's position is not certain enough", 0, 125.0),
        (BOOT, said(55), "The car's position is not certain enough", 55, 15.0),
        (BOOT, said(0, age_s=None), "The car's position is not certain enough", 0, None),
        (BOOT, None, "The car has not said where it is", None, None),
        (NOWHERE, said(0), "Nobody has said yet where the car must stand", None, 15.0),
        (NOWHERE, None, "Nobody has said yet where the car must stand", None, None),
    ],
)
def test_the_page_says_of_now_what_the_car_said_before(
    boot: CarBoot, last: LastPosition | None, verdict: str, distance_m: int | None, age_s: float | None
) -> None:
    shown = show_car("front", boot, last, 110.0)
    assert verdict in shown.verdict.to("en")
    assert (shown.distance_m, shown.age_s) == (distance_m, age_s)
    assert (shown.drawing is None) is (boot.fence is None)


@given(st.floats(15, 500), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1000))
def test_the_drawing_has_room_for_the_fence_the_car_and_the_scale(
    radius_m: float, east_m: float, north_m: float, accuracy_m: float
) -> None:
    drawn = draw(radius_m, Offset(east_m=east_m, north_m=north_m), accuracy_m)
    assert 0 < drawn.fence_px < HALF_PX
    assert 0 < drawn.scale_px < 2 * HALF_PX
    assert drawn.x is not None
    assert drawn.y is not None
    assert (drawn.x**2 + drawn.y**2) ** 0.5 <= HALF_PX
    assert drawn.x * east_m >= 0, "east is to the right"
    assert drawn.y * north_m <= 0, "north is up"
