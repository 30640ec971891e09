"""Draws the page of a visit's report about the cold chain: each item with its verdict, and the air of each place.

A report has this page if the visit had items with limits. All data is from the manifest, which the verifier has
compared with the log.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway.domain.delivery.cold_verdict import ColdVerdict
from gateway.domain.frozen import Frozen
from gateway.evidence.documents.air_plot import MARK_TEXTS, VERDICT_TEXTS, AirPlot, air_plots, degrees, item_lines
from gateway.evidence.documents.pdf import PAGE_WIDTH_MM, Ink, Sheet
from gateway.evidence.manifest import Manifest
from gateway.protocol.cold_chain import ColdChainAccount
from gateway.system.i18n import Language, Text, _
from gateway.system.text import sanitized

MARGIN_MM = 18.0
INDENT_MM = 6.0
PLOT_LEFT_MM, PLOT_HEIGHT_MM = 40.0, 28.0
MARK_WIDTH_MM = 3.2  # of the number of a moment below the plot
LAST_LINE_MM = 262.0  # where the page's foot begins
MAX_PLOTS = 3
INKS: Mapping[ColdVerdict, Ink] = {
    ColdVerdict.CONFORMANT: Ink.GREEN,
    ColdVerdict.NON_CONFORMANT: Ink.RED,
    ColdVerdict.UNKNOWN: Ink.GREY,
}


def cold_chain_of(manifests: Sequence[Manifest]) -> ColdChainAccount | None:
    """Return the cold chain of a visit: only the first part has one."""
    return manifests[0].cold_chain if manifests else None


class ColdChainPage(Frozen):
    """The page below its head. `heading` draws a section's heading at a height and returns the next baseline."""

    sheet: Sheet
    account: ColdChainAccount
    language: Language
    places: Mapping[str, str]
    clock: Callable[[datetime], str]
    heading: Callable[[float, Text], float]

    def draw(self, y: float) -> None:
        """Draw the air of each place, then the items."""
        plots = air_plots(self.account)[:MAX_PLOTS]
        if plots:
            y = self.heading(y, _("Air (°C)"))
            for plot in plots:
                y = self._draw_plot(y, plot)
        self._draw_items(self.heading(y + 2, _("Items")))

    def _place(self, ident: str) -> str:
        return sanitized(self.places.get(ident, ident))

    def _draw_plot(self, top: float, plot: AirPlot) -> float:
        sheet, width = self.sheet, PAGE_WIDTH_MM - MARGIN_MM - PLOT_LEFT_MM
        sheet.text((MARGIN_MM, top), self._place(plot.place), size=9.5, bold=True, within=PAGE_WIDTH_MM - 2 * MARGIN_MM)
        top += 3
        floor = top + PLOT_HEIGHT_MM

        def at(x: float, y: float) -> tuple[float, float]:
            return PLOT_LEFT_MM + x * width, floor - y * PLOT_HEIGHT_MM

        for y in (0.0, 1.0):
            sheet.stroke([at(0, y), at(1, y)], ink=Ink.PALE, thick=0.3)
        for y, value in plot.scale:
            label = degrees(value, self.language)
            sheet.text((PLOT_LEFT_MM - 2, at(0, y)[1] + 1), label, size=8, ink=Ink.GREY, align="right")
        for height in plot.limits:
            sheet.stroke([at(0, height), at(1, height)], ink=Ink.RED, thick=0.3, dashes=1.2)
        for line in plot.lines:
            sheet.stroke([at(x, y) for x, y in line], ink=Ink.NIGHT, thick=0.6)
        words, taken_to = list[str](), 0.0
        for number, (mark, when, x) in enumerate(plot.marks, start=1):
            sheet.stroke([at(x, 0), at(x, 1)], ink=Ink.GREY, thick=0.25, dashes=0.8)
            middle = max(at(x, 0)[0], taken_to + MARK_WIDTH_MM / 2)  # two moments close together: side by side
            taken_to = middle + MARK_WIDTH_MM / 2
            sheet.text((middle, floor + 3.4), str(number), size=8, bold=True, align="centre")
            words.append(f"{number} {MARK_TEXTS[mark].to(self.language)} {self.clock(when)}")
        return sheet.block((PLOT_LEFT_MM, floor + 7.4), ", ".join(words), width=width, size=8.5, most=2) + 4

    def _draw_items(self, y: float) -> None:
        items = self.account.items
        for number, item in enumerate(items):
            lines = list(item_lines(item, self.language))
            if y + 4.4 * (len(lines) + 1) > LAST_LINE_MM:
                more = _("and {count} more").to(self.language, count=str(len(items) - number))
                self._line(y, more, size=10)
                return
            verdict = VERDICT_TEXTS[item.verdict].to(self.language)
            head = _("Item {last}, {place}: {verdict}").to(
                self.language, last=f"…{sanitized(item.last)}", place=self._place(item.place), verdict=verdict
            )
            y = self._line(y, head, size=10.5, bold=True, ink=INKS[item.verdict])
            for line in lines:
                y = self._line(y, line, size=9, indent=INDENT_MM)
            y += 1.5

    def _line(  # noqa: PLR0913 - the style of a line
        self, y: float, words: str, *, size: float, bold: bool = False, ink: Ink = Ink.BLACK, indent: float = 0.0
    ) -> float:
        width = PAGE_WIDTH_MM - 2 * MARGIN_MM - indent
        return self.sheet.block((MARGIN_MM + indent, y), words, width=width, size=size, bold=bold, ink=ink, most=2)
