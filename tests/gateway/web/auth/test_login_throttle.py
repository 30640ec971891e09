"""Wrong passwords: a guesser gets nowhere, and whoever he guesses at is never kept out."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.storage.models import StoreFailed
from gateway.storage.part import posts, writes
from gateway.storage.people import AccountStore
from gateway.web.auth.accounts import AccountError, SessionSecrets
from gateway.web.auth.backoff import FADE_INTERVAL_S
from gateway.web.auth.login_throttle import DEVICE_POLICY, NAME_POLICY, PAIR_POLICY
from gateway.web.auth.roles import UserRight
from tests.gateway.web.house import (
    ANNA_PASSWORD,
    ANNA_PHONE,
    OTHER_ADDRESS,
    ManualClock,
    RetryAfter,
    running,
    signed_in,
    wait_seconds,
)


async def test_one_who_guesses_waits_longer_each_time_even_with_the_right_password(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.owner()
        await house.wrong(PAIR_POLICY.free_attempts)
        seen = []
        for _ in range(5):
            assert await house.sign_in(password="not the password") is AccountError.WRONG  # noqa: S106 - it is wrong
            seen.append(wait_seconds(await house.sign_in(password=ANNA_PASSWORD)))
            house.watch.on(seconds=seen[-1])
        assert seen == [1, 2, 4, 8, 16]
        assert isinstance(await house.sign_in(), SessionSecrets)


async def test_whoever_signed_in_before_on_this_device_never_waits_for_what_strangers_try(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        for host in range(12):
            await house.wrong(4, address=f"192.168.1.{100 + host}")
        await house.wrong(4, address=ANNA_PHONE)
        assert wait_seconds(await house.sign_in(address=ANNA_PHONE)) > 60
        assert isinstance(await house.sign_in(address=ANNA_PHONE, device=anna.device), SessionSecrets)
        # Replaced by the new one
        assert await house.accounts.confirm_password(anna.user, ANNA_PASSWORD, house.now) is AccountError.SIGNED_OUT


async def test_many_strangers_together_get_no_more_than_some_tries_an_hour(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.owner()
        tried = 0
        began = house.now.mono
        while house.now.mono - began < 24 * 3600:
            outcome = await house.sign_in(password="guess", address=f"10.0.{tried // 250}.{tried % 250}")  # noqa: S106 - a guess
            tried += outcome is AccountError.WRONG
            if isinstance(outcome, RetryAfter):
                house.watch.on(seconds=outcome.seconds)
        assert tried < 125


async def test_a_known_device_has_a_back_off_of_its_own(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        await house.wrong(DEVICE_POLICY.free_attempts + 1, device=anna.device)
        assert wait_seconds(await house.sign_in(device=anna.device)) == 1
        assert isinstance(await house.sign_in(), SessionSecrets)  # nobody else waits for it
        house.watch.on(seconds=1)
        back = signed_in(await house.sign_in(device=anna.device))
        await house.wrong(DEVICE_POLICY.free_attempts, device=back.device)  # it began anew
        assert isinstance(await house.sign_in(device=back.device), SessionSecrets)


async def test_a_stolen_session_cannot_try_passwords_for_ever(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        confirm = house.accounts.confirm_password
        tries = [await confirm(anna.user, f"guess {number}", house.now) for number in range(8)]
        assert tries == [AccountError.PASSWORD_WRONG] * 6 + [RetryAfter(1)] * 2
        assert await confirm(anna.user, ANNA_PASSWORD, house.now) == RetryAfter(1)
        assert await house.accounts.change_password(
            anna.user, ANNA_PASSWORD, "nine blue cranes", house.now
        ) == RetryAfter(1)


async def test_a_known_device_is_known_for_its_own_person_only_and_not_for_ever(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        bob = await house.guest(anna, "Bob")
        await house.wrong(PAIR_POLICY.free_attempts + 1)
        assert wait_seconds(await house.sign_in(device=bob.device)) == 1
        assert wait_seconds(await house.sign_in(device=f"{anna.user.device}.{'A' * 43}")) == 1
        house.watch.on(days=400)
        await house.wrong(PAIR_POLICY.free_attempts + 1)
        assert wait_seconds(await house.sign_in(device=anna.device)) == 1


async def test_a_restart_between_wrong_tries_shortens_no_wait(tmp_path: Path) -> None:
    watch = ManualClock()
    async with running(tmp_path, watch) as house:
        anna = await house.owner()
        await house.wrong(PAIR_POLICY.free_attempts + 6)
        await house.wrong(DEVICE_POLICY.free_attempts + 4, device=anna.device)
        before = wait_seconds(await house.sign_in()), wait_seconds(await house.sign_in(device=anna.device))
    assert before == (25, 8)  # of 32, 7 went by while the device waited
    for _ in range(3):
        watch.on(boots=True, days=-1, trusted=False)
        async with running(tmp_path, watch) as house:
            assert wait_seconds(await house.sign_in()) == 32
            assert wait_seconds(await house.sign_in(device=anna.device)) == 8
            watch.on(seconds=5)


async def test_a_clock_that_jumps_shortens_no_wait(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.owner()
        await house.wrong(PAIR_POLICY.free_attempts + 6)
        for year in (2020, 2050):
            for trusted in (True, False):
                jumped = replace(house.now, utc=house.now.utc.replace(year=year), trusted=trusted)
                outcome = await house.accounts.sign_in(
                    "Anna", ANNA_PASSWORD, address=OTHER_ADDRESS, device=None, now=jumped
                )
                assert outcome == RetryAfter(32)


async def test_tries_at_the_same_moment_all_count(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.owner()
        outcomes = await asyncio.gather(*(house.sign_in(password="guess") for _ in range(30)))  # noqa: S106 - a guess
        assert sum(outcome is AccountError.WRONG for outcome in outcomes) == PAIR_POLICY.free_attempts + 1


async def test_a_crowd_of_strangers_waits_outside_and_the_owner_does_not(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        crowd = [house.sign_in(f"name {number}", address=f"10.0.0.{number}") for number in range(30)]
        *outcomes, owner = await asyncio.gather(*crowd, house.sign_in(device=anna.device))
        assert sum(outcome is AccountError.WRONG for outcome in outcomes) == 8
        assert {outcome for outcome in outcomes if outcome is not AccountError.WRONG} == {RetryAfter(2)}
        assert isinstance(owner, SessionSecrets)


async def test_a_name_that_nobody_has_is_refused_and_slowed_like_one_that_somebody_has(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.owner()
        anna = [await house.sign_in("Anna", "not the password") for _ in range(9)]
        nobody = [await house.sign_in("Nobody", "not the password") for _ in range(9)]
        assert anna == nobody == [AccountError.WRONG] * 4 + [RetryAfter(1)] * 5


async def test_a_whole_network_of_version_6_is_one_place(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.owner()
        for host in range(PAIR_POLICY.free_attempts + 1):
            await house.wrong(1, address=f"2001:db8::{host + 1:x}")
        assert wait_seconds(await house.sign_in(address="2001:db8::ffff")) == 1
        assert isinstance(await house.sign_in(address="2001:db8:0:1::1"), SessionSecrets)
        await house.wrong(PAIR_POLICY.free_attempts + 1, address="::ffff:10.0.0.1")
        assert wait_seconds(await house.sign_in(address="10.0.0.1")) >= 1


async def test_wrong_tries_fade_after_hours_without_any(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.owner()
        await house.wrong(PAIR_POLICY.free_attempts + 1)
        house.watch.on(seconds=FADE_INTERVAL_S)
        await house.wrong(1)
        assert wait_seconds(await house.sign_in()) == 1  # one had faded, and came back
        house.watch.on(seconds=FADE_INTERVAL_S * 20)
        await house.wrong(PAIR_POLICY.free_attempts)
        assert isinstance(await house.sign_in(), SessionSecrets)
        assert NAME_POLICY.free_attempts > PAIR_POLICY.free_attempts


async def test_on_a_full_disk_who_is_signed_in_stays_so_and_guesses_still_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as house:
        anna = await house.owner()
        with monkeypatch.context() as full:
            full.setattr(AccountStore, "touch_session", posts(disk_full))
            for write in ("set_failure_counts", "set_device_failure_count"):
                full.setattr(AccountStore, write, writes(disk_full))
            assert house.accounts.find_user(anna.session, house.watch.on(hours=1)) == anna.user
            assert house.accounts.access_error(anna.user, UserRight.STOP, house.now) is None
            for _ in range(PAIR_POLICY.free_attempts + 1):
                with pytest.raises(StoreFailed):
                    await house.sign_in()
            assert wait_seconds(await house.sign_in()) == 1
        assert isinstance(await house.sign_in(device=anna.device), SessionSecrets)


def disk_full(*_: object) -> None:
    raise StoreFailed("database or disk is full")
