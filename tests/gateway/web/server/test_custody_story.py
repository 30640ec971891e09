"""Who had the parcels of a reception, as lines for the household."""

import pytest

from gateway.domain.custody import CustodyStage, DeclineReason
from gateway.domain.delivery.result import Refusal
from gateway.web.server.custody_story import STAGE_LINES, custody_lines

AT = "2026-06-01T12:00:00.000000Z"


def row(stage: str, before: str = "offered", **facts: object) -> dict[str, object]:
    usual = {"receiver": None, "reason": None, "answer": None, "refusal": None}
    code = {"hmac": "0" * 64, "last": "2032"}
    return {"kind": "custody", "at": AT, "code": code, "stage": stage, "stage_before": before, **usual, **facts}


def texts(*rows: dict[str, object], language: str = "en") -> list[str]:
    return [line.text for line in custody_lines(rows, language=language, receivers={"marc": "Marc Petit"})]


def test_each_stage_has_a_line() -> None:
    assert STAGE_LINES.keys() == set(CustodyStage)


@pytest.mark.parametrize("stage", CustodyStage)
def test_each_line_is_in_french_too(stage: CustodyStage) -> None:
    one = row(stage.value, before="other", receiver="marc", reason=DeclineReason.DAMAGED)
    assert texts(one, language="fr") != texts(one)


def test_who_had_it_is_named_also_where_the_row_names_nobody() -> None:
    taken = row("received", receiver="marc")
    given = row("handed_over", "received")
    assert texts(taken, given) == ["…2032: Marc Petit has it", "…2032: Marc Petit has handed it over to the household"]
    assert texts(given) == ["…2032: the receiver has handed it over to the household"]


def test_a_receiver_whom_the_house_no_longer_has_keeps_his_id() -> None:
    assert texts(row("received", receiver="nina")) == ["…2032: nina has it"]


def test_a_refused_scan_says_why_and_an_act_without_news_has_no_line() -> None:
    refused = row("announced", "announced", answer="no", refusal=Refusal.NO_RECEIVER)
    assert len(texts(refused)) == 1
    assert texts(refused)[0].startswith("…2032 refused: ")
    assert texts(row("offered", "offered", refusal="not_offered"), {"kind": "complaint"}) == []
