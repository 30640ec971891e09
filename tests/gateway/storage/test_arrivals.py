"""A courier says when he comes: the owner is told a few times at most, and nothing at the door depends on it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.domain.delivery.features import Feature
from gateway.domain.delivery.promise import Arrival
from gateway.domain.delivery.promise_v2 import MessageV2
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.storage.arrivals import MAX_NOTICES, MAX_TOLD, STALE_AFTER, ExpectedArrival
from gateway.storage.models import MessageAnswer
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import open_store, receive
from tests.gateway.domain.delivery.shop import NOW, make_cancel, make_offer, make_update, make_window

ETA = make_window().start + timedelta(minutes=20)
MINUTE = timedelta(minutes=1)


async def says(store: Store, now: Now = NOW, *, version: int = 1, **said: Any) -> MessageAnswer:  # noqa: ANN401 - any field
    notice = Arrival(id="d1", version=version, needs=(Feature.ARRIVAL,), **said)
    return await receive(store, notice, now=now)


async def test_the_owner_is_told_once_that_it_is_on_its_way_and_again_only_of_another_half_hour(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        before = store.deliveries.facts("shop.d1", NOW)
        answer = await says(store, on_the_way=True, eta=ETA)
        assert (answer.result.accepted, answer.result.version, answer.eta) == (True, 1, ETA)
        assert answer.arrival_message is not None
        told = [answer.arrival_message]
        for minute in range(1, MAX_NOTICES):
            at = replace(NOW, utc=NOW.utc + minute * MINUTE)
            answer = await says(store, at, eta=ETA + minute * 3 * MINUTE)
            assert answer.result.accepted, answer.result
            told += [] if answer.arrival_message is None else [answer.arrival_message]
        assert len(told) == 2, "of twenty messages a minute apart the owner is told two"
        newest = ETA + 3 * (MAX_NOTICES - 1) * MINUTE
        assert store.arrivals.expected("shop.d1", NOW) == ExpectedArrival(set_out=NOW.utc, eta=newest)
        answer = await says(store, eta=ETA)
        assert (answer.result.accepted, answer.result.code) == (False, "too_many")
        assert store.deliveries.facts("shop.d1", NOW) == before, "it decides nothing"
    async with open_store(tmp_path) as store:
        assert store.arrivals.expected("shop.d1", NOW) == ExpectedArrival(set_out=NOW.utc, eta=newest)
        assert store.arrivals.expected("shop.d1", replace(NOW, utc=newest + STALE_AFTER)) == ExpectedArrival(
            set_out=NOW.utc, eta=None
        )


async def test_the_owner_is_told_three_times_at_most_also_across_versions_of_the_order(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        answers = [await says(store, eta=ETA + shift * timedelta(hours=1)) for shift in range(4)]
        await receive(store, make_update())
        answers.append(await says(store, version=2, on_the_way=True))
        told = [answer for answer in answers if answer.arrival_message is not None]
        assert len(told) == MAX_TOLD


async def test_only_who_is_expected_may_say_that_he_comes(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert (await says(store, on_the_way=True)).result.code == "unknown_delivery"
        await receive(store, make_offer())
        await receive(store, make_update())
        refused = await says(store, version=1, on_the_way=True)
        assert (refused.result.code, refused.result.version) == ("version_too_low", None)
        over = replace(NOW, utc=make_window().end)
        assert (await says(store, over, version=2, on_the_way=True)).result.code == "too_late"
        await receive(store, make_cancel(version=3))
        assert (await says(store, version=3, on_the_way=True)).result.code == "too_late"
        assert store.arrivals.expected("shop.d1", NOW) is None


@pytest.mark.parametrize(
    "said",
    [{}, {"on_the_way": False}, {"on_the_way": True, "needs": []}, {"eta": datetime(2026, 6, 10, 15)}],  # noqa: DTZ001 - it has no offset
)
def test_a_notice_that_says_nothing_or_does_not_name_its_feature_is_none(said: dict[str, object]) -> None:
    plain = {"do": "arrival", "id": "d1", "version": 1, "needs": ("arrival",)}
    with pytest.raises(ValidationError):
        TypeAdapter(MessageV2).validate_python(plain | said)
    assert isinstance(TypeAdapter(MessageV2).validate_python({**plain, "on_the_way": True}), Arrival)
