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
    parcels = await play.promised()
    await play.shows(parcels)
    await play.rung()
    await play.resident.answers()
    await play.phase("ready")
    await play.stays_shut()


async def _family_key(play: ScenarioRun) -> None:
    """The household is neither filmed nor alarmed; a courier who comes just then is not let in."""
    parcels = await play.promised()
    await play.resident.turns_key()
    await play.resident.opens()
    await play.resident.walks_in()
    await play.resident.closes()
    await play.resident.locks_by_hand()
    await play.in_vain(parcels.codes[0], Refusal.HOUSEHOLD_PRESENT)


async def _stopped_before(play: ScenarioRun) -> None:
    parcels = await play.promised()
    await play.shows(parcels)
    await play.rung()
    await play.owner.says("stop")
    await play.refused(Refusal.STOPPED_BY_OWNER)
    await play.stays_shut()


async def _stopped_at(play: ScenarioRun) -> None:
    """The stop arrives while the intent is being stored: the unlock is held back."""
    parcels = await play.promised()
    async with play.stage.handles() as handles:
        await handles.turn(StopAtPoint(point="before-commit"))
    await play.shows(parcels)
    await play.phase(Phase.UNLOCKING, due=play.timing.ring)
    await play.refused(Refusal.STOPPED_BY_OWNER)
    await play.stays_shut()
    released = play.watch.events("release")
    play.require(len(released) == 1, "the opening that was reserved is given back")


async def _stopped_after(play: ScenarioRun) -> None:
    """Unlocked, but the door is still closed: locked at once."""
    parcels = await play.promised()
    await play.shows(parcels)
    await play.may_enter()
    await play.owner.says("stop")
    await play.refused(Refusal.STOPPED_BY_OWNER)
    await play.visit_ends()


async def _stopped_inside(play: ScenarioRun) -> None:
    """Nobody is locked in: he is asked to leave, filmed, and the door locked behind him."""
    parcels = await play.promised()
    await play.gets_in(parcels)
    await play.owner.says("stop")
    await play.alarm(AlarmCode.STOPPED_INSIDE)
    await play.log.until("signal", within=20, sound="leave")
    await play.comes_out()


async def _paused(play: ScenarioRun) -> None:
    """It outlives the box's death; ended by one word, the same parcel is let in."""
    parcels = await play.promised()
    await play.owner.says("pause", end=rfc3339_ms(machine_time() + timedelta(hours=2)))
    await play.watch.until("the pause", lambda: bool(play.watch.state.get("pauses")), within=TIMEOUT_MARGIN_S)
    await play.dies()
    await play.courier.arrives()
    await play.courier.scans(parcels.codes[0])
    await play.refused(Refusal.PAUSED)
    await play.a_moment_later()
    await play.all_good()
    (pause,) = play.watch.state["pauses"]
    await play.owner.says("end_pause", pause=pause["id"])
    await play.watch.until("no pause", lambda: play.watch.state.get("pauses") == [], within=TIMEOUT_MARGIN_S)
    await play.delivers(parcels)


async def _lock_now(play: ScenarioRun) -> None:
    """The household went out and did not lock. An open door is not told to; closed, it is locked and proves it."""
    await play.resident.turns_key()
    await play.resident.opens()
    await play.owner.says("lock")
    await _expect_lock_result(play, LockRequestResult.DOOR_OPEN)
    await play.resident.closes()
    await play.watch.until("the door closed", lambda: bool(play.watch.state.get("closed")), within=TIMEOUT_MARGIN_S)
    await play.owner.says("lock")
    await _expect_lock_result(play, LockRequestResult.PROVEN)
    play.require(bool(play.watch.state.get("locked")), "what is called locked is shown as locked")


async def _expect_lock_result(play: ScenarioRun, result: LockRequestResult) -> None:
    await play.watch.until(
        f"the lock-up: {result}", lambda: play.watch.state.get("lockup") == result.value, within=TIMEOUT_MARGIN_S
    )


async def _approval_silent(play: ScenarioRun) -> None:
    parcels = await play.promised()
    await play.shows(parcels)
    await play.phase(Phase.APPROVING, due=play.timing.ring)
    await play.refused(Refusal.NOT_APPROVED, due=play.timing.approval)
    await play.stays_shut()


async def _forced_door(play: ScenarioRun) -> None:
    await play.promised()
    await play.thief.forces()
    await play.alarm(AlarmCode.DOOR_FORCED_OPEN)
    await play.thief.leaves()
    await play.resident.walks_in()
    await play.resident.turns_thumb_turn()
    await play.resident.closes()
    await play.resident.locks_by_hand()
    await play.told(Notification.READY_AGAIN)
    await play.sealed_incident()


