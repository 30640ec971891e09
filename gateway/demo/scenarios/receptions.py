"""Scenarios of a reception: a person takes the parcel, and no door moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.demo.actors import PromisedDelivery
from gateway.demo.desk import DemoDesk, open_desk
from gateway.demo.scenario import EXPECT_NO_VISIT, ScenarioList, ScenarioRun
from gateway.demo.scenarios.couriers import key_of, wait_for_time_answer
from gateway.demo.scenarios.homes import DESK, DESK_SCANNER, with_concierge
from gateway.domain.custody import DeclineReason
from gateway.domain.delivery.promise import TimeAnswer
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.visit.commands import Notification
from gateway.system.i18n import Text, _

SCENARIOS = ScenarioList()
EXPECT_TAKEN = replace(
    EXPECT_NO_VISIT,
    house=DoorResult.NOT_OPENED,
    notifications=(Notification.PARCEL_RECEIVED, Notification.PARCEL_HANDED_OVER),
    sealed_visits=1,
    further_parts=2,  # taken; handed over; confirmed
    retailer_state="delivered",
)


@asynccontextmanager
async def _desk(play: ScenarioRun, *, ends_in: float = 3600) -> AsyncIterator[tuple[DemoDesk, PromisedDelivery]]:
    """Begin: the concierge is signed in, and a delivery to him is announced; its window ends in so many seconds."""
    async with open_desk(play.plan.home, play.narrate) as desk:
        parcels = await play.retailer.promise(destination=DESK, ends_in=ends_in)
        play.watch.mark_seen()
        await play.courier.does("arrive")
        await play.let_read()
        yield desk, parcels


async def _scan(play: ScenarioRun, code: str, word: str) -> None:
    """The courier scans a label at the reception; its scanner shows this word."""
    shown = len(play.log.lines)
    await play.courier.scans(code, scanner=DESK_SCANNER)
    await play.log.wait_for_line("shown", after=shown, device=DESK_SCANNER, word=word)


async def _wait_for_stage(play: ScenarioRun, stage: str) -> None:
    await play.watch.wait_for_event("custody", stage=stage)
    await play.let_read()


async def _wait_for_seal(play: ScenarioRun, part: int) -> None:
    """Wait until this part of the proof is sealed."""

    def is_sealed() -> bool:
        sealed = [body.get("sealed") or {} for body in play.watch.bodies("checkpoint")]
        return any(facts.get("part") == part for facts in sealed)

    await play.watch.wait_until(f"part {part} sealed", is_sealed)


def _told(play: ScenarioRun) -> list[tuple[str | None, str | None]]:
    """What the retailer was told of the delivery: its state, and who has it."""
    results = [body for body in play.watch.bodies("result") if body.get("state")]
    return [(body["state"], body.get("custody")) for body in results]


async def _take(play: ScenarioRun, desk: DemoDesk, code: str) -> None:
    """The courier offers the parcel and the concierge takes it. The courier's scan alone delivers nothing."""
    await _offer(play, desk, code)
    play.require("delivered" not in dict(_told(play)), "the courier's scan alone delivers nothing")
    await _accept(play, desk, code)


async def _offer(play: ScenarioRun, desk: DemoDesk, code: str) -> None:
    await desk.receiver.go_on_duty()
    await _scan(play, code, "go")
    await _wait_for_stage(play, "offered")


async def _accept(play: ScenarioRun, desk: DemoDesk, code: str) -> None:
    await desk.receiver.scan(code)
    await _wait_for_stage(play, "received")
    await play.courier.does("leave")
    await play.watch.wait_until("delivered, with the receiver", lambda: ("delivered", "receiver") in _told(play))
    await _wait_for_seal(play, 1)


async def _give(play: ScenarioRun, desk: DemoDesk, code: str) -> None:
    """The concierge hands the parcel over, and the owner confirms it."""
    await _hand_over(play, desk, code)
    await _confirm(play, desk, code)


async def _hand_over(play: ScenarioRun, desk: DemoDesk, code: str) -> None:
    await desk.receiver.hand_over(code, "Claire")
    await _wait_for_stage(play, "handed_over")
    await _wait_for_seal(play, 2)


async def _confirm(play: ScenarioRun, desk: DemoDesk, code: str) -> None:
    await desk.household.confirm(code)
    await _wait_for_stage(play, "confirmed")
    await _wait_for_seal(play, 3)


