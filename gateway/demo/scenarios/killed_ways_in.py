"""Scenarios in which the gateway is killed around an order to open, at each of the other ways in.

If it is killed before the intent is stored, the order was never given, and a new scan works. If it is killed after
that, the opening counts as used, and the order is never sent: nobody knows whether it was sent before.
"""

import asyncio
from collections.abc import Awaitable, Callable

from devices.reports import ParcelStatus
from devices.simulators.control import PressBell
from gateway.demo.actors import PromisedDelivery
from gateway.demo.keeper import open_keepers
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import (
    EXPECT_DELIVERED,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    Expectation,
    ScenarioList,
    ScenarioRun,
)
from gateway.demo.scenarios import own_parcels
from gateway.demo.scenarios.failures import EXPECT_SPENT
from gateway.demo.scenarios.homes import with_garage_door
from gateway.demo.scenarios.locks import OBSTRUCTION_CLEAR_S, PHASES_OF_GARAGE, deliver_into_garage
from gateway.demo.scenarios.own_parcels import with_tracking
from gateway.demo.scenarios.ways_in import (
    EXPECT_BOXED,
    EXPECT_FLAT,
    EXPECT_KEYED,
    FOUND_OPEN,
    PHASES_OF_TWO,
    STREET_OPENS_ONCE,
    bring_key_back,
    fills_and_leaves,
    flat_scanner,
    go_through_street,
    lid_of,
    opens_box,
    scan_as_keeper,
    scan_at_flat,
    use_key,
)
from gateway.demo.scenarios.ways_in_homes import CLAIRE, with_flat, with_key_safe, with_parcel_box
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.frozen import Frozen, replace
from gateway.domain.visit.commands import Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

SCENARIOS = ScenarioList()


class Way(Frozen):
    """One way in: what is promised, how the courier scans, and the rest of his visit."""

    name: str  # of its scenarios
    equip: Callable[[DemoPlan], DemoPlan]
    expected: Expectation
    announce: Callable[[ScenarioRun], Awaitable[PromisedDelivery | None]]
    scan: Callable[[ScenarioRun, PromisedDelivery | None], Awaitable[None]]
    again: Callable[[ScenarioRun, PromisedDelivery | None], Awaitable[None]]  # the whole visit, with a second scan


async def _fill_box(play: ScenarioRun, parcels: PromisedDelivery | None) -> None:
    await opens_box(play, lid_of(0), parcels)
    await fills_and_leaves(play, lid_of(0))
    await play.wait_for_visit_end()


async def _fill_garage(play: ScenarioRun, parcels: PromisedDelivery | None) -> None:
    await deliver_into_garage(play, parcels)
    await play.house.ask(PressBell())
    await play.wait_for_visit_end()
    await play.courier.does("leave")


async def _visit_flat(play: ScenarioRun, parcels: PromisedDelivery | None) -> None:
    if parcels is None:
        raise LookupError("a retailer announced it")
    await go_through_street(play, parcels)
    await scan_at_flat(play, parcels)
    await play.courier.goes_in()
    await play.leave_and_seal()


async def _announce_own(play: ScenarioRun) -> None:
    number = await own_parcels.announce(play)
    await own_parcels.report(play, number, ParcelStatus.OUT_FOR_DELIVERY)
    await play.wait_until_expected()


async def _scan_own(play: ScenarioRun, _parcels: PromisedDelivery | None) -> None:
    await own_parcels.scan(play, own_parcels.NUMBER)


async def _deliver_own(play: ScenarioRun, parcels: PromisedDelivery | None) -> None:
    # After the restart an old report proves nothing, so nothing is expected and the cameras do not run
    await play.wait_for_state("nothing expected", expecting=False)
    await own_parcels.report(play, own_parcels.NUMBER, ParcelStatus.OUT_FOR_DELIVERY)
    await play.wait_for_state("expected again", expecting=True)
    await play.wait_for_cameras()
    await _scan_own(play, parcels)
    await play.wait_for_unlocked()
    await play.courier.goes_in()
    await play.leave_and_seal()


WAYS = (
    Way(
        name="garage",
        equip=with_garage_door, expected=replace(EXPECT_DELIVERED, phases=PHASES_OF_GARAGE),
        announce=ScenarioRun.announce_delivery, scan=ScenarioRun.scan_codes, again=_fill_garage,
    ),
    Way(
        name="flat",
        equip=with_flat, expected=EXPECT_FLAT, announce=ScenarioRun.announce_delivery, scan=ScenarioRun.scan_codes,
        again=_visit_flat,
    ),
    Way(
        name="locker",
        equip=with_parcel_box, expected=EXPECT_BOXED, announce=ScenarioRun.announce_delivery,
        scan=ScenarioRun.scan_codes, again=_fill_box,
    ),
    Way(
        name="own-parcel",
        equip=with_tracking, expected=own_parcels.EXPECT_OWN, announce=_announce_own, scan=_scan_own,
        again=_deliver_own,
    ),
)  # fmt: skip


