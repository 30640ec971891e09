"""Scenarios in which the box, its broker, its disk or its clock fails."""

import asyncio
from dataclasses import replace

from gateway.demo.actors import PromisedDelivery
from gateway.demo.observers import TIMEOUT_MARGIN_S
from gateway.demo.rig_control import CrashPoint, SetClock, SetFreeSpace
from gateway.demo.scenario import (
    EXPECT_REFUSED,
    EXPECT_UNLOCK_UNKNOWN,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    Expectation,
    ScenarioList,
    ScenarioRun,
)
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import Text, _

SCENARIOS = ScenarioList()
EXPECT_SPENT = replace(
    EXPECT_UNLOCK_UNKNOWN, phases=(Phase.RINGING, *PHASES_WHOLE_VISIT[4:]), refusals=(), alarms=(), gateway_deaths=1
)
EXPECT_FOUND_INSIDE = Expectation(phases=(Phase.RINGING, Phase.RELOCKING, *PHASES_WHOLE_VISIT[3:]), gateway_deaths=1)
EXPECT_FOUND_UNLOCKING = replace(
    EXPECT_FOUND_INSIDE, phases=(Phase.RINGING, Phase.UNLOCKING, *EXPECT_FOUND_INSIDE.phases[1:])
)


@SCENARIOS.add(_("the broker dies with the courier inside and comes back: asked anew, locked again"))
async def _broker_restart(play: ScenarioRun) -> None:
    await play.enter_with_parcel()
    play.narrate("house", "the broker dies")
    await play.stage.broker.crash()
    await asyncio.sleep(1)
    play.narrate("house", "the broker is back")
    await play.stage.broker.begin()
    await play.wait_for_state("the box and the door back", door="open")
    await play.leave_and_seal()


async def pause_broker(play: ScenarioRun) -> None:
    """From the middle of the ringing until an unlock that lies in the broker is out of date."""
    await play.scan_and_ring()
    await play.log.wait_for_line("signal", sound="ring")
    await asyncio.sleep(play.timing.ring / 2)
    play.narrate("house", "the broker stands still")
    play.stage.broker.pause()
    await asyncio.sleep(play.timing.ring / 2 + play.timing.command_life + 0.5)
    play.narrate("house", "the broker goes on")
    play.stage.broker.resume()


@SCENARIOS.add(
    _("the broker stands still as the unlock is sent: the lock refuses the late copy, nothing opens"),
    EXPECT_UNLOCK_UNKNOWN,
)
async def _broker_paused(play: ScenarioRun) -> None:
    await pause_broker(play)
    await play.log.wait_for_line("refused", why="expired")
    await play.wait_for_visit_end()


async def _until_ringing(play: ScenarioRun, point: CrashPoint) -> PromisedDelivery:
    parcels = await play.announce_delivery()
    await play.kill_gateway(point)
    await play.scan_and_ring(parcels)
    return parcels


@SCENARIOS.add(
    _("the gateway is killed before it has stored that it will open: nothing is used, and a new scan works"),
    phases=(Phase.RINGING, "ready", *PHASES_WHOLE_VISIT),
    notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED, *USUAL_NOTIFICATIONS),
    refusals=(Refusal.NOT_READY,),
    gateway_deaths=1,
)
async def _gateway_killed__before_commit(play: ScenarioRun) -> None:
    parcels = await _until_ringing(play, "before-commit")
    await play.wait_for_gateway()
    await play.wait_for_phase("ready")
    await play.wait_for_notification(Notification.NOT_OPENED)
    await play.wait_until_ready()
    await play.deliver(parcels)


def _add_spent(point: CrashPoint, summary: Text) -> None:
    """Add a kill after the intent is stored and before the unlock leaves."""

    @SCENARIOS.add(summary, EXPECT_SPENT, title=f"gateway-killed:{point}")
    async def _killed(play: ScenarioRun) -> None:
        await _until_ringing(play, point)
        await play.wait_for_gateway()
        await play.wait_for_visit_end()
        play.require(not play.watch.events("unlock"), "no unlock is sent after the restart")


