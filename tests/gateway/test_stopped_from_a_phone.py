"""The owner's big stop, pressed on his phone in each phase of a visit: what it does stands in the house's own log."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.config.home import PagesSection
from gateway.demo.actors import PromisedDelivery
from gateway.demo.plan import DemoPlan
from gateway.demo.result import DoorMovement, door_movements
from gateway.demo.scenario import ScenarioRun
from gateway.demo.scenarios.homes import with_long_open_limit
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.web.texts.catalogue import TEXTS
from tests.browser import IN_SHARED_BROWSER, visitor
from tests.gateway.web.house import ANNA_PASSWORD
from tests.waiting import wait_until
from tests.whole_house import run_whole_house

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

CODES = ("8L20524752032", "8L20524752049", "8L20524752056")
SOON = 20.0  # seconds, on a loaded machine
# Each phase that is stopped here lasts, without the stop, longer than any test: nothing depends on being quick.
HELD = {"bell": 60.0, "live": 30.0, "approval": 600.0, "never": 600.0, "relock": 600.0, "outage": 60.0}
QUICK = {
    "ring": 0.5,
    "merge": 0.2,
    "label": 0.3,
    "command_life": 2.5,
    "skew": 0.2,
    "post_roll": 2.5,
    "alarm_again": 1.0,
}
LATENCY = 15.0  # seconds: the lock's declared longest answer, so an unlock that is on its way is one for so long


STOPPED = "Stopped by you: nothing opens."


@dataclass
class Phone:
    """What the owner sees and presses."""

    page: Page

    async def sees_phase(self, phase: str) -> None:
        await expect(self.page.locator(".visit .phase")).to_have_text(TEXTS[f"phase.{phase}"].to("en"))

    async def sees_door(self, word: str) -> None:
        await expect(self.page.locator(".door .word")).to_have_text(TEXTS[f"door.{word}"].to("en"))

    async def sees_alarm(self) -> None:
        await expect(self.page.locator(".alarm .phase")).to_have_text("Please check the door")

    async def sees_no_visit(self) -> None:
        await expect(self.page.locator(".visit")).to_have_count(0)

    async def stops(self) -> None:
        await self.page.locator("button[value=stop]").click()
        await expect(self.page.locator(".notice.bad").first).to_have_text(STOPPED)

    async def lifts(self) -> None:
        await self.page.locator("button[value=lift]").click()
        await expect(self.page.locator("button[value=stop]")).to_be_visible()

    async def reads_of_the_last_visit(self) -> str:
        home = self.page.url
        await self.page.get_by_role("link", name="History").click()
        await self.page.locator(".visits a").first.click()
        await expect(self.page.locator("#seal.whole")).to_be_visible()
        text = await self.page.locator("main").inner_text()
        await self.page.goto(home)
        return text


@dataclass
class House:
    """One house, and its owner's phone."""

    play: ScenarioRun
    phone: Phone

    @property
    def moves(self) -> tuple[str, ...]:
        """All that bolt and leaf did so far."""
        self.play.log.read_new_lines()
        return door_movements(self.play.log.lines)

    async def scans(self, parcels: PromisedDelivery) -> None:
        """The courier shows both codes, and he is heard: never twice within what counts as one scan."""
        await self.play.wait_for_new_scan()
        await self.play.scan_codes(parcels)

    async def rings(self, parcels: PromisedDelivery) -> None:
        await self.scans(parcels)
        await self.play.wait_for_ringing()

    async def turned_away(self) -> None:
        """A visit that was under way ends with a no, and the phone tells why."""
        await self.play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
        await expect(self.phone.page.locator(".timeline")).to_contain_text("Stopped by you")


