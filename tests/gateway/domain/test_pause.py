"""How a pause's times are read in the house's own time, and what is no pause."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.pause import (
    MAX_OPEN_PAUSES,
    PauseRefusal,
    PlannedPause,
    parse_local_time,
    pause_refusal,
)
from tests.gateway.domain.delivery.shop import NOON, NOW

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)


def planned(start: float = 1, end: float = 2, entrance: str | None = "front", ident: str = "p") -> PlannedPause:
    """Hours after noon."""
    return PlannedPause(id=ident, entrance=entrance, start=NOON + start * HOUR, end=NOON + end * HOUR, by=None)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end", "instant"),
    [
        ("2026-11-28T18:00", False, utc("2026-11-28T17:00")),
        ("2026-11-28 18:00", True, utc("2026-11-28T17:00")),
        (" 2026-07-14T18:00:30 ", False, utc("2026-07-14T16:00:30")),
        # the last Sunday of October: 02:30 comes twice, and a pause takes the wider of its two meanings
        ("2026-10-25T02:30", False, utc("2026-10-25T00:30")),
        ("2026-10-25T02:30", True, utc("2026-10-25T01:30")),
        ("2026-10-25T03:00", False, utc("2026-10-25T02:00")),
        # the last Sunday of March: from 02:00 to 03:00 there is no time
        ("2026-03-29T01:59", True, utc("2026-03-29T00:59")),
        ("2026-03-29T02:00", False, PauseRefusal.NO_SUCH_TIME),
        ("2026-03-29T02:59", True, PauseRefusal.NO_SUCH_TIME),
        ("2026-03-29T03:00", True, utc("2026-03-29T01:00")),
        ("", False, PauseRefusal.UNREADABLE),
        ("tomorrow", False, PauseRefusal.UNREADABLE),
        ("2026-11-28", False, PauseRefusal.UNREADABLE),
        ("2026-13-28T18:00", False, PauseRefusal.UNREADABLE),
        ("2026-02-29T18:00", False, PauseRefusal.UNREADABLE),
        ("2026-11-28T24:00", False, PauseRefusal.UNREADABLE),
        ("0001-01-01T00:00", False, PauseRefusal.UNREADABLE),
        ("9999-12-31T23:59", True, PauseRefusal.UNREADABLE),
        ("2026-11-28T18:00+01:00", False, PauseRefusal.UNREADABLE),
        ("٢٠٢٦-11-28T18:00", False, PauseRefusal.UNREADABLE),
    ],
)
def test_a_time_is_the_house_s_own_also_when_the_clocks_are_changed(
    text: str, end: bool, instant: datetime | PauseRefusal
) -> None:
    assert parse_local_time(text, PARIS, end=end) == instant


@settings(deadline=None)  # no test asserts speed
@given(st.text(max_size=40), st.booleans())
def test_no_text_raises(text: str, end: bool) -> None:
    assert isinstance(parse_local_time(text, PARIS, end=end), datetime | PauseRefusal)


@pytest.mark.parametrize(
    ("new", "no"),
    [
        (planned(), None),
        (planned(-1, 1), None),
        (planned(2, 1), PauseRefusal.BACKWARDS),
        (planned(1, 1), PauseRefusal.BACKWARDS),
        (planned(-2, -1), PauseRefusal.PAST),
        (planned(-2, 0), PauseRefusal.PAST),
        (planned(0, 366 * 24), None),
        (planned(0, 366 * 24 + 1), PauseRefusal.TOO_LONG),
        (planned(366 * 24, 366 * 24 + 1), None),
        (planned(367 * 24, 367 * 24 + 1), PauseRefusal.TOO_FAR),
    ],
)
def test_what_is_no_pause_is_refused_with_its_reason(new: PlannedPause, no: PauseRefusal | None) -> None:
    assert pause_refusal(new, [], NOW) is no


@pytest.mark.parametrize(
    ("start", "end", "where", "no"),
    [
        (2, 3, "front", None),
        (0, 1, "front", None),
        (0, 1.1, "front", PauseRefusal.OVERLAPS),
        (1.9, 3, "front", PauseRefusal.OVERLAPS),
        (1.2, 1.3, "front", PauseRefusal.OVERLAPS),
        (0, 3, "front", PauseRefusal.OVERLAPS),
        (0, 3, None, PauseRefusal.OVERLAPS),
        (0, 3, "garage", None),
    ],
)
def test_two_pauses_of_one_door_do_not_overlap(
    start: float, end: float, where: str | None, no: PauseRefusal | None
) -> None:
    assert pause_refusal(planned(start, end, where, "new"), [planned()], NOW) is no
    assert pause_refusal(planned(ident="new"), [planned(start, end, where)], NOW) is no


def test_while_the_time_is_not_certain_no_pause_can_be_planned() -> None:
    assert pause_refusal(planned(), [], replace(NOW, trusted=False)) is PauseRefusal.CLOCK_UNTRUSTED


def test_there_is_an_end_to_how_many_there_are() -> None:
    many = [planned(2 * n + 1, 2 * n + 2) for n in range(MAX_OPEN_PAUSES)]
    assert pause_refusal(planned(2 * MAX_OPEN_PAUSES + 1, 2 * MAX_OPEN_PAUSES + 2), many[1:], NOW) is None
    assert pause_refusal(planned(2 * MAX_OPEN_PAUSES + 1, 2 * MAX_OPEN_PAUSES + 2), many, NOW) is PauseRefusal.TOO_MANY