def _add_found(point: CrashPoint, summary: Text, expected: Expectation) -> None:
    """Add a kill after the unlock left: the courier goes in meanwhile, and the box finds him and locks behind him."""

    @SCENARIOS.add(summary, expected, title=f"gateway-killed:{point}")
    async def _killed(play: ScenarioRun) -> None:
        await _until_ringing(play, point)
        await play.log.wait_for_line("bolt", within=play.timing.ring + TIMEOUT_MARGIN_S, state="withdrawn")
        await play.courier.does("open")
        await play.wait_for_gateway()
        await play.wait_for_phase(Phase.INSIDE)
        await play.courier.does("walk_in", "put_parcel")
        await play.leave_and_seal()


_add_spent(
    "after-commit",
    _(
        "the gateway is killed after it has stored that it will open:"
        " the opening counts as used, and the order is never sent later"
    ),
)
_add_spent(
    "before-publish",
    _(
        "the gateway is killed before it sends the unlock:"
        " the opening counts as used, and the order is never sent later"
    ),
)
_add_found("after-publish", _("killed as the unlock is sent: the courier inside is found"), EXPECT_FOUND_INSIDE)
_add_found(
    "after-acknowledgement",
    _("killed as the broker has the unlock: the courier is found"),
    replace(EXPECT_FOUND_UNLOCKING, phases_after_loss=EXPECT_FOUND_INSIDE.phases),
)
_add_found("after-report", _("killed as the lock says unlocked: the courier inside is found"), EXPECT_FOUND_UNLOCKING)


@SCENARIOS.add(
    _("the disk fills up with the courier inside: alarm, filmed on, locked again"),
    alarms=(AlarmCode.DISK_FULL,),
)
async def _disk_full_inside(play: ScenarioRun) -> None:
    await play.enter_with_parcel()
    play.narrate("house", "the disk is full")
    await play.stage.change_box(SetFreeSpace(bytes=0))
    await play.wait_for_alarm(AlarmCode.DISK_FULL)
    await play.courier.comes_out()
    await play.wait_for_locked_again()
    await play.stage.change_box(SetFreeSpace(bytes=None))
    await play.wait_for_state("room on the disk", disk=True)
    await play.wait_for_seal()


@SCENARIOS.add(
    _("the window is over and the clock steps back into it: not believed, nothing opens"),
    EXPECT_REFUSED,
    refusals=(Refusal.CLOCK_UNTRUSTED,),
)
async def _clock_stepped_back(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(ends_in=6)
    await play.wait_for_window_end(parcels)
    play.narrate("house", "the clock steps back by a minute")
    await play.stage.change_box(SetClock(offset=-60))
    await play.scan_refused_code(parcels.codes[0], Refusal.CLOCK_UNTRUSTED)


@SCENARIOS.add(
    _("the door's sensor is away: told before anybody comes; back again, the parcel is delivered"),
    refusals=(Refusal.NOT_READY,),
    notifications=(Notification.NOT_READY, Notification.READY_AGAIN, *USUAL_NOTIFICATIONS),
)
async def _not_ready(play: ScenarioRun) -> None:
    await play.set_link(play.plan.door, up=False)
    parcels = await play.retailer.promise()
    await play.wait_for_notification(Notification.NOT_READY)
    await play.wait_for_cameras()
    await play.courier.scans(parcels.codes[0])
    await play.wait_for_refusal(Refusal.NOT_READY)
    await play.set_link(play.plan.door, up=True)
    await play.wait_for_notification(Notification.READY_AGAIN)
    await play.wait_for_new_scan()
    await play.deliver(parcels)


@SCENARIOS.add(
    _("three deaths within a minute: it locks, films and warns, and opens nothing until the owner has looked"),
    EXPECT_REFUSED,
    refusals=(Refusal.NOT_READY,),
    alarms=(AlarmCode.SAFE_MODE,),
    notifications=(Notification.SAFE_MODE, Notification.NOT_READY, Notification.READY_AGAIN),
    sealed_visits=1,
    gateway_deaths=3,
    retailer_state="window_open",
)
async def _safe_mode(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    for _death in range(3):
        await play.kill_gateway()
    await play.wait_for_alarm(AlarmCode.SAFE_MODE)
    await play.wait_for_state("connected in safe mode", safe_mode=True, locked=True, closed=True)
    await play.scan_refused_code(parcels.codes[0], Refusal.NOT_READY)
    await play.owner.send_request("acknowledge")
    await play.wait_for_state("safe mode over", safe_mode=False)
    await play.wait_for_notification(Notification.READY_AGAIN)
    await play.wait_for_incident_seal()
