"""A courier comes after the window: the household is asked, and after its yes his next scan is like any other."""

import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.runtime.late_couriers import LateCouriers
from gateway.system.containment import Containment
from tests.shell.box import ShellBox, box_in_window, run_tasks
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
