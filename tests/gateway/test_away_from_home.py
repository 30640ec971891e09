"""The household's browser away from home: enrolled at the box, and then everything through the hub, all of it real.

Hub, box, house and browser are processes of their own; the box's pages cannot be reached any more. What opened is what
the simulated lock's own log says.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import Locator, Page, expect

from gateway.config.home import PagesSection
from gateway.demo.plan import DemoPlan
from gateway.demo.result import door_movements
from gateway.demo.scenario import MOVES_ONCE_IN_AND_OUT
from gateway.domain.delivery.promise import State
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.ed25519 import PublicKey
from tests.browser import visitor
from tests.certified import make_certificate
from tests.gateway.web.house import ANNA_PASSWORD
from tests.through_hub import AnnouncedDelivery, ThroughHub, through_hub, wait_for
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

NAME = "perron.test"
AT_HOME = "127.0.0.2"  # the box as the house's network has it: gone when the browser is away
RING = 8.0  # seconds: a veto has to be pressed twice meanwhile, on a machine that has much else to do


@contextlib.asynccontextmanager
async def home_network(port: int) -> AsyncIterator[asyncio.Server]:
    """What leads to the box's pages in the house; close it and its connections, and one is away."""
    carried: set[asyncio.Task[None]] = set()
    ends: list[asyncio.StreamWriter] = []

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while some := await reader.read(65_536):
                writer.write(some)
                await writer.drain()
        writer.close()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near, far = await asyncio.open_connection("127.0.0.1", port)
        ends.extend((writer, far))
        carried.update({asyncio.create_task(pour(reader, far)), asyncio.create_task(pour(near, writer))})

    server = await asyncio.start_server(carry, AT_HOME, port)
    try:
        yield server
    finally:
        server.close()
        for end in ends:
            end.transport.abort()
        for task in carried:
            task.cancel()
        await asyncio.gather(*carried, return_exceptions=True)


def trusting(chain: Path) -> tuple[str, ...]:
    """A browser that knows the box by name and trusts its certificate."""
    certificate = x509.load_pem_x509_certificate(chain.read_bytes())
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    return (f"--host-resolver-rules=MAP {NAME} {AT_HOME}", f"--ignore-certificate-errors-spki-list={pin}")


def with_pages(made: DemoPlan, port: int, chain: Path, key: Path) -> DemoPlan:
    """The house with pages, a ring that lasts, and no brand let in."""
    home = made.home
    entrances = {
        name: one.model_copy(update={"timing": one.timing.model_copy(update={"ring": RING, "bell": RING + 2})})
        for name, one in home.entrances.items()
    }
    brands = {
        name: one.model_copy(update={"permission": one.permission.model_copy(update={"state": "pending"})})
        for name, one in home.brands.items()
    }
    pages = PagesSection(port=port, names=(NAME,), certificate=chain, key=key)
    home = home.model_copy(update={"entrances": entrances, "brands": brands, "pages": pages})
    return replace(made, home=home)


async def enrolled(page: Page, address: str, code: str) -> None:
    """The owner takes the box, and enrols this browser."""
    await page.goto(f"{address}/claim")
    for field, value in (("code", code), ("name", "Anna"), ("password", ANNA_PASSWORD)):
        await page.locator(f"[name={field}]").fill(value)
    await page.locator("main form button").last.click()
    await page.goto(f"{address}/settings")
    await page.get_by_role("link", name="Enrol this browser").click()
    await page.locator("[name=password]").fill(ANNA_PASSWORD)
    await page.locator("form.enrol button:not([type=button])").click()
    await page.wait_for_url(re.compile("/away/en$"))


async def twice(button: Locator) -> None:
    """Press, and press once more."""
    await button.click()
    await button.click()


async def stands(here: ThroughHub, one: AnnouncedDelivery, state: State) -> None:
    """Wait until a delivery stands so at the hub."""

    async def so() -> bool:
        return (await here.hub.state(one.id))[0] == state.value

    await wait_for(so, f"{one.name} {state}")


