"""The web console in a real browser at a real hub: a retailer signs in with its key, looks, and acts."""

import asyncio
import io
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from playwright.async_api import Locator, Page, Route, expect
from standardwebhooks import Webhook

from gateway.hub.console.page_texts import TEXTS
from gateway.hub.deliveries.evidence import Evidence, first_problem
from gateway.hub.http.authentication import REMEMBER_PERIOD
from gateway.hub.operation.retailers import suspend
from tests.announcing import ConnectedHome, connected_home
from tests.browser import IN_SHARED_BROWSER, BrowserVisitor, accessibility_problems, contrast_problems, visitor
from tests.gateway.hub.api.test_carrier_keys import carrier_key
from tests.hubs import HIGH_LIMITS, RunningHub, hub_file, run_hub
from tests.receiver import shared_receiver
from tests.sandboxes import create_sandbox
from tests.webhookhouse import TEST_WEBHOOKS

pytestmark = IN_SHARED_BROWSER

STATIC = files("gateway.hub.console").joinpath("static")
MODULES = {file.name: file.read_text("utf-8") for file in STATIC.iterdir() if file.name.endswith(".js")}
SCRIPT = "<script>document.title = 'taken'</script>"
REVERSED = "\N{RIGHT-TO-LEFT OVERRIDE}"
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "has_touch": False}


@pytest_asyncio.fixture(loop_scope="session")
async def hub(tmp_path: Path) -> AsyncIterator[RunningHub]:
    async with run_hub(hub_file(tmp_path, webhooks=TEST_WEBHOOKS)) as hub:
        yield hub


async def sign_in(page: Page, hub: RunningHub, key: str, place: str = "") -> None:
    """Open the console and type the key, as somebody without a mouse does."""
    await page.goto(f"{hub.url}/console{place}")
    await expect(page.locator("#key")).to_be_focused()
    await page.keyboard.type(key)
    await page.keyboard.press("Enter")


async def signed_in(browser: BrowserVisitor, home: ConnectedHome, place: str = "", **options: Any) -> Page:  # noqa: ANN401 - Playwright's own
    """A page of the console in which this home's retailer has signed in."""
    page = await browser.page(**(DESK | options))
    await sign_in(page, home.hub, home.retailer.token, place)
    return page


async def press_twice(button: Locator) -> None:
    """Press a button that asks once more."""
    await button.click()
    await expect(button).to_contain_text("Press again")
    await button.click()


async def output_of(*command: str, key: str) -> str:
    """What a reader's command prints who has set PERRON_API_KEY."""
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path), "PERRON_API_KEY": key}
    out, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=out, stderr=null)
    return (await process.communicate())[0].decode()


async def in_the_way(page: Page) -> list[str]:
    """What is in the way of a reader: axe's faults, in both colour schemes, and what hangs out of a phone's screen."""
    found = await accessibility_problems(page)
    await page.emulate_media(color_scheme="dark")
    found += await contrast_problems(page)
    await page.emulate_media(color_scheme="light")
    before = page.viewport_size
    await page.set_viewport_size({"width": 360, "height": 800})
    if await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("it hangs out of a phone's screen")
    await page.set_viewport_size(before or {"width": 1280, "height": 900})
    return found


async def texts_in_the_way(page: Page) -> list[str]:
    """Texts of moments in a picture of time that hang out of it, or lie over one another."""
    return list(
        await page.locator(".axis").evaluate(
            """picture => {
                const box = one => one.getBoundingClientRect(), around = box(picture);
                const texts = [...picture.querySelectorAll(".mark > span")];
                const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
                return texts.filter(one => box(one).left < around.left || box(one).right > around.right
                    || texts.some(other => other !== one && meets(box(one), box(other)))).map(one => one.textContent);
            }"""
        )
    )


async def hide(page: Page, *, is_hidden: bool) -> None:
    """Put the tab behind another one, or in front again."""
    await page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def zone_by_day(home: ConnectedHome) -> str:
    """A zone of another continent in which no window of two hours around now touches midnight."""
    zones = ("America/New_York", "Asia/Tokyo")
    return next(zone for zone in zones if 2 <= home.hub.hub.now().astimezone(ZoneInfo(zone)).hour < 20)


