"""What a simulated camera looks at, as yuv420p pictures: a house, its people, a parcel's label, a clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import zxingcpp
from PIL import Image

from devices.simulators.backdrop import DRAWN_WIDTH, LIGHT_STEP, State, View, backdrop
from devices.simulators.burnt_clock import BurntClock
from devices.simulators.drawing import Box, render
from devices.simulators.figure import lay_figure
from devices.simulators.planes import BLACK, GREY, WHITE, CutOut, Luma, Planes
from devices.simulators.sight import (
    LEG_S,
    LONG_AGO,
    Daylight,
    Figure,
    SceneKind,
    Sight,
    Spot,
    Swing,
    Symbology,
    daylight,
    route,
)

FORMATS = {
    "code128": zxingcpp.BarcodeFormat.Code128,
    "qr": zxingcpp.BarcodeFormat.QRCode,
    "datamatrix": zxingcpp.BarcodeFormat.DataMatrix,
}
NOISE_PICTURES = 8
MAX_NOISE = 15  # luma: less than black is above 0 and white below 255
NOISE, NIGHT_NOISE = 1.5, 5.0  # standard deviation of the sensor's noise, in luma
CARTON = (158, 96, 148)  # Y, U and V of a parcel that is held before the lens
LOW_LABEL = 0.75  # part of the free height above a label that is low
CARTON_MARGIN_PX = 14  # pixels of it around its label
REHEARSED = (
    (route(Spot.AWAY, Spot.LENS), LEG_S + 3.0),
    ((Spot.LENS,), 0.8),
    (route(Spot.LENS, Spot.ROOM), 3 * LEG_S + 0.9),
    (route(Spot.ROOM, Spot.DOOR), 2 * LEG_S + 0.5),
)
"""The walks of a delivery, each with its seconds."""

CAT_SPEED = 60.0  # units of the drawing in a second
CAT_STEP_S = 0.15  # seconds


def label_picture(code: str, symbology: Symbology, *, width: int, tilt: float = 0.0) -> Luma:
    """Return a white label with one barcode, at most `width` pixels wide, turned by `tilt` degrees."""
    barcode = zxingcpp.create_barcode(code, FORMATS[symbology])
    modules = np.array(zxingcpp.write_barcode_to_image(barcode, scale=1)).shape[1]
    drawn: Luma = np.array(zxingcpp.write_barcode_to_image(barcode, scale=max(1, width // modules)), dtype=np.uint8)
    if symbology == "code128":
        drawn = drawn[: max(24, drawn.shape[1] // 6)]
    if tilt:
        turned = Image.fromarray(drawn).rotate(tilt, resample=Image.Resampling.BILINEAR, expand=True, fillcolor=255)
        drawn = np.array(turned, dtype=np.uint8)
    return drawn.clip(BLACK, WHITE).astype(np.uint8)


class Scene:
    """Draws one camera's pictures: arrays of height * 3 / 2 rows by `width` columns (planes Y, U, V of yuv420p).

    `width` and `height` are multiples of 4. The same seed, sight and time draw the same picture, apart from the
    sensor's noise, which the seed decides from picture to picture. `zone`: of the house's clocks.
    """

    def __init__(  # noqa: PLR0913  what a scene is made of
        self,
        *,
        name: str,
        width: int,
        height: int,
        kind: SceneKind,
        burnt_in_clock: bool,
        seed: int,
        view: View = View(),  # noqa: B008 - immutable
        zone: tzinfo = UTC,
    ) -> None:
        self.sight = Sight()
        self.label: Luma | None = None
        self._width, self._height, self._kind = width, height, kind
        self._zone = zone
        self._backdrop = backdrop(view, width, height)
        self._clock = BurntClock(name, width, height, zone) if burnt_in_clock else None
        self._dice = np.random.default_rng(seed)
        self._noise = _noise(self._dice, (height, width), NIGHT_NOISE if kind == "noisy_night" else NOISE)
        self._last = -1
        self._cats = _cats(self._backdrop.scale) if kind == "moving" else None

    def rehearse(self, at: datetime) -> None:
        """Draw a delivery at this time of day, so that no picture of a real one has to wait for its drawings."""
        for spots, seconds in REHEARSED:
            for tenth in range(round(seconds * 10)):
                now = at + timedelta(seconds=tenth / 10)
                leaf = Swing(open=Spot.ENTRY in spots, since=at)
                scans = at if spots == (Spot.LENS,) else LONG_AGO
                figure = Figure("courier", spots, at, carries=Spot.AWAY in spots or Spot.LENS in spots, scans=scans)
                self._draw(replace(self.sight, figures=(figure,), leaf=leaf), now)

    def draw(self, at: datetime) -> Luma:
        """Return the picture at a time in UTC."""
        return self._draw(self.sight, at)

    def _draw(self, sight: Sight, at: datetime) -> Luma:
        night = self._kind == "noisy_night"
        light = Daylight.NIGHT if night else sight.daylight or daylight(at, self._zone)
        state = self._state(sight, at, light)
        picture = self._backdrop.picture(state).copy()
        planes = Planes.of(picture)
        if self._cats is not None:
            self._lay_cat(planes, at, self._cats)
        for figure in sorted(sight.figures, key=lambda one: one.who != "courier", reverse=True):
            lay_figure(planes, self._backdrop, figure, at, light=light, leaf=state.leaf, grey=night)
        self._last = (self._last + int(self._dice.integers(1, NOISE_PICTURES))) % NOISE_PICTURES
        planes.y[:] += self._noise[self._last]
        if self.label is not None:
            self._lay_label(planes, self.label)
        if self._clock is not None:
            self._clock.write(planes, at)
        return picture

    def black(self) -> Luma:
        """Return the picture of a covered lens or a dead sensor: no structure, no noise, no clock."""
        picture = np.full((self._height * 3 // 2, self._width), GREY, np.uint8)
        picture[: self._height] = BLACK
        return picture

    def _state(self, sight: Sight, at: datetime, light: Daylight) -> State:
        leaf = sight.leaf.part(at)
        somebody = any(figure.is_inside for figure in sight.figures)
        lids = (*(lid.part(at) for lid in sight.lids), 0.0, 0.0)
        return State(
            daylight=light,
            lit=(leaf > LIGHT_STEP or somebody) and self._kind != "noisy_night",
            leaf=leaf,
            fridge=sight.fridge.part(at),
            flap=sight.flap.part(at),
            lids=(lids[0], lids[1]),
            contents=((*sight.contents, False, False)[0], (*sight.contents, False, False)[1]),
            key=sight.key,
            parcels=min(sight.parcels, 2),
            parcel_in_fridge=sight.parcel_in_fridge,
            parcel_outside=sight.parcel_outside,
            lamp=sight.lamp,
            infrared=self._kind == "noisy_night",
        )

    def _lay_cat(self, planes: Planes, at: datetime, cats: tuple[CutOut, ...]) -> None:
        """Lay a cat that walks to and fro between the edges of the drawing."""
        gone = (at - LONG_AGO).total_seconds() * CAT_SPEED % (2 * DRAWN_WIDTH)
        back = gone > DRAWN_WIDTH
        cat = cats[int(at.timestamp() / CAT_STEP_S) % 2 + 2 * back]
        x = 2 * DRAWN_WIDTH - gone if back else gone
        left, top = self._backdrop.pixels(x - 30, 288)
        cat.lay(planes, left & ~1, top & ~1, (0, 0, self._width, self._height))

    def _lay_label(self, planes: Planes, label: Luma) -> None:
        """Lay a parcel with this label into the picture: below the face of who holds it, or else into the middle."""
        tall, wide = min(label.shape[0], self._height), min(label.shape[1], self._width)
        low = tall < self._height // 4
        top, left = round((self._height - tall) * (LOW_LABEL if low else 0.5)), (self._width - wide) // 2
        first, last = max(0, top - CARTON_MARGIN_PX) // 2, (top + tall + CARTON_MARGIN_PX) // 2
        begin, end = max(0, left - CARTON_MARGIN_PX) // 2, (left + wide + CARTON_MARGIN_PX) // 2
        planes.y[2 * first : 2 * last, 2 * begin : 2 * end] = CARTON[0]
        planes.u[first:last, begin:end], planes.v[first:last, begin:end] = CARTON[1:]
        planes.y[top : top + tall, left : left + wide] = label[:tall, :wide]
        for plane in (planes.u, planes.v):
            plane[top // 2 : (top + tall) // 2, left // 2 : (left + wide) // 2] = GREY


def _noise(dice: np.random.Generator, shape: tuple[int, int], strength: float) -> list[Luma]:
    """Return what the sensor adds to each picture; numbers below 0 stand as their complement to 256."""
    noise = (strength * dice.standard_normal(shape, np.float32)).clip(-MAX_NOISE, MAX_NOISE).astype(np.int8)
    return [np.roll(noise, 7919 * number).view(np.uint8) for number in range(NOISE_PICTURES)]


def _cats(scale: float) -> tuple[CutOut, ...]:
    """Return a cat at two steps to the right, and at two to the left."""
    size = (round(15 * scale) * 4, round(9 * scale) * 4)
    steps = [render("cat", ("cat", f"paws-{step}"), box=Box(0, 0, 100, 60), size=size) for step in (1, 2)]
    return tuple(map(CutOut, (*steps, *(step.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for step in steps))))
