"""Somebody away from home: a browser that was enrolled there, and whose box cannot be reached any more."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Locator, Page, Route, expect

from gateway.config.home import HubSection
from tests.browser import BrowserVisitor
from tests.gateway.web.awayhub import HOME, FakeHub
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

READ_KEYS_SCRIPT = """async () => {
    const base = await new Promise((resolve) => {
        const asked = indexedDB.open("perron-away");
        asked.onsuccess = () => resolve(asked.result);
    });
    const me = await new Promise((resolve) => {
        const asked = base.transaction("me").objectStore("me").get("enrolment");
        asked.onsuccess = () => resolve(asked.result);
    });
    base.close();
    if (me === undefined) return null;
    return [me.browser, me.number, ...await Promise.all([me.sign, me.agree].map(
        (key) => crypto.subtle.exportKey("pkcs8", key).then(() => "read out", () => key.type)))];
}"""
"""What the browser keeps: its name, its last number, and whether the keys can be read out of it."""


@dataclass
class RemotePage:
    """Somebody away from home, whose browser was enrolled there."""

    hub: FakeHub
    page: Page
    somebody: BrowserVisitor
    address: str

    @property
    def browser(self) -> str:
        """The hub's name of it."""
        return list(self.hub.keys)[-1]

    @property
    def front(self) -> Locator:
        """What the page says of the front door."""
        return self.page.locator("[data-entrance=front] .door .word")

    @property
    def heard(self) -> Locator:
        """Whether the box is heard."""
        return self.page.locator("#heard")

    async def unheard(self, why: str) -> None:
        """It is said that nothing is heard, and why."""
        await expect(self.heard).to_have_text("No word from the box")
        await expect(self.page.locator("body.unheard #as-of")).to_contain_text(why)

    async def twice(self, button: Locator) -> None:
        """Press, and press once more."""
        await button.click()
        await expect(button).to_contain_text("press once more")
        await button.click()


@asynccontextmanager
async def serve_at_home(folder: Path, hub: FakeHub) -> AsyncIterator[ServedSite]:
    """The pages of a house that has joined this hub."""
    (folder / "secret").write_text("secret\n")
    section = HubSection(url=hub.url, home=HOME, host="127.0.0.1", password_file=folder / "secret")
    async with box(folder, make_home(folder).model_copy(update={"hub": section})) as made, serve_site(made) as site:
        yield site


async def enrol_browser(page: Page, site: ServedSite, hub: FakeHub) -> None:
    """Enrol this browser, as its owner does at home."""

    async def answered(route: Route) -> None:
        await (hub.enrolling(route) if route.request.method == "POST" else route.continue_())

    await page.context.route("**/away/enrol", answered)
    await page.goto(f"{site.address}/away/enrol")
    await page.locator("[name=password]").fill(ANNA_PASSWORD)
    await page.locator("form.enrol button:not([type=button])").click()


@asynccontextmanager
async def open_remote_page(
    folder: Path, hub: FakeHub, somebody: BrowserVisitor, *, locale: str = "en-GB"
) -> AsyncIterator[RemotePage]:
    """Enrolled at home, and gone: the box's pages are not there any more."""
    async with serve_at_home(folder, hub) as site:
        page = await somebody.page(locale=locale)
        await site.sign_in(page.context)
        await enrol_browser(page, site, hub)
        await page.wait_for_url(re.compile("/away/(fr|en)$"))
        await expect(page.locator("#heard")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))
    yield RemotePage(hub, page, somebody, site.address)
    # what the browser itself tells of each connection that failed
    await somebody.leave(forgiven=r"ERR_|Failed to load")
