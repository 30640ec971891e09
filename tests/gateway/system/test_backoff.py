from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.system.backoff import Backoff, lengthened, shortened


def test_delays_double_up_to_the_longest() -> None:
    backoff = Backoff(0.5, 30.0)
    assert [backoff.delay_s(failures) for failures in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert backoff.delay_s(10**9) == 30.0


@given(st.integers(0, 100))
def test_the_next_delay_is_that_of_one_failure_more(failures: int) -> None:
    backoff = Backoff(0.2, 300.0)
    assert backoff.next_s(backoff.delay_s(failures)) == backoff.delay_s(failures + 1)


@pytest.mark.parametrize(("chance", "shorter", "longer"), [(0.0, 5.0, 10.0), (0.5, 7.5, 11.0), (1.0, 10.0, 12.0)])
def test_jitter_halves_at_most_or_adds_a_fifth_at_most(chance: float, shorter: float, longer: float) -> None:
    assert (shortened(10.0, chance), lengthened(10.0, chance)) == (shorter, longer)
    assert lengthened(timedelta(seconds=10), chance) == timedelta(seconds=longer)
