"""What a person does with a link that a page gives them, the menu on the smallest phone, and a typed password."""

import re
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from gateway.system.addresses import is_home_host
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import serve_site

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

SHARES = "navigator.share = (what) => { window.handed = what; return Promise.resolve(); };"


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


async def menu_boxes(page: Page) -> list[tuple[float, float]]:
    """Left and right of each word of the menu, from left to right, in pixels."""
    words = await page.locator(".menu a span").all()
    boxes = [await word.bounding_box() for word in words]
    return [(box["x"], box["x"] + box["width"]) for box in boxes if box is not None]


async def test_the_menus_words_fit_side_by_side_on_the_smallest_phone(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        for locale in ("fr-FR", "en-GB"):
            page = await somebody.page(locale=locale)
            await site.sign_in(page.context)
            await page.goto(f"{site.address}/settings")
            for width in (320, 360, 390):
                await page.set_viewport_size({"width": width, "height": 640})
                boxes = await menu_boxes(page)
                assert len(boxes) == 6
                assert boxes[0][0] >= 0
                assert boxes[-1][1] <= width, "the last word is not cut off"
                gaps = [left - right for (_, right), (left, _) in pairwise(boxes)]
                assert min(gaps) >= 3, f"{locale}, {width} pixels wide: two words touch: {boxes}"
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
            assert await accessibility_problems(page) == []


async def test_an_invitation_is_copied_or_shared_and_says_where_it_opens(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.add_init_script(SHARES)
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/household")
        await (
            page.get_by_role("button", name="Invite: household")
            .or_(page.get_by_role("button", name=re.compile("Invite")))
            .first.click()
        )
        link = await page.locator("#handed-link").inner_text()
        assert "/join/" in link
        await expect(page.get_by_text("This link opens only in the home's own network")).to_be_visible()
        await page.get_by_role("button", name="Copy the link").click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == link
        await page.get_by_role("button", name="Share the link").click()
        assert await page.evaluate("window.handed") == {"url": link}
        assert await accessibility_problems(page) == []


async def test_without_a_clipboard_the_link_is_copied_all_the_same(made: ShellBox) -> None:
    """As on the box's own address without TLS, where a browser gives a page neither clipboard nor sharing."""
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await page.add_init_script(
            "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
            "Object.defineProperty(navigator, 'share', { value: undefined });"
            "document.addEventListener('copy', () => { window.copied = getSelection().toString(); });"
        )
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/household")
        await page.get_by_role("button", name=re.compile("Invite")).first.click()
        await page.get_by_role("button", name="Copy the link").click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert await page.evaluate("window.copied") == await page.locator("#handed-link").inner_text()
        await expect(page.get_by_role("button", name="Share the link")).to_be_hidden()


async def test_an_invitation_is_made_after_the_password_was_asked_for(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        made.time.mono += 301  # the password was given more than five minutes ago
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/household")
        await page.get_by_role("button", name=re.compile("installer", re.IGNORECASE)).first.click()
        await page.get_by_label("Password").fill(ANNA_PASSWORD)
        await page.get_by_role("button", name="Confirm").click()
        assert "/join/" in await page.locator("#handed-link").inner_text(), "the invitation itself, at once"
        somebody.complaints.clear()  # 401, as asked for
        assert [one.role for one in site.accounts.invitations(made.clock.now())] == [Role.INSTALLER]


async def test_a_press_after_the_sign_in_ended_leads_to_the_sign_in(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(site.address)
        await expect(page.locator(".door .word").first).to_have_text("Locked")
        await page.context.clear_cookies()
        await page.get_by_role("button", name=re.compile("Stop everything|Stop")).first.click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await somebody.leave(forgiven="401")


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
async def test_a_password_can_be_shown_while_it_is_typed(made: ShellBox, locale: str) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page(locale=locale)
        await page.goto(f"{site.address}/enter")
        field = page.locator("#password-password")
        await field.fill("secret words")
        await expect(field).to_have_attribute("type", "password")
        await page.locator(".secret button").click()
        await expect(field).to_have_attribute("type", "text")
        await page.locator(".secret button").click()
        await expect(field).to_have_attribute("type", "password")
        assert await accessibility_problems(page) == []


@pytest.mark.parametrize(
    ("host", "home"),
    [
        ("192.168.1.9", True), ("10.0.0.2", True), ("127.0.0.1", True), ("169.254.3.4", True), ("fe80::1%eth0", True),
        ("fd00::1", True), ("localhost", True), ("perron", True), ("perron.local", True), ("perron.home.arpa", True),
        ("PERRON.LAN", True), ("8.8.8.8", False), ("2001:4860:4860::8888", False), ("perron.example.org", False),
        ("home.arpa.example.org", False),
    ],
)  # fmt: skip
async def test_which_addresses_only_the_homes_network_knows(host: str, home: bool) -> None:
    assert is_home_host(host) is home
