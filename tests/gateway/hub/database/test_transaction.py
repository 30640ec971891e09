"""What waits in a transaction (`execute_later`), on both databases."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.hub.database.savepoint import savepoint
from gateway.hub.database.store import HubStore, new_id
from gateway.hub.database.tables import api_keys, brands, retailers
from gateway.hub.database.transaction import Transaction
from tests.hubs import database

NOW = datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=UTC)
INSERT_BRAND, COUNT_BRANDS = insert(brands), select(func.count()).select_from(brands)


def brand(retailer: str, name: str) -> dict[str, object]:
    return {"id": name, "retailer": retailer, "name": name, "created": NOW}


async def new_retailer(tx: Transaction) -> str:
    name = new_id("ret")
    await tx.execute_later(insert(retailers), {"id": name, "name": "Lune", "created": NOW})
    return name


async def test_what_waits_is_done_together_with_what_it_names_and_before_the_next_statement(tmp_path: Path) -> None:
    store = await HubStore.open(database(tmp_path))
    async with store.writing() as tx:
        retailer = await new_retailer(tx)
        for number in range(40):
            await tx.execute_later(INSERT_BRAND, brand(retailer, f"shop-{number}"))
        assert tx.changed == {"retailers", "brands"}
    async with store.writing() as tx:
        await tx.execute_later(INSERT_BRAND, brand(retailer, "later"))
        assert await tx.scalar(COUNT_BRANDS) == 41
        renamed = update(brands).where(brands.c.id == bindparam("which")).values(name=bindparam("word"))
        await tx.execute_later(renamed, {"which": "later", "word": "Soleil"})
    async with store.reading() as tx:
        row = (await tx.execute(select(brands).where(brands.c.id == "later"))).one()
        assert (row.name, row.created, row.sandbox) == ("Soleil", NOW, False)
    await store.close()


async def test_of_changes_that_wait_none_is_done_if_one_fails_or_the_block_raises(tmp_path: Path) -> None:
    store = await HubStore.open(database(tmp_path))

    async def names_nobody() -> None:
        async with store.writing() as tx:
            await tx.execute_later(INSERT_BRAND, brand(await new_retailer(tx), "shop"))
            await tx.execute_later(INSERT_BRAND, brand("ret-nobody", "other"))

    with pytest.raises(IntegrityError):
        await names_nobody()

    async def fails() -> None:
        async with store.writing() as tx:
            await new_retailer(tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with store.reading() as tx:
        assert [await tx.scalar(select(func.count()).select_from(table)) for table in (retailers, brands)] == [0, 0]
    await store.close()


async def test_what_waits_in_a_block_that_is_undone_is_not_done(tmp_path: Path) -> None:
    store = await HubStore.open(database(tmp_path))

    async def fails(tx: Transaction, retailer: str) -> None:
        async with savepoint(tx, ZeroDivisionError, IntegrityError):
            await tx.execute_later(INSERT_BRAND, brand(retailer, "lost"))
            await tx.execute_later(INSERT_BRAND, brand(retailer, "shop"))  # SQLite refuses it here
            raise ZeroDivisionError

    async with store.writing() as tx:
        retailer = await new_retailer(tx)
        await tx.execute_later(INSERT_BRAND, brand(retailer, "shop"))
        with pytest.raises((ZeroDivisionError, IntegrityError)):
            await fails(tx, retailer)
        await tx.execute_later(INSERT_BRAND, brand(retailer, "next"))
    async with store.reading() as tx:
        assert set((await tx.scalars(select(brands.c.id))).all()) == {"shop", "next"}
    await store.close()


async def test_who_watches_a_table_is_called_after_each_transaction_that_changed_it(tmp_path: Path) -> None:
    store, seen = await HubStore.open(database(tmp_path)), list[str]()
    store.after_change(brands, lambda: seen.append("brands"))
    store.after_change(api_keys, lambda: seen.append("keys"))
    async with store.writing() as tx:
        await tx.execute_later(INSERT_BRAND, brand(await new_retailer(tx), "shop"))
        assert seen == []
    assert seen == ["brands"]
    async with store.writing() as tx:
        await tx.execute(select(brands))
    assert seen == ["brands"]
    await store.close()
