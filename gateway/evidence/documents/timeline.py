"""Draws a visit's timeline: open door, withdrawn bolt, films, temperature."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from gateway.domain.frozen import Frozen
from gateway.evidence.documents.pdf import Ink, Sheet
from gateway.evidence.documents.visit_timeline import TemperatureReading, TimelineSpan, VisitEvent
from gateway.evidence.manifest import FilmSpan

NAMES_WIDTH_MM = 36.0  # millimetres for the rows' names
ROW_HEIGHT_MM = 6.5
MARK_RADIUS_MM = 2.4  # radius of a numbered mark
TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # seconds between two ticks
MAX_TICKS = 7  # at most


class TimelineBar(Frozen):
    """One row: its name, where it is, and where something is declared to lack."""

    name: str
    ink: Ink
    stretches: Sequence[TimelineSpan | FilmSpan]
    holes: Sequence[FilmSpan] = ()


class TimelineAxis(Frozen):
    """Maps instants to places on the sheet."""

    start: datetime
    end: datetime
    left: float
    width: float

    def x(self, at: datetime) -> float:
        """Millimetres from the sheet's left edge."""
        whole = (self.end - self.start) / timedelta(seconds=1)
        part = (at - self.start) / timedelta(seconds=1) / whole if whole > 0 else 0.0
        return self.left + min(1.0, max(0.0, part)) * self.width


def draw_timeline(  # noqa: PLR0913 - a sheet, a place, and the parts of the drawing
    sheet: Sheet,
    axis: TimelineAxis,
    top: float,
    *,
    bars: Sequence[TimelineBar],
    marks: Mapping[int, VisitEvent],
    zone: ZoneInfo,
) -> float:
    """Draw rows, ticks in the house's time and numbered marks; return where the picture ends."""
    rows = top + 9
    bottom = rows + len(bars) * ROW_HEIGHT_MM
    _draw_ticks(sheet, axis, rows, bottom, zone)
    for number, bar in enumerate(bars):
        y = rows + number * ROW_HEIGHT_MM
        sheet.text((axis.left - NAMES_WIDTH_MM, y + 4.4), bar.name, size=9, within=NAMES_WIDTH_MM - 3)
        for stretch in bar.stretches:
            left, right = axis.x(stretch.start), axis.x(stretch.end or axis.end)
            sheet.box((left, y + 1.4), (max(0.4, right - left), ROW_HEIGHT_MM - 2.8), fill=bar.ink)
        for hole in bar.holes:
            left, width = axis.x(hole.start), max(0.8, axis.x(hole.end) - axis.x(hole.start))
            sheet.box((left, y + 1.4), (width, ROW_HEIGHT_MM - 2.8), fill=Ink.WHITE, line=Ink.RED, thick=0.5)
    _draw_marks(sheet, axis, top, bottom, marks)
    return bottom + 6


def draw_temperatures(
    sheet: Sheet, axis: TimelineAxis, top: float, *, height: float, readings: Mapping[str, Sequence[TemperatureReading]]
) -> None:
    """Plot each place's readings on the same axis; the line has a gap where the temperature is unknown."""
    known = [reading.temp_c for series in readings.values() for reading in series if reading.temp_c is not None]
    low, high = min(known) - 1, max(known) + 1
    floor = top + height

    def y(temp_c: float) -> float:
        return floor - (temp_c - low) / (high - low) * height

    for level in (min(known), max(known)):
        sheet.stroke([(axis.left, y(level)), (axis.left + axis.width, y(level))], ink=Ink.PALE, thick=0.3)
        sheet.text((axis.left - 2, y(level) + 1), f"{level:.1f}", size=8, ink=Ink.GREY, align="right")
    for number, (place, series) in enumerate(readings.items()):
        ink = (Ink.NIGHT, Ink.GREEN, Ink.RED)[number % 3]
        at = axis.left - NAMES_WIDTH_MM, top + 3 + number * 7
        sheet.block(at, place, width=NAMES_WIDTH_MM - 12, size=8, ink=ink, leading=1.15, most=2)
        for before, after in pairwise(series):
            if before.temp_c is not None:
                until = axis.x(after.at)
                sheet.stroke([(axis.x(before.at), y(before.temp_c)), (until, y(before.temp_c))], ink=ink, thick=0.5)
        for reading in series:
            if reading.temp_c is not None:
                sheet.disc((axis.x(reading.at), y(reading.temp_c)), 0.6, fill=ink)


def _draw_ticks(sheet: Sheet, axis: TimelineAxis, top: float, bottom: float, zone: ZoneInfo) -> None:
    seconds = (axis.end - axis.start).total_seconds()
    step = next((step for step in TICK_STEPS_S if seconds / step <= MAX_TICKS), 86_400)
    first = int(axis.start.timestamp()) // step * step + step
    for at in range(first, int(axis.end.timestamp()) + 1, step):
        if (at - first) // step > 2 * MAX_TICKS:  # a film that claims to have run for years
            break
        instant = datetime.fromtimestamp(at, tz=zone)
        x = axis.x(instant)
        sheet.stroke([(x, top), (x, bottom)], ink=Ink.PALE, thick=0.3)
        sheet.text((x, bottom + 3.6), f"{instant:%H:%M:%S}", size=8, ink=Ink.GREY, align="centre")


def _draw_marks(sheet: Sheet, axis: TimelineAxis, top: float, bottom: float, marks: Mapping[int, VisitEvent]) -> None:
    """Set the numbered moments; those that lie close move apart, their lines still end where they belong."""
    placed = -1e9
    for number, happening in sorted(marks.items(), key=lambda mark: mark[1].at):
        x = axis.x(happening.at)
        at = max(x, placed + 2 * MARK_RADIUS_MM + 0.6)
        placed = at
        sheet.stroke([(at, top + 2 * MARK_RADIUS_MM), (x, top + 8), (x, bottom)], ink=Ink.BLACK, thick=0.25, dashes=0.8)
        draw_numbered_mark(sheet, (at, top + MARK_RADIUS_MM), number)


def draw_numbered_mark(sheet: Sheet, at: tuple[float, float], number: int) -> None:
    """Draw one numbered mark. Table, pictures and timeline use the same numbers."""
    sheet.disc(at, MARK_RADIUS_MM, fill=Ink.NIGHT)
    sheet.text((at[0], at[1] + 1.15), str(number), size=8.5, bold=True, ink=Ink.WHITE, align="centre")
