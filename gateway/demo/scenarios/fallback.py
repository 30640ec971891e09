"""Scenarios of a parcel that its own entrance cannot take, and that goes to the next place in the owner's order."""

import asyncio

from gateway.demo.actors import DemoOwner, PromisedDelivery
from gateway.demo.rig_control import CrashPoint
from gateway.demo.scenario import PHASES_WHOLE_VISIT, Expectation, ScenarioList, ScenarioRun
from gateway.demo.scenarios.ways_in_homes import BOX, COMPARTMENTS, with_box_beside_the_door
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import Notification
from gateway.evidence.manifest import VISITS_FOLDER, Manifest
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
FRONT = "front"
LID = f"{COMPARTMENTS[0]}-lid"
EXPECT_ELSEWHERE = Expectation(
    movements=(f"{LID} unlatched", f"{LID} opened", f"{LID} caught", f"{LID} closed"),
    phases=PHASES_WHOLE_VISIT,
    refusals=(Refusal.HOUSEHOLD_PRESENT,),
    notifications=(Notification.MOVED, Notification.AT_THE_DOOR, Notification.LOCKED_AGAIN),
    optional_notifications=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),
)


async def _is_refused_at_front(play: ScenarioRun) -> PromisedDelivery:
    """Let the courier come while somebody is home: the front door refuses."""
    await DemoOwner(play.plan, play.narrate, entrance=FRONT).send_request("home")
    parcels = await play.retailer.promise(destination=FRONT)
    await play.courier.does("arrive")
    await _scan_at_front(play, parcels)
    return parcels


async def _scan_at_front(play: ScenarioRun, parcels: PromisedDelivery) -> None:
    (scanner,) = play.plan.home.entrances[FRONT].scanners
    await play.courier.scans(parcels.codes[0], scanner=scanner)


async def _wait_for_elsewhere(play: ScenarioRun) -> None:
    """Wait until the scanner shows where to go, and the retailer has read it."""
    name = play.plan.home.entrances[BOX].name
    await play.log.wait_for_line("shown", within=30, word=f"elsewhere: {name}")

    def is_told() -> bool:
        return any(body.get("moved_to") == BOX for body in play.watch.bodies("result"))

    await play.watch.wait_until("the retailer notified", is_told)


async def _scans_again_after_kill(play: ScenarioRun, point: CrashPoint) -> None:
    """Kill the gateway at this point of the move, and let the courier scan at the front door again."""
    await play.kill_gateway(point)
    parcels = await _is_refused_at_front(play)
    await play.log.wait_for_line("shown", within=30, word="no")  # the courier sees it, also if its event is lost
    await play.wait_for_gateway()
    await play.wait_for_new_scan()
    await _scan_at_front(play, parcels)
    await _wait_for_elsewhere(play)
    await _delivers_into_box(play, parcels)


async def _delivers_into_box(play: ScenarioRun, parcels: PromisedDelivery) -> None:
    await play.wait_for_cameras()
    await play.courier.scans(parcels.codes[0])
    await play.courier.scans(parcels.courier_code)
    await play.log.wait_for_line("latch", within=30, thing=LID, caught=False)
    await play.courier.handles(LID, "put_in", "push_shut")
    await play.courier.does("leave")
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _(
        "somebody is home, so the front door refuses; the parcel goes into the box beside it, and courier, owner and "
        "retailer are notified"
    ),
    EXPECT_ELSEWHERE,
    equip=with_box_beside_the_door,
)  # fmt: skip
async def _fallback(play: ScenarioRun) -> None:
    parcels = await _is_refused_at_front(play)
    await _wait_for_elsewhere(play)
    await _delivers_into_box(play, parcels)
    play.require(len(play.watch.events("unlock")) == 1, "only one of the two entrances opens, once")
    (manifest,) = (play.plan.home.storage.folder / VISITS_FOLDER).glob("*/manifest.json")
    moved_from = Manifest.from_json(await asyncio.to_thread(manifest.read_bytes)).moved_from
    play.require(moved_from == FRONT, "the proof names the entrance from which the parcel was moved")


@SCENARIOS.add(
    _("the gateway is killed before it moves the parcel: a second scan at the front door moves it"),
    EXPECT_ELSEWHERE,
    equip=with_box_beside_the_door,
    title="fallback:gateway-killed",
    refusals=(Refusal.HOUSEHOLD_PRESENT, Refusal.HOUSEHOLD_PRESENT),
    refusals_after_loss=(Refusal.HOUSEHOLD_PRESENT,),
    gateway_deaths=1,
)
async def _fallback_killed(play: ScenarioRun) -> None:
    await _scans_again_after_kill(play, "before-move")


@SCENARIOS.add(
    _(
        "the gateway is killed after it moved the parcel and before it notified anybody: a second scan shows the new "
        "place"
    ),
    EXPECT_ELSEWHERE,
    equip=with_box_beside_the_door,
    title="fallback:gateway-killed-after-the-move",
    refusals=(Refusal.HOUSEHOLD_PRESENT, Refusal.WRONG_ENTRANCE),
    refusals_after_loss=(Refusal.WRONG_ENTRANCE,),
    gateway_deaths=1,
)
async def _fallback_killed_after_the_move(play: ScenarioRun) -> None:
    await _scans_again_after_kill(play, "after-move")
