"""`python -m tests.pictures`: photograph the pages, and film the demo, in a real house, into docs/.

Examples:
  python -m tests.pictures
  make pictures
"""

import argparse
import asyncio
import contextlib
import io
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page
from rich.console import Console

from gateway.config.home import PagesSection
from gateway.demo.names import afternoon_zone
from gateway.demo.plan import DemoPlan, make_plan, with_open_limit
from gateway.demo.processes import stop_detached
from gateway.demo.scenario import ScenarioRun
from gateway.domain.delivery.barcodes import normalise
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.clock import machine_time
from gateway.system.i18n import Language
from tests.announcing import ConnectedHome, connected_home
from tests.browser import BrowserVisitor, visitor
from tests.first_setup import LOST, box_set_up, claims
from tests.gateway.cli.terminal import start_command
from tests.gateway.demo.page.runner import serve_page
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.test_notified import subscribe_script
from tests.hubs import hub_file, run_hub
from tests.lens import FakeCamera, draw_label
from tests.pushservice import PushBrowser, PushService, push_service
from tests.whole_house import run_whole_house

DOCS = Path(__file__).parents[1] / "docs" / "pictures"
SCREEN = {"viewport": {"width": 1280, "height": 800}, "has_touch": False}
FILM_SIZE_PX = (800, 500)  # pixels of the film
END_PICTURES = 8  # pictures of the card with the six claims
MAX_PICTURES = 200  # pictures, on a slow machine
ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Mobile Safari/537.36"
DESKTOP_SCREEN = {"viewport": {"width": 1100, "height": 760}, "has_touch": False}
RING_S = 12.0  # seconds that it rings: time for the pictures
FRENCH_PICTURES = frozenset({"home-ringing", "home-open-desktop", "history", "visit", "home-alarm", "messages"})
OPEN_LIMIT_S = 120.0  # seconds that the door may stand open, meanwhile
PART_INSIDE = 0.76  # of a visit's films, when the courier is inside
SETTLE_MS = 900  # milliseconds in which a page that changed comes to rest
FOUND_CAMERAS = 2
STATES_OF_TODAY = (
    (-110, "delivered"), (-100, "delivered"), (-90, "not_delivered"), (-45, "visiting"), (-30, "window_open"),
    (20, "scheduled"), (45, "scheduled"), (75, "cancelled"), (120, "scheduled"),
)  # fmt: skip
"""Of deliveries in the web console: in how many minutes the window begins, and the state."""
ALL_LOADED = "() => [...document.images].every((one) => one.complete)"
PLAYING = """() => [...document.querySelectorAll(".camera.watched video")]
    .some((one) => one.readyState >= 2 && one.currentTime > 0)"""

Take = Callable[[Page, str], Awaitable[None]]
"""Photographs a page under a name."""


def _plan(folder: Path, language: Language, port: int, pushes: PushService) -> DemoPlan:
    """A house by day, whose bell rings for a while, with pages."""
    plan = make_plan(folder, fast=True, language=language, timezone=afternoon_zone(machine_time()))
    section = plan.section.model_copy(update={"timing": plan.section.timing.model_copy(update={"ring": RING_S})})
    entrances = {plan.entrance: with_open_limit(section, OPEN_LIMIT_S)}
    return plan.with_home(pages=PagesSection(port=port), push=pushes.section, entrances=entrances)


async def photograph(console: Console, language: Language) -> None:
    """Let one parcel in and break one door open, and photograph what owner and courier see."""
    folder_of = DOCS if language == "en" else DOCS / language
    folder_of.mkdir(parents=True, exist_ok=True)

    async def take(page: Page, name: str) -> None:
        if language == "fr" and name not in FRENCH_PICTURES:
            return
        await page.wait_for_timeout(SETTLE_MS)
        await page.screenshot(path=folder_of / f"{name}.png")
        console.print(f"{folder_of.relative_to(DOCS.parents[1])}/{name}.png")

    port = free_port()
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as made:
        folder, lens = Path(made), FakeCamera(Path(made) / "label.mjpeg")

        def planned(_usual: DemoPlan) -> DemoPlan:
            return _plan(folder, language, port, pushes)

        async with (
            push_service(folder / "push") as pushes,
            run_whole_house(folder, planned) as play,
            visitor(*lens.switches) as somebody,
        ):
            pages = await _Pages.open(somebody, play, f"http://127.0.0.1:{port}", language)
            await _delivery(pages, play, lens, take)
            await _afterwards(pages, take)
            await take(await pages.notified_phone(somebody, pushes), "messages")
            await _alarm(pages, play, take)