def running(home: ConnectedHome) -> dict[str, str]:
    """A window that began half an hour ago."""
    start = home.hub.hub.now() - timedelta(minutes=30)
    return {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}


async def test_a_retailer_finds_an_order_by_its_name_its_parcel_or_its_customer(hub: RunningHub) -> None:
    home = await connected_home(hub)
    for _ in range(21):
        await home.announce(window=running(home))
    await home.announce(name="ORD-4711", parcels=["XY999999995FR"])  # for tomorrow
    async with visitor() as browser:
        page = await signed_in(browser, home, timezone_id=zone_by_day(home))
        await expect(page.locator("#live")).to_have_text("live")
        await expect(page.locator("header")).to_contain_text(urlsplit(hub.url).netloc)
        await expect(page.locator("#zone")).to_contain_text(zone_by_day(home))
        await expect(page.locator("ul.rows > li")).to_have_count(20)
        picture = page.get_by_role("group", name=re.compile("Windows on"))
        await expect(picture.get_by_role("link")).to_have_text("21 \N{MULTIPLICATION SIGN} Awaiting the home's answer")
        await page.get_by_role("link", name="Day after").click()
        await expect(picture.get_by_role("link")).to_have_text("ORD-4711")
        assert await in_the_way(page) == []
        await page.get_by_role("link", name="Next page").click()
        await expect(page.locator("ul.rows > li")).to_have_count(2)
        for asked in ("XY999999995FR", "customer 7", "ORD-4711"):
            await page.get_by_role("searchbox").fill(asked)
            await page.keyboard.press("Enter")
            await expect(page.get_by_text(re.compile(f"^Deliveries .* {asked}$"))).to_be_visible()
        await expect(page.locator("ul.rows > li")).to_have_count(1)
        await page.locator("ul.rows a").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("ORD-4711")
        await page.get_by_role("link", name="customer 7").click()  # all of the same customer
        await expect(page.locator("ul.rows > li")).to_have_count(20)
        await page.get_by_label("only windows of this day").check()
        await expect(page.get_by_role("link", name="Next page")).to_be_visible()
        await page.get_by_role("link", name="Day after").click()
        await expect(page.locator("ul.rows > li")).to_have_count(1)
        assert await in_the_way(page) == []
        await page.get_by_role("link", name="customer 7 (remove this filter)").click()
        await expect(page.get_by_role("link", name="(remove this filter)")).to_have_count(0)
        await page.goto(f"{hub.url}/console#/deliveries?q=ORD-0000")
        await expect(page.get_by_text("No delivery fits.")).to_be_visible()


async def test_a_delivery_is_followed_to_its_window_and_its_cancel_to_the_home_s_answer(hub: RunningHub) -> None:
    home = await connected_home(hub)
    await home.states_features()
    made = await home.announce(name="ORD-4711", window=running(home))
    await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"metadata": {"note": f"{REVERSED}{SCRIPT}"}})
    async with visitor() as browser:
        page = await signed_in(browser, home, f"#/deliveries/{made['id']}")
        track, current = page.locator("ol.track"), page.locator("ol.track [aria-current=step]")
        await expect(current).to_contain_text("Announced")
        await home.stands(made, "scheduled")
        await expect(current).to_contain_text("Accepted by the home")  # it looks by itself
        await page.get_by_role("button", name="Tell the home that the courier has set out").click()
        await expect(current).to_contain_text("Courier on the way")
        await home.ask("POST", f"/v1/deliveries/{made['id']}/arrival", {"eta": made["window"]["end"]})
        await expect(page.locator(".axis .mark")).to_have_text(["Courier on the way", "now", "Expected"])
        for width in (1280, 360):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await texts_in_the_way(page) == []
        await home.stands(made, "window_open")
        await expect(current).to_contain_text("Window open")
        assert await track.locator("svg").count() == await track.locator("li").count() == 6, "each station has a sign"
        assert await in_the_way(page) == []

        await page.get_by_role("button", name="Ask the household for half an hour more").click()
        await home.stands(made, "window_open", more_time="asked")
        await expect(page.locator(".stands")).to_contain_text("More time: the household is asked")
        cancel = page.get_by_role("button", name="Cancel the delivery")
        await cancel.click()
        await home.stands(made, "window_open", more_time="refused")
        await expect(page.locator(".stands")).to_contain_text("More time: the household refused")
        await expect(cancel).to_contain_text("Press again")  # the page was drawn anew meanwhile
        _, told = await home.ask("GET", f"/v1/deliveries/{made['id']}")
        assert told["cancel"] is None, "one press cancels nothing"
        await cancel.click()
        await expect(page.get_by_text("Your cancel is on its way to the home").first).to_be_visible()
        _, told = await home.ask("GET", f"/v1/deliveries/{made['id']}")
        assert (told["cancel"], told["state"]) == ("requested", "window_open")
        await home.stands(told, "cancelled")
        await expect(page.locator(".stands")).to_contain_text("Cancelled")
        await expect(page.locator(".stands")).to_contain_text("The home accepted your cancel")
        await expect(page.get_by_role("button", name="Cancel the delivery")).to_have_count(0)

        facts = await page.locator("#page").inner_text()
        assert SCRIPT in facts, "a name is text"
        assert REVERSED not in facts
        assert await page.locator("script").count() == 1
        assert await page.title() == "ORD-4711 \N{MIDDLE DOT} Web console"


