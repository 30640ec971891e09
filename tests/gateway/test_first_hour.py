"""The first hour of an owner: `perron setup` in a terminal, and everything after it on a phone.

Set-up, walk test with somebody's hands at the simulated door, an invitation, messages by Web Push, a parcel of one's
own, ringing with the picture, open, an alarm, and the replay of the film. Real: setup with its broker, gateway and
video, mDNS, H.264, SQLite, Chromium, a push service over TLS. Simulated: devices and door; the browser's way to the
push service is that of tests/gateway/web/test_notified.py.
"""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from playwright.async_api import Page, expect

from devices.simulators import control as ask
from gateway.config.closures import entrance_closures
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.demo.actors import DemoPerson
from gateway.demo.processes import stop_detached
from gateway.demo.scenario import ScenarioRun
from gateway.installation.trials import WalkTrial
from gateway.installation.walk import walk_steps
from gateway.mqtt.mosquitto.provisioning import is_listening
from tests.browser import IN_SHARED_BROWSER, BrowserVisitor, accessibility_problems, visitor
from tests.first_setup import (
    LOST,
    ONE_AT_A_TIME,
    adds_the_entrance,
    adds_what_was_found,
    box_set_up,
    claims,
    each_device_answers,
)
from tests.gateway.cli.terminal import RunningCommand, run_perron, start_command
from tests.gateway.test_walked_in_a_browser import Phone, codes
from tests.gateway.web.house import ANNA_PASSWORD
from tests.gateway.web.test_notified import subscribe_script
from tests.installer import WalkTestInstaller
from tests.processes import process_with
from tests.pushservice import PushBrowser, PushService, push_service
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, ONE_AT_A_TIME, *IN_SHARED_BROWSER]

# As `perron demo --fast` has them: the rules are the same, and nobody waits twenty seconds at each ringing.
SHORT_TIMES = (
    "    timing: {ring: 6, bell: 4, live: 4, approval: 20, never: 15, stable: 0.5, open_again: 2, relock: 2,"
    " post_roll: 1.5, merge: 1, by_hand: 3, incident: 30, alarm_again: 60, pre_roll: 3}\n"
)
PARCELS = ("8L20524752032", "6A12345678902")  # of Colissimo


class DoorOfSetUp:
    """The simulated door beside a box that was set up: what a walk test's installer uses of a `ScenarioRun`."""

    def __init__(self, house: ask.HouseControl, home: Home, folder: Path) -> None:
        self.house, self.section, self._home, self._folder = house, home.entrances["front"], home, folder
        self.timing = self.section.timing
        self.plan = SimpleNamespace(house=SimpleNamespace(things={}, devices={}))
        self.stage = SimpleNamespace(broker=SimpleNamespace(crash=self._kill_broker, begin=self._until_broker))
        self.courier = DemoPerson("courier", house, lambda *_: None, 1.0, scanner="front-scanner")

    async def set_fault(self, device: str, fault: str, on: bool | float | str = True) -> None:  # noqa: FBT002 - its value
        # the lock is behind the simulated Zigbee2MQTT, which has its faults
        bridge = "zigbee2mqtt" if device == "front-lock" else device
        await self.house.ask(ask.SetFault(device=bridge, fault=fault, on=on))

    async def set_link(self, device: str, *, up: bool) -> None:
        await self.house.ask(ask.SetLink(device=device, up=up))

    async def wait_for_unlocked(self) -> None:
        await wait_until(self._is_unlocked, within=60, every=0.1)

    async def _is_unlocked(self) -> bool:
        state = await self.house.ask(ask.ReadState())
        return state["bolt"] == "withdrawn"

    async def _kill_broker(self) -> None:
        pid = process_with(self._folder / "accounts" / "mosquitto.conf")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    async def _until_broker(self) -> None:
        """The box starts it again by itself."""
        await wait_until(lambda: is_listening(self._home.broker.host, self._home.broker.port))


async def shorten_times(folder: Path, box: RunningCommand) -> None:
    """Let the house of this test wait less than one at home; no person does this."""
    file = folder / "home.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("  front:\n", f"  front:\n{SHORT_TIMES}", 1), encoding="utf-8")
    told = box.text.count("Ready: front.")
    done = await asyncio.to_thread(run_perron, "reload", home=file)
    assert done.returncode == 0, done.stdout + done.stderr
    await wait_until(lambda: box.text.count("Ready: front.") > told, within=60)


