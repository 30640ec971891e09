"""Prepares where a car stands, for its owner's page: a drawing in metres around the fence, and no coordinates. Pure."""

from collections.abc import Iterator

from devices.reports import PositionReport
from gateway.config.home import Home
from gateway.domain.frozen import Frozen, replace
from gateway.domain.visit.closures import CarBoot
from gateway.domain.visit.fence import AWAY, THERE, Offset, offset_from
from gateway.runtime.entrance import LastPosition
from gateway.system.i18n import Text, _

HALF_PX = 150.0  # of the drawing, from its middle to its edge
MARGIN_PX = 26.0  # for the letters at its edge
SCALES_M = (5, 10, 20, 50, 100, 200, 500)

VERDICTS = {
    THERE: _("The car stands where it must."),
    AWAY: _("The car is somewhere else."),
}
NO_FIX_TEXT = _("The car's position is not certain enough: it is too old, or its circle crosses the edge of the fence.")
NO_POSITION = _("The car has not said where it is since the box began.")
NO_FENCE = _("Nobody has said yet where the car must stand. Until then its boot never opens.")


class CarDrawing(Frozen):
    """The drawing in pixels around its middle, which is the middle of the fence. `x` and `y` of the car's fix.

    `is_beyond`: the fix is farther away than the drawing shows; it is drawn at the edge, in its direction.
    """

    fence_px: float
    scale_px: float
    scale_m: int
    x: float | None = None
    y: float | None = None
    accuracy_px: float = 0.0
    is_beyond: bool = False


class CarShown(Frozen):
    """One car of the house, for its page."""

    entrance: str
    closure: str
    boot: CarBoot
    verdict: Text
    has_position: bool = False  # it has said where it is
    age_s: float | None = None  # of its fix, now; None: it did not say it, or there is none
    offset: Offset | None = None
    accuracy_m: float | None = None
    drawing: CarDrawing | None = None  # None: there is no fence to draw

    @property
    def distance_m(self) -> int | None:
        """The whole metres from the middle of the fence."""
        return None if self.offset is None else round(self.offset.distance_m)


def car_boots(home: Home) -> Iterator[tuple[str, CarBoot]]:
    """Yield each car's boot of a house with its entrance."""
    for name, section in home.entrances.items():
        for closure in section.closures:
            if isinstance(closure, CarBoot):
                yield name, closure


def show_car(entrance: str, boot: CarBoot, last: LastPosition | None, mono: float) -> CarShown:
    """Return what the page shows of a car; `last`: what it said last, `mono`: now."""
    fence, report = boot.fence, None if last is None else last.report
    shown = CarShown(
        entrance=entrance, closure=boot.id, boot=boot, verdict=NO_POSITION if fence is not None else NO_FENCE,
        drawing=None if fence is None else draw(fence.radius, None, None),
    )  # fmt: skip
    if last is None or report is None or report.latitude is None or report.longitude is None:
        return shown
    age_s = None if report.age_s is None else report.age_s + mono - last.heard_mono
    if fence is None:
        return replace(shown, age_s=age_s, accuracy_m=report.accuracy_m, has_position=True)
    offset = offset_from(fence, report.latitude, report.longitude)
    return replace(
        shown, age_s=age_s, offset=offset, accuracy_m=report.accuracy_m, has_position=True,
        verdict=VERDICTS.get(boot.locate(with_age(report, age_s)), NO_FIX_TEXT),
        drawing=draw(fence.radius, offset, report.accuracy_m),
    )  # fmt: skip


def with_age(report: PositionReport, age_s: float | None) -> PositionReport:
    """Return the position as old as it is now."""
    return PositionReport(
        latitude=report.latitude, longitude=report.longitude, accuracy_m=report.accuracy_m, age_s=age_s
    )


def draw(radius_m: float, offset: Offset | None, accuracy_m: float | None) -> CarDrawing:
    """Return the drawing: the fence fills at least a quarter of it, so a car far away stands at its edge."""
    accuracy_m = accuracy_m or 0.0
    reach_m = radius_m if offset is None else max(radius_m, offset.distance_m + accuracy_m)
    shown_m = min(max(radius_m * 1.25, reach_m * 1.1), radius_m * 4)
    px_per_m = (HALF_PX - MARGIN_PX) / shown_m
    scale_m = max((one for one in SCALES_M if one * px_per_m <= HALF_PX * 0.6), default=SCALES_M[0])
    drawing = CarDrawing(fence_px=radius_m * px_per_m, scale_px=scale_m * px_per_m, scale_m=scale_m)
    if offset is None:
        return drawing
    is_beyond = offset.distance_m > shown_m
    shrink = shown_m / offset.distance_m if is_beyond else 1.0
    return CarDrawing(
        fence_px=drawing.fence_px, scale_px=drawing.scale_px, scale_m=scale_m,
        x=offset.east_m * shrink * px_per_m, y=-offset.north_m * shrink * px_per_m,
        accuracy_px=0.0 if is_beyond else min(accuracy_m, shown_m) * px_per_m, is_beyond=is_beyond,
    )  # fmt: skip
