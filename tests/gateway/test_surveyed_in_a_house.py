"""Surveys of a whole house, begun on the gateway's page: real broker, real cameras, a gateway that is killed."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, CookieJar
from playwright.async_api import expect

from gateway.cli import surveying
from gateway.cli.failure import Failure
from gateway.config.home import Home, PagesSection
from gateway.demo.plan import DemoPlan
from gateway.demo.processes import is_running, read_pid
from gateway.demo.scenario import ScenarioRun
from gateway.installation import notes
from gateway.installation.survey import SurveyEndReason, SurveyRecord
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.browser import visitor
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.parts import wait_until
from tests.whole_house import run_whole_house
from tests.wire import TcpRelay

pytestmark = pytest.mark.slow

PATIENCE = 60.0
SURVEY = "/installation/survey/front"


def with_pages(plan: DemoPlan, port: int) -> DemoPlan:
    return replace(plan, home=plan.home.model_copy(update={"pages": PagesSection(port=port)}))


def kept(home: Home) -> SurveyRecord:
    found = notes.read_survey(home.storage.folder, "front")
    assert found is not None
    return found


def kept_of_pictures(home: Home) -> list[Path]:
    return list((home.storage.folder / notes.INSTALLATION_FOLDER / "eyes").iterdir())


async def more(home: Home, *, than: int) -> None:
    """Wait for two looks more than there were."""
    await wait_until(lambda: len(kept(home).looks) >= than + 2, within=PATIENCE)


async def seen(home: Home, *refused: str) -> None:
    """Wait for a look at which exactly these would have refused."""

    def so() -> bool:
        looks = kept(home).looks
        return bool(looks) and set(looks[-1].refused) == set(refused)

    await wait_until(so, within=PATIENCE)


@contextlib.asynccontextmanager
async def owner(home: Home, address: str) -> AsyncIterator[ClientSession]:
    await wait_until(home.claim_code.exists)
    async with ClientSession(address, cookie_jar=CookieJar(unsafe=True), headers={"Accept-Language": "en"}) as client:
        code = home.claim_code.read_text(encoding="ascii").strip()
        async with client.post("/claim", data={"code": code, "name": "Anna", "password": ANNA_PASSWORD}) as answer:
            assert answer.status == 200
        yield client


async def shown(client: ClientSession, text: str) -> None:
    """Load the page until it says this; the gateway may just be coming back."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ClientError):
                async with client.get("/installation") as answer:
                    if text in await answer.text():
                        return
            await asyncio.sleep(0.1)


async def promised(play: ScenarioRun) -> None:
    """Promise a delivery; the gateway may just be coming back to the broker."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(Failure):
                await play.retailer.promise()
                return
            await asyncio.sleep(0.2)


async def dies(play: ScenarioRun, home: Home) -> int:
    """Kill the gateway; its surveys' video process stays behind, and is found again. Returns its pid."""
    pid = read_pid(home.storage.folder / "survey.pid")
    await play.dies()
    return pid


@contextlib.contextmanager
def one_viewer() -> Iterator[Callable[[DemoPlan], DemoPlan]]:
    """A doorbell that takes one viewer only: whoever comes second is turned away."""
    with contextlib.ExitStack() as stack:

        def made(plan: DemoPlan) -> DemoPlan:
            wire = TcpRelay(plan.house.rtsp.port, at_most=1)
            stack.callback(wire.close)
            url = f"rtsp://127.0.0.1:{wire.port}/doorbell"
            doorbell = plan.home.devices["doorbell"].model_copy(update={"url": url})
            devices = {**plan.home.devices, "doorbell": doorbell}
            return replace(plan, home=plan.home.model_copy(update={"devices": devices}))

        yield made


async def test_a_survey_outlives_a_killed_gateway_and_ends_when_it_is_ended(tmp_path: Path) -> None:
    port = free_port()
    with one_viewer() as made:
        await outlives(tmp_path, lambda plan: made(with_pages(plan, port)), port)


