"""Every sentence of the papers stands in French and in English."""

from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum

import pytest

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.evidence.documents import report
from gateway.evidence.documents.report import gap_text
from gateway.evidence.documents.visit_timeline import VisitMoment
from gateway.evidence.receipt import OUTCOME_TEXTS
from gateway.evidence.verdict import ProofProblem
from gateway.system.i18n import Text
from gateway.video.ipc import StreamFault

TABLES: list[tuple[Mapping[StrEnum, Text], Iterable[Enum]]] = [
    (report.MOMENT_TEXTS, VisitMoment),  # type: ignore[list-item]  # each table has an enumeration of its own for keys
    (report.DOOR_RESULT_TEXTS, DoorResult),  # type: ignore[list-item]  # the same
    (OUTCOME_TEXTS, Outcome),  # type: ignore[list-item]  # the same
]


@pytest.mark.parametrize(("table", "keys"), TABLES, ids=["moments", "house", "outcome"])
def test_no_sentence_is_missing(table: Mapping[StrEnum, Text], keys: Iterable[Enum]) -> None:
    assert set(table) == set(keys)


@pytest.mark.parametrize("found", ProofProblem)
def test_what_verification_can_find_is_told_in_both_with_a_remedy(found: ProofProblem) -> None:
    for text in (found.text, found.remedy):
        assert text.to("fr") != text.to("en")


@pytest.mark.parametrize("why", [*(fault.value for fault in StreamFault), "not_filmed", "film_lost"])
def test_why_a_film_lacks_is_told_in_both(why: str) -> None:
    assert gap_text(why, "fr") != gap_text(why, "en")
    assert "_" not in gap_text(why, "fr") + gap_text(why, "en")


def test_a_reason_that_nobody_knows_is_shown_as_it_is() -> None:
    assert gap_text("made_up", "fr") == "made_up"
