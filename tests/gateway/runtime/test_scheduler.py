"""What the box does because of the time, seen at its edges."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.domain.delivery.result import DoorResult
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import PausePeriod
from gateway.runtime import scheduler
from gateway.runtime.scheduler import Scheduler
from gateway.video.client import VideoClient
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOW, make_offer, make_window
from tests.shell.box import ShellBox, box, run_tasks
from tests.shell.house import entrance_in_visit
from tests.shell.parts import ManualTime
from tests.waiting import wait_until

START, END = 100.0 + 3600, 100.0 + 3 * 3600  # monotonic seconds of the usual window, 13:00 to 15:00
MIB = 2**20


class Day:
    """A box and its diary; each `at` is one look."""

    def __init__(self, made: ShellBox) -> None:
        self.made = made
        self.free: int | OSError = 100 * MIB
        self.owed = 0
        self.diary = Scheduler(
            made.home,
            store=made.store,
            clock=made.clock,
            entrances=made.entrances,
            cameras=cast("VideoClient", made.eyes),
            free_bytes=self._free,
            schedule_results=self._owed,
        )

    def _free(self) -> int:
        if isinstance(self.free, OSError):
            raise self.free
        return self.free

    def _owed(self) -> None:
        self.owed += 1

    async def at(self, mono: float) -> list[e.Event]:
        """Look once at this instant; what the front door is told and has decided on."""
        self.made.time.mono = mono
        return await self.look()

    async def look(self) -> list[e.Event]:
        before = self.owed
        async with run_tasks(self.diary.run()):
            await wait_until(lambda: self.owed > before)
        events: list[e.Event] = []
        for name, entrance in self.made.entrances.items():
            waiting = entrance._event_queue  # noqa: SLF001 - what waits there is what it was told
            events += waiting if name == "front" else ()
            for event in list(waiting):
                await entrance.step(event)
            while waiting:
                waiting.take()
        return events

    def ring(self) -> dict[str, bool]:
        """Which cameras' rings run, as they were asked for last."""
        return {camera: on for camera, on, _ in self.made.eyes.rings}

    def labels(self) -> set[str]:
        last = {camera: labels for camera, _, labels in self.made.eyes.rings}
        return {name for labels in last.values() for name in labels}


@asynccontextmanager
async def day(folder: Path, *offers: dict[str, Any], start: float = 100.0) -> AsyncIterator[Day]:
    async with box(folder, time=ManualTime(mono=start)) as made:
        for fields in offers:
            answer = await receive(made.store, make_offer(**fields))
            assert answer.result.accepted, answer.result.code
        yield Day(made)


def of(events: list[e.Event], kind: type[e.Event]) -> list[e.Event]:
    return [event for event in events if isinstance(event, kind)]


async def test_a_window_is_expected_from_two_minutes_before_to_its_end(tmp_path: Path) -> None:
    async with day(tmp_path, {}) as made:
        assert of(await made.at(100), e.WindowChanged) == [e.WindowChanged(near=False)]
        assert of(await made.at(START - 121), e.WindowChanged) == []
        assert of(await made.at(START - 120), e.WindowChanged) == [e.WindowChanged(near=True)]
        assert of(await made.at(END - 1), e.WindowChanged) == []
        assert of(await made.at(END), e.WindowChanged) == [e.WindowChanged(near=False)]


async def test_there_is_no_standing_film_of_a_home(tmp_path: Path) -> None:
    async with day(tmp_path) as made:
        for hours in range(0, 48, 6):
            await made.at(100 + hours * 3600)
        assert made.ring() == {"cam": False, "hall": False}


async def test_the_ring_runs_from_two_minutes_before_a_window_to_its_end_and_not_longer(tmp_path: Path) -> None:
    async with day(tmp_path, {}) as made:
        for at, on in ((100, False), (START - 121, False), (START - 120, True), (END - 1, True), (END, False)):
            await made.at(at)
            assert made.ring() == {"cam": on, "hall": on}, at