async def test_the_proof_is_saved_as_the_home_signed_it(hub: RunningHub) -> None:
    box = await create_sandbox(hub)
    made = await box.announce("SANDBOX-MISSING", "A-1", name="ORD-4711")
    async with visitor() as browser:
        page = await browser.page(**DESK, locale="fr-FR")
        await sign_in(page, hub, box.said["api_key"], f"#/deliveries/{made}")
        await expect(page.locator(".stands")).to_contain_text("Livrée en partie")
        await expect(page.locator("#sandbox")).to_contain_text("Ceci est un bac à sable")
        await expect(page.locator("dl")).to_contain_text("SANDBOX-MISSING")
        missing = re.compile(r"colis manquants\s: 1 \(SANDBOX-MISSING\)")
        await expect(page.locator("ol.steps")).to_contain_text(missing)
        first_of_december = "import('/console/dom.js').then(({ dayText }) => dayText(new Date(2026, 11, 1)))"
        assert await page.evaluate(first_of_december) == "mardi 1er décembre 2026"
        assert await in_the_way(page) == []
        async with page.expect_download() as downloading:
            await page.get_by_role("button", name="Enregistrer la preuve").click()
        download = await downloading.value
        assert download.suggested_filename.startswith("proof-ord-4711")
        proof = Evidence.model_validate_json((await download.path()).read_bytes())
        assert first_problem(proof) is None
        assert proof.missing_parcels == ("SANDBOX-MISSING",)


async def test_the_key_stays_in_the_tab_and_is_forgotten_when_its_reader_signs_out(hub: RunningHub) -> None:
    home = await connected_home(hub)
    await home.announce(name="ORD-4711")
    async with visitor() as browser:
        page, requested = await browser.page(**DESK), list[str]()
        page.on("request", lambda request: requested.append(f"{request.url} {request.post_data}"))
        await sign_in(page, hub, home.retailer.token)
        await page.locator("ul.rows a").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("ORD-4711")
        assert [one for one in requested if home.retailer.token in one or hub.url not in one] == []
        assert await page.context.cookies() == []
        assert await page.evaluate("[localStorage.length, document.cookie.length]") == [0, 0]
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_have_text("ORD-4711")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator("#key")).to_be_visible()
        assert await page.evaluate("sessionStorage.length") == 0
        await page.go_back()
        await expect(page.locator("#key")).to_be_visible()
        await expect(page.locator("body")).not_to_contain_text("ORD-4711")
        await page.reload()
        await expect(page.locator("#key")).to_be_visible()


