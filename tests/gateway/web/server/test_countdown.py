"""How long the owner's page says that a decision is possible."""

from gateway.domain.visit.state import Phase
from gateway.web.server.countdown import Countdown, answer_countdown
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, good_day, unlocked


def rung(*, needs_yes: bool) -> SimulatedHome:
    house = good_day()
    announce_delivery(house, needs_yes=needs_yes)
    house.scan("d0-1")
    house.run(1)
    return house


def shown(house: SimulatedHome) -> Countdown:
    countdown = answer_countdown(house.stored, house.now())
    assert countdown is not None
    assert countdown.start is not None
    return countdown


def test_an_asked_ringing_and_the_wait_for_the_yes_after_it_are_one_time() -> None:
    house = rung(needs_yes=True)
    timing, ringing = house.stored.rules.timing, shown(house)
    assert ringing.start is not None
    assert (ringing.end - ringing.start).total_seconds() == timing.ring + timing.approval
    house.run(RINGING_S)
    assert house.phase == Phase.APPROVING.value
    waiting = shown(house)
    assert abs((waiting.end - ringing.end).total_seconds()) < 1
    assert waiting.start is not None
    assert abs((waiting.start - ringing.start).total_seconds()) < 1


def test_a_ringing_that_opens_by_itself_is_shown_as_long_as_it_lasts() -> None:
    house = rung(needs_yes=False)
    ringing = shown(house)
    assert ringing.start is not None
    assert (ringing.end - ringing.start).total_seconds() == house.stored.rules.timing.ring


def test_after_the_unlock_there_is_nothing_to_decide() -> None:
    house = unlocked()
    assert answer_countdown(house.stored, house.now()) is None
