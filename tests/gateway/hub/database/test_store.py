import asyncio
import contextlib
import re
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from gateway.hub.database import migrations, sqlite
from gateway.hub.database.store import HubStore, StoreUnavailable, StoreUnusable, new_id, new_row_id
from gateway.hub.database.tables import retailers
from tests.waiting import wait_until

BETWEEN_CANCELS_S = 0.01  # seconds; the task has begun to end by the first one when the second one comes
NOW = datetime(2026, 11, 25, 17, 0, 0, 123456, tzinfo=UTC)


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'hub.sqlite3'}"


async def test_what_was_written_is_there_after_a_restart_to_the_microsecond(tmp_path: Path) -> None:
    store, name = await HubStore.open(url(tmp_path)), new_id("ret")
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id=name, name="Maison Lune", created=NOW))
    await store.close()
    again = await HubStore.open(url(tmp_path))
    async with again.reading() as tx:
        row = (await tx.execute(select(retailers))).one()
    await again.close()
    assert (row.id, row.name, row.created) == (name, "Maison Lune", NOW)


ELSEWHERE = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print([name for name, in connection.execute("SELECT name FROM retailers ORDER BY name")])
connection.close()
"""


async def test_another_process_that_looks_takes_nothing_away_also_where_the_hub_has_opened_its_file_twice(
    tmp_path: Path,
) -> None:
    """POSIX: whoever closes a file once more in a process gives back all locks that the process has on it."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite3'}"

    async def elsewhere() -> str:
        asked = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ELSEWHERE, str(tmp_path / "hub.sqlite3"), stdout=asyncio.subprocess.PIPE
        )
        return (await asked.communicate())[0].decode().strip()

    async def written(name: str) -> None:
        async with store.writing() as tx:
            await tx.execute(insert(retailers).values(id=f"ret-{name}", name=name, created=NOW))

    store = await HubStore.open(url)
    await written("a")  # so it has a connection, and locks, when the file is opened again
    again = await HubStore.open(url)
    try:
        for name, seen in (("b", "['a', 'b']"), ("c", "['a', 'b', 'c']"), ("d", "['a', 'b', 'c', 'd']")):
            await written(name)
            assert await elsewhere() == seen
    finally:
        await again.close()
        await store.close()


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = await HubStore.open(url(tmp_path))

    async def fails() -> None:
        async with store.writing() as tx:
            await tx.execute(insert(retailers).values(id=new_id("ret"), name="x", created=NOW))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with store.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(retailers)) == 0
    await store.close()


async def test_of_transactions_that_are_committed_together_one_that_fails_leaves_nothing_and_the_others_stay(
    tmp_path: Path,
) -> None:
    store = await HubStore.open(url(tmp_path))

    async def one(number: int) -> None:
        async with store.writing() as tx:
            for part in range(2):
                await tx.execute(insert(retailers).values(id=f"ret-{number}-{part}", name="x", created=NOW))
                await asyncio.sleep(0)
            if number % 3 == 0:
                raise ZeroDivisionError

    ends = await asyncio.gather(*(one(number) for number in range(12)), return_exceptions=True)
    assert [isinstance(end, ZeroDivisionError) for end in ends] == [number % 3 == 0 for number in range(12)]
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.sqlite3")) as other:
        kept = sorted(name for (name,) in other.execute("SELECT id FROM retailers"))
    await store.close()
    assert kept == sorted(f"ret-{number}-{part}" for number in range(12) if number % 3 for part in range(2))


async def test_who_is_cancelled_during_a_commit_finds_it_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await HubStore.open(url(tmp_path))
    await write(store)
    begun, may_end = threading.Event(), threading.Event()
    commit = sqlite.SQLiteDatabase._commit_durably  # noqa: SLF001 - nothing else knows when a commit begins

    async def slow(database: sqlite.SQLiteDatabase, connection: sqlite3.Connection) -> None:
        begun.set()
        await asyncio.to_thread(may_end.wait, 10)
        await commit(database, connection)

    monkeypatch.setattr(sqlite.SQLiteDatabase, "_commit_durably", slow)
    task = asyncio.create_task(write(store))
    await wait_until(begun.is_set)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(BETWEEN_CANCELS_S)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.sqlite3")) as other:
        assert other.execute("SELECT count(*) FROM retailers").fetchone() == (2,)
    await store.close()


