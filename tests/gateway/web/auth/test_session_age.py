"""The instant that never goes back: by it sessions and invitations grow old."""

from dataclasses import replace
from datetime import timedelta

from gateway.web.auth.session_age import EarliestClock
from tests.gateway.domain.delivery.shop import NOON, NOW, noon_plus

DAY = timedelta(days=1)
BEFORE = NOON - 3 * DAY


def test_it_follows_a_trusted_clock_and_goes_on_by_itself_where_there_is_none() -> None:
    reckoning = EarliestClock(BEFORE, NOW)
    assert reckoning.read(NOW) == NOON
    wrong = replace(noon_plus(hours=1), utc=BEFORE, trusted=False)
    assert reckoning.read(wrong) == NOON + timedelta(hours=1)
    assert reckoning.read(replace(wrong, utc=NOON + 99 * DAY)) == NOON + timedelta(hours=1)
    assert reckoning.read(noon_plus(hours=9)) == NOON + timedelta(hours=9)


def test_it_never_goes_back_not_even_for_a_trusted_clock_or_a_late_reading() -> None:
    reckoning = EarliestClock(BEFORE, noon_plus(hours=5))
    assert reckoning.read(noon_plus(hours=2)) == NOON + timedelta(hours=5)
    assert reckoning.read(replace(NOW, mono=noon_plus(hours=6).mono)) == NOON + timedelta(hours=6)


def test_without_trust_it_begins_at_the_latest_instant_that_is_certain() -> None:
    unsure = replace(NOW, trusted=False)
    reckoning = EarliestClock(BEFORE, unsure)
    assert reckoning.read(unsure) == BEFORE
    assert reckoning.latest(unsure, BEFORE) == NOON  # an older thing may be as old as the clock says
    assert reckoning.latest(unsure, BEFORE + timedelta(seconds=1)) == BEFORE
    back = replace(unsure, utc=BEFORE - DAY)
    assert reckoning.latest(back, BEFORE) == BEFORE