def _add_before_commit(way: Way) -> None:
    @SCENARIOS.add(
        _("the gateway is killed before it has stored that it will open: nothing is used, and a new scan works"),
        way.expected,
        title=f"{way.name}:gateway-killed-before-commit",
        equip=way.equip,
        phases=(Phase.RINGING, "ready", *way.expected.phases),
        notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED, *USUAL_NOTIFICATIONS),
        refusals=(Refusal.NOT_READY,),
        gateway_deaths=1,
        optional_notifications=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),
    )
    async def _killed(play: ScenarioRun) -> None:
        parcels = await way.announce(play)
        await play.kill_gateway("before-commit")
        await way.scan(play, parcels)
        await play.wait_for_gateway()
        await play.wait_for_phase("ready")
        await play.wait_for_notification(Notification.NOT_OPENED)
        await play.wait_until_ready()
        await way.again(play, parcels)


def _add_after_commit(way: Way) -> None:
    @SCENARIOS.add(
        _(
            "the gateway is killed after it has stored that it will open:"
            " the opening counts as used, and the order is never sent later"
        ),
        EXPECT_SPENT,
        title=f"{way.name}:gateway-killed-after-commit",
        equip=way.equip,
        retailer_state=None if way.expected.retailer_state is None else EXPECT_SPENT.retailer_state,
    )
    async def _killed(play: ScenarioRun) -> None:
        parcels = await way.announce(play)
        await play.kill_gateway("after-commit")
        await way.scan(play, parcels)
        await play.wait_for_gateway()
        await play.wait_for_visit_end()
        play.require(not play.watch.events("unlock"), "no order to open is sent after the restart")


for _way in WAYS:
    _add_before_commit(_way)
    _add_after_commit(_way)


@SCENARIOS.add(
    _(
        "the gateway is killed while the garage is open: it finds it open, closes it after the courier's report, and "
        "proves it"
    ),
    title="garage:gateway-killed",
    equip=with_garage_door,
    phases=(*PHASES_OF_GARAGE[:3], *FOUND_OPEN),
    gateway_deaths=1,
)
async def _garage_killed(play: ScenarioRun) -> None:
    await deliver_into_garage(play)
    await play.kill_gateway()
    await play.wait_for_phase(Phase.INSIDE)
    await asyncio.sleep(OBSTRUCTION_CLEAR_S)
    play.require(
        not play.watch.events("close"), "the gateway closes nothing before the courier has reported that he is out"
    )
    await play.house.ask(PressBell())
    await play.wait_for_visit_end()
    await play.courier.does("leave")


@SCENARIOS.add(
    _(
        "the gateway is killed after it has stored that it will open the flat:"
        " the order is never sent, and both doors answer that they are shut"
    ),
    EXPECT_FLAT,
    title="flat:gateway-killed-after-the-second-commit",
    equip=with_flat,
    outcome=Outcome.NOT_DELIVERED,
    movements=STREET_OPENS_ONCE,
    phases=(*PHASES_OF_TWO[:4], *PHASES_WHOLE_VISIT[4:]),
    gateway_deaths=1,
    retailer_state="not_delivered",
)
async def _killed_after_the_second_commit(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await go_through_street(play, parcels)
    await play.wait_for_phase(Phase.ADVANCING)
    await play.kill_gateway("after-commit")
    await play.courier.scans(parcels.codes[0], scanner=flat_scanner(play))
    await play.wait_for_gateway()
    await play.courier.does("leave")
    await play.wait_for_visit_end()
    play.require(len(play.watch.events("unlock")) == 1, "the flat is never ordered open")


@SCENARIOS.add(
    _("the gateway is killed before it has stored that it will open: nothing is used, and a new scan works"),
    EXPECT_KEYED,
    title="key-safe:gateway-killed-before-commit",
    equip=with_key_safe,
    phases=(Phase.RINGING, "ready", *EXPECT_KEYED.phases),
    notifications=(Notification.AT_THE_DOOR, Notification.NOT_OPENED, *EXPECT_KEYED.notifications),
    optional_notifications=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),
    refusals=(Refusal.NOT_READY,),
    gateway_deaths=1,
)
async def _key_safe_killed_before_commit(play: ScenarioRun) -> None:
    async with open_keepers(play, CLAIRE) as (_owner, claire):
        parcels = await play.announce_delivery()
        await play.kill_gateway("before-commit")
        await scan_as_keeper(claire, parcels)
        await play.wait_for_gateway()
        await play.wait_for_phase("ready")
        await play.wait_for_notification(Notification.NOT_OPENED)
        await play.wait_until_ready()
        await use_key(play, claire, parcels)
        await bring_key_back(play, claire)


@SCENARIOS.add(
    _(
        "the gateway is killed after it has stored that it will open:"
        " the opening counts as used, and the order is never sent later"
    ),
    EXPECT_SPENT,
    title="key-safe:gateway-killed-after-commit",
    equip=with_key_safe,
)
async def _key_safe_killed_after_commit(play: ScenarioRun) -> None:
    async with open_keepers(play, CLAIRE) as (_owner, claire):
        parcels = await play.announce_delivery()
        await play.kill_gateway("after-commit")
        await scan_as_keeper(claire, parcels)
        await play.wait_for_gateway()
        await play.wait_for_visit_end()
        play.require(not play.watch.events("unlock"), "no order to open is sent after the restart")
