"""The wall clock steps by hours while a delivery is under way: nothing opens late, and nothing that is over opens."""

import json
from pathlib import Path
from typing import Any

import pytest

from devices.reports import LockReport, LockState
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.system.clock import SETTLE_TIME_S
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_offer
from tests.shell.box import ShellBox, box, run_box
from tests.shell.parts import ManualTime
from tests.waiting import wait_until

HOUR = 3600.0
STEPS = (-26 * HOUR, -5 * HOUR, -1.5 * HOUR, 1.5 * HOUR, 5 * HOUR, 26 * HOUR)


def unlocks(made: ShellBox) -> list[Any]:
    return [json.loads(one.payload) for one in made.line.on("perron/lock/set") if b'"unlock"' in one.payload]


async def refused(made: ShellBox) -> Refusal:
    """Scan the parcel again, long enough after the last time; why it was refused."""
    made.passes(11)
    before = len(made.commands(c.AnswerScan))
    made.scan(PARCEL)
    await wait_until(lambda: len(made.commands(c.AnswerScan)) > before)
    answer = made.commands(c.AnswerScan)[-1]
    assert isinstance(answer.refusal, Refusal)
    return answer.refusal


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_while_the_bell_rings_lets_nobody_in(ready: ShellBox, step: float) -> None:
    visit = await ready.ring(PARCEL)
    ready.time.skew = step
    await ready.commits(visit)
    await ready.quiet()
    assert unlocks(ready) == []
    assert not ready.commands(c.ReserveOpening)
    assert ready.front.state.visit is None
    ready.passes(SETTLE_TIME_S + 5)  # the source stands by its new time
    assert await refused(ready) in {Refusal.CLOCK_UNTRUSTED, Refusal.OUTSIDE_WINDOW, Refusal.EXPIRED}
    assert unlocks(ready) == []


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_after_the_order_sends_it_no_second_time_and_the_door_is_locked_in_its_time(
    ready: ShellBox, step: float
) -> None:
    await ready.commits(await ready.ring(PARCEL))
    await wait_until(lambda: unlocks(ready))
    ready.time.skew = step
    ready.bolt = LockState.UNLOCKED
    ready.says("lock", LockReport(bolt=LockState.UNLOCKED))
    await ready.quiet()
    for _ in range(8):  # the door stays closed: after 30 s of the clock that only runs it is locked again
        ready.passes(5)
        await ready.quiet()
    locks = [one for one in ready.line.on("perron/lock/set") if b'"lock"' in one.payload]
    assert locks
    assert len(unlocks(ready)) == 1


@pytest.mark.parametrize("back", [-1.5 * HOUR, -3 * HOUR, -26 * HOUR])
async def test_a_delivery_that_is_over_is_opened_by_no_step_back(ready: ShellBox, back: float) -> None:
    for _ in range(3):
        ready.passes(0.5 * HOUR)
        ready.clock.now()
        await ready.quiet()
    assert await refused(ready) is Refusal.EXPIRED
    ready.time.skew = back
    for _ in range(3):
        assert await refused(ready) is Refusal.CLOCK_UNTRUSTED
        ready.passes(SETTLE_TIME_S)
    assert unlocks(ready) == []


async def test_a_delivery_that_is_to_come_is_opened_by_no_step_forward_in_the_moment_of_it(tmp_path: Path) -> None:
    async with box(tmp_path, time=ManualTime(mono=100.0)) as made:
        await receive(made.store, make_offer(), now=NOW)
        async with run_box(made):
            await made.good_day()
            assert await refused(made) is Refusal.OUTSIDE_WINDOW
            made.time.skew = 2 * HOUR
            assert await refused(made) is Refusal.CLOCK_UNTRUSTED
            assert unlocks(made) == []


async def test_the_same_delivery_is_let_in_where_no_clock_steps(ready: ShellBox) -> None:
    await ready.commits(await ready.ring(PARCEL))
    await wait_until(lambda: unlocks(ready))
    assert len(unlocks(ready)) == 1
