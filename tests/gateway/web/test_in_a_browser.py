"""The pages in a real browser, on a phone's screen: what a person sees, and what they can do without a mouse."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from devices.reports import DoorReport, DoorState, LockReport, LockState
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.shell.box import ShellBox, box, box_in_window, run_box
from tests.shell.house import PARCEL, make_home
from tests.shell.site import serve_site
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


async def calm(page: Page) -> None:
    """The page has heard of the box and shows what is so."""
    await expect(page.locator("#link")).to_have_text(re.compile("Connected to the box|En liaison avec la box"))


async def test_a_phone_shows_the_door_as_it_is_and_as_it_becomes(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(site.address)
        word = page.locator(".door .word").first
        await expect(word).to_have_text("Locked")
        await calm(page)
        made.bolt = LockState.UNLOCKED
        made.says("lock", LockReport(bolt=LockState.UNLOCKED))
        await expect(word).to_have_text(re.compile("Unlocked|Unknown"))
        made.door = DoorState.OPEN
        made.says("door", DoorReport(door=DoorState.OPEN))
        await expect(word).to_have_text("Open")


async def test_a_page_that_no_longer_hears_the_box_says_so_and_greys(made: ShellBox) -> None:
    async with visitor() as somebody:
        async with serve_site(made) as site:
            page = await somebody.page()
            await site.sign_in(page.context)
            await page.goto(site.address)
            await calm(page)
        await expect(page.locator("#link")).to_have_text(re.compile("No connection to the box"))
        await expect(page.locator("body.down")).to_be_visible()
        assert await accessibility_problems(page) == []  # grey, and still to be read
        await page.emulate_media(color_scheme="dark")
        assert await accessibility_problems(page) == []
        await somebody.leave()  # the browser itself tells of each connection that it could not make


async def test_all_tabs_of_a_browser_share_one_connection(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        first = await somebody.page()
        await site.sign_in(first.context)
        await first.goto(site.address)
        tabs = [first, *[await first.context.new_page() for _ in range(3)]]
        for tab in tabs:
            await tab.goto(site.address)
            await calm(tab)
        workers = await first.evaluate("navigator.serviceWorker ? 1 : 0")
        assert workers == 1
        made.says("door", DoorReport(door=DoorState.OPEN))
        for tab in tabs:
            await expect(tab.locator(".door .word").first).to_have_text(re.compile("Open|Unknown"))


async def test_the_stop_can_be_pressed_by_keyboard_alone(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(site.address)
        await calm(page)
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.value") == "stop":
                break
        await page.keyboard.press("Enter")
        await wait_until(made.front.is_stopped)
        await expect(page.locator(".notice.bad").first).to_have_text("Stopped by you: nothing opens.")


PRESS = """() => {
  const button = document.querySelector('[data-part] form button');
  button.scrollIntoView({ block: 'center' });
  addEventListener('click', (event) => {
    event.preventDefault();
    window.pressed = event.target.closest('button')?.textContent;
  }, true);
  const box = button.getBoundingClientRect();
  const part = button.closest('[data-part]').dataset.part;
  return [box.x + box.width / 2, box.y + box.height / 2, part, button.textContent];
}"""
REPAINT = """async ([part]) => {
  const { hear } = await import('/static/page.js');
  const place = document.querySelector(`[data-part="${CSS.escape(part)}"]`);
  hear({ parts: { [part]: `<p id="news">news</p>${place.innerHTML}` } });
  return document.getElementById('news') !== null;
}"""


@asynccontextmanager
async def button_held_down(made: ShellBox) -> AsyncIterator[tuple[Page, str, str]]:
    """The owner holds a button of her home's page down: the page, the button's part and its label."""
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(site.address)
        part_with_button = page.locator("[data-part]:has(form button)").first
        await expect(part_with_button).to_have_attribute("data-shown", re.compile("."))
        x, y, part, label = await page.evaluate(PRESS)
        await page.mouse.move(x, y)
        await page.mouse.down()
        yield page, part, label


async def test_a_press_counts_although_its_part_changes_meanwhile_and_the_change_is_shown_after_it(
    made: ShellBox,
) -> None:
    async with button_held_down(made) as (page, part, label):
        assert not await page.evaluate(REPAINT, [part]), "the button that is held down is another one now"
        await page.mouse.up()
        await expect(page.locator("#news")).to_have_count(1)
        assert await page.evaluate("window.pressed") == label


async def test_a_change_is_shown_although_a_press_never_ends(made: ShellBox) -> None:
    async with button_held_down(made) as (page, part, _):
        await page.evaluate(REPAINT, [part])
        await expect(page.locator("#news")).to_have_count(1)


async def test_the_ring_of_time_shrinks_and_goes_back_in_steps_for_who_wants_less_motion(tmp_path: Path) -> None:
    async with box_in_window(tmp_path) as made, serve_site(made) as site, visitor() as somebody:
        left: list[Locator] = []
        for motion in ("no-preference", "reduce"):
            page = await somebody.page(reduced_motion=motion)
            await site.sign_in(page.context)
            await page.goto(site.address)
            await calm(page)
            left.append(page.locator(".visit .ring .left"))
        await made.ring(PARCEL)
        for ring in left:
            await expect(ring).to_have_attribute("stroke-dasharray", re.compile(r"^(100|9\d)"))
        made.passes(7)  # of 20: a part of 65 %
        smooth, steps = left
        await expect(smooth).to_have_attribute("stroke-dasharray", re.compile(r"^6[345]\.\d "))
        await expect(steps).to_have_attribute("stroke-dasharray", re.compile(r"^70\.0 "))
        await expect(smooth.locator("xpath=ancestor::p")).to_have_text("13 s left")
        assert await smooth.evaluate("ring => ring.ownerSVGElement.getAttribute('aria-hidden')") == "true"
        await somebody.leave()  # no camera is there, of which the browser complains
