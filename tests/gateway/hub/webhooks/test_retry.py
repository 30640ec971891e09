from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hub.config import Webhooks
from gateway.hub.webhooks.retry import (
    MAX_EXCERPT_CHARS,
    WebhookResult,
    excerpt_of,
    is_given_up,
    parse_retry_after,
    result_of_status,
    retry_delay,
)

SETTINGS = settings(deadline=None)  # no test here asserts speed


@SETTINGS
@given(st.lists(st.floats(0, 1), min_size=11, max_size=11))
def test_a_message_is_tried_for_24_hours_at_least_whatever_chance_says(chances: list[float]) -> None:
    waits = [retry_delay(number, retry_after=None, chance=chance) for number, chance in enumerate(chances, start=1)]
    assert sum(waits, timedelta()) >= timedelta(hours=24)
    assert waits[0] <= timedelta(seconds=6), "a receiver that stumbled once has it soon"
    assert max(waits) <= timedelta(hours=9.6)


def test_a_message_is_given_up_after_its_tries_and_never_before_a_day() -> None:
    most = Webhooks().attempts
    assert not is_given_up(most - 1, timedelta(days=3), max_attempts=most)
    assert not is_given_up(most + 5, timedelta(hours=23), max_attempts=most)
    assert is_given_up(most, timedelta(hours=24), max_attempts=most)


def test_a_receiver_may_ask_for_peace_up_to_an_hour() -> None:
    assert retry_delay(1, retry_after=parse_retry_after("90"), chance=0) == timedelta(seconds=90)
    assert parse_retry_after("999999") == timedelta(hours=1)
    assert [
        parse_retry_after(odd) for odd in (None, "", "-5", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 5000, "\u0665")
    ] == [None] * 7


@SETTINGS
@given(st.binary(max_size=5000))
def test_whatever_a_stranger_answers_is_shown_as_one_short_inert_line(body: bytes) -> None:
    shown = excerpt_of(body)
    assert shown is None or (0 < len(shown) <= MAX_EXCERPT_CHARS and shown.isascii() and shown.isprintable())
    assert not set(shown or "") & set("<>&\"'`\\")


@SETTINGS
@given(st.integers(100, 999))
def test_only_2xx_is_a_yes(status: int) -> None:
    assert (result_of_status(status) is WebhookResult.TAKEN) is (status // 100 == 2)
    assert (result_of_status(status) is WebhookResult.GONE) is (status == 410)
