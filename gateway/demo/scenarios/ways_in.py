"""Scenarios of other ways in than one door: a flat behind a street door, a parcel box, a key safe."""

from gateway.demo.actors import PromisedDelivery
from gateway.demo.keeper import DemoKeeper, open_keepers
from gateway.demo.scenario import (
    EXPECT_REFUSED,
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    Expectation,
    ScenarioList,
    ScenarioRun,
)
from gateway.demo.scenarios.locks import wait_for_handover
from gateway.demo.scenarios.ways_in_homes import (
    CLAIRE,
    COMPANY,
    COMPARTMENTS,
    HALL,
    SAFE,
    STRANGER,
    STREET,
    STREET_SCANNER,
    with_empty_key_safe,
    with_flat,
    with_full_box,
    with_impatient_key_safe,
    with_key_safe,
    with_occupied_box,
    with_parcel_box,
    with_small_compartment,
)
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import Phase
from gateway.evidence.extract import entry_bodies
from gateway.evidence.manifest import VISITS_FOLDER, log_name
from gateway.protocol.key_custody import KeyWord, key_custody
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
STREET_OPENS_ONCE = ("street released", "street opened", "street closed", "street held")
PHASES_OF_TWO: tuple[str, ...] = (
    Phase.RINGING, Phase.UNLOCKED, Phase.INSIDE, Phase.ADVANCING, *PHASES_WHOLE_VISIT[1:],
)  # fmt: skip
FOUND_OPEN = (Phase.RELOCKING, Phase.INSIDE, *PHASES_WHOLE_VISIT[4:])  # after a restart
EXPECT_FLAT = Expectation(movements=(*STREET_OPENS_ONCE, *MOVES_ONCE_IN_AND_OUT), phases=PHASES_OF_TWO)


async def _enter_flat(play: ScenarioRun, parcels: PromisedDelivery) -> None:
    """Scan at the street, go through, scan at the flat's door, go in."""
    await go_through_street(play, parcels)
    await scan_at_flat(play, parcels)
    await play.courier.goes_in()


async def go_through_street(play: ScenarioRun, parcels: PromisedDelivery) -> None:
    """Let the courier scan at the street door and go through it."""
    await play.scan_codes(parcels)
    await play.log.wait_for_line("strike", within=30, released=True)
    await play.courier.handles(STREET, "go_through")
    await play.wait_for_phase(Phase.INSIDE)


async def scan_at_flat(play: ScenarioRun, parcels: PromisedDelivery) -> None:
    """Let the courier scan at the flat's door, which then opens."""
    await play.wait_for_phase(Phase.ADVANCING)
    await play.courier.scans(parcels.codes[0], scanner=flat_scanner(play))
    await play.wait_for_phase(Phase.UNLOCKED, due=play.timing.advance)


def flat_scanner(play: ScenarioRun) -> str:
    """Return the scanner at the flat's own door."""
    return next(name for name in play.section.all_scanners if name != STREET_SCANNER)


@SCENARIOS.add(
    _(
        "a flat: the street door opens for a moment;"
        " after its sensor has answered that it is shut again, the flat's own door opens"
    ),
    EXPECT_FLAT,
    equip=with_flat,
)
async def _flat(play: ScenarioRun) -> None:
    await _enter_flat(play, await play.announce_delivery())
    await play.leave_and_seal()
    play.require(len(play.watch.events("unlock")) == 2, "each door is ordered open once")


@SCENARIOS.add(
    _("a neighbour comes in behind the courier and another one with his key: nobody's business, delivered"),
    EXPECT_FLAT,
    equip=with_flat,
    movements=(
        *STREET_OPENS_ONCE,
        *MOVES_ONCE_IN_AND_OUT[:2],
        "street opened",
        "street closed",
        *MOVES_ONCE_IN_AND_OUT[2:],
    ),
)
async def _flat__neighbour_follows(play: ScenarioRun) -> None:
    await play.set_fault(STREET, "neighbour_follows")
    await _enter_flat(play, await play.announce_delivery())
    followers = [line["who"] for line in play.log.lines if line["what"] == "passed"]
    play.require(followers == ["courier", "neighbour"], "a neighbour came in too")
    await play.set_fault(STREET, "neighbour_follows", on=False)
    await play.resident.handles(STREET, "come_with_key")
    await play.log.wait_for_line("way", thing=STREET, state="closed", by="itself", after=len(play.log.lines))
    await play.leave_and_seal()


