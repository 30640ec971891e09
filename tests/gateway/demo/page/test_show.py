"""The demo's script to its end, in a real browser: each claim stands on the page as it comes."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.demo.page.runner import serve_page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("show"), *IN_SHARED_BROWSER]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "has_touch": False}
GREYS = 2000  # milliseconds
LONGEST = 60.0  # seconds from one claim to the next, on a loaded machine

# The page notes for itself what it shows, so that nothing is missed between two looks: each line, each change of the
# house's picture, and when the house freezes the camera and the page greys it, by the page's own clock.
WATCH = """() => {
  const noted = { line: [], scene: [] };
  window.noted = noted;
  const line = document.getElementById("line");
  new MutationObserver(() => noted.line.push(line.textContent)).observe(line, { childList: true, characterData: true, subtree: true });
  const scene = document.getElementById("scene");
  new MutationObserver((changes) => {
    for (const { attributeName, oldValue } of changes) {
      const value = scene.getAttribute(attributeName);
      if (value !== oldValue) noted.scene.push(`${attributeName} ${value}`);
    }
  }).observe(scene, { attributes: true, attributeOldValue: true });
  const figure = document.querySelector('[data-camera="doorbell"]');
  new MutationObserver(() => {
    if (figure.hasAttribute("data-fault")) noted.frozen ??= performance.now();
    if (noted.frozen && figure.classList.contains("stale")) noted.grey ??= performance.now();
  }).observe(figure, { attributes: true });
}"""  # noqa: E501 - a script's line


@dataclass
class Watched:
    """The page, and how far what it noted was read."""

    page: Page
    read: dict[str, int] = field(default_factory=dict)

    async def line(self, says: str) -> None:
        """Wait for the next line that this matches."""
        await self._next("line", says)

    async def scene(self, changes: str) -> None:
        """Wait for the next change of the house's picture that this matches."""
        await self._next("scene", changes)

    async def _next(self, kind: str, pattern: str) -> None:
        first, noted = self.read.get(kind, 0), list[str]()
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - began < LONGEST:
            noted = await self.page.evaluate("kind => window.noted[kind]", kind)
            found = next((place for place in range(first, len(noted)) if re.search(pattern, noted[place])), None)
            if found is not None:
                self.read[kind] = found + 1
                return
            await asyncio.sleep(0.1)
        pytest.fail(f"{pattern!r} was never shown; shown were {noted[first:]}")


async def before_the_door_opens(watched: Watched) -> None:
    page, line = watched.page, watched.line
    await line("Cdiscount asks to be let in. By Chronopost: In the hall only, between 14:00 and 16:00")
    asked = page.locator("#messages li")
    await expect(asked).to_have_text(re.compile("Cdiscount, by Chronopost, asks to be let in: In the hall only .*14"))
    await page.locator("#yes").click()
    await line("The owner says yes")
    await line("all proven good")
    await expect(page.locator("#health li.yes")).to_have_count(4)
    await watched.scene("data-cable out")
    await line("The internet is unplugged")
    await expect(page.locator(".offline")).to_have_text("no word from the house")
    await line("rings. Nobody is home")
    await expect(page.locator("#checks li.yes")).to_have_count(5)
    await expect(page.locator("#decided")).to_have_text(re.compile(r"decided here in \d+ ms"))
    assert await page.locator("#live video").first.evaluate("video => video.currentTime") > 0
    assert await asked.count() == 1, "nothing has come since the request"