async def test_a_webhook_is_made_tested_and_a_message_sent_again_to_a_real_receiver(hub: RunningHub) -> None:
    home, receiver = await connected_home(hub), shared_receiver()
    async with visitor() as browser:
        page = await signed_in(browser, home, "#/webhooks")
        await expect(page.get_by_text("No webhook endpoint yet.")).to_be_visible()
        await page.get_by_label("Address (https)").fill(f"{receiver.url}/ok")
        await page.get_by_role("button", name="Make the endpoint").click()
        secret = await page.locator(".once code").inner_text()
        assert await in_the_way(page) == []
        await page.locator("ul.rows a").click()
        await page.get_by_role("button", name="Send a ping").click()
        (ping,) = await receiver.until(1, "/ok")
        assert Webhook(secret).verify(ping.body, ping.headers)["type"] == "ping"
        message = page.locator("li.event").first
        await expect(message).to_contain_text("Accepted")
        await message.get_by_role("button", name="Send again").click()
        _, again = await receiver.until(2, "/ok")
        assert again.id == ping.id
        await expect(message.locator("ol.attempts > li")).to_have_count(2)

        await home.announce(name="ORD-4711")
        await expect(message).to_contain_text("Delivery announced")  # it looks by itself
        assert await in_the_way(page) == []
        await press_twice(page.get_by_role("button", name="Switch off"))
        await expect(page.locator(".stands")).to_contain_text("Switched off")
        await press_twice(page.get_by_role("button", name="Delete the endpoint"))
        await expect(page.get_by_text("No webhook endpoint yet.")).to_be_visible()

        await page.get_by_label("Address (https)").fill(f"{receiver.url}/odd")  # answers with markup
        await page.get_by_role("button", name="Make the endpoint").click()
        await page.locator("ul.rows a").click()
        await page.get_by_role("button", name="Send a ping").click()
        await expect(page.locator("ol.attempts > li")).to_contain_text("script alert(1) /script [31mred")
        assert await page.locator("script").count() == 1


async def test_a_key_is_made_and_shown_once_and_when_it_is_revoked_it_signs_out(hub: RunningHub) -> None:
    home = await connected_home(hub)
    made = await home.announce(name="ORD-4711")
    async with visitor() as browser:
        page = await signed_in(browser, home, "#/keys")
        await page.get_by_label("Name of the key").fill(f"desk {SCRIPT}")
        await page.get_by_role("button", name="Make the key").click()
        key = await page.locator(".once code").inner_text()
        await expect(page.locator("li.event")).to_have_count(2)
        await expect(page.locator("li.event").first).to_contain_text(f"desk {SCRIPT}")
        assert await in_the_way(page) == []
        await page.reload()
        await expect(page.locator("li.event")).to_have_count(2)
        assert key not in await page.content(), "it is shown once"

        async def lose(route: Route) -> None:
            await route.fetch()
            await route.abort()

        await page.route("**/v1/api_keys", lose, times=1)
        await page.get_by_label("Name of the key").fill("lost")
        await page.get_by_role("button", name="Make the key").click()
        await expect(page.locator("#told")).to_contain_text("The hub cannot be reached.")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator(".once code")).to_be_visible()
        await expect(page.locator("li.event")).to_have_count(3)
        await expect(page.locator("li.event").first).to_contain_text("lost")  # and there is one of them only
        await press_twice(page.get_by_role("button", name="Revoke: lost"))
        await expect(page.locator("li.event")).to_have_count(2)

        reader = await browser.page(**DESK)
        await sign_in(reader, hub, key, f"#/deliveries/{made['id']}")
        await expect(reader.locator("#session")).to_contain_text("read only")
        await expect(reader.locator("#live")).to_have_text("live")
        await expect(reader.locator("#page button[type=button]")).to_have_text(["Refresh"])
        for place, offered in (("Deliveries", ["Refresh"]), ("Webhooks", []), ("API keys", [])):
            await reader.get_by_role("navigation").get_by_role("link", name=place).click()
            await expect(reader.get_by_role("heading", level=1)).to_have_text(place)
            await expect(reader.locator("body[data-busy]")).to_have_count(0)
            assert await reader.locator("#page form:not(.search)").count() == 0, place
            assert await reader.locator("#page button[type=button]").all_inner_texts() == offered, place
        await reader.goto(f"{hub.url}/console#/deliveries/{made['id']}")
        await expect(reader.get_by_role("heading", level=1)).to_have_text("ORD-4711")

        await press_twice(page.locator("li.event").first.get_by_role("button", name="Revoke"))
        await expect(page.locator("li.event")).to_have_count(1)
        await home.announce(name="ORD-4712")  # the next event ends the stream of the key
        await expect(reader.locator("#told")).to_have_text("You are signed out: the key was revoked or has ended.")
        await expect(reader.locator("body")).not_to_contain_text("ORD-4711")
        await press_twice(page.get_by_role("button", name="Revoke, and sign out"))
        await expect(page.locator("#told")).to_have_text("You are signed out: you revoked your own key.")
        await browser.leave(forgiven="401|ERR_FAILED")


