"""What is wrong with a file's writing is told as somebody who only writes that file would say it."""

import random
from pathlib import Path

import pytest

from gateway.system.located_yaml import Misread, Spot, parse

TEXT = (Path(__file__).parents[3] / "config" / "home.yaml").read_text(encoding="utf-8")
PORT = next(n for n, line in enumerate(TEXT.splitlines(), start=1) if line == "  port: 1883")


def misread(text: str) -> Misread:
    with pytest.raises(Misread) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "spot", "told"),
    [
        ("  port: 1883", "port: 1883", Spot(PORT + 1, 3), f"2 spaces, but here it can only be 0 (as line {PORT})"),
        ("  port: 1883", "    port: 1883", Spot(PORT, 5), f"0 (as line {PORT - 2}) or 2 (as line {PORT - 1})"),
        ("  port: 1883", " port: 1883", Spot(PORT, 2), "begins with 1 space, but"),
        ("  port: 1883", "\tport: 1883", Spot(PORT, 1), "a tab stands here: use spaces"),
        ("  port: 1883", "  port 1883", Spot(PORT, 3), "write `key: value`"),
        ("  port: 1883", "  port:1883", Spot(PORT, 3), "with a space behind the colon"),
        ("name: La maison", "name: La: maison", Spot(5, 9), "a second colon"),
        ("name: La maison", "name: @La maison", Spot(5, 7), "needs quotes"),
        ("name: La maison", "name: 'La maison", None, "the quotation ends before"),
        ("name: Porte d'entrée", "name: 'Porte d'entrée", None, "the quotation ends before its line does"),
        ("[hall-camera]", "[hall-camera", None, "close it with ] or }"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_told_with_its_line_and_the_remedy(
    old: str, new: str, spot: Spot | None, told: str
) -> None:
    assert old in TEXT
    found = misread(TEXT.replace(old, new, 1))
    assert told in str(found)
    assert spot in (None, found.spot)


@pytest.mark.slow
def test_no_slip_of_the_pen_ends_the_reader() -> None:
    dice = random.Random(1)
    lines = TEXT.splitlines()
    for _ in range(300):
        spoiled = lines[: dice.randint(1, len(lines))]
        place = dice.randrange(len(spoiled))
        spoiled[place] = dice.choice(["", " ", "   ", "- ", "'", '"', "[", "{", "? ", "|"]) + spoiled[place].lstrip(
            dice.choice(["", " "])
        )
        try:
            parse("\n".join(spoiled))
        except Misread as error:
            assert 1 <= error.spot.line <= len(spoiled) + 1  # noqa: PT017 - most are none, some are still YAML
