"""The notice for the door, read back from the paper."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_file

from devices.commands import Light, Sound
from gateway.config.home import GuestsSection, Home
from gateway.config.loader import load_home_file
from gateway.domain.visit import transitions
from gateway.domain.visit.commands import ShowSignal
from gateway.evidence.documents import notice as drawing
from gateway.evidence.documents.notice import (
    COURIER_STEPS,
    SIGNAL_MEANINGS,
    Notice,
    door_notice,
    notice_for,
    notice_languages,
)
from gateway.evidence.documents.pdf import Pictogram, Sheet
from gateway.system.i18n import Language, Text, _, languages, pgettext
from tests.gateway.evidence.documents.printed import A4_POINTS, read_codes, read_pdf, render_page

pytestmark = pytest.mark.slow

MADE = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def home() -> Home:
    return load_home_file(ROOT / "config" / "home.yaml")


@pytest.fixture
def notice(home: Home) -> Notice:
    return notice_for(home, "front", contact="Anne Dupont, 06 12 34 56 78", pages="https://perron.example/")


def test_it_has_one_a4_page_a_language(notice: Notice, tmp_path: Path) -> None:
    for chosen in (("fr",), ("en",), ("fr", "en")):
        printed = read_pdf(door_notice(notice, languages=chosen, made=MADE), tmp_path)
        assert printed.sizes == (A4_POINTS,) * len(chosen)
        assert len(printed.words) == len(chosen)


def test_its_first_page_is_in_the_house_s_language_and_french_is_never_left_out() -> None:
    assert notice_languages("en") == ("en", "fr")
    assert notice_languages("fr") == ("fr", "en")


def sentences() -> Iterator[Text]:
    """Every text of the notice's source."""
    found = extract_from_file("python", drawing.__file__)
    return (Text(message, context) for _line, message, _comments, context in found if isinstance(message, str))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_sentence_stands_on_it(notice: Notice, language: Language, tmp_path: Path) -> None:
    (words,) = read_pdf(door_notice(replace(notice, guests=True), languages=(language,), made=MADE), tmp_path).words
    for text in sentences():
        assert text.to(language, home=notice.home, entrance=notice.entrance, days="30", minutes="15") in words
    assert "Anne Dupont, 06 12 34 56 78" in words
    assert "La maison de la rue des Lilas" in words


def test_it_tells_this_houses_own_times(home: Home, tmp_path: Path) -> None:
    entrance = home.entrances["front"]
    shorter = entrance.model_copy(update={"timing": entrance.timing.model_copy(update={"watch": 300.0})})
    other = home.model_copy(
        update={"entrances": {"front": shorter}, "storage": home.storage.model_copy(update={"retention_days": 7})}
    )
    notice = notice_for(other, "front", contact=None, pages=None)
    (words,) = read_pdf(door_notice(notice, languages=("en",), made=MADE), tmp_path).words
    assert "erased after 7 days at most" in words
    assert "7 days at most, then erased" in words
    assert "within 5 min after a visit" in words
    assert "30" not in words


def test_guests_read_what_is_filmed_and_what_is_not_only_where_they_are_admitted(home: Home, tmp_path: Path) -> None:
    front = home.entrances["front"].model_copy(update={"guests": GuestsSection()})
    admitting = home.model_copy(update={"entrances": {"front": front}})
    for house, told in ((admitting, True), (home, False)):
        notice = notice_for(house, "front", contact=None, pages=None)
        (words,) = read_pdf(door_notice(notice, languages=("en",), made=MADE), tmp_path).words
        assert ("A guest with a pass is not filmed." in words) is told


def test_the_couriers_code_is_a_step_only_where_it_is_asked_for(notice: Notice, tmp_path: Path) -> None:
    without = replace(notice, courier_code=False)
    (words,) = read_pdf(door_notice(without, languages=("en",), made=MADE), tmp_path).words
    assert "Scan the code" not in words
    assert "7" not in words.split("Red: no")[0].split("Scan the parcel")[1]


def test_its_code_leads_to_the_couriers_page_and_to_nothing_else(notice: Notice, tmp_path: Path) -> None:
    pdf = door_notice(notice, languages=("fr",), made=MADE)
    assert read_codes(render_page(pdf, tmp_path, 1)) == ["https://perron.example/c"]
    assert (
        read_codes(render_page(door_notice(replace(notice, page=None), languages=("fr",), made=MADE), tmp_path, 1))
        == []
    )


