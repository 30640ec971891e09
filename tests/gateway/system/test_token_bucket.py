from hypothesis import given
from hypothesis import strategies as st

from gateway.system.token_bucket import SlidingWindow, TokenBucket, TokenBuckets

PAUSES = st.lists(st.floats(0, 100), max_size=200)


@given(rate=st.floats(0.1, 50), burst=st.integers(1, 100), pauses=PAUSES)
def test_in_no_time_more_is_taken_than_the_burst_and_what_was_refilled_since(
    rate: float, burst: int, pauses: list[float]
) -> None:
    bucket, mono, taken = TokenBucket(rate, burst), 0.0, 0
    for pause in pauses:
        mono += pause
        taken += bucket.take(mono)
    assert taken <= burst + mono * rate + 1e-6


@given(rate=st.floats(0.1, 50), burst=st.integers(1, 100))
def test_whoever_keeps_to_the_rate_is_never_refused(rate: float, burst: int) -> None:
    bucket = TokenBucket(rate, burst)
    assert all(bucket.take(number * (1 / rate + 1e-6)) for number in range(300))


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    bucket = TokenBucket(1, 1)
    assert bucket.take(100)
    assert not bucket.take(50)
    assert bucket.take(101.0)


def test_one_key_takes_nothing_of_another_s_tokens_and_no_more_keys_are_remembered_than_allowed() -> None:
    buckets = TokenBuckets(1, 2, most_keys=2)
    assert [buckets.take("a", 0), buckets.take("a", 0), buckets.take("a", 0)] == [True, True, False]
    assert buckets.take("b", 0)
    assert not buckets.take("a", 0)
    assert buckets.take("c", 0)  # "b" was used longest ago
    assert not buckets.take("a", 0)
    assert [buckets.take("b", 0), buckets.take("b", 0)] == [True, True], "it was forgotten, and begins anew"


def test_a_window_admits_so_many_within_any_hour_and_no_more() -> None:
    window = SlidingWindow(2, 3600.0)
    assert [window.take(mono) for mono in (0.0, 1.0, 2.0, 3599.0)] == [True, True, False, False]
    assert [window.take(mono) for mono in (3600.0, 3600.0, 3601.0)] == [True, False, True]
