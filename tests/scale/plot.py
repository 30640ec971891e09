"""One picture of a run: homes connected and jobs a second, over time, with what was done to the cluster."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tests.scale.homes import HomesCount

WIDTH_PX, HEIGHT_PX, LEFT_PX, TOP_PX, GAP_PX = 960, 200, 64, 36, 56


def plot(counts: Sequence[HomesCount], marks: Sequence[tuple[float, str]], title: str, file: Path) -> None:
    """Write it as SVG. Instants in seconds, monotonic; `marks` are drawn over both curves."""
    begin, end = counts[0].at, max(counts[-1].at, counts[0].at + 1)
    there = [(one.at, float(one.there)) for one in counts]
    rate = [(one.at, (one.acts - before.acts) / max(0.1, one.at - before.at)) for before, one in pairwise(counts)]
    both = ((there, "homes connected", "#1b6e4f"), (rate, "jobs taken in a second", "#2b5fa8"))
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX + LEFT_PX + 24} '
            f'{2 * HEIGHT_PX + TOP_PX + GAP_PX + 40}">'
        ),
        "<style>text { font: 13px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT_PX}" y="20" font-weight="bold">{title}</text>',
    ]

    def x(at: float) -> float:
        return LEFT_PX + WIDTH_PX * (at - begin) / (end - begin)

    for number, (points, name, colour) in enumerate(both):
        top = TOP_PX + number * (HEIGHT_PX + GAP_PX)
        most = max([value for _, value in points] or [0.0]) * 1.05 or 1.0
        drawn = " ".join(f"{x(at):.1f},{top + HEIGHT_PX - HEIGHT_PX * value / most:.1f}" for at, value in points)
        parts += [
            f'<rect x="{LEFT_PX}" y="{top}" width="{WIDTH_PX}" height="{HEIGHT_PX}" fill="none" stroke="#ccc"/>',
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{LEFT_PX + 6}" y="{top + 16}" fill="{colour}">{name}</text>',
            f'<text x="{LEFT_PX - 6}" y="{top + 12}" text-anchor="end">{most / 1.05:.0f}</text>',
            f'<text x="{LEFT_PX - 6}" y="{top + HEIGHT_PX}" text-anchor="end">0</text>',
        ]
    low = TOP_PX + 2 * HEIGHT_PX + GAP_PX
    for number, (at, what) in enumerate(marks):
        parts += [
            f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP_PX}" y2="{low}" stroke="#a33" stroke-dasharray="4 3"/>',
            f'<text x="{x(at) + 4:.1f}" y="{TOP_PX + HEIGHT_PX + 16 + 16 * (number % 2)}" fill="#a33">{what}</text>',
        ]
    for tick in range(0, int(end - begin) + 1, 30):
        parts.append(f'<text x="{x(begin + tick):.1f}" y="{low + 18}" text-anchor="middle">{tick} s</text>')
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*parts, "</svg>"]) + "\n")