async def kept_of_a_group(folder: Path, fail: Callable[[sqlite3.Connection], object]) -> set[str]:
    """Commit three transactions together, call `fail` in the second, commit a fourth; return whose rows are stored.

    Each caller was told the truth about its row.
    """
    store = await HubStore.open(url(folder))
    others_wait = asyncio.Event()

    async def one(name: str) -> None:
        async with store.writing() as tx:
            await tx.execute(insert(retailers).values(id=f"ret-{name}", name=name, created=NOW))
            if name == "failing":
                assert isinstance(tx, sqlite.SQLiteTransaction)
                await others_wait.wait()
                fail(tx._connection)  # noqa: SLF001 - only the connection can do what a full or broken disk does

    tasks = [asyncio.create_task(one(name)) for name in ("before", "failing", "after")]
    await asyncio.sleep(0.01)
    others_wait.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    await one("later")
    async with store.reading() as tx:
        kept = {name for (name,) in (await tx.execute(select(retailers.c.name))).all()}
    await store.close()
    told = {name for name, end in zip(("before", "failing", "after"), ends, strict=True) if end is None}
    assert told | {"later"} == kept
    return kept


async def test_where_sqlite_has_undone_transactions_by_itself_none_of_them_counts_as_kept_and_later_ones_are(
    tmp_path: Path,
) -> None:
    """As on a full disk, also if the one whose statement failed goes on as if nothing had happened."""
    assert "failing" not in await kept_of_a_group(tmp_path, lambda connection: connection.execute("ROLLBACK"))


async def test_a_transaction_that_sqlite_cannot_undo_is_not_committed_with_the_others_of_its_group(
    tmp_path: Path,
) -> None:
    def refuse(action: int, what: str | None, *_: object) -> int:
        is_undo = action == sqlite3.SQLITE_SAVEPOINT and what == "ROLLBACK"
        return sqlite3.SQLITE_DENY if is_undo else sqlite3.SQLITE_OK

    def fail(connection: sqlite3.Connection) -> None:
        connection.set_authorizer(refuse)  # as a disk does that cannot be read
        raise ZeroDivisionError

    assert "failing" not in await kept_of_a_group(tmp_path, fail)


async def test_fifty_who_write_at_once_all_write(tmp_path: Path) -> None:
    store = await HubStore.open(url(tmp_path))

    async def one(number: int) -> None:
        async with store.writing() as tx:
            seen = await tx.scalar(select(func.count()).select_from(retailers))
            await asyncio.sleep(0)
            await tx.execute(insert(retailers).values(id=new_id("ret"), name=str(seen), created=NOW))
            assert number >= 0

    await asyncio.gather(*(one(number) for number in range(50)))
    async with store.reading() as tx:
        names = (await tx.execute(select(retailers.c.name))).scalars().all()
    await store.close()
    assert sorted(map(int, names)) == list(range(50)), "each saw what all before it had written"


@pytest.mark.parametrize("wrong", ["", "hub.sqlite3", "nosuch://x", "sqlite+aiosqlite:////no/such/folder/x.sqlite3"])
async def test_a_url_that_is_none_is_refused_in_words(wrong: str) -> None:
    with pytest.raises(StoreUnusable):
        await HubStore.open(wrong)


async def test_a_postgresql_that_does_not_answer_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "_CONNECT_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(StoreUnusable, match="cannot be used: it does not answer"):
            await HubStore.open(f"postgresql+asyncpg://perron@127.0.0.1:{port}/perron?ssl=disable")


async def test_a_file_that_is_no_database_is_refused_in_words_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite3").write_bytes(b"a holiday's diary" * 100)
    with pytest.raises(StoreUnusable, match="not a database"):
        await HubStore.open(url(tmp_path))
    assert (tmp_path / "hub.sqlite3").read_bytes() == b"a holiday's diary" * 100


