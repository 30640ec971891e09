"""The page of the phones: who may change it, what it never shows, and what it says of each phone as it comes."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, TIMEOUT_MS, accessibility_problems, visitor
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.receiver import SECRET_TOKEN, receiver
from tests.shell.site import ServedSite, serve_site

pytestmark = IN_SHARED_BROWSER

expect.set_options(timeout=TIMEOUT_MS)

PAGE = "/settings/messages"
ENGLISH = {"Accept-Language": "en"}


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


async def added(client: ClientSession, url: str, *, password: str = ANNA_PASSWORD) -> tuple[int, str]:
    async with client.post(PAGE, data={"url": url, "password": password}, headers=ENGLISH) as answer:
        return answer.status, await answer.text()


async def test_a_phone_is_added_only_with_the_password_and_its_address_is_never_shown(
    site: ServedSite, made: ShellBox
) -> None:
    async with receiver() as ear, site.client(site.owner) as client:
        status, page = await added(client, ear.json, password="another one")  # noqa: S106 - a wrong one
        assert (status, "This password is wrong." in page) == (422, True)
        assert made.phonebook.list_phones() == ()
        status, page = await added(client, ear.json)
        assert (status, "Added. Try it." in page) == (200, True)
        assert "json 127.0.0.1" in page
        async with client.get(PAGE) as answer:
            page += await answer.text()
        assert SECRET_TOKEN not in page
        assert str(ear.port) not in page
        assert made.home.storage.folder.joinpath("phones.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"syslog://{SECRET_TOKEN}", "syslog:// is not let in here"),
        (f"<script>alert(1)</script>://{SECRET_TOKEN}", "&lt;script&gt;alert(1)&lt;/script&gt;:// is not let in here"),
        (f"discord://{SECRET_TOKEN}/b?template=/etc/passwd", "make the box read one of its files"),
        (f"mailto://{SECRET_TOKEN}", "mailto:// is written mailto://USER:PASSWORD@SERVER"),
        (SECRET_TOKEN, "it begins like ntfys://SERVER/TOPIC"),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_repeats_no_secret(site: ServedSite, url: str, said: str) -> None:
    async with site.client(site.owner) as client:
        status, page = await added(client, url)
    assert status == 422
    assert said in page
    assert SECRET_TOKEN not in page


async def test_a_file_that_others_can_read_is_said_to_be_so(site: ServedSite, made: ShellBox) -> None:
    async with site.client(site.owner) as client:
        made.phonebook.file.write_text("")
        for mode, said in ((0o600, "which only the box can read"), (0o640, "chmod 600")):
            made.phonebook.file.chmod(mode)
            async with client.get(PAGE, headers=ENGLISH) as answer:
                assert said in await answer.text()


async def test_the_page_is_the_owner_s_alone(site: ServedSite) -> None:
    for role, name in ((Role.HOUSEHOLD, "Bruno"), (Role.INSTALLER, "Ines")):
        guest = await site.guest(role, name)
        async with site.client(guest) as client:
            for method, path in (("GET", PAGE), ("POST", PAGE), ("POST", f"{PAGE}/x")):
                async with client.request(method, path, data={"do": "try"} if method == "POST" else None) as answer:
                    assert answer.status == 403, (role, path)
            async with client.get("/settings") as answer:
                assert PAGE not in await answer.text()
            async with client.ws_connect("/feed") as feed:
                await feed.send_json({"want": ["en/phones/all", "en/state/front"]})
                parts: dict[str, str] = {}
                while "en/state/front" not in parts:
                    parts |= (await feed.receive_json(timeout=20)).get("parts", {})
                assert set(parts) == {"en/state/front"}


async def test_what_does_not_exist_is_not_done(site: ServedSite) -> None:
    async with receiver() as ear, site.client(site.owner) as client:
        await added(client, ear.json)
        name = site.box.phonebook.list_phones()[0].name
        for path, do, status in ((f"{PAGE}/nobody", "remove", 404), (f"{PAGE}/nobody", "en", 404),
                                 (f"{PAGE}/{name}", "dance", 400)):  # fmt: skip
            async with client.post(path, data={"do": do}) as answer:
                assert answer.status == status, (path, do)


async def hindered(page: Page) -> list[str]:
    """What is in the way of somebody who sees badly, once the page has heard of the box (before, all is grey)."""
    await expect(page.locator("#link")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))
    return await accessibility_problems(page)


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "scheme"), [("fr-FR", "dark"), ("en-GB", "light")])
async def test_an_owner_adds_tries_and_removes_a_phone_and_sees_each_outcome_as_it_comes(
    site: ServedSite, locale: str, scheme: str
) -> None:
    async with receiver() as ear, visitor() as somebody:
        page = await somebody.page(locale=locale, color_scheme=scheme, reduced_motion="reduce")
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/settings")
        await page.locator(f'a[href="{PAGE}"]').click()
        await page.locator("[name=url]").fill(ear.ntfy)
        await page.locator("[name=password]").fill(ANNA_PASSWORD)
        await page.locator("form.fields button").click()
        phone = page.locator("article")
        await expect(phone).to_contain_text("ntfy 127.0.0.1")
        await expect(phone).to_contain_text(re.compile("Not reached yet|Pas encore joint"))
        assert await hindered(page) == []
        await phone.locator("[value=try]").press("Enter")
        await expect(phone.get_by_role("status")).to_contain_text(re.compile("^(Reached|Joint)"))
        await expect(phone).to_contain_text(re.compile("Last reached|Joint pour la dernière fois"))
        await ear.down()
        await phone.locator("[value=try]").click()
        await expect(phone.get_by_role("status")).to_contain_text(re.compile("^(Not reached|Pas joint)"))
        assert await hindered(page) == []
        await phone.locator("[value=fr]").click()
        await expect(phone.locator("[value=fr]")).to_have_attribute("aria-pressed", "true")
        book = site.box.phonebook
        assert await book.add(ear.json, site.owner.user.person) is None
        await expect(phone).to_have_count(2)
        await phone.nth(1).locator("[value=try]").focus()
        await book.set_language(book.list_phones()[0].name, "en")  # the part is painted anew under his fingers
        await expect(phone.nth(0).locator("[value=en]")).to_have_attribute("aria-pressed", "true")
        held = page.locator(":focus")
        await expect(held).to_have_attribute("aria-label", re.compile("2$"))
        await book.remove(book.list_phones()[1].name, site.owner.user.person)
        await expect(phone).to_have_count(1)
        await phone.locator("summary").click()
        await phone.locator("[value=remove]").click()
        await expect(page.locator(".notice[role=status]")).to_have_text(re.compile("Removed|Retiré"))
        await expect(phone).to_have_count(0)
