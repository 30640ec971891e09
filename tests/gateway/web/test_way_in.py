"""The way back in for an owner who lost the only password: by a code that only the box itself can make."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.domain.visit.commands import Notification
from gateway.runtime.maintenance import recovery_codes
from gateway.runtime.notifications.batching import group_messages
from gateway.runtime.notifications.composer import MessageComposer
from gateway.runtime.notifications.texts import ComposedMessage
from gateway.web.auth.roles import Role
from gateway.web.auth.tokens import claim_code_digest, new_claim_code
from tests.gateway.people import set_role
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

CRANES = "eleven grey cranes"
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        yield made


@pytest.fixture
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


def a_code(site: ServedSite, person: str | None = None) -> str:
    """Make a code as `perron way-in` does on the box."""
    code, box = new_claim_code(), site.box
    digest = claim_code_digest(code)
    assert digest is not None
    made = recovery_codes.RecoveryCode(
        person=person or site.owner.user.person, digest=digest.hex(), boot=recovery_codes.boot_id(), mono=box.time.mono
    )
    recovery_codes.store_code(box.home.recovery_codes_file, made)
    return code


async def tried(client: ClientSession, code: str, password: str = CRANES) -> tuple[int, str]:
    async with client.post(
        "/enter/again", data={"code": code, "password": password}, allow_redirects=False, headers=ENGLISH
    ) as answer:
        return answer.status, await answer.text()


async def test_he_sets_a_new_password_is_in_and_everything_that_knew_the_old_one_is_out(
    site: ServedSite, made: ShellBox
) -> None:
    code = a_code(site)
    async with site.client(None) as stranger, site.client(site.owner) as before:
        status, _ = await tried(stranger, code.lower().replace("-", " "))
        assert status == 303
        async with stranger.get("/settings", allow_redirects=False) as answer:
            assert answer.status == 200
        async with before.get("/", allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/enter?back=/"
        for password, good in ((ANNA_PASSWORD, False), (CRANES, True)):
            async with before.post(
                "/enter", data={"name": "Anna", "password": password}, allow_redirects=False
            ) as answer:
                assert (answer.status == 303) is good
    assert [row["person"] for row in made.store.log.bodies_of_kind("password_recovered")] == [site.owner.user.person]


async def test_everybody_else_of_the_household_is_shown_it(site: ServedSite) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(None) as client, site.client(bruno) as other:
        assert (await tried(client, a_code(site)))[0] == 303
        async with other.get("/household", headers=ENGLISH) as answer:
            assert "The password of Anna was replaced" in await answer.text()
        async with client.get("/household", headers=ENGLISH) as answer:
            assert "was replaced" not in await answer.text(), "he did it himself"


async def test_it_is_told_as_a_message_that_is_stored_with_it_and_leaves_at_once(
    site: ServedSite, made: ShellBox
) -> None:
    await made.store.phones.set_recipients(["a-phone"], made.clock.now())
    async with site.client(None) as client:
        assert (await tried(client, a_code(site)))[0] == 303
    await wait_until(lambda: made.line.on("perron/entrance/front/message"))
    (told,) = made.line.on("perron/entrance/front/message")
    assert b"password_reset" in told.payload
    assert b"Anna" in told.payload
    now = made.clock.now()
    (owed,) = made.store.phones.pending("a-phone", now, until=now.utc)
    again = MessageComposer(made.home, made.store).recompose(owed, now)
    assert again is not None, "after a restart it is told out of the store"
    assert "The password of Anna was replaced at" in again.words("en")
    assert "Le mot de passe de Anna" in again.words("fr")
    waiting = [
        ComposedMessage(number=number, about=about, at=now.utc)
        for number, about in enumerate(
            (Notification.NOT_READY, Notification.PASSWORD_RESET, *[Notification.NOT_READY] * 5)
        )
    ]
    assert (waiting[1],) in group_messages(waiting, now.utc), "it is told alone, not as one of many"


async def test_a_code_counts_once_and_says_that_it_was_used(site: ServedSite) -> None:
    code = a_code(site)
    async with site.client(None) as client:
        assert (await tried(client, code))[0] == 303
        status, text = await tried(client, code, "another set of cranes")
    assert status == 422
    assert "This code has been used" in text


async def test_of_two_at_the_same_moment_one_comes_in(site: ServedSite) -> None:
    code = a_code(site)
    async with site.client(None) as one, site.client(None) as other:
        outcomes = await asyncio.gather(tried(one, code), tried(other, code, "another set of cranes"))
    assert sorted(status for status, _ in outcomes) == [303, 422]


@pytest.mark.parametrize("how", ["a quarter of an hour", "another boot", "a newer code"])
async def test_a_code_that_is_old_says_so(
    site: ServedSite, made: ShellBox, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = a_code(site)
    if how == "a quarter of an hour":
        made.time.mono += recovery_codes.CODE_LIFETIME_S
        made.time.skew -= recovery_codes.CODE_LIFETIME_S  # whoever sets the clock back wins nothing
    elif how == "another boot":
        monkeypatch.setattr(recovery_codes, "boot_id", lambda: "another")
    else:
        a_code(site)
    async with site.client(None) as client:
        status, text = await tried(client, code)
    assert (status, "This code is too old" in text) == (422, True)
    assert made.store.log.bodies_of_kind("password_recovered") == ()


async def test_wrong_codes_make_an_outsider_wait_and_never_keep_the_owner_out(site: ServedSite) -> None:
    code = a_code(site)
    async with site.client(None) as client:
        seen = [(await tried(client, new_claim_code()))[0] for _ in range(12)]
        assert seen[:3] == [422] * 3
        assert seen[-1] == 429
        # from the very same address, in the middle of the attack
        assert (await tried(client, code))[0] == 303
        # and his sign-in by name was not slowed either
        async with client.post("/enter", data={"name": "Anna", "password": CRANES}, allow_redirects=False) as answer:
            assert answer.status == 303


async def test_what_cannot_be_a_code_spends_no_try(site: ServedSite) -> None:
    async with site.client(None) as client:
        seen = {(await tried(client, "7K-Q2"))[0] for _ in range(12)}
    assert seen == {422}


async def test_a_weak_password_spends_no_code(site: ServedSite) -> None:
    code = a_code(site)
    async with site.client(None) as client:
        assert "Ten characters at least" in (await tried(client, code, "short"))[1]
        assert (await tried(client, code))[0] == 303


async def test_a_code_lets_in_nobody_who_is_no_owner_any_more(site: ServedSite, made: ShellBox) -> None:
    bruno = await site.guest(Role.OWNER)
    code = a_code(site, bruno.user.person)
    await set_role(made.store.accounts, bruno.user.person, Role.HOUSEHOLD)
    async with site.client(None) as client:
        assert (await tried(client, code))[0] == 422
    assert made.store.log.bodies_of_kind("password_recovered") == ()


@pytest.mark.parametrize("rubbish", [b"", b"{}", b"[1]", b"\xff", b'[{"person": 1}]', b"[" * 3000, b"x" * 9000])
async def test_a_file_that_is_none_of_ours_lets_nobody_in_and_breaks_nothing(site: ServedSite, rubbish: bytes) -> None:
    site.box.home.recovery_codes_file.write_bytes(rubbish)
    async with site.client(None) as client:
        assert (await tried(client, new_claim_code()))[0] == 422


async def test_another_page_cannot_send_it_and_the_file_is_the_box_s_alone(site: ServedSite) -> None:
    code = a_code(site)
    assert site.box.home.recovery_codes_file.stat().st_mode & 0o777 == 0o600
    async with (
        site.client(None) as client,
        client.post(
            "/enter/again", data={"code": code, "password": CRANES}, headers={"Origin": "https://evil.example"}
        ) as answer,
    ):
        assert answer.status == 403


def test_a_link_that_is_planted_where_the_code_was_written_gives_nobody_a_file_of_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is the box's own user's; what root does in it must not reach out of it."""
    file = tmp_path / "way-in"

    def raced(path: Path, data: bytes) -> None:
        path.write_bytes(data)
        path.unlink()
        path.symlink_to(tmp_path / "not-there")  # followed, it would be an error here, and elsewhere /etc/shadow

    monkeypatch.setattr(recovery_codes, "write_whole", raced)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    recovery_codes.store_code(file, recovery_codes.RecoveryCode(person="p", digest="0" * 64, boot="b", mono=0.0))
    assert file.is_symlink()


def test_only_the_last_codes_are_kept(tmp_path: Path) -> None:
    for number in range(9):
        recovery_codes.store_code(
            tmp_path / "way-in",
            recovery_codes.RecoveryCode(person="p", digest=f"{number:064}", boot="b", mono=float(number)),
        )
    codes = recovery_codes.read_codes(tmp_path / "way-in")
    assert [int(code.digest) for code in codes] == [4, 5, 6, 7, 8]
    found = recovery_codes.find_code(codes, bytes.fromhex(f"{7:064}"), boot="b", mono=9.0)
    assert found is not None
    assert not found[1]
