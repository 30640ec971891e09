"""The owner watches a visit to a flat, a parcel box and a key safe: each closure's state, and where the courier is.

Real broker, real gateway, real cameras, a real browser.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page, ViewportSize, expect

from gateway.config.home import PagesSection
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import ScenarioRun
from gateway.demo.scenarios.ways_in_homes import (
    COMPARTMENTS,
    HALL,
    SAFE,
    STREET,
    with_flat,
    with_parcel_box,
)
from gateway.domain.visit.state import Phase
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, contrast_problems, visitor
from tests.gateway.couriers_key import with_couriers_key_safe
from tests.gateway.web.house import ANNA_PASSWORD
from tests.whole_house import run_whole_house

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

PHONE, DESKTOP = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)


@asynccontextmanager
async def watched(
    folder: Path, equip: Callable[[DemoPlan], DemoPlan], *, locale: str = "en-GB"
) -> AsyncIterator[tuple[ScenarioRun, Page]]:
    """A house with this way in, and its owner at her pages."""
    port = free_port()

    def made(plan: DemoPlan) -> DemoPlan:
        plan = equip(plan)
        return replace(plan, home=plan.home.model_copy(update={"pages": PagesSection(port=port)}))

    async with run_whole_house(folder, made) as play, visitor() as somebody:
        page = await somebody.page(locale=locale)
        await page.goto(f"http://127.0.0.1:{port}/claim")
        code = play.plan.home.claim_code_file.read_text(encoding="ascii").strip()
        for field, text in (("code", code), ("name", "Anna"), ("password", ANNA_PASSWORD)):
            await page.locator(f"form.fields [name={field}]").fill(text)
        await page.locator("form.fields button:not([type=button])").click()
        await expect(page.locator(".closures li").first).to_be_visible()
        yield play, page
        await somebody.leave()


async def shows(page: Page, *closures: str) -> None:
    """The page draws these closures, each with these words, in the order of the way in."""
    await expect(page.locator(".closures li")).to_have_text(list(closures), use_inner_text=True)


async def is_for_everybody(page: Page) -> None:
    """axe finds nothing wrong on a phone and on a desk, in the light and in the dark."""
    for size in (PHONE, DESKTOP):
        await page.set_viewport_size(size)
        await page.emulate_media(color_scheme="light")
        assert await accessibility_problems(page) == []
        await page.emulate_media(color_scheme="dark")
        assert await contrast_problems(page) == []
        assert not await page.evaluate("() => document.documentElement.scrollWidth > innerWidth"), "it fits the width"


async def test_the_owner_sees_at_which_door_of_a_flat_the_courier_is(tmp_path: Path) -> None:
    async with watched(tmp_path, with_flat) as (play, page):
        await shows(page, "Street door shut, proven", "Door shut, proven")
        await expect(page.locator(".door .why")).to_have_text("all closures of the home are closed and locked, proven")
        await is_for_everybody(page)
        parcels = await play.announce_delivery()
        await page.get_by_role("link", name="Live").first.click()
        door_camera = next(iter(play.section.closures[1].cameras))
        await expect(page.locator(f"[data-camera={door_camera}] figcaption")).to_contain_text("Door")
        await play.set_fault(STREET, "wedged")
        await play.scan_codes(parcels)
        await play.log.wait_for_line("strike", within=30, released=True)
        await play.courier.handles(STREET, "go_through")
        await play.wait_for_phase(Phase.INSIDE)
        here = page.locator(".closures [aria-current=step]")
        await expect(here).to_contain_text("Street door")
        await expect(here).to_contain_text("the courier is here")
        await expect(page.locator(".closures li").nth(0)).to_contain_text("open")
        await expect(page.locator(".closures li").nth(1)).to_contain_text("the courier comes here later")
        await expect(page.locator(".closures li").nth(1)).to_contain_text("Camera, Door")
        await is_for_everybody(page)
        await play.set_fault(STREET, "wedged", on=False)
        await play.wait_for_phase(Phase.ADVANCING)
        await expect(page.locator(".closures li").nth(1)).to_contain_text("the courier goes here next")
        flat_scanner = next(iter(play.section.closures[1].scanners))
        await play.courier.scans(parcels.codes[0], scanner=flat_scanner)
        await play.wait_for_phase(Phase.UNLOCKED, due=play.timing.advance)
        await expect(here).to_contain_text("Door")
        await play.courier.goes_in()
        await play.leave_and_seal()
        await page.goto(page.url.replace("/live", "/"))
        await shows(page, "Street door shut, proven", "Door shut, proven")


async def test_the_owner_sees_which_compartment_stands_open(tmp_path: Path) -> None:
    async with watched(tmp_path, with_parcel_box) as (play, page):
        first, second = (f"Compartment ({name})" for name in COMPARTMENTS)
        await shows(page, f"{first} shut, proven", f"{second} shut, proven")
        await expect(page.locator(".door svg")).to_have_count(0)  # a box is no door
        await play.scan_codes()
        await play.wait_for_phase(Phase.INSIDE)
        await expect(page.locator(".closures [aria-current=step]")).to_contain_text(first)
        await expect(page.locator(".closures [aria-current=step]")).to_contain_text("open")
        await expect(page.locator(".closures li").nth(1)).to_have_text(f"{second} shut, proven", use_inner_text=True)
        await is_for_everybody(page)
        await play.courier.handles(f"{COMPARTMENTS[0]}-lid", "put_in", "push_shut")
        await play.courier.does("leave")
        await play.wait_for_visit_end()


async def test_the_owner_sees_that_the_key_is_out_in_french(tmp_path: Path) -> None:
    async with watched(tmp_path, with_couriers_key_safe, locale="fr-FR") as (play, page):
        await shows(page, "Coffre à clé fermeture prouvée", "Porte à clé fermeture prouvée")
        await play.scan_codes()
        await play.log.wait_for_line("way", within=30, thing=SAFE, state="open")
        await play.courier.handles(SAFE, "take_key", "shut_flap")
        await expect(page.locator(".closures li").nth(0)).to_contain_text("en position ouverte")
        await expect(page.locator(".closures li").nth(0)).to_contain_text("la clé n'est pas à son crochet")
        await expect(page.locator(".closures li").nth(0)).to_contain_text("le livreur est ici")
        await is_for_everybody(page)
        await play.courier.handles(HALL, "open", "go_through", "pull_shut")
        await play.courier.handles(SAFE, "bring_key", "shut_flap")
        await play.courier.does("leave")
        await play.wait_for_visit_end()