@SCENARIOS.add(
    _("the street door is wedged open: the flat stays shut until somebody has closed it, then it goes on"),
    EXPECT_FLAT,
    equip=with_flat,
    movements=("street released", "street opened", "street held", "street closed", *MOVES_ONCE_IN_AND_OUT),
)
async def _flat__street_wedged(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.set_fault(STREET, "wedged")
    await go_through_street(play, parcels)
    await play.log.wait_for_line("signal", within=30, sound="close_the_door")
    await play.log.wait_for_line("strike", released=False)
    play.require(not play.watch.events("unlock")[1:], "nothing else opens while the street door stands open")
    play.narrate("house", "the flat's door stays shut while the street door stands open")
    await play.set_fault(STREET, "wedged", on=False)
    await scan_at_flat(play, parcels)
    await play.courier.goes_in()
    await play.leave_and_seal()


def lid_of(number: int) -> str:
    """Return the thing that is the lid of this compartment."""
    return f"{COMPARTMENTS[number]}-lid"


def _fills(lid: str) -> tuple[str, ...]:
    return f"{lid} unlatched", f"{lid} opened", f"{lid} caught", f"{lid} closed"


PHASES_OF_SAFE: tuple[str, ...] = (
    Phase.RINGING, Phase.UNLOCKING, Phase.INSIDE, Phase.RELOCKING, Phase.LOCKED_AGAIN, "ready",
)  # fmt: skip
EXPECT_BOXED = Expectation(movements=_fills(lid_of(0)))


async def opens_box(play: ScenarioRun, lid: str, parcels: PromisedDelivery | None = None) -> None:
    """Scan (as `ScenarioRun.scan_codes`), and wait until the latch of this lid is released."""
    await play.scan_codes(parcels)
    await play.log.wait_for_line("latch", within=30, thing=lid, caught=False)


async def fills_and_leaves(play: ScenarioRun, lid: str) -> None:
    """Let the courier put the parcel in, push the lid shut and go."""
    await play.courier.handles(lid, "put_in", "push_shut")
    await play.courier.does("leave")


@SCENARIOS.add(
    _("a parcel box: a free compartment springs open, and its sensor proves the parcel"),
    EXPECT_BOXED,
    equip=with_parcel_box,
)
async def _locker(play: ScenarioRun) -> None:
    await opens_box(play, lid_of(0))
    await fills_and_leaves(play, lid_of(0))
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("a parcel lies in the first compartment: the second one opens, the first one stays shut"),
    EXPECT_BOXED,
    equip=with_occupied_box,
    movements=_fills(lid_of(1)),
)
async def _locker__occupied(play: ScenarioRun) -> None:
    await opens_box(play, lid_of(1))
    await fills_and_leaves(play, lid_of(1))
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("the first compartment is free, but the parcel is too big for it: the second compartment opens"),
    EXPECT_BOXED,
    equip=with_small_compartment,
    movements=_fills(lid_of(1)),
)
async def _locker__too_big(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(size=(350, 250, 300))
    await opens_box(play, lid_of(1), parcels)
    await fills_and_leaves(play, lid_of(1))
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("a parcel lies in each compartment: the scanner says no, and nothing opens"),
    EXPECT_REFUSED,
    equip=with_full_box,
    refusals=(Refusal.NOT_READY,),
    notifications=(Notification.NOT_READY,),
)
async def _locker__full(play: ScenarioRun) -> None:
    parcels = await play.retailer.promise()
    await play.wait_for_notification(Notification.NOT_READY)
    await play.wait_for_cameras()
    await play.scan_refused_code(parcels.codes[0], Refusal.NOT_READY)


@SCENARIOS.add(
    _("the lid is pushed shut and its latch does not catch: the owner is called, and looks after it"),
    EXPECT_BOXED,
    equip=with_parcel_box,
    house=DoorResult.HANDED_TO_OWNER,
    movements=(*_fills(lid_of(0))[:2], f"{lid_of(0)} closed", f"{lid_of(0)} opened", *_fills(lid_of(0))[2:]),
    phases=(*PHASES_WHOLE_VISIT[:5], Phase.HANDED_TO_OWNER, *PHASES_WHOLE_VISIT[4:]),
    alarms=(AlarmCode.NOT_LOCKED,),
    notifications=(Notification.AT_THE_DOOR, Notification.LOOK_AFTER_THE_DOOR, Notification.LOCKED_AGAIN),
)
async def _locker__lid_does_not_catch(play: ScenarioRun) -> None:
    await opens_box(play, lid_of(0))
    await play.set_fault(lid_of(0), "does_not_catch")
    await fills_and_leaves(play, lid_of(0))
    await wait_for_handover(play)
    await play.set_fault(lid_of(0), "does_not_catch", on=False)
    await play.resident.handles(lid_of(0), "open_with_key", "push_shut")
    await play.owner.send_request("acknowledge", visit=play.watch.state["visit"])
    await play.wait_for_visit_end()