class Busy:
    """Another process that writes: a transaction of ours waits in a thread until it ends."""

    def __init__(self, folder: Path) -> None:
        self._other = sqlite3.connect(folder / "hub.sqlite3", isolation_level=None)

    def __enter__(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._other.execute("ROLLBACK")
        self._other.close()


async def write(store: HubStore) -> None:
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id=new_id("ret"), name="half", created=NOW))


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that have waited, or wait, for another process."""
    found: list[str] = []
    patiently = sqlite._patiently  # noqa: SLF001 - only the driver knows when a statement waits

    def noted(connection: sqlite3.Connection, sql: str, values: Sequence[Any] = (), wait_ms: int = 10_000) -> object:
        found.append(sql)
        return patiently(connection, sql, values, wait_ms)

    monkeypatch.setattr(sqlite, "_patiently", noted)
    return found


def test_who_is_cancelled_while_another_process_writes_leaves_no_answer_for_a_loop_that_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: list[str]
) -> None:
    died: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: died.append(repr(told.exc_value)))

    async def cut_off() -> None:
        store = await HubStore.open(url(tmp_path))
        with Busy(tmp_path):
            task = asyncio.create_task(write(store))
            await wait_until(lambda: waiting == ["BEGIN IMMEDIATE"])
            for _ in range(2):  # as a TaskGroup does whose own task is cancelled, too
                task.cancel()
                await asyncio.sleep(BETWEEN_CANCELS_S)
        await store.close()
        assert task.cancelled(), "closing waited for it"

    asyncio.run(cut_off())
    assert died == []


async def test_who_is_cancelled_while_another_process_writes_leaves_nothing_and_the_next_one_writes(
    tmp_path: Path, waiting: list[str]
) -> None:
    store = await HubStore.open(url(tmp_path))
    for _ in range(3):
        waiting.clear()
        with Busy(tmp_path):
            task = asyncio.create_task(write(store))
            await wait_until(lambda: len(waiting) == 1)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with store.writing() as tx:
        assert await tx.scalar(select(func.count()).select_from(retailers)) == 0
    await write(store)
    async with store.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(retailers)) == 1
    await store.close()


async def test_while_another_process_writes_everything_else_goes_on(tmp_path: Path, waiting: list[str]) -> None:
    store = await HubStore.open(url(tmp_path))
    with Busy(tmp_path):
        task = asyncio.create_task(write(store))
        await wait_until(lambda: len(waiting) == 1)
        async with store.reading() as tx:
            assert await tx.scalar(select(func.count()).select_from(retailers)) == 0
    await task
    await store.close()


async def test_while_another_process_locks_the_file_each_request_waits_its_own_ten_seconds_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 500)
    store, begun = await HubStore.open(url(tmp_path)), time.monotonic()
    with Busy(tmp_path):
        ends = await asyncio.gather(*(write(store) for _ in range(8)), return_exceptions=True)
    assert [type(end) for end in ends] == [StoreUnavailable] * 8
    assert 0.4 < time.monotonic() - begun < 2
    await write(store)
    await store.close()


async def test_closing_waits_a_while_only_for_whoever_keeps_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.database.store.CLOSE_TIMEOUT_S", 0.2)
    store, kept, never = await HubStore.open(url(tmp_path)), asyncio.Event(), asyncio.Event()

    async def keeps() -> None:
        async with store.reading() as tx:
            await tx.execute(select(1))
            kept.set()
            await never.wait()

    task = asyncio.create_task(keeps())
    await wait_until(kept.is_set)
    begun = time.monotonic()
    await store.close()
    assert 0.2 <= time.monotonic() - begun < 2
    never.set()
    await task


@pytest.mark.parametrize("_round", range(3))
async def test_of_many_who_ask_at_once_whether_the_store_is_well_none_is_told_that_it_is_not(
    tmp_path: Path, _round: int
) -> None:
    store = await HubStore.open(url(tmp_path))

    async def ask() -> list[bool]:
        return [await store.is_healthy() for _ in range(100)]

    told = await asyncio.gather(*(ask() for _ in range(40)))
    await store.close()
    assert sum(answers.count(False) for answers in told) == 0


def test_the_id_of_a_later_row_comes_after_those_before_it_and_no_id_is_given_twice() -> None:
    instants = [NOW + timedelta(milliseconds=step) for step in (0, 1, 31, 32, 1_023, 1_024, 10**9, 10**12)]
    rows = [new_row_id("dlv", at) for at in instants]
    assert rows == sorted(rows)
    assert all(re.fullmatch("dlv-[a-z2-7]{26}", id_) for id_ in rows)
    assert len({new_row_id("dlv", NOW) for _ in range(1_000)}) == 1_000
