"""The font that papers are set in is the one that was vendored, with its licence."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from gateway.evidence.documents.pdf import FONTS_FOLDER, MISSING_GLYPH, Ink, Sheet

SOURCE = json.loads((FONTS_FOLDER / "source.json").read_text(encoding="utf-8"))


def test_each_file_is_as_its_package_brought_it() -> None:
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in FONTS_FOLDER.iterdir()}
    del found["source.json"]
    assert found == SOURCE["sha256"]


def test_its_source_and_its_licence_are_told() -> None:
    assert (SOURCE["package"], SOURCE["version"]) == ("npm @expo-google-fonts/open-sans", "0.4.2")
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FONTS_FOLDER / "OFL.txt").read_text(encoding="utf-8")


@pytest.fixture
def sheet() -> Iterator[Sheet]:
    sheet = Sheet(title="paper", language="en", made=datetime(2026, 6, 1, tzinfo=UTC))
    sheet.add_page()
    yield sheet
    sheet.pdf()  # only a sheet that is finished gives its fonts' files back


@pytest.mark.parametrize(
    "words", ["Où êtes-vous ? À l'œuvre : «ÇŒŸ» 12 €", "Ευάγγελος Ωρίων", "Щёлково, Їжак", "Łódź Şişli"]
)
def test_it_has_latin_greek_and_cyrillic(sheet: Sheet, words: str) -> None:
    assert sheet.printable(words) == words


def test_what_it_lacks_is_a_box_and_what_is_no_character_is_gone(sheet: Sheet) -> None:
    assert sheet.printable("京東 \N{GRINNING FACE}") == f"{MISSING_GLYPH * 2} {MISSING_GLYPH}"
    assert sheet.printable("a\u202eb\u200bc\x1b[31m\nd") == "abc[31md"
    sheet.text((10, 10), "京東", size=12, ink=Ink.RED)
    assert sheet.pdf().startswith(b"%PDF-")


def test_a_paragraph_breaks_between_words_and_within_one_that_is_too_long(sheet: Sheet) -> None:
    lines = sheet.lines("one two " + "x" * 90, width=40, size=10)
    assert lines[0] == "one two"
    assert "".join(lines[1:]) == "x" * 90
    assert all(sheet.width(line, size=10) <= 40 for line in lines)
    assert sheet.lines("", width=40, size=10) == [""]


def test_no_line_begins_with_a_colon_as_french_wants_it(sheet: Sheet) -> None:
    for width in range(25, 60):
        for line in sheet.lines("Contact : demandez ; ou bien non ? « oui »", width=float(width), size=10):
            assert line[:1] not in {":", ";", "?", "»"}, (width, line)
            assert not line.endswith("«"), (width, line)


def test_a_line_that_is_too_long_is_set_smaller_then_cut(sheet: Sheet) -> None:
    sheet.text((10, 20), "x" * 500, size=12, within=50)
    assert b"/Type /Page" in sheet.pdf()
