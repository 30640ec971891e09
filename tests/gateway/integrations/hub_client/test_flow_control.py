from hypothesis import given
from hypothesis import strategies as st

from gateway.integrations.hub_client.flow_control import (
    CHECK_INTERVAL_S,
    EVENT_BACKOFF,
    HELLOS_BEFORE_RECONNECT,
    SendWindow,
)


def test_nothing_is_sent_before_the_hub_has_said_what_it_has() -> None:
    sending = SendWindow(sent_seq=40, is_hello_acknowledged=True)
    sending.on_hello_sent(100.0)
    assert (sending.sent_seq, sending.is_hello_acknowledged, sending.retry_at_mono) == (
        0,
        False,
        100.0 + EVENT_BACKOFF.first_s,
    )
    sending.on_ack(30, 101.0)
    assert (sending.sent_seq, sending.is_hello_acknowledged, sending.retry_at_mono) == (
        30,
        True,
        101.0 + EVENT_BACKOFF.first_s,
    )


@given(st.integers(0, 10_000))
def test_a_hub_that_says_nothing_is_asked_ever_more_seldom_and_never_not_at_all(silences: int) -> None:
    sending = SendWindow()
    for _ in range(silences):
        sending.on_timeout()
    assert EVENT_BACKOFF.first_s <= sending.retry_delay_s <= EVENT_BACKOFF.max_s
    sending.on_ack(0, 0.0)
    assert sending.retry_delay_s == EVENT_BACKOFF.first_s


def test_every_third_hello_without_an_answer_makes_the_line_anew_and_a_quiet_hub_is_asked_now_and_then() -> None:
    sending = SendWindow()
    assert [sending.on_timeout() for _ in range(2 * HELLOS_BEFORE_RECONNECT)] == [False, False, True] * 2
    sending.on_ack(0, 100.0)
    assert sending.check_at_mono == 100.0 + CHECK_INTERVAL_S
    assert not sending.on_timeout()


def test_the_hello_to_a_quiet_hub_is_sent_once_and_waits_for_its_answer() -> None:
    sending = SendWindow()
    sending.on_ack(7, 0.0)
    quiet = sending.check_at_mono
    sending.on_hello_sent(quiet)
    assert min(sending.check_at_mono, sending.retry_at_mono) == quiet + EVENT_BACKOFF.first_s
    sending.on_ack(7, quiet + 0.1)
    assert sending.check_at_mono == quiet + 0.1 + CHECK_INTERVAL_S
