"""Texts for people: English in the source, every other language in a gettext catalogue of `gateway/locale`.

`_("Locked again {time}", time="12:03")` makes a `Text`: the English message, which is also its id in the catalogues,
and its facts. There is no current language: the caller translates a `Text` for the language of one reader. `make texts`
updates the catalogues from the source.
"""

import gettext
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, Union

from gateway.domain.frozen import Frozen
from gateway.system.catalogue import load_compiled

Language = str
"""ISO 639-1: `SOURCE`, or the name of a folder of `gateway/locale`."""

SOURCE: Final[Language] = "en"

_LOCALE = Path(__file__).parents[1] / "locale"
_DOMAIN = "perron"


class Text(Frozen, kw_only=False):
    """A message, its context where the same English has two meanings, and the facts that its placeholders name."""

    message: str
    context: str | None = None
    facts: tuple[tuple[str, "Fact"], ...] = ()

    def with_facts(self, **facts: "Fact") -> "Text":
        """Return the text with more facts, or with others."""
        return replace(self, facts=(*(dict(self.facts) | facts).items(),))

    def template(self, language: Language) -> str:
        """Return the text with its placeholders in this language, or in English if it is not translated."""
        if not self.message:
            return ""  # in a catalogue this is the header's id
        catalogue = _catalogue(language)
        if self.context is None:
            return catalogue.gettext(self.message)
        return catalogue.pgettext(self.context, self.message)

    def to(self, language: Language, /, **facts: "Fact") -> str:
        """Return the text with its facts for a reader of this language. KeyError: it names a fact that is missing."""
        given = dict(self.facts) | facts
        return _filled(self.template(language), {name: in_language(fact, language) for name, fact in given.items()})

    def on_page(self, language: Language, /, **facts: "Fact") -> str:
        """Return what `to` does, for a page: its lines do not break before a sign that French sets apart."""
        given = (dict(self.facts) | facts).items()
        words = {name: fact.on_page(language) if isinstance(fact, Text) else str(fact) for name, fact in given}
        return _filled(with_hard_spaces(self.template(language)), words)


def _filled(template: str, words: Mapping[str, str]) -> str:
    """Put words in the places of a template. An abbreviation that ends a sentence has one full stop, not two."""
    for name, word in words.items():
        if word.endswith("."):
            template = template.replace(f"{{{name}}}.", f"{{{name}}}")
    return template.format(**words)


def with_hard_spaces(text: str) -> str:
    """Put no-break spaces before the signs that French sets apart, narrow ones before ; ! ?; English has none."""
    for sign in (":", "»"):
        text = text.replace(f" {sign}", f"\N{NO-BREAK SPACE}{sign}")
    for sign in (";", "!", "?"):
        text = text.replace(f" {sign}", f"\N{NARROW NO-BREAK SPACE}{sign}")
    return text.replace("« ", "«\N{NO-BREAK SPACE}")


Fact = Union[Text, Path, str]  # noqa: UP007 - a type that names itself


def _(message: str, /, **facts: Fact) -> Text:
    """Return a message for people; its facts may be given here or when it is translated."""
    return Text(message, None, tuple(facts.items()))


def pgettext(context: str, message: str, /, **facts: Fact) -> Text:
    """Return a message whose English has several meanings; the context tells the translator which one."""
    return Text(message, context, tuple(facts.items()))


def decimal_text(number: float, digits: int) -> Text:
    """Return a number with so many digits behind the sign that the reader's language sets there."""
    whole, parts = f"{number:.{digits}f}".split(".")
    return pgettext("a number with decimals", "{whole}.{parts}", whole=whole, parts=parts)


def in_language(fact: Fact, language: Language) -> str:
    """Return a text in the reader's language; a name, a number or a path stays as it is."""
    return fact.to(language) if isinstance(fact, Text) else str(fact)


def template_functions(language: Language) -> Mapping[str, Callable[..., str]]:
    """Return what Jinja2's i18n extension calls while a page is rendered for this reader.

    `_("...", name=...)` in a template calls `gettext`. `in_words` puts a `Text` that the page was given into words.
    """

    def in_words(text: Text, /, **facts: object) -> str:
        return text.on_page(
            language, **{name: fact if isinstance(fact, Text) else str(fact) for name, fact in facts.items()}
        )

    return {
        "gettext": lambda message, /, **facts: in_words(Text(message), **facts),
        "pgettext": lambda context, message, /, **facts: in_words(Text(message, context), **facts),
        "in_words": in_words,
    }


@cache
def languages() -> tuple[Language, ...]:
    """Return every language that has a catalogue, and English, which needs none."""
    names = {path.parents[1].name for path in _LOCALE.glob(f"*/LC_MESSAGES/{_DOMAIN}.[mp]o")}
    return (*sorted(names - {SOURCE}), SOURCE)


@cache
def languages_of(text: Text) -> tuple[Language, ...]:
    """Return the languages whose catalogue translates a text.

    A page is offered in the languages of one of its texts, because a catalogue may contain a single page.
    """
    return tuple(known for known in languages() if known == SOURCE or text.template(known) != text.message)


@cache
def language_names() -> Mapping[Language, str]:
    """Return what each language calls itself."""
    own = pgettext("the name of this language in this language", "English")
    return {language: own.to(language) for language in languages()}


def accepted(accept_language: str, offered: Sequence[Language]) -> Language | None:
    """Return the first of a browser's languages (RFC 9110, Accept-Language) that is offered, or None."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:500].split(",")):
        tag, _semicolon, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), place, tag.partition("-")[0].lower()))
        except ValueError:
            continue
    return next((tag for _weight, _place, tag in sorted(wanted) if tag in offered), None)


def language_of(environment: Mapping[str, str], offered: Sequence[Language]) -> Language:
    """Return the language of this machine (POSIX: LC_ALL, LC_MESSAGES, LANG) where it is offered, else English."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts
    locale = next(filter(None, map(environment.get, names)), "")
    language = locale.partition(".")[0].partition("_")[0]
    return language if language in offered else SOURCE


@cache
def _catalogue(language: Language) -> gettext.NullTranslations:
    if language == SOURCE or language not in languages():
        return gettext.NullTranslations()
    folder = _LOCALE / language / "LC_MESSAGES"
    return gettext.GNUTranslations(io.BytesIO(load_compiled(folder / f"{_DOMAIN}.po")))
