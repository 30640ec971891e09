"""Draws pictograms with thick lines and without letters.

Each is drawn in a square of 100 by 100, whatever its size on the sheet. Colour is never its only sign.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from types import MappingProxyType

from gateway.evidence.documents.pdf import Ink, Point, Sheet

LINE_THICKNESS = 6.0


class Pictogram(StrEnum):
    """What can be drawn."""

    CAMERA = auto()
    NO_SOUND = auto()
    SCAN_PARCEL = auto()
    SCAN_CODE = auto()
    WAIT = auto()
    ENTER = auto()
    PUT_DOWN = auto()
    LEAVE = auto()
    CLOSE_THE_DOOR = auto()
    NO = auto()
    BELL = auto()
    TAKE_ALONG = auto()
    OPENS_BY_HAND = auto()
    BUZZER = auto()
    SILENT = auto()
    YES = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """Draws in the square's own measure."""

    sheet: Sheet
    at: Point
    size: float
    ink: Ink = Ink.BLACK
    paper: Ink = Ink.WHITE

    def place(self, x: float, y: float) -> Point:
        """Where a point of the square is on the sheet."""
        return self.at[0] + x * self.size / 100, self.at[1] + y * self.size / 100

    def long(self, length: float) -> float:
        """How long a length of the square is on the sheet."""
        return length * self.size / 100

    def line(self, *points: Point, ink: Ink | None = None, thick: float = LINE_THICKNESS) -> None:
        """Draw a line through these points."""
        self.sheet.stroke([self.place(*point) for point in points], ink=ink or self.ink, thick=self.long(thick))

    def solid(self, *corners: Point, ink: Ink | None = None) -> None:
        """Fill a polygon."""
        self.sheet.shape([self.place(*corner) for corner in corners], fill=ink or self.ink)

    def box(  # noqa: PLR0913 - what a rectangle is
        self, x: float, y: float, width: float, height: float, *, ink: Ink | None = None, corner: float = 3
    ) -> None:
        """Fill a rectangle."""
        size = self.long(width), self.long(height)
        self.sheet.box(self.place(x, y), size, fill=ink or self.ink, corner=self.long(corner))

    def frame(self, x: float, y: float, width: float, height: float, *, ink: Ink | None = None) -> None:
        """Draw a rectangle's outline."""
        self.line((x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y), ink=ink)

    def disc(self, x: float, y: float, radius: float, *, ink: Ink | None = None) -> None:
        """Fill a circle."""
        self.sheet.disc(self.place(x, y), self.long(radius), fill=ink or self.ink)

    def arc(  # noqa: PLR0913 - what an arc is
        self, x: float, y: float, radius: float, begin: float, end: float, *, ink: Ink | None = None
    ) -> None:
        """Draw a part of a circle, in degrees clockwise from the right."""
        steps = [math.radians(begin + (end - begin) * n / 24) for n in range(25)]
        self.line(*((x + radius * math.cos(a), y + radius * math.sin(a)) for a in steps), ink=ink)

    def arrow(self, begin: Point, end: Point, *, ink: Ink | None = None, head: float = 13) -> None:
        """Draw a thick arrow."""
        angle = math.atan2(end[1] - begin[1], end[0] - begin[0])
        across = (-math.sin(angle) * head, math.cos(angle) * head)
        neck = (end[0] - math.cos(angle) * head * 1.2, end[1] - math.sin(angle) * head * 1.2)
        self.line(begin, neck, ink=ink, thick=9)
        left, right = (neck[0] + across[0], neck[1] + across[1]), (neck[0] - across[0], neck[1] - across[1])
        self.solid(end, left, right, ink=ink)


def draw_pictogram(  # noqa: PLR0913 - what, where and on what
    sheet: Sheet, what: Pictogram, at: Point, size: float, *, ink: Ink = Ink.BLACK, paper: Ink = Ink.WHITE
) -> None:
    """Draw a pictogram into the square whose upper left corner is `at`; `paper` is the colour that it lies on."""
    _PICTURES[what](Pen(sheet=sheet, at=at, size=size, ink=ink, paper=paper))


