"""The installer's walk test on his phone's browser: invited by the owner, at the door of a house with real broker and
real cameras, through a restart of the gateway in the middle, to the report that the box has signed.
"""

import asyncio
import contextlib
import time
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Error, Locator, Page, expect

from gateway.config.closures import entrance_closures
from gateway.config.home import Home, PagesSection
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import ScenarioRun
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.state import Phase
from gateway.installation import records
from gateway.installation.trials import TrialAnswer, WalkTrial
from gateway.installation.walk import TrialResult, WalkTestStep, walk_steps
from gateway.installation.walk_test_report import SignedWalkTest, verify_walk
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.ed25519 import PublicKey
from tests.browser import IN_SHARED_BROWSER, visitor
from tests.gateway.cli.terminal import run_perron
from tests.gateway.web.house import ANNA_PASSWORD
from tests.installer import TIMEOUT_S, WalkTestInstaller
from tests.lens import read_screen_code
from tests.waiting import wait_until
from tests.whole_house import run_whole_house

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

PASSWORD = "eleven blue ladders"  # noqa: S105 - of a box that lives for one test


def with_pages(plan: DemoPlan, port: int) -> DemoPlan:
    """The owner needs a moment to say yes, and the installer one to open the door."""
    home = plan.home
    entrances = {
        name: one.model_copy(update={"timing": one.timing.model_copy(update={"approval": 20.0, "never": 15.0})})
        for name, one in home.entrances.items()
    }
    return replace(plan, home=home.model_copy(update={"pages": PagesSection(port=port), "entrances": entrances}))


class Phone:
    """The walk test's page in a browser."""

    def __init__(self, page: Page, home: Home) -> None:
        self.page = page
        self.steps = walk_steps(home.entrances["front"], entrance_closures(home, "front"))

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def locks(self) -> None:
        await self.button("Lock").click()

    async def comes_back(self) -> None:
        """The box was gone: load the page again until it is there."""

        async def is_back() -> bool:
            with contextlib.suppress(Error):
                await self.page.reload(timeout=5000)
                return True
            return False

        await wait_until(is_back, every=0.25)

    async def opens(self, number: int) -> None:
        """The trial of this number is the open one."""
        heading = self.page.locator("#open-trial")
        await expect(heading).to_contain_text(f"{number + 1}/{len(self.steps)}", timeout=1000 * TIMEOUT_S)

    async def shows(self, number: int, goals: int) -> None:
        """Wait until the page says that so much of this trial was seen, or that another one is open."""
        end = time.monotonic() + TIMEOUT_S
        while True:
            opened = None
            with contextlib.suppress(Error):  # the page is just being loaded again
                opened = await self.page.evaluate(
                    "() => { const open = document.querySelector('[data-trial]');"
                    " return open ? [Number(open.dataset.trial), Number(open.dataset.shown)] : null; }"
                )
            if opened is not None and (opened[0] != number or opened[1] >= goals):
                return
            assert time.monotonic() < end, (self.steps[number], opened)
            await asyncio.sleep(0.1)

    async def answers(self, step: WalkTestStep) -> None:
        if step.shows_picture:
            picture = self.page.locator("img.still")
            await expect(picture).to_have_js_property("complete", value=True)
            assert await picture.evaluate("picture => picture.naturalWidth") > 100
        if step.procedure.good_answer is not None:
            await self.button("Yes" if step.procedure.good_answer is TrialAnswer.YES else "No").click()


async def codes(phone: Phone) -> list[str]:
    """What the door's scanner reads from the phone's screen, one code after the other."""
    await expect(phone.page.locator(".qr svg").nth(1)).to_be_visible()
    return [await _read(phone.page.locator(".qr").nth(n)) for n in range(2)]


async def _read(code: Locator) -> str:
    """The page may be painted anew under the scanner's eye: then it looks again."""
    for _ in range(100):
        with contextlib.suppress(Error, ValueError):
            await code.evaluate("code => code.scrollIntoView({ block: 'center' })")
            return await read_screen_code(code)
        await asyncio.sleep(0.2)
    raise AssertionError(code)


async def invited(owner: Page, installer: Page, address: str, code: str) -> None:
    """The owner claims the box and invites an installer, who joins and begins the walk test."""
    await joined(owner, installer, address, code)
    await installer.get_by_role("link", name="Walk test").click()
    await installer.get_by_role("button", name="Begin", exact=True).click()


async def joined(owner: Page, installer: Page, address: str, code: str) -> None:
    """The owner claims the box and invites an installer, who joins and looks at the page Installation."""
    await owner.goto(f"{address}/claim")
    await owner.get_by_label("The box's code").fill(code)
    await owner.get_by_label("Name", exact=True).fill("Anna")
    await owner.get_by_label("New password").fill(ANNA_PASSWORD)
    await owner.get_by_role("button", name="Claim it").click()
    await expect(owner.locator(".door .word")).to_have_text("Locked")
    await owner.goto(f"{address}/household")
    await owner.locator("[name=role][value=installer]").click()
    link = await owner.locator(".qr ~ p code").first.inner_text()
    await installer.goto(link)
    await installer.get_by_label("Name", exact=True).fill("Ida")
    await installer.get_by_label("New password").fill(PASSWORD)
    await installer.get_by_role("button", name="Join").click()
    await installer.get_by_role("link", name="Settings").click()
    await installer.get_by_role("link", name="Installation").click()
    await expect(installer.locator("main")).to_contain_text("The walk test was not made yet")


