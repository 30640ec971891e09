"""Scenarios of a Matter lock behind a Matter server, which `perron matter` brings to the house's broker."""

import asyncio

from gateway.config.devices import KeypadDevice
from gateway.demo.plan import DemoPlan
from gateway.demo.result import DoorMovement
from gateway.demo.scenario import (
    EXPECT_NO_VISIT,
    EXPECT_REFUSED,
    EXPECT_UNLOCK_UNKNOWN,
    ScenarioList,
    ScenarioRun,
)
from gateway.demo.scenarios.guests import grant, keep_a_code, revoke, with_keypad
from gateway.demo.scenarios.homes import with_matter_lock
from gateway.domain.delivery.result import Refusal
from gateway.domain.guests.provisioning import CHECK_INTERVAL_S
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
SLOTS = 5, 9  # of the lock's memory, for guests
SERVER = "matter"  # the Matter server's name in the simulated house


def with_matter_keypad(plan: DemoPlan) -> DemoPlan:
    """A Matter lock whose keypad stores the codes of guests."""
    plan = with_matter_lock(plan)
    address = plan.home.devices[plan.lock].address
    return with_keypad(plan, KeypadDevice(kind="keypad", vendor="matter", address=address, slots=SLOTS))


def _invoked(play: ScenarioRun) -> list[object]:
    """Return the commands that reached the lock."""
    return [line["invoked"] for line in play.log.lines if line["what"] == "matter"]


@SCENARIOS.add(
    _(
        "a Matter lock: one timed invoke opens it,"
        " and each answer is read from the lock, not from the memory of the Matter server"
    ),
    equip=with_matter_lock,
)
async def _matter_lock(play: ScenarioRun) -> None:
    await play.deliver()
    play.require(_invoked(play) == ["UnlockDoor", "LockDoor"], "each command reaches the lock once")


@SCENARIOS.add(
    _(
        "the Matter lock sleeps as the order comes, and its server repeats it for too long:"
        " an alarm, the opening counts as used; the lock opens late and is locked again at once"
    ),
    EXPECT_UNLOCK_UNKNOWN,
    equip=with_matter_lock,
    movements=(DoorMovement.UNLOCKED, DoorMovement.LOCKED),
    alarms=(AlarmCode.UNLOCK_UNKNOWN, AlarmCode.LOCK_REFUSED),
)
async def _matter_lock__asleep(play: ScenarioRun) -> None:
    """The invoke is announced for the order's life; the server ignores that bound, so the lock obeys when it wakes."""
    await play.scan_and_ring()
    await play.set_fault(SERVER, "unbounded")
    await play.set_fault(SERVER, "asleep")
    await play.wait_for_alarm(AlarmCode.UNLOCK_UNKNOWN, due=play.timing.ring + 3 * play.plan.latency)
    await asyncio.sleep(play.timing.command_life)  # the order is given up; its server goes on
    await play.set_fault(SERVER, "asleep", on=False)
    await play.log.wait_for_line("bolt", state="withdrawn")
    await play.wait_for_visit_end()
    play.require(_invoked(play)[:1] == ["UnlockDoor"], "the order came late, and once")
    play.require(_invoked(play).count("UnlockDoor") == 1, "the unlock is sent once and never again")


@SCENARIOS.add(
    _(
        "a guest types his code at the keypad of a Matter lock: it was read back from the lock, opens while it is"
        " stored, and opens nothing once it is withdrawn"
    ),
    EXPECT_NO_VISIT,
    title="matter-lock:guest-code",
    equip=with_matter_keypad,
    movements=(DoorMovement.UNLOCKED, DoorMovement.OPENED, DoorMovement.CLOSED, DoorMovement.LOCKED_BY_HAND),
)
async def _guest_code(play: ScenarioRun) -> None:
    held = await grant(play)
    await play.resident.types(held.pins[0])
    await play.log.wait_for_line("typed", slot=SLOTS[0])
    await play.watch.wait_for_event("note")  # the gateway takes it for use by hand
    await play.resident.does("open", "walk_in", "close", "lock_by_hand")
    await revoke(play, held)
    await play.log.wait_for_line("code", state="deleted")
    await play.wait_a_moment(CHECK_INTERVAL_S + 1)  # it is read back once more, and is gone
    play.require(not play.watch.messages(urgent=True), "a code that is gone alarms nobody")


@SCENARIOS.add(
    _("the Matter lock says that it clears a guest's code and keeps it: an alarm, and no delivery until it is gone"),
    EXPECT_REFUSED,
    title="matter-lock:keeps-guest-code",
    equip=with_matter_keypad,
    refusals=(Refusal.NOT_READY,),
    alarms=(AlarmCode.CODE_STILL_VALID,),
    notifications=(Notification.NOT_READY,),
    optional_notifications=frozenset({Notification.READY_AGAIN}),
    retailer_state="window_open",
)
async def _keeps_guest_code(play: ScenarioRun) -> None:
    await keep_a_code(play, SERVER)
