"""Couriers and strangers whose scan was refused are shown to the household, and a flood of them hides no visit."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.storage.visit_list import VisitFilter
from gateway.web.server.history_view import MAX_TURNED_AWAY, SHOWN_LINES
from tests.browser import IN_SHARED_BROWSER, Scheme, accessibility_problems, visitor
from tests.gateway.domain.delivery.house import make_step
from tests.gateway.domain.delivery.shop import NOW
from tests.shell.box import ShellBox, box_in_window
from tests.shell.house import PARCEL
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    """16:00 in Paris, in the window of a parcel of the shop; the door is ready."""
    async with box_in_window(tmp_path) as made, serve_site(made) as site:
        yield site


async def refused(made: ShellBox, code: str = PARCEL) -> None:
    """Somebody scans, and the light is red."""
    before = len(made.commands(c.AnswerScan))
    made.scan(code)
    await wait_until(lambda: len(made.commands(c.AnswerScan)) > before)
    await made.quiet()
    assert made.front.state.visit is None
    made.time.mono += 60


async def somebody_is_home(site: ServedSite) -> None:
    async with site.client(site.owner) as client, client.post("/entrance/front", data={"do": "home"}):
        await wait_until(lambda: site.box.front.state.somebody_home)


async def words(site: ServedSite, path: str, language: str = "en") -> str:
    async with site.client(site.owner) as client, client.get(path, headers={"Accept-Language": language}) as answer:
        page = (await answer.text()).partition("<main")[2]
    return unescape(" ".join(re.sub(r"<[^>]*>|[\u2066-\u2069]", " ", page).split()))


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_a_courier_who_was_turned_away_is_in_history_and_on_home_with_brand_carrier_and_reason(
    site: ServedSite, language: str
) -> None:
    await somebody_is_home(site)
    await refused(site.box)
    history, home = await words(site, "/history", language), await words(site, "/", language)
    in_history, on_home = {
        "en": ("Turned away at Front, 16:00: somebody is home Wed 10 Jun · shop, Colissimo",
               "Turned away: somebody is home (shop, Colissimo)"),
        "fr": ("Refusé à l'entrée Front, 16:00 : quelqu'un est à la maison mer. 10 juin · shop, Colissimo",
               "Refusé à la porte : quelqu'un est à la maison (shop, Colissimo)"),
    }[language]  # fmt: skip
    assert in_history in history
    assert on_home in home
    assert "<img" not in history, "no picture is invented"


async def test_a_stop_an_unknown_number_and_a_no_at_the_bell_have_each_their_line(site: ServedSite) -> None:
    made = site.box
    await refused(made, "UNKNOWN1234")
    visit = await made.ring(PARCEL)
    data = {"do": "refuse", "visit": visit}
    async with site.client(site.owner) as client, client.post("/entrance/front", data=data) as answer:
        assert answer.status == 200
    await wait_until(lambda: made.front.state.visit is None)
    made.time.mono += 60
    async with site.client(site.owner) as client, client.post("/entrance/front", data={"do": "stop"}):
        await wait_until(lambda: made.front.state.stopped)
    await refused(made)
    history = await words(site, "/history")
    for reason in ("unknown code", "you did not say yes", "stopped by you"):
        assert re.search(rf"Turned away at Front, 16:0\d: {reason}", history), reason
    assert "1234" not in history, "a code that nobody announced is not repeated"


async def test_what_happened_on_home_names_the_day_once(site: ServedSite) -> None:
    await somebody_is_home(site)
    await refused(site.box)
    await refused(site.box, "UNKNOWN1234")
    told = (await words(site, "/")).partition("What happened")[2]
    assert re.search(r"^ Wed 10 Jun,? 16:00 Turned away: somebody is home", told), told[:200]
    assert told[: told.index("unknown code")].count("Wed 10 Jun") == 1, told[:300]


async def test_a_parcel_that_is_let_in_is_not_turned_away(site: ServedSite) -> None:
    await site.box.ring(PARCEL)
    assert "urned away" not in await words(site, "/history")


async def test_a_flood_of_unknown_numbers_is_one_line_and_hides_no_visit(site: ServedSite) -> None:
    made = site.box
    for number in range(5):
        visit, now = f"incident-{number}", replace(NOW, utc=NOW.utc - timedelta(days=number + 1))
        state = Entrance(id="garage", incident=visit)
        await made.store.commit(make_step(state, c.StartRecording(visit=visit), now=now))
    for number in range(100):
        made.scan(f"NONSENSE{number}")
    await made.quiet()
    rows = made.store.turned_away.page(VisitFilter(), since=None, before=None, at_most=500)
    assert 1 <= len(rows) <= 2, "unknown numbers, and that the scanner was locked out then"
    history = await words(site, "/history")
    assert history.count("urned away at") == len(rows)
    assert history.count("Incident") == 5


async def test_a_stranger_who_scans_nonsense_for_days_hides_no_courier_who_was_turned_away(site: ServedSite) -> None:
    await somebody_is_home(site)
    await refused(site.box)
    nonsense = c.AnswerScan(scan="s", scanner="scanner", answer=c.ScanAnswer.NO, refusal=Refusal.UNKNOWN_CODE)
    for number in range(MAX_TURNED_AWAY):
        later = replace(NOW, utc=NOW.utc + timedelta(hours=2 * number + 1))
        await site.box.store.commit(make_step(Entrance(id="garage"), nonsense, now=later))
        await site.box.store.commit(make_step(Entrance(id="front"), nonsense, now=later))
    for path in ("/history", "/history?q=colissimo", "/"):
        assert "somebody is home" in await words(site, path), path


async def test_what_was_turned_away_is_found_by_entrance_brand_day_and_words(site: ServedSite) -> None:
    await somebody_is_home(site)
    await refused(site.box)
    await refused(site.box, "UNKNOWN1234")
    for query, found in (
        ("", 2), ("?entrance=front", 2), ("?entrance=garage", 0), ("?brand=shop", 1), ("?brand=farm", 0),
        ("?held=1", 0), ("?day=2026-06-10", 2), ("?day=2026-06-11", 0), ("?q=colissimo", 1), ("?q=unknown", 1),
        ("?q=nothing", 0), ("?q=%3Cscript%3E", 0),
    ):  # fmt: skip
        assert (await words(site, f"/history{query}")).count("urned away at") == found, query
    async with site.client(site.owner) as client, client.get("/history?month=2026-06") as answer:
        assert "day=2026-06-10" in await answer.text(), "the calendar leads to the day"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "width", "scheme"),
    [("en-GB", 320, "light"), ("fr-FR", 390, "dark"), ("en-GB", 1280, "dark"), ("fr-FR", 1280, "light")],
)
async def test_in_a_browser_it_is_quiet_and_everybody_can_read_it(
    site: ServedSite, locale: str, width: int, scheme: Scheme
) -> None:
    await site.box.store.commit(
        make_step(Entrance(id="garage", incident="incident-1"), c.StartRecording(visit="incident-1"), now=NOW)
    )
    await refused(site.box, "UNKNOWN1234")
    await somebody_is_home(site)
    await refused(site.box)
    site.box.time.mono += 1800
    await refused(site.box)
    async with visitor() as somebody:
        page = await somebody.page(
            locale=locale, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/history")
        await expect(page.locator("#cards > li")).to_have_count(2)
        group = page.locator("#cards > .away")
        await expect(group.locator("p").filter(visible=True)).to_have_count(SHOWN_LINES)
        await group.locator("summary").click()
        await expect(group.locator("p").filter(visible=True)).to_have_count(3)
        for path in ("/history", "/"):
            await page.goto(f"{site.address}{path}")
            assert await accessibility_problems(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
