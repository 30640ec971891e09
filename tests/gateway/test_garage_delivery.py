"""A parcel is let into a garage: real broker, real video, a simulated opener that is heavy and a sensor of its own."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from devices.simulators.control import PressBell
from devices.simulators.house import DoorPlan, OpenerPlan
from gateway.demo.plan import Plan
from gateway.demo.scenario import Play
from gateway.equipment import CoverDevice, DoorDevice
from gateway.visit.state import Phase
from tests.whole_house import playing

pytestmark = pytest.mark.slow
WARNING, TRAVEL = 1.0, 3.0


def with_garage_door(plan: Plan) -> Plan:
    """The demo's house, whose door is that of a garage."""
    entrance = plan.home.entrances[plan.entrance]
    devices = {
        **plan.home.devices,
        entrance.lock: CoverDevice(
            kind="cover", vendor="esphome", reverses=True, warning=WARNING, closing=3 * TRAVEL, latency=1.0
        ),
        entrance.door: DoorDevice(kind="door", vendor="esphome"),
    }
    house = {
        **plan.house.devices,
        entrance.lock: OpenerPlan(kind="cover", vendor="esphome", travel_s=TRAVEL),
        entrance.door: DoorPlan(kind="door", vendor="esphome"),
    }
    patient = {
        "living_space": False,
        "timing": entrance.timing.model_copy(update={"open_again": 60.0}),
        "places": {name: place.model_copy(update={"open_limit": 60.0}) for name, place in entrance.places.items()},
    }
    entrances = {plan.entrance: entrance.model_copy(update=patient)}
    return replace(
        plan,
        home=plan.home.model_copy(update={"devices": devices, "entrances": entrances}),
        house=plan.house.model_copy(update={"devices": house}),
    )


async def carried_in(play: Play) -> None:
    """Scanned, rung, opened; the courier puts the parcel down and comes out."""
    await play.shows(await play.promised())
    await play.phase(Phase.INSIDE, due=play.timing.ring + play.timing.live)
    await play.courier.walks_in()
    await play.courier.walks_out()
    await asyncio.sleep(0.5)  # the beam is free again


def leaf(play: Play) -> list[object]:
    return [line["state"] for line in play.log.lines if line["what"] == "door"]


def sent_down(play: Play) -> list[Mapping[str, object]]:
    return play.watch.events("close")


async def test_it_comes_down_only_on_the_couriers_word_and_goes_up_again_when_somebody_runs_in(tmp_path: Path) -> None:
    async with playing(tmp_path, with_garage_door) as play:
        await carried_in(play)
        opener = play.section.lock
        await play.fault(opener, "beam")
        await asyncio.sleep(0.5)
        await play.house.ask(PressBell())  # said into a broken beam: it counts for nothing
        await asyncio.sleep(WARNING + 1)
        await play.fault(opener, "beam", on=False)
        await asyncio.sleep(0.5)
        assert sent_down(play) == []
        await play.house.ask(PressBell())
        await play.watch.until("it is sent down", lambda: bool(sent_down(play)), within=20)
        await asyncio.sleep(TRAVEL / 3)
        await play.fault(opener, "beam")  # somebody runs in
        await play.log.until("garage", within=20, met="beam")
        assert leaf(play) == ["open"]
        await play.fault(opener, "beam", on=False)
        await asyncio.sleep(0.5)
        await play.house.ask(PressBell())
        await play.watch.event("phase", within=60, phase=Phase.LOCKED_AGAIN)
        await play.sealed()
        assert leaf(play) == ["open", "closed"]
        assert len(sent_down(play)) == 2
        assert play.watch.events("lock") == []
        assert [body["outcome"] for body in play.watch.events("outcome")] == ["delivered"]
        assert [body["house"] for body in play.watch.events("house")] == ["locked_again"]