async def walks(page: Page, door: DoorOfSetUp, home: Home) -> None:
    """Pass the walk test: the page asks for one thing after the other, and somebody at the door does it."""
    await page.get_by_role("link", name="Walk test").click()
    await page.get_by_role("button", name="Begin", exact=True).click()
    phone = Phone(page, home)
    assert phone.steps == walk_steps(home.entrances["front"], entrance_closures(home, "front"))
    installer = WalkTestInstaller(cast("ScenarioRun", door), locks=phone.locks, shows=phone.shows)
    for number, step in enumerate(phone.steps):
        if step.trial is WalkTrial.BATTERIES:  # none is running out, so it ends by itself
            continue
        await phone.opens(number)
        await installer.tries(number, step, await codes(phone) if step.trial is WalkTrial.DELIVERY else ())
        await phone.shows(number, len(step.procedure.goals))
        await phone.answers(step)
    await expect(page.locator(".notice").first).to_contain_text("The walk test is passed")


async def invites(page: Page, somebody: BrowserVisitor) -> None:
    """Invite somebody of the family, who joins on another phone."""
    await page.get_by_role("link", name="Household").click()
    await page.get_by_role("button", name="Invite a family member").click()
    if await page.get_by_label("Password", exact=True).is_visible():
        await page.get_by_label("Password", exact=True).fill(ANNA_PASSWORD)
        await page.get_by_role("button", name="Confirm").click()
    link = await page.locator(".qr ~ p code").first.inner_text()
    theirs = await somebody.page(locale="fr-FR")
    await theirs.goto(link)
    await theirs.get_by_label("Nom", exact=True).fill("Ben")
    await theirs.get_by_label(re.compile("Nouveau mot de passe")).fill("eleven blue ladders")
    await theirs.get_by_role("button", name="Rejoindre").click()
    await expect(theirs.locator("nav.menu")).to_be_visible()


async def is_notified(page: Page, address: str) -> None:
    """Press the one button of the page of messages."""
    await page.goto(f"{address}/settings/messages")
    await page.locator("[data-start]").click()
    await expect(page.locator("[data-when=told]")).to_be_visible()


async def announces(page: Page, address: str, number: str) -> None:
    """Announce a parcel that comes today."""
    await page.goto(f"{address}/parcels")
    await page.get_by_label("Tracking number").fill(number)
    await page.get_by_label("It comes today").check()
    await page.get_by_role("button", name="Announce the parcel").click()
    await page.goto(address)
    await expect(page.locator("main")).to_contain_text(f"…{number[-4:]}")


async def rings_with_picture(page: Page, number: str) -> None:
    """The ringing card shows which parcel, who is at the door as moving pictures, and both answers."""
    card = page.locator("article.visit")
    await expect(card).to_contain_text(f"…{number[-4:]}")
    video = page.locator("[data-camera=doorbell] video")
    await expect(video).to_have_js_property("paused", value=False)
    await wait_until(lambda: video.evaluate("video => video.videoWidth > 300 && video.currentTime > 0"))
    await expect(card.get_by_role("button", name="Open", exact=True)).to_be_visible()
    await expect(card.get_by_role("button", name="Do not open")).to_be_visible()
    assert await accessibility_problems(page) == []


async def pushed(service: PushService, text: str) -> dict[str, object]:
    """The message with this text that the push service got, decrypted with the browser's keys."""
    await wait_until(lambda: any(text in one for one in service.texts))
    return next(one.said for one in service.got if text in one.said["body"])


async def replays(page: Page, address: str) -> None:
    """Open the newest visit in the history: its films play on one clock, and the browser has checked the seal."""
    await page.goto(f"{address}/history")
    await page.locator("main a[href^='/history/']").first.click()

    async def is_sealed() -> bool:
        """A visit ends some seconds after the door is locked; the page says so until then."""
        await page.reload()
        await expect(page.locator("main")).to_contain_text(re.compile("still runs|not sealed yet|Sealed and unaltered"))
        return "Sealed and unaltered" in await page.locator("main").inner_text()

    await wait_until(is_sealed, within=90, every=1)
    await page.get_by_role("button", name="Play", exact=True).click()
    await wait_until(
        lambda: page.evaluate("[...document.querySelectorAll('main video')].some((one) => one.currentTime > 1)")
    )


