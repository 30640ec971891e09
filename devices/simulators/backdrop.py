"""What stands still behind the people in a camera's picture: the house from its gate, or its hall, kitchen or garage.

A backdrop is composed from the layers of a drawing once for each state of its leaves, parcels and lamps, and kept.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageChops

from devices.simulators.drawing import Box, render
from devices.simulators.planes import BLACK, GREY, Luma, picture_of
from devices.simulators.sight import Daylight

DRAWN_WIDTH, DRAWN_HEIGHT = 640, 360  # size of the two drawings of the house
SWING_STEPS, LIFT_STEPS = 6, 24  # pictures of a leaf that opens
LIGHT_STEP = 0.3  # part of its way after which an opened leaf shows a lit hall: somebody switches on the lamp
LIFTED = 0.94  # part of its height by which a leaf rises
SWING_ANGLE = math.radians(74)
EYE_LEVEL = 0.45  # of a leaf's height, from above: where its edges stay level
DISTANCE = 3.2  # from the camera to a leaf, in widths of the leaf
INFRARED_LUMA = 0.4  # of the luma of an unlit house
SMOOTH_PX = 8  # pixels of a smooth layer that are rendered as one
KEPT = 24  # composed pictures of one backdrop

Way = Literal["door", "garage", "landing"]


class View(NamedTuple):
    """What one camera looks at: the way in from outside or inside, and what stands there beside it."""

    inside: bool = False
    way: Way = "door"
    fridge: bool = True
    box: bool = False
    safe: bool = False


class State(NamedTuple):
    """What a backdrop depends on; leaves as parts of their way from closed (0) to open (1)."""

    daylight: Daylight = Daylight.DAY
    lit: bool = False
    leaf: float = 0.0
    fridge: float = 0.0
    flap: float = 0.0
    lids: tuple[float, ...] = (0.0, 0.0)
    contents: tuple[bool, ...] = (False, False)
    key: bool = True
    parcels: int = 0
    parcel_in_fridge: bool = False
    parcel_outside: bool = False
    lamp: str = "off"
    infrared: bool = False
    """As an infrared camera sees it in the dark: hardly anything, and no colours."""


class Opening(NamedTuple):
    """An opening with its leaf, in the coordinates of the drawing.

    `lifts`: the leaf rises, else it swings: about its right edge with `hinge_right`, to the camera with `toward`.
    """

    leaf: str
    box: Box
    lifts: bool = False
    hinge_right: bool = False
    toward: bool = False


class _Parts(NamedTuple):
    """What a picture is composed of: layers of the house, things that were put there, what darkens both, lights."""

    base: tuple[str, ...]
    put: tuple[str, ...]
    shade: str | None
    lights: tuple[str, ...]


_Shown = tuple[Opening, float, tuple[str, ...], bool]
"""An opening, how far it is open, the layers behind its leaf, and whether light shines on those."""

FRONT = Opening("leaf", Box(392, 136, 84, 148))
BAY = Opening("shutter", Box(276, 122, 272, 162), lifts=True)
FRONT_INSIDE = Opening("leaf", Box(108, 92, 92, 196), hinge_right=True, toward=True)
BAY_INSIDE = Opening("shutter", Box(102, 94, 252, 194), lifts=True)
FRIDGE = Opening("fridge-door", Box(458, 98, 80, 184), hinge_right=True, toward=True)
FLAP = Opening("flap", Box(334, 186, 18, 30), toward=True)
LIDS = (
    Opening("lid-1", Box(522, 226, 80, 30), toward=True),
    Opening("lid-2", Box(522, 260, 80, 32), toward=True),
)

_LAMP = Box(396, 74, 76, 76)
SMALL_LAYERS: Mapping[str, Box] = {
    **dict.fromkeys(("lamp-rest", "lamp-warm", "lamp-amber", "lamp-green", "lamp-red"), _LAMP),
    "moon": Box(8, 24, 220, 130),
    "moon-low": Box(100, 50, 56, 56),
    "spill": Box(240, 280, 250, 80),
    "bay-spill": Box(150, 280, 410, 80),
    "window-light": Box(236, 138, 372, 76),
    "mat-parcel": Box(482, 264, 50, 40),
    "lamp-on": Box(268, 0, 64, 48),
    "lamp-off": Box(268, 0, 64, 48),
    "parcel-1": Box(300, 202, 54, 40),
    "parcel-2": Box(348, 210, 42, 32),
    "floor-parcel": Box(380, 258, 60, 44),
}
"""Where each layer is that fills only a small part of its drawing."""


class Backdrop:
    """The backdrops of one view in one size; `width` and `height` in pixels."""

    def __init__(self, view: View, width: int, height: int) -> None:
        self.view, self._size = view, (width, height)
        self.scale = max(width / DRAWN_WIDTH, height / DRAWN_HEIGHT)
        self._box = Box(
            (DRAWN_WIDTH - width / self.scale) / 2,
            (DRAWN_HEIGHT - height / self.scale) / 2,
            width / self.scale,
            height / self.scale,
        )
        self._drawing = "inside" if view.inside else "outside"
        self._composed: OrderedDict[State, Luma] = OrderedDict()
        self._smoothed: dict[str, Image.Image] = {}
        self._rendered: dict[tuple[tuple[str, ...], Box | None], Image.Image] = {}

    @property
    def opening(self) -> Opening:
        """Return the way in."""
        if self.view.way == "garage":
            return BAY_INSIDE if self.view.inside else BAY
        return FRONT_INSIDE if self.view.inside else FRONT

    def pixels(self, x: float, y: float) -> tuple[int, int]:
        """Return the pixel of a point of the drawing."""
        return round((x - self._box.left) * self.scale), round((y - self._box.top) * self.scale)

    def area(self, box: Box) -> tuple[int, int, int, int]:
        """Return the left, top, right and bottom pixel of a rectangle of the drawing."""
        return *self.pixels(box.left, box.top), *self.pixels(box.left + box.width, box.top + box.height)

    def picture(self, state: State) -> Luma:
        """Return the whole picture (planes of yuv420p), which the caller must not change."""
        steps = LIFT_STEPS if self.opening.lifts else SWING_STEPS
        state = state._replace(
            leaf=_stepped(state.leaf, steps), fridge=_stepped(state.fridge), flap=_stepped(state.flap),
            lids=tuple(map(_stepped, state.lids)),
        )  # fmt: skip
        picture = self._composed.get(state)
        if picture is None:
            picture = picture_of(self._compose(state))
            if state.infrared:
                rows = self._size[1]
                picture[:rows] = (picture[:rows] - np.uint8(BLACK)) * INFRARED_LUMA + BLACK
                picture[rows:] = GREY
            self._composed[state] = picture
            if len(self._composed) > KEPT:
                self._composed.popitem(last=False)
        return picture

    # ---- layers ------------------------------------------------------------------------------------------------------

    def _compose(self, state: State) -> Image.Image:
        parts = self._inside(state) if self.view.inside else self._outside(state)
        image = self._render(parts.base).convert("RGB")
        for layer in parts.put:
            self._lay(image, layer)
        veil = None if parts.shade is None else self._smooth(parts.shade).convert("RGB")
        if veil is not None:
            image = ImageChops.multiply(image, veil)
        for opening, part, behind, shines in self._openings(state):
            self._open(image, opening, part, behind, None if shines else veil, veil)
        for layer in parts.lights:
            self._lay(image, layer)
        return image

    def _lay(self, image: Image.Image, layer: str) -> None:
        """Lay a small or a smooth layer over a picture."""
        box = SMALL_LAYERS.get(layer)
        drawn = self._smooth(layer) if box is None else self._render((layer,), box)
        image.paste(drawn, (0, 0) if box is None else self.area(box)[:2], drawn)

    def _smooth(self, layer: str) -> Image.Image:
        """Return a layer of one colour or one gradient over the whole picture: it is rendered small and enlarged."""
        if layer not in self._smoothed:
            small = (self._size[0] // SMOOTH_PX, self._size[1] // SMOOTH_PX)
            drawn = render(self._drawing, (layer,), box=self._box, size=small)
            self._smoothed[layer] = drawn.resize(self._size, Image.Resampling.BICUBIC)
        return self._smoothed[layer]

    def _outside(self, state: State) -> _Parts:
        shown = state.leaf > LIGHT_STEP
        put = ("mat-parcel",) if state.parcel_outside else ()
        signal = "" if state.lamp in ("off", "none") else f"lamp-{state.lamp}"
        if self.view.way == "landing":
            return _Parts(("landing", "porch"), put, None, (signal or "lamp-warm",))
        day = state.daylight
        beside = (*(("box",) if self.view.box else ()), *(("safe",) if self.view.safe else ()))
        front = ("drive",) if self.view.way == "garage" else ("windows", "porch", *beside)
        base = (f"sky-{day}", "garden", "house", *front)
        if day is Daylight.DAY:
            return _Parts(base, put, None, (signal or "lamp-rest",))
        spill = "bay-spill" if self.view.way == "garage" else "spill"
        windows = () if self.view.way == "garage" else ("window-light",)
        sky = "moon" if day is Daylight.NIGHT else "moon-low"
        return _Parts(base, put, str(day), (sky, *windows, *((spill,) if shown else ()), signal or "lamp-warm"))

    def _inside(self, state: State) -> _Parts:
        base: tuple[str, ...] = ("garage",)
        put: tuple[str, ...] = ("floor-parcel",) if state.parcels else ()
        if self.view.way != "garage":
            put = ("parcel-1", "parcel-2")[: state.parcels]
            base = ("hall", *(("kitchen",) if self.view.fridge else ()), "door-frame")
        night = state.daylight is Daylight.NIGHT
        if state.lit:
            return _Parts(base, put, "lamplight" if night else None, ("lamp-pool", "lamp-on"))
        return _Parts(base, put, "dark-room" if night else "dim", ("lamp-off",))

    def _openings(self, state: State) -> list[_Shown]:
        """Return each opening and what is to be seen of it."""
        garage, landing = self.view.way == "garage", self.view.way == "landing"
        openings: list[_Shown]
        if self.view.inside:
            seen = f"{'drive' if garage else 'way'}-{'stairs' if landing else state.daylight}"
            openings = [(self.opening, state.leaf, (seen,), True)]
            if self.view.fridge and not garage:
                parcel = ("fridge-parcel",) if state.parcel_in_fridge else ()
                openings.append((FRIDGE, state.fridge, ("fridge-inside", *parcel), True))
            return openings
        room = f"{'bay' if garage else 'way'}-{'lit' if state.leaf > LIGHT_STEP else 'dark'}"
        openings = [(self.opening, state.leaf, (room,), True)]
        if self.view.safe:
            openings.append((FLAP, state.flap, ("safe", *(("key",) if state.key else ())), False))
        if self.view.box:
            for number, (lid, part, full) in enumerate(zip(LIDS, state.lids, state.contents, strict=True), start=1):
                content = (f"box-{number}-content",) if full else ()
                openings.append((lid, part, ("box-inside", *content), False))
        return openings

    def _render(self, layers: tuple[str, ...], box: Box | None = None) -> Image.Image:
        """Return layers over the whole picture, or those in `box` in its own size."""
        key = layers, box
        if key not in self._rendered:
            size = self._size if box is None else self._extent(box)
            self._rendered[key] = render(self._drawing, layers, box=box or self._box, size=size)
        return self._rendered[key]

    def _extent(self, box: Box) -> tuple[int, int]:
        left, top, right, bottom = self.area(box)
        return max(1, right - left), max(1, bottom - top)

    def _open(  # noqa: PLR0913, PLR0917 - what a leaf before an opening is made of
        self,
        image: Image.Image,
        opening: Opening,
        part: float,
        behind: tuple[str, ...],
        shade: Image.Image | None,
        veil: Image.Image | None,
    ) -> None:
        """Draw what is behind a leaf, darkened by `shade`, and the leaf before it, darkened by `veil`."""
        area = self.area(opening.box)
        leaf = _darkened(self._render((opening.leaf,), opening.box), veil, area)
        if part == 0:
            image.paste(leaf, area[:2], leaf)
            return
        image.paste(_darkened(self._render(behind, opening.box), shade, area), area[:2])
        if opening.lifts:
            hidden = round(part * leaf.height * LIFTED)
            leaf = leaf.crop((0, hidden, leaf.width, leaf.height))
            image.paste(leaf, area[:2], leaf)
            return
        turned, shift = turn_leaf(leaf, part * SWING_ANGLE, opening)
        image.paste(turned, (area[0] - shift[0], area[1] - shift[1]), turned)


def turn_leaf(leaf: Image.Image, angle: float, opening: Opening) -> tuple[Image.Image, tuple[int, int]]:
    """Return a leaf that is turned about its hinge, in perspective, and how far the image exceeds it left and above."""
    width, height = leaf.size
    margin = (width // 2, height // 3)
    depth = math.sin(angle) * (-1 if opening.toward else 1)
    nearer = DISTANCE / (DISTANCE + depth)
    reach = width * math.cos(angle) * nearer
    top, bottom = (height * EYE_LEVEL + (edge - height * EYE_LEVEL) * nearer for edge in (0, height))
    hinge = width if opening.hinge_right else 0
    far = width - reach if opening.hinge_right else reach
    turned = [(hinge, 0.0), (far, top), (far, bottom), (hinge, float(height))]
    free = width - hinge
    flat: list[tuple[float, float]] = [(hinge, 0), (free, 0), (free, height), (hinge, height)]
    shifted = [(float(x + margin[0]), y + margin[1]) for x, y in turned]
    size = (width + 2 * margin[0], height + 2 * margin[1])
    shaded = Image.eval(leaf.convert("RGB"), lambda level: int(level * (1 - 0.3 * math.sin(angle))))
    shaded.putalpha(leaf.getchannel("A"))
    data = _perspective(shifted, flat)
    return shaded.transform(size, Image.Transform.PERSPECTIVE, data, Image.Resampling.BICUBIC), margin


def _perspective(seen: list[tuple[float, float]], source: list[tuple[float, float]]) -> tuple[float, ...]:
    """Return the eight numbers with which Pillow maps each seen corner to its source."""
    rows, goals = [], []
    for (x, y), (u, v) in zip(seen, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        goals += [u, v]
    return tuple(float(number) for number in np.linalg.solve(np.array(rows), np.array(goals)))


def _darkened(image: Image.Image, veil: Image.Image | None, area: tuple[int, int, int, int]) -> Image.Image:
    if veil is None:
        return image
    dark = ImageChops.multiply(image.convert("RGB"), veil.crop(area))
    dark.putalpha(image.getchannel("A"))
    return dark


def _stepped(part: float, steps: int = SWING_STEPS) -> float:
    return round(part * steps) / steps


@cache
def backdrop(view: View, width: int, height: int) -> Backdrop:
    """Return the backdrop of a view in a size; all cameras of the process that look at it share it."""
    return Backdrop(view, width, height)
