"""Coming in, in a real browser and over HTTP: claiming, signing in, inviting, being asked again, links in messages."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import expect

from gateway.config.editor import HomeFileWriter
from gateway.config.home import PagesSection
from gateway.domain.delivery.permission import PermissionStatus
from gateway.runtime.notifications import action_links
from gateway.web.auth.accounts import UserAccounts
from gateway.web.auth.roles import Role
from gateway.web.server import context as web
from gateway.web.site import PagesSite
from tests.browser import IN_SHARED_BROWSER, TIMEOUT_MS, accessibility_problems, visitor
from tests.gateway.web.house import ANNA_PASSWORD, cheap_passwords
from tests.shell.box import LINK_KEY, ShellBox, box, run_box
from tests.shell.house import home_without_permission, make_home
from tests.shell.site import make_proposals, make_supervision, make_walk_tests, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

expect.set_options(timeout=TIMEOUT_MS)


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


def a_site(made: ShellBox, pages: PagesSection | None = None) -> PagesSite:
    """The pages as they are at a first start: nobody's yet."""
    walking = make_walk_tests(made, lambda camera: made.eyes.take_picture(camera, 1.0))
    seen = web.GatewayServices(
        home=made.home,
        store=made.store,
        clock=made.clock,
        inbox=made.reception,
        states=lambda: tuple((running.state, made.clock.now()) for running in made.entrances.values()),
        video_socket=made.home.storage.folder / "video.sock",
        camera_proofs=dict,
        take_picture=lambda camera: made.eyes.take_picture(camera, 1.0),
        public_key=made.key.public,
        contacts=made.phonebook,
        erase_expired_films=made.archive.request_tidying,
        notify_owner=lambda _command, _message: None,
        decommissioning=made.removal,
        walk_tests=walking,
        supervision=make_supervision(made),
        proposals=make_proposals(made, None, lambda: None),
        home_file_writer=HomeFileWriter(None, reload=lambda: None),
        uplink=None,
    )
    accounts = UserAccounts(made.store, made.clock.now(), passwords=cheap_passwords())
    return PagesSite(seen, accounts, pages or PagesSection(port=0), link_key=LINK_KEY, changes=made.changes)


@pytest.mark.slow
async def test_a_box_is_claimed_by_the_code_it_shows_also_over_a_restart_in_the_middle(made: ShellBox) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        first = a_site(made)
        await first.open()
        await page.goto(f"http://127.0.0.1:{first.port}/")
        await expect(page).to_have_url(re.compile("/claim$"))
        assert await accessibility_problems(page) == []
        old = made.home.claim_code_file.read_text(encoding="ascii").strip()
        assert made.home.claim_code_file.stat().st_mode & 0o777 == 0o600
        await first.close()

        again = a_site(made)
        await again.open()
        await page.goto(f"http://127.0.0.1:{again.port}/claim")
        code = made.home.claim_code_file.read_text(encoding="ascii").strip()
        assert code != old
        for tried, told in ((old, "This is not the code: read it once more, only the newest counts."), (code, None)):
            await page.get_by_label("The box's code").fill(tried)
            await page.get_by_label("Name", exact=True).fill("Anna")
            await page.get_by_label(re.compile("New password")).fill(ANNA_PASSWORD)
            await page.get_by_role("button", name="Claim it").click()
            if told is not None:
                await expect(page.get_by_role("alert")).to_have_text(told)
        await expect(page.locator(".door .word").first).to_have_text("Locked")
        assert not made.home.claim_code_file.exists()
        await again.close()
        await somebody.leave()  # the wrong code's own answer, and the connections that ended with the box


