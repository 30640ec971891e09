"""The clock that a simulated camera burns into its pictures.

It stands twice in a picture: as text for people, and as a strip of 48 black or white blocks which `read_clock` reads
back from a decoded film. The strip holds 41 bits of Unix milliseconds and 7 check bits.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from devices.simulators.planes import BLACK, GREY, WHITE, Luma, Planes

STRIP_TOP, STRIP_BOTTOM = 0.945, 0.98  # parts of the height of a picture
TIME_BITS, CHECK_BITS = 41, 7
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_GLYPHS = "0123456789:-.TZ abcdefghijklmnopqrstuvwxyz_"
MARGIN_PX = 8  # pixels between the text and the picture's edges


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
    return (round(height * STRIP_TOP), round(height * STRIP_BOTTOM)), edges


class BurntClock:
    """Writes the time, and the name of the camera, into pictures of one size."""

    def __init__(self, name: str, width: int, height: int, zone: tzinfo) -> None:
        """`zone`: of the text; the strip is UTC."""
        self._name, self._width, self._zone = name, width, zone
        self._rows, self._edges = _strip(width, height)
        font = ImageFont.load_default(size=max(12, height // 24))
        self._glyphs = {sign: _glyph(sign, font, height) for sign in CLOCK_GLYPHS}

    def write(self, planes: Planes, at: datetime) -> None:
        """Write a time in UTC."""
        first, last = self._rows
        for white, left, right in zip(clock_bits(at), self._edges[:-1], self._edges[1:], strict=True):
            planes.y[first:last, left:right] = WHITE if white else BLACK
        _take_colour(planes, self._edges[0], first, self._edges[-1], last)
        left = MARGIN_PX
        for sign in f"{clock_text(at, self._zone)} {self._name}":
            glyph = self._glyphs.get(sign)
            if glyph is not None and left + glyph.shape[1] < self._width:
                planes.y[MARGIN_PX : MARGIN_PX + glyph.shape[0], left : left + glyph.shape[1]] = glyph
                left += glyph.shape[1]
        _take_colour(planes, MARGIN_PX, MARGIN_PX, left, MARGIN_PX + self._glyphs["0"].shape[0])


def _take_colour(planes: Planes, left: int, top: int, right: int, bottom: int) -> None:
    for plane in (planes.u, planes.v):
        plane[top // 2 : (bottom + 1) // 2, left // 2 : (right + 1) // 2] = GREY


def _glyph(sign: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, height: int) -> Luma:
    drawn = Image.new("L", (max(4, int(font.getlength(sign)) + 1), height // 18 + 4), BLACK)
    ImageDraw.Draw(drawn).text((0, 0), sign, WHITE, font=font)
    return np.array(drawn)
