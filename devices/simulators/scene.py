"""What a simulated camera looks at, as yuv420p pictures: a hall by day or night, a person, a parcel's label, a clock.

The burnt-in clock stands twice in a picture: as text for people, and as a strip of 48 black or white blocks which
`read_clock` reads back from a decoded film. The strip holds 41 bits of Unix milliseconds and 7 check bits.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Literal

import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Luma = NDArray[np.uint8]
SceneKind = Literal["moving", "static_hall", "noisy_night"]
Symbology = Literal["code128", "qr", "datamatrix"]

CLOCK_REGION = (0.0, 0.91, 1.0, 0.09)
"""Position of the strip: x, y, width, height as parts of the picture."""

BLACK, WHITE = 16, 235
TIME_BITS, CHECK_BITS = 41, 7
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORMATS = {
    "code128": zxingcpp.BarcodeFormat.Code128,
    "qr": zxingcpp.BarcodeFormat.QRCode,
    "datamatrix": zxingcpp.BarcodeFormat.DataMatrix,
}
NOISE_PICTURES = 8
CLOCK_GLYPHS = "0123456789:-.TZ abcdefghijklmnopqrstuvwxyz_"


def clock_bits(at: datetime) -> list[bool]:
    """Return the strip's blocks for a time in UTC, to the millisecond; True is white."""
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    word = milliseconds << CHECK_BITS | _check(milliseconds)
    return [bool(word >> bit & 1) for bit in reversed(range(TIME_BITS + CHECK_BITS))]


def clock_text(at: datetime, zone: tzinfo) -> str:
    """Return the clock's text: in UTC with a Z behind it, else the local time of the house."""
    local = at.astimezone(zone)
    day, mark = ("%Y-%m-%dT", "Z") if zone is UTC else ("%Y-%m-%d ", "")
    return f"{local:{day}%H:%M:%S}.{local.microsecond // 1000:03d}{mark}"


def read_clock(luma: Luma) -> datetime | None:
    """Return the burnt-in time of one decoded picture (rows by columns of luma); None if unreadable."""
    rows, edges = _strip(luma.shape[1], luma.shape[0])
    quarter = (rows[1] - rows[0]) // 4
    band = luma[rows[0] + quarter : rows[1] - quarter]
    word = 0
    for left, right in pairwise(edges):
        inner = band[:, left + (right - left) // 4 : right - (right - left) // 4]
        word = word << 1 | int(inner.mean() > (BLACK + WHITE) / 2)
    milliseconds, check = word >> CHECK_BITS, word & (1 << CHECK_BITS) - 1
    return EPOCH + timedelta(milliseconds=milliseconds) if check == _check(milliseconds) else None


def _check(milliseconds: int) -> int:
    """Return the check bits; never 0, so that a black picture reads as no clock."""
    return 127 - milliseconds % 127


def _strip(width: int, height: int) -> tuple[tuple[int, int], list[int]]:
    """Return the strip's first and last row, and the left edges of its blocks with the last right one."""
    edges = [round(width * (0.02 + 0.02 * block)) for block in range(TIME_BITS + CHECK_BITS + 1)]
    return (round(height * 0.92), round(height * 0.98)), edges


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

    `width` and `height` are multiples of 4. The same seed draws the same house.
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
        zone: tzinfo = UTC,
    ) -> None:
        """`zone`: of the clock's text; its strip is UTC."""
        self.person = False
        self.label: Luma | None = None
        self._name = name
        self._width, self._height = width, height
        self._kind = kind
        self._clock, self._zone = burnt_in_clock, zone
        self._dice = np.random.default_rng(seed)
        self._pictures = self._background()
        self._last = -1
        font = ImageFont.load_default(size=max(12, height // 24))
        self._glyphs = {sign: _glyph(sign, font, height) for sign in CLOCK_GLYPHS}

    def _background(self) -> list[Luma]:
        """Return the empty hall, with different sensor noise in each picture."""
        rows, columns = np.arange(self._height)[:, np.newaxis], np.arange(self._width)
        hall = 100 + 50 * np.sin(columns / (self._width / 7)) + 30 * np.cos(rows / (self._height / 5))
        grain, noise = self._dice.standard_normal((2, *hall.shape), np.float32)
        hall, strength = hall.astype(np.float32) + 4 * grain, 1.5
        if self._kind == "noisy_night":
            hall, strength = hall * np.float32(0.12) + BLACK, 5.0
        return [
            (hall + strength * np.roll(noise, 7919 * number)).clip(BLACK, WHITE).astype(np.uint8)
            for number in range(NOISE_PICTURES)
        ]

    def draw(self, number: int, at: datetime) -> Luma:
        """Return picture `number` (drives what moves), seen at the UTC time `at`."""
        width, height = self._width, self._height
        self._last = (self._last + int(self._dice.integers(1, NOISE_PICTURES))) % NOISE_PICTURES
        picture = np.full((height * 3 // 2, width), 128, np.uint8)
        picture[:height] = self._pictures[self._last]
        if self._kind == "moving":
            left = int((width - width // 8) * (0.5 + 0.5 * np.sin(number / 20)))
            picture[height // 8 : height // 4, left : left + width // 12] = 190
        if self.person:
            self._draw_person(picture, number)
        label = self.label
        if label is not None:
            tall, wide = min(label.shape[0], height), min(label.shape[1], width)
            top, left = (height - tall) // 2, (width - wide) // 2
            picture[top : top + tall, left : left + wide] = label[:tall, :wide]
        if self._clock:
            self._draw_clock(picture, at)
        return picture

    def black(self) -> Luma:
        """Return the picture of a covered lens or a dead sensor: no structure, no noise, no clock."""
        picture = np.full((self._height * 3 // 2, self._width), 128, np.uint8)
        picture[: self._height] = BLACK
        return picture

    def _draw_person(self, picture: Luma, number: int) -> None:
        """Draw a head, a trunk and an arm that waves, walking to and fro."""
        width, height = self._width, self._height
        left = int((width - width // 6) * (0.5 + 0.45 * np.sin(number / 12)))
        picture[height // 3 : height // 3 + height // 9, left + width // 40 : left + width // 15] = 200
        picture[height // 3 + height // 9 : height * 7 // 8, left : left + width // 11] = 50
        reach = height // 2 + int(height / 10 * np.sin(number / 3))
        picture[reach : reach + height // 20, left + width // 11 : left + width // 7] = 180

    def _draw_clock(self, picture: Luma, at: datetime) -> None:
        rows, edges = _strip(self._width, self._height)
        for white, left, right in zip(clock_bits(at), edges[:-1], edges[1:], strict=True):
            picture[rows[0] : rows[1], left:right] = WHITE if white else BLACK
        left = 8
        for sign in f"{clock_text(at, self._zone)} {self._name}":
            glyph = self._glyphs.get(sign)
            if glyph is not None and left + glyph.shape[1] < self._width:
                picture[8 : 8 + glyph.shape[0], left : left + glyph.shape[1]] = glyph
                left += glyph.shape[1]


def _glyph(sign: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, height: int) -> Luma:
    drawn = Image.new("L", (max(4, int(font.getlength(sign)) + 1), height // 18 + 4), BLACK)
    ImageDraw.Draw(drawn).text((0, 0), sign, WHITE, font=font)
    return np.array(drawn)
