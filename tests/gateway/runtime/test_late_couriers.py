"""A courier comes after the window: the household is asked, and after its yes his next scan is like any other.

It is the same at an entrance and at a reception, whether he scans, asks on his page, or his brand asks.
"""

import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from gateway.domain.custody import OFFER_LIFE_S, CustodyStage
from gateway.domain.delivery.features import Feature
from gateway.domain.delivery.promise import State, TimeAnswer, TimeRequest
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.runtime.late_couriers import LateCouriers
from gateway.system.containment import Containment
from tests.gateway.domain.delivery.house import receive
from tests.shell.box import ShellBox, box_in_window, run_tasks
from tests.shell.desk import DESK, MARC, DeskBox, desk_box
from tests.shell.house import PARCEL
from tests.waiting import wait_until

DELIVERY = "shop.d1"


@pytest.fixture
async def late(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """The window has been over for ten minutes, and nobody came."""
    async with box_in_window(tmp_path) as made:
        asking = LateCouriers(store=made.store, clock=made.clock, outbox=made.office, containment=Containment())
        made.front.on_commands.append(partial(asking.on_decision, "front"))
        async with run_tasks(asking.run()):
            delivery = made.store.deliveries.facts(DELIVERY, made.clock.now())
            assert delivery is not None
            made.time.mono += (delivery.end - made.clock.now().utc).total_seconds() + 600
            yield made


def told(made: ShellBox) -> list[str]:
    return [json.loads(one.payload)["text"] for one in made.line.on("perron/entrance/front/message")]


def refusals(made: ShellBox) -> list[Refusal | None]:
    return [answer.refusal for answer in made.commands(c.AnswerScan)]


async def test_the_household_is_asked_and_nothing_opens_before_its_yes(late: ShellBox) -> None:
    late.scan(PARCEL)
    await wait_until(lambda: any("half an hour" in text or "demi-heure" in text for text in told(late)))
    assert refusals(late) == [Refusal.EXPIRED]
    await late.quiet()
    assert late.front.state.visit is None
    assert await late.reception.give_time(DELIVERY, "p-anna") is None
    late.time.mono += 11  # the same code within ten seconds is one scan
    late.scan(PARCEL)
    await wait_until(lambda: len(refusals(late)) > 1)
    assert refusals(late)[-1] is not Refusal.EXPIRED


async def test_a_stranger_who_was_never_expected_asks_for_nothing(late: ShellBox) -> None:
    late.scan("8L20524752049")
    await wait_until(lambda: refusals(late) == [Refusal.UNKNOWN_CODE])
    await late.quiet()
    assert not any("half an hour" in text or "demi-heure" in text for text in told(late))
    assert await late.reception.give_time(DELIVERY, "p-anna") == "nobody_waits"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[DeskBox]:
    """A receiver is on duty, and the window of the parcel has been over for ten minutes."""
    async with desk_box(tmp_path) as made:
        late = LateCouriers(
            store=made.box.store, clock=made.box.clock, outbox=made.box.office, containment=Containment()
        )  # fmt: skip
        made.desk.on_commands.append(partial(late.on_decision, DESK))
        await made.announce()
        async with run_tasks(late.run()):
            yield made


async def the_window_ends(desk: DeskBox) -> None:
    delivery = desk.box.store.deliveries.facts(DELIVERY, desk.box.clock.now())
    assert delivery is not None
    await desk.passes((delivery.end - desk.box.clock.now().utc).total_seconds() + 600)
    assert await desk.desk.set_duty(MARC, on=True)


async def comes_again(desk: DeskBox) -> None:
    """The household gives time, and the receiver takes the parcel."""
    assert await desk.box.reception.give_time(DELIVERY, "p-anna") is None
    desk.scan(PARCEL)
    await wait_until(lambda: desk.stage() is CustodyStage.OFFERED)
    assert (await desk.desk.accept(MARC, PARCEL)).refusal is None
    await wait_until(lambda: any(one["state"] == "delivered" for one in desk.results()))
    assert desk.results()[-1]["custody"] == "receiver"


async def test_at_a_reception_a_late_scan_asks_too_and_after_a_yes_the_receiver_takes_the_parcel(desk: DeskBox) -> None:
    await the_window_ends(desk)
    desk.scan(PARCEL)
    await wait_until(lambda: [one["about"] for one in desk.messages()] == ["late_courier"])
    assert "Concierge" in desk.messages()[0]["text"]
    assert (desk.refusals(), desk.stage()) == (["expired"], CustodyStage.ANNOUNCED)
    await comes_again(desk)


async def test_a_parcel_that_no_receiver_took_in_time_may_come_late(desk: DeskBox) -> None:
    await desk.offered()
    await desk.passes(OFFER_LIFE_S + 1)
    await the_window_ends(desk)
    desk.scan(PARCEL)
    await wait_until(lambda: [one["about"] for one in desk.messages()] == ["late_courier"])
    await comes_again(desk)


async def test_of_a_parcel_that_the_receiver_has_nobody_asks(desk: DeskBox) -> None:
    await desk.offered()
    assert (await desk.desk.accept(MARC, PARCEL)).refusal is None
    await the_window_ends(desk)
    desk.scan(PARCEL)
    await wait_until(lambda: desk.refusals()[-1:] == ["expired"])
    assert await desk.box.reception.ask_time(DELIVERY) == "too_late"


async def test_the_brand_of_a_parcel_for_a_reception_asks_and_is_answered(desk: DeskBox) -> None:
    await the_window_ends(desk)
    now = desk.box.clock.now()
    request = TimeRequest(id="d1", version=1, needs=(Feature.MORE_TIME,))
    asked = (await receive(desk.box.store, request, now=now)).result
    assert (asked.accepted, asked.state, asked.more_time) == (True, State.EXPIRED, TimeAnswer.ASKED)
    assert await desk.box.reception.refuse_time(DELIVERY, "p-anna") is None
    answer = desk.box.store.deliveries.result(DELIVERY, now)
    assert answer is not None
    assert answer.more_time is TimeAnswer.REFUSED
