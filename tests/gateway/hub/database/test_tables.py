from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text

from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import homes
from tests.hubs import database

NOW = datetime(2026, 11, 25, 17, 0, 0, tzinfo=UTC)


async def test_who_was_revoked_lately_is_found_without_reading_all_homes(tmp_path: Path) -> None:
    store = await HubStore.open(database(tmp_path))
    asked = select(homes.c.id, homes.c.revoked).where(homes.c.revoked > NOW)
    async with store.writing() as tx:
        if not store.has_one_writer:  # of a table so small it reads the whole
            await tx.execute(text("SET LOCAL enable_seqscan = off"))
        dialect = make_url(database(tmp_path)).get_dialect()()
        literal = asked.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if store.has_one_writer else "EXPLAIN"
        plan = "\n".join(str(row) for row in await tx.execute(text(f"{explain} {literal}")))
    assert "homes_revoked" in plan
    await store.close()


async def test_what_is_tried_on_both_databases_is(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Everything beside this file that is said to be tried on PostgreSQL ran on SQLite for a time."""
    store = await HubStore.open(database(tmp_path))
    assert store.has_one_writer is ("sqlite" in request.node.name)
    await store.close()
