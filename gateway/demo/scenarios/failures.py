"""Scenarios in which the box, its broker, its disk or its clock fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.demo.actors import TIMEOUT_MARGIN_S, PromisedDelivery
from gateway.demo.rig_control import CrashPoint, SetClock, SetFreeSpace
from gateway.demo.scenario import (
    EXPECT_REFUSED,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    Expectation,
    Scenario,
    ScenarioRun,
)
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

HOUR_S = 3600.0
KILLED_NAME = "gateway-killed"


async def _broker_restart(play: ScenarioRun) -> None:
    """The broker breaks with the courier inside: nothing is believed until it is asked again."""
    parcels = await play.announce_delivery()
    await play.enter_with_parcel(parcels)
    play.narrate("house", "the broker dies")
    await play.stage.broker.crash()
    await asyncio.sleep(1)
    play.narrate("house", "the broker is back")
    await play.stage.broker.begin()
    await play.watch.wait_until(
        "the box and the door back", lambda: play.watch.state.get("door") == "open", within=TIMEOUT_MARGIN_S
    )
    await play.leave_and_seal()


async def pause_broker(play: ScenarioRun) -> None:
    """From the middle of the ringing until an unlock that lies in the broker is out of date."""
    parcels = await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.wait_for_ringing()
    await play.log.wait_for_line("signal", within=TIMEOUT_MARGIN_S, sound="ring")
    await asyncio.sleep(play.timing.ring / 2)
    play.narrate("house", "the broker stands still")
    play.stage.broker.pause()
    await asyncio.sleep(play.timing.ring / 2 + play.timing.command_life + 0.5)
    play.narrate("house", "the broker goes on")
    play.stage.broker.resume()


async def _broker_paused(play: ScenarioRun) -> None:
    """The unlock leaves, and lies in a broker that stands still until it is out of date: the lock refuses it."""
    await pause_broker(play)
    await play.log.wait_for_line("refused", within=TIMEOUT_MARGIN_S, why="expired")
    await play.wait_for_visit_end()


async def _until_ringing(play: ScenarioRun, point: CrashPoint) -> PromisedDelivery:
    parcels = await play.announce_delivery()
    await play.kill_gateway(point)
    await play.scan_codes(parcels)
    await play.wait_for_ringing()
    return parcels


async def _killed_before_commit(play: ScenarioRun) -> None:
    """Nothing was promised to the door yet: the visit is over, and the courier may scan again."""
    parcels = await _until_ringing(play, "before-commit")
    await play.wait_for_gateway()
    await play.wait_for_phase("ready")
    await play.wait_for_notification(Notification.NOT_OPENED)
    await play.wait_until_ready()
    await play.deliver(parcels)


def _killed_unsent(point: CrashPoint) -> Callable[[ScenarioRun], Awaitable[None]]:
    """The intent is stored, the unlock never left: spent, and never sent after the restart."""

    async def play_it(play: ScenarioRun) -> None:
        await _until_ringing(play, point)
        await play.wait_for_gateway()
        await play.wait_for_visit_end()
        play.require(not play.watch.events("unlock"), "no unlock is sent after the restart")

    return play_it


def _killed_sent(point: CrashPoint) -> Callable[[ScenarioRun], Awaitable[None]]:
    """The unlock left: the courier goes in while the box is away, and the box finds him and locks behind him."""

    async def play_it(play: ScenarioRun) -> None:
        await _until_ringing(play, point)
        await play.log.wait_for_line("bolt", within=play.timing.ring + TIMEOUT_MARGIN_S, state="withdrawn")
        await play.courier.opens()
        await play.wait_for_gateway()
        await play.wait_for_phase(Phase.INSIDE)
        await play.courier.walks_in()
        await play.courier.puts_parcel()
        await play.leave_and_seal()

    return play_it


async def _disk_full_inside(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.enter_with_parcel(parcels)
    async with play.stage.rig() as rig:
        play.narrate("house", "the disk is full")
        await rig.apply(SetFreeSpace(bytes=0))
        await play.wait_for_alarm(AlarmCode.DISK_FULL)
        await play.courier.comes_out()
        await play.wait_for_locked_again()
        await rig.apply(SetFreeSpace(bytes=None))
        await play.watch.wait_until(
            "room on the disk", lambda: bool(play.watch.state.get("disk")), within=TIMEOUT_MARGIN_S
        )
    await play.wait_for_seal()


async def _clock_stepped_back(play: ScenarioRun) -> None:
    """The window is over; a clock that steps back into it is not believed."""
    parcels = await play.announce_delivery(ends_in=6)
    await play.wait_for_window_end(parcels)
    async with play.stage.rig() as rig:
        play.narrate("house", "the clock steps back by a minute")
        await rig.apply(SetClock(offset=-60))
        await play.scan_refused_code(parcels.codes[0], Refusal.CLOCK_UNTRUSTED)


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


async def _safe_mode(play: ScenarioRun) -> None:
    """Three deaths within a minute: it locks, films, warns and opens nothing until the owner has looked."""
    parcels = await play.announce_delivery()
    for _death in range(3):
        await play.kill_gateway()
    await play.wait_for_alarm(AlarmCode.SAFE_MODE)
    await play.watch.wait_until("connected in safe mode", lambda: _has_armed_cameras(play), within=TIMEOUT_MARGIN_S)
    await play.scan_refused_code(parcels.codes[0], Refusal.NOT_READY)
    await play.owner.send_request("acknowledge")
    await play.watch.wait_until(
        "safe mode over", lambda: play.watch.state.get("safe_mode") is False, within=TIMEOUT_MARGIN_S
    )
    await play.wait_for_notification(Notification.READY_AGAIN)
    await play.wait_for_incident_seal()


def _has_armed_cameras(play: ScenarioRun) -> bool:
    return all(play.watch.state.get(fact) for fact in ("safe_mode", "locked", "closed"))


EXPECT_SPENT = Expectation(
    outcome=Outcome.UNKNOWN,
    movements=(),
    phases=(Phase.RINGING, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready"),
    gateway_deaths=1,
    retailer_state="not_delivered",
)
EXPECT_FOUND_INSIDE = Expectation(
    phases=(Phase.RINGING, Phase.RELOCKING, Phase.INSIDE, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready"),
    gateway_deaths=1,
)
EXPECT_FOUND_UNLOCKING = replace(
    EXPECT_FOUND_INSIDE, phases=(Phase.RINGING, Phase.UNLOCKING, *EXPECT_FOUND_INSIDE.phases[1:])
)

SCENARIOS = (
    Scenario(
        name="broker-restart",
        summary=_("the broker dies with the courier inside and comes back: asked anew, locked again"),
        play=_broker_restart,
    ),
    Scenario(
        name="broker-paused",
        summary=_("the broker stands still as the unlock is sent: the lock refuses the late copy, nothing opens"),
        play=_broker_paused,
        expected=Expectation(
            outcome=Outcome.UNKNOWN,
            movements=(),
            phases=(Phase.RINGING, Phase.UNLOCKING, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready"),
            refusals=(Refusal.NOT_READY,),
            alarms=(AlarmCode.UNLOCK_UNKNOWN,),
            retailer_state="not_delivered",
        ),
    ),
    Scenario(
        name=KILLED_NAME,
        variant="before-commit",
        summary=_("killed before the intent is stored: nothing used, a new scan works"),
        play=_killed_before_commit,
        expected=Expectation(
            phases=(Phase.RINGING, "ready", *PHASES_WHOLE_VISIT),
            notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED, *USUAL_NOTIFICATIONS),
            gateway_deaths=1,
        ),
    ),
    Scenario(
        name=KILLED_NAME,
        variant="after-commit",
        summary=_("killed after the intent is stored: spent, never sent later"),
        play=_killed_unsent("after-commit"),
        expected=EXPECT_SPENT,
    ),
    Scenario(
        name=KILLED_NAME,
        variant="before-publish",
        summary=_("killed before the unlock is sent: spent, never sent later"),
        play=_killed_unsent("before-publish"),
        expected=EXPECT_SPENT,
    ),
    Scenario(
        name=KILLED_NAME,
        variant="after-publish",
        summary=_("killed as the unlock is sent: the courier inside is found"),
        play=_killed_sent("after-publish"),
        expected=EXPECT_FOUND_INSIDE,
    ),
    Scenario(
        name=KILLED_NAME,
        variant="after-acknowledgement",
        summary=_("killed as the broker has the unlock: the courier is found"),
        play=_killed_sent("after-acknowledgement"),
        expected=EXPECT_FOUND_UNLOCKING,
    ),
    Scenario(
        name=KILLED_NAME,
        variant="after-report",
        summary=_("killed as the lock says unlocked: the courier inside is found"),
        play=_killed_sent("after-report"),
        expected=EXPECT_FOUND_UNLOCKING,
    ),
    Scenario(
        name="disk-full-inside",
        summary=_("the disk fills up with the courier inside: alarm, filmed on, locked again"),
        play=_disk_full_inside,
        expected=Expectation(alarms=(AlarmCode.DISK_FULL,)),
    ),
    Scenario(
        name="clock-stepped-back",
        summary=_("the window is over and the clock steps back into it: not believed, nothing opens"),
        play=_clock_stepped_back,
        expected=replace(EXPECT_REFUSED, refusals=(Refusal.CLOCK_UNTRUSTED,)),
    ),
    Scenario(
        name="not-ready",
        summary=_("the door's sensor is away: told before anybody comes; back again, the parcel is delivered"),
        play=_not_ready,
        expected=Expectation(
            refusals=(Refusal.NOT_READY,),
            notifications=(Notification.NOT_READY, Notification.READY_AGAIN, *USUAL_NOTIFICATIONS),
        ),
    ),
    Scenario(
        name="safe-mode",
        summary=_(
            "three deaths within a minute: it locks, films and warns, and opens nothing until the owner has looked"
        ),
        play=_safe_mode,
        expected=Expectation(
            outcome=Outcome.REFUSED,
            house=DoorResult.NOT_OPENED,
            movements=(),
            phases=(),
            refusals=(Refusal.NOT_READY,),
            alarms=(AlarmCode.SAFE_MODE,),
            notifications=(Notification.SAFE_MODE, Notification.NOT_READY, Notification.READY_AGAIN),
            gateway_deaths=3,
            retailer_state="window_open",
        ),
    ),
)
