from hypothesis import given
from hypothesis import strategies as st

from gateway.integrations.hub_client.flow_control import (
    CHECK_INTERVAL_S,
    FIRST_RETRY_DELAY_S,
    HELLOS_BEFORE_RECONNECT,
    MAX_RETRY_DELAY_S,
    SendWindow,
)


def test_nothing_is_sent_before_the_hub_has_said_what_it_has() -> None:
    sending = SendWindow(sent=40, acknowledged=True)
    sending.began(100.0)
    assert (sending.sent, sending.acknowledged, sending.again) == (0, False, 100.0 + FIRST_RETRY_DELAY_S)
    sending.heard(30, 101.0)
    assert (sending.sent, sending.acknowledged, sending.again) == (30, True, 101.0 + FIRST_RETRY_DELAY_S)


@given(st.integers(0, 10_000))
def test_a_hub_that_says_nothing_is_asked_ever_more_seldom_and_never_not_at_all(silences: int) -> None:
    sending = SendWindow()
    for _ in range(silences):
        sending.silent()
    assert FIRST_RETRY_DELAY_S <= sending.patience <= MAX_RETRY_DELAY_S
    sending.heard(0, 0.0)
    assert sending.patience == FIRST_RETRY_DELAY_S


def test_every_third_hello_without_an_answer_makes_the_line_anew_and_a_quiet_hub_is_asked_now_and_then() -> None:
    sending = SendWindow()
    assert [sending.silent() for _ in range(2 * HELLOS_BEFORE_RECONNECT)] == [False, False, True] * 2
    sending.heard(0, 100.0)
    assert sending.check == 100.0 + CHECK_INTERVAL_S
    assert not sending.silent()
