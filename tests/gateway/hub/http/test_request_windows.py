"""How many requests a client may send, and how long it is told to wait."""

import pytest

from gateway.hub.http.request_windows import MINUTE, RequestLimit, RequestWindows


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def windows() -> tuple[Clock, RequestWindows]:
    clock = Clock()
    return clock, RequestWindows(clock)


def test_a_client_gets_its_limit_and_no_more_and_others_have_their_own() -> None:
    _, counted = windows()
    limit = RequestLimit(3, MINUTE)
    uses = [counted.take("writes", "ours", limit) for _ in range(5)]
    assert [use.is_granted for use in uses] == [True, True, True, False, False]
    assert [use.remaining for use in uses] == [2, 1, 0, 0, 0]
    assert counted.take("writes", "theirs", limit).is_granted
    assert counted.take("reads", "ours", limit).is_granted


@pytest.mark.parametrize(("amount", "seconds"), [(1, 1), (3, MINUTE), (20, 1), (7, 10), (1_000, MINUTE)])
def test_who_waits_as_long_as_it_was_told_is_let_in_and_a_second_earlier_not(amount: int, seconds: int) -> None:
    clock, counted = windows()
    limit = RequestLimit(amount, seconds)
    for _ in range(4):  # in several windows, so that the one before counts too
        while (use := counted.take("writes", "ours", limit)).is_granted:
            pass
        clock.now += use.seconds - 1.001
        assert use.seconds == 1 or not counted.take("writes", "ours", limit).is_granted
        clock.now += 1.001
        assert counted.take("writes", "ours", limit).is_granted


def test_a_client_that_goes_on_as_fast_as_it_may_gets_at_most_twice_its_limit_in_any_window() -> None:
    clock, counted = windows()
    limit, granted = RequestLimit(10, MINUTE), []
    for _ in range(3_000):
        if counted.take("writes", "ours", limit).is_granted:
            granted.append(clock.now)
        clock.now += 0.5
    assert len(granted) == pytest.approx(10 * 25, abs=12)
    assert max(sum(at <= one < at + MINUTE for one in granted) for at in granted) <= 15


def test_a_batch_that_is_larger_than_what_is_left_takes_nothing() -> None:
    _, counted = windows()
    limit = RequestLimit(5, MINUTE)
    assert counted.take("writes", "ours", limit, 3).remaining == 2
    assert not counted.take("writes", "ours", limit, 3).is_granted
    assert counted.take("writes", "ours", limit, 2).is_granted


@pytest.mark.parametrize("used", [3, 30, 60, 99])
@pytest.mark.parametrize("before", [0, 5, 80])
def test_a_batch_that_waits_as_long_as_it_was_told_is_let_in(before: int, used: int) -> None:
    clock, counted = windows()
    limit = RequestLimit(100, MINUTE)
    assert counted.take("writes", "ours", limit, before or 1).is_granted
    clock.now += MINUTE + 40
    counted.take("writes", "ours", limit, used)
    use = counted.take("writes", "ours", limit, 98)
    assert not use.is_granted
    clock.now += use.seconds - 1.001
    assert use.seconds == 1 or not counted.take("writes", "ours", limit, 98).is_granted
    clock.now += 1.001
    assert counted.take("writes", "ours", limit, 98).is_granted


def test_a_batch_that_is_larger_than_the_limit_itself_is_told_to_wait_for_a_whole_window() -> None:
    _, counted = windows()
    use = counted.take("writes", "ours", RequestLimit(50, MINUTE), 99)
    assert (use.is_granted, use.seconds) == (False, MINUTE)


def test_a_million_strangers_do_not_stay_in_memory() -> None:
    clock, counted = windows()
    for number in range(20_000):
        counted.take("strangers", f"stranger-{number}", RequestLimit(1, MINUTE))
        clock.now += 0.1
    assert len(counted) <= 2_500, "those of the last two minutes, and as many again"


def test_what_was_counted_while_the_clock_ran_ahead_does_not_count_until_then() -> None:
    clock, counted = windows()
    limit = RequestLimit(1, MINUTE)
    clock.now += 86_400
    assert counted.take("writes", "ours", limit).is_granted
    clock.now -= 0.5
    assert not counted.take("writes", "ours", limit).is_granted, "a small correction changes nothing"
    clock.now -= 86_400
    assert counted.take("writes", "ours", limit).is_granted
