"""Scenarios of a car's boot: it opens only where the car must stand, and nothing films it."""

from gateway.demo.actors import PromisedDelivery
from gateway.demo.scenario import EXPECT_REFUSED, Expectation, ScenarioList, ScenarioRun
from gateway.demo.scenarios.car_homes import CAR, MODEM, with_car, with_car_that_unlocks
from gateway.demo.scenarios.failures import EXPECT_SPENT
from gateway.demo.scenarios.locks import wait_for_handover
from gateway.demo.scenarios.ways_in import FOUND_OPEN, PHASES_OF_SAFE
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.readiness import CLOSED_BY_HOUSEHOLD
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
BOOT_OPENS_ONCE = (f"{CAR} opened", f"{CAR} closed")
UNLOCKED_ONCE = (f"{CAR} unlocked", *BOOT_OPENS_ONCE, f"{CAR} locked")
PHASES_OF_CAR = PHASES_OF_SAFE[1:]  # without a bell nothing rings
EXPECT_CAR = Expectation(movements=BOOT_OPENS_ONCE, phases=PHASES_OF_CAR)
EXPECT_NOT_READY = Expectation(
    outcome=EXPECT_REFUSED.outcome, house=EXPECT_REFUSED.house, movements=(), phases=(), sealed_visits=0,
    retailer_state=None, refusals=(Refusal.NOT_READY,), notifications=(Notification.NOT_READY,),
)  # fmt: skip


async def opens_boot(play: ScenarioRun, parcels: PromisedDelivery | None = None) -> PromisedDelivery:
    """Scan (as `ScenarioRun.scan_codes`), and wait until the boot springs open; return what is delivered."""
    parcels = parcels or await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.log.wait_for_line("way", within=30, thing=CAR, state="open")
    await play.wait_for_phase(Phase.INSIDE)
    return parcels


async def shuts_and_scans(play: ScenarioRun, parcels: PromisedDelivery) -> None:
    """Let the courier push the boot shut, scan the parcel once more, and go."""
    await play.courier.handles(CAR, "shut_boot")
    await play.wait_for_new_scan()
    await play.courier.scans(parcels.codes[0])
    await play.courier.does("leave")


@SCENARIOS.add(
    _("a car's boot: it opens where the car must stand; the courier's scan after closing is what proves the parcel"),
    EXPECT_CAR,
    equip=with_car,
)
async def _car(play: ScenarioRun) -> None:
    await shuts_and_scans(play, await opens_boot(play))
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("a car without an order for its boot: with its owner's consent every door is unlocked, and the proof says so"),
    EXPECT_CAR,
    equip=with_car_that_unlocks,
    movements=UNLOCKED_ONCE,
    phases=(PHASES_OF_CAR[0], Phase.UNLOCKED, *PHASES_OF_CAR[1:]),
)
async def _car__unlocks_all(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.scan_codes(parcels)
    await play.wait_for_unlocked()
    await play.courier.handles(CAR, "open_boot")
    await play.wait_for_phase(Phase.INSIDE)
    await shuts_and_scans(play, parcels)
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("the courier shuts the boot and does not scan again: locked, proven, and nobody knows whether he left anything"),
    EXPECT_CAR,
    equip=with_car,
    outcome=Outcome.UNKNOWN,
    retailer_state="not_delivered",
)
async def _car__no_closing_scan(play: ScenarioRun) -> None:
    await opens_boot(play)
    await play.courier.handles(CAR, "shut_boot")
    await play.courier.does("leave")
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("somebody drives the car off with its boot open: an alarm at once, and the car is its owner's to look after"),
    EXPECT_CAR,
    equip=with_car,
    outcome=Outcome.UNKNOWN,
    house=DoorResult.HANDED_TO_OWNER,
    movements=(f"{CAR} opened", f"{CAR} drives off", f"{CAR} parks", f"{CAR} closed"),
    phases=(*PHASES_OF_CAR[:2], Phase.HANDED_TO_OWNER, *PHASES_OF_CAR[2:]),
    alarms=(AlarmCode.CAR_MOVES_OPEN,),
    notifications=(Notification.AT_THE_DOOR, Notification.LOOK_AFTER_THE_DOOR, Notification.LOCKED_AGAIN),
    retailer_state="not_delivered",
)
async def _car__moved(play: ScenarioRun) -> None:
    await opens_boot(play)
    await play.thief.handles(CAR, "drive_away")
    await play.wait_for_alarm(AlarmCode.CAR_MOVES_OPEN)
    await wait_for_handover(play)
    await play.resident.handles(CAR, "come_back", "shut_boot")
    await play.owner.send_request("acknowledge", visit=play.watch.state["visit"])
    await play.wait_for_visit_end()


async def _refused_as(play: ScenarioRun, public_word: str) -> None:
    """Promise a parcel, and scan it at a car that is not ready. `public_word`: what a retailer learns of it."""
    parcels = await play.retailer.promise()
    lacking = (await play.watch.wait_for_event("readiness"))["lacking"]
    play.require(public_word in lacking, f"the retailer learns {public_word}, not {lacking}")
    await play.wait_for_notification(Notification.NOT_READY)
    await play.courier.does("arrive")
    await play.scan_refused_code(parcels.codes[0], Refusal.NOT_READY)


@SCENARIOS.add(
    _("the car's last position is a quarter of an hour old: nobody knows whether it still stands there, nothing opens"),
    EXPECT_NOT_READY,
    equip=with_car,
)
async def _car__fix_too_old(play: ScenarioRun) -> None:
    await play.set_fault(MODEM, "stale_fix")
    await _refused_as(play, f"{CAR}/no_fix")


@SCENARIOS.add(
    _("the car is somewhere else: the parcel is refused, and only the house knows where the car is"),
    EXPECT_NOT_READY,
    equip=with_car,
    movements=(f"{CAR} drives off",),
)
async def _car__elsewhere(play: ScenarioRun) -> None:
    await play.resident.handles(CAR, "drive_away")
    await _refused_as(play, CLOSED_BY_HOUSEHOLD)


@SCENARIOS.add(
    _("the gateway is killed while the boot is open: it finds it open, and proves it after the courier shut it"),
    EXPECT_CAR,
    equip=with_car,
    title="car:gateway-killed",
    phases=(*PHASES_OF_CAR[:2], *FOUND_OPEN),
    gateway_deaths=1,
)
async def _car_killed(play: ScenarioRun) -> None:
    parcels = await opens_boot(play)
    await play.kill_gateway()
    await play.wait_for_phase(Phase.INSIDE)
    await shuts_and_scans(play, parcels)
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("the gateway is killed after it has stored that it will open the boot: the order is never sent later"),
    EXPECT_SPENT,
    equip=with_car,
    title="car:gateway-killed-after-commit",
    phases=PHASES_OF_CAR[2:],
)
async def _car_killed_after_commit(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.kill_gateway("after-commit")
    await play.scan_codes(parcels)
    await play.wait_for_gateway()
    await play.wait_for_visit_end()
    play.require(not play.watch.events("unlock"), "no order to open is sent after the restart")
