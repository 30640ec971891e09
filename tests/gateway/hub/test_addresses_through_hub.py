"""An owner tells retailers a postcode or a word, and an order for another address is refused: a real hub and box."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from sqlalchemy import update

from gateway.domain.delivery.address import AddressKind, HomeAddress
from gateway.domain.delivery.promise import DeliveryBody, State
from gateway.hub.database.tables import connections
from gateway.web.pages.hub import HUB_PATH
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.domain.delivery.shop import make_offer_v2
from tests.gateway.integrations.hub_client.test_session import section
from tests.hubhouse import SERIAL, HubHouse, hub_house, new_offer
from tests.shell.site import serve_site

pytestmark = IN_SHARED_BROWSER


def offer_for(**address: str) -> DeliveryBody:
    number = next(SERIAL)
    return make_offer_v2(
        id=f"a-{number}", parcels=(f"A-{number}",), courier_sha256=f"{number:064x}", expected_address=address
    )


async def told(here: HubHouse, address: dict[str, str] | None) -> dict[str, Any]:
    """Wait until the connection shows this of the home's address; the connection."""
    async with asyncio.timeout(20):
        while True:
            _, connection = await here.ask("GET", f"/v1/connections/{here.connection}")
            if connection["address"] == address:
                found: dict[str, Any] = connection
                return found
            await asyncio.sleep(0.05)


async def test_an_owner_tells_the_postcode_and_an_order_for_another_one_is_refused(tmp_path: Path) -> None:
    async with hub_house(tmp_path) as here, AsyncExitStack() as stack:
        here.made.home = here.made.home.model_copy(update={"hub": section(here.broker, here.folder)})
        site = await stack.enter_async_context(serve_site(here.made))
        browser = await stack.enter_async_context(visitor())
        async with here.hub.hub.store.writing() as tx:  # the connection was put straight into the store
            await tx.execute(update(connections).values(asked={"carriers": ["Colissimo"]}))
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        early = await here.offers(offer_for(postcode="69001"))
        await here.stands(early, State.SCHEDULED)  # a home that tells nothing compares nothing
        async with asyncio.timeout(20):
            while (await here.ask("GET", f"/v1/connections/{here.connection}/box"))[0] != 200:  # noqa: ASYNC110 - the hub rings no bell here
                await asyncio.sleep(0.05)
        assert (await told(here, None))["state"] == "granted"
        page = await browser.page()
        await site.sign_in(page.context)
        await page.goto(f"{site.address.rstrip('/')}{HUB_PATH}")
        await page.get_by_label("They see").select_option("postcode")
        await page.get_by_label("Postcode or word").fill("75 011")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_label("Postcode or word")).to_have_value("75 011")
        assert await accessibility_problems(page) == []
        await told(here, {"kind": "postcode", "text": "75 011"})
        _, listed = await here.ask("GET", "/v1/connections")
        assert listed["data"][0]["address"] == {"kind": "postcode", "text": "75 011"}
        await here.stands(early, State.REFUSED, "other_address")

        body = {"connection": here.connection, "token": here.token(offer_for(postcode="69001", word="tilleul"))}
        status, problem = await here.ask("POST", "/v1/deliveries", body)
        assert (status, problem["code"]) == (422, "other_address")
        assert problem["errors"][0]["pointer"] == "/token"
        same = await here.offers(offer_for(postcode="75011"))
        assert (await here.stands(same, State.SCHEDULED))["expected_address"] == {"postcode": "75011", "word": None}
        await here.stands(await here.offers(offer_for(word="tilleul")), State.SCHEDULED)  # he tells no word

        await page.get_by_label("They see").select_option("")
        await page.get_by_role("button", name="Save").click()
        await told(here, None)
        await here.stands(early, State.SCHEDULED)


async def test_the_box_refuses_what_its_hub_passes_on_for_another_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.deliveries.box_statements.address_of", lambda *_: None)
    async with hub_house(tmp_path) as here:
        await here.stands(await here.offers(new_offer()), State.SCHEDULED)
        word = HomeAddress(kind=AddressKind.WORD, text="Tilleul")
        await here.made.store.addresses.tell(word, here.made.clock.now(), by="p-anna")
        await here.stands(await here.offers(offer_for(word="tulipe")), State.REFUSED, "other_address")
        await here.stands(await here.offers(offer_for(word="TILLEUL", postcode="1")), State.SCHEDULED)
