"""The pages as an app of the home screen, in a real browser: installed, and honest while the box does not answer."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from PIL import Image, ImageChops
from playwright.async_api import Page, expect

from gateway.web.pages.installable import pages_manifest
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.web.icons import ICON_SIZES_PX, STATIC, draw_icons
from tests.shell.box import box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

pytestmark = IN_SHARED_BROWSER

CONTROLLED = """async () => {
  if (navigator.serviceWorker.controller) return;
  await new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done, { once: true }));
}"""
STORED = """async () => {
  const stored = [];
  for (const name of await caches.keys())
    for (const one of await (await caches.open(name)).keys()) stored.push(new URL(one.url).pathname);
  return stored.sort();
}"""
NOT_ANSWERED = "ERR_CONNECTION_REFUSED|ERR_FAILED|WebSocket|Failed to fetch|Failed to load resource"


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        async with serve_site(made) as site:
            yield site


async def until_kept(page: Page) -> None:
    """Wait until the service worker has stored what it shows without the box."""
    await page.evaluate(CONTROLLED)


@pytest.mark.parametrize(("language", "live"), [("en", "Live"), ("fr", "En direct")])
async def test_a_browser_finds_all_that_it_needs_to_install_the_pages(
    site: ServedSite, language: str, live: str
) -> None:
    async with visitor() as somebody:
        page = await somebody.page(locale=language)
        await site.sign_in(page.context)
        await page.goto(site.address)
        devtools = await page.context.new_cdp_session(page)
        read = await devtools.send("Page.getAppManifest")
        assert read["errors"] == []
        assert read["url"] == f"{site.address}/manifest/{language}.webmanifest"
        said = json.loads(read["data"])
        assert (said["lang"], said["start_url"], said["display"]) == (language, "/", "standalone")
        assert said["shortcuts"][0]["name"] == live
        for icon in said["icons"]:
            answer = await page.request.get(f"{site.address}{icon['src']}")
            assert (answer.status, answer.headers["content-type"]) == (200, icon["type"])
            if icon["type"] == "image/png":
                size = Image.open(io.BytesIO(await answer.body())).size
                assert "x".join(map(str, size)) == icon["sizes"]
        refused = (await devtools.send("Page.getInstallabilityErrors"))["installabilityErrors"]
        assert [one["errorId"] for one in refused if one["errorId"] != "in-incognito"] == []


async def test_a_manifest_exists_in_the_languages_of_the_pages_only(site: ServedSite) -> None:
    async with ClientSession(site.address) as client:
        for language, status in (("en", 200), ("fr", 200), ("de", 404), ("xx", 404)):
            async with client.get(f"/manifest/{language}.webmanifest") as answer:
                assert answer.status == status, language
        async with client.get("/offline/missing.js") as answer:
            assert answer.status == 404
    assert site.box.home.name.encode() not in pages_manifest("en"), "a stranger learns nothing of the house"


@pytest.mark.slow
async def test_the_icons_are_those_of_the_one_drawing() -> None:
    for kind, png in (await draw_icons()).items():
        kept, drawn = Image.open(STATIC / f"perron-{kind}.png"), Image.open(io.BytesIO(png))
        assert kept.size == drawn.size == (ICON_SIZES_PX[kind],) * 2
        differing = ImageChops.difference(kept.convert("RGB"), drawn.convert("RGB")).convert("L")
        assert differing.point(lambda level: 255 if level > 32 else 0).getbbox() is None, kind  # else draw them anew


@pytest.mark.parametrize(
    ("locale", "scheme", "width", "title"),
    [("en-GB", "light", 320, "The box does not answer"), ("fr-FR", "dark", 390, "La box ne répond pas")],
)
async def test_while_the_box_does_not_answer_a_page_says_so_and_goes_on_when_it_does(
    site: ServedSite, locale: str, scheme: str, width: int, title: str
) -> None:
    async with visitor() as somebody:
        page = await somebody.page(locale=locale, color_scheme=scheme, viewport={"width": width, "height": 700})
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/history")
        await until_kept(page)
        port = site.site.port
        await site.site.close()
        await page.reload()
        await expect(page.get_by_role("heading", name=title)).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await accessibility_problems(page) == []
        site.site._pages = site.site._pages.model_copy(update={"port": port})  # noqa: SLF001 - the same box comes back
        await site.site.open()
        await expect(page.locator("nav.menu")).to_be_visible()
        assert page.url == f"{site.address}/history"
        await somebody.leave(forgiven=NOT_ANSWERED)


async def test_no_page_of_the_house_is_ever_stored(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        for path in ("/", "/history", "/household", "/settings", "/live"):
            await page.goto(f"{site.address}{path}")
        await until_kept(page)
        stored = await page.evaluate(STORED)
        assert set(stored) == {"/", "/offline/en", "/offline/fr", "/offline/perron.css", "/offline/perron.svg",
                               "/offline/offline.js"}  # fmt: skip
        language = "caches.open('perron-language').then((one) => one.match('/')).then((one) => one.text())"
        assert await page.evaluate(language) == "en", "the only entry for the first page is the reader's language"
