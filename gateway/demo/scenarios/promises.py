"""Scenarios of codes, windows and delivery orders that the box accepts or refuses."""

from dataclasses import replace

from gateway.demo.actors import DEFAULT_PARCEL_CODES
from gateway.demo.scenario import EXPECT_REFUSED, Expectation, ScenarioList, ScenarioRun
from gateway.demo.scenarios.homes import with_long_open_limit
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
UNKNOWN_CODES = ("1Z999AA10123456784", "LP123456785CN", "WHO-IS-THERE")  # well-formed codes of nobody's parcel
OTHER_LABEL_CODES = ("4006381333931", "(420)75011", "ROUTING-17-B")  # a product, a postcode, a sorting code


def _refused(refusal: Refusal, retailer_state: str) -> Expectation:
    return replace(EXPECT_REFUSED, refusals=(refusal,), retailer_state=retailer_state)


@SCENARIOS.add(_("an unknown code is refused, and nothing moves"), _refused(Refusal.UNKNOWN_CODE, "window_open"))
async def _wrong_code(play: ScenarioRun) -> None:
    await play.announce_delivery()
    await play.courier.does("arrive")
    await play.scan_refused_code(UNKNOWN_CODES[0], Refusal.UNKNOWN_CODE)


@SCENARIOS.add(
    _("three different unknown codes lock the scanner out, for the right code too"),
    EXPECT_REFUSED,
    refusals=(*(Refusal.UNKNOWN_CODE,) * 3, Refusal.LOCKED_OUT),
    alarms=(AlarmCode.WRONG_CODE_LIMIT,),
    retailer_state="window_open",
)
async def _three_wrong_codes(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.courier.does("arrive")
    for code in UNKNOWN_CODES:
        await play.courier.scans(code)
        await play.wait_for_refusal(Refusal.UNKNOWN_CODE)
        await play.wait_for_new_scan()
    await play.wait_for_alarm(AlarmCode.WRONG_CODE_LIMIT)
    await play.scan_refused_code(parcels.codes[0], Refusal.LOCKED_OUT)


@SCENARIOS.add(
    _("a label's other barcodes are no wrong attempts: the parcel is delivered"),
    refusals=(Refusal.UNKNOWN_CODE,) * 3,
)
async def _several_codes_on_one_label(play: ScenarioRun) -> None:
    """The parcel's own code takes the wrong attempt back that its label's other codes made."""
    parcels = await play.announce_delivery()
    await play.courier.does("arrive")
    for code in OTHER_LABEL_CODES:
        await play.courier.scans(code)
    await play.deliver(parcels)


@SCENARIOS.add(_("an hour before the window the door stays shut"), _refused(Refusal.OUTSIDE_WINDOW, "scheduled"))
async def _too_early(play: ScenarioRun) -> None:
    parcels = await play.retailer.promise(starts_in=3600, ends_in=7200)
    await play.scan_refused_code(parcels.codes[0], Refusal.OUTSIDE_WINDOW)


@SCENARIOS.add(
    _("after the window's end the door stays shut"),
    _refused(Refusal.EXPIRED, "expired"),
    notifications=(Notification.LATE_COURIER,),
)
async def _too_late(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(ends_in=6)
    await play.wait_for_window_end(parcels)
    await play.scan_refused_code(parcels.codes[0], Refusal.EXPIRED)


@SCENARIOS.add(_("a delivered parcel's code opens nothing a second time"), refusals=(Refusal.ALREADY_USED,))
async def _already_used(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.deliver(parcels)
    await play.scan_refused_code(parcels.codes[0], Refusal.ALREADY_USED)


@SCENARIOS.add(
    _("retained scans open nothing, not even after a restart; a scan that comes twice opens once"),
    gateway_deaths=1,
)
async def _scan_replayed(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.courier.does("arrive")
    await play.courier.scans(parcels.codes[0], retain=True)
    await play.courier.scans(parcels.courier_code, retain=True)
    await play.watch.wait_for_event("note")  # of a run of stored ones one is noted
    await play.kill_gateway()
    await play.wait_for_no_opening()
    play.require(not play.watch.events("ring"), "no retained scan rings")
    await play.wait_until_ready()
    await play.set_fault(play.section.scanners[0], "duplicates")
    await play.deliver(parcels)


@SCENARIOS.add(
    _("a parcel without the courier's one-time code is refused"),
    _refused(Refusal.COURIER_NOT_PROVEN, "window_open"),
)
async def _courier_not_proven(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.courier.does("arrive")
    await play.scan_refused_code(parcels.codes[0], Refusal.COURIER_NOT_PROVEN, due=play.timing.courier)


@SCENARIOS.add(_("the window ends while the courier is inside: the visit ends as ever"), equip=with_long_open_limit)
async def _window_ends_inside(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(ends_in=play.timing.ring + play.timing.live + 4)
    await play.enter_with_parcel(parcels)
    await play.wait_for_window_end(parcels)
    await play.leave_and_seal()


@SCENARIOS.add(_("a cancelled delivery opens nothing"), _refused(Refusal.CANCELLED, "cancelled"))
async def _cancelled(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    answer = await play.retailer.cancel(parcels.id)
    play.require(answer["accepted"] is True, "the cancel is accepted")
    await play.scan_refused_code(parcels.codes[0], Refusal.CANCELLED)


@SCENARIOS.add(
    _("a cancel that overtakes its offer: the offer is dead, its code unknown"),
    _refused(Refusal.UNKNOWN_CODE, "cancelled"),
)
async def _cancelled_before_offer(play: ScenarioRun) -> None:
    """The cancel leaves a tombstone: the offer that comes after it is dead."""
    answer = await play.retailer.cancel("order-overtaken")
    play.require(answer["accepted"] is True, "the cancel is accepted")
    parcels = await play.retailer.promise(id_="order-overtaken")
    play.require(parcels.answer["code"] == "cancelled", "the offer is refused as cancelled")
    await play.scan_refused_code(parcels.codes[0], Refusal.UNKNOWN_CODE)


@SCENARIOS.add(_("two brands promise one code: neither learns of it, and the courier's code says whose parcel it is"))
async def _code_collision(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    other = await play.retailer.promise(codes=DEFAULT_PARCEL_CODES, brand=1)
    play.require(other.answer.get("code") != "code_collision", "the second brand is not told of the first one's parcel")
    await play.deliver(parcels)
