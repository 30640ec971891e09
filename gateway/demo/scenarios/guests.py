"""Scenarios of guests: a pass instead of a bell, a code that a keypad keeps, a stay in which nothing is filmed."""

from devices.simulators.house import KeypadPlan
from gateway.config.devices import KeypadDevice
from gateway.config.home import GuestsSection
from gateway.demo.plan import DemoPlan
from gateway.demo.result import DoorMovement
from gateway.demo.rig_control import GrantedPass, GrantPass, PlanStay, RevokePass, SetClock, grant_pass
from gateway.demo.scenario import (
    EXPECT_NO_VISIT,
    EXPECT_REFUSED,
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    ScenarioList,
    ScenarioRun,
)
from gateway.domain.delivery.result import DoorResult, Refusal
from gateway.domain.guests.provisioning import ALARM_AFTER, CHECK_INTERVAL_S
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.system.clock import SETTLE_TIME_S
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
KEYPAD = "front-keypad"
HOUR = 3600.0


def with_guests(plan: DemoPlan) -> DemoPlan:
    """The entrance admits guests; its lock has a keypad that stores their codes."""
    keypad = KeypadPlan(kind="keypad", vendor="perron")
    plan = plan.with_house(devices={**plan.house.devices, KEYPAD: keypad})
    return with_keypad(plan, KeypadDevice(kind="keypad", vendor="perron"))


def with_keypad(plan: DemoPlan, keypad: KeypadDevice) -> DemoPlan:
    """The entrance admits guests, by the QR of a pass and by a code on this keypad."""
    front = plan.section.model_copy(update={"guests": GuestsSection(keypads=(KEYPAD,))})
    return plan.with_home(
        devices={**plan.home.devices, KEYPAD: keypad}, entrances={**plan.home.entrances, plan.entrance: front}
    )


async def grant(play: ScenarioRun) -> GrantedPass:
    """Let the host grant a pass; return when the keypad has its code."""
    play.narrate("owner", "grants a guest a pass")
    held = await grant_pass(play.stage.rig_socket, GrantPass(guest="Anna", seconds=HOUR))
    await play.log.wait_for_line("code", state="stored")
    return held


async def revoke(play: ScenarioRun, held: GrantedPass) -> None:
    """Let the host withdraw the pass."""
    play.narrate("owner", "withdraws the pass")
    await play.stage.change_box(RevokePass(held=held.id))


def require_no_film(play: ScenarioRun) -> None:
    """Require that the box keeps no film and no picture."""
    kept = [
        path.name
        for path in play.plan.home.storage.folder.rglob("*")
        if path.suffix in {".mp4", ".mkv", ".ts", ".jpg", ".jpeg"}
    ]
    play.require(not kept, f"no film and no picture is kept, but there is {kept}")


@SCENARIOS.add(
    _("a guest's pass: the code opens at once, nobody rings, nothing is filmed; withdrawn, it opens nothing"),
    EXPECT_REFUSED,
    equip=with_guests,
    house=DoorResult.LOCKED_AGAIN,
    movements=MOVES_ONCE_IN_AND_OUT,
    phases=PHASES_WHOLE_VISIT[1:],
    refusals=(Refusal.UNKNOWN_CODE,),
    notifications=(Notification.ADMITTED, Notification.LOCKED_AGAIN),
    sealed_visits=1,  # of the door alone
    is_filmed=False,
)
async def _guest(play: ScenarioRun) -> None:
    held = await grant(play)
    await play.courier.does("arrive")
    await play.courier.scans(held.code)
    await play.wait_for_unlocked()
    await play.courier.does("open", "walk_in")
    await play.wait_for_phase(Phase.INSIDE)
    await play.leave_and_seal()
    require_no_film(play)
    await revoke(play, held)
    await play.log.wait_for_line("code", state="deleted")
    await play.wait_for_new_scan()
    await play.courier.does("arrive")
    await play.scan_refused_code(held.code, Refusal.UNKNOWN_CODE)


@SCENARIOS.add(
    _("the keypad says that it deletes the guest's code and keeps it: an alarm, and no delivery until it is gone"),
    EXPECT_REFUSED,
    title="guest:code-not-withdrawn",
    equip=with_guests,
    refusals=(Refusal.NOT_READY,),
    alarms=(AlarmCode.CODE_STILL_VALID,),
    notifications=(Notification.NOT_READY,),
    optional_notifications=frozenset({Notification.READY_AGAIN}),
    retailer_state="window_open",
)
async def _code_not_withdrawn(play: ScenarioRun) -> None:
    await keep_a_code(play, KEYPAD)


async def keep_a_code(play: ScenarioRun, keypad: str) -> None:
    """Let a keypad keep a withdrawn code: a quarter of an hour later it alarms, and no delivery comes in."""
    held = await grant(play)
    await play.set_fault(keypad, "keeps")
    await revoke(play, held)
    await play.wait_a_moment(CHECK_INTERVAL_S + 1)  # the order to delete is sent
    play.narrate("house", "a quarter of an hour passes")
    await play.stage.change_box(SetClock(offset=ALARM_AFTER.total_seconds() + 1))
    await play.wait_for_alarm(AlarmCode.CODE_STILL_VALID, due=SETTLE_TIME_S)
    parcels = await play.retailer.promise()
    await play.courier.does("arrive")
    await play.scan_refused_code(parcels.codes[0], Refusal.NOT_READY)


@SCENARIOS.add(
    _("a stay: no courier comes in, the guest comes in by the code at the keypad, and there is no film of anything"),
    EXPECT_NO_VISIT,
    title="stay:nothing-filmed",
    equip=with_guests,
    movements=(
        DoorMovement.UNLOCKED, DoorMovement.OPENED, DoorMovement.CLOSED, DoorMovement.LOCKED_BY_HAND,
    ),
    refusals=(Refusal.GUEST_PRESENT,),
    house=DoorResult.NOT_OPENED,
    outcome=EXPECT_REFUSED.outcome,
    retailer_state="window_open",
)  # fmt: skip
async def _nothing_filmed(play: ScenarioRun) -> None:
    play.narrate("owner", "plans a stay")
    await play.stage.change_box(PlanStay(seconds=HOUR))
    held = await grant(play)
    parcels = await play.retailer.promise()
    await play.courier.does("arrive")
    await play.scan_refused_code(parcels.codes[0], Refusal.GUEST_PRESENT)
    await play.courier.does("leave")
    await play.resident.types(held.pins[0])
    await play.resident.does("open", "walk_in", "close", "lock_by_hand")
    await play.wait_for_no_opening()
    require_no_film(play)
