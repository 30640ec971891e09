"""The store, on a real file: people, invitations, sessions, wrong passwords, and what the log tells of them."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from gateway.protocol.hash_chain import find_break
from gateway.storage.models import AccountResult
from gateway.storage.people import AccountStore
from gateway.storage.sessions import MAX_DEVICES_PER_PERSON
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import open_store
from tests.gateway.domain.delivery.shop import NOON, NOW, noon_plus
from tests.gateway.people import digest, invitation, newcomer, set_role, sign_in_entry

DAY = timedelta(days=1)
ANNA = "p-anna"


async def claimed(store: Store) -> AccountStore:
    await store.accounts.set_claim_code(digest("code"), NOW)
    assert (
        await store.accounts.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW) is AccountResult.DONE
    )
    return store.accounts


async def joined(register: AccountStore, name: str, role: str = "household") -> str:
    """Somebody invited by Anna, signed in on a device of his name; returns his id."""
    held = invitation(name.casefold(), role)
    await register.add_invitation(held, NOW, lives=DAY)
    assert (
        await register.redeem_invitation(held, newcomer(name, role), sign_in_entry(name.casefold()), NOW)
        is AccountResult.DONE
    )
    return f"p-{name.casefold()}"


def said(store: Store, since: int = 2) -> list[dict[str, Any]]:
    bodies = [json.loads(e.body) for e in store.log.entries(after=since) if isinstance(e.body, bytes)]
    return [{k: v for k, v in body.items() if k not in {"at", "entrance", "visit"}} for body in bodies]


# ---- an older box


async def test_a_box_from_before_there_were_accounts_gets_its_first_owner(tmp_path: Path) -> None:
    copy(Path(__file__).parents[1] / "databases" / "0001.sqlite", tmp_path / "perron.sqlite")
    async with open_store(tmp_path) as store:
        before = list(store.log.entries())
        assert not store.accounts.has_owner()
        await claimed(store)
        assert store.accounts.has_owner()
        assert list(store.log.entries())[: len(before)] == before
        assert find_break(store.log.entries()) is None


async def test_people_kept_in_a_database_of_this_version_are_all_there(tmp_path: Path) -> None:
    copy(Path(__file__).parents[1] / "databases" / "0002.sqlite", tmp_path / "perron.sqlite")
    async with open_store(tmp_path) as store:
        register = store.accounts
        assert [(one.name, one.role) for one in register.all_people()] == [("Anna", "owner")]
        bob, session = register.person("p-bob"), register.session("s-anna")
        assert bob is not None
        assert (bob.name, bob.removed) == ("Bob", NOW.utc)
        assert session is not None
        assert (session.person.id, session.device, session.secret) == (ANNA, "anna", digest("s-anna"))
        assert register.session("s-bob") is None
        assert register.open_invitations(NOON, lives=DAY) == (invitation("carol"),)
        assert (register.failure_counts("name"), register.failure_counts("pair")) == ({7: 3}, {9: 2})


# ---- the first owner


async def test_five_wrong_codes_make_the_code_void_over_restarts_too(tmp_path: Path) -> None:
    for turn in range(5):
        async with open_store(tmp_path) as store:
            if turn == 0:
                await store.accounts.set_claim_code(digest("code"), NOW)
            outcome = await store.accounts.check_claim_code(digest("wrong"), NOW)
            assert outcome is (AccountResult.CODE_VOID if turn == 4 else AccountResult.CODE_WRONG)
    async with open_store(tmp_path) as store:
        assert (
            await store.accounts.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)
            is AccountResult.CODE_VOID
        )
        assert not store.accounts.has_owner()
        assert await store.accounts.set_claim_code(digest("new"), NOW) is AccountResult.DONE
        assert await store.accounts.check_claim_code(digest("code"), NOW) is AccountResult.CODE_WRONG
        assert (
            await store.accounts.claim(digest("new"), newcomer("Anna"), sign_in_entry("anna"), NOW)
            is AccountResult.DONE
        )


async def test_two_claims_at_once_make_one_owner(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = store.accounts
        await register.set_claim_code(digest("code"), NOW)
        outcomes = await asyncio.gather(
            *(register.claim(digest("code"), newcomer(name), sign_in_entry(name), NOW) for name in ("Anna", "Bob"))
        )
        assert outcomes == [AccountResult.DONE, AccountResult.CLAIMED]
        assert [one.name for one in register.all_people()] == ["Anna"]
        assert register.session("s-Bob") is None
        assert await register.set_claim_code(digest("again"), NOW) is AccountResult.CLAIMED


# ---- people


async def test_every_change_of_people_is_told_in_the_log_and_no_secret_is(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        await register.check_claim_code(digest("late"), NOW)  # nothing happens any more
        bob = await joined(register, "Bob")
        ines = await joined(register, "Ines", "installer")
        await register.set_password(bob, "$argon2id$new", NOW, device="bob")
        await register.add_invitation(invitation("late", "installer"), NOW, lives=DAY)
        await register.add_invitation(invitation("oops"), NOW, lives=DAY)
        await register.withdraw_invitation("oops", NOW, by=bob)
        assert await register.remove_installers(NOW, by=ANNA) == (ines,)
        await register.remove_account(bob, NOW, by=ANNA)
        assert said(store) == [
            {"kind": "claim_code_made"},
            {"kind": "person_added", "person": ANNA, "name": "Anna", "role": "owner", "how": "claim"},
            {"kind": "signed_in", "person": ANNA, "browser": None},
            {"kind": "invited", "invitation": "bob", "role": "household", "by": ANNA},
            {"kind": "person_added", "person": bob, "name": "Bob", "role": "household", "how": "invitation",
             "invitation": "bob", "by": ANNA},
            {"kind": "signed_in", "person": bob, "browser": None},
            {"kind": "invited", "invitation": "ines", "role": "installer", "by": ANNA},
            {"kind": "person_added", "person": ines, "name": "Ines", "role": "installer", "how": "invitation",
             "invitation": "ines", "by": ANNA},
            {"kind": "signed_in", "person": ines, "browser": None},
            {"kind": "password_changed", "person": bob},
            {"kind": "invited", "invitation": "late", "role": "installer", "by": ANNA},
            {"kind": "invited", "invitation": "oops", "role": "household", "by": ANNA},
            {"kind": "invitation_withdrawn", "invitation": "oops", "by": bob},
            {"kind": "handed_over", "installers": [ines], "by": ANNA},
            {"kind": "person_removed", "person": ines, "by": ANNA},
            {"kind": "person_removed", "person": bob, "by": ANNA},
        ]  # fmt: skip
        assert find_break(store.log.entries()) is None
        assert register.open_invitations(NOON, lives=DAY) == ()


async def test_a_house_is_never_without_an_owner(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        bob = await joined(register, "Bob", "owner")
        outcomes = await asyncio.gather(
            register.remove_account(ANNA, NOW, by=bob), register.remove_account(bob, NOW, by=ANNA)
        )
        assert [*outcomes] == [AccountResult.DONE, AccountResult.LAST_OWNER]
        assert [(one.id, one.role) for one in register.all_people()] == [(bob, "owner")]


async def test_somebody_who_was_removed_is_gone_at_once_and_his_name_is_free(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        bob = await joined(register, "Bob")
        assert register.session("s-bob") is not None
        await register.remove_account(bob, NOW, by=ANNA)
        assert (register.session("s-bob"), register.device("bob")) == (None, None)
        assert (register.find_by_name("bob"), register.password_hash_of(bob)) == (None, None)
        assert await register.remove_account(bob, NOW, by=ANNA) is AccountResult.UNKNOWN
        assert await register.set_password(bob, "$argon2id$new", NOW, device="bob") is AccountResult.UNKNOWN
        assert not await register.sign_in(bob, "$argon2id$of-bob", sign_in_entry("bob"))
        held = invitation("again")
        await register.add_invitation(held, NOW, lives=DAY)
        back = newcomer("Bob", "household")
        back = replace(back, person=replace(back.person, id="p-bob-2"))
        assert await register.redeem_invitation(held, back, sign_in_entry("bob"), NOW) is AccountResult.DONE
        assert [one.id for one in register.all_people()] == [ANNA, "p-bob-2"]


async def test_the_name_of_somebody_who_left_is_forgotten_with_the_log_that_names_him(tmp_path: Path) -> None:
    month = noon_plus(days=40)
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        bob = await joined(register, "Bob")
        await register.remove_account(bob, NOW, by=ANNA)
        await store.forget(month, before=NOW.utc)
        assert register.person(bob) is not None
        await store.forget(month, before=month.utc - timedelta(days=30))
        assert register.person(bob) is None
        assert register.person(ANNA) is not None
        assert not any(b"Bob" in entry.body for entry in store.log.entries() if isinstance(entry.body, bytes))


# ---- invitations


async def test_two_who_take_one_invitation_at_once_are_one(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        await register.add_invitation(invitation("one"), NOW, lives=DAY)
        both = (newcomer(name, "household") for name in ("Bob", "Mallory"))
        outcomes = await asyncio.gather(
            *(register.redeem_invitation(invitation("one"), who, sign_in_entry(who.folded), NOW) for who in both)
        )
        assert outcomes == [AccountResult.DONE, AccountResult.INVITATION_GONE]
        assert [one.name for one in register.all_people()] == ["Anna", "Bob"]
        assert register.session("s-mallory") is None


async def test_a_taken_name_spends_no_invitation(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        await register.add_invitation(invitation("one"), NOW, lives=DAY)
        twice = newcomer("Anna", "household")
        assert (
            await register.redeem_invitation(invitation("one"), twice, sign_in_entry("x"), NOW)
            is AccountResult.NAME_TAKEN
        )
        assert len(register.open_invitations(NOON, lives=DAY)) == 1


@pytest.mark.parametrize("how", ["removed", "demoted"])
async def test_nobody_comes_in_on_the_word_of_somebody_who_is_no_owner_any_more(tmp_path: Path, how: str) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        bob = await joined(register, "Bob", "owner")
        held = invitation("friend", by=bob)
        await register.add_invitation(held, NOW, lives=DAY)
        await (register.remove_account(bob, NOW, by=ANNA) if how == "removed" else set_role(register, bob, "household"))
        assert register.open_invitations(NOON, lives=DAY) == ()
        assert (
            await register.redeem_invitation(held, newcomer("Eve"), sign_in_entry("eve"), NOW)
            is AccountResult.INVITATION_GONE
        )


# ---- sessions


async def test_a_session_shows_its_person_as_he_is_now(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        bob = await joined(register, "Bob")
        await set_role(register, bob, "owner")
        session = register.session("s-bob")
        assert session is not None
        assert session.person.role == "owner"
        assert [one.id for one in register.sessions_of(bob)] == ["s-bob"]


async def test_a_browser_that_signs_in_again_has_one_session_and_stays_one_device(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        await register.set_device_failure_count("anna", 4)
        assert register.device_failure_counts() == {"anna": 4}
        assert await register.sign_in(ANNA, "$argon2id$of-anna", sign_in_entry("anna", session="second"))
        assert [one.id for one in register.sessions_of(ANNA)] == ["second"]
        assert register.device_failure_counts() == {}
        assert not await register.sign_in(ANNA, "$argon2id$before", sign_in_entry("anna", session="third"))


async def test_a_new_password_ends_what_knew_the_old_one(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        await register.sign_in(ANNA, "$argon2id$of-anna", sign_in_entry("tablet"))
        await register.set_password(ANNA, "$argon2id$new", NOW, device="anna")
        assert [one.device for one in register.sessions_of(ANNA)] == ["anna"]
        assert register.device("tablet") is None
        await register.rehash_password(ANNA, "$argon2id$of-anna", "$argon2id$lost")
        assert register.password_hash_of(ANNA) == "$argon2id$new"


async def test_a_person_has_so_many_devices_and_the_oldest_is_forgotten(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        for number in range(MAX_DEVICES_PER_PERSON):
            later = replace(sign_in_entry(f"d{number}"), at=NOON + timedelta(minutes=number + 1))
            await register.sign_in(ANNA, "$argon2id$of-anna", later)
        assert (register.device("anna"), register.session("s-anna")) == (None, None)
        assert register.device("d0") is not None
        assert len(register.sessions_of(ANNA)) == MAX_DEVICES_PER_PERSON


async def test_what_a_session_was_seen_last_never_goes_back(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        for hours in (5, 2):
            register.touch_session("s-anna", NOON + timedelta(hours=hours))
        await register.end_session("nobody")  # waits for what was posted
        session = register.session("s-anna")
        assert session is not None
        assert session.seen == register.latest_timestamp() == NOON + timedelta(hours=5)


async def test_what_is_over_by_time_is_forgotten(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        register = await claimed(store)
        await register.expire_sessions(NOON + DAY, idle=2 * DAY, oldest=3 * DAY, known=2 * DAY)
        assert register.session("s-anna") is not None
        await register.expire_sessions(NOON + DAY, idle=DAY, oldest=3 * DAY, known=2 * DAY)
        assert register.session("s-anna") is None
        assert register.device("anna") is not None
        await register.expire_sessions(NOON + DAY, idle=DAY, oldest=DAY, known=DAY)
        assert register.device("anna") is None


async def test_a_slot_tells_nobody_who_tried_and_is_another_one_in_the_next_box(tmp_path: Path) -> None:
    slots = []
    for box in ("a", "b"):
        (tmp_path / box).mkdir()
        async with open_store(tmp_path / box) as store:
            slots.append([store.accounts.backoff_slot(f"name {number}", of=1024) for number in range(8)])
            assert slots[-1] == [store.accounts.backoff_slot(f"name {number}", of=1024) for number in range(8)]
            assert store.accounts.backoff_slot("\udfff", of=2) in {0, 1}
    assert slots[0] != slots[1]
    assert all(0 <= slot < 1024 for slot in slots[0])