async def test_an_empty_console_shows_the_request_that_makes_the_first_delivery(hub: RunningHub) -> None:
    home = await connected_home(hub)
    async with visitor() as browser:
        page = await signed_in(browser, home)
        shown = page.locator("#page .copied code")
        await expect(shown).to_have_count(2)
        command, program = await shown.all_inner_texts()
        assert home.retailer.token not in command + program
        assert await in_the_way(page) == []
        assert '"name":"ORD-4711"' in await output_of("sh", "-c", command, key=home.retailer.token)
        await expect(page.locator("ul.rows > li")).to_contain_text("ORD-4711")  # it looks by itself
        program = program.replace("ORD-4711", "ORD-4710").replace("perron.sdk", "gateway.hub.sdk")  # its source
        assert "awaiting_permission" in await output_of(sys.executable, "-c", program, key=home.retailer.token)
        await expect(page.locator("ul.rows > li")).to_have_count(2)
        await page.get_by_role("link", name="Events").click()
        first = page.locator("li.event").first
        await expect(first).to_contain_text("Delivery announced")
        assert await in_the_way(page) == []
        await home.announce(name="ORD-4712")
        await expect(first).to_contain_text("ORD-4712")  # newest first, as it happens
        async with page.expect_event("requestfailed", lambda request: "/v1/events/stream" in request.url):
            await hide(page, is_hidden=True)  # a tab in the background uses no stream
        await home.announce(name="ORD-4713")
        await hide(page, is_hidden=False)
        await expect(first).to_contain_text("ORD-4713")
        await page.get_by_label("Type").select_option("ping")
        await expect(page.get_by_text("No event fits.")).to_be_visible()


