"""Which of what waits is told in one go, and in which words."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.runtime.notifications.batching import (
    GROUP_ABOVE_MESSAGES,
    MAX_LISTED_MESSAGES,
    group_messages,
    group_text,
    message_text,
)
from gateway.runtime.notifications.texts import ComposedMessage, message_facts
from gateway.system.i18n import Language
from tests.gateway.domain.delivery.shop import NOON, noon_plus

PARIS = ZoneInfo("Europe/Paris")
LOCKED = ComposedMessage(about=Notification.LOCKED_AGAIN, facts=message_facts(NOON, PARIS, trusted=True), at=NOON)


def waiting(number: int, about: Notification | AlarmCode = Notification.NOT_READY, ago: float = 0) -> ComposedMessage:
    return ComposedMessage(number=number, about=about, at=NOON - timedelta(seconds=ago))


def numbers(*all_of_it: ComposedMessage) -> list[tuple[int, ...]]:
    return [tuple(one.number for one in group) for group in group_messages(all_of_it, NOON)]


@pytest.mark.parametrize(
    ("seconds", "language", "said"),
    [
        (60, "en", "Locked again 14:00"),
        (61, "en", "Locked again 14:00 (late: this was so at 14:00)"),
        (61, "fr", "Reverrouillé à 14:00 (en retard : c'était à 14:00)"),
        (12 * 3600, "en", "Locked again 14:00 (late: this was so on Wed 10 Jun at 14:00)"),
        (12 * 3600, "fr", "Reverrouillé à 14:00 (en retard : c'était le mer. 10 juin à 14:00)"),
    ],
)
def test_what_is_told_more_than_a_minute_later_says_since_when(seconds: float, language: Language, said: str) -> None:
    assert message_text(LOCKED, utc=noon_plus(seconds=seconds).utc, language=language, zone=PARIS) == said


def test_three_that_wait_are_told_one_by_one_and_four_as_one() -> None:
    assert numbers(*(waiting(n) for n in range(1, GROUP_ABOVE_MESSAGES + 1))) == [(1,), (2,), (3,)]
    assert numbers(*(waiting(n) for n in range(1, GROUP_ABOVE_MESSAGES + 2))) == [(1, 2, 3, 4)]


def test_alarms_and_locked_again_are_never_told_with_others_for_a_day() -> None:
    many = [waiting(n, ago=300 + n) for n in range(1, 9)]
    alarms = [waiting(n, AlarmCode.SAFE_MODE, ago=n) for n in range(200, 260)]
    locked = waiting(300, Notification.LOCKED_AGAIN, ago=24 * 3600)
    told = numbers(*many, *alarms, locked)
    assert [group for group in told if len(group) > 1] == [tuple(range(8, 0, -1))]
    assert told[0] == (300,)
    assert told[-1] == tuple(range(8, 0, -1))


def test_after_a_day_alarms_are_told_together_and_none_is_dropped() -> None:
    old = [waiting(n, AlarmCode.NOT_LOCKED, ago=25 * 3600 - n) for n in range(1, 1500)]
    assert numbers(*old) == [tuple(range(1, 1500))]


def test_what_happens_now_is_told_before_what_is_late() -> None:
    assert numbers(
        waiting(1, AlarmCode.NOT_LOCKED, ago=3600), waiting(2, Notification.LOCKED_AGAIN, ago=1800), waiting(3, ago=1)
    ) == [(3,), (1,), (2,)]


@given(st.lists(st.tuples(st.sampled_from([*Notification, *AlarmCode]), st.floats(-1e6, 1e6)), max_size=30))
def test_whatever_waits_is_told_once(all_of_it: list[tuple[Notification | AlarmCode, float]]) -> None:
    told = numbers(*(waiting(n, about, ago) for n, (about, ago) in enumerate(all_of_it)))
    assert sorted(number for group in told for number in group) == list(range(len(all_of_it)))


@pytest.mark.parametrize(
    ("language", "waited"),
    [
        ("en", "7 other messages were waiting, the oldest at 13:50:"),
        ("fr", "7 autres messages attendaient, le plus ancien à 13:50 :"),
    ],
)
def test_several_as_one_begin_with_the_newest_and_tell_how_many_there_were(language: Language, waited: str) -> None:
    messages = [ComposedMessage(about=Notification.SET_ASIDE, facts={"detail": f"{n}"}, at=NOON) for n in range(1, 9)]
    messages[0] = replace(messages[0], at=NOON - timedelta(minutes=10))
    lines = group_text(messages, utc=NOON, language=language, zone=PARIS).splitlines()
    first, *others = (message.words(language) for message in messages[: -MAX_LISTED_MESSAGES - 2 : -1])
    assert lines == [first, waited, *(f"- {text}" for text in others), "- …"]
    assert len(others) == MAX_LISTED_MESSAGES
