"""Somebody away from home: a browser that was enrolled there, and whose box cannot be reached any more."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Locator, Page, Route, expect

from gateway.config.home import HubSection
from tests.browser import Visitor
from tests.gateway.web.awayhub import HOME, AwayHub
from tests.gateway.web.house import HERONS
from tests.shell.box import box
from tests.shell.house import home
from tests.shell.site import Served, served

KEYS = """async () => {
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
class Away:
    """Somebody away from home, whose browser was enrolled there."""

    hub: AwayHub
    page: Page
    somebody: Visitor
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
async def at_home(folder: Path, hub: AwayHub) -> AsyncIterator[Served]:
    """The pages of a house that has joined this hub."""
    (folder / "secret").write_text("secret\n")
    section = HubSection(url=hub.url, home=HOME, host="127.0.0.1", password_file=folder / "secret")
    async with box(folder, home(folder).model_copy(update={"hub": section})) as made, served(made) as site:
        yield site


async def enrols(page: Page, site: Served, hub: AwayHub) -> None:
    """Enrol this browser, as its owner does at home."""

    async def answered(route: Route) -> None:
        await (hub.enrolling(route) if route.request.method == "POST" else route.continue_())

    await page.context.route("**/away/enrol", answered)
    await page.goto(f"{site.address}/away/enrol")
    await page.locator("[name=password]").fill(HERONS)
    await page.locator("form.enrol button").click()


@asynccontextmanager
async def gone(folder: Path, hub: AwayHub, somebody: Visitor, *, locale: str = "en-GB") -> AsyncIterator[Away]:
    """Enrolled at home, and gone: the box's pages are not there any more."""
    async with at_home(folder, hub) as site:
        page = await somebody.page(locale=locale)
        await site.sign_in(page.context)
        await enrols(page, site, hub)
        await page.wait_for_url(re.compile("/away/(fr|en)$"))
        await expect(page.locator("#heard")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))
    yield Away(hub, page, somebody, site.address)
    # what the browser itself tells of each connection that failed
    await somebody.leave(forgiven=r"ERR_|Failed to load")