async def test_a_console_that_is_open_goes_on_when_its_hub_is_restarted(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    async with visitor() as browser:
        async with run_hub(file) as hub:
            home = await connected_home(hub)
            page = await signed_in(browser, home)
            await expect(page.locator("#live")).to_have_text("live")
        await expect(page.locator("#live")).to_have_text("not live: connecting again")
        async with run_hub(file) as hub:
            await replace(home, hub=hub).announce(name="ORD-4711")
            await expect(page.locator("#live")).to_have_text("live")
            await expect(page.locator("ul.rows > li")).to_contain_text("ORD-4711")
        await browser.leave(forgiven="ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY")


async def test_a_carrier_s_key_sees_its_deliveries_and_makes_the_courier_s_code(hub: RunningHub) -> None:
    home = await connected_home(hub)
    made = await home.announce(name="ORD-4711")
    await home.announce(name="ORD-4712", carrier="UPS")
    carrier = await carrier_key(home, "Chronopost")
    await home.stands(made, "scheduled")
    async with visitor() as browser:
        page = await signed_in(browser, carrier)
        await expect(page.locator("ul.rows > li")).to_have_count(1)
        assert await page.get_by_role("navigation").get_by_role("link").all_inner_texts() == ["Deliveries"]
        await page.locator("ul.rows a").click()
        await expect(page.get_by_role("button", name="Cancel the delivery")).to_have_count(0)
        await press_twice(page.get_by_role("button", name="Make a new courier's code"))
        shown = page.locator(".once")
        await expect(shown.locator("img")).to_be_visible()
        assert await in_the_way(page) == []
        picture = Image.open(io.BytesIO(await shown.locator("img").screenshot()))
        (code,) = zxingcpp.read_barcodes(picture)
        assert code.text == await shown.locator("code").nth(1).inner_text()
        _, told = await home.ask("GET", f"/v1/deliveries/{made['id']}")
        assert told["courier_sha256"] is not None
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_have_text("ORD-4711")
        await expect(shown).to_have_count(0)
        await browser.leave(forgiven="403")  # the hub tells a carrier's key nothing of keys


async def test_what_is_wrong_is_told_in_words_and_can_be_tried_again(tmp_path: Path) -> None:
    limits = HIGH_LIMITS.model_copy(update={"reads": 2})
    async with run_hub(hub_file(tmp_path, limits=limits)) as hub, visitor() as browser:
        home = await connected_home(hub)
        await home.announce(name="ORD-4711")
        page = await browser.page(locale="fr-FR")
        told = page.locator("#told")
        await sign_in(page, hub, "sesame")
        await expect(told).to_contain_text("Ce n'est pas une clé API")
        await page.locator("#key").fill(f"key-{'a' * 26}_{'a' * 26}")
        await page.keyboard.press("Enter")
        await expect(told).to_contain_text("Le hub ne connaît pas cette clé")
        assert await in_the_way(page) == []
        waits = page.get_by_text("Le hub limite les requêtes")
        await page.locator("#key").fill(home.retailer.token)
        await page.keyboard.press("Enter")
        await expect(waits).to_be_visible()  # it reads more than three times in a second
        await expect(page.locator("ul.rows > li")).to_contain_text("Attend la réponse du domicile")
        await page.get_by_role("link", name="English").click()
        await expect(page.locator("ul.rows > li")).to_contain_text("Awaiting the home's answer")  # and is signed in
        await page.context.set_offline(True)
        await page.get_by_role("button", name="Refresh").click()
        await expect(told).to_contain_text("The hub cannot be reached.")
        await page.context.set_offline(False)
        await told.get_by_role("button", name="Try again").click()
        await expect(told).to_be_hidden()
        await page.goto(f"{hub.url}/console?lang=en#/deliveries/dlv-{'a' * 26}")
        await expect(told).to_contain_text(
            re.compile(r"The hub has nothing there for this key\..*\(request req-[a-z2-7]+\)")
        )
        await suspend(hub.hub.store, home.retailer.id, hub.hub.now())
        await asyncio.sleep(REMEMBER_PERIOD.total_seconds())
        await page.goto(f"{hub.url}/console?lang=en#/keys")
        await expect(told).to_contain_text("The operator of this hub has suspended the retailer")
        await browser.leave(forgiven="401|403|404|429|ERR_INTERNET_DISCONNECTED|ERR_NETWORK")


async def test_the_console_is_its_files_without_cookie_and_refuses_scripts_of_others(hub: RunningHub) -> None:
    names = [file.name for file in STATIC.iterdir()]
    for path in ("/console", "/console?lang=fr", "/console/perron.svg", *(f"/console/{name}" for name in names)):
        async with hub.http.get(path) as answer:
            assert answer.status == 200, path
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "require-trusted-types-for 'script'" in policy
            assert "unsafe" not in policy
            assert "Set-Cookie" not in answer.headers
            assert answer.headers["Referrer-Policy"] == "no-referrer"
    for path in ("/console/", "/console/page.py", "/console/..%2fpage.py", "/console/console.html"):
        async with hub.http.get(path) as answer:
            assert answer.status == 404, path


@pytest.mark.parametrize(("header", "language"), [("fr-FR,fr;q=0.9", "fr"), ("de", "en"), ("xx", "en")])
async def test_the_console_speaks_the_reader_s_language(hub: RunningHub, header: str, language: str) -> None:
    async with hub.http.get("/console", headers={"Accept-Language": header}) as answer:
        text = await answer.text()
    assert f'<html lang="{language}">' in text
    assert re.findall(r'(?:href|src)="/', text) == [], "a proxy may serve the hub below a path"


def test_each_text_that_the_modules_ask_for_exists_and_each_state_has_words() -> None:
    asked = {key for text in MODULES.values() for key in re.findall(r'\bsay\("([a-z._0-9]+)"', text)}
    assert {"page.deliveries", "failed.unreachable"} <= asked
    assert asked <= TEXTS.keys()
