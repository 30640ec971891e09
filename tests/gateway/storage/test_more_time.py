"""A courier comes after the window, and the household gives him half an hour, once."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit.commands import ReportParcelResult
from gateway.storage import Store
from gateway.storage.more_time import ANSWER_TIME, GIVEN_TIME, MAX_LATENESS, GiveTimeProblem
from tests.gateway.domain.delivery.house import entrance_state, make_step, open_store, receive
from tests.gateway.domain.delivery.shop import NOW, make_cancel, make_offer, make_update, make_window

END = make_window().end
LATE = replace(NOW, utc=END + timedelta(minutes=10))


def later(now: Now, by: timedelta) -> Now:
    return replace(now, utc=now.utc + by)


def refusal(store: Store, now: Now) -> Refusal | None:
    facts = store.deliveries.facts("shop.d1", now)
    assert facts is not None
    return facts.refusal


async def test_once_somebody_says_yes_the_courier_may_come_in_for_half_an_hour(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert refusal(store, LATE) is Refusal.EXPIRED
        assert await store.more_time.note_late("shop.d1", LATE) is not None
        assert store.more_time.is_asked("shop.d1", LATE)
        assert refusal(store, LATE) is Refusal.EXPIRED, "the question alone opens nothing"
        answered = later(LATE, timedelta(minutes=5))
        assert await store.more_time.give("shop.d1", answered, by="p-anna") is None
    async with open_store(tmp_path) as store:
        facts = store.deliveries.facts("shop.d1", answered)
        assert facts is not None
        assert (facts.refusal, facts.end) == (None, answered.utc + GIVEN_TIME)
        result = store.deliveries.result("shop.d1", answered)
        assert result is not None
        assert result.state is State.WINDOW_OPEN
        over = later(answered, GIVEN_TIME)
        assert refusal(store, over) is Refusal.EXPIRED
        assert await store.more_time.note_late("shop.d1", over) is None, "time is given once"
        assert await store.more_time.give("shop.d1", over, by="p-anna") is GiveTimeProblem.NOBODY_WAITS


async def test_without_a_question_or_after_it_is_old_nobody_gives_time(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert await store.more_time.give("shop.d1", LATE, by=None) is GiveTimeProblem.NOBODY_WAITS
        await store.more_time.note_late("shop.d1", LATE)
        old = later(LATE, ANSWER_TIME)
        assert not store.more_time.is_asked("shop.d1", old)
        assert await store.more_time.give("shop.d1", old, by=None) is GiveTimeProblem.NOBODY_WAITS


async def test_the_household_is_asked_once_however_often_he_scans(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        asked = [await store.more_time.note_late("shop.d1", later(LATE, timedelta(minutes=n))) for n in range(5)]
        assert [number is not None for number in asked] == [True, False, False, False, False]


async def test_nobody_is_asked_about_a_delivery_that_another_rule_refuses(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert await store.more_time.note_late("shop.d1", LATE) is None
        await receive(store, make_offer())
        assert await store.more_time.note_late("shop.d1", NOW) is None, "its window is not over"
        assert await store.more_time.note_late("shop.d1", later(LATE, MAX_LATENESS)) is None
        assert await store.more_time.note_late("shop.d1", replace(LATE, trusted=False)) is None
        await receive(store, make_cancel())
        assert await store.more_time.note_late("shop.d1", LATE) is None


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_nobody_is_asked_about_a_delivery_that_has_a_result(tmp_path: Path, outcome: Outcome) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        told = ReportParcelResult(visit="v1", delivery="shop.d1", outcome=outcome)
        await store.commit(make_step(entrance_state(), told))
        assert await store.more_time.note_late("shop.d1", LATE) is None


async def test_a_new_version_of_the_order_has_its_own_window_again(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await store.more_time.note_late("shop.d1", LATE)
        assert await store.more_time.give("shop.d1", LATE, by=None) is None
        await receive(store, make_update(), now=LATE)
        facts = store.deliveries.facts("shop.d1", LATE)
        assert facts is not None
        assert facts.end in {END, LATE.utc + GIVEN_TIME}
