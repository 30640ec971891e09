"""Names that would be scripts, templates, other directions: on every page they are names, and nothing else happens."""

import re
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from devices.reports import DoorReport, DoorState
from gateway.config.home import Home
from tests.browser import IN_SHARED_BROWSER, visitor
from tests.gateway.web.tour import Tour, prepare_tour
from tests.shell.house import make_home

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

SCRIPT = "<script>window.hit=1</script>{{7*7}}${7*7}"
BROKEN_OUT = "\"'><img src=x onerror=window.hit=2><svg onload=window.hit=3>"
TURNED = "\u202egarage\u2066\u200b\ufeff\x1b[31m\n\0javascript:window.hit=4"
PILE = "Z" + "\u0316" * 300
LONG = "</title><iframe srcdoc='<script>parent.hit=5</script>'>" + "x" * 5000
HEBREW = "מזון 24"

# Where a name stands the first and the second time, in pixels from the left.
WHERE = """name => {
    const line = [...document.querySelectorAll(".visit p")].find((one) => one.textContent.includes("·"));
    const node = [...line.childNodes].find((one) => one.nodeType === Node.TEXT_NODE);
    const left = (at) => {
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + name.length);
        return range.getBoundingClientRect().left;
    };
    const first = node.data.indexOf(name);
    return [left(first), left(node.data.indexOf(name, first + 1))];
}"""
# What the pages' own templates never have: whatever of it is found, a name has put in.
INJECTED = (
    "main script:not([src^='/static/']:empty), img:not([src^='/static/'], [src^='/history/']), iframe, object, embed,"
    " base, [onerror], [onload], [href^='javascript:']"
)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066\u2067\ufeff]")


def named(folder: Path) -> Home:
    """A house whose names no validation has seen, as an older version may have let them in."""
    plain = make_home(folder)
    section = plain.entrances["front"]
    places = {
        "hall": section.places["hall"].model_copy(update={"name": HEBREW}),
        "fridge": section.places["fridge"].model_copy(update={"name": SCRIPT}),
    }
    front = section.model_copy(update={"name": BROKEN_OUT, "places": places})
    garage = plain.entrances["garage"].model_copy(update={"name": TURNED, "places": places})
    terms = plain.brands["shop"].permission.model_copy(update={"carriers": (HEBREW, BROKEN_OUT)})
    brands = {
        "shop": plain.brands["shop"].model_copy(update={"name": SCRIPT, "permission": terms}),
        "farm": plain.brands["farm"].model_copy(update={"name": PILE}),
    }
    return plain.model_copy(update={"name": LONG, "entrances": {"front": front, "garage": garage}, "brands": brands})


@pytest_asyncio.fixture(loop_scope="session")
async def walk(tmp_path: Path) -> AsyncIterator[Tour]:
    (tmp_path / "ours").mkdir()
    async with prepare_tour(tmp_path, named(tmp_path / "ours"), guest=BROKEN_OUT, why=TURNED + SCRIPT) as walk:
        yield walk


async def harmless(page: Page, what: str) -> str:
    """Nothing ran, nothing was put in, nothing unseen is there; the page's text."""
    assert await page.evaluate("window.hit") is None, what
    assert await page.locator(INJECTED).count() == 0, what
    whole = await page.evaluate("document.documentElement.outerHTML")
    assert UNSEEN.search(whole) is None, what
    assert whole.count("\u2068") == whole.count("\u2069"), what
    for place in re.finditer(HEBREW, whole):
        assert whole[place.start() - 1] == "\u2068", what
    assert "\u0316" * 4 not in whole, what
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), what
    text: str = await page.evaluate("document.body.innerText")
    return text


async def test_on_every_page_a_name_is_only_a_name(walk: Tour) -> None:
    async with visitor() as somebody:
        page = await somebody.page(viewport={"width": 360, "height": 800})
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        await walk.site.sign_in(page.context)
        seen = ""
        for route, address in walk.pages.items():
            await page.goto(address)
            seen += await harmless(page, route)
        for name in (SCRIPT, BROKEN_OUT, HEBREW, "garage[31m javascript:window.hit=4"):
            assert name in seen, f"{name} was shown as it is written"
        assert dialogs == []


async def test_what_the_live_connection_brings_is_harmless_too(walk: Tour) -> None:
    async with visitor() as somebody:
        page = await somebody.page(viewport={"width": 360, "height": 800})
        await walk.site.sign_in(page.context)
        await page.goto(walk.site.address)
        await expect(page.locator("#link")).to_have_text("Connected to the box")
        walk.made.says("garage-door", DoorReport(door=DoorState.OPEN))
        await expect(page.locator(".door .word").nth(1)).to_have_text("Open")
        walk.made.says("door", DoorReport(door=DoorState.OPEN))  # somebody of the household: the visit ends
        await expect(page.locator(".visit")).to_have_count(0)
        await harmless(page, "the parts that came later")
        await somebody.leave(forgiven="closed before the connection")  # the visit ended while its picture began


async def test_two_names_from_right_to_left_do_not_change_places(tmp_path: Path) -> None:
    """Of "CARRIER · PLACE", both in Hebrew, the carrier stays on the left."""
    (tmp_path / "ours").mkdir()
    house = named(tmp_path / "ours")
    shop = house.brands["shop"]
    terms = shop.permission.model_copy(update={"carriers": (HEBREW,)})
    brands = {**house.brands, "shop": shop.model_copy(update={"permission": terms})}
    async with prepare_tour(tmp_path, house.model_copy(update={"brands": brands})) as walk, visitor() as somebody:
        page = await somebody.page(viewport={"width": 1280, "height": 800})
        await walk.site.sign_in(page.context)
        await page.goto(walk.site.address)
        line = page.locator(".visit p", has_text="·")
        await expect(line).to_contain_text(f"\u2068{HEBREW}\u2069 · \u2068{HEBREW}\u2069")
        lefts = await page.evaluate(WHERE, HEBREW)
        assert 0 < lefts[0] < lefts[1]


def test_the_names_of_these_tests_are_as_hostile_as_they_say() -> None:
    assert {unicodedata.category(char) for char in TURNED} >= {"Cf", "Cc"}
    assert unicodedata.bidirectional(HEBREW[0]) == "R"