def _camera(pen: Pen) -> None:
    pen.box(6, 30, 60, 44, corner=8)
    pen.solid((68, 47), (94, 32), (94, 72), (68, 57))
    pen.disc(36, 52, 14, ink=pen.paper)
    pen.disc(36, 52, 6)


def _no_sound(pen: Pen) -> None:
    pen.line((50, 21), (50, 44), thick=22)
    pen.arc(50, 44, 25, 0, 180)
    pen.line((50, 70), (50, 86))
    pen.line((34, 88), (66, 88))
    pen.line((14, 92), (86, 10), ink=pen.paper, thick=16)
    pen.line((14, 90), (86, 10), ink=Ink.RED, thick=8)


def _bars(pen: Pen, x: float, y: float, height: float) -> None:
    left = x
    for wide in (5, 2, 3, 6, 2, 4, 2, 5):
        pen.box(left, y, wide, height, corner=0)
        left += wide + 2


def _scanner(pen: Pen) -> None:
    """The scanner at the wall and its beam, to the left."""
    pen.box(84, 22, 14, 56, corner=4)
    pen.solid((84, 44), (84, 56), (64, 74), (64, 26), ink=Ink.PALE)
    pen.line((83, 50), (60, 50), ink=Ink.RED, thick=4)
    pen.line((83, 47), (62, 32), ink=Ink.RED, thick=2.5)
    pen.line((83, 53), (62, 68), ink=Ink.RED, thick=2.5)


def _scan_parcel(pen: Pen) -> None:
    _scanner(pen)
    pen.frame(5, 22, 52, 56)
    pen.box(24, 22, 14, 13, corner=0)
    _bars(pen, 9.5, 46, 24)


def _scan_code(pen: Pen) -> None:
    _scanner(pen)
    pen.box(10, 8, 46, 84, corner=8)
    pen.box(15, 17, 36, 62, ink=pen.paper, corner=2)
    for x, y in ((19, 25), (37, 25), (19, 43)):
        pen.box(x, y, 11, 11, corner=0)
        pen.box(x + 3, y + 3, 5, 5, ink=pen.paper, corner=0)
        pen.box(x + 4.2, y + 4.2, 2.6, 2.6, corner=0)
    for x, y in ((34, 39), (39, 44), (44, 49), (34, 50), (40, 53), (45, 41), (19, 58), (27, 62), (37, 62), (44, 60)):
        pen.box(x, y, 4, 4, corner=0)


def _wait(pen: Pen) -> None:
    pen.disc(50, 50, 45, ink=Ink.AMBER)
    pen.line((31, 20), (69, 20))
    pen.line((31, 80), (69, 80))
    pen.line((36, 22), (36, 32), (64, 68), (64, 78))
    pen.line((64, 22), (64, 32), (36, 68), (36, 78))
    pen.solid((42, 36), (58, 36), (50, 47))
    pen.solid((40, 77), (60, 77), (50, 62))


def _person(pen: Pen, x: float, y: float, *, ink: Ink | None = None) -> None:
    """Somebody who walks to the right; `x`, `y` is the head's middle."""
    pen.disc(x, y, 7.5, ink=ink)
    pen.line((x - 1, y + 12), (x - 3, y + 33), ink=ink, thick=11)
    pen.line((x - 3, y + 33), (x + 9, y + 46), (x + 7, y + 62), ink=ink, thick=7)
    pen.line((x - 3, y + 33), (x - 8, y + 48), (x - 18, y + 60), ink=ink, thick=7)


def _doorway(pen: Pen, x: float, *, ink: Ink | None = None) -> None:
    """An opening with its leaf swung inwards."""
    pen.line((x, 93), (x, 8), (x + 38, 8), (x + 38, 93), ink=ink)
    pen.solid((x + 38, 8), (x + 20, 20), (x + 20, 100), (x + 38, 92), ink=ink)
    pen.disc(x + 25, 60, 3, ink=pen.paper)


def _enter(pen: Pen) -> None:
    _doorway(pen, 57)
    _person(pen, 26, 24, ink=Ink.GREEN)
    pen.line((25, 38), (42, 44), ink=Ink.GREEN, thick=6)
    pen.box(36, 44, 17, 15, ink=Ink.GREEN, corner=1)
    pen.arrow((42, 76), (74, 76), ink=Ink.GREEN)