async def test_after_a_visit_the_ring_runs_fifteen_minutes_longer_than_it(tmp_path: Path) -> None:
    async with day(tmp_path, {}) as made:
        state = entrance_in_visit(made.made.home)
        result = c.ReportDoorResult(visit="v1", delivery="shop.d1", door_result=DoorResult.LOCKED_AGAIN)
        ended = made.made.clock.now()
        locked = replace(NOW, utc=ended.utc + timedelta(seconds=END - 60 - 100))
        # Locked again a minute before the window ends
        await made.made.store.commit(make_step(state, result, now=locked))
        for at, on in ((END + 1, True), (END - 60 + 899, True), (END - 60 + 900, False)):
            await made.at(at)
            assert made.ring()["cam"] is on, at


@pytest.mark.parametrize("what", ["visit", "watch", "incident"])
async def test_what_happens_at_the_door_keeps_the_ring_running_at_any_hour(tmp_path: Path, what: str) -> None:
    async with day(tmp_path) as made:
        front = made.made.front
        busy = {
            "visit": entrance_in_visit(made.made.home),
            "watch": replace(
                entrance_in_visit(made.made.home), grace_visit=entrance_in_visit(made.made.home).visit, visit=None
            ),
            "incident": replace(entrance_in_visit(made.made.home), visit=None, incident="incident-1"),
        }[what]
        await made.at(100)
        made.made.front.state = replace(busy, disk_ok=True)
        await made.look()
        assert made.ring() == {"cam": True, "hall": True}
        front.state = replace(front.state, visit=None, grace_visit=None, incident=None)
        await made.look()
        assert made.ring() == {"cam": False, "hall": False}


async def test_a_camera_that_two_entrances_share_runs_while_one_of_them_expects(tmp_path: Path) -> None:
    async with day(tmp_path, {"entrance": "garage"}) as made:
        await made.at(START)
        assert made.ring() == {"cam": True, "hall": False}


async def test_labels_are_read_only_while_somebody_is_expected(tmp_path: Path) -> None:
    async with day(tmp_path, {}) as made:
        await made.at(START - 200)
        assert made.labels() == set()
        await made.at(START)
        await made.look()  # the entrance has decided that it expects somebody
        assert made.labels() == {"cam"}
        await made.at(END)
        await made.look()
        assert made.labels() == set()


async def test_rings_are_asked_for_only_when_something_changed(tmp_path: Path) -> None:
    async with day(tmp_path, {}) as made:
        await made.at(START)
        await made.look()
        asked = len(made.made.eyes.rings)
        for seconds in range(5):
            await made.at(START + seconds)
        assert len(made.made.eyes.rings) == asked


async def test_a_delivery_is_checked_when_it_is_scheduled_a_day_an_hour_five_minutes_before_and_at_its_opening(
    tmp_path: Path,
) -> None:
    async with day(tmp_path, {"window": make_window(30, 32)}) as made:
        opens = 100.0 + 30 * 3600
        looks = (
            100, 101, 200,
            opens - 86_401, opens - 86_400, opens - 86_000,
            opens - 3601, opens - 3600, opens - 3500,
            opens - 301, opens - 300, opens - 200,
            opens - 1, opens, opens + 2, opens + 600,
        )  # fmt: skip
        checks = [at for at in looks if of(await made.at(at), e.PreflightDue)]
        assert checks == [100, opens - 86_400, opens - 3600, opens - 300, opens]


async def test_a_check_that_could_not_be_stored_is_due_again(tmp_path: Path) -> None:
    async with day(tmp_path, {}) as made:
        made.made.journal.fails = lambda _step: True
        assert of(await made.at(100), e.PreflightDue)
        assert not of(await made.at(100.5), e.PreflightDue)
        assert of(await made.at(101.1), e.PreflightDue)


