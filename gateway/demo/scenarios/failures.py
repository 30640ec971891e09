"""Scenarios in which the box, its broker, its disk or its clock fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from gateway.demo.actors import TIMEOUT_MARGIN_S, PromisedDelivery
from gateway.demo.rig_control import CrashPoint, SetClock, SetFreeSpace
from gateway.demo.scenario import (
    EXPECT_REFUSED,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    Expectation,
    ScenarioList,
    ScenarioRun,
)
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import Text, _

SCENARIOS = ScenarioList()
EXPECT_SPENT = Expectation(
    outcome=Outcome.UNKNOWN,
    movements=(),
    phases=(Phase.RINGING, *PHASES_WHOLE_VISIT[4:]),
    gateway_deaths=1,
    retailer_state="not_delivered",
)
EXPECT_BROKER_PAUSED = Expectation(
    outcome=Outcome.UNKNOWN,
    movements=(),
    phases=(Phase.RINGING, Phase.UNLOCKING, *PHASES_WHOLE_VISIT[4:]),
    refusals=(Refusal.NOT_READY,),
    alarms=(AlarmCode.UNLOCK_UNKNOWN,),
    retailer_state="not_delivered",
)
EXPECT_FOUND_INSIDE = Expectation(
    phases=(Phase.RINGING, Phase.RELOCKING, *PHASES_WHOLE_VISIT[3:]),
    gateway_deaths=1,
)
EXPECT_FOUND_UNLOCKING = replace(
    EXPECT_FOUND_INSIDE, phases=(Phase.RINGING, Phase.UNLOCKING, *EXPECT_FOUND_INSIDE.phases[1:])
)


@SCENARIOS.add("broker-restart", _("the broker dies with the courier inside and comes back: asked anew, locked again"))
async def _broker_restart(play: ScenarioRun) -> None:
    """The broker breaks with the courier inside: nothing is believed until it is asked again."""
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
    await play.log.wait_for_line("signal", within=TIMEOUT_MARGIN_S, sound="ring")
    await asyncio.sleep(play.timing.ring / 2)
    play.narrate("house", "the broker stands still")
    play.stage.broker.pause()
    await asyncio.sleep(play.timing.ring / 2 + play.timing.command_life + 0.5)
    play.narrate("house", "the broker goes on")
    play.stage.broker.resume()


@SCENARIOS.add(
    "broker-paused",
    _("the broker stands still as the unlock is sent: the lock refuses the late copy, nothing opens"),
    EXPECT_BROKER_PAUSED,
)
async def _broker_paused(play: ScenarioRun) -> None:
    """The unlock leaves, and lies in a broker that stands still until it is out of date: the lock refuses it."""
    await pause_broker(play)
    await play.log.wait_for_line("refused", within=TIMEOUT_MARGIN_S, why="expired")
    await play.wait_for_visit_end()


async def _until_ringing(play: ScenarioRun, point: CrashPoint) -> PromisedDelivery:
    parcels = await play.announce_delivery()
    await play.kill_gateway(point)
    await play.scan_and_ring(parcels)
    return parcels


@SCENARIOS.add(
    "gateway-killed:before-commit",
    _("killed before the intent is stored: nothing used, a new scan works"),
    Expectation(
        phases=(Phase.RINGING, "ready", *PHASES_WHOLE_VISIT),
        notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED, *USUAL_NOTIFICATIONS),
        refusals=(Refusal.NOT_READY,),
        gateway_deaths=1,
    ),
)
async def _killed_before_commit(play: ScenarioRun) -> None:
    """Nothing was promised to the door yet: the visit is over, and the courier may scan again."""
    parcels = await _until_ringing(play, "before-commit")
    await play.wait_for_gateway()
    await play.wait_for_phase("ready")
    await play.wait_for_notification(Notification.NOT_OPENED)
    await play.wait_until_ready()
    await play.deliver(parcels)


async def _killed_unsent(play: ScenarioRun, *, point: CrashPoint) -> None:
    """The intent is stored, the unlock never left: spent, and never sent after the restart."""
    await _until_ringing(play, point)
    await play.wait_for_gateway()
    await play.wait_for_visit_end()
    play.require(not play.watch.events("unlock"), "no unlock is sent after the restart")


async def _killed_sent(play: ScenarioRun, *, point: CrashPoint) -> None:
    """The unlock left: the courier goes in while the box is away, and the box finds him and locks behind him."""
    await _until_ringing(play, point)
    await play.log.wait_for_line("bolt", within=play.timing.ring + TIMEOUT_MARGIN_S, state="withdrawn")
    await play.courier.does("open")
    await play.wait_for_gateway()
    await play.wait_for_phase(Phase.INSIDE)
    await play.courier.does("walk_in", "put_parcel")
    await play.leave_and_seal()


_CrashRow = tuple[CrashPoint, Text, Callable[..., Awaitable[None]], Expectation]
_CRASHES: tuple[_CrashRow, ...] = (
    ("after-commit", _("killed after the intent is stored: spent, never sent later"), _killed_unsent, EXPECT_SPENT),
    ("before-publish", _("killed before the unlock is sent: spent, never sent later"), _killed_unsent, EXPECT_SPENT),
    ("after-publish", _("killed as the unlock is sent: the courier inside is found"), _killed_sent,
     EXPECT_FOUND_INSIDE),
    ("after-acknowledgement", _("killed as the broker has the unlock: the courier is found"), _killed_sent,
     EXPECT_FOUND_UNLOCKING),
    ("after-report", _("killed as the lock says unlocked: the courier inside is found"), _killed_sent,
     EXPECT_FOUND_UNLOCKING),
)  # fmt: skip
for _point, _summary, _script, _expected in _CRASHES:
    SCENARIOS.add(f"gateway-killed:{_point}", _summary, _expected)(partial(_script, point=_point))


@SCENARIOS.add(
    "disk-full-inside",
    _("the disk fills up with the courier inside: alarm, filmed on, locked again"),
    Expectation(alarms=(AlarmCode.DISK_FULL,)),
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
    "clock-stepped-back",
    _("the window is over and the clock steps back into it: not believed, nothing opens"),
    replace(EXPECT_REFUSED, refusals=(Refusal.CLOCK_UNTRUSTED,)),
)
async def _clock_stepped_back(play: ScenarioRun) -> None:
    """The window is over; a clock that steps back into it is not believed."""
    parcels = await play.announce_delivery(ends_in=6)
    await play.wait_for_window_end(parcels)
    play.narrate("house", "the clock steps back by a minute")
    await play.stage.change_box(SetClock(offset=-60))
    await play.scan_refused_code(parcels.codes[0], Refusal.CLOCK_UNTRUSTED)


@SCENARIOS.add(
    "not-ready",
    _("the door's sensor is away: told before anybody comes; back again, the parcel is delivered"),
    Expectation(
        refusals=(Refusal.NOT_READY,),
        notifications=(Notification.NOT_READY, Notification.READY_AGAIN, *USUAL_NOTIFICATIONS),
    ),
)
async def _not_ready(play: ScenarioRun) -> None:
    """The door's sensor is away: told before anybody comes. It comes back, and the parcel is delivered."""
    await play.set_link(play.section.door, up=False)
    parcels = await play.retailer.promise()
    await play.wait_for_notification(Notification.NOT_READY)
    await play.wait_for_cameras()
    await play.courier.scans(parcels.codes[0])
    await play.wait_for_refusal(Refusal.NOT_READY)
    await play.set_link(play.section.door, up=True)
    await play.wait_for_notification(Notification.READY_AGAIN)
    await play.wait_for_new_scan()
    await play.deliver(parcels)


@SCENARIOS.add(
    "safe-mode",
    _("three deaths within a minute: it locks, films and warns, and opens nothing until the owner has looked"),
    replace(
        EXPECT_REFUSED,
        refusals=(Refusal.NOT_READY,),
        alarms=(AlarmCode.SAFE_MODE,),
        notifications=(Notification.SAFE_MODE, Notification.NOT_READY, Notification.READY_AGAIN),
        sealed_visits=1,
        sealed_parts=1,
        gateway_deaths=3,
        retailer_state="window_open",
    ),
)
async def _safe_mode(play: ScenarioRun) -> None:
    """Three deaths within a minute: it locks, films, warns and opens nothing until the owner has looked."""
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
