"""Scenarios of the owner, the household and uninvited guests."""

from dataclasses import replace
from datetime import timedelta

from gateway.demo.result import DoorMovement
from gateway.demo.rig_control import StopAtPoint
from gateway.demo.scenario import EXPECT_NO_VISIT, EXPECT_REFUSED, PHASES_WHOLE_VISIT, ScenarioList, ScenarioRun
from gateway.demo.scenarios.homes import with_approval, with_resident_home
from gateway.demo.verdict import retailer_states
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import LockRequestResult, Phase
from gateway.mqtt.publisher import rfc3339_ms
from gateway.system.clock import machine_time
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
EXPECT_STOPPED = replace(
    EXPECT_REFUSED,
    phases=(Phase.RINGING, "ready"),
    refusals=(Refusal.STOPPED_BY_OWNER,),
    notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED),
    retailer_state="window_open",
)


@SCENARIOS.add(
    _("somebody at home answers the bell: Perron leaves the door to them"),
    EXPECT_STOPPED,
    outcome=Outcome.ATTENDED,
    refusals=(),
    notifications=(Notification.AT_THE_DOOR, Notification.ATTENDED),
    retailer_state="not_delivered",
    equip=with_resident_home,
)
async def _somebody_answers(play: ScenarioRun) -> None:
    await play.scan_and_ring()
    await play.resident.does("answer")
    await play.wait_for_phase("ready")
    await play.wait_for_no_opening()