async def test_a_new_delivery_is_seen_at_once(tmp_path: Path) -> None:
    async with day(tmp_path) as made:
        await made.at(START)
        await receive(made.made.store, make_offer(), now=replace(NOW, utc=made.made.clock.now().utc))
        assert not of(await made.at(START + 1), e.PreflightDue)
        made.diary.refresh("front")
        assert of(await made.at(START + 2), e.PreflightDue)


async def test_without_trusted_time_nobody_is_expected_until_it_is_trusted_again(tmp_path: Path) -> None:
    async with day(tmp_path, {}) as made:
        seen = []
        for at, skew in ((START, 0.0), (START + 1, 30.0), (START + 62, 30.0)):  # somebody sets the clock
            made.made.time.skew = skew
            await made.at(at)
            seen.append(made.made.front.state.window_near)
        assert seen == [True, False, True]


async def test_the_disk_is_told_at_its_edges(tmp_path: Path) -> None:
    async with day(tmp_path) as made:
        told_of = []
        for free in (MIB, MIB - 1, 0, OSError(5, "input/output error"), MIB, 5 * MIB):
            made.free = free
            told_of.append(of(await made.look(), e.DiskChanged))
        good, bad = [e.DiskChanged(ok=True)], [e.DiskChanged(ok=False)]
        assert told_of == [good, bad, [], [], good, []]


async def test_retailers_are_thought_of_at_every_look(tmp_path: Path) -> None:
    async with day(tmp_path) as made:
        async with run_tasks(made.diary.run()):
            await wait_until(lambda: made.owed >= 2)
        await asyncio.sleep(0)


async def test_once_the_time_is_certain_again_a_pause_that_ended_meanwhile_is_over(tmp_path: Path) -> None:
    async with day(tmp_path) as made:
        front = made.made.front
        await made.at(100)
        now = made.made.clock.now().utc
        front.post(e.PausesChanged(pauses=(PausePeriod(id="p", start=now, end=now + timedelta(hours=1)),)))
        await made.at(101)
        made.made.time.skew = 7200  # somebody set the clock: it is not trusted for a minute
        await made.at(110)
        assert front.state.pauses
        await made.at(175)
        assert not front.state.pauses


@pytest.fixture
def rests_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "QUIET_POLLS", 1)
    monkeypatch.setattr(scheduler, "REST_INTERVAL_S", 3600.0)


@pytest.mark.usefixtures("rests_for_good")
@pytest.mark.parametrize("woken_by", ["a change at the entrance", "an order"])
async def test_a_house_at_rest_is_looked_at_again_at_once(tmp_path: Path, woken_by: str) -> None:
    async with day(tmp_path) as made, run_tasks(made.diary.run()):
        await wait_until(lambda: made.owed == 1)
        await asyncio.sleep(0)
        if woken_by == "an order":
            await receive(made.made.store, make_offer())
            made.diary.refresh("front")
        else:
            await made.made.front.step(e.Stopped(epoch=1))
        await wait_until(lambda: made.owed > 1)


async def test_the_cameras_of_who_is_let_in_again_start_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "POLL_INTERVAL_S", 3600.0)
    async with day(tmp_path, start=START) as made, run_tasks(made.diary.run()):
        await wait_until(lambda: made.owed == 1)
        await receive(made.made.store, make_offer())
        made.diary.refresh("front")
        await wait_until(lambda: made.ring() == {"cam": True, "hall": True})


@pytest.mark.usefixtures("rests_for_good")
async def test_a_house_at_rest_is_looked_at_again_when_a_window_comes_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "POLL_INTERVAL_S", 0.01)
    async with day(tmp_path, {}, start=START - 120.3) as made:
        await made.look()  # every message that waits is decided on
        waiting = made.made.front._event_queue  # noqa: SLF001 - as in `look`
        async with run_tasks(made.diary.run()):
            await wait_until(lambda: made.owed >= 2)
            made.made.time.mono = START - 119
            await wait_until(lambda: e.WindowChanged(near=True) in list(waiting))
