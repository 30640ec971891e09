"""Shows the cold chain of a visit: each item with its verdict, and a plot of the air of each place."""

from collections.abc import Mapping
from typing import Any

from gateway.domain.delivery.cold_verdict import ColdVerdict
from gateway.domain.frozen import Frozen
from gateway.evidence.documents.air_plot import (
    MARK_TEXTS,
    VERDICT_TEXTS,
    XY,
    AirPlot,
    air_plots,
    degrees,
    item_lines,
)
from gateway.protocol.cold_chain import ColdChainAccount
from gateway.system.i18n import Language

WIDTH, LEFT, TOP, BOTTOM = 320, 44, 16, 106  # of a plot, in its own units
TONES: Mapping[ColdVerdict, str] = {
    ColdVerdict.CONFORMANT: "good",
    ColdVerdict.NON_CONFORMANT: "bad",
    ColdVerdict.UNKNOWN: "warm",
}


class ShownItem(Frozen):
    """One item as it stands on the page."""

    last: str
    place: str
    tone: str
    verdict: str
    lines: tuple[str, ...]


def cold_chain_facts(
    account: ColdChainAccount | None, places: Mapping[str, str], language: Language
) -> Mapping[str, Any] | None:
    """Return what the template `parts/cold_chain.html` shows; None: the visit had no items with limits."""
    if account is None:
        return None
    items = [
        ShownItem(
            last=item.last,
            place=places.get(item.place, item.place),
            tone=TONES[item.verdict],
            verdict=VERDICT_TEXTS[item.verdict].to(language),
            lines=tuple(item_lines(item, language)),
        )
        for item in account.items
    ]
    return {"passports": items, "plots": [_drawn(plot, places, language) for plot in air_plots(account)]}


def _drawn(plot: AirPlot, places: Mapping[str, str], language: Language) -> Mapping[str, Any]:
    return {
        "place": places.get(plot.place, plot.place),
        "lines": [" ".join(f"{x},{y}" for x, y in map(_at, line)) for line in plot.lines],
        "limits": [_at((0.0, height))[1] for height in plot.limits],
        "marks": [
            {"number": number, "x": _at((x, 0.0))[0], "text": MARK_TEXTS[mark].to(language), "at": at}
            for number, (mark, at, x) in enumerate(plot.marks, start=1)
        ],
        "scale": [{"y": _at((0.0, height))[1] + 3, "text": degrees(value, language)} for height, value in plot.scale],
        "low": degrees(plot.low, language),
        "high": degrees(plot.high, language),
    }


def _at(point: XY) -> XY:
    x, y = point
    return round(LEFT + x * (WIDTH - LEFT - 6), 1), round(BOTTOM - y * (BOTTOM - TOP), 1)
