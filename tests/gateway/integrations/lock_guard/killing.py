"""Kill the guard around its move, again and again, and count what the bolt did. `make soak` does it 200 times."""

import asyncio
import random
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.integrations.lock_guard.file import GuardFile
from gateway.integrations.lock_guard.ledger import LEDGER_FILE, LedgerState
from gateway.mqtt.packets import Sent
from tests.forkserver import ForkedProcess, fork_server
from tests.gateway.integrations.lock_guard.yard import (
    LOCK,
    SET,
    START_TIMEOUT_S,
    GuardTestbed,
    guard_testbed,
)
from tests.waiting import wait_until

ROOT = Path(__file__).parents[4]
CRASH_POINTS = ("kept", "moved")  # between the disk and the move; just after the move
ANY_MOMENT = "any"  # some moment after the order left
NO_CRASH = "never"
MAX_ORDERS = 5  # orders that a busy machine may be too slow for
MAX_MOMENT_S = 0.04  # seconds after an order within which a guard dies at any moment: the bolt needs 0.05
SETTLE_S = 0.3  # seconds in which what was to move would have moved


@dataclass(frozen=True)
class KillResult:
    """What came of one kill."""

    point: str
    withdrawals: int
    kept: bool  # the intent is on the disk


def start_guard(config: Path, point: str) -> ForkedProcess:
    """Start a guard in a process of its own; what it says is kept beside its file."""
    with config.with_suffix(".log").open("wb") as log:
        return fork_server().start(
            ["-m", "tests.gateway.integrations.lock_guard.deadly", str(config), point], log, cwd=ROOT
        )


async def end_guard(heir: ForkedProcess, config: Path) -> None:
    """End a guard that has to live until then.

    Raises:
        AssertionError: it has ended by itself; with the last that it said.
    """
    if heir.returncode is not None:
        said = config.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
        raise AssertionError(f"a guard ended by itself with {heir.returncode}: {said[-500:]}")
    heir.terminate()
    await heir.wait()


async def kill_rounds(folder: Path, points: Iterable[str], rng: random.Random) -> list[KillResult]:
    """Kill a guard at each of these points; then its successor hears the order again, and the gateway tries again."""
    found: list[KillResult] = []
    async with guard_testbed(folder) as place:
        config = folder / "guard.yaml"
        config.write_text(place.file.model_dump_json(), encoding="utf-8")
        for number, point in enumerate(points):
            found.append(await _kill_once(place, config, point, f"v{number}", rng))
            if not place.residence.doorway.thrown:
                place.residence.doorway.move_bolt(thrown=True, cause="hand")
    return found


async def send_unlock(place: GuardTestbed, intent: str) -> None:
    """Let an unlock leave; on a busy machine the challenge may have died meanwhile."""
    for _ in range(MAX_ORDERS):
        await place.ready()
        if isinstance(place.box.unlock(intent), Sent):
            return
    raise AssertionError(f"no unlock leaves for {intent}")


async def send_until_crash(place: GuardTestbed, child: ForkedProcess, intent: str) -> str:
    """Give orders until one brings the guard to the point at which it dies; returns that one's intent.

    An order that is late, or that the radio's broker is too slow for, is refused: then nothing is spent, nothing moves,
    and this is tried with another.
    """
    for number in range(MAX_ORDERS):
        refused, order = len(place.box.refusals()), f"{intent}.{number}"
        await send_unlock(place, order)
        settled = lambda refused=refused: child.returncode is not None or len(place.box.refusals()) > refused  # noqa: E731 - its default
        await wait_until(settled, START_TIMEOUT_S)
        if child.returncode is not None:
            return order
    raise AssertionError(f"{MAX_ORDERS} orders were refused: {place.box.refusals()[-MAX_ORDERS:]}")


async def _kill_once(place: GuardTestbed, config: Path, point: str, intent: str, rng: random.Random) -> KillResult:
    before, orders = place.moves("withdrawn"), len(place.attacker.of(SET))
    child = start_guard(config, point)
    try:
        if point == ANY_MOMENT:
            await send_unlock(place, intent)
            await asyncio.sleep(rng.uniform(0, MAX_MOMENT_S))
            child.send_signal(signal.SIGKILL)
        else:
            intent = await send_until_crash(place, child, intent)
        assert await asyncio.wait_for(child.wait(), 10) == -signal.SIGKILL
        await wait_until(lambda: len(place.attacker.of(SET)) > orders)
    finally:
        if child.returncode is None:
            child.kill()
    order = place.attacker.of(SET)[-1].payload
    heir = start_guard(config, NO_CRASH)
    try:
        await place.attacker.say(SET, order)
        await place.ready()
        await place.attacker.say(SET, order)
        kept = intent in stored_page(place.file).intents
        if kept:  # what was spent is spent, even if the gateway tried again, which it does not
            place.box.unlock(intent)
        await place.box.answer(LOCK)
        await asyncio.sleep(SETTLE_S)
        return KillResult(point, place.moves("withdrawn") - before, kept)
    finally:
        await end_guard(heir, config)


def stored_page(file: GuardFile) -> LedgerState:
    """What the guard has on its disk."""
    return LedgerState.model_validate_json((file.folder / LEDGER_FILE).read_bytes())


def find_violations(found: Iterable[KillResult]) -> list[str]:
    """Say what must not be."""
    return [
        f"killed at {one.point!r}: withdrawn {one.withdrawals} times, {'' if one.kept else 'not '}on the disk"
        for one in found
        if one.withdrawals > 1 or (one.withdrawals and not one.kept) or (one.point == "kept" and one.withdrawals)
    ]
