"""What a viewer can do while a run plays: pause it, go back, see a chapter again, and see what it has shown.

Each test shows the snapshots of a run by itself, so that it knows what must be on the page.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from gateway.demo.page.drawing import scene_of
from gateway.demo.page.runner import SHOW_TITLE, DemoRunner
from gateway.demo.page.script import CHAPTERS
from gateway.demo.page.snapshot import (
    CHECK_NAMES,
    DemoFilm,
    DemoSnapshot,
    LineShown,
    PhoneMessageShown,
    WayShown,
    film_time,
    ways_at_start,
)
from gateway.demo.plan import make_plan
from gateway.demo.scenarios import SCENARIOS, find_scenarios
from gateway.system.i18n import Text
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, contrast_problems, visitor
from tests.gateway.demo.page.runner import serve_page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("player"), *IN_SHARED_BROWSER]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "has_touch": False}
SMALL_PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 664}, "has_touch": True}
NARROWEST: dict[str, Any] = {"viewport": {"width": 320, "height": 664}, "has_touch": True}
NO_CAMERAS = "/live/"  # of what the console complains: a page without a house has no pictures
BETWEEN_CHAPTERS_MS = 400  # milliseconds
MARK_PX = 4  # the width of the mark around the part to look at
RUN_BEGAN = datetime(2026, 11, 29, 14, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Shown:
    """A page, and the runner whose snapshots it shows."""

    page: Page
    runner: DemoRunner

    def begin(self, title: str = SHOW_TITLE, folder: Path = Path("unused"), **facts: Any) -> None:  # noqa: ANN401 - fields of `DemoSnapshot`
        """Show the beginning of a run in the home of a scenario."""
        scenario = find_scenarios("delivered" if title == SHOW_TITLE else title)[0]
        plan = scenario.equip(make_plan(folder, fast=True, language="en"))
        scene = scene_of(plan)
        began = DemoSnapshot(
            run=self.runner.snapshot.run + 1, title=title, stage="playing", began=film_time(RUN_BEGAN),
            scene=scene, ways=ways_at_start(scene, plan.house.things), online=True, connected=True, proven=True,
        )  # fmt: skip
        self.runner.show(began)
        self.runner.change(**facts)

    async def chapters(self, first: int, last: int) -> None:
        """Show these chapters, each with one line that names it."""
        for number in range(first, last + 1):
            self.runner.change(says=LineShown(text=Text(f"Line of {number}"), chapter=number, look="house"))
            await expect(self.page.locator(f'[data-chapter="{number}"]')).to_have_attribute("aria-disabled", "false")
            await self.page.wait_for_timeout(BETWEEN_CHAPTERS_MS)

    async def expect_line(self, text: str) -> None:
        await expect(self.page.locator("#line")).to_have_text(text)

    async def whole_show(self) -> None:
        """Show all chapters and a good end."""
        self.begin()
        await self.chapters(1, len(CHAPTERS))
        self.runner.change(stage="over")
        await expect(self.page.locator("#claims")).to_be_visible()


async def test_a_viewer_pauses_and_the_house_goes_on(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin()
        await shown.chapters(1, 2)
        await page.get_by_role("button", name="Pause").click()
        demo.theatre.change(says=LineShown(text=Text("Line of 3"), chapter=3))
        await expect(page.locator('[data-chapter="3"]')).to_have_attribute("aria-disabled", "false")
        await shown.expect_line("Line of 2")
        await expect(page.locator("#behind")).to_have_text("1 s behind")
        await page.get_by_role("button", name="Go on").click()
        await shown.expect_line("Line of 3")
        await expect(page.locator("#behind")).to_be_visible()
        await page.get_by_role("button", name="To the end").click()
        await expect(page.locator("#behind")).to_be_hidden()
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_the_space_bar_pauses_but_not_on_a_button(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin()
        await shown.chapters(1, 1)
        await page.locator("#house").press("Space")
        await expect(page.get_by_role("button", name="Go on")).to_be_visible()
        await page.locator("#house").press("Space")
        await expect(page.get_by_role("button", name="Pause")).to_be_visible()
        await page.get_by_role("button", name="Back").press("Space")
        await expect(page.get_by_role("button", name="Pause")).to_be_visible()
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_a_chapter_that_was_shown_can_be_seen_again_and_one_to_come_cannot(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin()
        await shown.chapters(1, 4)
        named = page.locator(".chapters button")
        assert await named.all_inner_texts() == [chapter.name.to("en") for chapter in CHAPTERS]
        await expect(named.nth(4)).to_have_attribute("aria-disabled", "true")
        await expect(named.nth(3)).to_have_attribute("aria-current", "step")
        await page.get_by_role("button", name="It rings").press("Enter")
        await page.get_by_role("button", name="Pause").click()
        await shown.expect_line("Line of 4")
        await page.get_by_role("button", name=CHAPTERS[1].name.to("en")).click()
        await shown.expect_line("Line of 2")
        await shown.expect_line("Line of 4")
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_back_goes_to_the_beginning_of_the_chapter_and_then_to_the_one_before(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin()
        await shown.chapters(1, 3)
        await page.wait_for_timeout(2000)  # the third chapter goes on for a while
        back = page.get_by_role("button", name="Back")
        await back.click()
        await page.get_by_role("button", name="Pause").click()
        await shown.expect_line("Line of 3")
        await back.click()
        await shown.expect_line("Line of 1")  # chapters of a third of a second are passed over
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_each_of_the_six_claims_plays_its_chapter_again(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        await shown.whole_show()
        claims = page.locator(".claim")
        claimed = [number for number, chapter in enumerate(CHAPTERS, start=1) if chapter.claim is not None]
        assert await claims.count() == len(claimed) == 6
        for place, number in enumerate(claimed):
            await claims.nth(place).click()
            await shown.expect_line(f"Line of {number}")
            await expect(page.locator("#behind")).to_have_text("Seen again")
            await expect(page.locator("#claims")).to_be_visible()  # the chapter is over
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_a_show_that_was_not_as_it_should_be_claims_nothing(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin()
        await shown.chapters(1, 1)
        demo.theatre.change(stage="over", complaints=("the door did not open",))
        await expect(page.locator("#result")).to_have_text("The show: not as it should be.")
        await expect(page.locator("#claims")).to_be_hidden()
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_another_language_in_the_middle_of_the_show_keeps_its_chapters(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin()
        await shown.chapters(1, 3)
        await page.get_by_role("button", name="Français").click()
        await expect(page.locator("#playing")).to_have_text("3 sur 13\N{NO-BREAK SPACE}: Sans internet")
        await page.get_by_role("button", name=CHAPTERS[0].name.to("fr")).click()
        await shown.expect_line("Line of 1")
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_one_part_of_the_page_at_a_time_is_marked_to_look_at(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin()
        for part in ("film", "house", "phone", "light", "checks"):
            demo.theatre.change(says=LineShown(text=Text(f"Look at {part}"), chapter=1, look=part))
            await expect(page.locator("[data-look]")).to_have_count(1)
            await expect(page.locator("[data-look]")).to_have_attribute("data-part", part)
        demo.theatre.change(says=LineShown(text=Text("Nowhere"), chapter=1))
        await expect(page.locator("[data-look]")).to_have_count(0)
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_a_chapter_seen_again_shows_the_film_of_its_own_visit_and_says_where_there_is_none(
    tmp_path: Path,
) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin()
        await shown.chapters(1, 4)
        entries, _next = demo.theatre.tape.entries_from(0, "en")
        began = {one["now"]["says"]["chapter"]: one["at"] for one in entries if one["now"].get("says")}
        demo.theatre.change(films=tuple(film_between(began[first], began[first + 1]) for first in (2, 3)), stage="over")
        await expect(page.locator('[data-chapter="4"]')).to_have_class(re.compile("past"))  # the page knows the films
        for chapter, source in ((2, f"/film/{began[2]}"), (3, f"/film/{began[3]}")):
            await page.evaluate(HELD, chapter)
            await expect(page.locator(".reel video")).to_have_attribute("src", source)
        await page.evaluate(HELD, 1)
        await expect(page.locator("#sealed")).to_contain_text("No film is kept of this moment.")
        await somebody.leave(forgiven=f"404|{NO_CAMERAS}")


# The chapters are short here: one is held as it begins.
HELD = """chapter => {
  document.querySelector(`[data-chapter="${chapter}"]`).click();
  document.getElementById("pause").click();
}"""


def film_between(start_ms: int, end_ms: int) -> DemoFilm:
    """A film of these milliseconds of a run that `Shown.begin` has begun."""
    start, end = (film_time(RUN_BEGAN + timedelta(milliseconds=at)) for at in (start_ms, end_ms))
    return DemoFilm(url=f"/film/{start_ms}", start=start, end=end, moments=())


async def test_on_a_phone_the_mark_around_the_checks_leaves_the_line_whole(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**SMALL_PHONE)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        text = Text("All is right. The box decided alone, without the internet.")
        shown.begin(checks=dict.fromkeys(CHECK_NAMES, True), says=LineShown(text=text, chapter=5, look="checks"))
        marked, line = page.locator('[data-part="checks"][data-look]'), page.locator("#line")
        await expect(marked).to_be_visible()
        around, below = await marked.bounding_box(), await line.bounding_box()
        assert around is not None
        assert below is not None
        assert around["y"] - MARK_PX >= below["y"] + below["height"]
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_the_yes_looks_pressable_only_while_it_is(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin(asked=True)
        yes = page.get_by_role("button", name="Yes, let them in")
        await expect(yes).to_be_enabled()
        await expect(page.get_by_text("You may press it")).to_be_visible()
        await page.get_by_role("button", name="Pause").click()
        await expect(yes).to_be_disabled()
        await expect(page.get_by_text("You may press it")).to_be_hidden()
        await somebody.leave(forgiven=NO_CAMERAS)


async def test_a_garage_is_drawn_and_named_as_a_garage_and_its_warning_is_no_no(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**DESKTOP)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        shown.begin("garage", tmp_path, ways={"door": WayShown(open=True, free=True)}, light="red", sound="leave")
        drawn = page.locator("#closures > .closure")
        await expect(drawn).to_have_count(1)
        await expect(drawn).to_have_attribute("data-kind", "garage_door")
        await expect(drawn).to_have_attribute("data-open", "")
        await expect(page.locator("#ways")).to_have_text("Garage door Open")
        await expect(page.locator("#signal p")).to_have_text("come out, stand clear")
        await expect(page.locator("#playing")).to_have_text("Through the garage")
        await expect(page.locator("#watch")).to_have_text(
            "Watch: the door goes down only after the courier says that he is out"
        )
        assert "Front door" not in await page.locator("main").inner_text()
        demo.theatre.change(stage="over")
        await expect(page.locator("#line")).to_contain_text("Everything went as it should: a garage door: up on a scan")
        await somebody.leave(forgiven=NO_CAMERAS)


MESSAGE = PhoneMessageShown(language="en", text="Chronopost is at the door", urgent=False, picture=None, waited=0.0)


async def test_on_a_phone_the_owners_phone_is_above_the_fold_and_the_scenes_are_folded(tmp_path: Path) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(**SMALL_PHONE)
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        for title in (SHOW_TITLE, "garage", "flat"):
            own = replace(MESSAGE, text=f"{MESSAGE.text}: {title}")  # that of the run before is still there
            shown.begin(title, tmp_path / title, phone=(own,), checks=dict.fromkeys(("parcel", "hour", "brand")))
            message = page.locator("#messages li", has_text=own.text)
            await expect(message).to_be_visible()
            box, player = await message.bounding_box(), await page.locator("#player").bounding_box()
            assert box is not None
            assert player is not None
            assert box["y"] + box["height"] <= player["y"], f"{title}: the message is under the fold"
            demo.theatre.change(stage="over")
            await expect(page.locator("#turn")).to_be_visible()
            await expect(page.locator(".scene").first).to_be_hidden()
        await page.get_by_text("Scenes", exact=True).click()
        await expect(page.locator(".scene").first).to_be_visible()
        await somebody.leave(forgiven=NO_CAMERAS)


async def check_all_looks(page: Page, screens: Sequence[dict[str, Any]]) -> None:
    """The page as it stands, on these screens, light and dark: nothing is in anybody's way, and all of it is there."""
    for screen in screens:
        await page.set_viewport_size(screen["viewport"])
        await page.emulate_media(color_scheme="light", reduced_motion="reduce")  # no colour is between two
        assert await accessibility_problems(page) == [], screen
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), screen
        await page.emulate_media(color_scheme="dark")
        assert await contrast_problems(page) == [], screen
    await page.emulate_media(reduced_motion="no-preference")


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
@pytest.mark.parametrize("screens", [(DESKTOP,), (SMALL_PHONE, NARROWEST)], ids=["desktop", "phones"])
async def test_everybody_can_read_it_and_nothing_leaves_the_screen(
    screens: Sequence[dict[str, Any]], locale: str, tmp_path: Path
) -> None:
    async with serve_page(tmp_path, plays=False) as demo, visitor() as somebody:
        page = await somebody.page(locale=locale, **screens[0])
        await page.goto(demo.address)
        shown = Shown(page, demo.theatre)
        demo.theatre.show(DemoSnapshot(run=1, title=SHOW_TITLE, stage="setting", card="opening"))
        await expect(page.locator("#opening")).to_be_visible()
        await check_all_looks(page, screens)
        shown.begin("flat", tmp_path, light="red", sound="no", checks={"parcel": False})
        demo.theatre.change(says=LineShown(text=Text("No"), tone="bad", look="light"))
        await expect(page.locator("[data-look]")).to_have_count(1)
        await check_all_looks(page, screens)
        await shown.whole_show()
        folded = page.locator("details:not([open]) > summary:visible")
        for screen in screens:
            await page.set_viewport_size(screen["viewport"])
            while await folded.count():
                await folded.first.click()
        assert await page.locator(".scene").count() == len(SCENARIOS) + 1
        await check_all_looks(page, screens)
        await somebody.leave(forgiven=NO_CAMERAS)
