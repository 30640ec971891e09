"""The courier's page in a real browser: his code, read from the picture of the screen; go or no; the next step."""

import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import pytest_asyncio
import zxingcpp
from aiohttp import ClientSession
from PIL import Image
from playwright.async_api import Page, expect

from devices.reports import DoorReport, DoorState, LockReport, LockState
from gateway.config.home import CamerasSection
from gateway.domain.delivery.barcodes import courier_token_digest, new_courier_token
from gateway.domain.delivery.fallback import Place
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.closures import BoltedDoor, GarageDoor
from gateway.domain.visit.state import Phase, Timer, Visit
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, make_offer, noon_plus
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import INTENT, PARCEL, make_home
from tests.shell.parts import ManualTime
from tests.shell.site import serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

SECRET = bytes(range(16))
CODE, DIGEST = new_courier_token(SECRET), courier_token_digest(SECRET)
OPEN = 7300.0


async def a_box(folder: Path, *, mono: float) -> AsyncIterator[ShellBox]:
    house = make_home(folder)
    strict = house.entrances["front"].model_copy(update={"courier_proof": True})
    house = house.model_copy(update={"entrances": {**house.entrances, "front": strict}})
    async with box(folder, house, time=ManualTime(mono=mono)) as made:
        await receive(made.store, make_offer(courier_sha256=DIGEST), now=NOW)
        async with run_box(made):
            await made.good_day()
            await made.quiet()
            yield made


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day in the middle of the window."""
    async for one in a_box(tmp_path, mono=OPEN):
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def early(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """The same day before the window."""
    async for one in a_box(tmp_path, mono=100.0):
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def late(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """The same day, ten minutes after the window."""
    async for one in a_box(tmp_path, mono=3 * 3600 + 700.0):
        yield one


async def read(page: Page) -> str:
    """What the scanner at the door reads from the phone's screen."""
    picture = await page.locator("#code canvas").screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    (found,) = zxingcpp.read_barcodes(pixels)
    return found.text


async def turn(page: Page, name: str) -> None:
    await expect(page.locator("[data-turn]")).to_have_attribute("data-turn", name)


async def ring_with_code(made: ShellBox) -> str:
    """The courier scans parcel and code; the visit's id."""
    made.scan(PARCEL)
    await wait_until(lambda: made.front.state.pending_scan is not None)
    return await made.ring(CODE)


async def commit_unlock(made: ShellBox, visit: str) -> None:
    """The door opens, by the command and not before it."""
    await made.commits(visit)
    await wait_until(lambda: made.line.on("perron/lock/set"))
    made.bolt = LockState.UNLOCKED
    made.says("lock", LockReport(bolt=LockState.UNLOCKED))


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "come_in"), [("fr-FR", "Entrez"), ("en-GB", "Come in"), ("de-DE", "Herein")])
async def test_a_courier_is_led_through_his_delivery(made: ShellBox, locale: str, come_in: str) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page(locale=locale)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        await turn(page, "show")
        assert await read(page) == CODE
        assert not any(CODE in url or SECRET.hex() in url for url in sent), "the code never leaves the phone"

        made.scan(PARCEL)
        await turn(page, "other")
        visit = await made.ring(await read(page))
        await turn(page, "wait")
        await expect(page.locator(".countdown time")).to_have_text(re.compile(r"\d+ s"))
        await expect(page.locator(".countdown .ring .left")).to_have_attribute(
            "stroke-dasharray", re.compile(r"^[1-9]\d*")
        )
        await commit_unlock(made, visit)
        await turn(page, "go")
        await expect(page.locator(".word")).to_have_text(come_in)
        assert await accessibility_problems(page) == []
        made.door = DoorState.OPEN
        made.says("door", DoorReport(door=DoorState.OPEN))
        await turn(page, "inside")


