"""Every sentence of the papers stands in French and in English."""

from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum

import pytest

from gateway.domain.visit.state import DoorResult, Outcome
from gateway.evidence.documents import report_words
from gateway.evidence.documents.report_words import gap
from gateway.evidence.documents.visit_timeline import Moment
from gateway.evidence.receipt import OUTCOMES
from gateway.evidence.verdict import WORDS as VERDICTS
from gateway.evidence.verdict import Problem
from gateway.system.i18n import Text
from gateway.video.ipc import Fault

TABLES: list[tuple[Mapping[StrEnum, Text], Iterable[Enum]]] = [
    (report_words.MOMENTS, Moment),  # type: ignore[list-item]  # each table has an enumeration of its own for keys
    (report_words.HOUSES, DoorResult),  # type: ignore[list-item]  # the same
    (OUTCOMES, Outcome),  # type: ignore[list-item]  # the same
]


@pytest.mark.parametrize(("table", "keys"), TABLES, ids=["moments", "house", "outcome"])
def test_no_sentence_is_missing(table: Mapping[StrEnum, Text], keys: Iterable[Enum]) -> None:
    assert set(table) == set(keys)


@pytest.mark.parametrize("found", Problem)
def test_what_verification_can_find_is_told_in_both_with_a_remedy(found: Problem) -> None:
    for text in VERDICTS[found]:
        assert text.to("fr") != text.to("en")


@pytest.mark.parametrize("why", [*(fault.value for fault in Fault), "not_filmed", "film_lost"])
def test_why_a_film_lacks_is_told_in_both(why: str) -> None:
    assert gap(why, "fr") != gap(why, "en")
    assert "_" not in gap(why, "fr") + gap(why, "en")


def test_a_reason_that_nobody_knows_is_shown_as_it_is() -> None:
    assert gap("made_up", "fr") == "made_up"