EXPECT_STOPPED = Expectation(
    outcome=Outcome.REFUSED,
    house=DoorResult.NOT_OPENED,
    moves=(),
    phases=(Phase.RINGING, "ready"),
    refusals=(Refusal.STOPPED_BY_OWNER,),
    told=(Notification.AT_THE_DOOR, Notification.NOT_OPENED),
    proofs=0,
    parts=0,
    result="window_open",
)
STOPS_NAME = "owner-stops"

SCENARIOS = (
    Scenario(
        name="somebody-answers",
        line=_("somebody at home answers the bell: Perron leaves the door to them"),
        play=_somebody_answers,
        house=with_resident_home,
        expected=replace(
            EXPECT_STOPPED,
            outcome=Outcome.ATTENDED,
            refusals=(),
            told=(Notification.AT_THE_DOOR, Notification.ATTENDED),
            result="not_delivered",
        ),
    ),
    Scenario(
        name="family-key",
        line=_("the household comes home with its key: no film, no alarm, and no courier let in just then"),
        play=_family_key,
        expected=replace(
            EXPECT_REFUSED,
            moves=(
                DoorMovement.UNLOCKED_BY_HAND,
                DoorMovement.OPENED,
                DoorMovement.CLOSED,
                DoorMovement.LOCKED_BY_HAND,
            ),
            refusals=(Refusal.HOUSEHOLD_PRESENT,),
            # the door stood open for too long
            perhaps_told=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),
            result="window_open",
        ),
    ),
    Scenario(
        name=STOPS_NAME,
        variant="before",
        line=_("the owner stops while it rings: the door stays shut"),
        play=_stopped_before,
        expected=EXPECT_STOPPED,
    ),
    Scenario(
        name=STOPS_NAME,
        variant="at",
        line=_("the owner stops as the intent is stored: the unlock is never sent"),
        play=_stopped_at,
        expected=replace(EXPECT_STOPPED, phases=(Phase.RINGING, Phase.UNLOCKING, "ready")),
    ),
    Scenario(
        name=STOPS_NAME,
        variant="after",
        line=_("the owner stops an unlocked door that is still closed: locked at once"),
        play=_stopped_after,
        expected=replace(
            EXPECT_STOPPED,
            house=DoorResult.LOCKED_AGAIN,
            moves=(DoorMovement.UNLOCKED, DoorMovement.LOCKED),
            phases=(*PHASES_WHOLE_VISIT[:3], *PHASES_WHOLE_VISIT[4:]),
            told=(Notification.AT_THE_DOOR, Notification.LOCKED_AGAIN),
            proofs=1,
            parts=1,
        ),
    ),
    Scenario(
        name=STOPS_NAME,
        variant="inside",
        line=_("the owner stops with the courier inside: asked to leave, never locked in"),
        play=_stopped_inside,
        expected=Expectation(
            alarms=(AlarmCode.STOPPED_INSIDE,),
            told=(Notification.AT_THE_DOOR, Notification.STOPPED_INSIDE, Notification.LOCKED_AGAIN),
        ),
    ),
    Scenario(
        name="paused",
        line=_(
            "the household pauses deliveries: no scan opens, also after the box died; ended, the parcel is delivered"
        ),
        play=_paused,
        expected=Expectation(refusals=(Refusal.PAUSED,), deaths=1),
    ),
    Scenario(
        name="lock-now",
        line=_(
            "the household asks to lock: an open door is not told to; closed, it is locked, and called so once proven"
        ),
        play=_lock_now,
        expected=Expectation(
            outcome=None,
            house=None,
            moves=(DoorMovement.UNLOCKED_BY_HAND, DoorMovement.OPENED, DoorMovement.CLOSED, DoorMovement.LOCKED),
            phases=(),
            told=(),
            proofs=0,
            parts=0,
            result=None,
        ),
    ),
    Scenario(
        name="approval-silent",
        line=_("the owner wants to be asked and says nothing: that is a no"),
        play=_approval_silent,
        home=with_approval,
        expected=replace(
            EXPECT_STOPPED,
            phases=(Phase.RINGING, Phase.APPROVING, "ready"),
            refusals=(Refusal.NOT_APPROVED,),
            told=(Notification.ASKS_FOR_YES, Notification.NOT_OPENED),
        ),
    ),
    Scenario(
        name="forced-door",
        line=_("the door is forced without any visit: alarm, and a film of its own"),
        play=_forced_door,
        expected=Expectation(
            outcome=None,
            house=None,
            moves=(
                DoorMovement.FORCED,
                DoorMovement.UNLOCKED_BY_HAND,
                DoorMovement.CLOSED,
                DoorMovement.LOCKED_BY_HAND,
            ),
            phases=(),
            alarms=(AlarmCode.DOOR_FORCED_OPEN,),
            told=(Notification.NOT_READY, Notification.READY_AGAIN),
            result="window_open",
        ),
    ),
)
