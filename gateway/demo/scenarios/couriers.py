"""Scenarios of couriers who meet the household at the door, another courier inside, or a window that is over."""

from dataclasses import replace

from gateway.demo.actors import PromisedDelivery
from gateway.demo.result import DoorMovement
from gateway.demo.scenario import (
    EXPECT_DELIVERED,
    EXPECT_NO_VISIT,
    EXPECT_REFUSED,
    MOVES_ONCE_IN_AND_OUT,
    PHASES_WHOLE_VISIT,
    USUAL_NOTIFICATIONS,
    Expectation,
    ScenarioList,
    ScenarioRun,
)
from gateway.demo.scenarios.homes import with_resident_home
from gateway.domain.delivery.promise import TimeAnswer
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.commands import Notification
from gateway.domain.visit.state import Phase
from gateway.system.i18n import _

SCENARIOS = ScenarioList()
NEXT_CODE = "8L20524752049"
EXPECT_ATTENDED: Expectation = replace(
    EXPECT_REFUSED,
    outcome=Outcome.ATTENDED,
    movements=(DoorMovement.UNLOCKED_BY_HAND, DoorMovement.OPENED, DoorMovement.CLOSED, DoorMovement.LOCKED_BY_HAND),
    phases=(Phase.RINGING, "ready"),
    notifications=(Notification.AT_THE_DOOR, Notification.ATTENDED),
    retailer_state="delivered",
)
"""Somebody of the household opens the door while it rings, and says afterwards that the parcel was taken in."""
EXPECT_LATE: Expectation = replace(
    EXPECT_DELIVERED,
    notifications=(Notification.LATE_COURIER, *USUAL_NOTIFICATIONS),
    optional_notifications=frozenset({Notification.NOT_READY, Notification.READY_AGAIN}),  # the cameras start anew
)


def key_of(parcels: PromisedDelivery) -> str:
    """Return the delivery's key in the house."""
    return f"{parcels.brand}.{parcels.id}"


async def answer_at_the_door(play: ScenarioRun) -> PromisedDelivery:
    """Let the courier ring, and somebody of the household open to him, take the parcel, and lock again."""
    parcels = await play.announce_delivery()
    await play.scan_and_ring(parcels)
    await play.resident.does("thumb_turn", "open")
    await play.wait_for_phase("ready")
    await play.resident.does("close", "lock_by_hand")
    return parcels


async def wait_for_time_answer(play: ScenarioRun, answer: TimeAnswer) -> None:
    """Wait until the retailer reads what became of the question for more time."""

    def is_told() -> bool:
        return any(body.get("more_time") == answer.value for body in play.watch.bodies("result"))

    await play.watch.wait_until(f"the retailer reads more time {answer.value}", is_told)


@SCENARIOS.add(
    _("somebody of the household opens and takes the parcel: one press, and it is delivered"),
    EXPECT_ATTENDED,
    equip=with_resident_home,
)
async def _attended(play: ScenarioRun) -> None:
    parcels = await answer_at_the_door(play)
    await play.owner.send_request("take_in", delivery=key_of(parcels))

    def is_taken_in() -> bool:
        told = [body for body in play.watch.bodies("result") if body.get("state") == "delivered"]
        return any(body.get("custody") == "household" for body in told)

    await play.watch.wait_until("the retailer reads that the household took it in", is_taken_in)
    await play.wait_for_no_opening()


@SCENARIOS.add(
    _("nobody opened to the courier: nobody can say that the parcel was taken in"),
    EXPECT_NO_VISIT,
    retailer_state="window_open",
)
async def _attended__nobody_opened(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery()
    await play.owner.send_request("take_in", delivery=key_of(parcels))
    refused = await play.watch.wait_for_event("wish", accepted=False)
    play.require("not_attended" in str(refused), "the box says why")
    await play.wait_for_no_opening()


@SCENARIOS.add(
    _("a late courier: his shop asks, the household gives half an hour with one press, and he comes in"),
    EXPECT_LATE,
)
async def _late_courier(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(ends_in=6)
    await play.wait_for_window_end(parcels)
    await play.wait_for_cameras_to_rest()
    answer = await play.retailer.ask_for_time(parcels)
    play.require(answer["more_time"] == "asked", "the household is asked")
    await play.wait_for_notification(Notification.LATE_COURIER)
    await play.owner.send_request("give_time", delivery=key_of(parcels))
    await wait_for_time_answer(play, TimeAnswer.GIVEN)
    await play.wait_until_ready()
    await play.deliver(parcels)


@SCENARIOS.add(
    _("a late courier scans, and the household gives no more time: nothing opens, and nobody is asked again"),
    EXPECT_REFUSED,
    refusals=(Refusal.EXPIRED, Refusal.EXPIRED),
    notifications=(Notification.LATE_COURIER,),
    retailer_state="expired",
)
async def _late_courier__no_time(play: ScenarioRun) -> None:
    parcels = await play.announce_delivery(ends_in=6)
    await play.wait_for_window_end(parcels)
    await play.courier.does("arrive")
    await play.scan_refused_code(parcels.codes[0], Refusal.EXPIRED)
    await play.wait_for_notification(Notification.LATE_COURIER)
    await play.owner.send_request("refuse_time", delivery=key_of(parcels))
    await wait_for_time_answer(play, TimeAnswer.REFUSED)
    await play.wait_for_new_scan()
    await play.scan_refused_code(parcels.codes[0], Refusal.EXPIRED)


@SCENARIOS.add(
    _("the next courier comes while one is inside: he waits, and comes in once the door is locked again"),
    movements=MOVES_ONCE_IN_AND_OUT * 2,
    phases=PHASES_WHOLE_VISIT * 2,
    refusals=(Refusal.BUSY,),
    notifications=USUAL_NOTIFICATIONS * 2,
    sealed_visits=2,
)
async def _next_courier(play: ScenarioRun) -> None:
    first = await play.announce_delivery()
    following = await play.retailer.promise(codes=(NEXT_CODE,))
    await play.enter_with_parcel(first)
    await play.courier.scans(NEXT_CODE)
    await play.watch.wait_for_event("answer", word="wait", refusal=Refusal.BUSY.value)
    await play.leave_and_seal()
    await play.wait_for_new_scan()
    await play.deliver(following)


@SCENARIOS.add(
    _("a courier who may not come in now comes while another one is inside: no, and he is not told to wait"),
    refusals=(Refusal.BUSY,),
)
async def _next_courier__not_today(play: ScenarioRun) -> None:
    first = await play.announce_delivery()
    await play.retailer.promise(codes=(NEXT_CODE,), starts_in=86_400, ends_in=90_000)
    await play.enter_with_parcel(first)
    await play.courier.scans(NEXT_CODE)
    await play.wait_for_refusal(Refusal.BUSY)
    await play.leave_and_seal()
