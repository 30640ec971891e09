"""Every sentence of the papers stands in French and in English."""

import re
from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum

import pytest

from gateway.domain.visit.state import DoorResult, Outcome
from gateway.evidence.documents import notice_words, report_words
from gateway.evidence.documents.notice_words import Line
from gateway.evidence.documents.report_words import Phrase, gap, problem
from gateway.evidence.documents.visit_timeline import Moment
from gateway.evidence.receipt import OUTCOMES
from gateway.evidence.verdict import Problem
from gateway.system.i18n import Language
from gateway.video.ipc import Fault

TABLES: list[tuple[Mapping[StrEnum, Mapping[Language, str]], Iterable[Enum]]] = [
    (notice_words.WORDS, Line),  # type: ignore[list-item]  # each table has an enumeration of its own for keys
    (report_words.PHRASES, Phrase),  # type: ignore[list-item]  # the same
    (report_words.MOMENTS, Moment),  # type: ignore[list-item]  # the same
    (report_words.HOUSES, DoorResult),  # type: ignore[list-item]  # the same
    (OUTCOMES, Outcome),  # type: ignore[list-item]  # the same
]
NAMES = re.compile(r"{(\w+)}")


@pytest.mark.parametrize(("table", "keys"), TABLES, ids=["notice", "report", "moments", "house", "outcome"])
def test_no_sentence_is_missing_in_either_language(
    table: Mapping[StrEnum, Mapping[Language, str]], keys: Iterable[Enum]
) -> None:
    assert set(table) == set(keys)
    for key, words in table.items():
        assert set(words) == {"fr", "en"}, key
        assert all(text.strip() == text and text for text in words.values()), key
        assert set(NAMES.findall(words["fr"])) == set(NAMES.findall(words["en"])), key


@pytest.mark.parametrize("found", Problem)
def test_what_verification_can_find_is_told_in_both_with_a_remedy(found: Problem) -> None:
    french, english = problem(found, "fr"), problem(found, "en")
    assert all(french)
    assert all(english)
    assert french != english


@pytest.mark.parametrize("why", [*(fault.value for fault in Fault), "not_filmed", "film_lost"])
def test_why_a_film_lacks_is_told_in_both(why: str) -> None:
    assert gap(why, "fr") != gap(why, "en")
    assert "_" not in gap(why, "fr") + gap(why, "en")


def test_a_reason_that_nobody_knows_is_shown_as_it_is() -> None:
    assert gap("made_up", "fr") == "made_up"
