"""A whole delivery, real broker and real video, watched from the owner's phone and led on the courier's."""

import asyncio
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Locator, Page, expect

from gateway.broker import free_port
from gateway.config import Pages
from gateway.delivery.codes import normalise
from gateway.demo.plan import Plan
from tests.browser import barriers, visitor
from tests.gateway.web.house import HERONS
from tests.whole_house import playing

pytestmark = pytest.mark.slow

SAME = 0.35  # seconds: a film that is nearer than 0.3 to the moment is not moved


async def claimed(page: Page, address: str, code: str) -> None:
    """The first owner comes in, on a French phone."""
    await page.goto(f"{address}/claim")
    await page.get_by_label("Code de la box").fill(code)
    await page.get_by_label("Nom", exact=True).fill("Anna")
    await page.get_by_label("Nouveau mot de passe").fill(HERONS)
    await page.get_by_role("button", name="Prendre possession").click()


async def read(page: Page) -> str:
    """What the scanner reads from the courier's screen."""
    shown = Image.open(io.BytesIO(await page.locator("#code canvas").screenshot())).convert("L")
    (found,) = zxingcpp.read_barcodes(np.asarray(shown))
    return found.text


async def reached(film: Locator, second: float) -> None:
    """It plays, and comes as far as this."""
    async with asyncio.timeout(20):
        while await film.evaluate("film => film.currentTime") < second:  # noqa: ASYNC110 - the film knows no event of ours
            await asyncio.sleep(0.05)


async def test_a_delivery_is_watched_led_and_replayed_in_both_languages(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def with_pages(plan: Plan) -> Plan:
        return replace(plan, home=plan.home.model_copy(update={"pages": Pages(port=port)}))

    async with playing(tmp_path, with_pages) as play, visitor() as somebody:
        owner, courier = await somebody.page(locale="fr-FR"), await somebody.page(locale="en-GB")
        await claimed(owner, address, play.plan.home.claim_code.read_text(encoding="ascii").strip())
        await expect(owner.locator(".door .word")).to_have_text("Verrouillée")

        parcels = await play.promised()
        await expect(owner.locator("main")).to_contain_text("Cdiscount · Chronopost")
        code = normalise(parcels.courier_code)
        digest = getattr(code, "value", "").removeprefix("courier:")
        await courier.goto(f"{address}/c/{digest}#{parcels.courier_code}")
        turn = courier.locator("[data-turn]")
        await expect(turn).to_have_attribute("data-turn", "show")

        await play.courier.arrives()
        await play.courier.scans(parcels.codes[0])
        await expect(turn).to_have_attribute("data-turn", "other")
        await play.courier.scans(await read(courier))
        await play.rung()
        await expect(owner.locator(".visit .phase")).to_have_text("On sonne")
        await expect(turn).to_have_attribute("data-turn", "wait")
        await play.may_enter()
        await expect(turn).to_have_attribute("data-turn", "go")
        await play.courier.goes_in()
        await expect(owner.locator(".door .word")).to_have_text("Ouverte")
        await expect(turn).to_have_attribute("data-turn", "inside")
        await play.comes_out()
        await expect(turn).to_have_attribute("data-turn", "done")
        await expect(owner.locator(".timeline")).to_contain_text("Reverrouillée, prouvé")
        await expect(owner.locator(".door .word")).to_have_text("Verrouillée")

        await owner.goto(f"{address}/history")
        await owner.locator(".visits a").first.click()
        film = owner.locator("video[data-film]").first
        await expect(film).to_have_js_property("readyState", 4)
        opened = owner.locator(".moment", has_text="La porte s'ouvre").first
        await opened.click()
        await expect(opened).to_have_attribute("aria-current", "true")
        at = await opened.evaluate("(line, start) => (Date.parse(line.dataset.at) - Date.parse(start)) / 1000",
                                   await film.get_attribute("data-start"))  # fmt: skip
        assert abs(await film.evaluate("film => film.currentTime") - at) < SAME, "a line brings the film to its moment"
        await film.evaluate("film => film.play()")
        await reached(film, at + 0.5)
        now = owner.locator(".moment[aria-current]")
        await film.evaluate("film => { film.pause(); film.currentTime = film.duration - 0.1; }")
        await expect(now).to_contain_text(re.compile("Reverrouillée, prouvé|Livré"))  # the film leads the timeline
        await expect(now).to_have_count(1)
        assert await barriers(owner) == []
        assert await barriers(courier) == []
