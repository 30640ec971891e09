"""Scenarios of locks that jam, are silent, late or lie, of a lock behind a guard, and of a garage door."""

import asyncio

from devices.reports import BoltMotion, LockReport, LockState
from devices.simulators.control import PressBell
from devices.vendors import VENDORS
from gateway.cli.broker import open_session
from gateway.config.devices import LockDevice
from gateway.config.topics import device_topic
from gateway.demo.actors import PromisedDelivery
from gateway.demo.result import DoorMovement
from gateway.demo.scenario import (
    EXPECT_UNLOCK_UNKNOWN,
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    Expectation,
    ScenarioList,
    ScenarioRun,
)
from gateway.demo.scenarios.failures import pause_broker
from gateway.demo.scenarios.homes import (
    with_garage_door,
    with_guard,
    with_home_assistant_cover,
    with_short_command_life,
)
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
PHASES_OF_GARAGE = (*PHASES_WHOLE_VISIT[:2], *PHASES_WHOLE_VISIT[3:])  # it stands open as soon as it moves
OBSTRUCTION_CLEAR_S = 0.5  # seconds until the garage door's beam has said that it is free again
EXPECT_JAMMED = Expectation(
    house=DoorResult.HANDED_TO_OWNER,
    phases=(*PHASES_WHOLE_VISIT[:5], Phase.HANDED_TO_OWNER, *PHASES_WHOLE_VISIT[4:]),
    alarms=(AlarmCode.LOCK_REFUSED, AlarmCode.LOCK_JAMMED, AlarmCode.NOT_LOCKED),
    notifications=(
        Notification.AT_THE_DOOR,
        Notification.LOOK_AFTER_THE_DOOR,
        Notification.LOCKED_AGAIN,
    ),
)


async def _acknowledge_incident(play: ScenarioRun) -> None:
    await play.watch.wait_until("the door closed", lambda: play.watch.state.get("closed") is True)
    await play.owner.send_request("acknowledge", visit=play.watch.state["visit"])
    await play.wait_for_visit_end()


async def wait_for_handover(play: ScenarioRun) -> None:
    """Wait until the box gives the door to the owner."""
    tries = 3 * 6 * play.plan.latency
    await play.wait_for_phase(Phase.HANDED_TO_OWNER, due=play.timing.relock + play.timing.command_life + tries)


@SCENARIOS.add(
    _("the bolt jams as it should lock: three tries, then the owner; the parcel stays delivered"),
    EXPECT_JAMMED,
)
async def _lock_jammed(play: ScenarioRun) -> None:
    await play.enter_with_parcel()
    await play.set_fault(play.plan.lock, "jam")
    await play.courier.comes_out()
    await play.wait_for_alarm(AlarmCode.LOCK_JAMMED, due=play.timing.relock + play.timing.command_life)
    await wait_for_handover(play)
    await play.set_fault(play.plan.lock, "jam", on=False)
    await _acknowledge_incident(play)


@SCENARIOS.add(
    _(
        "the lock says nothing any more: nobody knows whether it opened;"
        " the opening counts as used, the order is not repeated, and the owner takes over"
    ),
    EXPECT_JAMMED,
    equip=with_short_command_life,
    outcome=Outcome.UNKNOWN,
    movements=(DoorMovement.UNLOCKED, DoorMovement.LOCKED),
    phases=(Phase.RINGING, Phase.UNLOCKING, Phase.RELOCKING, Phase.HANDED_TO_OWNER, *PHASES_WHOLE_VISIT[4:]),
    refusals=(Refusal.NOT_READY,),
    alarms=(AlarmCode.UNLOCK_UNKNOWN, AlarmCode.NOT_LOCKED),
    retailer_state="not_delivered",
)
async def _lock_silent(play: ScenarioRun) -> None:
    """It acts all the same."""
    await play.scan_and_ring()
    await play.set_fault(play.plan.lock, "silent")
    await play.wait_for_alarm(AlarmCode.UNLOCK_UNKNOWN, due=play.timing.ring + 3 * play.plan.latency)
    await wait_for_handover(play)
    await play.set_fault(play.plan.lock, "silent", on=False)
    await _acknowledge_incident(play)
    play.require(len(play.watch.events("unlock")) == 1, "the unlock is sent once and never again")


@SCENARIOS.add(
    _("the lock acts later than it declares: the opening counts as used, and the door is locked again"),
    EXPECT_UNLOCK_UNKNOWN,
    movements=(DoorMovement.UNLOCKED, DoorMovement.LOCKED),
)
async def _lock_late(play: ScenarioRun) -> None:
    """The bolt moves after twice the declared latency: too late to let anybody in."""
    parcels = await play.announce_delivery()
    await play.set_fault(play.plan.lock, "late", on=2 * play.plan.latency)
    await play.scan_codes(parcels)
    await play.wait_for_alarm(AlarmCode.UNLOCK_UNKNOWN, due=play.timing.ring + 3 * play.plan.latency)
    await play.log.wait_for_line("bolt", state="withdrawn")
    await play.set_fault(play.plan.lock, "late", on=False)
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("the lock is cut off and a liar says locked: not believed, handed to the owner"),
    EXPECT_JAMMED,
    alarms=(AlarmCode.NOT_LOCKED,),
)
async def _lock_lies(play: ScenarioRun) -> None:
    """The attack of 2018: the lock is cut off as the courier leaves, and somebody says "locked" in its name."""
    await play.enter_with_parcel()
    await play.courier.does("walk_out")
    await play.set_link(play.plan.lock, up=False)
    await play.courier.does("close", "leave")
    await _forge_locked_report(play)
    await wait_for_handover(play)
    play.require(play.watch.state["locked"] is False, "a lie is never shown as locked")
    await play.set_link(play.plan.lock, up=True)
    await _acknowledge_incident(play)