GROUND = "getComputedStyle(document.querySelector('.turn')).backgroundColor"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "width", "scheme"), [("de-DE", 320, "light"), ("fr-FR", 390, "dark"), ("en-GB", 1280, "light")]
)
async def test_which_house_door_and_parcel_it_is_stands_above_and_each_colour_has_one_meaning(
    made: ShellBox, locale: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page(locale=locale, color_scheme=scheme, viewport={"width": width, "height": 800})
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        colours = dict[str, str]()

        async def look(name: str) -> None:
            await turn(page, name)
            colours[name] = await page.evaluate(GROUND)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            assert await accessibility_problems(page) == [], name

        await look("show")
        for words in ("Home", "Front", "shop", f"…{PARCEL[-4:]}"):
            await expect(page.locator(".which")).to_contain_text(words)
        assert PARCEL not in await page.content(), "only the end of a number is shown"
        visit = await ring_with_code(made)
        await look("wait")
        await commit_unlock(made, visit)
        await look("go")
        made.door = DoorState.OPEN
        made.says("door", DoorReport(door=DoorState.OPEN))
        await look("inside")
        assert len({colours[name] for name in ("wait", "go", "inside")}) == 3
        assert colours["inside"] == colours["show"], "blue: do this now"


@pytest.mark.slow
async def test_a_delivery_that_the_household_refuses_is_over_on_the_page_that_a_courier_has_open(
    made: ShellBox,
) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        await turn(page, "show")
        assert await made.reception.refuse_delivery("shop.d1", "p-anna") is None
        await turn(page, "over")
        await expect(page.locator(".turn")).to_contain_text("over or cancelled: ring, or take it back")
        await expect(page.locator("#code")).to_be_hidden()
        await expect(page.locator(".which")).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize(("gives", "shown"), [(True, "show"), (False, "refused")])
async def test_a_late_courier_asks_on_his_page_and_reads_the_answer_there(
    late: ShellBox, shown: str, *, gives: bool
) -> None:
    async with serve_site(late) as site, visitor() as somebody:
        page = await somebody.page(locale="fr-FR" if gives else "de-DE", viewport={"width": 320, "height": 800})
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        await turn(page, "late")
        assert await accessibility_problems(page) == []
        await page.locator("form.wishes button").click()
        await turn(page, "asked")
        assert late.store.more_time.is_asked("shop.d1", late.clock.now())
        assert await accessibility_problems(page) == []
        answer = late.reception.give_time if gives else late.reception.refuse_time
        assert await answer("shop.d1", "p-anna") is None
        await turn(page, shown)
        if gives:
            assert await read(page) == CODE, "his code has stayed on the phone"
            await expect(page.locator(".turn")).to_contain_text("Le foyer vous attend jusqu'à")
        assert await accessibility_problems(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_late_courier_s_link_asks_nobody_before_its_window_is_over(made: ShellBox) -> None:
    async with serve_site(made) as site, ClientSession() as client:
        for url, status in ((f"{site.address}/c/{DIGEST}", 200), (f"{site.address}/c/{'0' * 64}", 404)):
            async with client.post(f"{url}/more-time") as answer:
                assert answer.status == status
    assert made.store.more_time.answer("shop.d1", made.clock.now()) is None


@pytest.mark.slow
async def test_the_button_of_the_sounds_says_whether_they_are_on(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        for before, after in (("off", "on"), ("on", "off")):
            await page.get_by_role("button", name=f"Sounds: {before}").click()
            await expect(page.get_by_role("button", name=f"Sounds: {after}")).to_be_visible()


@pytest.mark.slow
async def test_a_courier_reads_german_if_he_does_or_chose_it_and_the_house_has_its_own_languages(
    made: ShellBox,
) -> None:
    german, home = "Das Paket, dann Ihren Code", "Zurück zu Ihrem Code"
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page(locale="de-AT")
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        await expect(page.locator("html")).to_have_attribute("lang", "de")
        await expect(page.locator("[data-turn]")).to_contain_text(german)
        await expect(page.locator("#link")).to_have_text("Mit der Box verbunden")
        assert await accessibility_problems(page) == []
        await page.get_by_role("link", name="Der Scanner an der Tür liest das Etikett nicht?").click()
        await expect(page.get_by_role("link", name=home)).to_be_visible()

        other = await somebody.page(locale="en-GB")
        await other.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        await other.get_by_role("button", name="Deutsch").click()
        await expect(other.locator("[data-turn]")).to_contain_text(german)
        await other.goto(f"{site.address}/enter")
        await expect(other.locator("html")).to_have_attribute("lang", "en")
        await expect(other.get_by_role("button", name="Deutsch")).to_have_count(0)


@pytest.mark.slow
async def test_a_code_that_opens_nothing_is_a_red_no_on_his_phone_too(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        await turn(page, "show")
        made.scan("RB123456785GB")
        await made.quiet()
        made.passes(2.5)
        await turn(page, "no")
        assert await accessibility_problems(page) == []


@pytest.mark.parametrize("page", ["", "/label"])
@pytest.mark.parametrize("is_filmed", [True, False])
async def test_a_courier_reads_that_he_is_filmed_where_a_camera_films_and_nowhere_else(
    made: ShellBox, page: str, *, is_filmed: bool
) -> None:
    front = made.home.entrances["front"]
    section = front if is_filmed else front.model_copy(update={"cameras": CamerasSection()})
    made.home = made.home.model_copy(update={"entrances": {**made.home.entrances, "front": section}})
    async with (
        serve_site(made) as site,
        ClientSession() as client,
        client.get(f"{site.address}/c/{DIGEST}{page}", headers={"Accept-Language": "en"}) as answer,
    ):
        assert ("You are filmed" in await answer.text()) is is_filmed


@pytest.mark.parametrize(("cover", "told"), [(True, "Une fois dehors, sonnez"), (False, "Refermez la porte")])
async def test_at_a_garage_he_is_told_to_ring_once_he_is_outside(made: ShellBox, told: str, *, cover: bool) -> None:
    delivery = made.store.deliveries.matches(f"courier:{DIGEST}", now=made.clock.now())[0].delivery
    visit = Visit(id="v", delivery=delivery, phase=Phase.INSIDE, scanner="scanner", entry=INTENT)
    kind = GarageDoor if cover else BoltedDoor
    rules = replace(made.front.state.rules, closures=(kind(id="door"),))
    made.front.state = replace(made.front.state, rules=rules, visit=visit)
    french = {"Accept-Language": "fr"}
    async with (
        serve_site(made) as site,
        ClientSession() as client,
        client.get(f"{site.address}/c/{DIGEST}", headers=french) as answer,
    ):
        assert told in await answer.text()


async def test_a_link_does_not_tell_before_its_hour_that_somebody_else_was_refused_at_the_door(early: ShellBox) -> None:
    async with serve_site(early) as site, ClientSession() as client:
        early.scan("RB123456785GB")
        await early.quiet()
        early.passes(2.5)
        await wait_until(lambda: Timer.SIGNAL in early.front.state.timers)
        async with client.get(f"{site.address}/c/{DIGEST}") as answer:
            assert 'data-turn="early"' in await answer.text()


@pytest.mark.slow
async def test_before_his_hour_he_is_told_when_to_come_and_without_his_code_what_is_missing(early: ShellBox) -> None:
    async with serve_site(early) as site, visitor() as somebody:
        page = await somebody.page()
        await page.goto(f"{site.address}/c/{DIGEST}")
        await turn(page, "early")
        await expect(page.locator(".turn")).to_contain_text("Expected Wed 10 Jun, between 15:00 and 17:00")
        await expect(page.locator("#nocode")).to_be_visible()
        await expect(page.locator("#code")).to_be_hidden()


@pytest.mark.parametrize(("first", "missing"), [(PARCEL, "courier"), (CODE, "parcel")])
async def test_his_page_knows_which_of_the_two_the_door_still_waits_for(
    made: ShellBox, first: str, missing: str
) -> None:
    async with serve_site(made) as site, ClientSession() as client:
        made.scan(first)
        await wait_until(lambda: made.front.state.pending_scan is not None)
        async with client.get(f"{site.address}/c/{DIGEST}") as answer:
            assert f'data-turn="other" data-missing="{missing}"' in await answer.text()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/c/", 404), ("/c/x", 410), (f"/c/{'0' * 64}", 410), (f"/c/{DIGEST.upper()}", 410),
        (f"/c/{'0' * 64}/label", 410), (f"/c/{'0' * 64}/feed", 404), (f"/c/{DIGEST}/receipt", 404),
        ("/c/..%2f..%2fetc", 410),
    ],
)  # fmt: skip
async def test_a_link_that_is_nobodys_shows_nothing(made: ShellBox, path: str, status: int) -> None:
    async with serve_site(made) as site, ClientSession() as client, client.get(f"{site.address}{path}") as answer:
        assert answer.status == status


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "This delivery is over or cancelled: ring, or take it back"),
        ("fr", "Livraison terminée ou annulée\N{NO-BREAK SPACE}: sonnez, ou repartez avec le colis"),
        ("de", "Diese Lieferung ist vorbei oder storniert: klingeln Sie, oder nehmen Sie sie wieder mit"),
    ],
)
async def test_a_dead_link_says_what_to_do_and_not_whether_there_was_a_delivery(
    made: ShellBox, language: str, told: str
) -> None:
    answers = list[tuple[int, str]]()
    assert await made.store.deliveries.refuse("shop.d1", made.clock.now(), by=None) is None
    async with serve_site(made) as site, ClientSession(headers={"Accept-Language": language}) as client:
        for digest in (DIGEST, "0" * 64):
            async with client.get(f"{site.address}/c/{digest}") as answer:
                answers.append((answer.status, (await answer.text()).replace(digest, "")))
    assert told in answers[0][1]
    assert answers[0] == answers[1]


