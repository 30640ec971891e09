"""The simulated lock at a real broker: its guard, and every way in which it can fail or lie."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from devices.commands import LockDoor, UnlockDoor
from devices.reports import (
    BatteryLevel,
    BatteryReport,
    BoltMotion,
    CommandProgress,
    ErrorReport,
    LockReport,
    LockState,
    OperationError,
    OperationSource,
    ProgressReport,
)
from devices.simulators.control import (
    AppUnlock,
    CloseDoor,
    Impossible,
    LockByHand,
    OpenDoor,
    ReadState,
    RebootDevice,
    ThumbTurn,
    TurnKey,
    WalkIn,
)
from devices.vendors.words import TopicSuffix
from tests.devices.street import DOOR, LOCK, HouseClient, connected_house, make_movement, make_unlock

pytestmark = pytest.mark.slow
SHORT_LIFE_S = 0.2  # seconds that a command lives which comes too late
LATE_S = SHORT_LIFE_S + 0.3  # seconds; the margin is for the device's own clock, which counts in milliseconds
BASIC = {"front-lock": {**LOCK, "guarded": False}, "front-door": DOOR}


def says(bolt: LockState, source: OperationSource = OperationSource.UNSPECIFIED, *, jammed: bool = False) -> LockReport:
    return LockReport(bolt=bolt, motion=BoltMotion.IDLE, jammed=jammed, source=source)


async def bolt(there: HouseClient) -> str:
    return str((await there.house.ask(ReadState()))["bolt"])


async def test_an_unlock_moves_the_bolt_once_and_is_told(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.tell("front-lock", await make_unlock(there))
        await there.until_said("front-lock", ProgressReport(id="u1", progress=CommandProgress.ACCEPTED))
        told = await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.REMOTE))
        await there.until_said("front-lock", ProgressReport(id="u1", progress=CommandProgress.CONFIRMED))
        assert told.channel is TopicSuffix.STATE
        moved = there.logged("bolt")
        assert [(line["state"], line["cause"], line["intent"], line["in_air"]) for line in moved] == [
            ("withdrawn", "u1", "v1", False)
        ]


async def test_an_answer_carries_the_question_and_the_lock_s_countdown(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        before = await there.ask("front-lock")
        assert before.reports == (says(LockState.LOCKED),)
        await there.tell("front-lock", await make_unlock(there))
        await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.REMOTE))
        after = await there.ask("front-lock")
        assert after.reports == (says(LockState.UNLOCKED, OperationSource.REMOTE),)
        assert after.boot == before.boot
        assert after.seq is not None
        assert before.seq is not None
        assert after.seq > before.seq
        assert after.uptime_ms is not None
        assert before.uptime_ms is not None
        assert after.uptime_ms >= before.uptime_ms


async def test_a_guarded_lock_refuses_an_id_it_has_seen(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        command = await make_unlock(there)
        await there.tell("front-lock", command)
        await there.until_said("front-lock", ProgressReport(id="u1", progress=CommandProgress.CONFIRMED))
        await there.house.ask(LockByHand())
        await there.tell("front-lock", command)
        await there.until_said("front-lock", ErrorReport(id="u1", failure=OperationError.REPEATED))
        await there.until_logged("refused", command="u1", why="repeated")
        assert await bolt(there) == "thrown"


async def test_a_guarded_lock_refuses_a_late_copy_by_its_own_countdown(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        command = await make_unlock(there, life=SHORT_LIFE_S)
        await asyncio.sleep(LATE_S)
        await there.tell("front-lock", command)
        await there.until_said("front-lock", ErrorReport(id="u1", failure=OperationError.EXPIRED))
        assert await bolt(there) == "thrown"


@pytest.mark.parametrize("seconds", [-600.0, -3.0, 3.0, 600.0])
async def test_a_wrong_wall_clock_changes_nothing_where_there_is_a_countdown(tmp_path: Path, seconds: float) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "clock_off", seconds)
        late = await make_unlock(there, "late", life=SHORT_LIFE_S)
        await asyncio.sleep(LATE_S)
        await there.tell("front-lock", late)
        await there.until_logged("refused", command="late", why="expired")
        await there.tell("front-lock", await make_unlock(there, "in-time"))
        await there.until_logged("bolt", state="withdrawn", cause="in-time")


async def test_without_a_countdown_the_wall_clock_decides_and_may_be_wrong(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "clock_off", 600.0)
        await there.tell("front-lock", make_movement(UnlockDoor, "fast-clock"))
        await there.until_logged("refused", command="fast-clock", why="expired")
        await there.fault("front-lock", "clock_off", -600.0)
        await there.tell("front-lock", make_movement(UnlockDoor, "slow-clock", life=-60))
        await there.until_logged("bolt", state="withdrawn", cause="slow-clock")


async def test_a_command_from_before_a_reboot_is_foreign(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        command = await make_unlock(there, life=60)
        await there.house.ask(RebootDevice(device="front-lock"))
        await there.house.until_connected()
        await there.tell("front-lock", command)
        await there.until_logged("refused", command="u1", why="foreign_boot")
        assert await bolt(there) == "thrown"


async def test_a_guarded_lock_asks_again_as_its_motor_starts(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "late", 2.5)
        await there.tell("front-lock", await make_unlock(there, life=2.0))
        await there.until_said("front-lock", ProgressReport(id="u1", progress=CommandProgress.ACCEPTED))
        await there.until_logged("refused", command="u1", why="expired")
        assert there.logged("bolt") == []


async def test_a_basic_lock_obeys_a_late_copy_and_a_second_one(tmp_path: Path) -> None:
    async with connected_house(tmp_path, BASIC) as there:
        command = make_movement(UnlockDoor, "u1", life=-60)
        await there.tell("front-lock", command)
        await there.until_logged("bolt", state="withdrawn")
        await there.house.ask(LockByHand())
        await there.until_said("front-lock", says(LockState.LOCKED, OperationSource.MANUAL))
        before = len(there.said)
        await there.tell("front-lock", command)
        await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.REMOTE), after=before)
        assert [line["state"] for line in there.logged("bolt")] == ["withdrawn", "thrown", "withdrawn"]


@pytest.mark.parametrize("devices", [BASIC, None], ids=["basic", "guarded"])
async def test_a_retained_command_is_never_obeyed(tmp_path: Path, devices: dict[str, Any] | None) -> None:
    async with connected_house(tmp_path, devices or {"front-lock": LOCK}) as there:
        await there.house.ask(LockByHand())
        await there.client.publish("perron/front-lock/set", b"{}", retain=True)
        await there.tell("front-lock", make_movement(UnlockDoor, "stored"), retain=True)
        await there.until_logged("bolt", state="withdrawn")  # said now, it is no stored command
        await there.house.ask(LockByHand())
        await there.house.ask(RebootDevice(device="front-lock"))  # and now the broker hands out its stored copy
        await there.until_logged("refused", command="stored", why="retained")
        assert await bolt(there) == "thrown"


async def test_a_jam_is_told_and_the_bolt_stays(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "jam")
        await there.tell("front-lock", await make_unlock(there))
        await there.until_said("front-lock", ErrorReport(id="u1", failure=OperationError.UNSPECIFIED))
        await there.until_said("front-lock", says(LockState.LOCKED, jammed=True))
        assert there.logged("bolt") == []
        before = len(there.said)
        await there.fault("front-lock", "jam", on=False)
        await there.until_said("front-lock", says(LockState.LOCKED), after=before)


async def test_a_lock_can_lie_that_it_is_locked(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.tell("front-lock", await make_unlock(there))
        await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.REMOTE))
        await there.fault("front-lock", "jam_says_locked")
        await there.tell("front-lock", make_movement(LockDoor, "l1"))
        await there.until_said("front-lock", says(LockState.LOCKED, OperationSource.REMOTE))
        assert (await there.ask("front-lock")).reports == (says(LockState.LOCKED, OperationSource.REMOTE),)
        assert await bolt(there) == "withdrawn"


async def test_a_silent_lock_acts_and_says_nothing(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        command = await make_unlock(there)
        level = BatteryReport(level=BatteryLevel.GOOD)  # the answer's second half
        await there.until(lambda said: level in said.reports and said.channel is TopicSuffix.RESULT)
        await there.fault("front-lock", "silent")
        before = len(there.said)
        await there.tell("front-lock", command)
        await there.until_logged("bolt", state="withdrawn")
        await there.question("front-lock")
        await there.ask("front-door")  # asked last, answered: so the other one had its time
        assert [said for said in there.said[before:] if said.device == "front-lock"] == []


async def test_a_deaf_lock_does_nothing_but_answers(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "deaf")
        await there.tell("front-lock", await make_unlock(there))
        assert (await there.ask("front-lock")).reports == (says(LockState.LOCKED),)
        assert there.logged("bolt") == []
        assert there.logged("refused") == []


async def test_a_late_lock_acts_late(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "late", 0.7)
        command = await make_unlock(there)
        sent = time.monotonic()
        await there.tell("front-lock", command)
        moved = await there.until_logged("bolt", state="withdrawn")
        assert isinstance(moved["mono"], float)
        assert moved["mono"] - sent >= 0.7


async def test_a_slow_report_comes_after_the_answer(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "slow_report", 2.0)
        await there.tell("front-lock", await make_unlock(there))
        await there.until_logged("bolt", state="withdrawn")
        assert (await there.ask("front-lock")).reports == (says(LockState.UNLOCKED, OperationSource.REMOTE),)
        slow = await there.until(
            lambda said: (
                says(LockState.UNLOCKED, OperationSource.REMOTE) in said.reports and said.channel is TopicSuffix.STATE
            )
        )
        answered = next(said for said in there.said if says(LockState.UNLOCKED, OperationSource.REMOTE) in said.reports)
        assert answered.channel is TopicSuffix.RESULT
        assert there.said.index(answered) < there.said.index(slow)


async def test_a_stale_lock_repeats_the_old_state_after_an_action(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "stale_after_action", 2.0)
        await there.tell("front-lock", await make_unlock(there))
        await there.until_logged("bolt", state="withdrawn")
        assert (await there.ask("front-lock")).reports == (says(LockState.LOCKED, OperationSource.REMOTE),)
        await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.REMOTE))


async def test_an_optimistic_lock_says_unlocked_before_it_is(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "optimistic")
        await there.fault("front-lock", "jam")
        await there.tell("front-lock", await make_unlock(there))
        await there.until_said("front-lock", says(LockState.UNLOCKED))
        await there.until_said("front-lock", says(LockState.LOCKED, jammed=True))
        assert there.logged("bolt") == []


async def test_after_a_reboot_a_basic_lock_may_replay_its_last_command(tmp_path: Path) -> None:
    async with connected_house(tmp_path, BASIC) as there:
        await there.fault("front-lock", "replays")
        await there.tell("front-lock", make_movement(UnlockDoor, "u1"))
        await there.until_logged("bolt", state="withdrawn")
        await there.house.ask(LockByHand())
        await there.until_said("front-lock", says(LockState.LOCKED, OperationSource.MANUAL))
        before = len(there.said)
        await there.house.ask(RebootDevice(device="front-lock"))
        await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.REMOTE), after=before)
        assert [line["cause"] for line in there.logged("bolt")] == ["u1", "hand", "u1"]


async def test_after_a_reboot_a_guarded_lock_refuses_to_replay(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "replays")
        await there.tell("front-lock", await make_unlock(there))
        await there.until_logged("bolt", state="withdrawn")
        await there.house.ask(LockByHand())
        await there.house.ask(RebootDevice(device="front-lock"))
        await there.until_logged("refused", command="u1")
        assert await bolt(there) == "thrown"


async def test_a_bolt_thrown_in_the_air_keeps_the_door_from_closing(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.house.ask(TurnKey())
        await there.house.ask(OpenDoor(who="resident"))
        await there.fault("front-lock", "throw")
        await there.until_logged("bolt", state="thrown", cause="itself", in_air=True)
        await there.until_said("front-lock", says(LockState.LOCKED, OperationSource.AUTO))
        with pytest.raises(Impossible, match="bolt is out"):
            await there.house.ask(CloseDoor(who="resident"))


async def test_a_lock_may_unlock_by_itself_as_if_from_afar(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.fault("front-lock", "unlock_by_itself")
        await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.REMOTE))
        await there.until_logged("bolt", state="withdrawn", cause="from_afar", intent=None)


async def test_a_hand_and_the_maker_s_app_are_told_apart_from_us(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.house.ask(TurnKey())
        await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.MANUAL))
        await there.house.ask(OpenDoor(who="resident"))
        await there.house.ask(WalkIn(who="resident"))
        await there.house.ask(CloseDoor(who="resident"))
        await there.house.ask(LockByHand())
        await there.until_said("front-lock", says(LockState.LOCKED, OperationSource.MANUAL))
        await there.house.ask(ThumbTurn())
        await there.house.ask(LockByHand())
        await there.house.ask(AppUnlock())
        await there.until_said("front-lock", says(LockState.UNLOCKED, OperationSource.PROPRIETARY_REMOTE))


async def test_a_lock_s_own_relock_throws_the_bolt_wherever_the_leaf_is(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-lock": {**LOCK, "relock_s": 0.3}, "front-door": DOOR}) as there:
        await there.house.ask(TurnKey())
        await there.house.ask(OpenDoor(who="resident"))
        await there.until_logged("bolt", state="thrown", cause="itself", in_air=True)


async def test_a_battery_runs_low(tmp_path: Path) -> None:
    async with connected_house(tmp_path) as there:
        await there.question("front-lock")
        await there.until_said("front-lock", BatteryReport(level=BatteryLevel.GOOD))
        await there.fault("front-lock", "battery", "low")
        await there.until_said("front-lock", BatteryReport(level=BatteryLevel.LOW))


async def test_an_alexa_lock_says_jammed_and_not_where(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-lock": {**LOCK, "vendor": "alexa", "address": "lock-1"}}) as there:
        await there.tell("front-lock", await make_unlock(there))
        await there.until_said(
            "front-lock", LockReport(bolt=LockState.UNLOCKED, jammed=False, source=OperationSource.REMOTE)
        )
        await there.fault("front-lock", "throw")
        await there.until_said(
            "front-lock", LockReport(bolt=LockState.LOCKED, jammed=False, source=OperationSource.AUTO)
        )
        await there.fault("front-lock", "jam")
        await there.tell("front-lock", await make_unlock(there, "u2"))
        await there.until_said(
            "front-lock", LockReport(bolt=LockState.UNKNOWN, jammed=True, source=OperationSource.AUTO)
        )