async def _forge_locked_report(play: ScenarioRun) -> None:
    """Say "locked" on the lock's own account, as somebody who has stolen it would."""
    play.narrate("thief", 'says "locked" in the lock\'s name')
    home, lock = play.plan.home, play.plan.lock
    device = home.devices[lock]
    play.require(isinstance(device, LockDevice), "the lock is a lock")
    async with open_session(home.broker.account(lock), []) as session:
        report = LockReport(bolt=LockState.LOCKED, motion=BoltMotion.IDLE)
        for message in VENDORS[device.vendor].encode_report(report, device.device_ref):
            outcome = session.publish(device_topic(home, lock, message.suffix), message.payload)
            play.require(hasattr(outcome, "acknowledged"), "the lie is sent")


@SCENARIOS.add(
    _("the bolt is thrown while the door is open: alarm, and the owner looks after it"),
    EXPECT_JAMMED,
    movements=(
        DoorMovement.UNLOCKED,
        DoorMovement.OPENED,
        DoorMovement.BOLT_IN_THE_AIR,
        DoorMovement.UNLOCKED_BY_HAND,
        DoorMovement.CLOSED,
        DoorMovement.LOCKED,
    ),
    phases=(*PHASES_WHOLE_VISIT[:4], Phase.HANDED_TO_OWNER, *PHASES_WHOLE_VISIT[4:]),
    alarms=(AlarmCode.BOLT_IN_THE_AIR,),
)
async def _bolt_in_the_air(play: ScenarioRun) -> None:
    """Nobody pulls it back by radio."""
    await play.enter_with_parcel()
    await play.set_fault(play.plan.lock, "throw")
    await play.wait_for_alarm(AlarmCode.BOLT_IN_THE_AIR)
    await play.wait_for_phase(Phase.HANDED_TO_OWNER)
    await play.courier.does("walk_out", "leave")
    await play.resident.does("walk_in", "thumb_turn", "close")
    await _acknowledge_incident(play)


@SCENARIOS.add(
    _("a basic lock with a guard and a broker of its own: signed commands move it in the whole visit"), equip=with_guard
)
async def _guarded(play: ScenarioRun) -> None:
    await play.deliver()


@SCENARIOS.add(
    _("the house's broker stands still as the order leaves: the guard refuses the late copy, nothing opens"),
    EXPECT_UNLOCK_UNKNOWN,
    equip=with_guard,
)
async def _guarded__broker_paused(play: ScenarioRun) -> None:
    """The basic lock never receives the order."""
    await pause_broker(play)
    await play.wait_for_visit_end()


async def deliver_into_garage(play: ScenarioRun, parcels: PromisedDelivery | None = None) -> None:
    """Scan, wait for the bell and the opening, put the parcel down and come out. `parcels`: those announced before."""
    await play.scan_codes(parcels)
    await play.wait_for_phase(Phase.INSIDE, due=play.timing.ring + play.timing.live)
    await play.courier.does("walk_in", "put_parcel", "walk_out")
    await asyncio.sleep(OBSTRUCTION_CLEAR_S)


@SCENARIOS.add(
    _("a garage door: up on a scan, down on the courier's word; closed by its own sensor's fresh word"),
    equip=with_garage_door,
    phases=PHASES_OF_GARAGE,
)
async def _garage(play: ScenarioRun) -> None:
    await deliver_into_garage(play)
    play.require(not play.watch.events("close"), "nothing is sent down before the courier has said that he is out")
    play.narrate("courier", "presses the bell: he is out")
    await play.house.ask(PressBell())
    await play.wait_for_visit_end()
    await play.courier.does("leave")
    play.require(len(play.watch.events("close")) == 1, "it is sent down once")
    play.require(not play.watch.events("lock"), "no order to lock ever goes to an opener: it might open")


@SCENARIOS.add(
    _("a garage door that only Home Assistant moves: opened once, and closed by a person, for no beam answers"),
    title="garage:home-assistant-cover",
    equip=with_home_assistant_cover,
    movements=(*MOVES_ONCE_IN_AND_OUT[:3], DoorMovement.LOCKED_BY_HAND),
    phases=PHASES_OF_GARAGE,
)
async def _home_assistant_cover(play: ScenarioRun) -> None:
    await deliver_into_garage(play)
    await play.house.ask(PressBell())
    await play.courier.does("leave")
    await play.resident.does("walk_in", "close", "lock_by_hand")
    await play.wait_for_visit_end()
    play.require(not play.watch.events("close"), "without a beam that answers nothing is ever sent down")