KEY_GOES = ("safe opened", "safe key taken", "hall-door opened", "hall-door closed")
KEY_COMES = ("safe key hung back", "safe closed")
EXPECT_KEYED = Expectation(
    movements=(*KEY_GOES, *KEY_COMES),
    phases=PHASES_OF_SAFE,
    notifications=(Notification.AT_THE_DOOR, Notification.KEY_TAKEN, Notification.LOCKED_AGAIN),
)


async def scan_as_keeper(keeper: DemoKeeper, parcels: PromisedDelivery) -> None:
    """Let the keeper come and scan the parcel and his code."""
    await keeper.does("arrive")
    await keeper.scans(parcels.codes[0])
    await keeper.scans(keeper.code)


async def use_key(play: ScenarioRun, keeper: DemoKeeper, parcels: PromisedDelivery | None = None) -> None:
    """Let the keeper scan, take the key and carry the parcel in. None: a parcel of a delivery that is announced now."""
    await scan_as_keeper(keeper, parcels or await play.announce_delivery())
    await play.log.wait_for_line("way", within=30, thing=SAFE, state="open")
    await keeper.handles(SAFE, "take_key")
    taken = await play.wait_for_notification(Notification.KEY_TAKEN)
    play.require(keeper.name in taken["text"], "the owner reads who has the key")
    await keeper.handles(HALL, "open", "go_through")
    await keeper.does("put_parcel")
    await keeper.handles(HALL, "pull_shut")


async def bring_key_back(play: ScenarioRun, keeper: DemoKeeper) -> None:
    """Let the keeper bring the key back; the sealed log names him."""
    await keeper.handles(SAFE, "bring_key", "shut_flap")
    await keeper.does("leave")
    await play.wait_for_visit_end()
    custody = key_custody(entry_bodies(_sealed_log(play)).values())
    taken_and_returned = [
        (step.word, step.holder) for step in custody if step.word in {KeyWord.TAKEN, KeyWord.RETURNED}
    ]
    expected = [(KeyWord.TAKEN, keeper.id), (KeyWord.RETURNED, keeper.id)]
    play.require(taken_and_returned == expected, f"the sealed log names the keeper, not {taken_and_returned}")


def _sealed_log(play: ScenarioRun) -> bytes:
    """Return the log of the sealed visit."""
    folders = (play.plan.home.storage.folder / VISITS_FOLDER).iterdir()
    (log,) = (folder / log_name(1) for folder in folders if (folder / log_name(1)).is_file())
    return log.read_bytes()


@SCENARIOS.add(
    _(
        "a key safe: a named keeper scans parcel and code, takes the key, and hangs it back; the hook's sensor proves "
        "it"
    ),
    EXPECT_KEYED,
    equip=with_key_safe,
)
async def _key_safe(play: ScenarioRun) -> None:
    async with open_keepers(play, CLAIRE) as (_owner, claire):
        await use_key(play, claire)
        await bring_key_back(play, claire)


@SCENARIOS.add(
    _("the key does not come back in its time: reminded, then an alarm; locked again once it hangs there"),
    EXPECT_KEYED,
    equip=with_impatient_key_safe,
    alarms=(AlarmCode.KEY_LATE,),
    notifications=(
        Notification.AT_THE_DOOR,
        Notification.KEY_TAKEN,
        Notification.KEY_MISSED,
        Notification.LOCKED_AGAIN,
    ),
)
async def _key_safe__key_late(play: ScenarioRun) -> None:
    async with open_keepers(play, COMPANY) as (_owner, company):
        await use_key(play, company)
        late = await play.wait_for_alarm(AlarmCode.KEY_LATE, due=play.timing.open_again)
        play.require(company.name in late["text"], "the alarm names who has the key")
        await play.wait_for_notification(Notification.KEY_MISSED)
        await bring_key_back(play, company)