@SCENARIOS.add(
    _("the household comes home with its key: no film, no alarm, and no courier let in just then"),
    EXPECT_REFUSED,
    movements=(DoorMovement.UNLOCKED_BY_HAND, DoorMovement.OPENED, DoorMovement.CLOSED, DoorMovement.LOCKED_BY_HAND),
    refusals=(Refusal.HOUSEHOLD_PRESENT,),
    # the door stood open for too long
    optional_notifications=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),
    retailer_state="window_open",
)
async def _family_key(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.resident.does("turn_key", "open", "walk_in", "close", "lock_by_hand")
    await play.scan_refused_code(parcels.codes[0], Refusal.HOUSEHOLD_PRESENT)


@SCENARIOS.add(_("the owner stops while it rings: the door stays shut"), EXPECT_STOPPED)
async def _owner_stops__before(play: ScenarioRun) -> None:
    await play.scan_and_ring()
    await play.owner.send_request("stop")
    await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
    await play.wait_for_no_opening()


@SCENARIOS.add(
    _("the owner stops while the gateway stores that it will open: the unlock is never sent"),
    EXPECT_STOPPED,
    phases=(Phase.RINGING, Phase.UNLOCKING, "ready"),
)
async def _owner_stops__at(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.stage.change_box(StopAtPoint(point="before-commit"))
    await play.scan_codes(parcels)
    await play.wait_for_phase(Phase.UNLOCKING, due=play.timing.ring)
    await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
    await play.wait_for_no_opening()
    play.require(len(play.watch.events("release")) == 1, "the opening that was reserved is given back")


@SCENARIOS.add(
    _("the owner stops an unlocked door that is still closed: locked at once"),
    EXPECT_STOPPED,
    house=DoorResult.LOCKED_AGAIN,
    movements=(DoorMovement.UNLOCKED, DoorMovement.LOCKED),
    phases=(*PHASES_WHOLE_VISIT[:3], *PHASES_WHOLE_VISIT[4:]),
    notifications=(Notification.AT_THE_DOOR, Notification.LOCKED_AGAIN),
    sealed_visits=1,
)
async def _owner_stops__after(play: ScenarioRun) -> None:
    await play.scan_codes()
    await play.wait_for_unlocked()
    await play.owner.send_request("stop")
    await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("the owner stops with the courier inside: asked to leave, never locked in"),
    alarms=(AlarmCode.STOPPED_INSIDE,),
    notifications=(Notification.AT_THE_DOOR, Notification.STOPPED_INSIDE, Notification.LOCKED_AGAIN),
)
async def _owner_stops__inside(play: ScenarioRun) -> None:
    await play.enter_with_parcel()
    await play.owner.send_request("stop")
    await play.wait_for_alarm(AlarmCode.STOPPED_INSIDE)
    await play.log.wait_for_line("signal", sound="leave")
    await play.leave_and_seal()


@SCENARIOS.add(
    _("the household pauses deliveries: no scan opens, also after the box died; ended, the parcel is delivered"),
    refusals=(Refusal.PAUSED,),
    gateway_deaths=1,
)
async def _paused(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.owner.send_request("pause", end=rfc3339_ms(machine_time() + timedelta(hours=2)))
    await play.watch.wait_until("the pause", lambda: bool(play.watch.state.get("pauses")))
    await play.kill_gateway()
    await play.courier.does("arrive")
    await play.courier.scans(parcels.codes[0])
    await play.wait_for_refusal(Refusal.PAUSED)
    await play.wait_for_new_scan()
    await play.wait_until_ready()
    (pause,) = play.watch.state["pauses"]
    await play.owner.send_request("end_pause", pause=pause["id"])
    await play.wait_for_state("no pause", pauses=[])
    await play.deliver(parcels)


@SCENARIOS.add(
    _("the owner no longer lets a brand in: its parcel opens nothing; let in again, the same parcel is delivered"),
    refusals=(Refusal.BRAND_NOT_PERMITTED,),
)
async def _brand_refused(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.owner.send_request("revoke", brand=parcels.brand)
    await play.watch.wait_until("the brand's answer", lambda: retailer_states(play.watch)[-1:] == ["refused"])
    await play.courier.does("arrive")
    await play.courier.scans(parcels.codes[0])
    await play.wait_for_refusal(Refusal.BRAND_NOT_PERMITTED)
    await play.wait_for_new_scan()
    await play.wait_for_cameras_to_rest()
    await play.owner.send_request("permit", brand=parcels.brand)
    await play.watch.wait_until("the brand's answer", lambda: retailer_states(play.watch)[-1:] != ["refused"])
    await play.wait_until_ready()
    await play.deliver(parcels)


@SCENARIOS.add(
    _(
        "the household asks to lock: an open door gets no order;"
        " once closed it is locked, and shown as locked after lock and sensor have answered so"
    ),
    EXPECT_NO_VISIT,
    movements=(DoorMovement.UNLOCKED_BY_HAND, DoorMovement.OPENED, DoorMovement.CLOSED, DoorMovement.LOCKED),
)
async def _lock_now(play: ScenarioRun) -> None:
    await play.resident.does("turn_key", "open")
    await play.owner.send_request("lock")
    await _expect_lock_result(play, LockRequestResult.DOOR_OPEN)
    await play.resident.does("close")
    await play.wait_for_state("the door closed", closed=True)
    await play.owner.send_request("lock")
    await _expect_lock_result(play, LockRequestResult.PROVEN)
    play.require(bool(play.watch.state.get("locked")), "what is called locked is shown as locked")


async def _expect_lock_result(play: ScenarioRun, result: LockRequestResult) -> None:
    await play.wait_for_state(f"the lock-up: {result}", lockup=result.value)


@SCENARIOS.add(
    _("the owner wants to be asked and says nothing: that is a no"),
    EXPECT_STOPPED,
    phases=(Phase.RINGING, Phase.APPROVING, "ready"),
    refusals=(Refusal.NOT_APPROVED,),
    notifications=(Notification.ASKS_FOR_YES, Notification.NOT_OPENED),
    equip=with_approval,
)
async def _approval_silent(play: ScenarioRun) -> None:
    await play.scan_codes()
    await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
    await play.wait_for_refusal(Refusal.NOT_APPROVED, due=play.timing.approval)
    await play.wait_for_no_opening()


@SCENARIOS.add(
    _("the door is forced without any visit: alarm, and a film of its own"),
    EXPECT_NO_VISIT,
    movements=(DoorMovement.FORCED, DoorMovement.UNLOCKED_BY_HAND, DoorMovement.CLOSED, DoorMovement.LOCKED_BY_HAND),
    alarms=(AlarmCode.DOOR_FORCED_OPEN,),
    notifications=(Notification.NOT_READY, Notification.READY_AGAIN),
    sealed_visits=1,
    retailer_state="window_open",
)
async def _forced_door(play: ScenarioRun) -> None:
    await play.announce_delivery()
    await play.thief.does("force")
    await play.wait_for_alarm(AlarmCode.DOOR_FORCED_OPEN)
    await play.thief.does("leave")
    await play.resident.does("walk_in", "thumb_turn", "close", "lock_by_hand")
    await play.wait_for_notification(Notification.READY_AGAIN)
    await play.wait_for_incident_seal()
