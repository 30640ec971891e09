from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hub.config import Webhooks
from gateway.hub.webhooks.retry import LONGEST_EXCERPT, Result, excerpt, judged, over, wait, wish

SETTINGS = settings(deadline=None)  # no test here asserts speed


@SETTINGS
@given(st.lists(st.floats(0, 1), min_size=11, max_size=11))
def test_a_message_is_tried_for_24_hours_at_least_whatever_chance_says(chances: list[float]) -> None:
    waits = [wait(number, asked=None, chance=chance) for number, chance in enumerate(chances, start=1)]
    assert sum(waits, timedelta()) >= timedelta(hours=24)
    assert waits[0] <= timedelta(seconds=6), "a receiver that stumbled once has it soon"
    assert max(waits) <= timedelta(hours=9.6)


@SETTINGS
@given(st.integers(1, 60), st.floats(0, 1))
def test_a_later_wait_is_not_shorter_but_for_chance(tries: int, chance: float) -> None:
    assert wait(tries + 1, asked=None, chance=0) >= wait(tries, asked=None, chance=0)
    assert wait(tries, asked=None, chance=chance) >= wait(tries, asked=None, chance=0)


def test_a_message_is_given_up_after_its_tries_and_never_before_a_day() -> None:
    most = Webhooks().attempts
    assert not over(most - 1, timedelta(days=3), most=most)
    assert not over(most + 5, timedelta(hours=23), most=most)
    assert over(most, timedelta(hours=24), most=most)


def test_a_receiver_may_ask_for_peace_up_to_an_hour() -> None:
    assert wait(1, asked=wish("90"), chance=0) == timedelta(seconds=90)
    assert wish("999999") == timedelta(hours=1)
    assert [wish(odd) for odd in (None, "", "-5", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 5000, "\u0665")] == [
        None
    ] * 7


@SETTINGS
@given(st.binary(max_size=5000))
def test_whatever_a_stranger_answers_is_shown_as_one_short_inert_line(body: bytes) -> None:
    shown = excerpt(body)
    assert shown is None or (0 < len(shown) <= LONGEST_EXCERPT and shown.isascii() and shown.isprintable())
    assert not set(shown or "") & set("<>&\"'`\\")


@SETTINGS
@given(st.integers(100, 999))
def test_only_2xx_is_a_yes(status: int) -> None:
    assert (judged(status) is Result.TAKEN) is (status // 100 == 2)
    assert (judged(status) is Result.GONE) is (status == 410)
