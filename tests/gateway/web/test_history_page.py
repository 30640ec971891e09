"""The list of past visits in a real browser: cards that say how it went, search, a calendar, endless scrolling."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.evidence.thumbnails import kept_thumbnails
from gateway.storage.database import Database
from tests.browser import IN_SHARED_BROWSER, Scheme, accessibility_problems, visitor
from tests.gateway.domain.delivery.house import make_step
from tests.gateway.domain.delivery.shop import NOON, NOW
from tests.gateway.web.replayed import replayed_site
from tests.shell.box import ShellBox
from tests.shell.house import VISIT
from tests.shell.site import ServedSite
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

MANY = 60


async def incident(made: ShellBox, number: int, *, days: int, alarm: c.AlarmCode | None = None) -> str:
    """The door was opened without an order, so many days from the visit."""
    visit, now = f"incident-{number:03}", replace(NOW, utc=NOON + timedelta(days=days, minutes=number))
    state = Entrance(id="garage", incident=visit)
    alarms = () if alarm is None else (c.RaiseAlarm(code=alarm),)
    await made.store.commit(make_step(state, c.StartRecording(visit=visit), *alarms, now=now))
    return visit


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    """One delivery with pictures; one incident with an alarm a day later."""
    async with replayed_site(tmp_path) as site:
        await wait_until(lambda: kept_thumbnails(site.box.home.storage.folder, VISIT), within=120)
        await site.box.store.recordings.write(_note_outcome)
        await incident(site.box, 100, days=1, alarm=c.AlarmCode.DOOR_FORCED_OPEN)
        yield site


def _note_outcome(db: Database) -> None:
    """As the decision that ends a visit stores it."""
    row = {"id": VISIT, "delivery": "shop.d1", "entrance": "front", "began": NOON}
    db.insert("visit", or_="REPLACE", **row, intent="spent", outcome=Outcome.DELIVERED, house=DoorResult.LOCKED_AGAIN)


async def opened(site: ServedSite, page: Page, query: str = "") -> None:
    await site.sign_in(page.context)
    await page.goto(f"{site.address}/history{query}")


async def test_a_card_shows_who_came_how_it_ended_and_what_alarmed(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await opened(site, page)
        cards = page.locator("#cards > li")
        await expect(cards).to_have_count(2)
        alarmed, delivered = cards.nth(0), cards.nth(1)
        await expect(alarmed).to_have_class("bad")
        await expect(alarmed.locator(".word")).to_have_text("Incident")
        await expect(alarmed.locator(".alarm")).to_be_visible()
        await expect(alarmed).to_contain_text("Not sealed yet")
        await expect(delivered).to_have_class("good")
        await expect(delivered.locator(".word")).to_have_text("Delivered")
        await expect(delivered).to_contain_text("20 s")
        shown = delivered.locator("img")
        await expect(shown).to_have_count(2)
        await expect(shown.nth(0)).to_have_attribute("alt", "At the scan")
        await expect(shown.nth(1)).to_have_attribute("alt", "In with the parcel")
        for number in range(2):
            await shown.nth(number).scroll_into_view_if_needed()
            await expect(shown.nth(number)).to_have_js_property("naturalWidth", 320)
        await delivered.locator("a").click()
        await expect(page.locator("#replay")).to_be_visible()


SEARCHES: tuple[tuple[str, list[str]], ...] = (
    ("shop", ["Delivered"]),
    ("52032", ["Delivered"]),  # the parcel's last characters
    ("…2032", ["Delivered"]),
    ("delivered front", ["Delivered"]),
    ("garage", ["Incident"]),
    ("forced", ["Incident"]),
    ("shop garage", []),
    ("<script>", []),
)


async def test_a_visit_is_found_by_brand_entrance_parcel_or_words(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await opened(site, page)
        for query, found in SEARCHES:
            await page.get_by_role("searchbox").fill(query)
            async with page.expect_navigation(url="**q=*"):
                await page.get_by_role("button", name="Search").click()
            assert await page.locator("#cards .word").all_inner_texts() == found, query
            if not found:
                await expect(page.locator(".list")).to_contain_text("No visit is found.")
                assert await page.get_by_role("searchbox").input_value() == query


async def test_the_calendar_has_the_days_with_visits_and_leads_to_them(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await opened(site, page)
        await expect(page.locator("#calendar table")).to_be_hidden()
        await page.locator("#calendar summary").click()
        days = page.locator("#calendar td a")
        assert await days.all_inner_texts() == ["10", "11"]
        await page.get_by_role("link", name="10 Jun, visits: 1").click()
        await page.wait_for_url("**day=2026-06-10*")
        assert await page.locator("#cards .word").all_inner_texts() == ["Delivered"]
        await expect(page.get_by_role("link", name="10 Jun, visits: 1")).to_have_attribute("aria-current", "date")
        await page.get_by_role("link", name="Month before").click()
        await expect(page.locator("#calendar")).to_contain_text("May 2026")
        await expect(page.locator("#calendar td a")).to_have_count(0)


async def test_older_visits_come_as_one_scrolls_each_once(site: ServedSite) -> None:
    for number in range(MANY):
        await incident(site.box, number, days=-(number % 20))
    async with visitor() as somebody:
        page = await somebody.page()
        await opened(site, page)
        cards = page.locator("#cards > li")
        assert await cards.count() < MANY
        async with asyncio.timeout(60):
            while await page.locator("#older").count():
                await page.mouse.wheel(0, 4000)
                await page.wait_for_timeout(50)  # a wheel turns so fast
        await expect(cards).to_have_count(MANY + 2)
        links = await cards.locator("a").evaluate_all("all => all.map(one => one.href)")
        assert len(set(links)) == MANY + 2


async def test_without_javascript_a_link_leads_to_what_is_older(site: ServedSite) -> None:
    for number in range(MANY):
        await incident(site.box, number, days=-(number % 20))
    async with visitor() as somebody:
        page = await somebody.page(java_script_enabled=False)
        await opened(site, page)
        seen: list[str] = []
        while True:
            seen += await page.locator("#cards .word").all_inner_texts()
            if not await page.locator("#older").count():
                break
            await page.locator("#older").click()
            assert len(seen) <= MANY
        assert len(seen) == MANY + 2


@pytest.mark.parametrize(("locale", "scheme"), [("en-GB", "light"), ("fr-FR", "dark")])
async def test_everybody_can_use_the_history(site: ServedSite, locale: str, scheme: Scheme) -> None:
    async with visitor() as somebody:
        for width in (320, 390, 1280):
            page = await somebody.page(locale=locale, color_scheme=scheme, viewport={"width": width, "height": 844})
            await opened(site, page)
            if width == 320:
                assert await accessibility_problems(page) == []
            await page.locator(".more summary").click()
            if width < 900:
                await page.locator("#calendar summary").click()
            assert await accessibility_problems(page) == [], width
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await somebody.close()
