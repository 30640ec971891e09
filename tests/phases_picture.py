"""`python -m tests.phases_picture`: draw the table of phases, `TRANSITIONS`, into docs/pictures/phases.svg.

The same table stands in words in docs/reference/phases.md, between its markers. A test compares both with the code.

Examples:
  python -m tests.phases_picture
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.domain.visit.state import TRANSITIONS, Phase

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "phases.svg"
PAGE = ROOT / "docs" / "reference" / "phases.md"
BEGIN, END = "<!-- from TRANSITIONS: begin -->", "<!-- end -->"

Point = tuple[float, float]
WIDTH, HEIGHT = 1180, 480
BOX_WIDTH, BOX_HEIGHT = 130.0, 38.0
BEND = 16.0  # so that the two arrows between a pair of boxes lie apart
ARROWHEAD = 7.0
PLACES: Final[dict[Phase | None, Point]] = {
    None: (90, 280),
    Phase.RINGING: (270, 280),
    Phase.APPROVING: (360, 150),
    Phase.UNLOCKING: (500, 280),
    Phase.UNLOCKED: (640, 150),
    Phase.ADVANCING: (640, 400),
    Phase.INSIDE: (780, 280),
    Phase.RELOCKING: (980, 280),
    Phase.LOCKED_AGAIN: (1090, 430),
    Phase.HANDED_TO_OWNER: (1090, 130),
}
FAR: Final[dict[tuple[Phase | None, Phase | None], float]] = {
    (None, Phase.RELOCKING): -500,
    (Phase.LOCKED_AGAIN, None): -150,
    (Phase.UNLOCKING, Phase.RELOCKING): -110,
    (Phase.UNLOCKED, Phase.RELOCKING): -40,
    (Phase.INSIDE, Phase.HANDED_TO_OWNER): -60,
    (Phase.ADVANCING, Phase.RELOCKING): 30,
    (Phase.APPROVING, None): 20,
    (Phase.UNLOCKING, None): 100,
}
"""How far an arrow bends that would else cross a box; to the left of its direction where it is negative."""


def phase_name(phase: Phase | None) -> str:
    """What the documentation calls a phase."""
    return "(ready)" if phase is None else phase.value.replace("_", " ")


def arrows() -> Iterator[tuple[Phase | None, Phase | None]]:
    """Each declared arrow, in the order of the table."""
    for before, following in TRANSITIONS.items():
        for after in sorted(following, key=lambda phase: list(TRANSITIONS).index(phase)):
            yield before, after


def table() -> str:
    """The arrows in words, as a table of the page."""
    rows = [
        f"| {phase_name(before)} | {', '.join(phase_name(after) for of, after in arrows() if of is before)} |"
        for before in TRANSITIONS
    ]
    return "\n".join((BEGIN, "", "| From | To |", "| --- | --- |", *rows, "", END))


def _border(box: Point, towards: Point) -> Point:
    """Where the line from the middle of a box towards a point leaves the box."""
    x, y = towards[0] - box[0], towards[1] - box[1]
    scale = min(
        BOX_WIDTH / 2 / abs(x) if x else math.inf,
        BOX_HEIGHT / 2 / abs(y) if y else math.inf,
    )
    return box[0] + x * scale, box[1] + y * scale


def _arrow(before: Phase | None, after: Phase | None) -> str:
    start, end = PLACES[before], PLACES[after]
    length = math.dist(start, end)
    along = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    bend = FAR.get((before, after), BEND)
    middle = (start[0] + end[0]) / 2 - along[1] * bend, (start[1] + end[1]) / 2 + along[0] * bend
    tail, tip = _border(start, middle), _border(end, middle)
    size = math.dist(middle, tip)
    back = (middle[0] - tip[0]) / size * ARROWHEAD, (middle[1] - tip[1]) / size * ARROWHEAD
    left = tip[0] + back[0] - back[1] / 2, tip[1] + back[1] + back[0] / 2
    right = tip[0] + back[0] + back[1] / 2, tip[1] + back[1] - back[0] / 2
    head = " ".join(f"{x:.0f},{y:.0f}" for x, y in (tip, left, right))
    path = f"M{tail[0]:.0f} {tail[1]:.0f} Q{middle[0]:.0f} {middle[1]:.0f} {tip[0]:.0f} {tip[1]:.0f}"
    name = f"{phase_name(before)} to {phase_name(after)}"
    return f'  <g><title>{name}</title><path d="{path}"/><polygon points="{head}"/></g>'


def _box(phase: Phase | None) -> str:
    x, y = PLACES[phase]
    corner = f'x="{x - BOX_WIDTH / 2:.0f}" y="{y - BOX_HEIGHT / 2:.0f}"'
    size = f'width="{BOX_WIDTH:.0f}" height="{BOX_HEIGHT:.0f}" rx="8"'
    return f'  <g><rect {corner} {size}/><text x="{x:.0f}" y="{y + 5:.0f}">{phase_name(phase)}</text></g>'


def picture() -> str:
    """The drawing, as SVG."""
    style = (
        "rect{fill:#fff;stroke:#1d3557;stroke-width:1.5}path{fill:none;stroke:#457b9d;stroke-width:1.5}"
        "polygon{fill:#457b9d}text{font:14px sans-serif;text-anchor:middle;fill:#1d3557}"
    )
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        '  <title id="title">The phases of a visit and every way from one to another</title>',
        f"  <style>{style}</style>",
        f'  <rect width="{WIDTH}" height="{HEIGHT}" style="stroke:none"/>',
        *(_arrow(before, after) for before, after in arrows()),
        *(_box(phase) for phase in TRANSITIONS),
        "</svg>",
    )
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with the table between its markers brought up to date."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{table()}{after}"


def main() -> None:
    """Write both."""
    argparse.ArgumentParser(prog="python -m tests.phases_picture", description=__doc__).parse_args()
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
