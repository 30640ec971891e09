"""A house joins a hub on a page, hears its first job, is cut off, and leaves: hub, its broker, the box and its broker
are processes, the browser is real."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession
from playwright.async_api import Error, Page, expect
from sqlalchemy import select

from gateway.config.loader import load_home_file
from gateway.hub.config import load as load_hub
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import homes, jobs
from gateway.integrations.hub_client.enrolment import read_status
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.forkserver import fork_server
from tests.gateway.runtime.maintenance.test_reload import perron
from tests.gateway.test_added_in_a_browser import DIES, House, begun, claims, comes_back
from tests.gateway.web.house import ANNA_PASSWORD
from tests.mosquitto import running
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

PAGE = "/settings/hub"
SHOP = {"id": "lune", "name": "Maison Lune"}
LONG = 90.0  # seconds for one step, on a machine that has much else to do


class Hub:
    """`perron hub` and its mosquitto, set up by the commands of docs/operator/hub.md."""

    def __init__(self, folder: Path) -> None:
        self.config, self.port, self.line = folder / "hub.yaml", free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        password = folder / "hub" / "broker" / "hub.password"
        self.config.write_text(
            f"url: {self.url}\nlisten: {{port: {self.port}}}\n"
            f"boxes: {{host: localhost, port: {free_port()}, listen: 127.0.0.1}}\n"
            f"broker: {{port: {self.line}, password_file: {password}}}\n"
        )
        self._log = folder / "hub.log"

    @asynccontextmanager
    async def serves(self) -> AsyncIterator[None]:
        await self.does("hub-config")
        async with running(self.config.parent / "hub" / "broker" / "mosquitto.conf", self.line, {}):
            with self._log.open("ab") as log:
                process = fork_server().start(["-m", "gateway", "hub", "--config", str(self.config)], log)
            try:
                await waited(self.ready, "the hub")
                yield
            finally:
                process.terminate()
                await process.wait()

    async def does(self, *words: str) -> str:
        done = await perron(*words, "--config", str(self.config))
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def ready(self) -> bool:
        with contextlib.suppress(ClientError):
            async with ClientSession() as http, http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        return False

    async def code(self, *more: str) -> str:
        told = await self.does("hub-claim", "--no-qr", *more)
        return next(line.split("'")[1] for line in told.splitlines() if "perron join" in line)

    async def row(self, table: Any, *columns: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own
        store = await HubStore.open(load_hub(self.config).database)
        try:
            async with store.reading() as tx:
                return (await tx.execute(select(*columns).select_from(table))).one_or_none()
        finally:
            await store.close()

    async def asks(self, support: str) -> None:
        """A retailer asks to be let in, and his customer says which home is his."""
        told = await self.does("hub-retailer", "Maison Lune")
        headers = {"Authorization": f"Bearer {told.split()[-1]}"}
        async with ClientSession(self.url, headers=headers) as shop:
            async with shop.post("/v1/brands", json=SHOP) as answer:
                assert answer.status == 201, await answer.text()
            asked = {"brand": "lune", "asked": {"carriers": ["Chronopost"]}}
            async with shop.post("/v1/connections", json=asked) as answer:
                page = (await answer.json())["consent_url"]
            async with shop.post(page, data={"code": support}) as answer:
                assert answer.status == 200


async def waited(question: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        await wait_until(question, within=LONG)
    except TimeoutError:
        raise AssertionError(f"it never came: {what}") from None


async def shows(page: Page, house: House, words: str) -> None:
    """Look again and again: the box begins anew in between."""
    async with asyncio.timeout(LONG):
        while True:
            with contextlib.suppress(Error):
                await page.goto(f"{house.address}{PAGE}", timeout=5000)
                if words in await page.locator("main").inner_text():
                    return
            await asyncio.sleep(0.3)


async def pressed(owner: Page, name: str) -> None:
    """Press it and wait until the box has answered, or died of it: whoever goes elsewhere before takes it back."""
    with contextlib.suppress(Error):
        async with owner.expect_response(lambda answer: answer.request.method == "POST", timeout=5000):
            await owner.get_by_role("button", name=name, exact=True).click(no_wait_after=True)


async def joins(owner: Page, house: House, code: str) -> None:
    """As the owner does it, by pasting."""
    await owner.goto(f"{house.address}{PAGE}")
    await owner.get_by_label("The hub's code").fill(code)
    await owner.get_by_role("button", name="See which hub").click()
    await owner.get_by_label("Password").fill(ANNA_PASSWORD)
    await pressed(owner, "Join this hub")


async def test_a_house_joins_on_its_page_hears_its_first_job_is_cut_off_joins_anew_and_leaves(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    hub = Hub(tmp_path)
    async with begun(tmp_path / "house") as house, hub.serves(), visitor() as somebody:
        folder = house.file.parent / "var" / "hub"
        await house.begins("-c", DIES, more=["rewritten"])
        owner = await somebody.page()
        await claims(owner, house)
        code = await hub.code()
        await photographed(owner, house, code)
        assert await accessibility_problems(owner) == []
        await joins(owner, house, code)
        await house.dead()  # between writing the house file and reading it anew
        await house.begins()
        await comes_back(owner, f"{house.address}{PAGE}")
        await shows(owner, house, "up since")
        assert await accessibility_problems(owner) == []
        support = await owner.locator("#support").inner_text()
        await hub.asks(support)

        async def answered() -> bool:
            row = await hub.row(jobs, jobs.c.received, jobs.c.refused)  # it knows no such brand: a refusal is an answer
            return row is not None and (row.received or row.refused) is not None

        await waited(answered, "a receipt for the first job")
        line = read_status(folder)
        assert line is not None
        assert line.up

        home = (await hub.row(homes, homes.c.id)).id
        await hub.does("hub-revoke", home)
        await shows(owner, house, "no longer accepts this house")
        await leaves(owner, house)
        assert load_home_file(house.file).hub is None
        assert not folder.exists()

        await joins(owner, house, await hub.code("--again", home))
        await shows(owner, house, "up since")
        assert await owner.locator("dd code").inner_text() == home
        await leaves(owner, house)
        assert (await hub.row(homes, homes.c.revoked)).revoked is not None, "it was told"
        assert not folder.exists()
        somebody.complaints.clear()  # the browser tells of connections that it could not make while the box was gone


async def photographed(owner: Page, house: House, code: str) -> None:
    """The QR as the operator's terminal shows it, on a photo."""
    import segno  # noqa: PLC0415 - here alone

    photo = house.file.parent / "photo.png"
    await asyncio.to_thread(lambda: segno.make(code, error="l").save(str(photo), scale=4, border=6))
    await owner.goto(f"{house.address}{PAGE}")
    await owner.locator("#claim-photo").set_input_files(photo)
    await expect(owner.locator("#claim-said")).to_have_text("Code read.")
    await expect(owner.get_by_label("The hub's code")).to_have_value(code)


async def leaves(owner: Page, house: House) -> None:
    await owner.get_by_label("Password").fill(ANNA_PASSWORD)
    await pressed(owner, "Leave")
    await shows(owner, house, "has joined no hub")