@SCENARIOS.add(
    _("the concierge takes the parcel by a scan of his own, and the owner confirms it: no door moves"),
    EXPECT_TAKEN,
    equip=with_concierge,
)
async def _concierge(play: ScenarioRun) -> None:
    async with _desk(play) as (desk, parcels):
        (code,) = parcels.codes
        await _take(play, desk, code)
        await _give(play, desk, code)


@SCENARIOS.add(
    _("the concierge declines a damaged parcel: the courier keeps it, and the retailer reads the reason"),
    EXPECT_NO_VISIT,
    house=DoorResult.NOT_OPENED,
    notifications=(Notification.PARCEL_DECLINED,),
    sealed_visits=1,
    retailer_state="not_delivered",
    equip=with_concierge,
)
async def _concierge__declined(play: ScenarioRun) -> None:
    async with _desk(play) as (desk, parcels):
        (code,) = parcels.codes
        await _offer(play, desk, code)
        await desk.receiver.decline(DeclineReason.DAMAGED)
        await _wait_for_stage(play, "declined")
        play.narrate("courier", "keeps the parcel")
        await play.courier.does("leave")
        await _wait_for_seal(play, 1)
        await play.watch.wait_until("the reason told", lambda: play.watch.bodies("result")[-1].get("reason"))
        play.require(
            play.watch.bodies("result")[-1]["reason"] == "declined_damaged", "the retailer reads why it was declined"
        )


@SCENARIOS.add(
    _("nobody is on duty at the courier's scan: he keeps the parcel; once somebody is, it is taken"),
    EXPECT_TAKEN,
    outcome=Outcome.REFUSED,
    refusals=(Refusal.NO_RECEIVER,),
    notifications=(Notification.NO_RECEIVER, *EXPECT_TAKEN.notifications),
    equip=with_concierge,
)
async def _concierge__nobody(play: ScenarioRun) -> None:
    async with _desk(play) as (desk, parcels):
        (code,) = parcels.codes
        await _scan(play, code, "no")
        await play.wait_for_refusal(Refusal.NO_RECEIVER)
        await _take(play, desk, code)
        await _give(play, desk, code)


@SCENARIOS.add(
    _("a late courier at the concierge's: the household gives half an hour with one press, and the parcel is taken"),
    EXPECT_TAKEN,
    outcome=Outcome.REFUSED,
    refusals=(Refusal.EXPIRED,),
    notifications=(Notification.LATE_COURIER, *EXPECT_TAKEN.notifications),
    equip=with_concierge,
)
async def _concierge__late(play: ScenarioRun) -> None:
    async with _desk(play, ends_in=3) as (desk, parcels):
        (code,) = parcels.codes
        await play.watch.wait_until("the window over", lambda: ("expired", None) in _told(play))
        await _scan(play, code, "no")
        await play.wait_for_refusal(Refusal.EXPIRED)
        await play.wait_for_notification(Notification.LATE_COURIER)
        await play.owner.send_request("give_time", delivery=key_of(parcels))
        await wait_for_time_answer(play, TimeAnswer.GIVEN)
        await _take(play, desk, code)
        await _give(play, desk, code)


STEPS = (_offer, _accept, _hand_over, _confirm)


def _add_killed(after: int, summary: Text, title: str) -> None:
    """Add a scenario in which the gateway is killed after so many steps of a custody; the rest follows as usual."""

    @SCENARIOS.add(summary, EXPECT_TAKEN, title=title, gateway_deaths=1, equip=with_concierge)
    async def _killed(play: ScenarioRun) -> None:
        async with _desk(play) as (desk, parcels):
            (code,) = parcels.codes
            for step in STEPS[:after]:
                await step(play, desk, code)
            await play.kill_gateway()
            await desk.wait_for_pages()
            for step in STEPS[after:]:
                await step(play, desk, code)


_add_killed(
    1,
    _(
        "the gateway is killed while the courier offers the parcel: nothing is delivered, and the concierge can still "
        "take it"
    ),
    "concierge:gateway-killed-while-offered",
)
_add_killed(
    2,
    _(
        "the gateway is killed while the concierge has the parcel: it knows this after the restart, and the owner "
        "confirms it"
    ),
    "concierge:gateway-killed",
)
_add_killed(
    3,
    _(
        "the gateway is killed before the owner has confirmed the parcel: the household has it, and can still confirm "
        "it"
    ),
    "concierge:gateway-killed-before-confirmation",
)