async def test_a_couriers_link_follows_his_own_delivery_and_nothing_of_the_house(made: ShellBox) -> None:
    async with (
        serve_site(made) as site,
        ClientSession() as client,
        client.ws_connect(f"{site.address}/c/{DIGEST}/feed") as feed,
    ):
        await feed.send_json({"want": ["en/state/front", "en/timeline/front", f"en/courier/{DIGEST}"]})
        parts: dict[str, str] = {}
        for _ in range(3):
            parts |= (await feed.receive_json(timeout=20)).get("parts", {})
        assert set(parts) == {f"en/courier/{DIGEST}"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("fr-FR", "Pas à la première porte. Apportez le colis ici : Garage."),
        ("en-GB", "Not at the first door: bring the parcel to Garage."),
        ("de-DE", "Nicht an der ersten Tür: bitte hierher bringen: Garage."),
    ],
)
async def test_while_his_page_is_open_the_parcel_goes_to_the_garage_and_the_page_shows_it(
    made: ShellBox, locale: str, told: str
) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page(locale=locale)
        await page.goto(f"{site.address}/c/{DIGEST}#{CODE}")
        await turn(page, "show")
        await expect(page.locator(".elsewhere")).to_have_count(0)
        garage = Place(entrance="garage", place="hall")
        assert await made.store.deliveries.move("shop.d1", garage, Refusal.HOUSEHOLD_PRESENT, noon_plus(hours=2))
        made.changes.notify()
        await expect(page.locator(".elsewhere")).to_have_text(
            re.compile(re.escape(told).replace(r"\ ", r"\s").replace("Garage", ".*Garage.*"))  # no-break spaces too
        )
        await turn(page, "show")
        assert await accessibility_problems(page) == []