def held(plan: DemoPlan, port: int) -> DemoPlan:
    """The plan with pages, phases that wait for the stop, and one brand that asks the owner each time."""
    plan = replace(with_long_open_limit(plan), action_s=0.05)
    section, (asks, *_) = plan.section, reversed(plan.home.brands)
    entrance = section.model_copy(update={"timing": section.timing.model_copy(update=HELD | QUICK)})
    lock = plan.home.devices[plan.lock].model_copy(update={"latency": LATENCY})
    brand = plan.home.brands[asks]
    asking = brand.model_copy(update={"permission": brand.permission.model_copy(update={"ask_each_time": True})})
    home = plan.home.model_copy(
        update={
            "pages": PagesSection(port=port),
            "devices": {**plan.home.devices, plan.lock: lock},
            "entrances": {plan.entrance: entrance},
            "brands": {**plan.home.brands, asks: asking},
        }
    )
    return replace(plan, home=home)


@asynccontextmanager
async def a_house(folder: Path) -> AsyncIterator[House]:
    """Everything is up, and the owner has claimed the box on an English phone."""
    port = free_port()
    async with run_whole_house(folder, lambda plan: held(plan, port)) as play, visitor() as somebody:
        code = play.plan.home.claim_code_file
        await wait_until(code.exists, within=SOON)
        page = await somebody.page()
        await page.goto(f"http://127.0.0.1:{port}/claim")
        await page.get_by_label("The box's code").fill(code.read_text(encoding="ascii").strip())
        await page.get_by_label("Name", exact=True).fill("Anna")
        await page.get_by_label(re.compile("New password")).fill(ANNA_PASSWORD)
        await page.get_by_role("button", name="Claim it").click()
        house = House(play, Phone(page))
        await house.phone.sees_door("locked")
        yield house


async def before_anybody_comes(house: House, parcels: PromisedDelivery) -> None:
    await house.phone.stops()
    await house.scans(parcels)
    await house.play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
    await house.phone.sees_no_visit()
    await house.phone.sees_door("locked")
    assert house.moves == ()
    await house.phone.lifts()


async def while_it_rings(house: House, parcels: PromisedDelivery) -> None:
    await house.play.set_fault(house.play.plan.signal, "silent")  # the bell rings and never says so
    await house.rings(parcels)
    await house.phone.sees_phase(Phase.RINGING)
    await house.phone.stops()
    await house.turned_away()
    await house.phone.sees_no_visit()
    assert house.moves == ()
    await house.play.set_fault(house.play.plan.signal, "silent", on=False)
    await house.phone.lifts()


async def while_he_is_asked(house: House, parcels: PromisedDelivery) -> None:
    await house.rings(parcels)
    await house.phone.sees_phase(Phase.APPROVING)
    await expect(house.phone.page.locator("button[value=approve]")).to_be_visible()
    await house.phone.stops()
    await house.turned_away()
    await house.phone.sees_no_visit()
    assert house.moves == ()
    await house.phone.lifts()


async def while_the_unlock_is_on_its_way(house: House, parcels: PromisedDelivery) -> None:
    """He says yes, and then stops: the broker stands still, so the unlock has left and has not come to the lock."""
    await house.rings(parcels)
    await house.phone.sees_phase(Phase.APPROVING)
    house.play.stage.broker.pause()
    await house.phone.page.locator("button[value=approve]").click()
    await house.phone.sees_phase(Phase.UNLOCKING)
    await house.phone.sees_door("unknown")
    await house.phone.stops()
    assert house.moves == ()
    house.play.stage.broker.resume()
    await house.turned_away()
    await house.phone.sees_door("locked")
    await house.phone.sees_no_visit()
    assert house.moves in {(), (DoorMovement.UNLOCKED, DoorMovement.LOCKED)}, (
        "at most withdrawn for a moment, and nobody came in"
    )
    await house.phone.lifts()


async def while_it_is_unlocked(house: House, parcels: PromisedDelivery) -> None:
    before = house.moves
    await house.rings(parcels)
    await house.play.wait_for_unlocked()
    await house.phone.sees_phase(Phase.UNLOCKED)
    await house.phone.sees_door("unlocked")
    await house.phone.stops()
    await house.turned_away()
    await wait_until(lambda: house.moves == (*before, DoorMovement.UNLOCKED, DoorMovement.LOCKED), within=SOON)
    await house.phone.sees_door("locked")
    await house.phone.sees_no_visit()
    await house.phone.lifts()


