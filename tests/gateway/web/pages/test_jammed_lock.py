"""A lock jams as it should open: Home, the visit's page, History and Expected deliveries give one reason, and say what
becomes of the parcel."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from devices.reports import DoorReport, DoorState, LockReport, LockState, OperationError
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Phase
from tests.browser import IN_SHARED_BROWSER, Scheme, accessibility_problems, visitor
from tests.shell.box import SESSION, ShellBox, box_in_window
from tests.shell.house import PARCEL
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER


def jams(made: ShellBox) -> None:
    """The lock says that it did not obey, then that its bolt is stuck somewhere."""
    made.front.post(e.LockFailed(closure="door", failure=OperationError.UNSPECIFIED, command=None))
    context = e.ReportContext(session=SESSION)
    made.front.post(e.SensorReported(sensor="lock", value=LockState.UNKNOWN, context=context, jammed=True))


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    """It opens for a parcel of the shop, the bolt jams, and the door is handed to the owner."""
    async with box_in_window(tmp_path) as made:
        visit = await made.ring(PARCEL)
        await made.commits(visit)
        await wait_until(lambda: phase_of(made) is Phase.UNLOCKING)
        made.bolt = LockState.UNKNOWN
        await wait_until_handed(made, visit)
        async with serve_site(made) as site:
            yield site


def phase_of(made: ShellBox) -> Phase | None:
    return None if made.front.state.visit is None else made.front.state.visit.phase


async def wait_until_handed(made: ShellBox, visit: str) -> None:
    for _ in range(20):
        jams(made)
        await made.quiet()
        if phase_of(made) is Phase.HANDED_TO_OWNER:
            return
        made.prove(visit)
        made.passes(3)
    raise AssertionError(phase_of(made))


def the_visit(site: ServedSite) -> str:
    (visit,) = {film.visit for film in site.box.store.recordings.films()}
    return visit


async def words(site: ServedSite, path: str, language: str) -> str:
    async with site.client(site.owner) as client, client.get(path, headers={"Accept-Language": language}) as answer:
        page = (await answer.text()).partition("<main")[2]
    return unescape(" ".join(re.sub(r"<[^>]*>|[\u2066-\u2069]", " ", page).split()))


CAUSE = {"en": "the lock is jammed", "fr": "la serrure est bloquée"}


@pytest.mark.parametrize("language", CAUSE)
async def test_a_jammed_lock_has_one_cause_on_home_on_its_visits_page_and_in_history(
    site: ServedSite, language: str
) -> None:
    unproven, attention, outcome, vague, another = {
        "en": ("Perron could not prove that the door is locked", "Needs your attention", "The lock did not obey",
               "it does not say why", "blocked"),
        "fr": ("Perron n'a pas pu prouver que la porte est verrouillée", "Demande votre attention",
               "La serrure n'a pas obéi", "elle ne dit pas pourquoi", "coincée"),
    }[language]  # fmt: skip
    home, history = await words(site, "/", language), await words(site, "/history", language)
    visit = await words(site, f"/history/{the_visit(site)}", language)
    colon = " : " if language == "fr" else ": "
    assert f"{unproven}{colon}{CAUSE[language]}." in home
    for story in (home, visit):
        assert f"{attention}{colon}{CAUSE[language]}; " in story
        assert vague not in story, "the jam says why"
    assert f"{outcome} shop" in history
    assert CAUSE[language] in history
    assert another not in home + visit + history
    assert ("Unknown" in history, "Inconnu" in history) == (False, False)


@pytest.mark.parametrize("language", CAUSE)
async def test_it_says_what_becomes_of_a_parcel_that_the_lock_may_have_kept_out(
    site: ServedSite, language: str
) -> None:
    said = {
        "en": "Not known whether the parcel came in. shop has to announce it again if it comes once more",
        "fr": "On ne sait pas si le colis est entré. shop doit l'annoncer de nouveau s'il revient",
    }[language]
    card, _title, expected = (await words(site, "/", language)).partition(
        {"en": "Expected deliveries", "fr": "Livraisons attendues"}[language]
    )
    assert f"{said}." in card
    assert said in expected
    assert {"en": "Not this one", "fr": "Pas celle-ci"}[language] not in expected, "nothing opens for it any more"
    assert f"{said}." in await words(site, f"/history/{the_visit(site)}", language)


async def test_the_cause_stays_in_history_after_the_owner_has_checked_the_door(site: ServedSite) -> None:
    made, visit = site.box, the_visit(site)
    made.bolt = LockState.LOCKED
    data = {"do": "acknowledge", "visit": visit}
    async with site.client(site.owner) as client, client.post("/entrance/front", data=data) as answer:
        assert answer.status == 200
    await made.quiet()
    made.says("lock", LockReport(bolt=LockState.LOCKED))
    for _ in range(20):
        made.passes(3)
        await made.quiet()
    assert phase_of(made) in (Phase.LOCKED_AGAIN, None)
    history, home = await words(site, "/history", "en"), await words(site, "/", "en")
    assert "The lock did not obey" in history
    assert "Alarm: the lock is jammed" in history
    assert "Please check the door" not in home
    assert "shop has to announce it again" in home, "it stays in the list until its window is over"


async def test_a_parcel_that_came_in_before_the_lock_jammed_is_delivered_in_green_beside_the_alarm(
    tmp_path: Path,
) -> None:
    async with box_in_window(tmp_path) as made:
        visit = await made.ring(PARCEL)
        await made.commits(visit)
        await wait_until(lambda: phase_of(made) is Phase.UNLOCKING)
        made.bolt = LockState.UNLOCKED
        made.says("lock", LockReport(bolt=LockState.UNLOCKED))
        await wait_until(lambda: phase_of(made) is Phase.UNLOCKED)
        for made.door in (DoorState.OPEN, DoorState.CLOSED):
            made.says("door", DoorReport(door=made.door))
            await made.quiet()
        assert phase_of(made) is Phase.INSIDE
        made.bolt = LockState.UNKNOWN
        await wait_until_handed(made, visit)
        async with serve_site(made) as site:
            async with site.client(site.owner) as client, client.get("/history") as answer:
                page = await answer.text()
            (card,) = re.findall(r'<li class="(\w+)"><a href="/history/', page)
            assert card == "good"
            told = await words(site, "/history", "en")
            assert "Delivered shop" in told
            assert "Alarm: the lock is jammed" in told
            above, _, _story = (await words(site, f"/history/{visit}", "en")).partition("What happened")
            assert "Delivered" in above
            assert "Alarm: the lock is jammed" in above
            home = await words(site, "/", "en")
            assert "Perron could not prove that the door is locked: the lock is jammed." in home
            assert "announce it again" not in home, "it came in"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "width", "scheme"), [("en-GB", 320, "light"), ("fr-FR", 390, "dark"), ("en-GB", 1280, "dark")]
)
async def test_in_a_browser_the_jam_has_its_colour_and_everybody_can_read_it(
    site: ServedSite, locale: str, width: int, scheme: Scheme
) -> None:
    async with visitor() as somebody:
        page = await somebody.page(
            locale=locale, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/history")
        await expect(page.locator("#cards > li")).to_have_class("bad")
        for path in ("/history", "/", f"/history/{the_visit(site)}"):
            await page.goto(f"{site.address}{path}")
            await expect(page.locator("main")).to_contain_text(CAUSE[locale[:2]])
            assert await accessibility_problems(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
