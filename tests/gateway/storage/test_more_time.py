"""A courier comes after the window, and the household gives him half an hour, once."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.domain.delivery.features import Feature
from gateway.domain.delivery.promise import DeliveryResult, State, TimeAnswer, TimeRequest
from gateway.domain.delivery.promise_v2 import MessageV2
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit.commands import ReportParcelResult
from gateway.storage.more_time import GIVEN_TIME, MAX_LATENESS, AskTimeProblem, GiveTimeProblem
from gateway.storage.rows import ANSWER_TIME
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import entrance_state, make_step, open_store, receive
from tests.gateway.domain.delivery.shop import NOW, make_cancel, make_home, make_offer, make_update, make_window

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


def state_of(store: Store, now: Now) -> tuple[State | None, TimeAnswer | None]:
    result = store.deliveries.result("shop.d1", now)
    assert result is not None
    return result.state, result.more_time


async def ask_by_message(store: Store, now: Now, *, version: int = 1) -> DeliveryResult:
    """The brand's own signed message; the answer to it."""
    said = TimeRequest(id="d1", version=version, needs=(Feature.MORE_TIME,))
    return (await receive(store, said, now=now)).result


async def test_a_brand_asks_and_a_no_is_the_answer_to_every_later_question(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        answer = await ask_by_message(store, LATE)
        assert (answer.accepted, answer.version, answer.more_time) == (True, 1, TimeAnswer.ASKED)
        assert state_of(store, LATE) == (State.EXPIRED, TimeAnswer.ASKED)
        assert await store.more_time.refuse("shop.d1", LATE, by="p-anna") is None
        assert state_of(store, LATE) == (State.EXPIRED, TimeAnswer.REFUSED)
        assert await store.more_time.note_late("shop.d1", LATE) is None
        refused = await ask_by_message(store, later(LATE, timedelta(minutes=1)))
        assert (refused.accepted, refused.code, refused.version) == (False, "too_late", None)
        assert await store.more_time.give("shop.d1", LATE, by="p-anna") is GiveTimeProblem.NOBODY_WAITS
        assert refusal(store, LATE) is Refusal.EXPIRED, "nothing opens after a no"


async def test_a_new_version_of_the_order_may_ask_anew(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await ask_by_message(store, LATE)
        await store.more_time.refuse("shop.d1", LATE, by=None)
        longer = make_window(end=3.5)
        await receive(store, make_update(window=longer), now=LATE)
        assert (await ask_by_message(store, LATE)).code == "version_too_low"
        assert (await ask_by_message(store, LATE, version=2)).more_time is TimeAnswer.ASKED


async def test_half_an_hour_from_a_window_that_still_runs_counts_from_its_end(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert (await ask_by_message(store, NOW)).code == "too_late", "the window has not begun"
        soon = replace(NOW, utc=END - timedelta(minutes=10))
        assert (await ask_by_message(store, soon)).more_time is TimeAnswer.ASKED
        assert state_of(store, soon) == (State.WINDOW_OPEN, TimeAnswer.ASKED)
        assert await store.more_time.give("shop.d1", soon, by="p-anna") is None
        facts = store.deliveries.facts("shop.d1", soon)
        assert facts is not None
        assert facts.end == END + GIVEN_TIME


async def test_without_an_answer_the_question_is_over_after_half_an_hour_and_may_be_asked_again(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        assert state_of(store, LATE) == (State.EXPIRED, None)
        assert (await store.more_time.ask("shop.d1", LATE)) != AskTimeProblem.TOO_LATE
        row = later(LATE, ANSWER_TIME)
        assert state_of(store, row) == (State.EXPIRED, TimeAnswer.UNANSWERED)
        assert store.more_time.may_ask("shop.d1", row)
        assert not store.more_time.may_ask("shop.d1", later(LATE, MAX_LATENESS))


async def test_the_day_hours_of_the_permission_hold_for_the_question_too(tmp_path: Path) -> None:
    async with open_store(tmp_path, make_home(shop={"hours": "15:00-17:00"})) as store:
        await receive(store, make_offer())
        assert (await ask_by_message(store, LATE)).code == "outside_window"
        assert state_of(store, LATE) == (State.EXPIRED, None)


@pytest.mark.parametrize("needs", [None, [], ["more_time", "collect"], ["collect"]])
def test_a_request_that_does_not_name_its_feature_is_no_request(needs: list[str] | None) -> None:
    said = {"do": "more_time", "id": "d1", "version": 1} | ({} if needs is None else {"needs": needs})
    with pytest.raises(ValidationError):
        TypeAdapter(MessageV2).validate_python(said)
    assert isinstance(TypeAdapter(MessageV2).validate_python({**said, "needs": ("more_time",)}), TimeRequest)