async def while_he_is_inside(house: House, parcels: PromisedDelivery) -> None:
    """Prompted out, filmed, alarmed; the bolt waits until he has closed the door behind him."""
    play, before = house.play, house.moves
    await house.rings(parcels)
    await play.wait_for_unlocked()
    await play.courier.goes_in()
    await house.phone.sees_phase(Phase.INSIDE)
    await house.phone.sees_door("open")
    await house.phone.stops()
    await play.wait_for_alarm(AlarmCode.STOPPED_INSIDE)
    await play.wait_for_notification(Notification.STOPPED_INSIDE)
    await play.log.wait_for_line("signal", within=SOON, sound="leave")
    cameras = play.watch.state["cameras"]
    assert all(camera["recording"] for camera in cameras.values()), cameras
    await house.phone.sees_phase(Phase.INSIDE)
    await house.phone.sees_door("open")
    assert house.moves == (*before, DoorMovement.UNLOCKED, DoorMovement.OPENED)
    await house.phone.lifts()


async def while_it_locks(house: House) -> None:
    """He is out and the door closed: what would wait a while for him to come back is locked at once."""
    play, before = house.play, house.moves
    await play.courier.comes_out()
    await house.phone.sees_phase(Phase.RELOCKING)
    assert house.moves == (*before, DoorMovement.CLOSED)
    await house.phone.stops()
    await wait_until(lambda: house.moves == (*before, DoorMovement.CLOSED, DoorMovement.LOCKED), within=SOON)
    await house.phone.lifts()


async def after_it_is_locked_again(house: House) -> None:
    """There is nothing left to stop: the film is sealed all the same."""
    play, before = house.play, house.moves
    await house.phone.sees_phase(Phase.LOCKED_AGAIN)
    await house.phone.stops()
    await play.watch.wait_until("the stop heard", lambda: bool(play.watch.state["stopped"]), within=SOON)
    assert play.watch.state["phase"] == Phase.LOCKED_AGAIN
    await play.wait_for_seal()
    await house.phone.sees_no_visit()
    await house.phone.sees_door("locked")
    assert house.moves == before
    await house.phone.lifts()
    assert "Sealed and unaltered" in await house.phone.reads_of_the_last_visit()


async def after_it_was_handed_to_him(house: House, parcels: PromisedDelivery) -> None:
    """The bolt was thrown in the air: the alarm goes on, nothing moves, and it locks once he has looked after it."""
    play, before = house.play, house.moves
    await house.rings(parcels)
    await play.wait_for_unlocked()
    await play.courier.goes_in()
    await play.set_fault(play.plan.lock, "throw")
    await play.wait_for_alarm(AlarmCode.BOLT_IN_THE_AIR)
    await house.phone.sees_alarm()
    await house.phone.stops()
    await play.wait_for_alarm(AlarmCode.NOT_LOCKED, due=play.timing.alarm_again)
    await house.phone.sees_alarm()
    assert house.moves == (*before, DoorMovement.UNLOCKED, DoorMovement.OPENED, DoorMovement.BOLT_IN_THE_AIR)
    await play.courier.does("walk_out", "leave")
    await play.resident.does("walk_in", "thumb_turn", "close")
    by_people = house.moves
    assert by_people[-2:] == (DoorMovement.UNLOCKED_BY_HAND, DoorMovement.CLOSED)
    await house.phone.page.locator("button[value=acknowledge]").click()
    await play.wait_for_phase(Phase.LOCKED_AGAIN)
    await house.phone.sees_door("locked")
    assert house.moves == (*by_people, DoorMovement.LOCKED)


async def test_the_big_stop_does_in_each_phase_what_is_safe(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        asked, simple, last = [
            await house.play.announce_delivery(codes=[code], brand=brand)
            for code, brand in zip(CODES, (1, 0, 0), strict=True)
        ]
        await before_anybody_comes(house, asked)
        await while_it_rings(house, asked)
        await while_he_is_asked(house, asked)
        await while_the_unlock_is_on_its_way(house, asked)
        await while_it_is_unlocked(house, simple)
        await while_he_is_inside(house, simple)
        await while_it_locks(house)
        await after_it_is_locked_again(house)
        await after_it_was_handed_to_him(house, last)
