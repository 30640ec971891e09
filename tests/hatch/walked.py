"""The walk test of the hatch, with its delivery: a house with real broker and real cameras, a real browser.

It runs in a copy of the tree in which the hatch is planted (`tests/test_new_kind.py`).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.async_api import expect

from devices.simulators.control import PressBell
from devices.simulators.house import DoorPlan, OpenerPlan, SimulatedHouse
from gateway.config.devices import CoverDevice, DoorDevice
from gateway.config.home import CamerasSection, Place
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import ScenarioRun
from gateway.demo.scenarios.homes import TRAVEL_S, WARNING_S
from gateway.demo.scenarios.locks import OBSTRUCTION_CLEAR_S
from gateway.demo.scenarios.ways_in_homes import equipped
from gateway.installation.trials import WalkTrial
from tests.browser import IN_SHARED_BROWSER
from tests.closures import CLOSURE
from tests.gateway.test_ways_in_walked_in_a_browser import walking, walks

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

WALL, OPENER, REED = "wall", "wall-opener", "wall-reed"


def with_hatch(plan: DemoPlan) -> DemoPlan:
    """A hatch in the wall, under the eyes of the camera outside, in place of the front door."""
    section = plan.section
    devices = {"order": OPENER, "way": OPENER, "door": REED}
    update = {
        "closures": (CLOSURE.validate_python({"id": WALL, "kind": "hatch", "devices": devices}),),
        "lock": None, "door": None, "living_space": False, "home_refuses": False,
        "cameras": CamerasSection(outside=section.cameras.outside),
        "places": {"hatch": Place(name="Hatch", open_limit=60.0)},
    }  # fmt: skip
    simulated = SimulatedHouse.model_validate({"devices": {}, "things": {WALL: {"kind": "hatch"}}})
    return equipped(
        plan,
        section.model_copy(update=update),
        devices={
            OPENER: CoverDevice(
                kind="cover", vendor="esphome", reverses=True, beam=True, warning=WARNING_S, closing=3 * TRAVEL_S
            ),
            REED: DoorDevice(kind="door", vendor="esphome"),
        },
        simulated={
            OPENER: OpenerPlan(kind="cover", vendor="esphome", of=WALL, travel_s=TRAVEL_S),
            REED: DoorPlan(kind="door", vendor="esphome", of=WALL),
        },
        things=simulated.things,
    )


async def delivers(play: ScenarioRun, codes: Sequence[str]) -> None:
    """Scan, push the parcel through, and ring the bell, on which the box closes the hatch."""
    await asyncio.sleep(play.timing.by_hand + play.timing.merge + 0.5)
    seen = len(play.log.lines)
    for code in codes:
        await play.courier.scans(code)
    await play.log.wait_for_line("way", within=30, thing=WALL, state="open", after=seen)
    await play.courier.handles(WALL, "reach_through")
    await asyncio.sleep(OBSTRUCTION_CLEAR_S)
    await play.house.ask(PressBell())


async def test_a_hatch_is_tried_with_its_crank_a_hand_and_a_parcel_and_passes(tmp_path: Path) -> None:
    async with walking(tmp_path, with_hatch, delivers) as (play, phone, installer):
        tried = {step.trial for step in phone.steps if step.closure == WALL}
        assert tried >= {WalkTrial.DOOR_SENSOR, WalkTrial.OBSTRUCTION}
        await walks(phone, installer, list(enumerate(phone.steps)))
        await expect(phone.page.locator(".notice").first).to_contain_text("The walk test is passed")
        assert len(play.watch.events("close")) == 1
