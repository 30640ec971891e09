"""Scenarios of the usual visit and its variants."""

from gateway.demo.result import DoorMovement
from gateway.demo.scenario import (
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    ScenarioList,
    ScenarioRun,
)
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
THREE_PARCEL_CODES = ("8L20524752032", "8L20524752049", "8L20524752056")
MAX_CELSIUS = 6.0  # degrees Celsius that the promise allows


@SCENARIOS.add(_("the right parcel, the right courier: one opening, filmed, locked again, sealed"))
async def _delivered(play: ScenarioRun) -> None:
    await play.deliver()


def _cold_place(play: ScenarioRun) -> str:
    return next(name for name, place in play.section.places.items() if place.fridge is not None)


@SCENARIOS.add(_("a cold parcel goes into the kitchen's fridge"))
async def _into_fridge(play: ScenarioRun) -> None:
    await play.enter_with_parcel(await play.announce_delivery(place=_cold_place(play), max_celsius=MAX_CELSIUS))
    await play.courier.does("open_fridge", "close_fridge")
    await play.leave_and_seal()


@SCENARIOS.add(
    _("the courier closes the door behind him, is locked in and comes out by hand: a second film"),
    movements=(*MOVES_ONCE_IN_AND_OUT, DoorMovement.UNLOCKED_BY_HAND, *MOVES_ONCE_IN_AND_OUT[1:]),
    phases=(*PHASES_WHOLE_VISIT, Phase.RELOCKING, *PHASES_WHOLE_VISIT[3:]),
    further_parts=1,
)
async def _closes_behind_him(play: ScenarioRun) -> None:
    await play.enter_with_parcel()
    await play.courier.does("close")
    await play.wait_for_visit_end()
    await play.courier.does("open")
    await play.leave_and_seal()


@SCENARIOS.add(
    _("three parcels in three trips: one bolt withdrawal, one opening, locked once"),
    movements=(*MOVES_ONCE_IN_AND_OUT[:3], *MOVES_ONCE_IN_AND_OUT[1:]),
    phases=(*PHASES_WHOLE_VISIT[:5], *PHASES_WHOLE_VISIT[3:]),
)
async def _three_trips(play: ScenarioRun) -> None:
    """The second time he leaves the door open, the third time he closes it: it is the same opening."""
    await play.enter_with_parcel(await play.announce_delivery(codes=THREE_PARCEL_CODES))
    await play.courier.does("walk_out")
    await play.courier.scans(THREE_PARCEL_CODES[1])
    await play.courier.does("walk_in", "put_parcel", "walk_out", "close")
    await play.wait_for_phase(Phase.RELOCKING, due=play.timing.stable)
    await play.courier.scans(THREE_PARCEL_CODES[2])
    await play.courier.goes_in()
    await play.leave_and_seal()


@SCENARIOS.add(
    _("nobody entered: locked, the opening is unused again, and a second try works"),
    movements=(DoorMovement.UNLOCKED, DoorMovement.LOCKED, *MOVES_ONCE_IN_AND_OUT),
    phases=(*PHASES_WHOLE_VISIT[:3], *PHASES_WHOLE_VISIT[4:], *PHASES_WHOLE_VISIT),
    notifications=(*USUAL_NOTIFICATIONS, *USUAL_NOTIFICATIONS),
    sealed_visits=2,
)
async def _never_entered(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.wait_for_unlocked()
    await play.wait_for_visit_end()
    play.require(len(play.watch.events("release")) == 1, "the opening that nobody used is given back")
    await play.deliver(parcels)


@SCENARIOS.add(
    _("the door is left open: the signal asks, then the owner is alarmed; locked once it is closed"),
    alarms=(AlarmCode.DOOR_LEFT_OPEN,),
    notifications=(Notification.AT_THE_DOOR, Notification.DOOR_OPEN, Notification.LOCKED_AGAIN),
)
async def _door_left_open(play: ScenarioRun) -> None:
    await play.enter_with_parcel()
    await play.courier.does("walk_out")
    await play.log.wait_for_line("signal", within=30, sound="close_the_door")
    await play.wait_for_alarm(AlarmCode.DOOR_LEFT_OPEN, due=play.timing.open_again)
    await play.courier.does("close", "leave")
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("the fridge stays open: an alarm, and the door is locked all the same"),
    alarms=(AlarmCode.FRIDGE_LEFT_OPEN,),
)
async def _fridge_left_open(play: ScenarioRun) -> None:
    await play.enter_with_parcel(await play.announce_delivery(place=_cold_place(play), max_celsius=MAX_CELSIUS))
    await play.courier.does("open_fridge")
    await play.leave_and_seal()


@SCENARIOS.add(
    _("a fridge too warm keeps the door shut; cold again it opens; too warm inside is an alarm"),
    refusals=(Refusal.FRIDGE_TOO_WARM,),
    alarms=(AlarmCode.FRIDGE_TOO_WARM,),
    notifications=(Notification.NOT_READY, Notification.READY_AGAIN, *USUAL_NOTIFICATIONS),
)
async def _fridge_too_warm(play: ScenarioRun) -> None:
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


@SCENARIOS.add(
    _("one of two parcels is brought: partly delivered, one missing"),
    outcome=Outcome.PARTLY_DELIVERED,
    retailer_state="partly_delivered",
)
async def _part_delivered(play: ScenarioRun) -> None:
    await play.deliver(await play.announce_delivery(codes=THREE_PARCEL_CODES[:2]))
    missing = [body["missing"] for body in play.watch.events("outcome")]
    play.require(missing == [1], "one parcel is missing")
