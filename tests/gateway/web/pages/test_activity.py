"""Who signed in, where, and who failed to: each sees his own, the owner all of it."""

from pathlib import Path

from gateway.storage.people import MAX_NOTED_BURSTS_PER_DAY
from gateway.storage.store import Store
from gateway.web.auth.accounts import WRONG_PASSWORDS_BEFORE_REPORT, AccountError
from gateway.web.auth.roles import Role
from gateway.web.pages.household import MAX_LINES_SHOWN, activity_lines
from tests.gateway.web.auth.test_user_agent import ANDROID
from tests.gateway.web.house import ANNA_PASSWORD, AccountsHouse, RetryAfter, running, signed_in
from tests.shell.site import ServedSite

ENGLISH = {"Accept-Language": "en"}


def texts(store: Store, of: str | None = None) -> list[str]:
    return [one.text for one in activity_lines(store, "en", person=of)]


async def test_a_sign_in_is_told_with_its_browser_on_the_pages_of_whom_it_concerns(site: ServedSite) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(None) as client:
        fields = {"name": "Bruno", "password": ANNA_PASSWORD}
        async with client.post("/enter", data=fields, headers={"User-Agent": ANDROID}) as answer:
            assert answer.status == 200
    pages: dict[str, str] = {}
    for name, who in (("bruno", bruno), ("anna", site.owner)):
        async with site.client(who) as client:
            for path in ("/settings", "/settings/sign-ins"):
                async with client.get(path, headers=ENGLISH) as answer:
                    pages[f"{name} {path}"] = await answer.text()
    assert "Chrome on Android" in pages["bruno /settings"]
    assert "last seen" in pages["bruno /settings"]
    assert "Bruno signed in: Chrome on Android" in pages["bruno /settings/sign-ins"]
    assert "Anna invited somebody" not in pages["bruno /settings/sign-ins"]
    assert "Bruno signed in: Chrome on Android" in pages["anna /settings/sign-ins"]
    assert "Anna invited somebody: household" in pages["anna /settings/sign-ins"]
    assert "Chrome on Android" not in pages["anna /settings"], "another's sessions are his own matter"


async def test_a_browser_that_lies_about_itself_is_only_unknown(site: ServedSite) -> None:
    async with site.client(None) as client:
        fields = {"name": "Anna", "password": ANNA_PASSWORD}
        hostile = "<img src=x onerror=alert(1)>" + "A" * 5000
        async with client.post("/enter", data=fields, headers={"User-Agent": hostile}) as answer:
            assert answer.status == 200
        for path in ("/settings", "/settings/sign-ins"):
            async with client.get(path, headers=ENGLISH) as answer:
                page = await answer.text()
                assert "unknown browser" in page
                assert "onerror" not in page


async def test_a_burst_of_wrong_passwords_is_told_and_nobody_can_fill_the_log_with_them(tmp_path: Path) -> None:
    house: AccountsHouse
    async with running(tmp_path) as house:
        anna = await house.owner()
        await house.wrong(WRONG_PASSWORDS_BEFORE_REPORT - 1)
        assert not [text for text in texts(house.store) if "wrong" in text]
        await house.wrong(1)
        await house.wrong(60, "Nobody")  # of whom nothing is told: there is no such account
        await house.store.log.append("later", {}, house.now)  # what is not waited for is on disk before this
        assert [text for text in texts(house.store, anna.user.person) if "wrong" in text] == [
            "5 wrong passwords for Anna"
        ]
        await house.wrong(200)
        await house.store.log.append("later", {}, house.now)
        rows = house.store.log.newest_bodies(("sign_in_wrong",), at_most=500)
        assert {row["tries"] for row in rows} == {5, 10, 20}
        assert MAX_NOTED_BURSTS_PER_DAY < len(rows) <= 3 * MAX_NOTED_BURSTS_PER_DAY, "two days of guessing"


async def test_a_wrong_password_where_one_is_known_already_counts_as_well(tmp_path: Path) -> None:
    house: AccountsHouse
    async with running(tmp_path) as house:
        anna = await house.owner()
        tried = 0
        while tried < WRONG_PASSWORDS_BEFORE_REPORT:
            outcome = await house.accounts.confirm_password(anna.user, "not the password", house.now)
            if isinstance(outcome, RetryAfter):
                house.watch.on(seconds=outcome.seconds)
                continue
            assert outcome is AccountError.PASSWORD_WRONG
            tried += 1
        await house.store.log.append("later", {}, house.now)
        assert "5 wrong passwords for Anna" in texts(house.store)


async def test_what_becomes_of_accounts_is_told_the_newest_first_and_has_an_end(tmp_path: Path) -> None:
    house: AccountsHouse
    async with running(tmp_path) as house:
        anna = await house.owner()
        bruno = await house.guest(anna, "Bruno")
        assert (
            await house.accounts.change_password(bruno.user, ANNA_PASSWORD, "another set of herons", house.now) is None
        )
        assert await house.accounts.remove_person(anna.user, bruno.user.person, house.now) is None
        assert texts(house.store)[:3] == [
            "Bruno has no account any more (by Anna)",
            "Bruno changed their password",
            "Bruno signed in: unknown browser",
        ]
        for _ in range(MAX_LINES_SHOWN):
            signed_in(await house.sign_in())
        assert len(texts(house.store)) == MAX_LINES_SHOWN
        assert set(texts(house.store)) == {"Anna signed in: unknown browser"}