@pytest.mark.parametrize(
    "pages",
    [
        "javascript:alert(1)", "perron.example", "https://", "https:///c", "ftp://perron.example", "https://a/?q=1",
        "https://a/#x", "https://a b", "https://a/\u202e", "https://a\n.example", "https://a/" + "x" * 100,
    ],
)  # fmt: skip
def test_what_is_no_address_of_pages_is_refused(home: Home, pages: str) -> None:
    with pytest.raises(ValueError, match="address"):
        notice_for(home, "front", contact=None, pages=pages)


def test_without_a_contact_there_is_a_line_to_write_on(home: Home, tmp_path: Path) -> None:
    blank = notice_for(home, "front", contact="\u200b", pages=None)
    assert blank.contact is None
    (words,) = read_pdf(door_notice(blank, languages=("fr",), made=MADE), tmp_path).words
    assert words.endswith("Contact")


def test_the_longest_and_the_strangest_names_stay_on_the_page_and_harmless(home: Home, tmp_path: Path) -> None:
    strange = "<script>alert(1)</script>\u202e\u2066\x1b[31m" + "Ж" * 80
    section = home.entrances["front"].model_copy(update={"name": strange})
    hostile = home.model_copy(update={"name": strange, "entrances": {"front": section}})
    notice = notice_for(hostile, "front", contact="W" * 80, pages="https://" + "w" * 60 + ".example")
    printed = read_pdf(door_notice(notice, languages=("fr", "en"), made=MADE), tmp_path)
    assert len(printed.sizes) == 2
    for words in printed.words:
        assert "<script>alert(1)</script>[31mЖЖЖ" in words.replace(" ", "")
        assert not {"\u202e", "\u2066", "\x1b"} & set(words)
        assert "…" in words
    image = render_page(door_notice(notice, languages=("fr",), made=MADE), tmp_path, 1, dots=60)
    left = image.crop((0, 620, 8, 702))  # the margin below the head stays white: nothing runs out of the page
    assert left.getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    ("house", "entrance"),
    [
        (None, None),
        ("La maison de la famille de Rochefort-Montgomery et de leurs enfants à Villeneuve",
         "Porte d'entrée principale du côté de la rue des Lilas et du jardin d'agrément"),
        ("W" * 80, "W" * 80),
    ],
    ids=["as it is", "long", "longest"],
)  # fmt: skip
def test_between_one_box_and_the_next_the_paper_is_white(
    notice: Notice, tmp_path: Path, language: Language, house: str | None, entrance: str | None
) -> None:
    named = replace(notice, home=house or notice.home, entrance=entrance or notice.entrance)
    image = render_page(door_notice(named, languages=(language,), made=MADE), tmp_path, 1, dots=200)
    dot = image.width / 210  # a millimetre
    # Between head and steps, steps and signs, signs and the dead box, that and the law, the law and the contact.
    for top, bottom in ((43.3, 46.5), (146.2, 148.1), (185.9, 186.7), (222.4, 224.5), (283.0, 284.3)):
        band = image.crop((0, round(top * dot), image.width, round(bottom * dot)))
        assert band.getextrema() == ((255, 255),) * 3, (top, bottom)


def test_each_sign_of_the_door_is_explained() -> None:
    shown = {show for show, _ in SIGNAL_MEANINGS}
    at_the_door = {value for value in vars(transitions).values() if isinstance(value, ShowSignal)}
    assert at_the_door <= shown
    assert {show.light for show in shown} == set(Light)
    assert {show.sound for show in shown} == set(Sound)
    assert len({meaning for _, meaning in SIGNAL_MEANINGS}) == len(SIGNAL_MEANINGS)


def test_the_steps_come_in_the_couriers_order() -> None:
    assert [line for _, line in COURIER_STEPS] == [
        _("Scan the parcel"), _("Scan the code"), _("Amber: wait"), _("Green: come in"),
        _("Put it down"), pgettext("a house", "Leave"), _("Close the door"), _("Red: no"),
    ]  # fmt: skip