async def approved(play: ScenarioRun, owner: Page, address: str) -> None:
    """Another than the owner began the test: the owner says yes, or nobody comes in."""
    await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
    await owner.goto(address)
    await owner.locator("[name=do][value=approve]").click()


async def test_an_installer_walks_the_house_in_his_browser_through_a_restart_to_a_signed_report(
    tmp_path: Path,
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with run_whole_house(tmp_path, lambda plan: with_pages(plan, port)) as play, visitor() as somebody:
        home = play.stage.plan.home
        owner, page = await somebody.page(), await somebody.page()
        await invited(owner, page, address, home.claim_code_file.read_text(encoding="ascii").strip())
        phone = Phone(page, home)
        installer = WalkTestInstaller(play, locks=phone.locks, shows=phone.shows)
        for number, step in enumerate(phone.steps):
            if step.trial is WalkTrial.BATTERIES:  # none is running out, so it ends by itself
                continue
            await phone.opens(number)
            if step.trial is WalkTrial.COVERED and step.camera == "doorbell":
                await play.kill_gateway()
                await phone.comes_back()
            if step.trial is WalkTrial.DELIVERY:
                await asyncio.gather(installer.tries(number, step, await codes(phone)), approved(play, owner, address))
            else:
                await installer.tries(number, step, ())
            await phone.shows(number, len(step.procedure.goals))
            await phone.answers(step)
        await expect(page.locator(".notice").first).to_contain_text("The walk test is passed")
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="The report (PDF)").click()
        await (await downloading.value).save_as(tmp_path / "report.pdf")
        sheet = (tmp_path / "report.pdf").read_bytes()
        storage = home.storage.folder
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="What the box has signed").click()
        await (await downloading.value).save_as(tmp_path / "report.signed.json")
        beside = (tmp_path / "report.signed.json").read_bytes()
        assert beside == records.report_files(storage, "front")[1].read_bytes()
        found = verify_walk(beside, sheet, PublicKey.from_pem((storage / "key" / "box.pub.pem").read_bytes()))
        assert isinstance(found, SignedWalkTest)
        assert (found.by, found.standing) == ("Ida", "passed")
        assert {ending for _, _, ending, _ in found.trials} == {"passed"}
        assert not list((storage / records.INSTALLATION_FOLDER).glob("*.jpg"))  # the pictures stand in the report alone
        await somebody.leave()  # the browser tells of connections that it could not make while the box was gone


async def test_a_trial_that_failed_keeps_deliveries_out_until_it_is_tried_anew_and_passed(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with run_whole_house(tmp_path, lambda plan: with_pages(plan, port)) as play, visitor() as somebody:
        home = play.stage.plan.home
        owner, page = await somebody.page(), await somebody.page()
        await invited(owner, page, address, home.claim_code_file.read_text(encoding="ascii").strip())
        phone = Phone(page, home)
        installer = WalkTestInstaller(play, locks=phone.locks, shows=phone.shows)
        first, second = phone.steps[:2]
        assert (first.trial, second.trial) == (WalkTrial.DOOR_SENSOR, WalkTrial.BOLT)
        await phone.opens(0)
        await installer.tries(0, first, ())
        await phone.opens(1)
        await phone.button("It did not work").click()
        await expect(page.locator(".notice").first).to_contain_text("The walk test is not passed")

        file = tmp_path / "home.yaml"
        shown = await asyncio.to_thread(run_perron, "walk-test", home=file)
        assert (shown.returncode, "pas réussi" in shown.stdout) == (0, True), shown
        assert f"{address}/installation/walk/front" in shown.stdout
        parcels = await play.announce_delivery()
        moved = await asyncio.to_thread(run_perron, "test", "front-lock", "--times", "2", "--move", home=file)
        assert (moved.returncode, "front-lock: proven after" in moved.stdout) == (0, True), moved
        await asyncio.sleep(play.timing.by_hand + 1)
        await play.scan_codes(parcels)
        await play.wait_for_refusal(Refusal.NOT_READY)

        await phone.button("Try again: The bolt").click()
        await phone.opens(1)  # until then the page still shows the next trial
        await phone.shows(1, len(second.procedure.goals))
        await phone.answers(second)
        await phone.opens(2)
        walk = records.read_walk(home.storage.folder, "front")
        assert walk is not None
        assert [step.ending for step in walk.steps[:2]] == [TrialResult.PASSED, TrialResult.PASSED]
        await play.wait_for_new_scan()
        await play.scan_codes(parcels)
        await play.wait_for_ringing()
