"""Defines a finding of an examination."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum, auto
from pathlib import Path
from typing import Final

from gateway.domain.frozen import Frozen
from gateway.system.i18n import Fact, Language, Text, _, in_language

HANGS_TODO: Final = _("What is examined there hangs: look at its power and its link, then examine again.")


class FindingVerdict(StrEnum):
    """The verdict on what was examined."""

    GOOD = auto()
    DOUBTFUL = auto()
    BAD = auto()


class Finding(Frozen, kw_only=False):
    """The result of one check. No text contains a secret."""

    subject: Text
    verdict: FindingVerdict
    statement: Text
    todo: Text | None = None  # None: a person need do nothing
    entrance: str | None = None  # of which it says whether unattended visits are admitted


def good(subject: Text, statement: Text) -> Finding:
    """Return a finding that asks nothing of anybody."""
    return Finding(subject, FindingVerdict.GOOD, statement)


def doubtful(subject: Text, statement: Text, todo: Text | None) -> Finding:
    """Return a finding that a person should look at."""
    return Finding(subject, FindingVerdict.DOUBTFUL, statement, todo)


def bad(subject: Text, statement: Text, todo: Text) -> Finding:
    """Return a finding that forbids visits or breaks a part of the house."""
    return Finding(subject, FindingVerdict.BAD, statement, todo)


def overdue(subject: Text, seconds: float) -> Finding:
    """Return the finding of a check that did not end within `seconds`."""
    return bad(subject, _("nothing within {seconds} s").with_facts(seconds=f"{seconds:g}"), HANGS_TODO)


def joined(texts: Iterable[Fact], between: str = ", ") -> Text:
    """Return several texts as one."""
    facts = tuple((f"part{number}", text) for number, text in enumerate(texts))
    return Text(between.join(f"{{{name}}}" for name, _text in facts), None, facts)


def sentence_text(text: Text, language: Language, *, show: Callable[[Path], str] = str) -> str:
    """Return a part of a finding in a language; `show` formats a path as the reader may type it."""
    return in_language(_with_paths(text, show), language).strip()


def _with_paths(fact: Fact, show: Callable[[Path], str]) -> Fact:
    match fact:
        case Text():
            return replace(fact, facts=tuple((name, _with_paths(inner, show)) for name, inner in fact.facts))
        case Path():
            return show(fact)
        case _:
            return fact
