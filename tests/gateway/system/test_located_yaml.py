"""What is wrong with a file's writing is told as somebody who only writes that file would say it."""

import random
from pathlib import Path

import pytest

from gateway.system.located_yaml import InvalidYaml, SourcePosition, parse_yaml, position_of

TEXT = (Path(__file__).parents[3] / "config" / "home.yaml").read_text(encoding="utf-8")
PORT = next(n for n, line in enumerate(TEXT.splitlines(), start=1) if line == "  port: 1883")


def misread(text: str) -> InvalidYaml:
    with pytest.raises(InvalidYaml) as caught:
        parse_yaml(text)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "spot", "told"),
    [
        (
            "  port: 1883",
            "port: 1883",
            SourcePosition(PORT + 1, 3),
            f"2 spaces, but here it can only be 0 (as line {PORT})",
        ),
        (
            "  port: 1883",
            "    port: 1883",
            SourcePosition(PORT, 5),
            f"0 (as line {PORT - 2}) or 2 (as line {PORT - 1})",
        ),
        ("  port: 1883", " port: 1883", SourcePosition(PORT, 2), "begins with 1 space, but"),
        ("  port: 1883", "\tport: 1883", SourcePosition(PORT, 1), "a tab stands here: use spaces"),
        ("  port: 1883", "  port 1883", SourcePosition(PORT, 3), "write `key: value`"),
        ("  port: 1883", "  port:1883", SourcePosition(PORT, 3), "with a space behind the colon"),
        ("name: La maison", "name: La: maison", SourcePosition(5, 9), "a second colon"),
        ("name: La maison", "name: @La maison", SourcePosition(5, 7), "needs quotes"),
        ("name: La maison", "name: 'La maison", None, "the quotation ends before"),
        ("name: Porte d'entrée", "name: 'Porte d'entrée", None, "the quotation ends before its line does"),
        ("[hall-camera]", "[hall-camera", None, "close it with ] or }"),
    ],
)
def test_a_slip_of_the_pen_is_told_with_its_line_and_the_remedy(
    old: str, new: str, spot: SourcePosition | None, told: str
) -> None:
    assert old in TEXT
    found = misread(TEXT.replace(old, new, 1))
    assert told in str(found)
    assert spot in (None, found.spot)


def test_each_value_knows_its_place_and_what_is_missing_stands_where_its_parent_does() -> None:
    document = parse_yaml("# a house\n\nbox: one\nlist:\n  - x\n  - {inner: 1}\n1: {true: no}\n")
    assert document == {"box": "one", "list": ["x", {"inner": 1}], "1": {"true": "no"}}
    places: dict[tuple[str | int, ...], SourcePosition] = {
        (): SourcePosition(3, 1),
        ("box",): SourcePosition(3, 1),
        ("list",): SourcePosition(4, 1),
        ("list", 1): SourcePosition(6, 5),
        ("list", 1, "inner"): SourcePosition(6, 6),
        ("list", 7): SourcePosition(4, 1),
        ("1", "true"): SourcePosition(7, 5),
        ("1", "false", "[key]"): SourcePosition(7, 1),
    }
    assert {loc: position_of(document, loc) for loc in places} == places
    assert position_of(parse_yaml(""), ("box",)) == SourcePosition(1, 1)


@pytest.mark.parametrize(
    ("text", "spot", "told"),
    [
        ("a: 1\nb: 2\na: 3", SourcePosition(3, 1), "`a` stands here twice"),
        ("a: !!set {b, c}", SourcePosition(1, 4), "neither a value, a list nor a section"),
        ("a: !mine 1", SourcePosition(1, 4), "not a text, number, true, false or null"),
        ("a: !mine:int 1", SourcePosition(1, 4), "not a text, number, true, false or null"),
        ("a: !!binary aGVsbG8=", SourcePosition(1, 4), "not a text, number, true, false or null"),
        ("a: !!map [1]", SourcePosition(1, 4), "expected a mapping"),
        ("a: &x 1", SourcePosition(1, 4), "anchors and aliases"),
        ("? [a, b]\n: c", SourcePosition(1, 3), "a key must be a plain word"),
        ("a: 0x10", SourcePosition(1, 4), "not a plain number"),
        ("a: .inf", SourcePosition(1, 4), "not a plain number"),
        ("a: 1234567890123456789", SourcePosition(1, 4), "not a text, number, true, false or null"),
        (f"a: {'[' * 17}{']' * 17}", SourcePosition(1, 19), "nested more than 16 deep"),
        ("a: 1\n---\nb: 2", SourcePosition(2, 1), "expected a single document"),
        ("#" * 262_145, SourcePosition(1, 1), "larger than 256 KiB"),
    ],
)
def test_more_than_plain_data_is_refused_at_its_place(text: str, spot: SourcePosition, told: str) -> None:
    found = misread(text)
    assert told in str(found)
    assert found.spot == spot


def test_a_merge_key_and_a_date_are_words() -> None:
    assert parse_yaml("<<: {a: 1}\nday: 2027-01-31") == {"<<": {"a": 1}, "day": "2027-01-31"}


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
            parse_yaml("\n".join(spoiled))
        except InvalidYaml as error:
            assert 1 <= error.spot.line <= len(spoiled) + 1  # noqa: PT017 - most are none, some are still YAML
