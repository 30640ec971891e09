"""A whole delivery, real broker and real video, watched on the owner's phones and led on the courier's, in both
languages at once. The courier's phones read the parcel's label through their cameras and show it to the door's scanner.
"""

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from gateway.config.home import PagesSection
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import ScenarioRun
from gateway.domain.delivery.barcodes import normalise
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.browser import BrowserVisitor, accessibility_problems, visitor
from tests.gateway.web.house import ANNA_PASSWORD
from tests.lens import FakeCamera, draw_label, read_screen_code
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow


FRENCH = {
    "locked": "Verrouillée", "rings": "On sonne", "open": "Ouverte", "proven": "Reverrouillée, prouvé",
    "opens": "La porte s'ouvre", "read": "Lire l'étiquette",
    "help": "Le lecteur de la porte ne prend pas l'étiquette ?",
}  # fmt: skip
ENGLISH = {
    "locked": "Locked", "rings": "Ringing", "open": "Open", "proven": "Locked again, proven",
    "opens": "The door opens", "read": "Read the label", "help": "The door's scanner does not take the label?",
}  # fmt: skip


@dataclass
class Side:
    """Owner and courier who speak one language."""

    words: dict[str, str]
    owner: Page
    courier: Page

    @property
    def turn(self) -> Locator:
        return self.courier.locator("[data-turn]")


def with_pages(plan: DemoPlan, port: int) -> DemoPlan:
    """Four phones are looked at while it rings and before the door is opened: that takes a busy machine its time."""
    home = plan.home
    entrances = {
        name: one.model_copy(update={"timing": one.timing.model_copy(update={"ring": 4.0, "never": 15.0})})
        for name, one in home.entrances.items()
    }
    return replace(plan, home=home.model_copy(update={"pages": PagesSection(port=port), "entrances": entrances}))


async def claimed(page: Page, address: str, code: str) -> None:
    """The first owner comes in, on a French phone."""
    await page.goto(f"{address}/claim")
    await page.get_by_label("Code de la box").fill(code)
    await page.get_by_label("Nom", exact=True).fill("Anna")
    await page.get_by_label("Nouveau mot de passe").fill(ANNA_PASSWORD)
    await page.get_by_role("button", name="Prendre possession").click()


async def sides(somebody: BrowserVisitor, play: ScenarioRun, address: str) -> tuple[Side, Side]:
    """All four phones, none of which shows a delivery yet."""
    owner, courier = await somebody.page(locale="fr-FR"), await somebody.page(locale="fr-FR")
    await claimed(owner, address, play.plan.home.claim_code_file.read_text(encoding="ascii").strip())
    await expect(owner.locator(".door .word")).to_have_text("Verrouillée")
    french = Side(FRENCH, owner, courier)
    owner, courier = await somebody.page(locale="en-GB"), await somebody.page(locale="en-GB")
    await owner.context.add_cookies(await french.owner.context.cookies())  # type: ignore[arg-type]  # a browser's own
    await owner.goto(address)
    return french, Side(ENGLISH, owner, courier)


async def all_see(*seen: Coroutine[Any, Any, None]) -> None:
    """Everybody sees it at the same time: some of it is soon over."""
    await asyncio.gather(*seen)


async def reads(side: Side, link: str) -> str:
    """The courier's phone reads the label; what the door's scanner then reads on its screen."""
    await side.courier.goto(link)
    await side.courier.get_by_role("link", name=side.words["help"]).click()
    await side.courier.get_by_role("button", name=side.words["read"]).click()
    return await read_screen_code(side.courier.locator("#parcel canvas"))


async def test_a_delivery_is_watched_led_and_replayed_in_both_languages(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    lens = FakeCamera(tmp_path / "label.mjpeg")

    async with (
        run_whole_house(tmp_path, lambda plan: with_pages(plan, port)) as play,
        visitor(*lens.switches) as somebody,
    ):
        french, english = both = await sides(somebody, play, address)
        parcels = await play.announce_delivery()
        await all_see(*(expect(one.owner.locator("main")).to_contain_text("Cdiscount · Chronopost") for one in both))
        digest = getattr(normalise(parcels.courier_code), "value", "").removeprefix("courier:")
        link = f"{address}/c/{digest}#{parcels.courier_code}"

        lens.sees(draw_label(("code128", parcels.codes[0]), tilt=45))
        assert await reads(french, link) == await reads(english, link) == parcels.codes[0]
        await play.courier.does("arrive")
        await play.courier.scans(await read_screen_code(english.courier.locator("#parcel canvas")))
        await all_see(*(expect(one.turn).to_have_attribute("data-turn", "other") for one in both))
        await play.courier.scans(await read_screen_code(french.courier.locator("#code canvas")))
        await play.wait_for_ringing()
        await all_see(
            *(expect(one.owner.locator(".visit .phase")).to_have_text(one.words["rings"]) for one in both),
            *(expect(one.turn).to_have_attribute("data-turn", "wait") for one in both),
        )
        await play.wait_for_unlocked()
        await all_see(*(expect(one.turn).to_have_attribute("data-turn", "go") for one in both))
        await play.courier.goes_in()
        await all_see(
            *(expect(one.owner.locator(".door .word")).to_have_text(one.words["open"]) for one in both),
            *(expect(one.turn).to_have_attribute("data-turn", "inside") for one in both),
        )
        await play.leave_and_seal()
        for one in both:
            await expect(one.turn).to_have_attribute("data-turn", "done")
            await expect(one.owner.locator(".timeline")).to_contain_text(one.words["proven"])
            await expect(one.owner.locator(".door .word")).to_have_text(one.words["locked"])
        await replayed(french, address)
        for one in both:
            assert await accessibility_problems(one.courier) == []


async def replayed(side: Side, address: str) -> None:
    """The owner looks at the visit again: a line of the story leads the films, and the films the story."""
    await side.owner.goto(f"{address}/history")
    await side.owner.locator(".visits a").first.click()
    await expect(side.owner.locator("#seal.whole")).to_be_visible()  # what is played was checked in this browser
    film = side.owner.locator("video[data-film]").first
    await expect(film).to_have_js_property("readyState", 4)
    opened = side.owner.locator(".moment", has_text=side.words["opens"]).first
    await opened.click()
    await expect(opened).to_have_attribute("aria-current", "true")
    now, clock = side.owner.locator(".moment[aria-current]"), side.owner.locator("#scrubber")
    at = int(await clock.input_value())
    await side.owner.locator("#play").click()
    async with asyncio.timeout(60):
        while int(await clock.input_value()) < at + 500:  # noqa: ASYNC110 - the film rings no bell here
            await asyncio.sleep(0.05)
    await side.owner.keyboard.press("End")
    await expect(now).to_contain_text(re.compile("Reverrouillée, prouvé|Livré"))  # the films lead the timeline
    await expect(now).to_have_count(1)
    assert await accessibility_problems(side.owner) == []
