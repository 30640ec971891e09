"""Texts for people: a catalogue that is up to date and complete, and words in the language of each reader."""

import re
import shutil
import string
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from gateway.system import i18n
from gateway.system.catalogue import CatalogueError, load_compiled
from gateway.system.i18n import (
    Text,
    _,
    accepted,
    decimal_text,
    in_language,
    language_names,
    language_of,
    languages,
    pgettext,
    template_functions,
    with_hard_spaces,
)
from gateway.web.texts.catalogue import TEXTS, offered

ROOT = Path(__file__).parents[3]
LOCALE = ROOT / "gateway" / "locale"
PO = "LC_MESSAGES/perron.po"
COMPLETE = ("fr",)  # the languages in which nothing may be left in English

# The English is a detail of the system, which another language leaves out: it names the file instead.
OTHER_FACTS = {("login file", "{text}")}

pytestmark = pytest.mark.xdist_group("texts")  # one process reads the source, once


@cache
def sources() -> frozenset[tuple[str | None, str]]:
    """Every message of the source, with its context."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call] # Babel's
    found = extract_from_dir(ROOT / "gateway", methods, options)
    return frozenset((context, one) for _file, _line, one, _comments, context in found if isinstance(one, str))


def catalogue(language: str) -> Catalog:
    with (LOCALE / language / PO).open(encoding="utf-8") as file:
        return read_po(file, locale=language)


@dataclass(frozen=True)
class Entry:
    context: str | None
    message: str
    translation: str
    fuzzy: bool


def entries(language: str) -> list[Entry]:
    return [Entry(one.context, str(one.id), str(one.string or ""), one.fuzzy) for one in catalogue(language) if one.id]


def facts(text: str) -> list[str]:
    return sorted(name for _literal, name, _form, _conversion in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", languages()[:-1])
def test_a_catalogue_holds_the_messages_of_the_source_and_no_others(language: str) -> None:
    held = {(one.context, one.message) for one in entries(language)}
    assert held == sources(), "run `make texts`, then translate what is empty in gateway/locale/*/LC_MESSAGES/perron.po"
    assert not catalogue(language).obsolete


@pytest.mark.parametrize("language", COMPLETE)
def test_a_complete_catalogue_leaves_nothing_untranslated_or_uncertain(language: str) -> None:
    assert [one.message for one in entries(language) if not one.translation.strip() or one.fuzzy] == []


@pytest.mark.parametrize("language", languages()[:-1])
def test_a_translation_names_the_facts_of_its_message(language: str) -> None:
    said = [one for one in entries(language) if one.translation]
    differing = [one for one in said if facts(one.translation) != facts(one.message)]
    assert [one.message for one in differing if (one.context, one.message) not in OTHER_FACTS] == []


def test_french_sets_its_signs_apart_and_ends_no_sentence_twice() -> None:
    prose = re.compile(r"`[^`]*`|\([^)]*\)")  # without what is typed, and without keys in brackets
    for entry in entries("fr"):
        text = prose.sub("", entry.translation)
        assert not re.search(r"[^\s(«\"'][:;?!](?=\s|$)|«(?!\s)|[^\s]»|(?<!\.)\.\.(?!\.)", text), entry.translation
        assert not {"\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"} & set(text), "a page sets them itself"


def test_a_page_keeps_a_sign_of_french_with_its_word_and_an_abbreviation_has_one_full_stop() -> None:
    ends = _("The oldest: {day}.", day="29 nov.")
    assert (ends.to("en"), ends.to("fr")) == ("The oldest: 29 nov.", "La plus ancienne : 29 nov.")
    assert ends.on_page("fr") == "La plus ancienne\N{NO-BREAK SPACE}: 29 nov."
    asked = "« Oui » ; non ! pourquoi ?"
    assert with_hard_spaces(asked) == "«\xa0Oui\xa0»\u202f; non\u202f! pourquoi\u202f?"
    assert _("The oldest: {day}.", day="Sat").to("en") == "The oldest: Sat."
    assert template_functions("fr")["gettext"]("The oldest: {day}.", day="29 nov.") == ends.on_page("fr")


@pytest.mark.parametrize("language", languages()[:-1])
def test_a_translation_leaves_out_the_same_parts_when_a_fact_is_unknown(language: str) -> None:
    def optional(text: str) -> list[list[str]]:
        return sorted(facts(part) for part in re.findall(r"\[([^\[\]]*)\]", text))

    said = [one for one in entries(language) if one.translation]
    assert [one.message for one in said if optional(one.translation) != optional(one.message)] == []


COURIERS = ("system/dates.py", "web/templates/courier_over.html",
            "web/templates/courier.html", "web/templates/label_reader.html", "web/templates/parts/courier.html",
            "web/texts/courier.py")  # fmt: skip


def test_a_third_language_is_one_file_here_the_whole_of_the_courier_s_page() -> None:
    german = {(one.context, one.message) for one in entries("de") if one.translation and not one.fuzzy}
    for name in COURIERS:
        method = "python" if name.endswith(".py") else "jinja2"
        found = extract_from_file(method, ROOT / "gateway" / name)
        assert {(context, message) for _line, message, _comments, context in found} <= german, name
    by_script = ("age.now", "age.ago", "age.left", "link.up", "link.down", "error.404", "error.429", "error.other")
    assert {(TEXTS[key].context, TEXTS[key].message) for key in by_script} <= german
    named = re.compile(r"""["']de["']|\bGerman\b|Deutsch\b""")
    files = [path for path in (ROOT / "gateway").rglob("*") if path.suffix in {".py", ".html", ".js"}]
    assert [path for path in files if named.search(path.read_text(encoding="utf-8"))] == []


def test_a_page_is_offered_in_the_languages_that_have_its_texts() -> None:
    assert offered("/c/0123") == ("de", "fr", "en")
    assert offered("/") == offered("/enter") == ("fr", "en")


def test_words_are_those_of_the_reader_s_language_and_english_where_it_has_none() -> None:
    delivery = _("Delivery")
    assert [delivery.to(language) for language in ("fr", "en", "xx")] == ["Livraison", "Delivery", "Delivery"]
    assert _("no catalogue has this: {n}", n="3").to("fr") == "no catalogue has this: 3"


def test_a_context_tells_two_meanings_of_the_same_english_apart() -> None:
    assert pgettext("a switch", "Somebody is home").to("fr") == "Il y a quelqu'un"


def test_a_fact_that_is_a_text_is_worded_for_the_same_reader() -> None:
    assert Text("{what}!").to("fr", what=_("Delivery")) == "Livraison!"
    assert in_language("Lune & Co {x}", "fr") == "Lune & Co {x}"


def test_a_fact_that_is_not_given_is_a_bug_and_not_an_empty_place() -> None:
    with pytest.raises(KeyError):
        Text("{age} ago").to("en")


def test_each_language_is_called_what_it_calls_itself() -> None:
    assert {"fr": "Français", "en": "English"}.items() <= language_names().items()
    assert len(set(language_names().values())) == len(languages())


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("en;q=0.8,fr;q=0.9", "fr"),
        ("de,en-GB;q=0.5", "en"),
        ("de", None),
        ("", None),
        ("fr;q=x,en", "en"),
        (";;;,,q=", None),
        ("en" + ",fr" * 10_000, "en"),
    ],
)
def test_a_browser_is_answered_in_the_first_of_its_languages_that_the_box_speaks(
    header: str, language: str | None
) -> None:
    assert accepted(header, ("fr", "en")) == language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_ALL": "", "LC_MESSAGES": "fr_BE"}, "fr"),
        ({}, "en"),
    ],
)
def test_the_owner_is_told_in_the_machines_language_if_it_is_french_or_english(
    environment: dict[str, str], language: str
) -> None:
    assert language_of(environment, ("fr", "en")) == language


