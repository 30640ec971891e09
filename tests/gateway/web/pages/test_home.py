"""Pauses and 'lock now' on the home page: at a real server, and once in a real browser."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import expect

from devices.reports import DoorReport, DoorState, LockReport, LockState
from gateway.config.home import Home
from gateway.domain.pause import PlannedPause
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

JSON = {"Accept": "application/json"}
ENGLISH = {"Accept-Language": "en"}
# NOON of the tests is 2026-06-10 12:00 UTC: 14:00 in the house.
TODAY = {"from": "2026-06-10T14:00", "to": "2026-06-10T18:00"}


def in_paris(folder: Path) -> Home:
    return make_home(folder).model_copy(update={"timezone": "Europe/Paris"})


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with box(tmp_path, in_paris(tmp_path)) as made, run_box(made):
        await made.good_day()
        async with serve_site(made) as site:
            yield site


@pytest_asyncio.fixture(loop_scope="session")
async def at(site: ServedSite) -> AsyncIterator[ClientSession]:
    async with site.client(site.owner) as session:
        yield session


def planned(site: ServedSite) -> tuple[PlannedPause, ...]:
    return site.box.store.pauses.planned(site.box.clock.now())


async def left_unlocked(made: ShellBox) -> None:
    """The household went out and did not lock."""
    made.bolt = LockState.UNLOCKED
    made.says("lock", LockReport(bolt=LockState.UNLOCKED))
    await wait_until(lambda: made.front.state.facts["lock"].value == LockState.UNLOCKED)


# ---- a pause ---------------------------------------------------------------------------------------------------------


async def test_a_pause_in_the_house_s_own_time_shows_on_home_with_who_said_so(
    site: ServedSite, at: ClientSession
) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(bruno) as his, his.post("/pause", data=TODAY | {"entrance": ""}) as answer:
        assert answer.url.path == "/"
    (pause,) = planned(site)
    assert (pause.entrance, pause.end.isoformat()) == (None, "2026-06-10T16:00:00+00:00")
    async with at.get("/", headers=ENGLISH) as answer:
        text = await answer.text()
    assert text.count("Deliveries are paused, nothing opens. End: Wed 10 Jun, 18:00") == 2  # at both entrances
    assert "asked for by Bruno" in text
    assert "End the pause" in text
    async with at.get("/", headers={"Accept-Language": "fr"}) as answer:
        assert (
            "Livraisons en pause, rien ne s&#39;ouvre. Fin\N{NO-BREAK SPACE}: mer. 10 juin, 18:00"
            in await answer.text()
        )


async def test_one_of_next_week_is_announced_and_can_be_withdrawn_with_one_tap(
    site: ServedSite, at: ClientSession
) -> None:
    fields = {"entrance": "front", "from": "2026-06-20T18:00", "to": "2026-06-21T02:00"}
    async with at.post("/pause", data=fields, headers=ENGLISH) as answer:
        text = await answer.text()
    assert text.count("Pause planned: Sat 20 Jun, 18:00 to Sun 21 Jun, 02:00") == 1
    assert "Withdraw this pause" in text
    async with at.post("/pause/end", data={"pause": planned(site)[0].id}, headers=JSON) as answer:
        assert answer.status == 200
    assert planned(site) == ()
    await wait_until(lambda: site.box.front.state.pauses == ())


async def test_ended_by_two_at_once_the_second_is_told_that_it_is_over(site: ServedSite, at: ClientSession) -> None:
    async with at.post("/pause", data=TODAY):
        ident = planned(site)[0].id
    said = []
    for _ in range(2):
        async with at.post("/pause/end", data={"pause": ident}, headers=JSON | ENGLISH) as answer:
            said.append((answer.status, await answer.json()))
    assert said == [(200, {"done": "Done."}), (409, {"why": "This pause is over already."})]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"from": "2026-06-10T18:00", "to": "2026-06-10T17:00"}, "The pause would end before it begins."),
        ({"from": "2026-06-09T18:00", "to": "2026-06-10T13:59"}, "That is over already."),
        ({"from": "2026-06-10T18:00", "to": "2036-06-10T18:00"}, "A pause lasts a year at most."),
        ({"from": "2029-06-10T18:00", "to": "2029-06-11T18:00"}, "A pause begins within a year from now."),
        ({"from": "2027-03-28T02:30", "to": "2027-03-28T08:00"}, "the clocks are put forward"),
        ({"from": "<script>", "to": "2026-06-10T18:00"}, "This is no date with a time."),
        ({"from": "2026-06-10T18:00"}, "This is no date with a time."),
        ({}, "This is no date with a time."),
        ({"from": "2026-06-12T09:30", "to": "2026-06-12T10:30"}, "Another pause falls into that time"),
    ],
)
async def test_what_is_no_pause_is_refused_in_words_and_what_was_written_stays(
    site: ServedSite, at: ClientSession, fields: dict[str, str], why: str
) -> None:
    async with at.post("/pause", data={"from": "2026-06-12T10:00", "to": "2026-06-12T11:00"}):
        before = planned(site)
    async with at.post("/pause", data=fields, headers=ENGLISH) as answer:
        text = await answer.text()
        assert answer.status == 422
    assert why in text
    assert "<script>" not in text.partition("<details")[2]
    if "to" in fields:
        assert f'name="to" value="{fields["to"]}"' in text
    assert planned(site) == before
    async with at.post("/pause", data=fields, headers=JSON | ENGLISH) as answer:
        assert answer.status == 409
        assert why in (await answer.json())["why"]
    async with at.post("/pause", data={**fields, "entrance": "cellar"}) as answer:
        assert answer.status == 404


async def test_the_hour_that_autumn_repeats_is_paused_whole_and_told_which_is_meant(
    site: ServedSite, at: ClientSession
) -> None:
    fields = {"entrance": "front", "from": "2026-10-25T02:30", "to": "2026-10-25T02:45"}
    async with at.post("/pause", data=fields, headers=ENGLISH) as answer:
        text = await answer.text()
    assert "Pause planned: Sun 25 Oct, 02:30 (UTC+0200) to Sun 25 Oct, 02:45 (UTC+0100)" in text
    assert planned(site)[0].end - planned(site)[0].start == timedelta(hours=1, minutes=15)


async def test_an_installer_sees_nothing_of_a_pause(site: ServedSite, at: ClientSession) -> None:
    async with at.post("/pause", data=TODAY):
        pass
    ines = await site.guest(Role.INSTALLER, "Ines")
    async with site.client(ines) as hers, hers.get("/", headers=ENGLISH) as answer:
        text = await answer.text()
    assert "Locked" in text
    assert "pause" not in text.lower()


# ---- lock now --------------------------------------------------------------------------------------------------------


async def test_lock_now_is_offered_only_where_the_door_is_not_proven_locked_and_no_visit_runs(
    site: ServedSite, at: ClientSession
) -> None:
    async with at.get("/", headers=ENGLISH) as answer:
        assert "Lock now" not in await answer.text()
    await left_unlocked(site.box)
    async with at.get("/", headers=ENGLISH) as answer:
        assert (await answer.text()).count("Lock now") == 1
    async with at.post("/entrance/front", data={"do": "lock"}, headers=JSON) as answer:
        assert answer.status == 200
    await wait_until(lambda: site.box.line.on("perron/lock/set"))
    async with at.get("/", headers=ENGLISH) as answer:
        text = await answer.text()
    assert "the lock has yet to prove it" in text
    assert "It is locked" not in text


async def test_an_open_door_is_never_told_to_lock_and_the_page_says_why(site: ServedSite, at: ClientSession) -> None:
    await left_unlocked(site.box)
    site.box.door = DoorState.OPEN
    site.box.says("door", DoorReport(door=DoorState.OPEN))
    async with at.post("/entrance/front", data={"do": "lock"}, headers=JSON) as answer:
        assert answer.status == 200
    await wait_until(
        lambda: site.box.front.state.lock_request is not None and site.box.front.state.lock_request.result is not None
    )
    async with at.get("/", headers=ENGLISH) as answer:
        text = await answer.text()
    assert "Not locked: the door is open. Close it, then try again." in text
    assert not site.box.line.on("perron/lock/set")


async def test_what_was_proven_is_not_shown_any_more_once_the_door_says_otherwise(
    site: ServedSite, at: ClientSession
) -> None:
    await left_unlocked(site.box)
    async with at.post("/entrance/front", data={"do": "lock"}, headers=JSON):
        await wait_until(lambda: site.box.line.on("perron/lock/set"))
    site.box.bolt = LockState.LOCKED
    site.box.says("lock", LockReport(bolt=LockState.LOCKED))
    await wait_until(
        lambda: site.box.front.state.lock_request is not None and site.box.front.state.lock_request.result == "proven"
    )
    async with at.get("/", headers=ENGLISH) as answer:
        assert "It is locked: door and bolt have proven it." in await answer.text()
    await left_unlocked(site.box)
    async with at.get("/", headers=ENGLISH) as answer:
        text = await answer.text()
    assert "It is locked" not in text
    assert "Lock now" in text


# ---- in a browser ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_phone_pauses_sees_it_end_by_itself_and_locks_by_keyboard_alone(site: ServedSite) -> None:
    made = site.box
    async with visitor() as somebody:
        page = await somebody.page(reduced_motion="reduce")
        await site.sign_in(page.context)
        await page.goto(site.address)
        await page.get_by_text("Pause deliveries").click()
        await page.get_by_label("To", exact=True).fill("2026-06-10T13:00")
        await page.get_by_role("button", name="Pause", exact=True).click()
        await expect(page.get_by_role("alert")).to_have_text("The pause would end before it begins.")
        await expect(page.get_by_role("alert")).to_be_in_viewport()
        await expect(page.get_by_role("button", name="Pause", exact=True)).to_be_in_viewport()
        somebody.complaints.clear()  # the browser tells of a 422
        await page.get_by_label("To", exact=True).fill("2026-06-10T18:00")
        await page.get_by_role("button", name="Pause", exact=True).click()
        paused = page.get_by_text(re.compile("Deliveries are paused"))
        await expect(paused).to_have_count(2)
        await left_unlocked(made)
        lock = page.get_by_role("button", name="Lock now")
        await expect(lock).to_be_visible()
        assert await accessibility_problems(page) == []
        made.passes(4 * 3600.0)
        await expect(paused).to_have_count(0)
        await lock.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("the lock has yet to prove it")).to_be_visible()
        made.bolt = LockState.LOCKED
        made.says("lock", LockReport(bolt=LockState.LOCKED))
        await expect(page.get_by_text("It is locked: door and bolt have proven it.")).to_be_visible()
        await expect(page.locator(".door .word").first).to_have_text("Locked")
        await expect(lock).to_have_count(0)


@pytest.mark.slow
async def test_the_menu_stands_at_the_same_place_on_every_page(site: ServedSite) -> None:
    async with visitor() as somebody:
        page = await somebody.page(viewport={"width": 1280, "height": 700}, has_touch=False)
        await site.sign_in(page.context)
        places = []
        for path in ("/", "/brands", "/settings", "/household"):  # wide and narrow, longer than the screen and shorter
            await page.goto(f"{site.address}{path}")
            places.append(
                await page.locator(".menu a").evaluate_all("links => links.map(link => link.getBoundingClientRect().x)")
            )
        assert places == [places[0]] * 4
