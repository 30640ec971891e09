"""Draws people: where somebody on the way is in a picture, in which pose, and how large."""

import math
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageChops

from devices.simulators.backdrop import LIFTED, LIGHT_STEP, Backdrop, View
from devices.simulators.drawing import Box, render
from devices.simulators.planes import CutOut, Planes
from devices.simulators.sight import INSIDE, Daylight, Figure, Spot

_SHEET_OF: Mapping[str, str] = {
    "courier": ".coat { fill: #d9682a } .sleeve { stroke: #c4581f } .cap { fill: #a8461a } .peak { fill: #7c3212 }"
    " .stripe { fill: #f5d06b } .hair { fill: #5b3a22 } .badge { fill: #fff }",
    "resident": ".coat { fill: #2f7d6b } .sleeve { stroke: #27685a } .hair { fill: #6b4a2f } .badge { fill: none }"
    " .stripe { fill: #27685a }",
    "thief": ".coat { fill: #2b2f36 } .sleeve { stroke: #20242a } .hair { fill: #15181c } .badge { fill: none }"
    " .stripe { fill: #20242a }",
}  # fmt: skip
_BOX = Box(0, 0, 200, 300)
_FEET = (100, 292)  # position of a person's feet in the drawing of people
SCALE_STEPS = 16  # sizes between nothing and the whole height of a picture's drawing
SCAN_S = 2.5  # seconds for which somebody leans to the lens after a scan
STEP_S, WAVE_S, SWAY_S = 0.16, 0.4, 1.4  # seconds of a step, of one movement of the hand, of one sway
SWAY = 6.0  # in the drawing's units, for somebody of its full size
KEPT = 96  # cut-outs of one size


class Place(NamedTuple):
    """The position of a person in a drawing of the house.

    `x`, `y`: of the feet. `scale`: the height, as a part of 270 units. `clip`: the drawing hides what is behind it.
    """

    x: float
    y: float
    scale: float
    clip: bool = False
    """Only within the opening of the way in."""


_OUTSIDE = {
    Spot.AWAY: Place(-110, 408, 1.25),
    Spot.LENS: Place(196, 414, 1.35),
    Spot.DOOR: Place(434, 298, 0.56),
    Spot.ENTRY: Place(434, 276, 0.5, clip=True),
    Spot.ROOM: Place(530, 270, 0.46, clip=True),
    Spot.FRIDGE: Place(560, 270, 0.46, clip=True),
    Spot.BOX: Place(478, 326, 0.7),
}
_GARAGE = _OUTSIDE | {
    Spot.DOOR: Place(404, 300, 0.58),
    Spot.ENTRY: Place(404, 276, 0.52, clip=True),
    Spot.ROOM: Place(344, 272, 0.48, clip=True),
    Spot.FRIDGE: Place(320, 272, 0.48, clip=True),
}
_HALL = {
    Spot.AWAY: Place(154, 262, 0.3, clip=True),
    Spot.LENS: Place(154, 266, 0.4, clip=True),
    Spot.DOOR: Place(152, 280, 0.56, clip=True),
    Spot.ENTRY: Place(150, 304, 0.68),
    Spot.ROOM: Place(254, 326, 0.86),
    Spot.FRIDGE: Place(462, 330, 0.86),
    Spot.BOX: Place(154, 262, 0.3, clip=True),
}
_BAY = _HALL | {
    Spot.AWAY: Place(228, 250, 0.3, clip=True),
    Spot.LENS: Place(228, 258, 0.4, clip=True),
    Spot.DOOR: Place(228, 276, 0.55, clip=True),
    Spot.ENTRY: Place(228, 306, 0.7),
    Spot.ROOM: Place(336, 330, 0.88),
    Spot.FRIDGE: Place(336, 330, 0.88),
}


def _places(view: View) -> Mapping[Spot, Place]:
    if view.way == "garage":
        return _BAY if view.inside else _GARAGE
    return _HALL if view.inside else _OUTSIDE


Tint = tuple[int, int, int]
"""The light that falls on somebody: red, green and blue, up to 255."""

DAYLIGHT: Tint = (255, 255, 255)
_TINTS: Mapping[Daylight, Tint] = {
    Daylight.DAY: DAYLIGHT,
    Daylight.DUSK: (240, 214, 204),
    Daylight.NIGHT: (219, 209, 214),  # the doorbell has a lamp
}


def lay_figure(  # noqa: PLR0913 - what a person in a picture is made of
    planes: Planes, backdrop: Backdrop, figure: Figure, at: datetime, *, light: Daylight, leaf: float, grey: bool
) -> None:
    """Lay a person over a picture; nothing happens where the camera cannot see the person.

    `leaf`: how far the way in is open, from 0 to 1.
    """
    view = backdrop.view
    spots = _places(view)
    leg = figure.leg(at)
    start, end = spots[leg.start], spots[leg.end]
    clip = start.clip or end.clip
    if clip and leaf < (0.05 if backdrop.opening.lifts else LIGHT_STEP):
        return
    if _is_hidden(view, leg.start, leg.end):
        return
    x, y = start.x + (end.x - start.x) * leg.done, start.y + (end.y - start.y) * leg.done
    scale = start.scale + (end.scale - start.scale) * leg.done
    seconds = (at - figure.since).total_seconds()
    layers, mirrored = _pose(figure, start, end, leg.end, view, seconds, at)
    if leg.start is leg.end:
        x += SWAY * scale * math.sin(math.tau * seconds / SWAY_S)
        if _scans(figure, at):
            scale, y = scale * 1.12, y * 1.09
    tint = DAYLIGHT if view.inside or grey or view.way == "landing" else _TINTS[light]
    drawn = _cut_outs(backdrop.scale, grey=grey).get(figure.who, layers, scale, tint, mirrored=mirrored)
    feet = backdrop.pixels(x, y)
    part = drawn.height / _BOX.height
    left, top = round(feet[0] - _FEET[0] * part) & ~1, round(feet[1] - _FEET[1] * part) & ~1
    rows, columns = planes.y.shape
    drawn.lay(planes, left, top, _through(backdrop, leaf, rows) if clip else (0, 0, columns, rows))