async def rings(here: ThroughHub, one: AnnouncedDelivery, page: Page) -> None:
    """The courier comes, and the page tells that it rings."""
    play = here.play
    await play.wait_for_cameras()
    play.watch.mark_seen()
    await play.courier.does("arrive")
    await play.courier.scans(one.parcel)
    await play.courier.scans(one.courier)
    await play.wait_for_ringing()
    await expect(page.locator(".phase")).to_have_text(re.compile("Ringing|sonne", re.IGNORECASE))


async def permits_and_vetoes(here: ThroughHub, page: Page) -> None:
    """A brand is let in, and then not at its first visit."""
    play = here.play
    first = await here.shop.announces()
    await here.hub.home_reported(first, State.AWAITING_PERMISSION)
    asks = page.locator(f"#waiting [data-brand={here.shop.signer.brand}]")
    await asks.get_by_text("Terms").click()
    await twice(asks.get_by_role("button").first)
    await expect(page.locator("[data-order=permit]")).to_contain_text("done, says the house")
    await stands(here, first, State.WINDOW_OPEN)

    await rings(here, first, page)
    await page.get_by_role("button", name="Do not open").focus()
    for _ in range(2):
        await page.keyboard.press("Enter")
    await expect(page.locator("[data-order=veto]")).to_contain_text("done, says the house")
    await expect(page.locator(".phase")).to_have_count(0)
    assert door_movements(play.log.lines) == ()
    assert [one["standing"] for one in noted(here, "permission") if one.get("by") == anna(here)] == ["granted"]
    (said,) = (one for one in noted(here, "step") if one["event"]["event"] == "OwnerDecided")
    assert said["event"]["yes"] is False


async def watches(here: ThroughHub, page: Page) -> None:
    """A visit is followed, and its film looked at."""
    play = here.play
    front = page.locator(f"[data-entrance={play.plan.entrance}]")
    second = await here.shop.announces()
    await stands(here, second, State.WINDOW_OPEN)
    await rings(here, second, page)
    await play.wait_for_unlocked()
    await expect(page.locator(".phase")).to_have_text(re.compile("Unlocked"))
    await play.courier.goes_in()
    await expect(front.locator(".door .word")).to_have_text("Open")
    await play.leave_and_seal()
    await stands(here, second, State.DELIVERED)
    assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
    await seen(page)


async def takes_another_key(here: ThroughHub, page: Page) -> None:
    """The brand has another key, and what it signs by it counts once the page, in French, has said so."""
    shop = here.shop
    another = await shop.shows_another_key()
    asks = page.locator(f"#waiting [data-key-of={shop.signer.brand}]")
    await expect(asks.locator(".fingerprint")).to_have_text(PublicKey.from_text(another.key.public.text).fingerprint)
    shop.signer = another
    await twice(asks.get_by_role("button", name="Accepter la clé"))
    await expect(page.locator("[data-order=approve-key]")).to_contain_text("fait, dit la maison")
    await expect(asks).to_have_count(0)
    (said,) = noted(here, "key_approved")
    assert (said["kid"], said["x"], said["by"]) == (another.kid, another.key.public.text, anna(here))


async def revokes(here: ThroughHub, page: Page) -> None:
    """The brand comes in no longer."""
    brand = page.locator(f"#brands [data-brand={here.shop.signer.brand}]").first
    await brand.locator("summary").first.click()
    await twice(brand.get_by_role("button", name="Retirer l'accès"))
    await expect(page.locator("[data-order=revoke]")).to_contain_text("fait, dit la maison")
    said = noted(here, "permission")[-1]
    assert (said["brand"], said["standing"], said["by"]) == (here.shop.signer.brand, "revoked", anna(here))


def noted(here: ThroughHub, kind: str) -> list[dict[str, Any]]:
    """What the house's own log has of one kind."""
    file = here.play.plan.home.storage.folder / "perron.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as log:
        rows = log.execute("SELECT body FROM entry WHERE kind = ? ORDER BY seq", (kind,))
        return [json.loads(body) for (body,) in rows]


def anna(here: ThroughHub) -> str:
    """Whose word an order was, in the log."""
    (added,) = noted(here, "person_added")
    return str(added["person"])


