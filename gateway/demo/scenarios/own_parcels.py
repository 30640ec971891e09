"""Scenarios of parcels that the owner announced himself: no retailer promises anything."""

from dataclasses import replace
from datetime import timedelta

from devices.reports import ParcelsReport, ParcelStatus, TrackedParcel
from gateway.config.devices import ParcelsDevice
from gateway.config.home import OwnParcelsSection
from gateway.demo.actors import DEFAULT_PARCEL_CODES
from gateway.demo.observers import Body
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import (
    EXPECT_DELIVERED,
    EXPECT_REFUSED,
    PHASES_WHOLE_VISIT,
    ScenarioList,
    ScenarioRun,
)
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import Notification
from gateway.domain.visit.state import Phase
from gateway.system.clock import machine_time
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
TRACKING, STATESTREAM = "tracking", "homeassistant/sensor/parcel_aggregator_incoming_parcels"
(NUMBER,) = DEFAULT_PARCEL_CODES
EXPECT_OWN = replace(EXPECT_DELIVERED, retailer_state=None)


def with_tracking(plan: DemoPlan) -> DemoPlan:
    """Let Home Assistant report where the parcels are; they come to a place outside the living space, without a tap."""
    tracking = ParcelsDevice(kind="parcels", vendor="homeassistant", address=STATESTREAM)
    outside = plan.section.model_copy(update={"living_space": False})
    return plan.with_home(
        devices={**plan.home.devices, TRACKING: tracking},
        entrances={**plan.home.entrances, plan.entrance: outside},
        own_parcels=OwnParcelsSection(without_tap=(plan.entrance,)),
    )


async def announce(play: ScenarioRun, *, comes_today: bool = False) -> str:
    """Let the owner announce a parcel for today and tomorrow; return its number."""
    number = NUMBER
    today = machine_time().date()
    place = next(name for name, spot in play.section.places.items() if spot.fridge is None)
    await play.owner.send_request(
        "announce_parcel", number=number, place=place, first_day=(today - timedelta(days=1)).isoformat(),
        last_day=(today + timedelta(days=1)).isoformat(), comes_today=comes_today,
    )  # fmt: skip
    await play.watch.wait_for_event("wish", accepted=True)
    return number


async def report(play: ScenarioRun, number: str, status: ParcelStatus) -> None:
    """Let Home Assistant publish where the parcel is, as its statestream does."""
    play.narrate("Home Assistant", f"the parcel …{number[-4:]} is {status.value.replace('_', ' ')}")
    report = ParcelsReport(parcels=(TrackedParcel(number=number, status=status),))
    await play.publish_entity(TRACKING, report)


async def scan(play: ScenarioRun, number: str) -> None:
    """Let the courier come and scan the parcel; he has no code of his own."""
    await play.courier.does("arrive")
    await play.courier.scans(number)


@SCENARIOS.add(
    _("the owner announced it himself: out for delivery, scanned, let in once"),
    EXPECT_OWN,
    refusals=(Refusal.ALREADY_USED,),
    equip=with_tracking,
)
async def _own_parcel(play: ScenarioRun) -> None:
    number = await announce(play)
    await report(play, number, ParcelStatus.OUT_FOR_DELIVERY)
    await play.wait_until_expected()
    await scan(play, number)
    await play.wait_for_unlocked()
    await play.courier.goes_in()
    await play.leave_and_seal()
    await play.wait_for_new_scan()
    await play.scan_refused_code(number, Refusal.ALREADY_USED)


@SCENARIOS.add(
    _("the owner's parcel is not out for delivery, or only an old report says so: the door stays shut"),
    EXPECT_REFUSED,
    refusals=(Refusal.NOT_OUT_FOR_DELIVERY, Refusal.NOT_OUT_FOR_DELIVERY),
    gateway_deaths=1,
    optional_notifications=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),
    equip=with_tracking,
)
async def _own_parcel__not_out_for_delivery(play: ScenarioRun) -> None:
    number = await announce(play)
    await report(play, number, ParcelStatus.IN_TRANSIT)
    await play.courier.does("arrive")
    await play.scan_refused_code(number, Refusal.NOT_OUT_FOR_DELIVERY)
    await report(play, number, ParcelStatus.OUT_FOR_DELIVERY)
    await play.wait_until_expected()
    await play.kill_gateway()  # the broker keeps that report, and a report that was kept proves nothing
    await play.wait_for_new_scan()
    await play.scan_refused_code(number, Refusal.NOT_OUT_FOR_DELIVERY)


def _questions(play: ScenarioRun) -> list[Body]:
    messages = play.watch.messages(urgent=False)
    return [body for body in messages if body["about"] == Notification.ASKS_FOR_YES.value]


@SCENARIOS.add(
    _("into the living space the owner's parcel comes only with a tap on the picture"),
    EXPECT_OWN,
    phases=(
        Phase.RINGING, Phase.APPROVING, "ready", Phase.RINGING, Phase.APPROVING, *PHASES_WHOLE_VISIT[1:],
    ),
    refusals=(Refusal.NOT_APPROVED,),
    notifications=(
        Notification.ASKS_FOR_YES, Notification.NOT_OPENED, Notification.ASKS_FOR_YES, Notification.LOCKED_AGAIN,
    ),
)  # fmt: skip
async def _own_parcel__living_space_tap(play: ScenarioRun) -> None:
    number = await announce(play, comes_today=True)
    await play.wait_until_expected()
    await play.owner.send_request("approve", visit="before-the-scan")
    play.narrate("house", "that does not count: no parcel is scanned yet, and the owner has seen no picture")
    await scan(play, number)
    await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
    await play.wait_for_refusal(Refusal.NOT_APPROVED, due=play.timing.approval)
    await play.wait_for_new_scan()
    await play.courier.scans(number)
    asked = (await play.watch.wait_until("the owner asked again", lambda: _questions(play)[1:]))[-1]
    play.require(asked.get("picture") is not None, "the owner sees who is at the door")
    await play.wait_for_phase(Phase.APPROVING, due=play.timing.ring)
    await play.owner.send_request("approve", visit=str(asked["visit"]))
    await play.wait_for_unlocked()
    await play.courier.goes_in()
    await play.leave_and_seal()
