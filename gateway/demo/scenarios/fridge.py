"""Scenarios of the fridge, item by item: what is scanned at the fridge, and how the cold chain of each item held."""

from devices.simulators.house import ScannerPlan
from gateway.config.devices import ScannerDevice
from gateway.demo.actors import PromisedDelivery
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import PHASES_WHOLE_VISIT, USUAL_NOTIFICATIONS, ScenarioList, ScenarioRun
from gateway.demo.scenarios.ways_in import FOUND_OPEN
from gateway.domain.delivery.cold_verdict import ColdReason, ColdVerdict
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.promise_v2 import ItemLine
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
FRIDGE_SCANNER = "fridge-scanner"
FISH, MILK = "(01)04006381333931(21)0471", "(01)04006381333924(21)0815"  # GTIN and serial number
GOOD_CELSIUS, COLD_CELSIUS = 1.5, -3.0  # of air in which fish keeps, and in which it freezes


def fridge_place(plan: DemoPlan) -> str:
    """Return the place of the scene's entrance that has a fridge."""
    return next(name for name, place in plan.section.places.items() if place.fridge is not None)


def with_fridge_scanner(plan: DemoPlan) -> DemoPlan:
    """A scanner that hangs at the fridge of the usual house."""
    section, name = plan.section, fridge_place(plan)
    place = section.places[name].model_copy(update={"scanners": (FRIDGE_SCANNER,)})
    section = section.model_copy(update={"places": {**section.places, name: place}})
    device, simulated = ScannerDevice(kind="scanner", vendor="scanner"), ScannerPlan(kind="scanner", vendor="scanner")
    plan = plan.with_home(
        devices={**plan.home.devices, FRIDGE_SCANNER: device}, entrances={**plan.home.entrances, plan.entrance: section}
    )
    return plan.with_house(devices={**plan.house.devices, FRIDGE_SCANNER: simulated})


async def _announce(play: ScenarioRun) -> PromisedDelivery:
    place = fridge_place(play.plan)
    return await play.announce_delivery(
        items=(
            ItemLine(code=FISH, place=place, profile=FoodProfile.FISH),
            ItemLine(code=MILK, place=place, max_celsius=6.0, max_seconds=120),
        )
    )


async def _stow(play: ScenarioRun, *codes: str) -> None:
    await play.courier.does("open_fridge")
    for code in codes:
        await play.courier.scans(code, scanner=FRIDGE_SCANNER)
        await play.watch.wait_for_event("answer", word="go", scanner=FRIDGE_SCANNER)
    await play.courier.does("close_fridge")


async def _require_verdicts(play: ScenarioRun, *verdicts: ColdVerdict) -> list[set[str]]:
    """Wait until the retailer has these verdicts on the items, in their order; return the reasons of each."""

    def told() -> list[list[dict[str, object]]]:
        chains = [body["cold_chain"] for body in play.watch.bodies("result") if body.get("cold_chain")]
        return [chain for chain in chains if [item["verdict"] for item in chain] == list(verdicts)]

    found = await play.watch.wait_until(f"the verdicts {', '.join(verdicts)}", told)
    return [set(map(str, item.get("reasons") or ())) for item in found[-1]]  # type: ignore[call-overload]  # JSON


@SCENARIOS.add(
    _("two items are scanned at the fridge: the cold chain of each held, from the door to its place"),
    equip=with_fridge_scanner,
)
async def _basket(play: ScenarioRun) -> None:
    await play.set_fridge_temperature(GOOD_CELSIUS)
    await play.enter_with_parcel(await _announce(play))
    await _stow(play, FISH, MILK)
    await play.leave_and_seal()
    await _require_verdicts(play, ColdVerdict.CONFORMANT, ColdVerdict.CONFORMANT)


@SCENARIOS.add(
    _("a fridge too cold for fish keeps the door shut; good again it opens; too cold inside is an alarm"),
    refusals=(Refusal.FRIDGE_TOO_COLD,),
    alarms=(AlarmCode.FRIDGE_TOO_COLD,),
    notifications=(Notification.NOT_READY, Notification.READY_AGAIN, *USUAL_NOTIFICATIONS),
    equip=with_fridge_scanner,
)
async def _basket__too_cold(play: ScenarioRun) -> None:
    await play.set_fridge_temperature(COLD_CELSIUS)
    fish = ItemLine(code=FISH, place=fridge_place(play.plan), profile=FoodProfile.FISH)
    parcels = await play.retailer.promise(items=(fish,))
    await play.wait_for_notification(Notification.NOT_READY)
    await play.wait_for_cameras()
    await play.courier.scans(parcels.codes[0])
    await play.wait_for_refusal(Refusal.FRIDGE_TOO_COLD)
    await play.set_fridge_temperature(GOOD_CELSIUS)
    await play.wait_for_notification(Notification.READY_AGAIN)
    await play.wait_for_new_scan()
    await play.enter_with_parcel(parcels)
    await _stow(play, FISH)
    await play.set_fridge_temperature(COLD_CELSIUS)
    await play.wait_for_alarm(AlarmCode.FRIDGE_TOO_COLD)
    await play.leave_and_seal()
    (reasons,) = await _require_verdicts(play, ColdVerdict.NON_CONFORMANT)
    play.require(reasons == {ColdReason.TOO_COLD.value}, "the air was too cold, and nothing else was wrong")


@SCENARIOS.add(
    _("the thermometer is cut off for a moment: nobody says that the cold chain held; the door is locked as ever"),
    equip=with_fridge_scanner,
)
async def _basket__gap_is_unknown(play: ScenarioRun) -> None:
    await play.set_fridge_temperature(GOOD_CELSIUS)
    await play.enter_with_parcel(await _announce(play))
    thermometer = play.section.places[fridge_place(play.plan)].fridge
    play.require(thermometer is not None, "the place has a thermometer")
    await play.set_link(str(thermometer), up=False)
    await play.set_link(str(thermometer), up=True)
    await _stow(play, FISH, MILK)
    await play.leave_and_seal()
    for reasons in await _require_verdicts(play, ColdVerdict.UNKNOWN, ColdVerdict.UNKNOWN):
        play.require(ColdReason.AIR_GAP.value in reasons, "the gap is a reason")


@SCENARIOS.add(
    _("the gateway is killed between two items with the fridge open: nobody says that the cold chain held"),
    equip=with_fridge_scanner,
    title="basket:gateway-killed",
    phases=(*PHASES_WHOLE_VISIT[:4], *FOUND_OPEN),
    gateway_deaths=1,
)
async def _basket_killed(play: ScenarioRun) -> None:
    await play.set_fridge_temperature(GOOD_CELSIUS)
    await play.enter_with_parcel(await _announce(play))
    await play.courier.does("open_fridge")
    await play.courier.scans(FISH, scanner=FRIDGE_SCANNER)
    await play.watch.wait_for_event("answer", word="go", scanner=FRIDGE_SCANNER)
    await play.kill_gateway()
    await play.wait_for_state("the box and the door back", door="open")
    await play.courier.scans(MILK, scanner=FRIDGE_SCANNER)
    await play.courier.does("close_fridge")
    await play.leave_and_seal()
    for reasons in await _require_verdicts(play, ColdVerdict.UNKNOWN, ColdVerdict.UNKNOWN):
        play.require(ColdReason.AIR_GAP.value in reasons, "the time without a gateway is a gap")