class _Pages:
    """The owner's phone and computer, signed in, and the courier's phone."""

    def __init__(self, address: str, locale: str, phone: Page, desk: Page, courier: Page) -> None:
        self.address, self._locale = address, locale
        self.phone, self.desk, self.courier = phone, desk, courier

    @classmethod
    async def open(cls, somebody: BrowserVisitor, play: ScenarioRun, address: str, language: Language) -> "_Pages":
        """Claim the box with the phone."""
        locale = {"en": "en-GB", "fr": "fr-FR"}[language]
        phone = await somebody.page(locale=locale)
        await phone.goto(f"{address}/claim")
        await phone.locator("[name=code]").fill(play.plan.home.claim_code_file.read_text("ascii").strip())
        await phone.locator("[name=name]").fill("Anna")
        await phone.locator("[type=password]").first.fill(ANNA_PASSWORD)
        await phone.locator("main form button").last.click()
        await phone.wait_for_url(f"{address}/")
        cookies: Any = await phone.context.cookies()
        desk = await somebody.page(locale=locale, **DESKTOP_SCREEN)
        await desk.context.add_cookies(cookies)
        return cls(address, locale, phone, desk, await somebody.page(locale=locale))

    async def notified_phone(self, somebody: BrowserVisitor, pushes: PushService) -> Page:
        """The page of the messages on a phone that was just notified."""
        phone = await somebody.page(locale=self._locale, user_agent=ANDROID)
        cookies: Any = await self.phone.context.cookies()
        await phone.context.add_cookies(cookies)
        await phone.context.add_init_script(subscribe_script(PushBrowser(pushes)))
        await phone.goto(f"{self.address}/settings/messages")
        await phone.locator("[data-start]").click()
        await phone.locator("[data-when=told]").wait_for()
        return phone


async def _delivery(pages: _Pages, play: ScenarioRun, lens: FakeCamera, take: Take) -> None:
    phone, desk, courier = pages.phone, pages.desk, pages.courier
    parcels = await play.announce_delivery()
    await phone.goto(pages.address)
    digest = getattr(normalise(parcels.courier_code), "value", "").removeprefix("courier:")
    await courier.goto(f"{pages.address}/c/{digest}#{parcels.courier_code}")
    await take(courier, "courier-scan")
    label = await pages.courier.context.new_page()
    lens.sees(draw_label(("code128", parcels.codes[0]), tilt=20))
    await label.goto(f"{pages.address}/c/{digest}#{parcels.courier_code}")
    await label.locator("a[href*=label]").first.click()
    await label.locator("#read").click()
    await label.locator("#parcel canvas").wait_for()
    await take(label, "courier-label")
    await desk.goto(pages.address)
    await play.scan_codes(parcels)
    await play.wait_for_ringing()
    await phone.wait_for_function(PLAYING)
    await take(phone, "home-ringing")
    await play.wait_for_unlocked()
    await take(courier, "courier-go")
    await play.courier.does("open", "walk_in")
    await desk.wait_for_timeout(SETTLE_MS)
    await play.courier.does("put_parcel")
    await desk.goto(pages.address)
    await desk.wait_for_function(PLAYING)
    await take(desk, "home-open-desktop")
    await play.leave_and_seal()


async def _afterwards(pages: _Pages, take: Take) -> None:
    phone, desk = pages.phone, pages.desk
    await _open_history(pages)
    await take(phone, "history")
    await phone.locator(".visits a").first.click()
    await _seek(phone)
    await take(phone, "visit")
    await desk.goto(f"{pages.address}/brands")
    await take(desk, "brands-desktop")


async def _alarm(pages: _Pages, play: ScenarioRun, take: Take) -> None:
    phone = pages.phone
    await phone.goto(pages.address)
    await play.thief.does("force")
    await phone.locator("article.alarm").wait_for()
    await phone.wait_for_function(PLAYING)
    await phone.wait_for_timeout(2 * SETTLE_MS)  # the thief walks to the door
    await take(phone, "home-alarm")
    await play.thief.does("leave")
    await play.resident.does("walk_in", "thumb_turn", "close", "lock_by_hand")


async def _open_history(pages: _Pages) -> None:
    """Open the history once the visit has its pictures, which are taken after the seal."""
    await pages.phone.goto(f"{pages.address}/history")
    while not await pages.phone.locator(".visits img").count():
        await pages.phone.wait_for_timeout(SETTLE_MS)
        await pages.phone.reload()
    await pages.phone.wait_for_function(ALL_LOADED)


async def _seek(page: Page) -> None:
    """Go to the moment of a replay at which the courier is inside."""
    scrubber = page.locator("#scrubber")
    await scrubber.wait_for()
    await page.wait_for_timeout(SETTLE_MS)
    await scrubber.evaluate(
        """(bar, part) => {
            bar.value = Number(bar.min) + part * (bar.max - bar.min);
            for (const name of ["input", "change"]) bar.dispatchEvent(new Event(name, { bubbles: true }));
        }""",
        PART_INSIDE,
    )
    await page.wait_for_timeout(SETTLE_MS)


