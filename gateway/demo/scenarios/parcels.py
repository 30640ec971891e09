"""Scenarios of the usual visit and its variants."""

from dataclasses import replace

from gateway.demo.result import DoorMovement
from gateway.demo.scenario import (
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    Expectation,
    Scenario,
    ScenarioRun,
)
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

THREE_PARCEL_CODES = ("8L20524752032", "8L20524752049", "8L20524752056")
MAX_CELSIUS = 6.0  # degrees Celsius that the promise allows


async def _delivered(play: ScenarioRun) -> None:
    await play.deliver(await play.announce_delivery())


def _cold_place(play: ScenarioRun) -> str:
    return next(name for name, place in play.section.places.items() if place.fridge is not None)


async def _into_fridge(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(place=_cold_place(play), max_celsius=MAX_CELSIUS)
    await play.enter_with_parcel(parcels)
    await play.courier.opens_fridge()
    await play.courier.closes_fridge()
    await play.leave_and_seal()


async def _closes_behind_him(play: ScenarioRun) -> None:
    """He is locked in for a moment, comes out by the thumb-turn, and that too is filmed and locked again."""
    parcels = await play.announce_delivery()
    await play.enter_with_parcel(parcels)
    await play.courier.closes()
    await play.wait_for_visit_end()
    await play.courier.opens()
    await play.leave_and_seal()


async def _three_trips(play: ScenarioRun) -> None:
    """The second time he leaves the door open, the third time he closes it: it is the same opening."""
    parcels = await play.announce_delivery(codes=THREE_PARCEL_CODES)
    await play.enter_with_parcel(parcels)
    await play.courier.walks_out()
    await play.courier.scans(THREE_PARCEL_CODES[1])
    await play.courier.walks_in()
    await play.courier.puts_parcel()
    await play.courier.walks_out()
    await play.courier.closes()
    await play.wait_for_phase(Phase.RELOCKING, due=play.timing.stable)
    await play.courier.scans(THREE_PARCEL_CODES[2])
    await play.courier.goes_in()
    await play.leave_and_seal()


async def _never_entered(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.wait_for_unlocked()
    await play.wait_for_visit_end()
    play.require(len(play.watch.events("release")) == 1, "the opening that nobody used is given back")
    await play.deliver(parcels)


async def _door_left_open(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.enter_with_parcel(parcels)
    await play.courier.walks_out()
    await play.log.wait_for_line("signal", within=30, sound="close_the_door")
    await play.wait_for_alarm(AlarmCode.DOOR_LEFT_OPEN, due=play.timing.open_again)
    await play.courier.closes()
    await play.courier.leaves()
    await play.wait_for_visit_end()


async def _fridge_left_open(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(place=_cold_place(play), max_celsius=MAX_CELSIUS)
    await play.enter_with_parcel(parcels)
    await play.courier.opens_fridge()
    await play.leave_and_seal()


async def _fridge_too_warm(play: ScenarioRun) -> None:
    """Too warm before the intent is a no; once it is cold enough the door opens; too warm inside is an alarm."""
    await play.set_fridge_temperature(MAX_CELSIUS + 5)
    parcels = await play.retailer.promise(place=_cold_place(play), max_celsius=MAX_CELSIUS)
    await play.wait_for_notification(Notification.NOT_READY)
    await play.wait_for_cameras()
    await play.courier.scans(parcels.codes[0])
    await play.wait_for_refusal(Refusal.FRIDGE_TOO_WARM)
    await play.set_fridge_temperature(MAX_CELSIUS - 2)
    await play.wait_for_notification(Notification.READY_AGAIN)
    await play.wait_for_new_scan()
    await play.enter_with_parcel(parcels)
    await play.set_fridge_temperature(MAX_CELSIUS + 5)
    await play.wait_for_alarm(AlarmCode.FRIDGE_TOO_WARM)
    await play.set_fridge_temperature(MAX_CELSIUS - 2)
    await play.leave_and_seal()


async def _part_delivered(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(codes=THREE_PARCEL_CODES[:2])
    await play.deliver(parcels)
    missing = [body["missing"] for body in play.watch.events("outcome")]
    play.require(missing == [1], "one parcel is missing")


SCENARIOS = (
    Scenario(
        name="delivered",
        summary=_("the right parcel, the right courier: one opening, filmed, locked again, sealed"),
        play=_delivered,
    ),
    Scenario(name="into-fridge", summary=_("a cold parcel goes into the kitchen's fridge"), play=_into_fridge),
    Scenario(
        name="closes-behind-him",
        summary=_("the courier closes the door behind him, is locked in and comes out by hand: a second film"),
        play=_closes_behind_him,
        expected=Expectation(
            movements=(
                *MOVES_ONCE_IN_AND_OUT,
                DoorMovement.UNLOCKED_BY_HAND,
                DoorMovement.OPENED,
                DoorMovement.CLOSED,
                DoorMovement.LOCKED,
            ),
            phases=(*PHASES_WHOLE_VISIT, Phase.RELOCKING, Phase.INSIDE, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready"),
            sealed_parts=2,
        ),
    ),
    Scenario(
        name="three-trips",
        summary=_("three parcels in three trips: one bolt withdrawal, one opening, locked once"),
        play=_three_trips,
        expected=Expectation(
            movements=(
                DoorMovement.UNLOCKED,
                DoorMovement.OPENED,
                DoorMovement.CLOSED,
                DoorMovement.OPENED,
                DoorMovement.CLOSED,
                DoorMovement.LOCKED,
            ),
            phases=(*PHASES_WHOLE_VISIT[:5], Phase.INSIDE, *PHASES_WHOLE_VISIT[4:]),
        ),
    ),
    Scenario(
        name="never-entered",
        summary=_("nobody goes in: locked, the opening given back, and a second try works"),
        play=_never_entered,
        expected=Expectation(
            movements=(DoorMovement.UNLOCKED, DoorMovement.LOCKED, *MOVES_ONCE_IN_AND_OUT),
            phases=(*PHASES_WHOLE_VISIT[:3], *PHASES_WHOLE_VISIT[4:], *PHASES_WHOLE_VISIT),
            notifications=(*USUAL_NOTIFICATIONS, *USUAL_NOTIFICATIONS),
            sealed_visits=2,
            sealed_parts=2,
        ),
    ),
    Scenario(
        name="door-left-open",
        summary=_("the door is left open: the signal asks, then the owner is alarmed; locked once it is closed"),
        play=_door_left_open,
        expected=Expectation(
            alarms=(AlarmCode.DOOR_LEFT_OPEN,),
            notifications=(Notification.AT_THE_DOOR, Notification.DOOR_OPEN, Notification.LOCKED_AGAIN),
        ),
    ),
    Scenario(
        name="fridge-left-open",
        summary=_("the fridge stays open: an alarm, and the door is locked all the same"),
        play=_fridge_left_open,
        expected=Expectation(alarms=(AlarmCode.FRIDGE_LEFT_OPEN,)),
    ),
    Scenario(
        name="fridge-too-warm",
        summary=_("a fridge too warm keeps the door shut; cold again it opens; too warm inside is an alarm"),
        play=_fridge_too_warm,
        expected=Expectation(
            refusals=(Refusal.FRIDGE_TOO_WARM,),
            alarms=(AlarmCode.FRIDGE_TOO_WARM,),
            notifications=(Notification.NOT_READY, Notification.READY_AGAIN, *USUAL_NOTIFICATIONS),
        ),
    ),
    Scenario(
        name="part-delivered",
        summary=_("one of two parcels is brought: partly delivered, one missing"),
        play=_part_delivered,
        expected=replace(Expectation(), outcome=Outcome.PARTLY_DELIVERED, retailer_state="partly_delivered"),
    ),
)
