"""Makes the plot of the air of a place in a visit, as coordinates from 0 to 1, and the words of a cold chain. Pure.

A page draws it as SVG and the report as PDF, from the same account of the sealed log.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum, auto
from itertools import pairwise

from gateway.domain.delivery.cold_verdict import ColdReason, ColdVerdict
from gateway.domain.frozen import Frozen
from gateway.protocol.cold_chain import AirPoint, ColdChainAccount, ItemPassport, StatedLimits, StatedRange
from gateway.system.i18n import Language, Text, _, decimal_text

VERDICT_TEXTS: Mapping[ColdVerdict, Text] = {
    ColdVerdict.CONFORMANT: _("within its limits all the way"),
    ColdVerdict.NON_CONFORMANT: _("outside its limits"),
    ColdVerdict.UNKNOWN: _("not proven to be within its limits"),
}

REASON_TEXTS: Mapping[ColdReason, Text] = {
    ColdReason.TOO_WARM: _("the air was too warm"),
    ColdReason.TOO_COLD: _("the air was too cold"),
    ColdReason.TOO_LONG: _("it took too long to its place"),
    ColdReason.NO_DOOR_SCAN: _("nobody scanned it at the door"),
    ColdReason.NOT_STOWED: _("nobody scanned it at its place"),
    ColdReason.WRONG_PLACE: _("it was scanned at another place"),
    ColdReason.NO_AIR_BEFORE: _("the air before is not known"),
    ColdReason.AIR_GAP: _("the air was not known for a time"),
    ColdReason.NO_AIR_AFTER: _("the air was not measured afterwards"),
    ColdReason.LEFT_OPEN: _("the fridge stood open at the end"),
    ColdReason.LABEL_UNREADABLE: _("a limit on its label cannot be read"),
    ColdReason.CLOCK_UNTRUSTED: _("the box was not certain of its time"),
}


class PlotMark(StrEnum):
    """A moment that the plot marks."""

    DOOR = auto()
    STOWED = auto()
    CLOSED = auto()
    SECURED = auto()


MARK_TEXTS: Mapping[PlotMark, Text] = {
    PlotMark.DOOR: _("at the door"),
    PlotMark.STOWED: _("scanned at its place"),
    PlotMark.CLOSED: _("fridge closed"),
    PlotMark.SECURED: _("way in secured"),
}

XY = tuple[float, float]
MIN_LABEL_DISTANCE = 0.12  # of the height between two numbers at the axis


class AirPlot(Frozen):
    """The plot of one place: x from `begin` to `end`, y from `low` up to `high`, each from 0 to 1.

    `lines` have a hole where the air is unknown. `limits` are heights. `marks` are in order of time.
    """

    place: str
    lines: tuple[tuple[XY, ...], ...]
    limits: tuple[float, ...]
    marks: tuple[tuple[PlotMark, datetime, float], ...]
    low: float
    high: float
    begin: datetime
    end: datetime

    @property
    def scale(self) -> tuple[tuple[float, float], ...]:
        """Return the heights that have a number beside them, each with its °C: every limit, then what is not close."""
        kept: list[float] = []
        for height in (*self.limits, 1.0, 0.0):
            if all(abs(height - other) >= MIN_LABEL_DISTANCE for other in kept):
                kept.append(height)
        # Heights are rounded, so 0 °C comes back as a little less; plus 0 makes no minus of it
        return tuple((height, round(self.low + height * (self.high - self.low), 1) + 0.0) for height in sorted(kept))


def air_plots(account: ColdChainAccount) -> tuple[AirPlot, ...]:
    """Return the plot of each place whose air was measured."""
    plots = (_plot(account, air.place, air.points) for air in account.air)
    return tuple(plot for plot in plots if plot is not None)


def _plot(account: ColdChainAccount, place: str, points: Sequence[AirPoint]) -> AirPlot | None:
    known = [point.celsius for point in points if point.celsius is not None]
    if not known:
        return None
    items = [item for item in account.items if item.place == place]
    bounds = {bound for item in items for bound in (item.limits.min_c, item.limits.max_c) if bound is not None}
    low, high = min((*known, *bounds)) - 0.5, max((*known, *bounds)) + 0.5
    begin, end = account.began, max(account.ended, points[-1].at)
    seconds = max((end - begin).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return round(min(1.0, max(0.0, (at - begin).total_seconds() / seconds)), 4)

    def y(celsius: float) -> float:
        return round((celsius - low) / (high - low), 4)

    return AirPlot(
        place=place,
        lines=tuple(_lines([(x(point.at), None if point.celsius is None else y(point.celsius)) for point in points])),
        limits=tuple(sorted(map(y, bounds))),
        marks=tuple((mark, at, x(at)) for at, mark in sorted(_marks(account, items, points))),
        low=low,
        high=high,
        begin=begin,
        end=end,
    )


def _lines(points: Sequence[tuple[float, float | None]]) -> Iterator[tuple[XY, ...]]:
    """Yield the steps: each value holds until the next point, and the last one until the end."""
    line: list[XY] = []
    for number, (x, y) in enumerate(points):
        if y is None:
            if line:
                yield tuple(line)
            line = []
            continue
        until = points[number + 1][0] if number + 1 < len(points) else 1.0
        line += [(x, y), (until, y)]
    if line:
        yield tuple(line)


def _marks(
    account: ColdChainAccount, items: Sequence[ItemPassport], points: Sequence[AirPoint]
) -> Iterator[tuple[datetime, PlotMark]]:
    yield account.began, PlotMark.DOOR
    for at in sorted({item.stowed_at for item in items if item.stowed_at is not None}):
        yield at, PlotMark.STOWED
    closings = [after.at for before, after in pairwise(points) if before.open and not after.open]
    if closings:
        yield closings[-1], PlotMark.CLOSED
    yield account.ended, PlotMark.SECURED


def item_lines(item: ItemPassport, language: Language) -> Iterator[str]:
    """Yield what a reader learns of an item below its verdict: reasons, limits, time, and air."""
    if item.reasons:
        yield ", ".join(REASON_TEXTS[reason].to(language) for reason in item.reasons)
    yield _("Limits: {limits}").to(language, limits=limits_text(item.limits, language))
    if item.seconds is not None:
        seconds, allowed = f"{item.seconds:.0f}", str(item.max_seconds)
        yield _("From the door to its place: {seconds} s (at most {allowed} s)").to(
            language, seconds=seconds, allowed=allowed
        )
    unknown = _("unknown").to(language)
    yield _("Air before: {before}, until it was there: {during}, afterwards: {after}").to(
        language,
        before=unknown if item.before is None else degrees(item.before, language),
        during=range_text(item.during, language) or unknown,
        after=range_text(item.after, language) or unknown,
    )


def limits_text(limits: StatedLimits, language: Language) -> str:
    """Return the limits in words."""
    low = None if limits.min_c is None else degrees(limits.min_c, language)
    high = None if limits.max_c is None else degrees(limits.max_c, language)
    if low is not None and high is not None:
        return _("{low} to {high}").to(language, low=low, high=high)
    if high is not None:
        return _("at most {high}").to(language, high=high)
    return _("at least {low}").to(language, low=str(low))


def range_text(span: StatedRange | None, language: Language) -> str:
    """Return the range in words; nothing if there is none."""
    if span is None:
        return ""
    low, high = degrees(span.min_c, language), degrees(span.max_c, language)
    return low if span.min_c == span.max_c else _("{low} to {high}").to(language, low=low, high=high)


def degrees(celsius: float, language: Language) -> str:
    """Return a temperature as its reader writes it."""
    return f"{decimal_text(celsius, 1).to(language)} °C"
