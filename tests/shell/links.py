"""Somebody whom the owner gives a link, and who has no account: a keeper, a receiver."""

import re
from typing import Any

from aiohttp import ClientSession, CookieJar
from playwright.async_api import Page, expect

from tests.gateway.web.test_rights import PAGES
from tests.shell.house import PARCEL
from tests.shell.site import ServedSite

LINK = r"<code[^>]*>(http[^<]*)</code>"  # as the owner's page shows it


async def submit(site: ServedSite, path: str, pattern: str, /, status: int = 200, **fields: str) -> str:
    """The owner sends a form; what its answer shows there."""
    async with site.client(site.owner) as anna, anna.post(path, data=fields) as answer:
        text = await answer.text()
        assert answer.status == status, text
    found = re.search(pattern, text)
    assert found is not None, text
    return found[1]


async def sign_in_by_link(page: Page, link: str, own_page: str) -> None:
    """The person opens the link and takes the phone for it."""
    await page.goto(link)
    await page.locator("main form button").last.click()
    await expect(page).to_have_url(re.compile(f"{own_page}$"))


async def client_by_link(site: ServedSite, link: str, own_page: str) -> ClientSession:
    """The person's browser, by its requests."""
    client = ClientSession(site.address, cookie_jar=CookieJar(unsafe=True))
    async with client.post(link.removeprefix(site.address), allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, own_page)
    return client


async def is_good_for_one_press(site: ServedSite, link: str) -> bool:
    """Whether the first phone that presses the link is signed in by it, and the second one is not."""
    statuses = []
    for _ in range(2):
        async with (
            ClientSession(site.address, cookie_jar=CookieJar(unsafe=True)) as phone,
            phone.post(link, allow_redirects=False) as answer,
        ):
            statuses.append(answer.status)
    return statuses == [303, 410]


async def has_no_other_right(client: ClientSession, *forms: str) -> None:
    """No page of the house, none of these forms, and not what the house's pages follow."""
    for path in PAGES:
        async with client.get(path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, f"/enter?back={path}"), path
    for path in (*forms, "/entrance/front", "/pause"):
        async with client.post(path, data={"code": PARCEL, "do": "stop"}, allow_redirects=False) as answer:
            assert answer.status in {303, 401, 403}, path
    async with client.get("/feed") as answer:
        assert answer.status == 401


async def parts_of_feed(client: ClientSession, feed: str, *wanted: str) -> list[str]:
    """Which of these parts of pages the person's own page gets."""
    async with client.ws_connect(feed) as socket:
        await socket.send_json({"want": wanted})
        said: dict[str, Any] = {}
        while "parts" not in said:
            said = await socket.receive_json()
    return list(said["parts"])


async def page_with_cookie(site: ServedSite, path: str, cookie: str) -> str:
    """The page as a browser with this cookie gets it."""
    async with ClientSession(site.address, headers={"Cookie": cookie}) as browser, browser.get(path) as answer:
        return await answer.text()
