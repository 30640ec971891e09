"""What was acknowledged is on disk: shown by system calls, by kills at each write and sync, by disks that fail.

The oracle is the file as the next process finds it, and the kernel's record of what was called in which order.
"""

import asyncio
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.protocol.hash_chain import find_break
from gateway.storage.models import CommitResult, StoreFailed
from gateway.storage.writer import IDLE_CHECKPOINT_COMMITS
from tests.gateway.databases.storing import delivery_name, make_store
from tests.gateway.domain.delivery.house import commit_reservation, open_store, receive, visit_delivery
from tests.gateway.domain.delivery.shop import NOON, NOW, make_offer
from tests.gateway.storage.test_store import writer_of
from tests.waiting import wait_until

HOW_MANY = 12
PATIENCE = 120  # seconds: a traced process on a loaded machine is slow
STRACE = which("strace") or "strace"  # where it is missing these tests fail: they are never skipped


@dataclass(frozen=True)
class Told:
    """What the storing process said, and how it ended."""

    acknowledged: set[int]
    failed: set[int]
    code: int
    trace: list[str]


async def store_in_a_process(folder: Path, *strace: str, limit: int | None = None) -> Told:
    """Let another process reserve the deliveries, watched (or hurt) by strace."""
    trace = folder.parent / "trace"
    command = [sys.executable, "-m", "tests.gateway.databases.storing", str(folder), str(HOW_MANY)]
    if limit is not None:
        command.append(str(limit))
    if strace:
        command = [STRACE, "-f", "-qq", "-y", "-o", str(trace), *strace, *command]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    said = re.findall(r"^(ack|failed) (\d+)$", done.stdout, re.MULTILINE)
    if not strace:
        assert done.stderr == ""
    return Told(
        acknowledged={int(number) for word, number in said if word == "ack"},
        failed={int(number) for word, number in said if word == "failed"},
        code=done.returncode,
        trace=trace.read_text(errors="replace").splitlines() if trace.exists() else [],
    )


def wal_only(folder: Path) -> tuple[str, ...]:
    """Watch and hurt only the WAL: 1 sync and 1 write for its head, then 1 sync a commit and 2 writes a page."""
    return "-P", str(folder / "perron.sqlite-wal")


async def found(folder: Path) -> set[int]:
    """What the next process finds reserved; its log must be whole."""
    async with open_store(folder) as store:
        assert find_break(store.log.entries()) is None
        stored = {
            number
            for number in range(HOW_MANY)
            if visit_delivery(store, f"shop.{delivery_name(number)}").refusal is Refusal.ALREADY_USED
        }
        assert stored == {n for n in range(HOW_MANY) if store.log.seqs_of_visit(f"visit-{n}")}, (
            "an intent without its entry"
        )
        return stored


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    made = tmp_path / "var"
    made.mkdir()
    await make_store(made, HOW_MANY)
    return made


@pytest.mark.slow
async def test_every_acknowledgement_comes_after_the_sync_of_its_commit(folder: Path) -> None:
    told_of = await store_in_a_process(folder, "-e", "trace=pwrite64,write,fdatasync,fsync")
    assert told_of.acknowledged == set(range(HOW_MANY))
    unsynced = written = acknowledgements = 0
    for line in told_of.trace:
        if re.search(r"pwrite64\(\d+<[^>]*-wal>", line):
            unsynced += 1
            written += 1
        elif re.search(r"f(data)?sync\(\d+<[^>]*-wal>\)\s+= 0", line) or re.search(
            r"<\.\.\. f(data)?sync resumed", line
        ):
            unsynced = 0
        elif re.search(r'write\(1<[^>]*>, "ack \d+', line):
            acknowledgements += 1
            assert unsynced == 0, line
            assert written > 0, line
            written = 0
    assert acknowledgements == HOW_MANY


@pytest.mark.slow
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
@pytest.mark.parametrize("when", [1, 2, 3, 5, 8])
async def test_a_process_killed_at_a_write_or_sync_has_lost_nothing_that_it_acknowledged(
    folder: Path, call: str, when: int
) -> None:
    told_of = await store_in_a_process(
        folder, *wal_only(folder), "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}"
    )
    assert told_of.code in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert len(told_of.acknowledged) < HOW_MANY
    stored = await found(folder)
    assert told_of.acknowledged <= stored
    assert len(stored) <= len(told_of.acknowledged) + 1  # the last may be there: then it counts as spent
    again = await store_in_a_process(folder)
    assert again.acknowledged == set(range(HOW_MANY)) - stored
    assert await found(folder) == set(range(HOW_MANY))


@pytest.mark.slow
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
@pytest.mark.parametrize("when", [2, 4, 7])
async def test_a_write_or_sync_that_fails_fails_its_step_alone_and_is_not_tried_again(
    folder: Path, call: str, when: int
) -> None:
    inject = f"inject={call}:error=EIO:when={when}"
    told_of = await store_in_a_process(folder, *wal_only(folder), "-e", "trace=pwrite64,fdatasync", "-e", inject)
    assert told_of.code == 0
    assert len(told_of.failed) == 1
    assert told_of.acknowledged == set(range(HOW_MANY)) - told_of.failed
    assert await found(folder) == told_of.acknowledged
    at = next(n for n, line in enumerate(told_of.trace) if "EIO" in line)
    assert "pwrite64" in told_of.trace[at + 1], "a sync after a failed one, without the pages written anew"


@pytest.mark.slow
async def test_a_full_disk_fails_steps_and_when_there_is_room_again_they_are_stored(folder: Path) -> None:
    """The kernel refuses to let the file grow (EFBIG), as it refuses on a full disk."""
    told_of = await store_in_a_process(folder, limit=16_000)
    assert told_of.code == 0
    assert told_of.failed
    assert max(told_of.acknowledged) > max(told_of.failed)
    assert await found(folder) == told_of.acknowledged


async def test_a_full_database_fails_the_step_and_changes_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        head = store.log.head()
        await writer_of(store).do(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
        failed = 0
        while not failed:
            try:
                await store.log.append("filler", {"text": "x" * 3000}, NOW)
                head = store.log.head()
            except StoreFailed:
                failed += 1
        assert store.log.head() == head
        assert isinstance(await commit_reservation(store), CommitResult)  # a new connection, without the limit
        assert find_break(store.log.entries()) is None


async def test_all_of_a_commit_that_failed_are_told_so(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await writer_of(store).do(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
        much = [store.log.append("filler", {"text": "x" * 100_000}, NOW) for _ in range(3)]
        outcomes = await asyncio.gather(*much, return_exceptions=True)
        assert all(isinstance(outcome, StoreFailed) for outcome in outcomes)
        store.box.post_time_floor(NOON)  # what may be lost does not make noise
        assert await store.box.next_session_number() == 1


@pytest.mark.slow
async def test_the_wal_does_not_grow_for_ever(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        writer = writer_of(store)

        def not_checkpointed() -> int:
            return writer.commits - writer._checkpointed_count  # noqa: SLF001 - nothing else tells of a checkpoint

        for _ in range(6):
            for _ in range(100):
                await store.log.append("filler", {"text": "x" * 2000}, NOW)
            await wait_until(lambda: not_checkpointed() < IDLE_CHECKPOINT_COMMITS)
        assert (tmp_path / "perron.sqlite-wal").stat().st_size < 8_000_000
        assert (tmp_path / "perron.sqlite").stat().st_size > 300_000
    assert not (tmp_path / "perron.sqlite-wal").exists()
