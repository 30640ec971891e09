import io
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from gateway.system.dates import window_text
from tests.announcing import connected_home
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.hubs import hub_file, run_hub

pytestmark = IN_SHARED_BROWSER


async def scanned(page: Page) -> list[str]:
    """What a scanner at the door reads off the courier's phone."""
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("L")
    return [code.text for code in zxingcpp.read_barcodes(picture)]


async def test_the_courier_s_phone_shows_the_code_that_the_door_reads_and_no_request_has_it(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, visitor() as browser:
        home = await connected_home(hub)
        body = {"connection": home.connection, "delivery": home.promise(), "courier": True}
        _, made = await home.ask("POST", "/v1/deliveries", body)
        courier = made["courier"]
        code = courier["link"].partition("#")[2]
        page, requested = await browser.page(locale="fr-FR"), list[str]()
        page.on("request", lambda request: requested.append(f"{request.url} {request.headers} {request.post_data}"))
        await page.goto(courier["link"])
        await expect(page.locator("canvas")).to_be_visible()
        await expect(page.get_by_role("heading", level=1).first).to_have_text("Votre livraison")
        for language, place in (("fr", 0), ("en", 1)):
            window = window_text(
                datetime.fromisoformat(made["window"]["start"]), datetime.fromisoformat(made["window"]["end"]),
                ZoneInfo("UTC"), today=hub.hub.now().date(),
            )  # fmt: skip
            when = page.locator(f'section[lang="{language}"] dd').first
            await expect(when).to_have_text(f"{window.to(language)} UTC")  # no box has told its zone
            assert await page.locator("section").nth(place).get_attribute("lang") == language
        assert await scanned(page) == [courier["text"]]
        assert await accessibility_problems(page) == []
        assert [one for one in requested if code in one.replace("#" + code, "")] == [], "nothing sends the code"
        await page.reload()
        await expect(page.locator("canvas")).to_be_visible()

        plain = await browser.page(java_script_enabled=False)
        await plain.goto(courier["link"])
        await expect(plain.locator("canvas")).to_be_hidden()
        await expect(plain.get_by_text("front").first).to_be_visible()
        await plain.get_by_label("Paste your link").fill(courier["link"])
        await plain.get_by_role("button", name="Show the code").click()
        await expect(plain.locator(".code svg")).to_be_visible()
        assert await scanned(plain) == [courier["text"]]
