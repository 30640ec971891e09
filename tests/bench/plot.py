"""Draws latency over load into docs/pictures/load.svg, both axes logarithmic, for light and dark pages."""

import html
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "load.svg"
WIDTH, HEIGHT = 1090, 520
LEFT, TOP, RIGHT, BOTTOM = 90.0, 60.0, 350.0, 56.0
LABEL_HEIGHT = 19.0
Points = Sequence[tuple[int, float]]

# What is drawn of what was measured: how it is called, and its class; as shipped is dashed, as is the way by the bell.
CURVES: Final = {
    "Home Assistant as shipped, parallel": ("Home Assistant as shipped", "hass dashed"),
    "Home Assistant + TCP_NODELAY, parallel": ("Home Assistant, TCP_NODELAY forced", "hass"),
    "Node-RED as shipped": ("Node-RED as shipped", "nodered dashed"),
    "Node-RED + TCP_NODELAY, log first": ("Node-RED, TCP_NODELAY, log first", "nodered"),
    "gateway: scan to unlock through the bell": ("Perron, through the bell, durable", "perron dashed"),
    "gateway: decision to open": ("Perron, decision, durable", "perron"),
}
_STYLE: Final = (
    ".back{fill:#fff}text{font:14px sans-serif;fill:#333}.title{font-size:17px;font-weight:bold}.tick{font-size:13px}"
    ".grid{stroke:#ddd}polyline{fill:none;stroke-width:2.5}.dashed{stroke-dasharray:6 5}"
    "{light}@media(prefers-color-scheme:dark){.back{fill:#1e2129}text{fill:#ddd}.grid{stroke:#3b3f4a}{dark}}"
)
_COLOURS: Final = {
    "perron": ("#00695c", "#4db6ac"), "nodered": ("#a31515", "#ff8a80"), "hass": ("#1a56c4", "#8ab4f8"),
}  # fmt: skip


def picture(load: Mapping[str, Points]) -> str:
    """The drawing, as SVG; ValueError: there is no point of what it draws."""
    drawn = {name: sorted(load[name]) for name in CURVES if load.get(name)}
    if not drawn:
        raise ValueError("there is nothing to draw: no curve was measured")
    loads = sorted({many for points in drawn.values() for many, _ in points})
    times = [p50 for points in drawn.values() for _, p50 in points]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    scale = _Scale(loads[0], loads[-1], low, max(high, low + 1))
    colours = ["".join(_colour(name, shade[dark]) for name, shade in _COLOURS.items()) for dark in (0, 1)]
    style = _STYLE.replace("{light}", colours[0]).replace("{dark}", colours[1])
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">',
        '  <title id="t">How long an unlock takes when many scans come at once</title>',
        f'  <desc id="d">{html.escape(told(load))}</desc>',
        f"  <style>{style}</style>",
        f'  <rect class="back" width="{WIDTH}" height="{HEIGHT}"/>',
        f'  <text class="title" x="{LEFT:.0f}" y="30">How long an unlock takes when many scans come at once</text>',
        *_axes(scale, loads, low, max(high, low + 1)),
        *_curves(scale, drawn),
        "</svg>",
    )
    return "\n".join(lines) + "\n"


def told(load: Mapping[str, Points]) -> str:
    """The drawing in words, for its alternative text."""
    parts = [
        f"{CURVES[name][0]} {_ms(points[0][1])} at {points[0][0]} and {_ms(points[-1][1])} at {points[-1][0]}"
        for name, points in ((name, sorted(load[name])) for name in CURVES if load.get(name))
    ]
    return f"Milliseconds until the unlock (p50) over scans at once: {'; '.join(parts)}."


class _Scale:
    """From a number of scans and milliseconds to a place."""

    def __init__(self, first: int, last: int, low: int, high: int) -> None:
        self._first, self._wide = math.log10(first), max(math.log10(last) - math.log10(first), 0.1)
        self._low, self._tall = low, high - low

    def x(self, many: float) -> float:
        """Where so many scans are."""
        return LEFT + (math.log10(many) - self._first) / self._wide * (WIDTH - LEFT - RIGHT)

    def y(self, p50: float) -> float:
        """Where so many milliseconds are."""
        return HEIGHT - BOTTOM - (math.log10(p50) - self._low) / self._tall * (HEIGHT - TOP - BOTTOM)


def _axes(scale: _Scale, loads: Sequence[int], low: int, high: int) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for exponent in range(low, high + 1):
        y = scale.y(10.0**exponent)
        yield f'  <line class="grid" x1="{LEFT:.0f}" y1="{y:.0f}" x2="{right:.0f}" y2="{y:.0f}"/>'
        yield f'  <text class="tick" text-anchor="end" x="{LEFT - 8:.0f}" y="{y + 5:.0f}">{_ms(10.0**exponent)}</text>'
    for many in loads:
        x = scale.x(many)
        yield f'  <line class="grid" x1="{x:.0f}" y1="{TOP:.0f}" x2="{x:.0f}" y2="{bottom:.0f}"/>'
        yield f'  <text class="tick" text-anchor="middle" x="{x:.0f}" y="{bottom + 20:.0f}">{many}</text>'
    middle = (LEFT + right) / 2
    words = "scans at once, each at its own entrance"
    yield f'  <text text-anchor="middle" x="{middle:.0f}" y="{HEIGHT - 12}">{words}</text>'


def _curves(scale: _Scale, drawn: Mapping[str, Points]) -> Iterator[str]:
    ends = {name: scale.y(points[-1][1]) for name, points in drawn.items()}
    labels = _apart(ends)
    for name, points in drawn.items():
        called, style = CURVES[name]
        places = " ".join(f"{scale.x(many):.1f},{scale.y(p50):.1f}" for many, p50 in points)
        yield f'  <polyline class="{style}" points="{places}"><title>{called}</title></polyline>'
        x, y = WIDTH - RIGHT + 10, labels[name] + 5
        yield f'  <text class="{style.split()[0]}" x="{x:.0f}" y="{y:.0f}">{called}, {_ms(points[-1][1])}</text>'


def _apart(ends: Mapping[str, float]) -> dict[str, float]:
    """Where labels stand so that none lies on another, as near to their ends as that allows."""
    order = sorted(ends, key=lambda name: ends[name])
    placed = {name: ends[name] for name in order}
    for _ in range(100):
        for upper, lower in itertools.pairwise(order):
            lacking = LABEL_HEIGHT - (placed[lower] - placed[upper])
            if lacking > 0:
                placed[upper] -= lacking / 2
                placed[lower] += lacking / 2
    return placed


def _colour(name: str, shade: str) -> str:
    return f"polyline.{name}{{stroke:{shade}}}text.{name}{{fill:{shade}}}"


def _ms(p50: float) -> str:
    return f"{float(f'{p50:.2g}'):,g} ms"