async def outlives(folder: Path, made: Callable[[DemoPlan], DemoPlan], port: int) -> None:
    async with run_whole_house(folder, made) as play:
        home = play.stage.plan.home
        async with owner(home, f"http://127.0.0.1:{port}") as client:
            assert (await client.post(SURVEY, data={"do": "begin", "hours": "100"})).status == 200
            await seen(home)
            with pytest.raises(Failure, match="begun by Anna on the page"):
                await surveying.run_survey(home, "front", hours=1, every=1, anew=True, tell=print)

            before = len(kept(home).looks)
            eyes = await dies(play, home)
            await more(home, than=before)  # by itself
            assert read_pid(home.storage.folder / "survey.pid") == eyes, "no camera is asked for a second stream"

            await play.link("doorbell", up=False)
            await play.link("front-lock", up=False)
            await seen(home, "front-lock", "doorbell")
            for device in ("doorbell", "front-lock"):
                await play.link(device, up=True)
            await seen(home)

            await play.stage.broker.crash()
            await seen(home, "front-lock", "front-door")
            await shown(client, "The broker is not there")
            await play.stage.broker.begin()
            await seen(home)

            await promised(play)
            await shown(client, "The house comes first")
            await wait_until(lambda: not is_running(eyes), within=PATIENCE)  # the cameras are the visit's
            await play.cameras_live()

            assert (await client.post(SURVEY, data={"do": "end"})).status == 200
            await play.dies()
            await shown(client, "Ended by Anna")
        found = kept(home)
        assert found.ended is not None
        assert found.ended.why is SurveyEndReason.ASKED
        assert kept_of_pictures(home) == [], "nothing of what the cameras saw"


async def test_an_installer_begins_follows_and_ends_a_survey_in_a_browser(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with run_whole_house(tmp_path, lambda plan: with_pages(plan, port)) as play, visitor() as somebody:
        home = play.stage.plan.home
        page = await somebody.page()
        async with owner(home, address) as client:
            cookies = [{"name": one.key, "value": one.value, "url": address} for one in client.cookie_jar]
        await page.context.add_cookies(cookies)  # type: ignore[arg-type]  # of a cookie
        await page.goto(f"{address}/installation")
        part = page.locator("#survey-front")
        await page.get_by_role("spinbutton", name="Hours").fill("2")
        await expect(page.locator("#link")).to_have_text("Connected to the box")  # painted anew: the 2 stays
        await page.get_by_role("button", name="Begin the survey: ").click()
        await expect(part).to_contain_text("begun by Anna")
        await expect(part).to_contain_text("of 120 to be looked at")
        await expect(part).to_contain_text("It will end: ")
        await expect(part.locator("svg")).to_be_visible()
        loaded = await page.evaluate("performance.timeOrigin")
        told = re.compile(r"0 of [1-9]\d* deliveries")
        await expect(part).to_contain_text(told, timeout=1000 * PATIENCE)
        await play.link("front-lock", up=False)
        await expect(part).to_contain_text(re.compile("front-lock: [1-9]"), timeout=1000 * PATIENCE)
        assert await page.evaluate("performance.timeOrigin") == loaded, "it followed by itself"
        household = await page.context.new_page()
        await household.goto(address)
        await expect(household.locator("main")).to_contain_text("A survey of cameras and radio runs, begun by Anna")
        await page.get_by_role("button", name="End the survey: ").click()
        await expect(part).to_contain_text("Ended by Anna")
        await expect(household.locator("main")).not_to_contain_text("A survey of cameras")

        plain = await somebody.page(java_script_enabled=False)
        await plain.context.add_cookies(cookies)  # type: ignore[arg-type]  # of a cookie
        await plain.goto(f"{address}/installation")
        await plain.get_by_role("button", name="Begin the survey: ").click()
        await expect(plain.locator("#survey-front")).to_contain_text("of 1440 to be looked at")  # not 120
        assert kept(home).begun.looks == 24 * 60
        assert kept(home).ended is None
