"""Shared visits in the store: with what each ends, and that the hub is told of the link that went through it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.protocol.box_hub import BrowserStatus
from gateway.protocol.browser_envelope import Jwk, load_private_key
from gateway.storage.models import HouseOffer, SharedVisit
from gateway.storage.shares import MAX_SHARES, GuestBrowser
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import make_step, open_store
from tests.gateway.domain.delivery.shop import NOON, NOW, noon_plus
from tests.gateway.people import digest, invitation, newcomer, set_role, sign_in_entry
from tests.gateway.storage.test_browsers import heard
from tests.gateway.storage.test_hub_journal import HOME, Hub, signer, synced

SIGN = Jwk.of(load_private_key(bytes(31) + b"\x09").public_key())
VISIT = "incident-1"


def share(number: int = 1, *, by: str = "p-anna", days: int = 7) -> SharedVisit:
    return SharedVisit(
        id=f"share-{number}", secret=digest(str(number)), visit=VISIT, by=by, made=NOON,
        until=NOON + timedelta(days=days),
    )  # fmt: skip


def guest(number: int = 1, *, home: str = HOME) -> GuestBrowser:
    return GuestBrowser(
        id=f"brw-{number:032x}", share=f"share-{number}", home=home, sign=SIGN.model_dump_json(), secret=bytes(32),
        farewell=f"h..iv.{number}.tag",
    )  # fmt: skip


@asynccontextmanager
async def shared(folder: Path) -> AsyncIterator[Store]:
    """Anna and Bob own the house; Anna has shared a visit through the hub, and the hub knows of it."""
    async with open_store(folder) as store:
        register = store.accounts
        await register.set_claim_code(digest("code"), NOW)
        await register.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)
        await register.add_invitation(invitation("i"), NOW, lives=noon_plus(days=2).utc - NOON)
        await register.redeem_invitation(invitation("i"), newcomer("Bob", "household"), sign_in_entry("bob"), NOW)
        await set_role(register, "p-bob", "owner")
        await store.commit(make_step(Entrance(id="front", incident=VISIT), c.StartRecording(visit=VISIT)))
        await store.hub_journal.set_signer(signer(), NOW)
        assert await register.add_share(share(), NOW, guest=guest())
        yield store


async def stopped(store: Store) -> None:
    assert await store.accounts.end_share("share-1", NOW, by="p-bob")
    assert not await store.accounts.end_share("share-1", NOW, by="p-bob")


async def expired(store: Store) -> None:
    later = noon_plus(days=7)
    assert store.accounts.has_expired_shares(later.utc)
    await store.accounts.end_expired_shares(later)
    assert not store.accounts.has_expired_shares(later.utc)


async def erased(store: Store) -> None:
    assert await store.recordings.mark_erased(VISIT, "owner", NOW)


async def removed(store: Store) -> None:
    await store.accounts.remove_account("p-anna", NOW, by="p-bob")


async def rolled_back(store: Store) -> None:
    await store.browsers.end_all()


async def handed_over(store: Store) -> None:
    offer = HouseOffer(id="o", secret=digest("o"), by="p-anna", made=NOON, leaves_films=True)
    await store.handover.set_offer(offer, NOW)
    await store.handover.accept_offer(offer, newcomer("Clara"), sign_in_entry("clara"), NOW)


async def test_the_hub_is_told_the_key_of_a_link_and_not_what_it_shows(tmp_path: Path) -> None:
    hub = Hub()
    async with shared(tmp_path) as store:
        await synced(store, hub)
        assert store.browsers.guest(guest().id) == guest()
        assert store.browsers.browser(guest().id) is None, "it is nobody's browser"
    (said,) = (one.browser for one in hub.events if one.browser is not None)
    assert said == BrowserStatus(browser=guest().id, sign=SIGN, ended=False)
    assert not any(VISIT.encode() in token for token in hub.tokens)


@pytest.mark.parametrize("end", [stopped, expired, erased, removed, rolled_back, handed_over])
async def test_a_link_ends_with_what_it_rested_on_and_the_hub_is_told(
    tmp_path: Path, end: Callable[[Store], Awaitable[None]]
) -> None:
    hub = Hub()
    async with shared(tmp_path) as store:
        await synced(store, hub)
        assert heard(hub) == {"1": True}
        await end(store)
        assert store.browsers.guest(guest().id) is None
        assert store.accounts.active_shares(NOW.utc) == ()
        await synced(store, hub)
    assert heard(hub) == {"1": False}
    assert [one.browser.farewell for one in hub.events if one.browser is not None] == [None, "h..iv.1.tag"]


async def test_a_link_through_the_hub_ends_when_the_house_joins_as_another_home(tmp_path: Path) -> None:
    async with shared(tmp_path) as store:
        assert await store.accounts.add_share(share(2), NOW)
        await store.hub_journal.set_signer(signer(name="home-2"), NOW)
        assert store.browsers.guest(guest().id) is None
        assert [one.id for one in store.accounts.active_shares(NOW.utc)] == ["share-2"], "the other leads to the box"


async def test_so_many_visits_are_shared_and_no_more_until_one_is_over(tmp_path: Path) -> None:
    async with shared(tmp_path) as store:
        for number in range(2, MAX_SHARES + 1):
            assert await store.accounts.add_share(share(number), NOW, guest=guest(number))
        one_more = MAX_SHARES + 1
        assert not await store.accounts.add_share(share(one_more), NOW, guest=guest(one_more))
        assert store.browsers.guest(guest(one_more).id) is None
        assert len(store.accounts.active_shares(NOW.utc)) == MAX_SHARES
        assert await store.accounts.add_share(share(one_more, days=30), noon_plus(days=8), guest=guest(one_more))