async def stops(here: ThroughHub, page: Page) -> None:
    """The stop ends the visit that rings, and nothing opens any more."""
    play = here.play
    front = page.locator(f"[data-entrance={play.plan.entrance}]")
    third = await here.shop.announces()
    await stands(here, third, State.WINDOW_OPEN)
    await rings(here, third, page)
    await twice(page.locator("#stop button"))
    await expect(page.locator("[data-order=stop]")).to_contain_text("fait, dit la maison")
    await expect(front).to_contain_text("Arrêtée : rien ne s'ouvre ici.")
    await play.wait_for_no_opening()
    assert door_movements(play.log.lines) == MOVES_ONCE_IN_AND_OUT
    assert [one["by"] for one in noted(here, "stop")] == [anna(here)]


async def test_away_from_home_a_browser_permits_vetoes_watches_and_stops_through_the_hub(tmp_path: Path) -> None:
    port = free_port()
    _, chain, key = make_certificate(tmp_path, NAME)
    address = f"https://{NAME}:{port}"
    async with (
        through_hub(tmp_path, rigged=False, change=lambda made: with_pages(made, port, chain, key)) as here,
        visitor(*trusting(chain)) as somebody,
    ):
        play = here.play
        page = await somebody.page()
        async with home_network(port):
            await wait_until(play.plan.home.claim_code_file.exists, within=60)  # the pages come after the doors
            await enrolled(page, address, play.plan.home.claim_code_file.read_text(encoding="ascii").strip())
            await expect(page.locator("#heard")).to_have_text("Connected to the box")
        await page.goto(f"{address}/away")  # the box is away: the page comes from its worker
        front = page.locator(f"[data-entrance={play.plan.entrance}]")
        await expect(front.locator(".door .word")).to_have_text("Locked")
        assert not await page.evaluate("fetch('/enter').then(() => true, () => false)")

        await permits_and_vetoes(here, page)
        await watches(here, page)
        await page.goto(f"{address}/away/fr")
        await takes_another_key(here, page)
        await stops(here, page)
        await revokes(here, page)

        await page.context.clear_cookies()
        async with home_network(port):
            await ended(await page.context.new_page(), address)
        await expect(page.locator("#gone")).to_contain_text("La box a mis fin à l'inscription de ce navigateur.")
        complaints = [one for one in somebody.complaints if not re.search("ERR_|Failed to load", one)]
        assert complaints == []
        somebody.complaints.clear()


async def ended(page: Page, address: str) -> None:
    """At home its owner takes the browser off the list, from another one."""
    await page.goto(f"{address}/enter")
    for field, value in (("name", "Anna"), ("password", ANNA_PASSWORD)):
        await page.locator(f"[name={field}]").fill(value)
    await page.locator("main form button").last.click()
    await page.goto(f"{address}/settings")
    end = page.get_by_role("button", name="End the browser Anna's phone")
    await end.click()
    await expect(end).to_have_count(0)


async def seen(page: Page) -> None:
    """What was filmed is looked at, sealed for this browser alone."""
    await expect(page.locator("#messages")).to_contain_text(re.compile("Locked again|verrouill", re.IGNORECASE))
    await page.get_by_role("button", name="Show the visits").click()
    visit = page.locator("[data-visit]").first
    await visit.get_by_role("button", name=re.compile("Picture")).first.click()
    image = visit.locator("img")
    await expect(image).to_be_visible()
    assert await image.evaluate("one => one.decode().then(() => one.naturalWidth)") > 100
    await visit.get_by_role("button", name=re.compile("Film")).first.click()
    video = visit.locator("video")
    async with asyncio.timeout(30):
        while await video.evaluate("one => one.currentTime") < 0.5:  # noqa: ASYNC110 - the film rings no bell here
            await asyncio.sleep(0.1)
    await expect(visit).to_contain_text("All of the film is here.")
    await page.get_by_role("button", name=re.compile("^Live: ")).first.click()
    live = page.locator("#live")
    await expect(live.locator("img")).to_be_visible()
    await expect(live.locator("[role=status]")).to_contain_text("Live")
    await live.get_by_role("button").click()