async def photograph_set_up(console: Console) -> None:
    """Set an empty box up with a phone, and photograph what was found and the checklist."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as made:
        folder = Path(made) / "box"
        with (
            box_set_up(folder, zone=afternoon_zone(machine_time())) as box,
            start_command("simulate", "--announce", "--home", folder / "home.yaml") as house,
        ):
            house.until("They announce themselves")
            async with visitor() as somebody:
                phone = await somebody.page()
                await claims(phone, box)
                await phone.get_by_role("link", name="Add devices").click()
                while await phone.locator(".find img").count() < FOUND_CAMERAS:
                    await phone.get_by_role("button", name="Search again").click()
                    await phone.wait_for_timeout(SETTLE_MS)
                await phone.wait_for_function(ALL_LOADED)
                await phone.screenshot(path=DOCS / "setup-devices.png")
                console.print("docs/pictures/setup-devices.png")
                await phone.get_by_label("Password", exact=True).fill(ANNA_PASSWORD)
                await phone.get_by_role("button", name="Add what is ticked").click()
                while not await phone.get_by_role("radio", name="doorbell").is_visible():  # the box reads its house
                    await phone.wait_for_timeout(3 * SETTLE_MS)
                    with contextlib.suppress(PlaywrightError):  # it does not answer meanwhile
                        await phone.goto(f"{phone.url.partition('/setup')[0]}/setup")
                await phone.wait_for_timeout(SETTLE_MS)
                await phone.screenshot(path=DOCS / "setup.png")
                console.print("docs/pictures/setup.png")
                await somebody.leave(forgiven=LOST)
        await stop_detached(folder / "box" / "video.pid")


async def photograph_console(console: Console) -> None:
    """Photograph the web console of a retailer whose deliveries of today are under way."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        async with run_hub(hub_file(Path(folder))) as hub, visitor() as somebody:
            home = await connected_home(hub)
            await home.states_features()
            shown = await _deliveries_of_today(home)
            page = await somebody.page(locale="en-GB", timezone_id=afternoon_zone(machine_time()), **SCREEN)
            await page.goto(f"{hub.url}/console")
            await page.locator("#key").fill(home.retailer.token)
            await page.keyboard.press("Enter")
            await page.locator("#live[data-state=live]").wait_for()
            for name, address in (("console", "/deliveries"), ("console-delivery", f"/deliveries/{shown}")):
                await page.goto(f"{hub.url}/console#{address}")
                await page.wait_for_timeout(SETTLE_MS)
                await page.screenshot(path=DOCS / f"{name}.png")
                console.print(f"docs/pictures/{name}.png")


async def _deliveries_of_today(home: ConnectedHome) -> str:
    """Announce deliveries around this moment, and let the home say how they stand; the id of one that is under way."""
    now = home.hub.hub.now()
    under_way = ""
    for number, (begins, state) in enumerate(STATES_OF_TODAY):
        start = now + timedelta(minutes=begins)
        window = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
        made = await home.announce(name=f"ORD-{4711 + number}", parcels=[f"8L2052475203{number}"], window=window)
        await home.stands(made, "scheduled")
        if state == "window_open":
            under_way = made["id"]
            eta = (now + timedelta(minutes=40)).isoformat()
            await home.ask("POST", f"/v1/deliveries/{under_way}/arrival", {"on_the_way": True, "eta": eta})
        if state != "scheduled":
            await home.stands(made, state)
    return under_way


async def film(console: Console) -> None:
    """Film the demo's show from beginning to end, a picture a second."""
    frames: list[Image.Image] = []
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        async with serve_page(Path(folder)) as there, visitor() as somebody:
            page = await somebody.page(locale="en-GB", **SCREEN)
            await page.goto(there.address)
            ended = page.get_by_text("Your turn.", exact=True).first
            left = END_PICTURES
            while len(frames) < MAX_PICTURES and left:
                left -= await ended.is_visible()
                shot = Image.open(io.BytesIO(await page.screenshot(type="png"))).convert("RGB")
                frames.append(shot.resize(FILM_SIZE_PX, Image.Resampling.LANCZOS))
                console.print(f"docs/pictures/demo.webp, picture {len(frames)}", end="\r")
                await page.wait_for_timeout(1000)
            if there.theatre.snapshot.complaints:
                raise SystemExit(f"the show was not as it should be: {there.theatre.snapshot.complaints}; try again")
            await page.screenshot(path=DOCS / "demo-end.png")
    first, *rest = frames
    first.save(DOCS / "demo.webp", save_all=True, append_images=rest, duration=500, loop=0, quality=60, method=6)
    console.print("docs/pictures/demo.webp" + 20 * " ")


def main() -> None:
    """Photograph and film."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.pictures",
        description=__doc__.partition("\n")[0],
        epilog="Examples:\n  python -m tests.pictures --stills\n  make pictures",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stills", action="store_true", help="no film of the demo, which takes a minute and a half")
    options = parser.parse_args()
    console = Console()
    languages: tuple[Language, ...] = ("en", "fr")
    for language in languages:
        asyncio.run(photograph(console, language))
    asyncio.run(photograph_set_up(console))
    asyncio.run(photograph_console(console))
    if not options.stills:
        asyncio.run(film(console))


if __name__ == "__main__":
    main()