@pytest.mark.parametrize("what", Pictogram)
def test_each_pictogram_is_large_dark_and_inside_its_square(what: Pictogram, tmp_path: Path) -> None:
    sheet = Sheet(title=what, language="en", made=MADE)
    sheet.add_page()
    sheet.pictogram(what, (50, 50), 100)
    image = render_page(sheet.pdf(), tmp_path, 1, dots=51).convert("L").point(lambda value: 255 * (value < 160))
    box = image.getbbox()
    assert box is not None
    assert min(box) >= 98  # 50 mm, and a hair
    assert max(box) <= 304
    dark = sum(image.histogram()[200:])
    assert dark > 0.06 * 200 * 200


def test_the_same_notice_is_the_same_file(notice: Notice) -> None:
    first, second = (door_notice(notice, languages=("fr", "en"), made=MADE) for _ in range(2))
    assert first == second


@dataclass(frozen=True)
class Rectangle:
    """A frame or a word on a page, in millimetres from the upper left."""

    left: float
    top: float
    right: float
    bottom: float

    def has_centre_of(self, other: "Rectangle") -> bool:
        across, down = (other.left + other.right) / 2, (other.top + other.bottom) / 2
        return self.left <= across <= self.right and self.top <= down <= self.bottom

    def holds(self, other: "Rectangle", *, slack: float) -> bool:
        return (
            self.left - slack <= other.left
            and other.right <= self.right + slack
            and self.top - slack <= other.top
            and other.bottom <= self.bottom + slack
        )


def drawn_with_frames(notice: Notice, written_in: Sequence[Language], patch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - the PDF and each page's frames
    """Draw the notice, and note the frames of each page."""
    frames: list[list[Rectangle]] = []
    add_page, box = Sheet.add_page, Sheet.box

    def noted_page(sheet: Sheet) -> None:
        frames.append([])
        add_page(sheet)

    def noted_box(sheet: Sheet, at: tuple[float, float], size: tuple[float, float], **style: Any) -> None:  # noqa: ANN401 - as the sheet has it
        frames[-1].append(Rectangle(at[0], at[1], at[0] + size[0], at[1] + size[1]))
        box(sheet, at, size, **style)

    patch.setattr(Sheet, "add_page", noted_page)
    patch.setattr(Sheet, "box", noted_box)
    return door_notice(notice, languages=written_in, made=MADE), frames


def printed_words(pdf: bytes, folder: Path) -> list[list[tuple[str, Rectangle]]]:
    """Each page's words and where poppler finds them."""
    file = folder / "notice.pdf"
    file.write_bytes(pdf)
    told = subprocess.run(["pdftotext", "-bbox", file, "-"], capture_output=True, text=True, check=True).stdout  # noqa: S607 - whichever poppler there is
    pages = []
    for page in told.split("<page ")[1:]:
        found = re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)</word>', page)
        pages.append([(text, Rectangle(*(float(edge) * 25.4 / 72 for edge in edges))) for *edges, text in found])
    return pages


@pytest.mark.parametrize("courier_code", [True, False])
def test_no_text_leaves_its_frame_in_any_language(
    notice: Notice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, courier_code: bool
) -> None:
    asks = replace(notice, courier_code=courier_code, guests=True, page="https://perron.example/c")
    every = languages()
    pdf, frames = drawn_with_frames(asks, every, monkeypatch)
    pages = printed_words(pdf, tmp_path)
    assert len(pages) == len(frames) == len(every)
    framed = 0
    for language, words, boxes in zip(every, pages, frames, strict=True):
        for text, word in words:
            if len(text) == 1 and text.isdigit():  # a step's number, on a disc at the corner of its frame
                continue
            around = [frame for frame in boxes if frame.has_centre_of(word)]
            crossed = [frame for frame in boxes if not frame.holds(word, slack=0.7) and frame.has_centre_of(word)]
            framed += bool(around)
            assert crossed == [], f"{language}: {text} leaves {crossed}"
            beside = [frame for frame in boxes if frame not in around and overlap(frame, word) > 0.7]
            assert beside == [], f"{language}: {text} reaches into {beside}"
    assert framed > 40 * len(every), "most words of the sheet stand in a frame"


def overlap(frame: Rectangle, word: Rectangle) -> float:
    """By how many millimetres a word reaches into a frame; 0: not at all."""
    across = min(frame.right, word.right) - max(frame.left, word.left)
    down = min(frame.bottom, word.bottom) - max(frame.top, word.top)
    return max(0.0, min(across, down))
