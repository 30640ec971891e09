import re
from pathlib import Path

from devices.simulators.drawing import PALETTE, Box, render

SHEET = Path("gateway/demo/page/static/demo.css")
RED = ".earth { fill: #ff0000 }"


def test_the_films_have_the_colours_of_the_demos_drawing() -> None:
    light_theme = SHEET.read_text(encoding="utf-8").partition("@media")[0]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", light_theme))

    assert dict(PALETTE) == {name: colours[name] for name in PALETTE}


def test_only_the_named_layers_are_drawn_and_only_the_box_of_them() -> None:
    image = render("inside", ("leaf",), box=Box(98, 82, 112, 206), size=(112, 206))

    assert image.getpixel((5, 100)) == (0, 0, 0, 0)
    assert image.getpixel((12, 150)) == (*bytes.fromhex(PALETTE["door"][1:]), 255)


def test_a_picture_may_have_a_sheet_of_its_own() -> None:
    plain, red = (
        render("inside", ("way-day",), box=Box(110, 260, 8, 8), size=(8, 8), sheet=sheet) for sheet in ("", RED)
    )

    assert (plain.getpixel((4, 4)), red.getpixel((4, 4))) == (
        (*bytes.fromhex(PALETTE["earth"][1:]), 255),
        (255, 0, 0, 255),
    )
