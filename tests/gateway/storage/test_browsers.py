"""Enrolled browsers in the store: with what each ends, what the hub is told of it, and each order's number once."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.protocol.box_hub import BrowserStatus
from gateway.protocol.browser_envelope import Jwk, load_private_key, private_scalar
from gateway.storage.browsers import EnrolledBrowser, StoredOrder
from gateway.storage.models import AccountHolder, HouseOffer, StoreFailed
from gateway.storage.snapshot import write_snapshot
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import open_store
from tests.gateway.domain.delivery.shop import NOON, NOW, noon_plus
from tests.gateway.people import digest, invitation, newcomer, set_role, sign_in_entry
from tests.gateway.storage.test_hub_journal import HOME, Hub, signer, synced
from tests.smalldisk import fill, small_disk

OWN = load_private_key(bytes(31) + b"\x07")
SIGN = Jwk.of(OWN.public_key())


def browser(number: int = 1, *, device: str = "anna", person: str = "Anna", home: str = HOME) -> EnrolledBrowser:
    who = AccountHolder(id=f"p-{person.casefold()}", name=person, role="owner", added=NOON)
    return EnrolledBrowser(
        id=f"brw-{number:032x}", device=device, person=who, home=home, label=f"phone {number}",
        sign=SIGN.model_dump_json(), agree=SIGN.model_dump_json(), own=private_scalar(OWN), since=NOON,
        farewell=f"h..iv.{number}.tag",
    )  # fmt: skip


@asynccontextmanager
async def inhabited(folder: Path) -> AsyncIterator[Store]:
    """Anna owns the house, signed in on two devices; Bob lives there too. One of her browsers is enrolled, and his."""
    async with open_store(folder) as store:
        register = store.accounts
        await register.set_claim_code(digest("code"), NOW)
        await register.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)
        await register.sign_in("p-anna", newcomer("Anna").password, sign_in_entry("anna-2"))
        await register.add_invitation(invitation("i"), NOW, lives=noon_plus(days=2).utc - NOON)
        await register.redeem_invitation(invitation("i"), newcomer("Bob", "household"), sign_in_entry("bob"), NOW)
        await store.hub_journal.set_signer(signer(), NOW)
        assert await store.browsers.enrol(browser(1), NOW)
        assert await store.browsers.enrol(browser(2, device="bob", person="Bob"), NOW)
        yield store


def heard(hub: Hub) -> dict[str, bool]:
    """Which browsers a hub that has heard all of it lets speak."""
    found: dict[str, bool] = {}
    for one in hub.events:
        if one.browser is not None:
            found[one.browser.browser[-1]] = not one.browser.ended
    return found


async def test_a_browser_is_kept_with_its_person_as_he_is_now_and_the_hub_is_told_its_key_alone(tmp_path: Path) -> None:
    hub = Hub()
    async with inhabited(tmp_path) as store:
        await synced(store, hub)
        kept = store.browsers.browser(browser(1).id)
        assert kept is not None
        assert (kept.person.name, kept.own, kept.number) == ("Anna", private_scalar(OWN), 0)
        await set_role(store.accounts, "p-bob", "owner")
        assert [one.person.role for one in store.browsers.browsers()] == ["owner", "owner"]
        assert [one.id for one in store.browsers.browsers("p-bob")] == [browser(2).id]
    said = [one.browser for one in hub.events if one.browser is not None]
    assert said[0] == BrowserStatus(browser=browser(1).id, sign=SIGN, ended=False)
    assert not any(b"Anna" in token or b"phone" in token for token in hub.tokens)


async def test_on_one_device_one_browser_counts_and_a_device_that_is_gone_enrols_none(tmp_path: Path) -> None:
    hub = Hub()
    async with inhabited(tmp_path) as store:
        await synced(store, hub)
        assert await store.browsers.enrol(browser(3), NOW)
        assert not await store.browsers.enrol(browser(4, device="nobody"), NOW)
        assert not await store.browsers.enrol(browser(4, device="bob"), NOW), "another's device"
        await synced(store, hub)
    assert heard(hub) == {"1": False, "2": True, "3": True}
    told = [one.browser.farewell for one in hub.events if one.browser is not None]
    assert told == [None, None, "h..iv.1.tag", None], "the box's last word goes with the end, and not before"


async def ended(store: Store) -> None:
    assert await store.browsers.end(browser(1).id, NOW, by="p-bob")
    assert not await store.browsers.end(browser(1).id, NOW, by="p-bob")


async def signed_out(store: Store) -> None:
    await store.accounts.end_session("s-anna")


async def password_changed(store: Store) -> None:
    await store.accounts.set_password("p-anna", "$argon2id$other", NOW, device="anna-2")


async def removed(store: Store) -> None:
    await set_role(store.accounts, "p-bob", "owner")
    await store.accounts.remove_account("p-anna", NOW, by="p-bob")


async def forgotten(store: Store) -> None:
    await store.accounts.expire_sessions(
        noon_plus(days=401).utc, idle=noon_plus(days=1).utc - NOON, oldest=noon_plus(days=1).utc - NOON,
        known=noon_plus(days=400).utc - NOON,
    )  # fmt: skip


async def handed_over(store: Store) -> None:
    offer = HouseOffer(id="o", secret=digest("o"), by="p-anna", made=NOON, leaves_films=True)
    await store.handover.set_offer(offer, NOW)
    await store.handover.accept_offer(offer, newcomer("Clara"), sign_in_entry("clara"), NOW)


@pytest.mark.parametrize("end", [
    ended, signed_out, password_changed, removed, forgotten, handed_over,
])  # fmt: skip
async def test_a_browser_ends_with_what_it_rested_on_and_the_hub_is_told(
    tmp_path: Path, end: Callable[[Store], Awaitable[None]]
) -> None:
    hub = Hub()
    async with inhabited(tmp_path) as store:
        await synced(store, hub)
        assert await store.browsers.add_order(browser(1).id, 1, b"order", NOW) is not None
        await end(store)
        assert store.browsers.browser(browser(1).id) is None
        assert store.browsers.unfinished_orders() == (), "what it had ordered is not done any more"
        assert await store.browsers.add_order(browser(1).id, 2, b"another", NOW) is None
        assert store.hub_journal.has_due_events(NOW)
        await synced(store, hub)
    everybody = end in (handed_over, forgotten)
    assert heard(hub) == {"1": False, "2": not everybody}


async def test_what_leaves_the_other_browsers_alone(tmp_path: Path) -> None:
    async with inhabited(tmp_path) as store:
        await store.accounts.set_password("p-anna", "$argon2id$other", NOW, device="anna")
        await store.accounts.remove_account("p-bob", NOW, by="p-anna")
        assert [one.id for one in store.browsers.browsers()] == [browser(1).id]


async def test_another_home_at_a_hub_is_another_house_no_browser_of_the_old_one_counts(tmp_path: Path) -> None:
    async with inhabited(tmp_path) as store:
        await store.hub_journal.set_signer(signer(name="home-2"), NOW)
        assert store.browsers.browsers() == ()
        assert not store.hub_journal.has_due_events(NOW)


async def test_a_hub_that_was_put_back_is_told_again_who_counts_and_who_has_ended(tmp_path: Path) -> None:
    hub = Hub()
    async with inhabited(tmp_path) as store:
        await synced(store, hub)
        before = len(hub.tokens)
        await ended(store)
        await synced(store, hub)
        del hub.tokens[before:]  # it has forgotten the end
        assert heard(hub) == {"1": True, "2": True}
        for later in (NOW, noon_plus(minutes=1)):
            await store.hub_journal.acknowledge(hub.ack, later)
            await synced(store, hub, later)
    assert heard(hub) == {"1": False, "2": True}


# ---- orders ---------------------------------------------------------------------------------------------------------


async def test_each_number_is_taken_once_and_rises(tmp_path: Path) -> None:
    async with inhabited(tmp_path) as store:
        first = await store.browsers.add_order(browser(1).id, 5, b"five", NOW)
        assert first is not None
        assert (first.state, first.signed) == ("kept", b"five")
        assert await store.browsers.add_order(browser(1).id, 5, b"five", noon_plus(minutes=1)) == first, "sent again"
        assert await store.browsers.add_order(browser(1).id, 5, b"other", NOW) is None
        assert await store.browsers.add_order(browser(1).id, 4, b"four", NOW) is None
        assert await store.browsers.add_order(browser(2).id, 4, b"four", NOW) is not None, (
            "another browser counts by itself"
        )
        assert await store.browsers.add_order(browser(1).id, 9, b"nine", NOW) is not None
        kept = store.browsers.browser(browser(1).id)
        assert kept is not None
        assert kept.number == 9


async def test_an_order_is_in_the_log_as_it_was_signed_and_so_is_what_became_of_it(tmp_path: Path) -> None:
    async with inhabited(tmp_path) as store:
        one = await store.browsers.add_order(browser(1).id, 1, b"a.b.c", NOW)
        assert one is not None
        assert store.browsers.unfinished_orders() == (one,)
        await store.browsers.finish_order(one, "not_here", NOW)
        await store.browsers.finish_order(one, None, NOW)  # it had ended: nothing changes
        assert store.browsers.unfinished_orders() == ()
        (shown,) = store.browsers.orders(browser(1).id, at_most=20)
        assert (shown.state, shown.why) == ("failed", "not_here")
        assert store.browsers.order(browser(1).id, 1) == replace(one, state="failed", why="not_here")
        bodies = [entry.body for entry in store.log.entries() if isinstance(entry.body, bytes)]
        assert sum(b'"signed":"a.b.c"' in body for body in bodies) == 1
        assert sum(b'"kind":"order_ended"' in body for body in bodies) == 1


async def test_only_the_newest_orders_are_remembered_but_what_is_to_be_done_stays(tmp_path: Path) -> None:
    async with inhabited(tmp_path) as store:
        waits = await store.browsers.add_order(browser(1).id, 1, b"1", NOW)
        for number in range(2, 120):
            one = await store.browsers.add_order(browser(1).id, number, b"%d" % number, NOW)
            assert one is not None
            await store.browsers.finish_order(one, None, NOW)
        assert store.browsers.unfinished_orders() == (waits,)
        assert len(store.browsers.orders(browser(1).id, at_most=1000)) == 51


async def test_whatever_comes_in_whatever_order_no_number_is_taken_twice_and_none_after_a_later_one(
    tmp_path: Path,
) -> None:
    chance = random.Random(7)
    async with inhabited(tmp_path) as store:
        taken: list[StoredOrder] = []
        for _ in range(200):
            number, text = chance.randrange(1, 60), b"%d" % chance.randrange(3)
            top = max((one.number for one in taken), default=0)
            one = await store.browsers.add_order(browser(1).id, number, text, NOW)
            if one is not None and one not in taken:
                assert number > top
                taken.append(one)
            elif one is None:
                assert number <= top
        assert len({one.number for one in taken}) == len(taken)


async def test_a_box_whose_store_was_rolled_back_forgets_its_browsers_and_the_hub_is_told(tmp_path: Path) -> None:
    hub = Hub()
    async with inhabited(tmp_path) as store:
        await synced(store, hub)
        await store.browsers.end_all()
        assert store.browsers.browsers() == ()
        await synced(store, hub)
    assert heard(hub) == {"1": False, "2": False}


async def test_where_the_disk_does_not_take_it_that_all_end_none_counts_until_it_has(tmp_path: Path) -> None:
    hub = Hub()
    with small_disk(tmp_path / "box", "8m") as disk:
        async with inhabited(disk) as store:
            await synced(store, hub)
            ballast = fill(disk)
            with pytest.raises(StoreFailed):
                await store.browsers.end_all()
            assert (store.browsers.browser(browser(1).id), store.browsers.browsers()) == (None, ())
            with pytest.raises(StoreFailed):
                await store.browsers.enrol(browser(3), NOW)
            ballast.unlink()
            assert await store.browsers.enrol(browser(3), NOW), "what is enrolled now ends the others first"
            assert [one.id for one in store.browsers.browsers()] == [browser(3).id]
            await store.browsers.finish_ending()
            assert [one.id for one in store.browsers.browsers()] == [browser(3).id]
            await synced(store, hub)
    assert heard(hub) == {"1": False, "2": False, "3": True}


async def test_a_box_that_is_put_back_from_a_backup_has_no_browsers(tmp_path: Path) -> None:
    """What they ordered since is not known there: a hub could play it again."""
    async with inhabited(tmp_path) as store:
        await asyncio.to_thread(write_snapshot, tmp_path / "perron.sqlite", tmp_path / "copy.sqlite", NOW)
        assert len(store.browsers.browsers()) == 2
    (tmp_path / "later").mkdir()
    (tmp_path / "copy.sqlite").rename(tmp_path / "later" / "perron.sqlite")
    async with open_store(tmp_path / "later") as store:
        assert store.browsers.browsers() == ()
        assert store.browsers.unfinished_orders() == ()
