"""Every page there is, by the server's own list of addresses: for every eye, on every screen, in both languages."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession, WSServerHandshakeError
from playwright.async_api import Page, expect

from gateway.web.server.security_headers import HEADERS, LABEL_READER_HEADERS, PHOTO_READER_HEADERS, away_headers
from gateway.web.site import STATIC_FILES
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, contrast_problems, visitor
from tests.gateway.web.tour import NO_PAGE_ROUTES, Tour, prepare_tour

pytestmark = IN_SHARED_BROWSER

SMALL, LARGE = 360, 1280  # pixels
FORM = "application/x-www-form-urlencoded"
FOREIGN = "http://evil.example"


@pytest_asyncio.fixture(loop_scope="session")
async def walk(tmp_path: Path) -> AsyncIterator[Tour]:
    async with prepare_tour(tmp_path) as walk:
        yield walk


def filled(route: str) -> str:
    return re.sub(r"\{[^}]*\}", "front", route)


def test_what_a_box_shows_is_said_once(walk: Tour) -> None:
    """A new page fails here until `prepare_tour` knows the way to it (or NO_PAGE_ROUTES says that it is none)."""
    known = {route for route, methods in walk.routes.items() if "GET" in methods}
    assert known == set(walk.pages) | NO_PAGE_ROUTES


async def settled(page: Page, address: str) -> None:
    """Open a page, which then shows what is so; its headers are those of every answer."""
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == 200, address
    own: Mapping[str, Mapping[str, str]] = {
        # they read a code
        "label": LABEL_READER_HEADERS, "receptions": LABEL_READER_HEADERS, "hub": PHOTO_READER_HEADERS,
        "parcels": PHOTO_READER_HEADERS,
        "away": away_headers(None),  # this house has joined no hub
    }  # fmt: skip
    more = own.get(address.rpartition("/")[2], {})
    assert {name: answer.headers[name.lower()] for name in HEADERS} == {**HEADERS, **more}, address
    if await page.locator("body[data-words]").count():
        await expect(page.locator("#link")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))


async def fits(page: Page) -> list[int]:
    """On which screens one has to push the page sideways."""
    wide = []
    for width in (LARGE, SMALL):
        await page.set_viewport_size({"width": width, "height": 800})
        if await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(width)
    return wide


async def hidden(page: Page) -> list[str]:
    """What of the menu nobody can press on a phone: something else lies over it."""
    await page.set_viewport_size({"width": SMALL, "height": 800})
    found: list[str] = await page.locator("body > nav a").evaluate_all("""links => links.filter(link => {
        const { x, y, width, height } = link.getBoundingClientRect();
        return !link.contains(document.elementFromPoint(x + width / 2, y + height / 2));
    }).map(link => link.textContent)""")
    return found


async def commands(page: Page) -> list[str]:
    """What a phone shows of a terminal: a command, or its quotes. What is folded away is for those who have one."""
    return re.findall(r"`[^`]*`?|\bperron [a-z-]+", await page.locator("body").inner_text())


async def looked_at(page: Page, what: str, *, with_axe: bool = True) -> None:
    """In light and dark, on a phone and at a desk. `with_axe`: by axe's rules too."""
    assert await fits(page) == [], what
    assert await hidden(page) == [], what
    assert await commands(page) == [], what
    if not with_axe:
        return
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert await accessibility_problems(page) == [], what
    await page.emulate_media(color_scheme="dark")
    assert await contrast_problems(page) == [], what


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "language"), [("fr-FR", "fr"), ("en-GB", "en")])
async def test_nothing_is_in_anybody_s_way_on_any_page(walk: Tour, locale: str, language: str) -> None:
    with_axe = language == "fr"  # its rules look at what a language does not change, and cost most of this test
    async with visitor() as somebody:
        page = await somebody.page(locale=locale, viewport={"width": SMALL, "height": 800})
        await walk.site.sign_in(page.context)
        for route, address in walk.pages.items():
            await settled(page, address)
            await expect(page.locator("html")).to_have_attribute("lang", language)
            await looked_at(page, route, with_axe=with_axe)
        for path, button in (("/household", "[name=role][value=household]"), ("/history/incident-1", "[name=days]")):
            await page.goto(f"{walk.site.address}{path}")
            await page.locator(button).first.click()
            await expect(page.locator(".qr svg")).to_be_visible()  # the link, shown this once
            await looked_at(page, f"the answer to {path}", with_axe=with_axe)
        assert somebody.complaints == []
        await page.goto(f"{walk.site.address}/nowhere")
        await looked_at(page, "nothing there", with_axe=with_axe)
        await somebody.leave()  # the 404 that was asked for