def _through(backdrop: Backdrop, leaf: float, rows: int) -> tuple[int, int, int, int]:
    """Return the part of the picture (left, top, right, bottom) in which somebody beyond the way in is to be seen."""
    left, top, right, bottom = backdrop.area(backdrop.opening.box)
    if not backdrop.opening.lifts:
        return left, 0, right, rows
    return left, round(bottom - (bottom - top) * leaf * LIFTED), right, rows


def _is_hidden(view: View, start: Spot, end: Spot) -> bool:
    """Return whether a wall or a leaf stands between the camera and somebody there."""
    if view.inside:
        return {start, end} & {Spot.AWAY, Spot.BOX} != set() or start is end is Spot.LENS
    return start is end and (start is Spot.AWAY or (start in INSIDE and view.way != "garage"))


def _scans(figure: Figure, at: datetime) -> bool:
    return 0 <= (at - figure.scans).total_seconds() < SCAN_S


def _pose(  # noqa: PLR0913, PLR0917 - all that a pose depends on
    figure: Figure, start: Place, end: Place, spot: Spot, view: View, seconds: float, at: datetime
) -> tuple[tuple[str, ...], bool]:
    """Return the layers of the pose, and whether it is mirrored."""
    even = int(seconds / STEP_S) % 2 == 0
    if start != end:
        if abs(end.scale - start.scale) < 0.2 * max(0.1, abs(end.x - start.x) / 100):
            return _profile(figure, even=even), end.x < start.x
        return (_back if end.scale < start.scale else _front)(figure, seconds, even=even, walks=True), False
    turned = spot in (Spot.FRIDGE, Spot.BOX) or (spot is Spot.DOOR and not view.inside)
    if turned:
        return _back(figure, seconds, even=even, walks=False), False
    return _front(figure, seconds, even=even, walks=False, still=_scans(figure, at)), False


def _front(figure: Figure, seconds: float, *, even: bool, walks: bool, still: bool = False) -> tuple[str, ...]:
    legs = ("legs-left" if even else "legs-right") if walks else "legs-stand"
    head: tuple[str, ...] = ("face", "eyes-shut" if seconds % 2.6 > 2.45 else "eyes-open")
    head += {"thief": ("mask", "eyes-open"), "courier": ("smile", "cap")}.get(figure.who, ("smile", "fringe"))
    beat = int(seconds / WAVE_S)
    waves = not walks and not still and beat % 6 < 4 and figure.who != "thief"
    held = ("parcel",) if figure.carries else ()
    arms = f"arms-wave-{1 + beat % 2}" if waves else "arms-hold" if held else f"arms-down-{1 + beat % 2}"
    return ("shadow", legs, "body", *head, *held, arms)


def _back(figure: Figure, seconds: float, *, even: bool, walks: bool) -> tuple[str, ...]:
    legs = ("legs-left" if even else "legs-right") if walks else "legs-stand"
    hat = {"courier": ("cap-back",), "thief": ("mask-back",)}.get(figure.who, ())
    arms = "elbows" if figure.carries else f"arms-down-{1 + int(seconds / WAVE_S) % 2}"
    return ("shadow", legs, arms, "back", "nape", *hat)


def _profile(figure: Figure, *, even: bool) -> tuple[str, ...]:
    hat = {"courier": ("cap-side",), "thief": ("mask-side",)}.get(figure.who, ())
    side = "left" if even else "right"
    arms = ("side-parcel", "side-arm-hold") if figure.carries else (f"side-arm-{1 if even else 2}",)
    return ("shadow", f"stride-{side}", "profile", "side-head", *hat, *arms)


class CutOuts:
    """The cut-outs of people in pictures of one size; `pixels`: of a unit of the house's drawing."""

    def __init__(self, pixels: float, *, grey: bool) -> None:
        self._pixels, self._grey = pixels, grey
        self._masters: dict[tuple[str, tuple[str, ...]], Image.Image] = {}
        self._kept: OrderedDict[tuple[object, ...], CutOut] = OrderedDict()

    def get(self, who: str, layers: tuple[str, ...], scale: float, tint: Tint, *, mirrored: bool) -> CutOut:
        """Return somebody in a pose; `scale` is of the drawing's units to the house's."""
        step = max(1, round(scale * SCALE_STEPS))
        key = who, layers, step, tint, mirrored
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._make(who, layers, step / SCALE_STEPS, tint, mirrored=mirrored)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _make(self, who: str, layers: tuple[str, ...], scale: float, tint: Tint, *, mirrored: bool) -> CutOut:
        width, height = (max(4, round(side * scale * self._pixels / 4) * 4) for side in (_BOX.width, _BOX.height))
        image = self._master(who, layers).resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
        if mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if tint != DAYLIGHT:
            image = ImageChops.multiply(image, Image.new("RGBA", image.size, (*tint, 255)))
        return CutOut(image, grey=self._grey)

    def _master(self, who: str, layers: tuple[str, ...]) -> Image.Image:
        key = who, layers
        if key not in self._masters:
            size = (round(_BOX.width * 1.5 * self._pixels), round(_BOX.height * 1.5 * self._pixels))
            self._masters[key] = render("people", layers, box=_BOX, size=size, sheet=_SHEET_OF[who])
        return self._masters[key]


@cache
def _cut_outs(pixels: float, *, grey: bool) -> CutOuts:
    return CutOuts(pixels, grey=grey)
