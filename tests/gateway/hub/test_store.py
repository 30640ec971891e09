import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from gateway.hub.store import Store, StoreUnusable, new_id
from gateway.hub.tables import about, retailers

NOW = datetime(2026, 11, 25, 17, 0, 0, 123456, tzinfo=UTC)


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'hub.sqlite3'}"


async def test_what_was_written_is_there_after_a_restart_to_the_microsecond(tmp_path: Path) -> None:
    store, name = await Store.open(url(tmp_path)), new_id("ret")
    async with store.writing() as tx:
        await tx.execute(insert(retailers).values(id=name, name="Maison Lune", created=NOW))
    await store.close()
    again = await Store.open(url(tmp_path))
    async with again.reading() as tx:
        row = (await tx.execute(select(retailers))).one()
    await again.close()
    assert (row.id, row.name, row.created) == (name, "Maison Lune", NOW)


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = await Store.open(url(tmp_path))

    async def fails() -> None:
        async with store.writing() as tx:
            await tx.execute(insert(retailers).values(id=new_id("ret"), name="x", created=NOW))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with store.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(retailers)) == 0
    await store.close()


async def test_fifty_who_write_at_once_all_write(tmp_path: Path) -> None:
    store = await Store.open(url(tmp_path))

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


async def test_a_store_of_a_newer_hub_is_refused_in_words(tmp_path: Path) -> None:
    store = await Store.open(url(tmp_path))
    async with store.writing() as tx:
        await tx.execute(update(about).values(value="99"))
    await store.close()
    with pytest.raises(StoreUnusable, match="newer hub"):
        await Store.open(url(tmp_path))


@pytest.mark.parametrize("wrong", ["", "hub.sqlite3", "nosuch://x", "sqlite+aiosqlite:////no/such/folder/x.sqlite3"])
async def test_a_url_that_is_none_is_refused_in_words(wrong: str) -> None:
    with pytest.raises(StoreUnusable):
        await Store.open(wrong)
