"""Draws the pictograms in `svg/`: thick lines without letters, in a square of 100 by 100.

Colour is never the only sign of a pictogram. Its own colour is `currentColor`, and `white` is that of the paper.
"""

from enum import StrEnum, auto
from pathlib import Path

from gateway.evidence.documents.pdf import Ink, Point, Sheet

_FOLDER = Path(__file__).with_name("svg")


class Pictogram(StrEnum):
    """The pictograms; each value is the name of its file."""

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


def draw_pictogram(  # noqa: PLR0913 - a sheet, a square and two colours
    sheet: Sheet, what: Pictogram, at: Point, size: float, *, ink: Ink = Ink.BLACK, paper: Ink = Ink.WHITE
) -> None:
    """Draw a pictogram into the square of `size` millimetres whose upper left corner is `at`."""
    drawing = (_FOLDER / f"{what}.svg").read_text(encoding="utf-8")
    sheet.svg(at, size, drawing.replace("currentColor", ink.hex).replace('"white"', f'"{paper.hex}"'))
