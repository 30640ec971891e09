"""An A4 sheet for drawing. The only user of fpdf.

Lengths are millimetres from the top left corner, text sizes points; `y` of a text is its baseline.
"""

import re
import unicodedata
from datetime import datetime
from enum import Enum, StrEnum, auto
from io import BytesIO
from pathlib import Path
from typing import Literal, cast

PAGE_WIDTH_MM, PAGE_HEIGHT_MM = 210.0, 297.0
FONTS_FOLDER = Path(__file__).with_name("fonts")
_PICTOGRAMS_FOLDER = Path(__file__).with_name("svg")
MISSING_GLYPH = "\N{REPLACEMENT CHARACTER}"  # shown for a character that the font lacks
MM_PER_POINT = 25.4 / 72  # millimetres

Point = tuple[float, float]

_FAMILY = "Open Sans"
_NO_BREAK_BLANK = re.compile(r" (?=[:;?!»])|(?<=«) ")  # French sets a blank there that no line may break at


class Ink(Enum):
    """The colours: few, and dark enough on white for a door in the rain."""

    BLACK = (17, 24, 32)
    GREY = (95, 104, 112)
    PALE = (232, 236, 239)
    WHITE = (255, 255, 255)
    NIGHT = (16, 38, 58)
    GREEN = (8, 122, 54)
    AMBER = (240, 150, 0)
    RED = (190, 18, 32)

    @property
    def hex(self) -> str:
        """The colour as `#rrggbb`."""
        return f"#{bytes(self.value).hex()}"


class Pictogram(StrEnum):
    """The drawings in `svg/`, named like their files: thick lines without letters; colour is never the only sign."""

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


