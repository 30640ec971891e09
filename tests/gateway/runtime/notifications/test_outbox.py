"""What is told beside the door: the owner hears everything once, retailers hear what they are owed."""

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance, Phase
from gateway.mqtt.packets import Acknowledgement, NotSent
from gateway.storage.models import CommitResult
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.shell.box import ShellBox, box, run_tasks
from tests.shell.house import VISIT, entrance_in_visit
from tests.waiting import assert_stays, wait_until

MESSAGE = "perron/entrance/front/message"
QUIET_S = 0.05  # seconds in which a message that is told once too often would have been told
LOCKED = c.NotifyOwner(notification=c.Notification.LOCKED_AGAIN, delivery="shop.d1", visit=VISIT, picture=True)


def messages(made: ShellBox) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for one in made.line.on(MESSAGE)]


async def decided(made: ShellBox, command: c.NotifyOwner | c.RaiseAlarm, state: Entrance | None = None) -> int:
    """Commit a step that tells this, and hand it over as `perform` does; the number under which it is stored."""
    state = state or entrance_in_visit(made.home, Phase.LOCKED_AGAIN)
    outcome = await made.store.commit(make_step(state, command, now=made.clock.now()))
    assert isinstance(outcome, CommitResult)
    (number,) = outcome.messages

    async def picture() -> bytes | None:
        return made.eyes.jpeg

    made.office.notify(
        command, state, made.clock.now(), message=number, picture=picture if _pictured(command) else None
    )
    return number


def on_their_way(made: ShellBox) -> set[int]:
    """The stored messages of which the office does not know yet whether the broker has them."""
    return made.office._in_flight  # noqa: SLF001 - nothing else tells that it has heard of a loss


def _pictured(command: c.NotifyOwner | c.RaiseAlarm) -> bool:
    return isinstance(command, c.NotifyOwner) and command.picture


