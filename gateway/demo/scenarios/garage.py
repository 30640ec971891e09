"""Scenarios of a garage door: it opens on a scan and closes when the courier is out."""

import asyncio
from dataclasses import replace

from devices.simulators.control import PressBell
from devices.simulators.house import DoorPlan, OpenerPlan
from gateway.config.devices import CoverDevice, DoorDevice
from gateway.demo.plan import DemoPlan, with_open_limit
from gateway.demo.scenario import ScenarioList, ScenarioRun
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
WARNING_S, TRAVEL_S = 1.0, 3.0  # seconds
LONG_OPEN_LIMIT_S = 60.0  # seconds: longer than the door stands open here
OBSTRUCTION_CLEAR_S = 0.5  # seconds until the beam has said that it is free again


def with_garage_door(plan: DemoPlan) -> DemoPlan:
    """Give the run's entrance an opener, and a sensor of the door's own whose "closed" stands for door and bolt."""
    entrance = plan.home.entrances[plan.entrance]
    opener = CoverDevice(
        kind="cover", vendor="esphome", reverses=True, warning=WARNING_S, closing=3 * TRAVEL_S, latency=1.0
    )
    devices = {**plan.home.devices, entrance.lock: opener, entrance.door: DoorDevice(kind="door", vendor="esphome")}
    house = {
        **plan.house.devices,
        entrance.lock: OpenerPlan(kind="cover", vendor="esphome", travel_s=TRAVEL_S),
        entrance.door: DoorPlan(kind="door", vendor="esphome"),
    }
    timing = entrance.timing.model_copy(update={"open_again": LONG_OPEN_LIMIT_S})
    patient = entrance.model_copy(update={"living_space": False, "timing": timing})
    entrances = {plan.entrance: with_open_limit(patient, LONG_OPEN_LIMIT_S)}
    return replace(
        plan,
        home=plan.home.model_copy(update={"devices": devices, "entrances": entrances}),
        house=plan.house.model_copy(update={"devices": house}),
    )


async def deliver_into_garage(play: ScenarioRun) -> None:
    """Scanned, rung, opened; the courier puts the parcel down and comes out."""
    await play.scan_codes()
    await play.wait_for_phase(Phase.INSIDE, due=play.timing.ring + play.timing.live)
    await play.courier.does("walk_in", "walk_out")
    await asyncio.sleep(OBSTRUCTION_CLEAR_S)


@SCENARIOS.add(
    "garage",
    _("a garage door: up on a scan, down on the courier's word; closed by its own sensor's fresh word"),
    change_plan=with_garage_door,
)
async def _delivered(play: ScenarioRun) -> None:
    """Nobody closes it by hand: the courier's word that he is out, and the beam's, send it down."""
    await deliver_into_garage(play)
    play.require(not play.watch.events("close"), "nothing is sent down before the courier has said that he is out")
    play.narrate("courier", "presses the bell: he is out")
    await play.house.ask(PressBell())
    await play.wait_for_visit_end()
    await play.courier.does("leave")
    play.require(len(play.watch.events("close")) == 1, "it is sent down once")
    play.require(not play.watch.events("lock"), "no order to lock ever goes to an opener: it might open")
