"""The store, on a real file: a visit opens several closures, each by an intent of its own, and uses one opening."""

import sqlite3
from pathlib import Path

import pytest

from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit.commands import ConsumeOpening, ReserveOpening
from gateway.domain.visit.events import FactsChanged
from gateway.storage.models import StoredDecision
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    IN_WINDOW,
    commit_reservation,
    make_step,
    open_store,
    receive,
    reserve_step,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import make_offer


def next_intent(first: StoredDecision, closure: str = "flat", stage: int = 1) -> StoredDecision:
    """The visit's intent for its next closure, on the facts of its first one."""
    (reserve,) = first.commands
    assert isinstance(reserve, ReserveOpening)
    return make_step(first.state, replace(reserve, closure=closure, stage=stage))


async def begun(store: Store) -> StoredDecision:
    """A visit whose first closure was ordered open."""
    await receive(store, make_offer())
    first = reserve_step(visit_delivery(store))
    assert not isinstance(await store.commit(first), FactsChanged)
    return first


@pytest.mark.parametrize("is_consumed", [False, True])
async def test_the_next_closure_of_a_visit_needs_no_second_opening(tmp_path: Path, *, is_consumed: bool) -> None:
    async with open_store(tmp_path) as store:
        first = await begun(store)
        if is_consumed:
            await store.commit(make_step(first.state, ConsumeOpening(visit="v1", delivery="shop.d1")))
        assert not isinstance(await store.commit(next_intent(first)), FactsChanged)
        left = visit_delivery(store)
    assert (left.openings_left, left.withdrawals_left, left.refusal) == (0, 1, Refusal.ALREADY_USED)


async def test_each_closure_has_one_intent_and_never_a_second_one(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        first = await begun(store)
        await store.commit(next_intent(first))
        with pytest.raises(sqlite3.IntegrityError):
            await store.commit(next_intent(first))
        rows = [tuple(row) for row in store.deliveries.reader().execute("SELECT visit, closure, stage FROM opening")]
    assert sorted(rows) == [("v1", "door", 0), ("v1", "flat", 1)]


@pytest.mark.parametrize("why", ["revoked", "stopped"])
async def test_what_the_owner_decided_between_two_closures_rolls_the_next_intent_back(tmp_path: Path, why: str) -> None:
    async with open_store(tmp_path) as store:
        first = await begun(store)
        if why == "revoked":
            await store.brands.decide("shop", PermissionStatus.REVOKED, IN_WINDOW)
        else:
            await store.entrances.set_stop("front", IN_WINDOW, on=True)
        outcome = await store.commit(next_intent(first))
    assert isinstance(outcome, FactsChanged)
    assert outcome.stopped is (why == "stopped")
    assert outcome.delivery.refusal is (Refusal.BRAND_NOT_PERMITTED if why == "revoked" else None)


async def test_a_visit_of_another_scan_still_needs_an_opening(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await begun(store)
        assert isinstance(await commit_reservation(store, visit="v2"), FactsChanged)