async def test_the_owner_hears_at_once_with_a_picture_and_it_is_noted(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        await receive(made.store, make_offer())
        async with run_tasks(made.office.run()):
            number = await decided(made, LOCKED)
            # Stored with the decision, before it is told
            assert [one.id for one in made.store.messages.unsent()] == [number]
            await wait_until(lambda: messages(made) and not made.store.messages.unsent())
        (said,) = messages(made)
        assert (said["id"], said["about"], said["to"], said["late"]) == (number, "locked_again", "owner", False)
        assert (said["visit"], said["delivery"], said["urgent"]) == (VISIT, "shop.d1", False)
        assert base64.b64decode(said["picture"]) == made.eyes.jpeg
        assert said["text"].startswith("Reverrouillé à 14:00")


async def test_no_live_picture_does_not_keep_the_words_back(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        made.eyes.jpeg = None
        await decided(made, replace(LOCKED, delivery=None))
        await wait_until(lambda: messages(made))
        assert messages(made)[0]["picture"] is None


async def test_a_picture_that_is_too_large_does_not_keep_the_words_back(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        made.line.refuses = lambda _topic, payload: NotSent.TOO_LARGE if len(payload) > 60_000 else None
        made.eyes.jpeg = b"\xff" * 60_000
        number = await decided(made, replace(LOCKED, delivery=None))
        await wait_until(lambda: messages(made) and not made.store.messages.unsent())
        assert [(one["id"], one["picture"], one["late"]) for one in messages(made)] == [(number, None, False)]


async def test_what_could_not_be_told_is_told_when_the_broker_is_back_and_marked_late(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        made.line.cut()
        number = await decided(made, LOCKED)
        made.time.mono += 3600
        await wait_until(lambda: not on_their_way(made))
        made.line.mend()
        made.office.on_connected()
        await wait_until(lambda: messages(made) and not made.store.messages.unsent())
        (said,) = messages(made)
        assert (said["id"], said["late"]) == (number, True)
        assert said["at"] == "2026-06-10T12:00:00.000Z"  # when it was so, not when it was told
        assert "14:00" in said["text"]


async def test_what_could_not_be_told_is_told_after_a_restart(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        await receive(made.store, make_offer())
        made.line.cut()
        await decided(made, LOCKED)
        await decided(made, c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED))
        await wait_until(lambda: not on_their_way(made))
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        made.office.on_connected()
        await wait_until(lambda: len(messages(made)) == 2 and not made.store.messages.unsent())
        assert [(one["about"], one["late"], one["visit"]) for one in messages(made)] == [
            ("locked_again", True, VISIT),
            ("lock_jammed", True, VISIT),
        ]
        assert "shop" in messages(made)[0]["text"]
        made.office.on_connected()
        await assert_stays(lambda: len(messages(made)) == 2, QUIET_S)


async def test_what_is_on_its_way_is_not_told_a_second_time(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        made.line.slow = True
        waits = asyncio.Event()

        async def slow_picture() -> bytes | None:
            await waits.wait()
            return None

        outcome = await made.store.commit(make_step(entrance_in_visit(made.home), LOCKED, now=made.clock.now()))
        assert isinstance(outcome, CommitResult)
        made.office.notify(LOCKED, entrance_in_visit(made.home), NOW, message=outcome.messages[0], picture=slow_picture)
        made.office.on_connected()  # a new session while its picture is awaited
        waits.set()
        await wait_until(lambda: messages(made))
        made.office.on_connected()  # and while its acknowledgement is
        await assert_stays(lambda: len(messages(made)) == 1, QUIET_S)
        made.line.waiting[0].set_result(Acknowledgement(code=0, seconds=1))
        made.office.on_connected()  # acknowledged, and not noted yet
        await wait_until(lambda: not made.store.messages.unsent())
        made.office.on_connected()
        await assert_stays(lambda: len(messages(made)) == 1, QUIET_S)


async def test_what_the_broker_may_not_have_is_told_again(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        made.line.slow = True
        number = await decided(made, LOCKED)
        await wait_until(lambda: messages(made))
        made.line.cut()
        await wait_until(lambda: not on_their_way(made))
        made.line.mend()
        made.office.on_connected()
        await wait_until(lambda: len(messages(made)) == 2 and not made.store.messages.unsent())
        assert [(one["id"], one["late"]) for one in messages(made)] == [(number, False), (number, True)]


@pytest.mark.parametrize("lost", ["before it is sent", "before it is acknowledged"])
async def test_what_neither_disk_nor_broker_took_is_told_when_the_broker_is_back(tmp_path: Path, lost: str) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):

        def kept() -> int:
            return len(made.office._unsent)  # noqa: SLF001 - nothing else tells that it is to be told again

        made.line.slow = True
        if lost == "before it is sent":
            made.line.cut()
        state, now = made.front.state, made.clock.now()
        made.office.notify(c.RaiseAlarm(code=c.AlarmCode.SAFE_MODE), state, now, message=None, picture=None)
        await wait_until(lambda: messages(made) or kept())
        made.line.cut()
        await wait_until(kept)
        before = len(messages(made))
        made.line.mend()
        for _ in range(2):
            made.office.on_connected()
            await wait_until(lambda: len(messages(made)) > before)
            await assert_stays(lambda: len(messages(made)) == before + 1, QUIET_S)
        (said,) = messages(made)[before:]
        assert (said["about"], said["id"], said["late"]) == ("safe_mode", None, True)


async def test_a_message_stands_under_the_delivery_that_it_speaks_of(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        await receive(made.store, make_offer())
        other = await receive(
            made.store, make_offer(id="d2", parcels=("OTHER-1",), courier_sha256="cd" * 32), brand="farm"
        )
        assert other.result.accepted, other.result.code
        not_ready = c.NotifyOwner(notification=c.Notification.NOT_READY, delivery="farm.d2", detail="lock")
        await decided(made, not_ready)  # while a visit of the shop runs
        nothing_runs = replace(entrance_in_visit(made.home), visit=None)
        await decided(
            made, c.NotifyOwner(notification=c.Notification.NOT_OPENED, delivery="shop.d1", visit="v9"), nothing_runs
        )
        await decided(made, c.NotifyOwner(notification=c.Notification.SAFE_MODE), nothing_runs)
        await wait_until(lambda: len(messages(made)) == 3)
        assert [(one["delivery"], one["visit"]) for one in messages(made)] == [
            ("farm.d2", None),
            ("shop.d1", "v9"),
            (None, None),
        ]
        assert "farm" in messages(made)[0]["text"]
        assert "shop" in messages(made)[1]["text"]


async def test_an_entrance_that_is_no_longer_configured_stops_nothing(tmp_path: Path) -> None:
    async with box(tmp_path) as made:
        alarm = c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED)
        await made.store.commit(make_step(Entrance(id="garage"), alarm, now=made.clock.now()))
        smaller = made.home.model_copy(update={"entrances": {"front": made.home.entrances["front"]}})
    async with box(tmp_path, smaller) as made, run_tasks(made.office.run()):
        made.office.on_connected()
        await assert_stays(lambda: messages(made) == [], QUIET_S)


def results_of(made: ShellBox) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for one in made.line.on("perron/deliveries/result")]


async def test_a_retailer_hears_the_last_of_several_results_of_a_moment(tmp_path: Path) -> None:
    async with box(tmp_path) as made, run_tasks(made.office.run()):
        await receive(made.store, make_offer())
        state = entrance_in_visit(made.home, Phase.INSIDE)
        for lacking in (("lock",), ("door",), ("clock",)):
            command = c.ReportReadiness(delivery="shop.d1", lacking=lacking)
            await made.store.commit(make_step(state, command, now=made.clock.now()))
            made.office.schedule_results()
            await asyncio.sleep(0)
        await wait_until(lambda: results_of(made))
        assert [one["lacking"] for one in results_of(made)] == [["clock"]]


async def test_results_are_told_until_the_broker_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.runtime.notifications.outbox.RESULTS_DELAY_S", 0)

    def results() -> list[dict[str, Any]]:
        return results_of(made)

    async with box(tmp_path) as made, run_tasks(made.office.run()):
        await receive(made.store, make_offer())
        made.time.mono += 3 * 3600 + 60  # the window is over, and nobody came
        made.line.cut()
        made.office.schedule_results()
        await assert_stays(lambda: results() == [], QUIET_S)
        made.line.mend()
        made.line.slow = True
        made.office.on_connected()
        await wait_until(results)
        made.line.cut()  # lost on the way: nobody knows
        await asyncio.sleep(0)  # one turn of the loop, in which the office hears of it
        made.line.mend()
        made.office.on_connected()
        await wait_until(lambda: len(results()) == 2)
        assert {(one["delivery"], one["state"]) for one in results()} == {("d1", "expired")}
        brand = results()[0]["brand"]
        own = [json.loads(one.payload) for one in made.line.on(f"perron/deliveries/result/{brand}")]
        assert own[-1] == results()[-1], "the brand hears it on a topic that no other brand reads"
        await wait_until(lambda: not made.store.deliveries.changed_results(made.clock.now()))
        made.office.schedule_results()
        await assert_stays(lambda: len(results()) == 2, QUIET_S)
