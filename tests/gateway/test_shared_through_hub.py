"""The owner shows a visit to somebody who is not in the house: by a link through the hub, that visit and no other.

Hub, box, house and browser are processes of their own. The stranger's browser reaches the hub and nothing else; what a
hand-made client gets with the same link is tried beside it.
"""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, Route, expect

from gateway.domain.delivery.promise import State
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.browser import IN_SHARED_BROWSER, BrowserVisitor, accessibility_problems, visitor
from tests.gateway.test_away_through_hub import ORDERS, QUESTIONS, anna, inhabited
from tests.gateway.test_through_hub import at_the_door, stands
from tests.gateway.web.house import ANNA_PASSWORD
from tests.remotebrowser import RemoteBrowser
from tests.through_hub import ThroughHub, through_hub, wait_for

pytestmark = [*IN_SHARED_BROWSER, pytest.mark.slow]

PLAYED_S = 0.5  # seconds of the film that have to pass


@dataclass
class LinkHolder:
    """Somebody with the link and a client of his own making."""

    here: ThroughHub
    browser: RemoteBrowser

    async def asks(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        async with (
            ClientSession(self.here.hub.url) as http,
            http.post(path, json=body, headers=self.browser.headers) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def ask(self, ask: str, **said: Any) -> tuple[dict[str, Any], bytes]:  # noqa: ANN401 - a question's own
        """Ask the house: what it answers, or that it refuses; and the bytes behind it."""
        id_, text = self.browser.question(ask, **said)
        status, answer = await self.asks(QUESTIONS, {"sealed": self.browser.sealed(text)})
        assert status == 200, answer
        opened, raw = self.browser.read(answer["sealed"], id_)
        return opened.get("answer") or opened, raw

    async def is_known_to_the_hub(self) -> bool:
        return (await self.asks(QUESTIONS, {"sealed": "h..i.c.t"}))[0] != 401

    async def is_refused_by_the_hub(self) -> bool:
        return (await self.asks(QUESTIONS, {"sealed": "h..i.c.t"}))[0] == 401


@dataclass
class Outside:
    """Where the stranger's browser is: the hub can be reached, and every other address is told."""

    hub: str
    elsewhere: list[str] = field(default_factory=list)

    async def leads(self, route: Route) -> None:
        if route.request.url.startswith((f"{self.hub}/", "data:", "blob:")):
            await route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            await route.abort()

    async def page(self, somebody: BrowserVisitor, locale: str) -> Page:
        page = await somebody.page(locale=locale)
        await page.context.route("**/*", self.leads)
        return page


async def delivered(here: ThroughHub) -> None:
    """A courier was in the house, and was filmed."""
    one = await here.shop.announces()
    await stands(here, one, State.WINDOW_OPEN)
    await at_the_door(here.play, one)
    await here.play.courier.goes_in()
    await here.play.leave_and_seal()


async def shares(owner: Page, address: str) -> str:
    """The owner shares the newest visit on its page; the link that the page shows."""
    await owner.goto(f"{address}/enter")
    for name, value in (("name", "Anna"), ("password", ANNA_PASSWORD)):
        await owner.locator(f"[name={name}]").fill(value)
    await owner.locator("main form button").last.click()
    await owner.goto(f"{address}/history")
    await owner.locator(".visits a").first.click()
    await owner.get_by_role("button", name="Show it to somebody for 7 days").click()
    await expect(owner.locator("main")).to_contain_text("This link opens from anywhere, through the hub")
    await expect(owner.locator("main")).not_to_contain_text("opens only in the home's own network")
    return await owner.locator("#handed-link").inner_text()


async def plays(page: Page) -> None:
    """The film of the first camera is pressed, and runs."""
    first = page.locator("#films section").first
    await expect(first.locator("img")).to_be_visible()
    assert await first.locator("img").evaluate("one => one.decode().then(() => one.naturalWidth)") > 100
    await first.get_by_role("button").click()
    async with asyncio.timeout(30):
        while await first.locator("video").evaluate("one => one.currentTime") < PLAYED_S:  # noqa: ASYNC110 - the film rings no bell here
            await asyncio.sleep(0.1)


async def test_whoever_gets_the_link_watches_that_visit_from_outside_and_gets_nothing_else(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with through_hub(tmp_path, rigged=False, change=inhabited(port)) as here, visitor() as somebody:
        at_home = await anna(here, port)
        try:
            await wait_for(here.hub.ready, "the hub")
            await delivered(here)
            owner, outside = await somebody.page(), Outside(here.hub.url)
            link = await shares(owner, address)
            assert link.startswith(f"{here.hub.url}/shared#")
            holder = LinkHolder(here, RemoteBrowser.of_link(link))
            await wait_for(holder.is_known_to_the_hub, "the hub's yes to the new link")

            page = await outside.page(somebody, "en-GB")
            await page.goto(link)
            await expect(page.locator("#until")).to_contain_text("Shown until")
            assert page.url == f"{here.hub.url}/shared", "the keys are in the address bar no longer"
            await plays(page)
            assert await accessibility_problems(page) == []
            await page.get_by_role("link", name="Français").click()
            await expect(page.locator("#until")).to_contain_text("Visible jusqu'au")
            await expect(page.locator("#happened-title")).to_have_text("Ce qui s'est passé")
            assert await accessibility_problems(page) == []
            assert outside.elsewhere == [], "the page needs the hub only"

            await gets_nothing_else(holder)

            await owner.get_by_role("button", name=re.compile("^No longer show")).click()
            await expect(owner.get_by_role("button", name=re.compile("^No longer show"))).to_have_count(0)
            await wait_for(holder.is_refused_by_the_hub, "the hub's no to a link that has ended")
            await page.locator("#films section").last.get_by_role("button").click()
            await expect(page.locator("#films")).to_contain_text("Cette visite n'est plus partagée.")
            again = await outside.page(somebody, "en-GB")
            await again.goto(link)
            await expect(again.locator("#said")).to_have_text("This visit is no longer shared.")
            await expect(again.locator("#films")).to_be_empty()
            await somebody.leave(forgiven="401")
        finally:
            await at_home.home.close()


async def gets_nothing_else(holder: LinkHolder) -> None:
    """The link's keys in another client: the visit and its films, and no more."""
    facts, _ = await holder.ask("shared", language="en")
    film = facts["films"][0]
    assert (await holder.ask("film", path=film["path"], piece=0))[1]
    camera = film["camera"]
    for ask, more in (("state", {}), ("messages", {}), ("visits", {}), ("live", {"camera": camera})):
        answer, raw = await holder.ask(ask, **more)
        assert (answer.get("refused"), raw) == ("not_allowed", b""), ask
    other = film["path"].replace(facts["id"], "another-visit")
    assert (await holder.ask("film", path=other, piece=0))[0]["refused"] == "not_here"
    stop = holder.browser.sealed(holder.browser.order("stop"))
    status, order = await holder.asks(ORDERS, {"sealed": stop, "seconds": 900})
    assert status == 202

    async def is_refused() -> bool:
        async with (
            ClientSession(holder.here.hub.url) as http,
            http.get(f"{ORDERS}/{order['id']}", headers=holder.browser.headers) as answer,
        ):
            said = await answer.json()
        assert said["state"] in {"waiting", "refused"}
        return (said["state"], said["why"]) == ("refused", "unknown_browser")

    await wait_for(is_refused, "the box's no to an order by a link")
    assert holder.here.play.watch.state.get("stopped") is False
