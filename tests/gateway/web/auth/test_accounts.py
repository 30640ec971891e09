"""How a box gets its owner, who else comes in, who is signed in: on a real file, in the words of who lives there."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from gateway.domain.delivery.permission import PermissionStatus
from gateway.web.auth.accounts import AccountError, SessionSecrets
from gateway.web.auth.roles import Role, UserRight
from gateway.web.auth.tokens import SecretToken
from tests.gateway.people import set_role
from tests.gateway.web.house import ANNA_PASSWORD, ManualClock, running, signed_in

# ---- the first owner


async def test_whoever_reads_the_code_on_the_box_becomes_its_owner_and_is_signed_in(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        assert not house.accounts.is_claimed()
        code = await house.claim_code()
        assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{2}-){7}[0-9A-HJKMNP-TV-Z]{2}", code)
        typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        anna = signed_in(await house.accounts.claim(typed, "  Anna   Lefèvre ", ANNA_PASSWORD, house.now))
        assert (anna.user.name, anna.user.role) == ("Anna Lefèvre", Role.OWNER)
        assert house.accounts.is_claimed()
        assert house.accounts.find_user(anna.session, house.now) == anna.user
        assert await house.accounts.make_claim_code(house.now) is AccountError.CLAIMED
        assert await house.accounts.claim(code, "Bob", ANNA_PASSWORD, house.now) is AccountError.CLAIMED


async def test_two_who_claim_the_box_at_once_make_one_owner(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        code = await house.claim_code()
        both = (house.accounts.claim(code, name, ANNA_PASSWORD, house.now) for name in ("Anna", "Bob"))
        outcomes = [*await asyncio.gather(*both)]
        assert sorted(type(one).__name__ for one in outcomes) == ["AccountError", "SessionSecrets"]
        assert AccountError.CLAIMED in outcomes
        assert len(house.store.accounts.all_people()) == 1


async def test_a_restart_in_the_middle_of_claiming_loses_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        code = await house.claim_code()
    async with running(tmp_path) as house:
        assert await house.accounts.claim(code, "Anna", "short", house.now) is AccountError.PASSWORD_SHORT
    async with running(tmp_path) as house:
        anna = signed_in(await house.accounts.claim(code, "Anna", ANNA_PASSWORD, house.now))
    async with running(tmp_path) as house:
        assert house.accounts.find_user(anna.session, house.now) == anna.user
        assert await house.accounts.claim(code, "Bob", ANNA_PASSWORD, house.now) is AccountError.CLAIMED


async def test_after_five_wrong_codes_a_new_one_has_to_be_made_on_the_box(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        assert await house.accounts.claim("0" * 16, "Eve", ANNA_PASSWORD, house.now) is AccountError.CODE_VOID
        code = await house.claim_code()
        for _ in range(20):  # a character too few is a slip, and no try
            assert await house.accounts.claim(code[:-1], "Anna", ANNA_PASSWORD, house.now) is AccountError.CODE_WRONG
        wrong = [await house.accounts.claim("0" * 16, "Eve", ANNA_PASSWORD, house.now) for _ in range(4)]
    async with running(tmp_path) as house:
        wrong += [await house.accounts.claim("0" * 16, "Eve", ANNA_PASSWORD, house.now)]
        assert wrong == [AccountError.CODE_WRONG] * 4 + [AccountError.CODE_VOID]
        assert await house.accounts.claim(code, "Anna", ANNA_PASSWORD, house.now) is AccountError.CODE_VOID
        new = await house.claim_code()
        assert await house.accounts.claim(code, "Anna", ANNA_PASSWORD, house.now) is AccountError.CODE_WRONG
        assert isinstance(await house.accounts.claim(new, "Anna", ANNA_PASSWORD, house.now), SessionSecrets)


@pytest.mark.parametrize(
    ("name", "password", "refused"),
    [
        ("Anna", "nine char", AccountError.PASSWORD_SHORT),
        ("Anna", "é" * 129, AccountError.PASSWORD_LONG),
        ("Anna", "MotDePasse2026!", AccountError.PASSWORD_COMMON),
        ("", ANNA_PASSWORD, AccountError.NAME_BAD),
        ("x" * 65, ANNA_PASSWORD, AccountError.NAME_BAD),
        ("Anna\u202exe", ANNA_PASSWORD, AccountError.NAME_BAD),
        ("Anna\x1b[2J", ANNA_PASSWORD, AccountError.NAME_BAD),
    ],
)
async def test_what_cannot_be_a_name_or_a_password_spends_no_code(
    tmp_path: Path, name: str, password: str, refused: AccountError
) -> None:
    async with running(tmp_path) as house:
        code = await house.claim_code()
        for _ in range(6):
            assert await house.accounts.claim(code, name, password, house.now) is refused
        assert isinstance(await house.accounts.claim(code, "Anna", ANNA_PASSWORD, house.now), SessionSecrets)


# ---- sessions


async def test_a_name_is_found_however_it_is_written(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.owner("Zoé")
        for name in ("zoé", " ZOÉ ", "Zoe\u0301"):
            assert signed_in(await house.sign_in(name)).user.name == "Zoé"
        assert await house.sign_in("Zoe") is AccountError.WRONG


async def test_a_session_ends_after_14_days_without_use_and_after_90_days_with(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        idle = await house.owner()
        used = signed_in(await house.sign_in())
        for _ in range(8):
            now = house.watch.on(days=11)
            assert house.accounts.find_user(used.session, now) is not None
            # Waits until the use is stored
            assert await house.accounts.confirm_password(used.user, ANNA_PASSWORD, now) is None
        assert house.accounts.find_user(idle.session, house.now) is None
        assert [one.id for one in house.accounts.sessions(used.user.person, house.now)] == [used.user.session]
        now = house.watch.on(days=2)  # the 90th
        assert house.accounts.find_user(used.session, now) is None
        assert house.accounts.access_error(used.user, UserRight.STOP, now) is AccountError.SIGNED_OUT
        assert await house.accounts.confirm_password(used.user, ANNA_PASSWORD, now) is AccountError.SIGNED_OUT


async def test_a_clock_that_is_set_back_makes_no_session_young_again(tmp_path: Path) -> None:
    watch = ManualClock()
    async with running(tmp_path, watch) as house:
        anna = await house.owner()
        watch.on(days=-300, trusted=False)
        watch.now = replace(watch.now, mono=110.0)
        assert house.accounts.find_user(anna.session, house.now) is not None
        assert house.accounts.find_user(anna.session, house.watch.on(days=13, trusted=False)) is not None
        house.watch.on(days=15, trusted=False)
        assert house.accounts.find_user(anna.session, house.now) is None


async def test_a_reboot_with_a_clock_set_back_makes_no_session_young_again(tmp_path: Path) -> None:
    watch = ManualClock()
    async with running(tmp_path, watch) as house:
        anna = await house.owner()
        bob = await house.guest(anna, "Bob")
        house.accounts.find_user(bob.session, watch.on(days=13, hours=12))
        await house.accounts.sign_out(bob.user)  # waits until the use is stored
        signed_in(await house.sign_in("Bob"))
    watch.on(boots=True, days=-400, trusted=False)
    async with running(tmp_path, watch) as house:
        assert house.accounts.is_signed_in(anna.user, house.now)  # a look; `who` would be a use, which makes it young
        assert house.accounts.find_user(anna.session, watch.on(hours=13, trusted=False)) is None


async def test_a_clock_that_nobody_vouches_for_may_end_an_old_session_and_never_a_new_one(tmp_path: Path) -> None:
    watch = ManualClock()
    async with running(tmp_path, watch) as house:
        anna = await house.owner()
    watch.on(boots=True, days=900, trusted=False)
    async with running(tmp_path, watch) as house:
        assert house.accounts.find_user(anna.session, house.now) is None
        watch.on(seconds=30, trusted=False)
        again = signed_in(await house.sign_in())
        assert house.accounts.find_user(again.session, watch.on(days=13, trusted=False)) is not None
    watch.on(boots=True, days=-880)  # somebody set it right
    async with running(tmp_path, watch) as house:
        assert house.accounts.find_user(again.session, house.now) is None  # 20 days since the box was last sure


async def test_the_password_counts_for_five_minutes_and_after_a_restart_not_at_all(tmp_path: Path) -> None:
    watch = ManualClock()
    async with running(tmp_path, watch) as house:
        anna = await house.owner()
        assert house.accounts.access_error(anna.user, UserRight.KEYS, watch.on(seconds=299)) is None
        assert house.accounts.access_error(anna.user, UserRight.KEYS, watch.on(seconds=1)) is AccountError.CONFIRM
        assert house.accounts.access_error(anna.user, UserRight.STOP, house.now) is None
        assert (
            await house.accounts.confirm_password(anna.user, "not the password", house.now)
            is AccountError.PASSWORD_WRONG
        )
        assert house.accounts.access_error(anna.user, UserRight.KEYS, house.now) is AccountError.CONFIRM
        assert await house.accounts.confirm_password(anna.user, ANNA_PASSWORD, house.now) is None
        back = replace(house.now, utc=house.now.utc.replace(year=2020), trusted=False, mono=house.now.mono + 300)
        assert house.accounts.access_error(anna.user, UserRight.KEYS, back) is AccountError.CONFIRM
        assert await house.accounts.confirm_password(anna.user, ANNA_PASSWORD, house.now) is None
    async with running(tmp_path, watch) as house:
        assert house.accounts.access_error(anna.user, UserRight.KEYS, house.now) is AccountError.CONFIRM


async def test_one_session_ends_alone_and_all_of_a_person_together(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        phone = await house.owner()
        tablet, laptop = [signed_in(await house.sign_in()) for _ in range(2)]
        await house.accounts.sign_out(laptop.user)
        assert house.accounts.find_user(laptop.session, house.now) is None
        assert await house.accounts.end_session(phone.user, tablet.user.session, house.now) is None
        assert house.accounts.find_user(tablet.session, house.now) is None
        assert await house.accounts.end_session(phone.user, tablet.user.session, house.now) is AccountError.UNKNOWN
        again = signed_in(await house.sign_in(device=tablet.device))
        assert again.user.device == tablet.user.device
        assert await house.accounts.end_session(phone.user, again.user.session, house.now) is None
        assert house.accounts.find_user(again.session, house.now) is None
        assert house.accounts.find_user(phone.session, house.now) == phone.user
        assert await house.accounts.end_session(again.user, phone.user.session, house.now) is AccountError.SIGNED_OUT


async def test_only_an_owner_ends_the_sessions_of_others(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        bob = await house.guest(anna, "Bob")
        assert await house.accounts.end_session(bob.user, anna.user.session, house.now) is AccountError.NOT_ALLOWED
        assert await house.accounts.end_session(anna.user, bob.user.session, house.now) is None
        assert house.accounts.find_user(bob.session, house.now) is None


async def test_a_changed_password_signs_out_whoever_knew_the_old_one(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        phone = await house.owner()
        thief = signed_in(await house.sign_in())
        change = house.accounts.change_password
        assert await change(phone.user, ANNA_PASSWORD, "short", house.now) is AccountError.PASSWORD_SHORT
        assert (
            await change(phone.user, "not the password", "nine blue cranes", house.now) is AccountError.PASSWORD_WRONG
        )
        assert await change(phone.user, ANNA_PASSWORD, "nine blue cranes", house.now) is None
        assert house.accounts.find_user(thief.session, house.now) is None
        assert house.accounts.find_user(phone.session, house.now) == phone.user
        assert await house.sign_in(device=phone.device) is AccountError.WRONG
        assert isinstance(await house.sign_in(password="nine blue cranes"), SessionSecrets)  # noqa: S106 - of a test


@pytest.mark.parametrize("cookie", [None, "", "x", "0123456789abcdef." + "A" * 43, "é" * 60, "\x00"])
async def test_a_cookie_that_the_box_did_not_make_signs_nobody_in(tmp_path: Path, cookie: str | None) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        assert house.accounts.find_user(cookie, house.now) is None
        assert house.accounts.find_user(f"{anna.user.session}.{'A' * 43}", house.now) is None
        assert house.accounts.find_user(anna.device, house.now) is None  # a known device is not signed in


# ---- other people


async def test_an_adult_who_is_invited_comes_in_and_may_what_his_role_may(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        invited = await house.accounts.invite(anna.user, Role.HOUSEHOLD, house.now)
        assert isinstance(invited, SecretToken)
        shown = house.accounts.invitation(invited.text, house.now)
        assert shown is not None
        assert (shown.role, shown.by) == ("household", anna.user.person)
        assert (
            await house.accounts.accept_invitation(invited.text, "ANNA", ANNA_PASSWORD, house.now)
            is AccountError.NAME_TAKEN
        )
        assert (
            await house.accounts.accept_invitation(invited.text, "Bob", "short", house.now)
            is AccountError.PASSWORD_SHORT
        )
        bob = signed_in(await house.accounts.accept_invitation(invited.text, "Bob", ANNA_PASSWORD, house.now))
        assert bob.user.role is Role.HOUSEHOLD
        assert (
            await house.accounts.accept_invitation(invited.text, "Eve", ANNA_PASSWORD, house.now)
            is AccountError.INVITATION_GONE
        )
        assert house.accounts.access_error(bob.user, UserRight.STOP, house.now) is None
        assert house.accounts.access_error(bob.user, UserRight.KEYS, house.now) is AccountError.NOT_ALLOWED
        assert await house.accounts.invite(bob.user, Role.HOUSEHOLD, house.now) is AccountError.NOT_ALLOWED
        assert await house.accounts.remove_person(bob.user, anna.user.person, house.now) is AccountError.NOT_ALLOWED
        assert await house.accounts.hand_over(bob.user, house.now) is AccountError.NOT_ALLOWED


async def test_two_who_take_one_invitation_at_once_are_one(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        invited = await house.accounts.invite(anna.user, Role.HOUSEHOLD, house.now)
        assert isinstance(invited, SecretToken)
        both = (
            house.accounts.accept_invitation(invited.text, name, ANNA_PASSWORD, house.now)
            for name in ("Bob", "Mallory")
        )
        outcomes = [*await asyncio.gather(*both)]
        assert sorted(type(one).__name__ for one in outcomes) == ["AccountError", "SessionSecrets"]
        assert AccountError.INVITATION_GONE in outcomes
        assert len(house.store.accounts.all_people()) == 2


async def test_an_invitation_is_good_for_48_hours_whatever_the_clock_says(tmp_path: Path) -> None:
    watch = ManualClock()
    async with running(tmp_path, watch) as house:
        anna = await house.owner()
        invited = await house.accounts.invite(anna.user, Role.HOUSEHOLD, house.now)
        assert isinstance(invited, SecretToken)
        assert house.accounts.invitation(invited.text, watch.on(hours=47)) is not None
        back = replace(watch.on(hours=1), utc=watch.now.utc.replace(year=2020), trusted=False)
        assert house.accounts.invitation(invited.text, back) is None
        assert house.accounts.invitations(house.now) == ()
        assert (
            await house.accounts.accept_invitation(invited.text, "Bob", ANNA_PASSWORD, back)
            is AccountError.INVITATION_GONE
        )


async def test_an_invitation_can_be_taken_back(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        invited = await house.accounts.invite(anna.user, Role.OWNER, house.now)
        assert isinstance(invited, SecretToken)
        assert [one.id for one in house.accounts.invitations(house.now)] == [invited.id]
        assert await house.accounts.withdraw_invitation(anna.user, invited.id, house.now) is None
        assert await house.accounts.withdraw_invitation(anna.user, invited.id, house.now) is AccountError.UNKNOWN
        assert (
            await house.accounts.accept_invitation(invited.text, "Bob", ANNA_PASSWORD, house.now)
            is AccountError.INVITATION_GONE
        )


async def test_inviting_and_removing_ask_for_the_password_again(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        bob = await house.guest(anna, "Bob")
        house.watch.on(minutes=5)
        assert await house.accounts.invite(anna.user, Role.HOUSEHOLD, house.now) is AccountError.CONFIRM
        assert await house.accounts.remove_person(anna.user, bob.user.person, house.now) is AccountError.CONFIRM
        assert await house.accounts.withdraw_invitation(anna.user, "x", house.now) is AccountError.CONFIRM


async def test_a_changed_role_counts_at_once_in_sessions_that_run(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        bob = await house.guest(anna, "Bob")
        assert house.accounts.access_error(bob.user, UserRight.SETTINGS, house.now) is AccountError.NOT_ALLOWED
        await set_role(house.store.accounts, bob.user.person, Role.OWNER)
        # The page that is open asks again
        assert house.accounts.access_error(bob.user, UserRight.SETTINGS, house.now) is None
        new = house.accounts.find_user(bob.session, house.now)
        assert new is not None
        assert new.role is Role.OWNER
        await set_role(house.store.accounts, anna.user.person, Role.HOUSEHOLD)
        assert house.accounts.access_error(anna.user, UserRight.SETTINGS, house.now) is AccountError.NOT_ALLOWED


async def test_the_last_owner_cannot_be_removed(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        me = anna.user.person
        assert await house.accounts.remove_person(anna.user, me, house.now) is AccountError.LAST_OWNER
        bob = await house.guest(anna, "Bob", Role.OWNER)
        assert await house.accounts.remove_person(anna.user, me, house.now) is None
        assert await house.accounts.remove_person(bob.user, bob.user.person, house.now) is AccountError.LAST_OWNER


async def test_somebody_who_was_removed_is_signed_out_everywhere_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        bob = await house.guest(anna, "Bob")
        tablet = signed_in(await house.sign_in("Bob"))
        assert await house.accounts.remove_person(anna.user, bob.user.person, house.now) is None
        for gone in (bob, tablet):
            assert house.accounts.find_user(gone.session, house.now) is None
            assert house.accounts.access_error(gone.user, UserRight.SEE_STATE, house.now) is AccountError.SIGNED_OUT
        assert await house.sign_in("Bob", device=tablet.device) is AccountError.WRONG
        assert await house.accounts.confirm_password(bob.user, ANNA_PASSWORD, house.now) is AccountError.SIGNED_OUT
        assert await house.accounts.remove_person(anna.user, bob.user.person, house.now) is AccountError.UNKNOWN


@pytest.mark.parametrize("who", ["owner", "installer"])
async def test_the_hand_over_ends_every_installers_access_and_he_can_be_invited_back(tmp_path: Path, who: str) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        ines = await house.guest(anna, "Ines", Role.INSTALLER)
        jan = await house.guest(anna, "Jan", Role.INSTALLER)
        open_still = await house.accounts.invite(anna.user, Role.INSTALLER, house.now)
        assert isinstance(open_still, SecretToken)
        ended = await house.accounts.hand_over({"owner": anna, "installer": ines}[who].user, house.now)
        assert not isinstance(ended, AccountError)
        assert {*ended} == {ines.user.person, jan.user.person}
        assert house.accounts.find_user(ines.session, house.now) is None
        assert house.accounts.find_user(jan.session, house.now) is None
        assert (
            await house.accounts.accept_invitation(open_still.text, "Kim", ANNA_PASSWORD, house.now)
            is AccountError.INVITATION_GONE
        )
        assert await house.sign_in("Ines", device=ines.device) is AccountError.WRONG
        back = await house.guest(anna, "Ines", Role.INSTALLER)
        assert house.accounts.access_error(back.user, UserRight.DEVICES, house.now) is None
        assert house.accounts.access_error(back.user, UserRight.WATCH_LIVE, house.now) is AccountError.NOT_ALLOWED


# ---- what is told, and what is not


async def test_who_let_a_brand_in_can_be_told(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        await house.store.brands.decide("shop", PermissionStatus.GRANTED, house.now, by=anna.user.person)
        bodies = [json.loads(e.body) for e in house.store.log.entries() if isinstance(e.body, bytes)]
        (permitted,) = [body for body in bodies if body["kind"] == "permission" and "by" in body]
        person = house.store.accounts.person(permitted["by"])
        assert person is not None
        assert person.name == "Anna"


async def test_a_stolen_database_opens_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        code = await house.claim_code()
        anna = signed_in(await house.accounts.claim(code, "Anna", ANNA_PASSWORD, house.now))
        taken = await house.accounts.invite(anna.user, Role.HOUSEHOLD, house.now)
        left = await house.accounts.invite(anna.user, Role.HOUSEHOLD, house.now)
        assert isinstance(taken, SecretToken)
        assert isinstance(left, SecretToken)
        bob = signed_in(await house.accounts.accept_invitation(taken.text, "Bob", "nine blue cranes", house.now))
        secrets = [ANNA_PASSWORD, "nine blue cranes", code, code.replace("-", "")]
        tokens = (anna.session, anna.device, bob.session, bob.device, taken.text, left.text)
        secrets += [token.split(".")[1] for token in tokens]
        while_open = stored(tmp_path)
        assert not any(secret in shown for secret in secrets for shown in (repr(anna), repr(left)))
    for found in (while_open, stored(tmp_path)):
        assert anna.user.session.encode() in found  # it looks at the right bytes
        assert b"$argon2id$" in found
        assert [secret for secret in secrets if secret.encode() in found] == []


def stored(folder: Path) -> bytes:
    """All bytes of the database, with what is still in its WAL."""
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file())


async def test_a_password_that_was_hashed_at_another_cost_is_renewed_when_it_is_typed(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        old = "$argon2id$v=19$m=16,t=1,p=1$"
        register = house.store.accounts
        await register.set_password(anna.user.person, dearer(old), house.now, device=anna.user.device)
        assert isinstance(await house.sign_in(), SessionSecrets)
        renewed = register.password_hash_of(anna.user.person)
        assert renewed is not None
        assert renewed.startswith("$argon2id$v=19$m=8,t=1,p=1$")
        assert isinstance(await house.sign_in(), SessionSecrets)


def dearer(start: str) -> str:
    made = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(ANNA_PASSWORD)
    assert made.startswith(start)
    return made


async def test_nobody_signs_in_while_he_is_being_removed(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        bob = await house.guest(anna, "Bob")

        async def removed() -> None:
            assert await house.accounts.remove_person(anna.user, bob.user.person, house.now) is None

        outcome, _ = await asyncio.gather(house.sign_in("Bob"), removed())
        cookie = outcome.session if isinstance(outcome, SessionSecrets) else bob.session
        assert house.accounts.find_user(cookie, house.now) is None
