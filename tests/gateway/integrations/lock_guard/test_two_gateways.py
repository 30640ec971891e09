"""Another gateway speaks to the guard, a foreign one or a twin; clocks step: nothing opens late, and nothing twice."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from devices.reports import OperationError
from gateway.config.home import Storage
from gateway.mqtt.packets import NotSent, Sent
from gateway.system.clock import boot_time_s
from tests.gateway.integrations.lock_guard import yard as yards
from tests.gateway.integrations.lock_guard.yard import (
    COMMAND_LIFETIME_S,
    LOCK,
    GatewaySide,
    GuardTestbed,
    guard_testbed,
)
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow
A_WHILE = 0.5  # seconds in which what was to move would have moved: the bolt needs 0.05
ANSWER_S = 1.0  # seconds in which an answer would have come
HOUR = 3600.0


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[GuardTestbed]:
    async with guard_testbed(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def another(place: GuardTestbed, folder: Path) -> AsyncIterator[GatewaySide]:
    """A second gateway at the house's broker, on an account of its own, with the keys in this folder."""
    (folder / "second.password").write_text(place.house.accounts["back-lock"])
    broker = place.box.home.broker.model_copy(
        update={"username": "back-lock", "password_file": folder / "second.password"}
    )
    second = GatewaySide(place.box.home.model_copy(update={"broker": broker, "storage": Storage(folder=folder)}))
    tasks = [asyncio.create_task(second.line.run()), asyncio.create_task(second.guarded.run())]
    try:
        await wait_until(lambda: second.session > 0)
        yield second
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def overhears(place: GuardTestbed, second: GatewaySide) -> None:
    """It knows all that the first one was told."""
    second.heard += place.box.heard


async def test_a_gateway_with_another_key_gets_no_answer_and_opens_nothing(place: GuardTestbed, tmp_path: Path) -> None:
    folder = tmp_path / "another"
    folder.mkdir()
    async with place.guard(), another(place, folder) as second:
        await place.ready()
        second.ask(LOCK)
        await assert_stays(
            lambda: second.heard == [], ANSWER_S, "no answer, and no word of the guard's before it has answered"
        )
        overhears(place, second)
        assert isinstance(second.unlock("theirs"), NotSent), "it has no challenge"
        await place.unlocks("ours")
        await assert_stays(lambda: place.moves("withdrawn") == 1, A_WHILE)


async def test_of_two_orders_of_twins_at_one_instant_one_opens_and_the_other_is_refused(
    place: GuardTestbed, tmp_path: Path
) -> None:
    """A box and its copy hold the same key: the guard cannot tell them apart, and yet moves once."""
    folder = tmp_path / "twin"
    folder.mkdir()
    shutil.copytree(place.folder / "key", folder / "key")
    async with place.guard(), another(place, folder) as twin:
        await place.ready()
        await place.box.answer(LOCK)
        await twin.answer(LOCK)
        assert isinstance(place.box.unlock("one-visit"), Sent)
        assert isinstance(twin.unlock("one-visit"), Sent)
        await wait_until(lambda: place.moves("withdrawn") >= 1)
        await wait_until(lambda: bool(place.box.refusals() + twin.refusals()))
        await assert_stays(lambda: place.moves("withdrawn") == 1, A_WHILE)
        await place.box.answer(LOCK)
        await twin.answer(LOCK)
        twin.unlock("one-visit")
        await assert_stays(
            lambda: place.moves("withdrawn") == 1, A_WHILE, "the same visit opens no second time, whoever asks"
        )


@pytest.mark.parametrize("step", [-5 * HOUR, 5 * HOUR])
async def test_a_wall_clock_that_steps_during_an_order_makes_none_good_that_is_late(
    place: GuardTestbed, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """The guard's machine and the gateway's both say another time from here on, and so do the orders."""
    real = time.time

    class Stepped(datetime):
        """Says what the stepped clock says."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Stepped":
            said = datetime.fromtimestamp(real(), tz or UTC) + timedelta(seconds=step)
            return cls.fromtimestamp(said.timestamp(), tz or UTC)

    async with place.guard():
        await place.ready()
        place.house.pause()  # the order is on its way when the clocks step
        assert isinstance(place.box.unlock("late"), Sent)
        monkeypatch.setattr(time, "time", lambda: real() + step)
        monkeypatch.setattr(yards, "datetime", Stepped)
        await assert_stays(lambda: place.moves("withdrawn") == 0, COMMAND_LIFETIME_S + A_WHILE)
        place.house.resume()
        await place.box.answer(LOCK)
        await wait_until(lambda: OperationError.EXPIRED in place.box.refusals())
        assert place.moves("withdrawn") == 0
        await place.unlocks("in-time")
        assert place.moves("withdrawn") == 1, "what is in time by the clock that only runs moves once"


async def test_a_guard_whose_machine_slept_for_hours_in_the_middle_of_an_order_opens_nothing(
    place: GuardTestbed,
) -> None:
    slept = 0.0
    async with place.guard(mono=lambda: boot_time_s() + slept):
        await place.ready()
        await place.box.answer(LOCK)
        slept = 3 * HOUR
        assert isinstance(place.box.unlock("before-it-slept"), Sent)
        await wait_until(place.box.refusals)
        await assert_stays(lambda: place.moves("withdrawn") == 0, A_WHILE)
        await place.unlocks("awake")
        assert place.moves("withdrawn") == 1
