"""Who may come in with a pass, where and when."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.barcodes import ParcelCode, courier_token_value, normalise
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.guests.passes import (
    Pass,
    PassProblem,
    PassState,
    PassUsage,
    Stay,
    is_page_token,
    is_pass_key,
    page_token,
    pass_candidate,
    pass_code,
    pass_code_digest,
    pass_problem,
    pass_refusal,
)
from gateway.domain.now import Now

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 12, 2, 11, 0, tzinfo=UTC)  # a Wednesday, 12:00 in Paris
KEY = b"k" * 32
ANNA = Pass(
    id="p1", version=1, guest="Anna", entrances=frozenset({"front"}), starts=NOON - timedelta(days=1),
    ends=NOON + timedelta(days=3),
)  # fmt: skip


def at(utc: datetime = NOON, *, trusted: bool = True) -> Now:
    return Now(utc=utc, trusted=trusted, mono=0.0)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, None),
        ({"state": PassState.PROPOSED}, Refusal.AWAITING_PERMISSION),
        ({"state": PassState.REVOKED}, Refusal.REVOKED),
        ({"state": PassState.ENDED}, Refusal.EXPIRED),
        ({"starts": NOON}, None),
        ({"starts": NOON + timedelta(seconds=1)}, Refusal.OUTSIDE_WINDOW),
        ({"ends": NOON}, Refusal.EXPIRED),
        ({"ends": NOON + timedelta(seconds=1)}, None),
        ({"entrances": frozenset({"garage"})}, Refusal.WRONG_ENTRANCE),
        ({"days": frozenset({"wed"})}, None),
        ({"days": frozenset({"thu"})}, Refusal.OUTSIDE_WINDOW),
        ({"hours": "12:00-13:00"}, None),
        ({"hours": "11:00-12:00"}, Refusal.OUTSIDE_WINDOW),
        ({"hours": "22:00-12:30"}, None),
    ],
)
def test_a_pass_opens_only_in_its_time_and_at_its_entrances(
    changes: dict[str, object], refusal: Refusal | None
) -> None:
    held = replace(ANNA, **changes)  # type: ignore[arg-type]  # `replace` checks the names
    assert pass_refusal(held, "front", zone=PARIS, now=at()) is refusal


@pytest.mark.parametrize(
    ("openings", "used", "left"), [(None, 99, True), (2, 0, True), (2, 1, True), (2, 2, False), (2, 3, False)]
)
def test_openings_are_counted(openings: int | None, used: int, left: bool) -> None:
    held = replace(ANNA, openings=openings)
    usage = PassUsage(used=used, withdrawals=used)
    found = pass_candidate(held, usage, "front", "hall", zone=PARIS, now=at())
    assert (found.openings_left > 0) is left
    assert (found.errand.is_filmed, found.errand.rings, found.errand.has_parcels) == (False, False, False)
    assert is_pass_key(found.id)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"guest": " "}, PassProblem.NO_NAME),
        ({"guest": "x" * 61}, PassProblem.NO_NAME),
        ({"guest": "a\x1bb"}, PassProblem.NO_NAME),
        ({"entrances": frozenset()}, PassProblem.NO_ENTRANCE),
        ({"openings": 0}, PassProblem.OPENINGS),
        ({"hours": "25:00-26:00"}, PassProblem.HOURS),
        ({"days": frozenset()}, PassProblem.HOURS),
        ({"ends": ANNA.starts}, PassProblem.BACKWARDS),
        ({"ends": NOON}, PassProblem.PAST),
        ({"ends": NOON + timedelta(days=400)}, PassProblem.TOO_LONG),
        ({"starts": NOON + timedelta(days=800), "ends": NOON + timedelta(days=801)}, PassProblem.TOO_FAR),
    ],
)
def test_a_pass_that_cannot_be_says_why(changes: dict[str, object], problem: PassProblem | None) -> None:
    held = replace(ANNA, **changes)  # type: ignore[arg-type]  # `replace` checks the names
    assert pass_problem(held, known=0, now=at()) is problem


def test_without_trusted_time_nothing_is_planned_and_nothing_expires() -> None:
    late = at(ANNA.ends + timedelta(days=9), trusted=False)
    assert pass_problem(ANNA, known=0, now=late) is PassProblem.CLOCK_UNTRUSTED
    assert not ANNA.is_over(late)
    assert pass_problem(ANNA, known=100, now=at()) is PassProblem.TOO_MANY


def test_the_code_is_a_token_that_every_scanner_reads_and_another_version_has_another() -> None:
    code, found = pass_code(ANNA, KEY), normalise(pass_code(ANNA, KEY).upper())
    assert len(code) < 40
    assert found == normalise(code)
    assert isinstance(found, ParcelCode)
    assert found.value == courier_token_value(pass_code_digest(ANNA, KEY))
    assert pass_code(replace(ANNA, version=2), KEY) != code
    assert pass_code(ANNA, b"x" * 32) != code


@given(st.text(max_size=60))
def test_no_other_text_is_the_address_of_a_guest_s_page(text: str) -> None:
    token = page_token(ANNA, KEY)
    assert is_page_token(token, ANNA, KEY)
    assert is_page_token(text, ANNA, KEY) is (text == token)
    assert not is_page_token(token, replace(ANNA, version=2), KEY)


def test_a_stay_holds_at_its_entrances_once_it_is_accepted() -> None:
    stay = Stay(id="s", guest="Anna", starts=NOON, ends=NOON + timedelta(days=1))
    assert stay.holds_at("front")
    assert not replace(stay, entrances=frozenset({"garage"})).holds_at("front")
    assert not replace(stay, is_proposed=True).holds_at("front")
