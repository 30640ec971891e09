"""A power cut at any instant: the disk may lose or tear what was not synced, and no delivery opens twice.

One record of a real store and its mark, then seeded cuts of it (`tests/powercut.py`).
"""

import asyncio
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.domain.delivery.result import DoorResult, Refusal
from gateway.evidence.rollback import MARK_FILE, STORE_FILE, StoreDoubt, find_doubt, load_own_key
from gateway.protocol.hash_chain import find_break
from gateway.storage.schema import connect
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import visit_delivery
from tests.gateway.domain.delivery.shop import NOW, make_home
from tests.gateway.storage.visits import make_box
from tests.powercut import Call, Disk, read_record, strace

HOW_MANY = 10
CUTS = 80
PATIENCE = 120  # seconds: a traced process on a loaded machine is slow


NAMES = ("openat", "rename", "unlink")


@dataclass(frozen=True, slots=True)
class Recorded:
    """`folder`: as the record names it; `first`: what was in it before."""

    folder: Path
    first: Path
    calls: tuple[Call, ...]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """All visits, recorded once."""
    base = tmp_path_factory.mktemp("power")
    folder, first, record = base / "box", base / "first", base / "record"
    folder.mkdir()
    asyncio.run(make_box(folder, HOW_MANY))
    shutil.copytree(folder, first)
    command = [*strace(record), sys.executable, "-m", "tests.gateway.storage.visits", str(folder), str(HOW_MANY)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
    return Recorded(folder, first, tuple(read_record(record.read_text(encoding="ascii").splitlines())))


@dataclass(slots=True)
class Told:
    """What had left the box before the cut, and what might have."""

    unlocked: set[int]
    locked: set[int]
    is_stopped: bool | None  # None: one of both was on its way

    @classmethod
    def before(cls, calls: Sequence[Call], cut: int) -> "Told":
        words = [call.data.decode().split() for call in calls[:cut] if call.name == "write" and call.fd == 1]
        later = [call.data.decode().split() for call in calls[cut:] if call.name == "write" and call.fd == 1]
        stops = [word[0] for word in words if word[0] in {"stop", "lift"}]
        is_next = bool(later) and later[0][0] in {"stop", "lift"}
        return cls(
            unlocked={int(word[1]) for word in words if word[0] == "unlock"},
            locked={int(word[1]) for word in words if word[0] == "locked"},
            is_stopped=None if is_next else stops[-1:] == ["stop"],
        )


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    store = await Store.open(folder / STORE_FILE, home=make_home(), now=NOW)
    try:
        yield store
    finally:
        await store.close()


async def complaints(folder: Path, told: Told) -> list[str]:
    """What a box that begins here finds wrong; nothing is as it must be."""
    if damage := _damage(folder / STORE_FILE):
        return damage
    key, line, lost = load_own_key(folder)
    async with opened(folder) as store:
        wrong = [] if find_break(store.log.entries()) is None else ["the log's chain is broken"]
        doubt = lost or find_doubt(folder / MARK_FILE, store.log.hash_at, store.rollback.condition(), key.public, line)
        wrong += [] if doubt is None else [f"a doubt of the box's own newest store: {doubt}"]
        used = {n for n in range(HOW_MANY) if visit_delivery(store, f"shop.d{n}").refusal is Refusal.ALREADY_USED}
        wrong += [f"{n} opened and may open again" for n in told.unlocked - used]
        wrong += [
            f"{n} is used and nobody opened" for n in used - told.unlocked if n > max(told.unlocked, default=-1) + 1
        ]
        is_stopped = store.entrances.stop_state("front").stopped
        if told.is_stopped is not None and is_stopped is not told.is_stopped:
            wrong.append("the owner's stop is another")
    return wrong + _rows_wrong(folder, told)


def _damage(file: Path) -> list[str]:
    """What SQLite itself finds wrong; asked first, as the box's start does."""
    with closing(sqlite3.connect(file)) as db:
        try:
            return [f"SQLite: {text}" for (text,) in db.execute("PRAGMA integrity_check") if text != "ok"]
        except sqlite3.DatabaseError as failure:
            return [f"SQLite: {failure}"]


def _rows_wrong(folder: Path, told: Told) -> list[str]:
    with closing(connect(folder / STORE_FILE, writes=False)) as db:
        locked = {
            int(name.removeprefix("visit-"))
            for name in db.column("SELECT id FROM visit WHERE house = ?", (DoorResult.LOCKED_AGAIN,))
        }
        wrong = [f"{n} was told locked and is not" for n in told.locked - locked]
        wrong += [f"{n} is locked again and was never opened" for n in locked - told.unlocked]
        reserved = set(db.column("SELECT id FROM visit"))
        query = "SELECT visit FROM entry WHERE visit IS NOT NULL AND instr(CAST(body AS TEXT), '\"Reserve\"')"
        logged = set(db.column(query))
        wrong += [f"{name}: its row and its entry do not fit" for name in reserved ^ logged]
    return wrong


def anywhere(calls: Sequence[Call], chance: random.Random) -> int:
    """Choose an instant: any, or one just after a name has changed or after a word has left the box."""
    near = chance.choice([(), NAMES, ("write",)])
    chosen = [number for number, call in enumerate(calls) if call.name in near and (call.name in NAMES or call.fd == 1)]
    return chance.choice(chosen) + chance.randrange(8) if chosen else chance.randrange(len(calls) + 1)


def just_after_an_unlock(calls: Sequence[Call], chance: random.Random) -> int:
    """Choose an instant at which the newest mark may not be synced."""
    unlocks = [number for number, call in enumerate(calls) if call.fd == 1 and call.data.startswith(b"unlock")]
    return chance.choice(unlocks) + 1 + chance.randrange(3)


def disk_at(recorded: Recorded, calls: Sequence[Call], cut: int) -> Disk:
    disk = Disk(recorded.folder, recorded.first)
    for call in calls[:cut]:
        disk.take(call)
    return disk


def cuts(
    recorded: Recorded, calls: Sequence[Call], many: int, into: Path, at: Callable[..., int] = anywhere
) -> Iterator[tuple[int, Path, Told]]:
    """Cut the power at seeded instants; yield the seed, what is there then, and what had left the box."""
    for seed in range(many):
        chance = random.Random(seed)
        cut = at(calls, chance)
        folder = into / str(seed)
        shutil.copytree(recorded.first, folder, ignore=shutil.ignore_patterns(f"{STORE_FILE}*", MARK_FILE))
        disk_at(recorded, calls, cut).cut(folder, chance)
        yield seed, folder, Told.before(calls, cut)
        shutil.rmtree(folder)


@pytest.mark.slow
async def test_wherever_the_power_fails_the_box_knows_what_it_has_opened(recorded: Recorded, tmp_path: Path) -> None:
    found = {}
    for seed, folder, told in cuts(recorded, recorded.calls, CUTS, tmp_path):
        if wrong := await complaints(folder, told):
            found[seed] = wrong
    assert found == {}


@pytest.mark.slow
async def test_a_store_from_before_the_visit_is_noticed_also_after_a_power_cut(
    recorded: Recorded, tmp_path: Path
) -> None:
    """It is put back beside the mark that the disk has: nothing else could tell that the delivery was used."""
    said = [(number, call.data.decode().split()) for number, call in enumerate(recorded.calls) if call.fd == 1]
    ends = {int(word[1]): number for number, word in said if word[0] == "locked"}
    found = {}
    for seed, folder, told in cuts(recorded, recorded.calls, CUTS // 2, tmp_path, just_after_an_unlock):
        for file in folder.glob(f"{STORE_FILE}*"):
            file.unlink()
        before = tmp_path / "before"
        before.mkdir()
        disk_at(recorded, recorded.calls, ends.get(max(told.unlocked) - 1, 0)).copy(before)
        for file in before.glob(f"{STORE_FILE}*"):
            shutil.copy(file, folder)
        shutil.rmtree(before)
        key, line, _ = load_own_key(folder)
        async with opened(folder) as store:
            condition = store.rollback.condition()
            found[seed] = find_doubt(folder / MARK_FILE, store.log.hash_at, condition, key.public, line)
    assert found == dict.fromkeys(found, StoreDoubt.ROLLED_BACK)


@pytest.mark.slow
@pytest.mark.parametrize("lies", [rf"{re.escape(STORE_FILE)}-wal$", rf"{re.escape(STORE_FILE)}(-wal)?$"])
async def test_a_disk_that_only_says_that_it_has_synced_is_seen_by_these_tests(
    recorded: Recorded, tmp_path: Path, lies: str
) -> None:
    lied = [call for call in recorded.calls if "sync" not in call.name or not re.search(lies, call.path)]
    wrong = [seed for seed, folder, told in cuts(recorded, lied, CUTS // 3, tmp_path) if await complaints(folder, told)]
    assert wrong
