"""Decides whether a vehicle stands where its owner wants it: a pure function of its fix, the fence, and the fix's age.

A fix is a circle, not a point: only a young one that lies wholly inside the fence is `there`. One wholly outside is
`away`, however old it is. What overlaps the edge, or does not say how good it is, is no fix.
"""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from devices.reports import PositionReport
from gateway.domain.frozen import Frozen

THERE, AWAY, NO_FIX = "there", "away", "no_fix"  # values of `Quantity.PLACE`
METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6,371 km: within 0.6 % of the earth


class Fence(BaseModel):
    """Where the vehicle must stand to be opened, and how old its fix may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latitude: Annotated[float, Field(ge=-85, le=85, json_schema_extra={"x-unit": "degrees"})]
    """Latitude: of the middle, in degrees, north is positive (WGS 84). Example: `48.8566`."""
    longitude: Annotated[float, Field(ge=-180, le=180, json_schema_extra={"x-unit": "degrees"})]
    """Longitude: of the middle, in degrees, east is positive. Example: `2.3522`."""
    radius: Annotated[float, Field(ge=15, le=500, json_schema_extra={"x-unit": "metres"})] = 60.0
    """Radius: how far from the middle the car may stand. The whole circle of its fix has to lie inside, so a fence that
    is smaller than the car's fix is exact never opens."""
    fix_age: Annotated[float, Field(ge=10, le=300, json_schema_extra={"x-unit": "seconds"})] = 120.0
    """Fix age: how old the car's position may be. If it is too short, the gateway asks the car often and may find it
    not ready; if it is too long, the car may have left meanwhile."""


class Offset(Frozen):
    """Where a fix is, seen from the middle of the fence, in metres."""

    east_m: float
    north_m: float

    @property
    def distance_m(self) -> float:
        """Return how far it is from the middle."""
        return math.hypot(self.east_m, self.north_m)


def offset_from(fence: Fence, latitude: float, longitude: float) -> Offset:
    """Return where a position in degrees is, seen from the middle of the fence; exact enough for a few kilometres."""
    turn = (longitude - fence.longitude + 180.0) % 360.0 - 180.0  # the shorter way round the earth
    scale = math.cos(math.radians((latitude + fence.latitude) / 2))
    return Offset(east_m=turn * METRES_PER_DEGREE * scale, north_m=(latitude - fence.latitude) * METRES_PER_DEGREE)


def place_of(fix: PositionReport, fence: Fence) -> str:
    """Return whether the vehicle is surely inside the fence, surely outside, or neither."""
    if fix.latitude is None or fix.longitude is None or fix.accuracy_m is None:
        return NO_FIX
    distance_m = offset_from(fence, fix.latitude, fix.longitude).distance_m
    if not math.isfinite(distance_m) or not 0 <= fix.accuracy_m < math.inf:
        return NO_FIX
    if distance_m - fix.accuracy_m > fence.radius:
        return AWAY
    is_young = fix.age_s is not None and 0 <= fix.age_s <= fence.fix_age
    return THERE if is_young and distance_m + fix.accuracy_m <= fence.radius else NO_FIX