@pytest.mark.slow
async def test_each_answer_is_dressed_errors_and_files_too(walk: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked(client: ClientSession, method: str, path: str, status: int, **more: object) -> None:
        async with client.request(method, path, allow_redirects=False, **more) as answer:  # type: ignore[arg-type]  # of a request
            assert answer.status == status, (method, path, await answer.text())
            # In clear it is idle
            left = {"Cache-Control"} | ({"Cross-Origin-Opener-Policy"} if status == 403 else set())
            assert {name: answer.headers.get(name) for name in HEADERS if name not in left} == {
                name: value for name, value in HEADERS.items() if name not in left
            }, (method, path)
            if path.startswith("/static/") and status == 200:
                assert answer.headers["Cache-Control"] == "no-cache"
            else:
                assert answer.headers["Cache-Control"] == "no-store"
            assert ("GET" in answer.headers.get("Allow", "")) is (status == 405)
            assert "Server" not in answer.headers, "no version for whoever looks for an old one"

    site = walk.site
    async with site.client(site.owner) as owner, site.client(None) as nobody:
        for name in STATIC_FILES:
            await asked(owner, "GET", f"/static/{name}", 200)
        for path, status in (("/nowhere", 404), ("/", 303), ("/claim", 303), ("/static/x.css", 404), ("/link/x", 410)):
            await asked(nobody, "GET", path, status)
        await asked(nobody, "DELETE", "/enter", 405)
        await asked(nobody, "POST", "/enter", 413, data=b"a" * 20_000, headers={"Content-Type": FORM})
        await asked(nobody, "POST", "/enter", 415, data=b"{}", headers={"Content-Type": "application/json"})
        await asked(nobody, "POST", "/language", 400, data={"language": "xx"})
        await asked(nobody, "GET", "/enter", 403, headers={"Host": "evil.example"})
        await asked(owner, "GET", "/film/visits/incident-1/cam-1-1.mp4", 206, headers={"Range": "bytes=0-9"})
        await asked(owner, "POST", "/entrance/front", 409, data={"do": "hold", "visit": "nobody"})
        await asked(owner, "GET", "/live/cam/pictures", 200)
        await asked(owner, "GET", "/feed", 400)  # no WebSocket
        monkeypatch.setattr("gateway.web.server.authorization.render", lambda *_asked, **_facts: 1 / 0)
        await asked(owner, "GET", "/", 500)


async def test_no_address_answers_under_a_foreign_name_or_for_a_foreign_page(walk: Tour) -> None:
    site = walk.site
    async with site.client(site.owner) as client:
        for route, methods in walk.routes.items():
            for method in methods:
                fields = {"do": "stop"} if method == "POST" else None
                foreign = [{"Host": "evil.example"}, *([{"Origin": FOREIGN}] if method == "POST" else [])]
                for headers in foreign:
                    async with client.request(method, filled(route), data=fields, headers=headers) as answer:
                        assert answer.status == 403, (method, route, headers)
        for path in ("/feed", "/live/cam", "/c/front/feed"):
            with pytest.raises(WSServerHandshakeError, match="403"):
                await client.ws_connect(path, headers={"Origin": FOREIGN})
    assert not walk.made.front.is_stopped()
