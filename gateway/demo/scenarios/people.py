"""Scenarios of the owner, the household and uninvited guests."""

from dataclasses import replace
from datetime import timedelta

from gateway.demo.actors import TIMEOUT_MARGIN_S
from gateway.demo.result import DoorMovement
from gateway.demo.rig_control import StopAtPoint
from gateway.demo.scenario import EXPECT_REFUSED, PHASES_WHOLE_VISIT, Expectation, Scenario, ScenarioRun
from gateway.demo.scenarios.homes import with_approval, with_resident_home
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import LockRequestResult, Phase
from gateway.mqtt.publisher import rfc3339_ms
from gateway.system.clock import machine_time
from gateway.system.i18n import _


async def _somebody_answers(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.wait_for_ringing()
    await play.resident.answers()
    await play.wait_for_phase("ready")
    await play.wait_for_no_opening()


async def _family_key(play: ScenarioRun) -> None:
    """The household is neither filmed nor alarmed; a courier who comes just then is not let in."""
    parcels = await play.announce_delivery()
    await play.resident.turns_key()
    await play.resident.opens()
    await play.resident.walks_in()
    await play.resident.closes()
    await play.resident.locks_by_hand()
    await play.scan_refused_code(parcels.codes[0], Refusal.HOUSEHOLD_PRESENT)


async def _stopped_before(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.wait_for_ringing()
    await play.owner.send_request("stop")
    await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
    await play.wait_for_no_opening()


async def _stopped_at(play: ScenarioRun) -> None:
    """The stop arrives while the intent is being stored: the unlock is held back."""
    parcels = await play.announce_delivery()
    async with play.stage.rig() as rig:
        await rig.apply(StopAtPoint(point="before-commit"))
    await play.scan_codes(parcels)
    await play.wait_for_phase(Phase.UNLOCKING, due=play.timing.ring)
    await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
    await play.wait_for_no_opening()
    released = play.watch.events("release")
    play.require(len(released) == 1, "the opening that was reserved is given back")


async def _stopped_after(play: ScenarioRun) -> None:
    """Unlocked, but the door is still closed: locked at once."""
    parcels = await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.wait_for_unlocked()
    await play.owner.send_request("stop")
    await play.wait_for_refusal(Refusal.STOPPED_BY_OWNER)
    await play.wait_for_visit_end()


async def _stopped_inside(play: ScenarioRun) -> None:
    """Nobody is locked in: he is asked to leave, filmed, and the door locked behind him."""
    parcels = await play.announce_delivery()
    await play.enter_with_parcel(parcels)
    await play.owner.send_request("stop")
    await play.wait_for_alarm(AlarmCode.STOPPED_INSIDE)
    await play.log.wait_for_line("signal", within=20, sound="leave")
    await play.leave_and_seal()


async def _paused(play: ScenarioRun) -> None:
    """It outlives the box's death; ended by one word, the same parcel is let in."""
    parcels = await play.announce_delivery()
    await play.owner.send_request("pause", end=rfc3339_ms(machine_time() + timedelta(hours=2)))
    await play.watch.wait_until("the pause", lambda: bool(play.watch.state.get("pauses")), within=TIMEOUT_MARGIN_S)
    await play.kill_gateway()
    await play.courier.arrives()
    await play.courier.scans(parcels.codes[0])
    await play.wait_for_refusal(Refusal.PAUSED)
    await play.wait_for_new_scan()
    await play.wait_until_ready()
    (pause,) = play.watch.state["pauses"]
    await play.owner.send_request("end_pause", pause=pause["id"])
    await play.watch.wait_until("no pause", lambda: play.watch.state.get("pauses") == [], within=TIMEOUT_MARGIN_S)
    await play.deliver(parcels)


async def _lock_now(play: ScenarioRun) -> None:
    """The household went out and did not lock. An open door is not told to; closed, it is locked and proves it."""
    await play.resident.turns_key()
    await play.resident.opens()
    await play.owner.send_request("lock")
    await _expect_lock_result(play, LockRequestResult.DOOR_OPEN)
    await play.resident.closes()
    await play.watch.wait_until(
        "the door closed", lambda: bool(play.watch.state.get("closed")), within=TIMEOUT_MARGIN_S
    )
    await play.owner.send_request("lock")
    await _expect_lock_result(play, LockRequestResult.PROVEN)
    play.require(bool(play.watch.state.get("locked")), "what is called locked is shown as locked")


async def _expect_lock_result(play: ScenarioRun, result: LockRequestResult) -> None:
    await play.watch.wait_until(
        f"the lock-up: {result}", lambda: play.watch.state.get("lockup") == result.value, within=TIMEOUT_MARGIN_S
    )


async def _approval_silent(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
    await play.wait_for_refusal(Refusal.NOT_APPROVED, due=play.timing.approval)
    await play.wait_for_no_opening()


async def _forced_door(play: ScenarioRun) -> None:
    await play.announce_delivery()
    await play.thief.forces()
    await play.wait_for_alarm(AlarmCode.DOOR_FORCED_OPEN)
    await play.thief.leaves()
    await play.resident.walks_in()
    await play.resident.turns_thumb_turn()
    await play.resident.closes()
    await play.resident.locks_by_hand()
    await play.wait_for_notification(Notification.READY_AGAIN)
    await play.wait_for_incident_seal()


EXPECT_STOPPED = Expectation(
    outcome=Outcome.REFUSED,
    house=DoorResult.NOT_OPENED,
    movements=(),
    phases=(Phase.RINGING, "ready"),
    refusals=(Refusal.STOPPED_BY_OWNER,),
    notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED),
    sealed_visits=0,
    sealed_parts=0,
    retailer_state="window_open",
)
STOPS_NAME = "owner-stops"

SCENARIOS = (
    Scenario(
        name="somebody-answers",
        summary=_("somebody at home answers the bell: Perron leaves the door to them"),
        play=_somebody_answers,
        change_house=with_resident_home,
        expected=replace(
            EXPECT_STOPPED,
            outcome=Outcome.ATTENDED,
            refusals=(),
            notifications=(Notification.AT_THE_DOOR, Notification.ATTENDED),
            retailer_state="not_delivered",
        ),
    ),
    Scenario(
        name="family-key",
        summary=_("the household comes home with its key: no film, no alarm, and no courier let in just then"),
        play=_family_key,
        expected=replace(
            EXPECT_REFUSED,
            movements=(
                DoorMovement.UNLOCKED_BY_HAND,
                DoorMovement.OPENED,
                DoorMovement.CLOSED,
                DoorMovement.LOCKED_BY_HAND,
            ),
            refusals=(Refusal.HOUSEHOLD_PRESENT,),
            # the door stood open for too long
            optional_notifications=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),
            retailer_state="window_open",
        ),
    ),
    Scenario(
        name=STOPS_NAME,
        variant="before",
        summary=_("the owner stops while it rings: the door stays shut"),
        play=_stopped_before,
        expected=EXPECT_STOPPED,
    ),
    Scenario(
        name=STOPS_NAME,
        variant="at",
        summary=_("the owner stops as the intent is stored: the unlock is never sent"),
        play=_stopped_at,
        expected=replace(EXPECT_STOPPED, phases=(Phase.RINGING, Phase.UNLOCKING, "ready")),
    ),
    Scenario(
        name=STOPS_NAME,
        variant="after",
        summary=_("the owner stops an unlocked door that is still closed: locked at once"),
        play=_stopped_after,
        expected=replace(
            EXPECT_STOPPED,
            house=DoorResult.LOCKED_AGAIN,
            movements=(DoorMovement.UNLOCKED, DoorMovement.LOCKED),
            phases=(*PHASES_WHOLE_VISIT[:3], *PHASES_WHOLE_VISIT[4:]),
            notifications=(Notification.AT_THE_DOOR, Notification.LOCKED_AGAIN),
            sealed_visits=1,
            sealed_parts=1,
        ),
    ),
    Scenario(
        name=STOPS_NAME,
        variant="inside",
        summary=_("the owner stops with the courier inside: asked to leave, never locked in"),
        play=_stopped_inside,
        expected=Expectation(
            alarms=(AlarmCode.STOPPED_INSIDE,),
            notifications=(Notification.AT_THE_DOOR, Notification.STOPPED_INSIDE, Notification.LOCKED_AGAIN),
        ),
    ),
    Scenario(
        name="paused",
        summary=_(
            "the household pauses deliveries: no scan opens, also after the box died; ended, the parcel is delivered"
        ),
        play=_paused,
        expected=Expectation(refusals=(Refusal.PAUSED,), gateway_deaths=1),
    ),
    Scenario(
        name="lock-now",
        summary=_(
            "the household asks to lock: an open door is not told to; closed, it is locked, and called so once proven"
        ),
        play=_lock_now,
        expected=Expectation(
            outcome=None,
            house=None,
            movements=(DoorMovement.UNLOCKED_BY_HAND, DoorMovement.OPENED, DoorMovement.CLOSED, DoorMovement.LOCKED),
            phases=(),
            notifications=(),
            sealed_visits=0,
            sealed_parts=0,
            retailer_state=None,
        ),
    ),
    Scenario(
        name="approval-silent",
        summary=_("the owner wants to be asked and says nothing: that is a no"),
        play=_approval_silent,
        change_home=with_approval,
        expected=replace(
            EXPECT_STOPPED,
            phases=(Phase.RINGING, Phase.APPROVING, "ready"),
            refusals=(Refusal.NOT_APPROVED,),
            notifications=(Notification.ASKS_FOR_YES, Notification.NOT_OPENED),
        ),
    ),
    Scenario(
        name="forced-door",
        summary=_("the door is forced without any visit: alarm, and a film of its own"),
        play=_forced_door,
        expected=Expectation(
            outcome=None,
            house=None,
            movements=(
                DoorMovement.FORCED,
                DoorMovement.UNLOCKED_BY_HAND,
                DoorMovement.CLOSED,
                DoorMovement.LOCKED_BY_HAND,
            ),
            phases=(),
            alarms=(AlarmCode.DOOR_FORCED_OPEN,),
            notifications=(Notification.NOT_READY, Notification.READY_AGAIN),
            retailer_state="window_open",
        ),
    ),
)