async def one_opening_and_its_film(watched: Watched) -> None:
    page, line = watched.page, watched.line
    await line("The bolt turns")
    await watched.scene("data-door open")
    await expect(page.locator("#scene")).to_have_attribute("data-bolt", "withdrawn")
    await expect(page.locator("#spent")).to_have_text("used, cannot open again")
    await line("The bolt is out: locked again, proven")
    await line("The internet is back, the phone buzzes: “Locked again")
    message = page.locator("#messages li", has_text="Locked again")
    assert await message.locator("img").evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 0
    await expect(page.locator("#messages small")).to_have_text(re.compile(r"came \d+ s late"))
    await line("Film and log are sealed")
    film, now = page.locator(".reel video"), page.locator(".moment[aria-current]")
    await expect(now).to_have_count(1)
    await film.evaluate("film => { film.pause(); film.currentTime = film.duration - 0.2; }")
    await expect(now).to_contain_text(re.compile("Locked again, proven|Delivered"))
    await page.get_by_role("button", name="The door opens").click()
    await expect(now).to_contain_text("The door opens")


async def nobody_else_comes_in(watched: Watched) -> None:
    page, line = watched.page, watched.line
    await line("No: already used")
    await expect(page.locator("#signal")).to_have_attribute("data-light", "red")
    await expect(page.locator("#checks li.no")).to_contain_text("Parcel")
    await line("the picture looks perfect")
    await expect(page.locator('.camera.stale[data-camera="doorbell"]')).to_contain_text("Perron does not believe it")
    noted = await page.evaluate("() => window.noted")
    assert noted["grey"] - noted["frozen"] <= GREYS
    await line("The door stays shut")
    await expect(page.locator("#scene")).to_have_attribute("data-door", "closed")


async def the_box_dies_and_a_byte_changes(watched: Watched) -> None:
    page, line = watched.page, watched.line
    await watched.scene("data-box dead")
    await watched.scene("data-box on")
    await line("It restarts")
    await line("Locked again. Openings: 1")
    await expect(page.locator("#openings")).to_have_text("openings: 1")
    await line("One single byte")
    await expect(page.locator("#verify p").first).to_have_text(re.compile(r"One byte was changed at second \d+"))
    second = re.search(r"[\d.]+", await page.locator("#verify p").first.inner_text())
    assert second is not None
    await expect(page.locator("#verify .where")).to_contain_text(f"from second {second[0]} of")
    await line(f"Verification finds the changed byte at {float(second[0]):.2f} s")


async def test_the_show_plays_to_its_end_and_each_claim_stands_on_the_page(tmp_path: Path) -> None:
    async with serve_page(tmp_path) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        await page.evaluate(WATCH)
        assert await accessibility_problems(page) == []
        watched = Watched(page)
        await before_the_door_opens(watched)
        await one_opening_and_its_film(watched)
        await nobody_else_comes_in(watched)
        await the_box_dies_and_a_byte_changes(watched)
        await expect(page.locator("#turn")).to_be_visible()
        await expect(page.locator("#result")).to_have_text("Everything went as it should.")
        assert demo.theatre.snapshot.complaints == ()
        assert await accessibility_problems(page) == []


async def test_then_it_is_your_turn_one_scene_at_a_time_by_keyboard_too(tmp_path: Path) -> None:
    async with serve_page(tmp_path) as demo, visitor() as somebody:
        page = await somebody.page(locale="fr-FR", color_scheme="dark")
        await page.goto(demo.address)
        await expect(page.locator("#stop")).to_be_visible()  # the show has begun: a hidden button takes no key
        await page.locator("#stop").press("Enter")
        await expect(page.locator("#result")).to_contain_text("arrêté par vous")
        await page.get_by_text("Pour les ingénieurs").click()
        scene = page.locator('[data-title="wrong-code"]')
        await scene.press("Enter")
        await expect(scene).to_have_attribute("aria-disabled", "true")
        assert not demo.theatre.request_scenario("too-early"), "only one at a time"
        await expect(page.locator("#line")).to_contain_text("Non\N{NO-BREAK SPACE}: code inconnu")
        await expect(page.locator("#result")).to_contain_text(
            "Tout s'est passé comme prévu\N{NO-BREAK SPACE}: un code inconnu"
        )
        await expect(scene).to_have_attribute("aria-disabled", "false")
        assert demo.theatre.all_passed
        assert await accessibility_problems(page) == []
