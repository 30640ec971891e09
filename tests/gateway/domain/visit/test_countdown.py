"""How long each time lasts in all that a page shows as a ring: full when it begins, whatever the rules say."""

from collections.abc import Callable

import pytest

from gateway.domain.visit.countdown import full_length_s
from gateway.domain.visit.state import Timer
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, good_day, inside, unlocked


def rung() -> SimulatedHome:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    return house


def asked() -> SimulatedHome:
    house = good_day()
    announce_delivery(house, needs_yes=True)
    house.scan("d0-1")
    house.run(RINGING_S)
    return house


@pytest.mark.parametrize(
    ("story", "timer"),
    [(rung, Timer.RING), (asked, Timer.APPROVAL), (unlocked, Timer.NEVER), (inside, Timer.OPEN_LONG)],
    ids=["rings", "waits for a yes", "may go in", "is inside"],
)
def test_a_time_that_has_just_begun_is_whole_and_then_becomes_less(
    story: Callable[[], SimulatedHome], timer: Timer
) -> None:
    house = story()
    whole = full_length_s(house.stored, timer)
    assert whole is not None
    left = house.stored.timers[timer] - house.now().mono
    assert whole - 2 <= left <= whole
    house.run(3)
    assert full_length_s(house.stored, timer) == whole
    assert house.stored.timers[timer] - house.now().mono == pytest.approx(left - 3, abs=0.2)


def test_after_the_first_reminder_the_time_until_the_next_one_is_shown() -> None:
    house = inside()
    house.run(full_length_s(house.stored, Timer.OPEN_LONG) or 0.0)
    timing = house.stored.rules.timing
    assert full_length_s(house.stored, Timer.OPEN_LONG) == timing.open_again
    assert house.stored.timers[Timer.OPEN_LONG] - house.now().mono <= timing.open_again


def test_what_no_page_shows_has_no_length() -> None:
    assert full_length_s(rung().stored, Timer.BELL) is None
    assert full_length_s(good_day().stored, Timer.RING) is None
