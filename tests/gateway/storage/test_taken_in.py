"""Somebody of the household opens to the courier, and says afterwards that the parcel was taken in."""

from pathlib import Path

import pytest

from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import Outcome
from gateway.domain.visit.commands import ReportParcelResult
from gateway.storage.deliveries import TakeInProblem
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import IN_WINDOW, entrance_state, make_step, open_store, receive
from tests.gateway.domain.delivery.shop import make_offer, make_offer_v2


async def ends(store: Store, outcome: Outcome) -> None:
    """A visit of the delivery ends so."""
    told = ReportParcelResult(visit="v1", delivery="shop.d1", outcome=outcome)
    await store.commit(make_step(entrance_state(), told))


async def test_it_is_delivered_into_the_household_s_hands_once_somebody_says_so(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await ends(store, Outcome.ATTENDED)
        result = store.deliveries.result("shop.d1", IN_WINDOW)
        assert result is not None
        assert (result.state, result.reason, result.custody) == (State.NOT_DELIVERED, "attended", None)
        assert await store.deliveries.take_in("shop.d1", IN_WINDOW, by="p-anna") is None
        assert await store.deliveries.take_in("shop.d1", IN_WINDOW, by="p-anna") is TakeInProblem.NOT_ATTENDED
    async with open_store(tmp_path) as store:
        result = store.deliveries.result("shop.d1", IN_WINDOW)
        assert result is not None
        assert (result.state, result.reason, result.custody) == (State.DELIVERED, None, "household")
        assert [one.delivery for one in store.deliveries.changed_results(IN_WINDOW)] == ["d1"], "its retailer is told"


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.ATTENDED])
async def test_no_other_end_is_changed_by_somebody_s_word(tmp_path: Path, outcome: Outcome) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await ends(store, outcome)
        before = store.deliveries.result("shop.d1", IN_WINDOW)
        assert await store.deliveries.take_in("shop.d1", IN_WINDOW, by=None) is TakeInProblem.NOT_ATTENDED
        assert store.deliveries.result("shop.d1", IN_WINDOW) == before


async def test_a_delivery_that_did_not_come_or_that_only_collects_is_not_taken_in(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert await store.deliveries.take_in("shop.d1", IN_WINDOW, by=None) is TakeInProblem.UNKNOWN_DELIVERY
        await receive(store, make_offer_v2(parcels=(), collect=("R-1",)))
        assert await store.deliveries.take_in("shop.d1", IN_WINDOW, by=None) is TakeInProblem.NOT_ATTENDED
        await ends(store, Outcome.ATTENDED)
        assert await store.deliveries.take_in("shop.d1", IN_WINDOW, by=None) is TakeInProblem.NOT_ATTENDED
