"""The store when a house changes hands: whatever was looked at before, the one transaction decides."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.guests.passes import Pass, PassState, Stay
from gateway.domain.guests.provisioning import CodeState, PassCode
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.hash_chain import find_break
from gateway.storage.handover import TASK_LEAVE_HUB
from gateway.storage.hub_journal import EventSigner
from gateway.storage.keepers import KeeperLink
from gateway.storage.models import AccountResult, HouseOffer, RecoveryCodeUse
from gateway.storage.receivers import ReceiverLink, ReceiverSession
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import IN_WINDOW, commit_reservation, make_step, open_store, receive
from tests.gateway.domain.delivery.shop import NOON, NOW, make_claims, make_offer, sign_claims
from tests.gateway.people import digest, invitation, newcomer, sign_in_entry
from tests.shell.keepers import give_code, scanned

OFFER = HouseOffer(id="o", secret=digest("o"), by="p-anna", made=NOON, leaves_films=False)


async def offered(store: Store) -> None:
    """Anna owns the house and offers it."""
    await store.accounts.set_claim_code(digest("code"), NOW)
    await store.accounts.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)
    await store.handover.set_offer(OFFER, NOW)


async def take(store: Store, what: HouseOffer = OFFER) -> AccountResult:
    return await store.handover.accept_offer(what, newcomer("Clara"), sign_in_entry("clara"), NOW)


async def test_what_was_withdrawn_between_a_look_and_a_press_is_not_taken(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await offered(store)
        assert await store.handover.withdraw_offer(NOW, by="p-anna") is AccountResult.DONE
        assert await take(store) is AccountResult.INVITATION_GONE
        assert store.accounts.open_invitations(NOON, lives=timedelta(days=1)) == ()
        assert [one.name for one in store.accounts.all_people()] == ["Anna"]


async def test_an_offer_that_was_made_anew_voids_the_one_before(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await offered(store)
        await store.handover.set_offer(replace(OFFER, id="newer"), NOW)
        assert await take(store) is AccountResult.INVITATION_GONE
        assert await take(store, replace(OFFER, id="newer")) is AccountResult.DONE


async def test_the_former_household_s_keepers_and_receivers_stay_outside(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await offered(store)
        await give_code(store, 1)
        link = KeeperLink(id="l", secret=b"x", keeper="claire", by="p-anna", made=NOON)
        assert await store.keepers.add_link(link, NOW, lives=timedelta(days=2))
        invited = ReceiverLink(id="r", secret=b"y", reception="desk", receiver="marc", by="p-anna", made=NOON)
        await store.receivers.add_link(invited, NOW, lives=timedelta(days=2))
        phone = ReceiverSession(
            id="s", secret=b"z", reception="desk", receiver="marc", browser=None, began=NOON, seen=NOON
        )
        assert await store.receivers.redeem_link("r", phone, NOW, most=3)
        assert await take(store) is AccountResult.DONE
        assert store.keepers.find(scanned(1)) is None
        assert store.keepers.link("l") is None
        assert store.receivers.session("s") is None


async def test_the_former_household_s_guests_stay_outside_and_their_codes_leave_the_keypads(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await offered(store)
        held = Pass(
            id="p1", version=1, guest="Bert", entrances=frozenset({"front"}), starts=NOON, ends=NOON + timedelta(days=3)
        )
        gone = replace(held, id="p2")
        for one in (held, gone):
            assert await store.guests.add_pass(one, one.id, NOW, by="p-anna") is None
        code = PassCode(id="c1", held="p1", keypad="pad", name="c1", pin="481516", starts=NOON, ends=held.ends)
        await store.guests.add_code(replace(code, state=CodeState.PROVEN), NOW)
        await store.guests.add_stay(Stay(id="s1", guest="Bert", starts=NOON, ends=held.ends), NOW, by="p-anna")
        assert await take(store) is AccountResult.DONE
        (left,) = store.guests.passes()
        assert (left.id, left.state, left.guest) == ("p1", PassState.REVOKED, "-")
        assert [one.state for one in store.guests.live_codes()] == [CodeState.WITHDRAWING]
        assert store.guests.stays() == ()


@pytest.mark.parametrize("how", ["changed", "recovered"])
async def test_a_new_password_voids_what_was_offered_under_the_old_one(tmp_path: Path, how: str) -> None:
    """A thief of the password who offered himself the house does not keep the key to it."""
    async with open_store(tmp_path) as store:
        await offered(store)
        await store.accounts.add_invitation(invitation("thief", "owner"), NOW, lives=timedelta(days=1))
        if how == "changed":
            assert await store.accounts.set_password("p-anna", "new", NOW, device="d-anna") is AccountResult.DONE
        else:
            by = RecoveryCodeUse(code=digest("way in"), keep=NOON + timedelta(days=1), entrance="front", message=b"{}")
            assert (await store.accounts.recover_account("p-anna", "new", sign_in_entry("again"), NOW, by))[
                0
            ] is AccountResult.DONE
        assert store.handover.open_offer(NOON, lives=timedelta(days=7)) is None
        assert await take(store) is AccountResult.INVITATION_GONE
        assert store.accounts.open_invitations(NOON, lives=timedelta(days=1)) == ()
        assert [one.name for one in store.accounts.all_people()] == ["Anna"]


async def test_a_visit_that_the_store_knows_of_comes_first(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await offered(store)
        await receive(store, make_offer())
        await commit_reservation(store)
        assert await take(store) is AccountResult.BUSY
        assert store.accounts.person("p-anna") is not None
        assert store.deliveries.order("shop.d1") is not None


async def test_what_is_held_goes_only_where_that_was_said_when_the_house_was_offered(tmp_path: Path) -> None:
    for number, held_too in enumerate((False, True)):
        (tmp_path / str(number)).mkdir()
        async with open_store(tmp_path / str(number)) as store:
            await offered(store)
            what = replace(OFFER, id="newer", held_too=held_too)
            await store.handover.set_offer(what, NOW)
            for visit in ("v1", "v2"):
                await store.commit(make_step(Entrance(id="front", incident=visit), c.StartRecording(visit=visit)))
                await store.commit(make_step(Entrance(id="front")))
            await store.recordings.set_hold("v1", "a dispute", NOW)  # after the house was offered
            assert await take(store, what) is AccountResult.DONE
            left = {film.visit: film.erased is None for film in store.recordings.films()}
            assert left == {"v1": not held_too, "v2": False}
            assert (len(store.log.bodies_of_visit("v1")) > 1) is not held_too, "its story stays with it"


async def test_the_log_holds_together_when_its_words_are_gone(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await offered(store)
        await receive(store, make_offer())
        store.readiness.count("front", {"lock": True}, NOW)
        head = store.log.head()
        assert await take(store) is AccountResult.DONE
        assert store.readiness.hours("front") == (), "when windows were is the former household's"
        assert find_break(store.log.entries()) is None
        assert store.log.hash_at(head.seq) == head.hash, "a checkpoint from before still fits"
        kinds = [
            kind for one in store.log.entries(after=head.seq) if isinstance(one.body, bytes) for kind in [one.body]
        ]
        assert any(b"house_taken_over" in body for body in kinds)
        assert not any(isinstance(one.body, bytes) for one in store.log.entries(upto=head.seq))


async def test_open_deliveries_are_cancelled_and_those_that_were_used_are_not(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for name, letter in (("used", "a"), ("coming", "b")):
            await receive(store, make_offer(id=name, parcels=(name,), courier_sha256=letter * 64))
        await commit_reservation(store, "shop.used")
        assert await store.handover.cancel_open_deliveries(IN_WINDOW, by=None) == 1
        promises = {name: store.deliveries.order(f"shop.{name}") for name in ("used", "coming")}
        assert {name: one.cancelled for name, one in promises.items() if one is not None} == {
            "used": False,
            "coming": True,
        }


async def test_the_home_at_a_hub_that_was_the_former_household_s_is_left(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.hub_journal.set_signer(EventSigner(home="home-1", key=SigningKey.generate()), NOW)
        message = make_claims(make_offer())
        assert await store.hub_journal.accept(sign_claims(message), message, NOW) is not None
        await offered(store)
        assert await take(store) is AccountResult.DONE
        assert store.handover.pending_task(TASK_LEAVE_HUB) == "home-1"
        assert store.hub_journal.has_due_events(NOW), "what was promised is withdrawn, and the hub is owed that"
    (tmp_path / "without").mkdir()
    async with open_store(tmp_path / "without") as store:
        await offered(store)
        assert await take(store) is AccountResult.DONE
        assert store.handover.pending_task(TASK_LEAVE_HUB) is None