@SCENARIOS.add(
    _("a courier's token, the code of a keeper of another entrance, a withdrawn code: the safe stays shut"),
    EXPECT_REFUSED,
    equip=with_key_safe,
    refusals=(
        Refusal.KEEPER_NOT_PROVEN,
        Refusal.KEEPER_NOT_ACCEPTED,
        Refusal.KEEPER_NOT_ACCEPTED,
        Refusal.KEEPER_NOT_PROVEN,
    ),
)
async def _key_safe__stranger(play: ScenarioRun) -> None:
    async with open_keepers(play, CLAIRE) as (owner, claire), open_keepers(play, STRANGER, owner) as (_, bruno):
        parcels = await play.announce_delivery()
        await owner.withdraw_codes(CLAIRE)
        await claire.does("arrive")
        await claire.scans(parcels.codes[0])
        await claire.scans(parcels.courier_code)
        await play.wait_for_refusal(Refusal.KEEPER_NOT_PROVEN)
        await bruno.scans(bruno.code)
        await play.wait_for_refusal(Refusal.KEEPER_NOT_ACCEPTED)
        await claire.scans(claire.code)
        await play.wait_for_refusal(Refusal.KEEPER_NOT_ACCEPTED)
        await play.wait_for_refusal(Refusal.KEEPER_NOT_PROVEN, due=play.timing.courier)
        await play.wait_for_no_opening()


@SCENARIOS.add(
    _("the key is not on its hook: the scanner says no, and the safe stays shut"),
    EXPECT_REFUSED,
    equip=with_empty_key_safe,
    refusals=(Refusal.NOT_READY,),
    notifications=(Notification.NOT_READY,),
)
async def _key_safe__key_out(play: ScenarioRun) -> None:
    parcels = await play.retailer.promise()
    lacking = (await play.watch.wait_for_event("readiness"))["lacking"]
    play.require("safe/key_out" in lacking, "the owner learns that the key is out")
    await play.wait_for_cameras()
    await play.scan_refused_code(parcels.codes[0], Refusal.NOT_READY)


@SCENARIOS.add(
    _(
        "the gateway is killed between street door and flat: it finds the courier in the hall, opens nothing more, "
        "proves all shut"
    ),
    EXPECT_FLAT,
    equip=with_flat,
    title="flat:gateway-killed",
    outcome=Outcome.NOT_DELIVERED,
    movements=STREET_OPENS_ONCE,
    phases=(*PHASES_OF_TWO[:4], *PHASES_WHOLE_VISIT[4:]),
    gateway_deaths=1,
    retailer_state="not_delivered",
)
async def _flat_killed(play: ScenarioRun) -> None:
    await go_through_street(play, await play.announce_delivery())
    await play.wait_for_phase(Phase.ADVANCING)
    await play.kill_gateway()
    await play.courier.does("leave")
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _(
        "the gateway is killed as it sends the order to open the flat: it finds the courier inside, and proves both "
        "doors shut"
    ),
    EXPECT_FLAT,
    equip=with_flat,
    title="flat:gateway-killed-at-the-flat",
    phases=(*PHASES_OF_TWO[:4], *FOUND_OPEN),
    gateway_deaths=1,
)
async def _flat_killed_at_the_flat(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await go_through_street(play, parcels)
    await play.wait_for_phase(Phase.ADVANCING)
    await play.kill_gateway("after-publish")
    await play.courier.scans(parcels.codes[0], scanner=flat_scanner(play))
    await play.log.wait_for_line("bolt", within=30, state="withdrawn")
    await play.courier.does("open")
    await play.wait_for_gateway()
    await play.wait_for_phase(Phase.INSIDE)
    await play.courier.does("walk_in", "put_parcel")
    await play.leave_and_seal()


@SCENARIOS.add(
    _(
        "the gateway is killed while the compartment is open: it finds it open, and proves it after the courier "
        "pushed it shut"
    ),
    EXPECT_BOXED,
    equip=with_parcel_box,
    title="locker:gateway-killed",
    phases=(*PHASES_WHOLE_VISIT[:4], *FOUND_OPEN),
    gateway_deaths=1,
)
async def _locker_killed(play: ScenarioRun) -> None:
    await opens_box(play, lid_of(0))
    await play.wait_for_phase(Phase.INSIDE)
    await play.kill_gateway()
    await fills_and_leaves(play, lid_of(0))
    await play.wait_for_visit_end()


@SCENARIOS.add(
    _("the gateway is killed while the key is out: it misses the key until the key hangs on its hook again"),
    EXPECT_KEYED,
    equip=with_key_safe,
    title="key-safe:gateway-killed",
    phases=(*PHASES_OF_SAFE[:3], *FOUND_OPEN),
    gateway_deaths=1,
)
async def _key_safe_killed(play: ScenarioRun) -> None:
    async with open_keepers(play, CLAIRE) as (_owner, claire):
        await use_key(play, claire)
        await play.kill_gateway()
        await bring_key_back(play, claire)