@asynccontextmanager
async def house_control(folder: Path) -> AsyncIterator[ask.HouseControl]:
    socket = folder / "box" / "house.sock"
    await wait_until(socket.exists)
    async with ask.HouseControl(socket) as house:
        yield house


async def test_the_first_hour_of_an_owner_needs_no_terminal_after_the_set_up(short_folder: Path) -> None:
    folder = short_folder / "box"
    async with push_service(short_folder / "push") as service:
        further = f"\npush: {{private_services: true, authority: {service.authority}}}\n"
        try:
            with (
                box_set_up(folder, further_yaml=further) as box,
                start_command("simulate", "--announce", "--home", folder / "home.yaml") as devices,
            ):
                devices.until("They announce themselves")
                async with house_control(folder) as house, visitor() as somebody:
                    page = await somebody.page()
                    await page.context.add_init_script(subscribe_script(PushBrowser(service)))
                    await claims(page, box)
                    await adds_what_was_found(page)
                    await adds_the_entrance(page, box)
                    await shorten_times(folder, box)
                    await lives(page, somebody, house, service, folder)
                    await somebody.leave(forgiven=LOST)
        finally:
            await stop_detached(folder / "box" / "video.pid")


async def lives(
    page: Page, somebody: BrowserVisitor, house: ask.HouseControl, service: PushService, folder: Path
) -> None:
    """What follows the set-up, until a film is replayed."""
    address = page.url.partition("/setup")[0]
    home = load_home_file(folder / "home.yaml")
    door = DoorOfSetUp(house, home, folder)
    await page.goto(f"{address}/setup")
    await each_device_answers(page)
    await walks(page, door, home)
    await invites(page, somebody)
    await is_notified(page, address)
    async with page.expect_download() as downloading:
        await page.goto(f"{address}/setup")
        await page.get_by_role("link", name=re.compile("notice", re.IGNORECASE)).click()
    assert (await (await downloading.value).path()).read_bytes().startswith(b"%PDF")
    await page.get_by_role("button", name="It hangs beside the door").click()
    await expect(page.locator("#notice.good")).to_be_visible()

    await announces(page, address, PARCELS[0])
    await house.ask(ask.Arrive())
    await door.courier.scans(PARCELS[0])
    await rings_with_picture(page, PARCELS[0])
    said = await pushed(service, "at the door")
    assert {one["action"] for one in cast("list[dict[str, str]]", said["actions"])} == {"approve", "veto"}
    assert said["picture"]
    await page.get_by_role("button", name="Open", exact=True).click()
    await door.wait_for_unlocked()
    await door.courier.goes_in()
    await expect(page.locator("[data-camera=hall-camera] video")).to_have_js_property("paused", value=False)
    await door.courier.comes_out()
    await expect(page.locator(".door .word")).to_have_text("Locked", timeout=60_000)
    await page.goto(f"{address}/setup")
    await expect(page.locator("main h1")).to_have_text("Set-up: 8 of 8 done")

    await an_alarm_is_looked_after(page, address, door, service)
    await replays(page, address)


async def an_alarm_is_looked_after(page: Page, address: str, door: DoorOfSetUp, service: PushService) -> None:
    """The bolt jams behind the second courier: Home says what is known, what not and what to do, until it was done."""
    await announces(page, address, PARCELS[1])
    await asyncio.sleep(door.timing.by_hand + 1)
    await door.house.ask(ask.Arrive())
    await door.courier.scans(PARCELS[1])
    await rings_with_picture(page, PARCELS[1])
    await page.get_by_role("button", name="Open", exact=True).click()
    await door.wait_for_unlocked()
    await door.courier.goes_in()
    await door.set_fault("front-lock", "jam")
    await door.courier.comes_out()
    card = page.locator("article.alarm")
    await expect(card).to_contain_text("What is known", timeout=60_000)
    await expect(card).to_contain_text("What to do now")
    assert await accessibility_problems(page) == []
    assert await pushed(service, "not proven locked")
    await expect(page.locator("main")).not_to_contain_text("The entrance is ready")
    await door.set_fault("front-lock", "jam", on=False)
    await card.get_by_role("button", name="I checked the door").click()
    await expect(card).to_have_count(0, timeout=60_000)
    await expect(page.locator(".door .word")).to_have_text("Locked", timeout=60_000)
