"""`python -m tests.pictures`: photograph the pages, and film the demo, in a real house, into docs/.

Examples:
  python -m tests.pictures
  make pictures
"""

import argparse
import asyncio
import io
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Page
from rich.console import Console

from gateway.config.home import PagesSection
from gateway.demo.plan import DemoPlan
from gateway.domain.delivery.barcodes import normalise
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.browser import BrowserVisitor, visitor
from tests.gateway.demo.page.runner import serve_page
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.test_notified import subscribe_script
from tests.lens import FakeCamera, draw_label
from tests.pushservice import PushBrowser, PushService, push_service
from tests.whole_house import run_whole_house

DOCS = Path(__file__).parents[1] / "docs" / "pictures"
SCREEN = {"viewport": {"width": 1280, "height": 800}, "has_touch": False}
FILM_SIZE_PX = (800, 500)  # pixels of the film
END_PICTURES = 8  # pictures of the card with the six claims
MAX_PICTURES = 150  # pictures, on a slow machine
ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Mobile Safari/537.36"
DESKTOP_SCREEN = {"viewport": {"width": 1100, "height": 760}, "has_touch": False}


async def photograph(console: Console) -> None:
    """Let one parcel in, and photograph what owner and courier see."""
    DOCS.mkdir(parents=True, exist_ok=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def with_pages(plan: DemoPlan) -> DemoPlan:
        sections = {"pages": PagesSection(port=port), "push": pushes.section}
        return replace(plan, home=plan.home.model_copy(update=sections))

    async def take(page: Page, name: str) -> None:
        console.print(f"docs/pictures/{name}.png")
        await page.wait_for_timeout(700)
        await page.screenshot(path=DOCS / f"{name}.png")

    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        lens = FakeCamera(Path(folder) / "label.mjpeg")
        async with (
            push_service(Path(folder) / "push") as pushes,
            run_whole_house(Path(folder), with_pages) as play,
            visitor(*lens.switches) as somebody,
        ):
            phone = await somebody.page(locale="en-GB")
            await phone.goto(f"{address}/claim")
            await phone.get_by_label("The box's code").fill(play.plan.home.claim_code_file.read_text("ascii").strip())
            await phone.get_by_label("Name", exact=True).fill("Anna")
            await phone.get_by_label("New password").fill(ANNA_PASSWORD)
            await phone.get_by_role("button", name="Claim it").click()
            cookies = await phone.context.cookies()
            desk = await somebody.page(locale="fr-FR", color_scheme="dark", **DESKTOP_SCREEN)
            await desk.context.add_cookies(cookies)  # type: ignore[arg-type]  # what a browser gave it takes back
            courier = await somebody.page(locale="fr-FR")
            parcels = await play.announce_delivery()
            digest = getattr(normalise(parcels.courier_code), "value", "").removeprefix("courier:")
            await courier.goto(f"{address}/c/{digest}#{parcels.courier_code}")
            await take(courier, "courier-scan")
            lens.sees(draw_label(("code128", parcels.codes[0]), tilt=20))
            await courier.get_by_role("link", name="étiquette").click()
            await courier.get_by_role("button", name="Lire l'étiquette").click()
            await courier.locator("#parcel canvas").wait_for()
            await take(courier, "courier-label")
            await play.scan_codes(parcels)
            await play.wait_for_ringing()
            await take(phone, "home-ringing")
            await play.wait_for_unlocked()
            await take(courier, "courier-go")
            await play.courier.goes_in()
            await desk.goto(address)
            await take(desk, "home-open-desktop")
            await play.leave_and_seal()
            await take(phone, "home-locked")
            await phone.goto(f"{address}/history")
            await phone.locator(".visits a").first.click()
            await take(phone, "visit")
            await desk.goto(f"{address}/brands")
            await take(desk, "brands-desktop")
            await take(await notified_phone(somebody, address, cookies, pushes), "messages")


async def notified_phone(somebody: BrowserVisitor, address: str, cookies: list[Any], pushes: PushService) -> Page:
    """The page of the messages on a phone that was just notified."""
    phone = await somebody.page(locale="en-GB", user_agent=ANDROID)
    await phone.context.add_cookies(cookies)
    await phone.context.add_init_script(subscribe_script(PushBrowser(pushes)))
    await phone.goto(f"{address}/settings/messages")
    await phone.locator("[data-start]").click()
    await phone.locator("[data-when=told]").wait_for()
    return phone


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
    asyncio.run(photograph(console))
    if not options.stills:
        asyncio.run(film(console))


if __name__ == "__main__":
    main()