@pytest.mark.slow
async def test_an_owner_invites_somebody_who_joins_on_his_own_phone(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await page.goto(f"{site.address}/household")
        await page.get_by_label("Name", exact=True).fill("anna")
        await page.get_by_label("Password").fill("not the password")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
        await page.get_by_label("Password").fill(ANNA_PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("h1")).to_have_text("Household")
        assert await accessibility_problems(page) == []

        await page.get_by_role("button", name="Invite a family member").click()
        link = await page.locator("code").first.inner_text()
        assert "/join/" in link

        other = await somebody.page(locale="fr-FR")
        await other.goto(link)
        assert await accessibility_problems(other) == []
        await other.get_by_label("Nom", exact=True).fill("Bruno")
        await other.get_by_label(re.compile("Nouveau mot de passe")).fill("a second set of herons")
        await other.get_by_role("button", name="Rejoindre").click()
        await expect(other.locator(".door .word").first).to_have_text("Verrouillée")
        await other.goto(link)
        await expect(other.get_by_role("alert")).to_be_visible()
        await page.goto(f"{site.address}/household")
        await expect(page.locator(".people")).to_contain_text("Bruno household")
        await page.goto(f"{site.address}/settings")
        assert await accessibility_problems(page) == []
        await somebody.leave()  # 422 and 404, as asked for


@pytest.mark.slow
async def test_what_cannot_be_undone_asks_for_the_password_again(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        bruno = (await site.guest(Role.HOUSEHOLD)).user.name
        made.time.mono += 301
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/household")
        await page.get_by_role("button", name=f"Remove {bruno}").click()
        await expect(page.get_by_label("Password")).to_be_visible()
        assert await accessibility_problems(page) == []
        await page.get_by_label("Password").fill(ANNA_PASSWORD)
        await page.get_by_role("button", name="Confirm").click()
        somebody.complaints.clear()  # 401, as asked for
        await expect(page.locator(".people")).not_to_contain_text(bruno)


async def test_an_invitation_is_made_once_the_password_was_given(made: ShellBox) -> None:
    async with serve_site(made) as site, site.client(site.owner) as client:
        made.time.mono += 301
        async with client.post("/household/invite", data={"role": "installer"}) as answer:
            assert answer.status == 401
            page = await answer.text()
        action = re.search(r'method="post" action="(/household[^"]*)"', page)
        assert action is not None
        fields = re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', page.split(action[0])[1].split("</form>")[0])
        async with client.post(action[1], data=[*fields, ("password_again", ANNA_PASSWORD)]) as answer:
            assert answer.status == 200
            assert "/join/" in await answer.text(), "the invitation's link is shown at once"
        assert [one.role for one in site.accounts.invitations(made.clock.now())] == [Role.INSTALLER]


async def test_guessing_is_slowed_and_told_how_long(made: ShellBox) -> None:
    async with serve_site(made) as site, site.client(None) as client:
        for _ in range(30):
            async with client.post("/enter", data={"name": "Anna", "password": "not the password"}) as answer:
                if answer.status == 429:
                    assert int(answer.headers["Retry-After"]) > 0
                    return
                assert answer.status == 422
    pytest.fail("nobody was ever slowed")


async def test_a_session_s_cookie_is_out_of_reach_of_scripts_and_of_other_sites(made: ShellBox) -> None:
    async with serve_site(made) as site, site.client(None) as client:
        fields = {"name": "Anna", "password": ANNA_PASSWORD, "back": "https://evil.example/"}
        async with client.post("/enter", data=fields, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            cookies = answer.headers.getall("Set-Cookie")
    assert len(cookies) == 2
    assert all("HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie for cookie in cookies)


# ---- links in messages -----------------------------------------------------------------------------------------------


def link(made: ShellBox, purpose: action_links.LinkPurpose, subject: str, *, hours: float = 1) -> str:
    return action_links.sign_link(purpose, subject, made.clock.now().utc + timedelta(hours=hours), b"n" * 16, LINK_KEY)


async def test_a_link_asks_first_and_counts_once(made: ShellBox) -> None:
    async with serve_site(made) as site, ClientSession(site.address) as client:
        path = f"/link/{link(made, action_links.LinkPurpose.STOP, 'front')}"
        async with client.get(path) as answer:
            assert answer.status == 200
            assert not made.front.is_stopped()
        async with client.post(path) as answer:
            assert answer.status == 200
        await wait_until(made.front.is_stopped)
        async with client.post(path) as answer:
            assert answer.status == 410


@pytest.mark.parametrize("made_wrong", ["forged", "expired", "foreign entrance", "nonsense"])
async def test_a_link_that_is_not_good_any_more_does_nothing(made: ShellBox, made_wrong: str) -> None:
    token = {
        "forged": link(made, action_links.LinkPurpose.STOP, "front")[:-2] + "AA",
        "expired": link(made, action_links.LinkPurpose.STOP, "front", hours=-1),
        "foreign entrance": link(made, action_links.LinkPurpose.STOP, "cellar"),
        "nonsense": "nonsense",
    }[made_wrong]
    async with serve_site(made) as site, ClientSession(site.address) as client:
        async with client.post(f"/link/{token}") as answer:
            assert answer.status == 410
        assert not made.front.is_stopped()


@pytest.mark.parametrize(
    ("purpose", "standing", "said"),
    [
        (action_links.LinkPurpose.PERMIT, PermissionStatus.GRANTED, "shop is let in."),
        (action_links.LinkPurpose.REFUSE_BRAND, PermissionStatus.REFUSED, "shop is not let in."),
    ],
)
async def test_a_link_answers_for_a_brand_and_says_what_was_decided_ever_after(
    tmp_path: Path, purpose: action_links.LinkPurpose, standing: PermissionStatus, said: str
) -> None:
    english = {"Accept-Language": "en"}
    async with (
        box(tmp_path, home_without_permission(make_home(tmp_path))) as made,
        run_box(made),
        serve_site(made) as site,
    ):
        yes, other = (
            action_links.sign_link(
                one, "front.shop.1", made.clock.now().utc + timedelta(days=7), one.encode().ljust(16)[:16], LINK_KEY
            )
            for one in (purpose, action_links.LinkPurpose.PERMIT)
        )
        async with ClientSession(site.address, headers=english) as client:
            async with client.get(f"/link/{yes}") as answer:
                page = await answer.text()
                assert answer.status == 200
            for fact in ("shop asks to be let in", "Front, Garage", "Colissimo", "at any hour", "it is no"):
                assert fact in page, fact
            permission = made.store.brands.permission("shop")
            assert permission is not None
            assert permission.standing is PermissionStatus.PENDING, "to look at a link decides nothing"
            async with client.post(f"/link/{yes}") as answer:
                assert (answer.status, said in await answer.text()) == (200, True)
            permission = made.store.brands.permission("shop")
            assert permission is not None
            assert permission.standing is standing
            for method, token in (("GET", yes), ("POST", yes), ("GET", other), ("POST", other)):
                async with client.request(method, f"/link/{token}") as answer:
                    page = await answer.text()
                    assert (answer.status, "Decided already." in page, said in page) == (410, True, True), method
            assert made.store.brands.permission("shop") == permission


async def test_a_permission_s_link_from_before_a_revocation_permits_nothing(made: ShellBox) -> None:
    brand = next(iter(made.home.brands))
    permission = made.store.brands.permission(brand)
    assert permission is not None
    token = link(made, action_links.LinkPurpose.PERMIT, f"front.{brand}.{permission.version}")
    await made.store.brands.decide(brand, PermissionStatus.REVOKED, made.clock.now())
    async with serve_site(made) as site, ClientSession(site.address) as client, client.post(f"/link/{token}") as answer:
        assert answer.status == 410
    permission = made.store.brands.permission(brand)
    assert permission is not None
    assert permission.standing is PermissionStatus.REVOKED