class Sheet:
    """One document. It shows text as it is: the caller sanitizes names from outside."""

    def __init__(self, *, title: str, language: str, made: datetime) -> None:
        """Begin a document without a page; `made` is its creation time, and it contains no other."""
        from fpdf import FPDF  # noqa: PLC0415 - this import takes a quarter of a gateway's start
        from fpdf.fonts import TTFFont  # noqa: PLC0415 - the same

        self._pdf = FPDF(format="A4", unit="mm")
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.set_margin(0)
        self._pdf.c_margin = 0
        self._pdf.set_title(title)
        self._pdf.set_lang(language)
        self._pdf.set_creator("Perron")
        self._pdf.set_creation_date(made)
        self._pdf.add_font(_FAMILY, "", FONTS_FOLDER / "OpenSans-Regular.ttf")
        self._pdf.add_font(_FAMILY, "B", FONTS_FOLDER / "OpenSans-Bold.ttf")
        maps = [frozenset(font.cmap) for font in self._pdf.fonts.values() if isinstance(font, TTFFont)]
        self._known_glyphs = frozenset.intersection(*maps)

    def add_page(self) -> None:
        """Begin the next page."""
        self._pdf.add_page()

    def pdf(self) -> bytes:
        """The document's bytes."""
        return bytes(self._pdf.output())

    def width(self, words: str, *, size: float, bold: bool = False) -> float:
        """Return the width of a line in millimetres."""
        self._set_font(size, bold=bold)
        return self._pdf.get_string_width(self.printable(words))

    def _set_font(self, size: float, *, bold: bool) -> None:
        self._pdf.set_font(_FAMILY, "B" if bold else "", size)

    def text(  # noqa: PLR0913 - the typography of a line
        self,
        at: Point,
        words: str,
        *,
        size: float,
        bold: bool = False,
        ink: Ink = Ink.BLACK,
        align: Literal["left", "centre", "right"] = "left",
        within: float | None = None,
    ) -> None:
        """Set one line; where it is longer than `within` it is set smaller, down to half, then cut."""
        shown = self.printable(words)
        if within is not None and (long := self.width(shown, size=size, bold=bold)) > within:
            size *= max(0.5, within / long)
            while len(shown) > 1 and self.width(shown, size=size, bold=bold) > within + 0.01:
                shown = shown[:-2] + "…"
        wide = self.width(shown, size=size, bold=bold)
        left = {"left": 0.0, "centre": wide / 2, "right": wide}[align]
        self._pdf.set_text_color(*ink.value)
        self._pdf.text(at[0] - left, at[1], shown)

    def block(  # noqa: PLR0913 - the typography of a paragraph
        self,
        at: Point,
        words: str,
        *,
        width: float,
        size: float,
        bold: bool = False,
        ink: Ink = Ink.BLACK,
        leading: float = 1.3,
        most: int | None = None,
    ) -> float:
        """Set a paragraph, of at most `most` lines; return the baseline that follows its last line."""
        lines = self.lines(words, width=width, size=size, bold=bold)
        if most is not None and len(lines) > most:
            lines = [*lines[: most - 1], f"{lines[most - 1]}…"]
        x, y = at
        for line in lines:
            self.text((x, y), line, size=size, bold=bold, ink=ink, within=width)
            y += size * MM_PER_POINT * leading
        return y

    def lines(self, words: str, *, width: float, size: float, bold: bool = False) -> list[str]:
        """Break a paragraph into lines; a word that is longer than a line is broken too."""
        self._set_font(size, bold=bold)
        line = " ".join(filter(None, self.printable(words).split(" ")))
        line = _NO_BREAK_BLANK.sub("\N{NO-BREAK SPACE}", line)
        lines = self._pdf.multi_cell(width, text=line, align="L", dry_run=True, output="LINES")
        return cast("list[str]", lines)

    def printable(self, words: str) -> str:
        """Return the text without control characters, and with `MISSING_GLYPH` for characters that the font lacks."""
        visible = (
            char for char in unicodedata.normalize("NFC", words) if not unicodedata.category(char).startswith("C")
        )
        return "".join(char if ord(char) in self._known_glyphs else MISSING_GLYPH for char in visible)

    def box(  # noqa: PLR0913 - the style of a box
        self,
        at: Point,
        size: Point,
        *,
        fill: Ink | None = None,
        line: Ink | None = None,
        thick: float = 0.3,
        corner: float = 0.0,
    ) -> None:
        """Draw a rectangle, with round corners where `corner` is their radius."""
        style = self._style(fill, line, thick)
        self._pdf.rect(*at, *size, style=style, round_corners=corner > 0, corner_radius=corner)

    def disc(
        self, centre: Point, radius: float, *, fill: Ink | None = None, line: Ink | None = None, thick: float = 0.3
    ) -> None:
        """Draw a circle."""
        self._pdf.circle(*centre, radius, style=self._style(fill, line, thick))

    def stroke(
        self, points: list[Point], *, ink: Ink = Ink.BLACK, thick: float = 0.3, dashes: float | None = None
    ) -> None:
        """Draw a line through these points, with round ends."""
        with self._pdf.new_path(*points[0]) as path:
            path.style.auto_close = False
            path.style.fill_color = None
            path.style.stroke_color = ink.hex
            path.style.stroke_width = thick
            path.style.stroke_cap_style = "ROUND"
            path.style.stroke_join_style = "ROUND"
            path.style.stroke_dash_pattern = None if dashes is None else [dashes]
            for point in points[1:]:
                path.line_to(*point)

    def picture(self, at: Point, size: Point, jpeg: bytes, *, alt_text: str) -> None:
        """Draw a picture centred in `size`, as large as its proportions allow."""
        self._pdf.image(jpeg, *at, *size, keep_aspect_ratio=True, alt_text=alt_text)

    def pictogram(
        self, sign: Pictogram, at: Point, size: float, *, ink: Ink = Ink.BLACK, paper: Ink = Ink.WHITE
    ) -> None:
        """Draw a pictogram into a square: `currentColor` of its file in `ink`, `white` in the colour of the paper."""
        drawing = (_PICTOGRAMS_FOLDER / f"{sign}.svg").read_text(encoding="utf-8")
        drawing = drawing.replace("currentColor", ink.hex).replace('"white"', f'"{paper.hex}"')
        self._pdf.image(BytesIO(drawing.encode()), *at, size, size)

    def qr(self, at: Point, size: float, content: str) -> None:
        """Draw a QR code of medium error correction, with its quiet zone inside `size`."""
        import segno  # noqa: PLC0415 - needed only for a document with a code

        rows = [bytes(row) for row in segno.make_qr(content, error="m").matrix]
        dot = size / (len(rows) + 8)
        self.box(at, (size, size), fill=Ink.WHITE)
        for down, row in enumerate(rows, start=4):
            for run in re.finditer(b"\x01+", row):
                left = at[0] + (4 + run.start()) * dot
                self.box((left, at[1] + down * dot), (len(run[0]) * dot, dot * 1.02), fill=Ink.BLACK)

    def _style(self, fill: Ink | None, line: Ink | None, thick: float) -> Literal["D", "F", "DF"]:
        if fill is not None:
            self._pdf.set_fill_color(*fill.value)
        if line is None:
            return "F"
        self._pdf.set_draw_color(*line.value)
        self._pdf.set_line_width(thick)
        return "D" if fill is None else "DF"
