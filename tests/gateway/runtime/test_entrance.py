"""One running entrance: what it hears, and in what order it decides, stores and acts."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from devices.reports import (
    DoorReport,
    DoorState,
    LockReport,
    LockState,
)
from devices.vendors.words import TopicSuffix
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.result import DoorResult, Refusal
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Entrance, Phase, Timer
from gateway.protocol.hash_chain import ChainHead
from gateway.runtime.entrance import MAX_UNSTORED_STEPS, EntranceActor, code_text, new_scan
from gateway.runtime.event_queue import MAX_QUEUED_LABELS, MAX_QUEUED_SCANS
from gateway.storage.models import StoredDecision, StoreFailed
from gateway.system.clock import Clock
from gateway.system.clock_settings import ClockSection
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_offer, make_update
from tests.gateway.storage.test_store import writer_of
from tests.shell.box import IN_WINDOW_MONO_S, ShellBox, box, box_in_window, run_box, run_tasks
from tests.shell.parts import ManualTime
from tests.slow_disk import slow_disk
from tests.waiting import assert_stays, wait_until

DOOR_WORDS = {"perron/lock/set", "perron/lock/get", "perron/door/get"}


@pytest.fixture
async def ready(tmp_path: Path) -> AsyncIterator[ShellBox]:
    """A good day in the middle of a window; everything runs."""
    async with box_in_window(tmp_path) as made:
        made.order.clear()
        yield made


def unlocks(made: ShellBox) -> list[Any]:
    return [json.loads(one.payload) for one in made.line.on("perron/lock/set") if b'"unlock"' in one.payload]


def phase_of(made: ShellBox) -> Phase | None:
    return None if made.front.state.visit is None else made.front.state.visit.phase


async def all_taken(made: ShellBox) -> None:
    """Wait until the front entrance has taken each event that waits: a few turns of the loop, and no time of `quiet`.

    It decides on an event in the turn in which it takes it.
    """
    await wait_until(lambda: not made.front._event_queue, every=0.0)  # noqa: SLF001 - nothing else tells of what is taken


async def test_whoever_follows_an_entrance_later_displaces_nobody(ready: ShellBox) -> None:
    told: list[str] = []
    for name in ("walk", "pages"):
        ready.front.on_change.append(partial(told.append, name))
    ready.front.publish_change()
    assert told == ["walk", "pages"]


# ---- commit before effect --------------------------------------------------------------------------------------------


async def test_the_intent_is_on_disk_before_the_unlock_leaves(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)
    ready.order.clear()
    await ready.commits(visit)
    await wait_until(lambda: unlocks(ready))
    await ready.quiet()
    start = ready.order.index("reached before-commit")
    assert ready.order[start : start + 6] == [
        "reached before-commit",
        "commit TimerExpired",
        "reached after-commit",
        "perform ReserveOpening",
        "perform Unlock",
        "reached before-publish",
    ]
    (unlock,) = unlocks(ready)
    assert unlock["id"] == visit
    assert ready.store.box.time_floor() == ready.clock.floor == ready.clock.now().utc  # never behind an intent


async def test_only_what_waits_for_no_disk_is_performed_before_its_step_is_committed(ready: ShellBox) -> None:
    ready.order.clear()
    ready.journal.steps.clear()
    await ready.commits(await ready.ring(PARCEL))
    await wait_until(lambda: unlocks(ready))
    await ready.quiet()
    commits = 0
    early: list[tuple[str, int]] = []  # a command's name, and how many commits came before it
    late: list[tuple[str, int]] = []
    for line in ready.order:
        what, _, name = line.partition(" ")
        commits += what == "commit"
        if what == "perform":
            is_early = name in {"AnswerScan", "ShowSignal", "RingBell", "Lock", "Close"}
            (early if is_early else late).append((name, commits))
    waiting = [
        (type(one).__name__, number)
        for number, step in enumerate(ready.journal.steps, start=1)
        for one in step.commands
        if c.when_performed(one) is not c.Performed.BESIDE
    ]
    assert [name for name, _ in late] == [name for name, _ in waiting]
    assert all(before >= needed for (_, before), (_, needed) in zip(late, waiting, strict=True))
    assert {"AnswerScan", "RingBell"} <= {name for name, before in early if before == 0}


class Gate:
    """Steps with one kind of event wait before they are stored, until `open`; they fail if `fails`."""

    def __init__(self, made: ShellBox, *events: type[e.Event]) -> None:
        self.open, self.waiting, self.fails, self._events = asyncio.Event(), 0, False, events
        made.journal.before = self.wait

    async def wait(self, step: StoredDecision) -> None:
        if isinstance(step.event, self._events):
            self.waiting += 1
            await self.open.wait()
            if self.fails:
                raise StoreFailed("no space left on device")


async def test_who_stands_at_the_door_waits_for_no_disk(ready: ShellBox) -> None:
    disk = Gate(ready, e.Scanned)
    ready.order.clear()
    ready.scan(PARCEL)
    await wait_until(lambda: disk.waiting)
    assert ready.order == ["perform AnswerScan", "perform ShowSignal", "perform RingBell"]
    assert ready.front.state.visit is None, "the state changes with the commit"
    disk.open.set()
    await wait_until(lambda: ready.front.state.visit)
    await wait_until(lambda: "perform StartRecording" in ready.order)
    assert ready.order.count("perform RingBell") == 1


async def test_a_decision_that_causes_nothing_holds_nobody_up(ready: ShellBox) -> None:
    disk = Gate(ready, e.HomeChanged)
    ready.front.post(e.HomeChanged(somebody_home=False, away=True))
    await wait_until(lambda: disk.waiting)
    await wait_until(lambda: ready.front.state.away)
    assert await ready.ring(PARCEL), "the next decision is stored meanwhile"
    disk.open.set()


@pytest.mark.parametrize("fails", [False, True])
async def test_nothing_opens_unless_everything_earlier_is_stored(
    ready: ShellBox, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    visit = await ready.ring(PARCEL)
    async with slow_disk(writer_of(ready.store), monkeypatch) as disk:
        disk.fails_once = fails
        ready.front.post(e.HomeChanged(somebody_home=False, away=True))
        await wait_until(lambda: ready.front.state.away)
        ready.order.clear()
        await ready.commits(visit)
        await wait_until(lambda: "reached before-commit" in ready.order)
        assert "reached after-commit" not in ready.order
        assert unlocks(ready) == []
    if fails:
        await wait_until(lambda: ready.front.state.visit is None)
        assert not ready.front.state.disk_ok
        assert "perform ReserveOpening" not in ready.order
    else:
        await wait_until(lambda: unlocks(ready))
    assert bool(unlocks(ready)) is not fails


async def test_a_disk_that_takes_nothing_holds_up_a_flood_of_reports(ready: ShellBox) -> None:
    disk = Gate(ready, e.HomeChanged)
    for number in range(2 * MAX_UNSTORED_STEPS):
        ready.front.post(e.HomeChanged(somebody_home=False, away=number % 2 == 0))
    await wait_until(lambda: disk.waiting == MAX_UNSTORED_STEPS)
    for _ in range(20):
        await asyncio.sleep(0)
    assert disk.waiting == MAX_UNSTORED_STEPS
    disk.open.set()
    await wait_until(lambda: disk.waiting == 2 * MAX_UNSTORED_STEPS)


async def test_that_the_order_left_the_box_is_stored_though_nothing_follows_from_it(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)
    await ready.commits(visit)
    await wait_until(lambda: unlocks(ready))
    await ready.quiet()
    stored = [(step.event, step.commands) for step in ready.journal.steps if isinstance(step.event, e.UnlockPublished)]
    ((published, commands),) = stored
    assert isinstance(published, e.UnlockPublished)
    assert (published.visit, published.closure, commands) == (visit, "door", ())


async def test_a_stop_between_commit_and_unlock_is_obeyed(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)

    async def stop_during_the_intent(step: StoredDecision) -> None:
        if any(isinstance(one, c.ReserveOpening) for one in step.commands):
            ready.front.latch_stop()

    ready.journal.before = stop_during_the_intent
    await ready.commits(visit)
    await wait_until(lambda: ready.commands(c.ReleaseOpening))
    assert unlocks(ready) == []
    assert ready.commands(c.ReleaseOpening)[0].withdrawal  # opening and withdrawal come back
    facts = ready.store.deliveries.facts("shop.d1", ready.clock.now())
    assert facts is not None
    assert (facts.openings_left, facts.withdrawals_left) == (1, 2)


class NoMarks:
    """A disk that takes no mark."""

    synced_seq = -1

    def write(self, _head: ChainHead, _now: Now, *, is_synced: bool) -> bool:
        del is_synced
        return False

    def finish(self, _head: ChainHead, _now: Now) -> None:
        """Nothing is written."""


async def test_an_intent_whose_mark_cannot_be_written_opens_nothing_and_comes_back(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)
    ready.store.box.mark_with(NoMarks())
    await ready.commits(visit)
    await wait_until(lambda: ready.commands(c.ReleaseOpening))
    assert unlocks(ready) == []
    assert ready.commands(c.ReleaseOpening)[0].withdrawal
    assert not ready.front.state.disk_ok, "the disk is not affirmatively good"
    facts = ready.store.deliveries.facts("shop.d1", ready.clock.now())
    assert facts is not None
    assert (facts.openings_left, facts.withdrawals_left) == (1, 2)


async def test_newer_facts_are_decided_first_then_the_event_again(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)
    again = False

    async def the_owner_says_yes_once_more(step: StoredDecision) -> None:
        nonlocal again
        if any(isinstance(one, c.ReserveOpening) for one in step.commands) and not again:
            again = True
            await ready.store.brands.decide(
                "shop", PermissionStatus.GRANTED, ready.clock.now()
            )  # the same terms under a new version

    ready.journal.before = the_owner_says_yes_once_more
    ready.order.clear()
    ready.time.mono += ready.home.entrances["front"].timing.ring + 0.1
    ready.prove(visit)
    ready.front.post(e.HomeChanged(somebody_home=False, away=True))
    await wait_until(lambda: ready.front.state.away)
    await ready.quiet()
    steps = [line for line in ready.order if line.startswith(("commit", "overtaken"))]
    assert steps[:3] == ["overtaken HomeChanged", "commit FactsChanged", "commit HomeChanged"]
    assert len(unlocks(ready)) == 1
    (reserve,) = ready.commands(c.ReserveOpening)
    assert reserve.permission_version == 2


async def test_a_parcel_that_an_update_takes_back_as_it_is_scanned_opens_nothing(ready: ShellBox) -> None:
    async def the_retailer_is_quicker(step: StoredDecision) -> None:
        if any(isinstance(one, c.RingBell) for one in step.commands):
            await receive(ready.store, make_update(parcels=("another",)), now=ready.clock.now())

    ready.journal.before = the_retailer_is_quicker
    ready.scan(PARCEL)
    await wait_until(lambda: ready.commands(c.AnswerScan))
    await ready.quiet()
    assert [answer.refusal for answer in ready.commands(c.AnswerScan)] == [Refusal.UNKNOWN_CODE]
    assert ready.front.state.visit is None
    assert ready.commands(c.RingBell) == []
    ready.scan("another")
    await wait_until(lambda: ready.commands(c.RingBell))


async def test_a_permission_taken_back_meanwhile_opens_nothing(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)

    async def the_owner_is_quicker(step: StoredDecision) -> None:
        if any(isinstance(one, c.ReserveOpening) for one in step.commands):
            await ready.store.brands.decide("shop", PermissionStatus.REVOKED, ready.clock.now())

    ready.journal.before = the_owner_is_quicker
    await ready.commits(visit)
    await wait_until(lambda: ready.front.state.visit is None)
    await ready.quiet()
    assert unlocks(ready) == []
    assert ready.commands(c.AnswerScan)[-1].refusal is Refusal.BRAND_NOT_PERMITTED


# ---- when nothing can be stored --------------------------------------------------------------------------------------


def shut(step: StoredDecision) -> bool:
    """Whether a full disk is in the way of this step: of every one."""
    return step is not None


async def test_an_intent_that_cannot_be_stored_is_dropped_whole(ready: ShellBox) -> None:
    visit = await ready.ring(PARCEL)
    ready.journal.fails = shut
    ready.order.clear()
    await ready.commits(visit)
    await wait_until(lambda: ready.front.state.visit is None)  # refused: the disk is no longer good
    await ready.quiet()
    assert unlocks(ready) == []
    assert "perform Unlock" not in ready.order
    assert "perform ReserveOpening" not in ready.order
    assert not ready.front.state.disk_ok
    facts = ready.store.deliveries.facts("shop.d1", ready.clock.now())
    assert facts is not None
    assert facts.openings_left == 1


async def test_what_never_raises_access_is_done_though_nothing_can_be_stored(tmp_path: Path) -> None:
    async with box(tmp_path, time=ManualTime(mono=IN_WINDOW_MONO_S)) as made:
        await receive(made.store, make_offer(), now=NOW)
        async with run_box(made):
            await made.good_day()
            visit = await made.ring(PARCEL)
            made.bolt = LockState.UNLOCKED
            await made.commits(visit)
            await wait_until(lambda: unlocks(made))
            made.says("lock", LockReport(bolt=LockState.UNLOCKED))
            await wait_until(
                lambda: made.front.state.visit is not None and made.front.state.visit.phase is Phase.UNLOCKED
            )
            made.journal.fails = shut
            made.order.clear()
            made.front.latch_stop()
            made.front.post(e.Stopped(epoch=1))  # the owner stops with the door closed: lock at once
            await wait_until(lambda: any(b'"lock"' in one.payload for one in made.line.on("perron/lock/set")))
            await wait_until(lambda: not made.front.state.disk_ok)
            made.front.post(e.CameraChanged(camera="cam", live=False, moving=False, recording=False))

            def unstored() -> list[str]:
                said = [json.loads(one.payload) for one in made.line.on("perron/entrance/front/message")]
                return [one["about"] for one in said if one["id"] is None]

            await wait_until(lambda: unstored() == ["disk_full", "camera_lost"])
            done = {line.removeprefix("perform ") for line in made.order if line.startswith("perform")}
            assert done <= {
                "Lock",
                "RaiseAlarm",
                "StartRecording",
                "QuerySensor",
                "ShowSignal",
                "NotifyOwner",
                "AnswerScan",
                "StopRecording",
            }
            assert made.front.is_stopped()


async def test_a_disk_that_is_said_to_be_good_again_must_take_that_very_step(ready: ShellBox) -> None:
    ready.journal.fails = shut
    ready.front.post(e.HomeChanged(somebody_home=False, away=True))
    await wait_until(lambda: not ready.front.state.disk_ok)
    assert ready.front.state.away
    for _ in range(3):
        ready.front.post(e.DiskChanged(ok=True))  # there is room, says the diary
    await ready.quiet()
    assert not ready.front.state.disk_ok
    ready.journal.fails = lambda _step: False
    ready.front.post(e.DiskChanged(ok=True))
    await wait_until(lambda: ready.front.state.disk_ok)


async def test_what_became_of_a_visit_while_the_disk_was_full_is_stored_and_told_when_there_is_room(
    tmp_path: Path,
) -> None:
    async with box(tmp_path, time=ManualTime(mono=IN_WINDOW_MONO_S)) as made:
        await receive(made.store, make_offer(), now=NOW)
        async with run_box(made):
            await made.good_day()
            visit = await made.ring(PARCEL)
            made.bolt = LockState.UNLOCKED
            await made.commits(visit)
            await wait_until(lambda: unlocks(made))
            made.says("lock", LockReport(bolt=LockState.UNLOCKED))
            await wait_until(lambda: phase_of(made) is Phase.UNLOCKED)
            made.journal.fails = shut
            for door in (DoorState.OPEN, DoorState.CLOSED):
                made.door = door
                made.says("door", DoorReport(door=door))
                await made.quiet()
                made.passes(30)
            await wait_until(lambda: any(b'"lock"' in one.payload for one in made.line.on("perron/lock/set")))
            made.bolt = LockState.LOCKED
            made.says("lock", LockReport(bolt=LockState.LOCKED))
            for _ in range(6):  # until the film should have closed
                made.passes(30)
                await made.quiet()
            assert "perform StopRecording" in made.order
            assert made.commands(c.ReportDoorResult) == []
            made.journal.fails = lambda _step: False
            made.front.post(e.DiskChanged(ok=True))
            await wait_until(lambda: made.front.state.disk_ok)
            (spent,), (house,) = made.commands(c.ConsumeOpening), made.commands(c.ReportDoorResult)
            assert made.order.index("perform SealProof") > made.order.index("perform StopRecording")
            assert (spent.visit, house.visit, house.door_result) == (visit, visit, DoorResult.LOCKED_AGAIN)
            facts = made.store.deliveries.facts("shop.d1", made.clock.now())
            assert facts is not None
            assert facts.openings_left == 0


# ---- the owner's stop ------------------------------------------------------------------------------------------------


async def test_a_latched_stop_outlives_the_lifting_of_an_earlier_one(ready: ShellBox) -> None:
    front = ready.front
    front.latch_stop()
    front.post(e.Stopped(epoch=1))
    await wait_until(lambda: front.state.stopped)
    front.latch_stop()  # received, and still on its way to the store ...
    front.post(e.StopLifted(epoch=2))  # ... when the lift before it is decided
    await wait_until(lambda: not front.state.stopped)
    assert front.is_stopped()
    front.post(e.Stopped(epoch=3))
    await wait_until(lambda: front.state.stopped)
    front.post(e.StopLifted(epoch=4))
    await wait_until(lambda: not front.is_stopped())


async def test_a_stop_holds_over_a_restart(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        made.entrances["front"].state = replace(made.front.state, stopped=True)
        assert made.front.is_stopped()


# ---- floods ----------------------------------------------------------------------------------------------------------


async def test_a_flood_of_scans_is_dropped_counted_and_alarmed_but_nothing_else_is(tmp_path: Path) -> None:
    async with box(tmp_path, time=ManualTime(mono=IN_WINDOW_MONO_S)) as made:
        for number in range(MAX_QUEUED_SCANS + 30):
            made.scan(f"flood-{number}")
        made.front.post(e.Stopped(epoch=1))
        made.says("door", DoorReport(door=DoorState.OPEN), session=1)
        made.front.post(e.BrokerUp(session=2))
        async with run_box(made):
            await wait_until(lambda: made.front.state.broker_session == 2)
            await made.quiet()
            assert made.front.state.stopped
            events = [type(step.event) for step in made.journal.steps]
            assert events.count(e.Scanned) <= MAX_QUEUED_SCANS
            (alarm,) = made.commands(c.RaiseAlarm)[:1]
            assert alarm == c.RaiseAlarm(code=c.AlarmCode.SCANS_DROPPED, detail="30")
            (message,) = (m for m in made.line.on("perron/entrance/front/message") if b"scans_dropped" in m.payload)
            assert json.loads(message.payload)["id"] is not None  # it is stored like every other


async def test_a_flood_that_goes_on_is_told_once_a_minute(ready: ShellBox) -> None:
    def alarms() -> list[str]:
        return [one.detail for one in ready.commands(c.RaiseAlarm) if one.code is c.AlarmCode.SCANS_DROPPED]

    ready.front.on_messages_lost("scanner")  # by the line, before it came here
    await wait_until(lambda: alarms() == ["1"])
    for _ in range(5):
        ready.front.on_messages_lost("scanner")
    await ready.quiet()
    assert alarms() == ["1"]
    ready.passes(61)
    await wait_until(lambda: alarms() == ["1", "5"])


async def test_scans_are_taken_again_when_the_flood_is_over(ready: ShellBox) -> None:
    for number in range(MAX_QUEUED_SCANS + 5):
        ready.scan(f"flood-{number}")
    await ready.quiet()
    before = len(ready.commands(c.AnswerScan))
    ready.front.post(e.LockoutCleared(scanner="scanner"))
    ready.scan("something-else")
    await wait_until(lambda: len(ready.commands(c.AnswerScan)) > before)


async def test_a_camera_that_is_flooded_takes_none_of_the_scanner_s_places(tmp_path: Path) -> None:
    async with box(tmp_path, time=ManualTime(mono=IN_WINDOW_MONO_S)) as made:
        for number in range(1000):
            made.front.on_label("doorbell", f"shown-{number}")
        for number in range(MAX_QUEUED_SCANS):
            made.scan(f"scan-{number}")
        async with run_box(made):
            await wait_until(lambda: made.order.count("perform AnswerScan") == MAX_QUEUED_SCANS)
            await made.quiet()
            assert c.AlarmCode.SCANS_DROPPED not in [alarm.code for alarm in made.commands(c.RaiseAlarm)]
            assert len(made.front.state.scan_lockouts["doorbell"].tried_codes) == MAX_QUEUED_LABELS


async def test_what_a_camera_reads_and_nobody_knows_makes_no_stored_row(ready: ShellBox) -> None:
    before = len(ready.journal.steps)
    limit = ready.front.state.rules.camera_tried
    for number in range(limit - 1):
        ready.front.on_label("doorbell", f"shown-{number}")
        await all_taken(ready)
        ready.passes(0.1)
    await ready.quiet()
    assert len(ready.journal.steps) == before
    assert len(ready.front.state.scan_lockouts["doorbell"].tried_codes) == limit - 1
    for number in range(500):
        ready.front.on_label("doorbell", f"more-{number}")
        await all_taken(ready)
    await wait_until(lambda: len(ready.journal.steps) > before)
    await ready.quiet()
    (step,) = ready.journal.steps[before:]  # one alarm, which is what the owner is told
    assert [type(command) for command in step.commands] == [c.RaiseAlarm]
    assert step.state.scan_lockouts["doorbell"].locked_out


async def test_whoever_moves_before_a_camera_makes_no_stored_rows(ready: ShellBox) -> None:
    before = len(ready.journal.steps)
    for number in range(100):
        ready.front.post(e.CameraChanged(camera="cam", live=True, moving=number % 2 == 0, recording=False))
        await all_taken(ready)
    await ready.quiet()
    assert ready.front.state.cameras["cam"].moving is False
    assert len(ready.journal.steps) == before


async def test_what_a_camera_sees_that_no_code_can_be_is_not_even_counted(ready: ShellBox) -> None:
    ready.front.on_label("doorbell", "\x07bell")
    await ready.quiet()
    assert "doorbell" not in ready.front.state.scan_lockouts


# ---- time ------------------------------------------------------------------------------------------------------------


async def test_due_events_fire_at_their_instant_without_any_other_event(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        clock = Clock(ClockSection(source="host"), floor=None, keep_floor=lambda _utc: None)
        front = EntranceActor(
            Entrance(id="front", timers={Timer.SIGNAL: clock.now().mono + 0.3}),
            home=made.home, commit=made.journal.commit, matches=made.store.deliveries.matches,
            keeper_of=made.store.keepers.find,
            clock=clock, executor=lambda **_parts: made.front._executor, crash_point=lambda _point: None,  # noqa: SLF001 - as good as new
        )  # fmt: skip
        due = front.state.timers[Timer.SIGNAL]
        async with run_tasks(front.run()):
            await assert_stays(lambda: made.journal.steps == [] or clock.now().mono >= due, 0.05)
            await wait_until(lambda: made.journal.steps)
        (step,) = made.journal.steps
        assert step.event == e.TimerExpired()
        assert step.now.mono >= due
        assert step.commands == (c.ShowSignal(light="off", sound="none"),)  # type: ignore[arg-type] # equal to the words


async def test_what_has_arrived_is_heard_before_silence_is_acted_on(ready: ShellBox) -> None:
    await wait_until(lambda: ready.front.state.disk_ok)
    before = len(ready.journal.steps)
    ready.time.mono += 10_000  # every deadline is over, and an answer waits in the inbox
    ready.front.post(e.HomeChanged(somebody_home=True, away=False))
    ready.front.post(e.TimerExpired())
    await wait_until(lambda: ready.front.state.somebody_home)
    heard = [type(step.event) for step in ready.journal.steps[before:]]
    assert next(kind for kind in heard if kind is not e.SensorReported) is e.HomeChanged, "a sensor may speak meanwhile"


# ---- scans -----------------------------------------------------------------------------------------------------------


async def test_a_retained_scan_reaches_the_decision_as_retained_and_is_never_acted_on(ready: ShellBox) -> None:
    ready.scan(PARCEL, retain=True)
    await wait_until(lambda: ready.commands(c.LogNote))
    event = ready.journal.steps[-1].event
    assert isinstance(event, e.Scanned)
    assert event.retained
    assert ready.commands(c.LogNote) == [c.LogNote(what="retained_scan")]
    assert ready.front.state.visit is None
    assert ready.line.on("perron/scanner/set") == []


BAD = {
    "unprintable": "\x07bell\x1b[31m",
    "10 kB": "x" * 10_000,
    "a surrogate": "\ud800",
    "a courier's digest": "courier:" + "ab" * 32,
    "half a GS1 string": "]C1zz",
    "nothing": "  ",
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
async def test_what_can_be_no_code_is_one_wrong_attempt_under_a_safe_name(ready: ShellBox, raw: str) -> None:
    ready.front.post(new_scan("scanner", code_text(raw)))
    await wait_until(lambda: ready.commands(c.AnswerScan))
    await _one_wrong_attempt(ready)


@pytest.mark.parametrize("payload", [b"\xff\xfe\x00", b"x" * 10_000, b'{"barcode": 7}', b"a\x1b[31mb"])
async def test_what_a_scanner_sends_that_is_no_code_is_one_wrong_attempt(ready: ShellBox, payload: bytes) -> None:
    ready.hear("scanner", TopicSuffix.EVENT, payload)
    await wait_until(lambda: ready.commands(c.AnswerScan))
    await _one_wrong_attempt(ready)


async def _one_wrong_attempt(ready: ShellBox) -> None:
    await ready.quiet()
    ((name, _),) = ready.front.state.scan_lockouts["scanner"].unknown_codes
    assert name.startswith("bad:")
    assert name.isascii()
    assert len(name) == 20
    (answer,) = ready.commands(c.AnswerScan)
    assert (answer.answer, answer.refusal) == (c.ScanAnswer.NO, Refusal.UNKNOWN_CODE)


async def test_a_gtin_is_one_wrong_attempt(ready: ShellBox) -> None:
    ready.scan("]E04006381333931")
    await wait_until(lambda: ready.commands(c.AnswerScan))
    assert [answer.refusal for answer in ready.commands(c.AnswerScan)] == [Refusal.UNKNOWN_CODE]
    assert len(ready.front.state.scan_lockouts["scanner"].unknown_codes) == 1


async def test_an_emptied_topic_is_no_scan(ready: ShellBox) -> None:
    ready.hear("scanner", TopicSuffix.EVENT, b"")
    ready.hear("scanner", TopicSuffix.EVENT, b"\r\n")
    ready.hear("scanner", TopicSuffix.AVAILABILITY, b"what")
    await ready.quiet()
    assert ready.commands(c.AnswerScan) == []


# ---- the log ---------------------------------------------------------------------------------------------------------


async def test_a_decisions_log_line_is_the_stored_row_and_holds_no_code(ready: ShellBox) -> None:
    with structlog.testing.capture_logs() as lines:
        ready.scan("SECRET-CODE-4711")
        await wait_until(lambda: ready.commands(c.AnswerScan))
        await ready.quiet()
    decisions = [line for line in lines if line["event"] == "decision"]
    assert decisions
    for line in decisions:
        (entry,) = ready.store.log.entries(after=line["entry"] - 1, upto=line["entry"])
        assert line["row"] == entry.body
    assert "SECRET" not in repr(lines)
    assert json.loads(decisions[0]["row"])["event"]["code"]["last"] == "4711"


async def test_the_last_state_is_published_when_the_gateway_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.effects.ANNOUNCE_DELAY_S", 3600)
    async with box(tmp_path) as made:
        async with run_tasks(made.front.run()):
            made.front.post(e.HomeChanged(somebody_home=True, away=False))
            await wait_until(lambda: made.front.state.somebody_home)
            assert made.line.on("perron/entrance/front/state") == []
        (shown,) = made.line.on("perron/entrance/front/state")
        assert json.loads(shown.payload)["somebody_home"] is True


async def test_a_decision_that_could_not_be_stored_is_logged_as_such(ready: ShellBox) -> None:
    ready.journal.fails = shut
    with structlog.testing.capture_logs() as lines:
        ready.front.post(e.HomeChanged(somebody_home=True, away=False))
        await wait_until(lambda: ready.front.state.somebody_home)
    line = next(line for line in lines if line["event"] == "step_not_stored")
    assert (line["event_kind"], line["dropped"], line["log_level"]) == ("HomeChanged", False, "error")
