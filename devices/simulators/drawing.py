"""Renders the drawings under `drawings/` for the simulated cameras, layer by layer.

A drawing is an SVG file whose groups of the first level are its layers; its colours are classes, among them those of
`PALETTE`, which are the colours of the demo's page. Rendering takes milliseconds, so callers keep what they get.
"""

import io
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import resvg_py
from PIL import Image

_VIEW_BOX = re.compile(r'viewBox="[^"]*"')
_FOLDER = Path(__file__).with_name("drawings")

PALETTE: Mapping[str, str] = MappingProxyType(
    {
        "far": "#c5dbc9", "earth": "#b9c9a9", "wall": "#fbf7ee", "roof": "#a3503c", "room": "#ffe9c2",
        "wood": "#7d5a3c", "door": "#2f5d62", "night": "#26302f", "steel": "#59656b", "skin": "#e7b48f",
        "rest": "#65706c",
    }
)  # fmt: skip
"""The colours of the demo's page in its light theme, by the names in its sheet."""

_SHEET = "\n".join(
    (
        *(f".{name} {{ fill: {colour} }}" for name, colour in PALETTE.items()),
        f".frame {{ fill: {PALETTE['steel']} }} .step {{ fill: #8c949a }} .pane {{ fill: #cfe5ea }}",
        ".knob { fill: #e8c15c } .carton { fill: #c99a62; stroke: #6e4f2a; stroke-width: 1.5 }",
        ".tape { fill: none; stroke: #6e4f2a; stroke-width: 2 } .badge { fill: #f5d06b }",
        f".line, .legs {{ fill: none; stroke: {PALETTE['wood']}; stroke-width: 4 }}",
        ".beam { fill: none; stroke: #7d5a3c; stroke-width: 3 }",
        ".brow { fill: none; stroke: #4a3325; stroke-width: 3; stroke-linecap: round }",
        ".neck { fill: #cf9a74 } .trousers { fill: #33414a } .shoes { fill: #1b2321 }",
        ".sleeve { fill: none; stroke-width: 22; stroke-linecap: round }",
        "svg > g { display: none }",
    )
)


class Box(NamedTuple):
    """A rectangle in the coordinates of a drawing."""

    left: float
    top: float
    width: float
    height: float


def render(drawing: str, layers: Iterable[str], *, box: Box, size: tuple[int, int], sheet: str = "") -> Image.Image:
    """Return `box` of a drawing's layers, one over the other, as RGBA of `size` (columns, rows) with straight alpha.

    `sheet`: further rules of CSS.
    """
    shown = ", ".join(f"#{layer}" for layer in layers)
    width, height = size
    view = f'width="{width}" height="{height}" preserveAspectRatio="none" viewBox="{" ".join(map(str, box))}"'
    png = resvg_py.svg_to_bytes(
        svg_string=_VIEW_BOX.sub(view, _source(drawing), count=1),
        style_sheet=f"{_SHEET}\n{shown} {{ display: inline }}\n{sheet}",
        skip_system_fonts=True,
    )
    return Image.open(io.BytesIO(png)).convert("RGBA")


@cache
def _source(drawing: str) -> str:
    return (_FOLDER / f"{drawing}.svg").read_text(encoding="utf-8")