def _put_down(pen: Pen) -> None:
    pen.arrow((50, 6), (50, 40))
    pen.frame(26, 48, 48, 38)
    pen.box(43, 48, 14, 12, corner=0)
    pen.line((6, 93), (94, 93), thick=8)


def _leave(pen: Pen) -> None:
    pen.line((5, 93), (5, 8), (43, 8), (43, 93))
    pen.solid((5, 8), (23, 20), (23, 100), (5, 92))
    pen.disc(18, 60, 3, ink=pen.paper)
    _person(pen, 74, 16)
    pen.arrow((32, 88), (66, 88), head=11)


def _close_the_door(pen: Pen) -> None:
    pen.box(8, 6, 54, 88, corner=2)
    pen.box(15, 13, 40, 81, ink=pen.paper, corner=1)
    pen.box(19, 17, 32, 77, corner=1)
    pen.disc(43, 57, 4.5, ink=pen.paper)
    pen.arrow((94, 50), (67, 50))
    pen.line((6, 95), (94, 95), thick=4)


def _no(pen: Pen) -> None:
    pen.disc(50, 50, 45, ink=Ink.RED)
    pen.line((31, 31), (69, 69), ink=Ink.WHITE, thick=13)
    pen.line((69, 31), (31, 69), ink=Ink.WHITE, thick=13)


def _yes(pen: Pen) -> None:
    pen.disc(50, 50, 45)
    pen.line((28, 52), (44, 68), (73, 33), ink=Ink.WHITE, thick=12)


def _bell(pen: Pen) -> None:
    pen.solid((20, 74), (28, 62), (30, 42), (38, 28), (50, 23), (62, 28), (70, 42), (72, 62), (80, 74))
    pen.line((20, 74), (80, 74), thick=8)
    pen.disc(50, 84, 8)
    pen.line((50, 14), (50, 22), thick=8)
    pen.arc(30, 30, 22, 175, 250)
    pen.arc(70, 30, 22, -70, 5)


def _take_along(pen: Pen) -> None:
    _person(pen, 30, 18)
    pen.line((29, 33), (48, 42), thick=6)
    pen.frame(46, 28, 22, 20)
    pen.arrow((62, 70), (96, 70))


def _opens_by_hand(pen: Pen) -> None:
    pen.box(4, 6, 42, 88, corner=2)
    pen.disc(36, 50, 7, ink=pen.paper)
    pen.line((36, 50), (64, 50), ink=pen.paper, thick=13)
    pen.line((36, 50), (66, 50), thick=8)
    pen.arrow((82, 30), (82, 76), head=12)


def _buzzer(pen: Pen) -> None:
    pen.solid((10, 38), (26, 38), (48, 18), (48, 82), (26, 62), (10, 62))
    pen.arc(50, 50, 16, -50, 50)
    pen.arc(50, 50, 32, -50, 50)


def _silent(pen: Pen) -> None:
    pen.solid((10, 38), (26, 38), (48, 18), (48, 82), (26, 62), (10, 62))
    pen.line((62, 38), (86, 62))
    pen.line((86, 38), (62, 62))


_PICTURES: Mapping[Pictogram, Callable[[Pen], None]] = MappingProxyType({
    Pictogram.CAMERA: _camera,
    Pictogram.NO_SOUND: _no_sound,
    Pictogram.SCAN_PARCEL: _scan_parcel,
    Pictogram.SCAN_CODE: _scan_code,
    Pictogram.WAIT: _wait,
    Pictogram.ENTER: _enter,
    Pictogram.PUT_DOWN: _put_down,
    Pictogram.LEAVE: _leave,
    Pictogram.CLOSE_THE_DOOR: _close_the_door,
    Pictogram.NO: _no,
    Pictogram.BELL: _bell,
    Pictogram.TAKE_ALONG: _take_along,
    Pictogram.OPENS_BY_HAND: _opens_by_hand,
    Pictogram.BUZZER: _buzzer,
    Pictogram.SILENT: _silent,
    Pictogram.YES: _yes,
})  # fmt: skip