def test_a_catalogue_is_compiled_when_it_is_needed_and_again_when_it_changed(tmp_path: Path) -> None:
    po = tmp_path / "fr" / PO
    po.parent.mkdir(parents=True)
    po.write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Door"\nmsgstr "Porte"\n')
    first = load_compiled(po)
    assert po.with_suffix(".mo").read_bytes() == first
    po.write_text(po.read_text().replace("Porte", "Portail"))
    assert b"Portail" in load_compiled(po)


def test_a_compiled_catalogue_needs_neither_its_source_nor_babel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    po = tmp_path / "fr" / PO
    po.parent.mkdir(parents=True)
    monkeypatch.setitem(sys.modules, "babel.messages.mofile", None)
    po.write_text("")
    with pytest.raises(CatalogueError, match="make texts"):
        load_compiled(po)
    po.unlink()
    po.with_suffix(".mo").write_bytes(b"made at install")
    assert load_compiled(po) == b"made at install"


@pytest.mark.slow
def test_what_is_installed_holds_the_compiled_catalogues(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for folder in ("gateway", "devices", "config"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    for file in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, source],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    inside = [name for name in names if name.startswith("gateway/locale/")]
    assert inside == [f"gateway/locale/{language}/LC_MESSAGES/perron.mo" for language in languages()[:-1]]
    assert "gateway/config/samples/home.yaml" in names, "which `perron new` and `perron demo` read"
    assert "devices/simulators/drawings/outside.svg" in names, "which simulated cameras film"


def test_languages_are_found_by_their_catalogues() -> None:
    assert set(languages()) == {path.parents[1].name for path in LOCALE.glob(f"*/{PO}")} | {i18n.SOURCE}


def test_a_number_has_the_decimal_sign_of_its_reader() -> None:
    answered = _("answered in {seconds} s", seconds=decimal_text(2.25, 2))
    assert answered.to("en") == "answered in 2.25 s"
    assert answered.to("fr") == "a répondu en 2,25 s"
    assert decimal_text(0.04, 1).to("en") == "0.0"
    assert decimal_text(12.5, 1).to("de") == "12,5"
