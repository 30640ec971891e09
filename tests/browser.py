"""A real browser: Debian's Chromium, headless, an empty profile. What its console complains of fails the test.

`chromium-headless-shell` is built from the same source without the windows of a desktop: same engine, and a test costs
1.1 s of processor time instead of 3.1.
"""

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

CHROMIUM_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--no-first-run",
    "--js-flags=--no-opt,--no-maglev",  # a page lives for seconds: optimizing its scripts costs more than it gives
)
PHONE_OPTIONS: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
RUN_AXE = "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => ({ violations }))"  # only what is wrong
TIMEOUT_MS = 60_000.0  # milliseconds, on a loaded machine

Scheme = Literal["light", "dark"]  # of colours

expect.set_options(timeout=TIMEOUT_MS)


IN_SHARED_BROWSER = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("shared_browser")]
"""Marks for a file whose tests share one browser. Each test gets an empty profile. A start of the browser costs 0.65 s
of processor time. A browser belongs to one event loop, so these tests and their async fixtures share the loop."""

_shared: dict[asyncio.AbstractEventLoop, Browser] = {}  # a browser speaks on the loop that it was started on alone


@dataclass
class BrowserVisitor:
    """One person's browser. `complaints` is what its console said that is no plain note."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    async def page(self, *, locale: str = "en-GB", **options: Any) -> Page:  # noqa: ANN401 - Playwright's own
        """Open an empty page in a context of its own: nobody's cookies."""
        context = await self.browser.new_context(locale=locale, **(PHONE_OPTIONS | options))
        self._contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = await context.new_page()
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    async def leave(self, *, forgiven: str = "") -> None:
        """Close every page, and forget what the console said that matches: the test has asked for it.

        Where a page is still open it may complain once more, of a box that is gone, after all was forgotten.
        """
        await self.close()
        self.complaints[:] = [one for one in self.complaints if not re.search(forgiven, one)]

    async def close(self) -> None:
        """Close every page, and with it its profile."""
        while self._contexts:
            await self._contexts.pop().close()

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@asynccontextmanager
async def visitor(*more: str) -> AsyncIterator[BrowserVisitor]:
    """A browser whose pages are closed when this is left, with nothing to complain of.

    `more`: further switches of Chromium. With switches the test starts another browser.
    """
    async with contextlib.AsyncExitStack() as stack:
        browser = None if more else _shared.get(asyncio.get_running_loop())
        if browser is None:
            browser = await stack.enter_async_context(run_browser(*more))
        somebody = BrowserVisitor(browser)
        try:
            yield somebody
        finally:
            await somebody.close()
    assert somebody.complaints == [], somebody.complaints


@asynccontextmanager
async def run_browser(*more: str) -> AsyncIterator[Browser]:
    """Chromium with these switches, until left."""
    chromium = shutil.which("chromium-headless-shell")
    assert chromium, "the Debian package chromium-headless-shell is needed for this test"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_SWITCHES, *more])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def share_browser() -> AsyncIterator[None]:
    """Let each `visitor` of this loop without switches use one browser, until left."""
    async with run_browser() as browser:
        _shared[asyncio.get_running_loop()] = browser
        try:
            yield
        finally:
            _shared.clear()


async def accessibility_problems(page: Page) -> list[str]:
    """What is in the way of somebody who sees badly or uses no mouse, by axe's rules: one line each.

    A click leads to a page whose style sheet may still load: axe would compare one style's text with another's ground.
    """
    await page.wait_for_load_state("load")
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(Axe().axe_script)
    return _problem_lines(await page.evaluate(RUN_AXE))


async def contrast_problems(page: Page) -> list[str]:
    """The same of colours alone, where `accessibility_problems` has looked at the whole page already."""
    return _problem_lines(await page.evaluate("axe.run({ runOnly: ['color-contrast'] })"))


def _problem_lines(found: Mapping[str, Any]) -> list[str]:
    return [f"{one['id']}: {node['html'][:160]}" for one in found["violations"] for node in one["nodes"]]
