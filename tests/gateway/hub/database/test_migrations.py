"""Databases that older hubs made, with their own code (databases/make.py): opened, brought up to date, or refused."""

import asyncio
import contextlib
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from gateway.hub.config import Webhooks
from gateway.hub.database import migrations
from gateway.hub.database.migrations import newest_revision
from gateway.hub.database.store import HubStore, StoreUnusable
from gateway.hub.database.tables import (
    about,
    deliveries,
    delivery_parcels,
    endpoints,
    events,
    messages,
    metadata,
    retailers,
)
from gateway.hub.signing_key import HubKeyPair
from tests.hubs import RunningHub, hub_file, run_hub, use_databases
from tests.postgresql import PostgreSQL
from tests.receiver import shared_receiver
from tests.webhookhouse import TEST_WEBHOOKS

HERE = Path(__file__).parents[1] / "databases"
OLD = (
    "34ebc00", "af0a31a", "ef43303", "0b7d73a", "ea67529", "2d30ab9",  # of 25 November: each shape since it was whole
    "e924f897",  # of 26 November
    "d03b350e", "91db0921",  # of 28 November: versions 2 and 4
    "78c262dd", "c6eb6a7d",  # version 5, and 8, the last before Alembic
)  # fmt: skip
BEFORE = "91446dd"  # the last one before that
SECRET = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="  # noqa: S105 - as make.py writes it
BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))


@contextlib.contextmanager
def laid_out(commit: str, kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """That hub's database again: its URL, and the token of the retailer that it let in."""
    sql = (HERE / f"{commit}.{kind}.sql").read_text()
    token = sql.partition("\n")[0].removeprefix("-- ")
    if kind == "sqlite":
        (folder / "hub").mkdir()
        file = folder / "hub" / "hub.sqlite3"
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.executescript(sql)
        yield f"sqlite+aiosqlite:///{file}", token
        return
    server: PostgreSQL = request.getfixturevalue("server")
    name = f"old{commit}"
    url = server.database(name)
    try:
        server.ask(name, sql)
        yield url, token
    finally:
        server.drop(name)


async def rows(store: HubStore) -> dict[str, int]:
    async with store.reading() as tx:
        counted = {
            table.name: await tx.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }
    return {name: count for name, count in counted.items() if count and name != "about"}


async def versions(store: HubStore) -> tuple[str | None, str | None]:
    """What this hub reads of them, and what the hubs before Alembic read."""
    async with store.reading() as tx:
        revision = await tx.scalar(text("SELECT version_num FROM alembic_version"))
        return revision, await tx.scalar(select(about.c.value).where(about.c.key == "version"))


NEWEST = (newest_revision(), str(int(newest_revision())))


def differences(connection: Connection) -> list[object]:
    """How the tables differ from those of a new database: Alembic compares all but the checks."""

    def belongs(one: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:
        """Whether it is compared: not the partitions, and of what only one of the databases has that of this one."""
        if reflected:
            return kind != "table" or re.fullmatch(r"(home_)?events_(other|before|\d{4}_\d\d)", name or "") is None
        only = getattr(one, "_ddl_if", None)
        return only is None or only.dialect == connection.dialect.name

    opts = {"compare_type": True, "include_object": belongs}
    compared = compare_metadata(MigrationContext.configure(connection, opts=opts), metadata)
    inspected = inspect(connection)
    checks = {
        table.name
        for table in metadata.sorted_tables
        if any(isinstance(one, CheckConstraint) for column in table.columns for one in column.constraints)
        and not inspected.get_check_constraints(table.name)
    }
    return [*compared, *checks]


@pytest.mark.parametrize("commit", OLD)
@pytest.mark.parametrize("kind", BOTH)
async def test_a_database_of_each_older_release_is_brought_up_to_date_and_keeps_all_that_it_had(
    commit: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with laid_out(commit, kind, tmp_path, request) as (url, _):
        store = await HubStore.open(url)
        try:
            engine = create_async_engine(url)
            async with engine.connect() as connection:
                assert await connection.run_sync(differences) == []
            await engine.dispose()
            async with store.reading() as tx:
                for table in metadata.sorted_tables:
                    await tx.execute(select(table))
            assert await versions(store) == NEWEST
            there = await rows(store)
            assert there.pop("retailers") == 2
            assert {"homes", "events", "messages", "jobs", "home_events", "delivery_versions"} <= set(there)
            async with store.reading() as tx:
                told = dict((await tx.execute(select(retailers.c.id, retailers.c.told))).tuples().all())
                newest = (await tx.execute(select(events.c.retailer, events.c.seq))).one()
            assert told[newest.retailer] == newest.seq, "else the next event would have a number that is taken"
        finally:
            await store.close()
        again = await HubStore.open(url)  # as any later start
        assert await versions(again) == NEWEST
        await again.close()


IS_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"


async def waits_for_a_lock(watcher: AsyncConnection) -> None:
    async with asyncio.timeout(20):
        while not await watcher.scalar(text(IS_WAITING)):  # noqa: ASYNC110 - another program's
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_a_start_that_updates_the_database_lets_what_an_older_process_has_begun_end_first(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended at once, or the older process's request did: each waited for a table that the other one had."""
    with laid_out("c6eb6a7d", "postgresql", tmp_path, request) as (url, _):
        engine = create_async_engine(url)
        async with engine.connect() as older, engine.connect() as watcher:
            await older.execute(text("SELECT * FROM home_events"))
            with monkeypatch.context() as soon:
                soon.setattr(migrations, "_MAX_WAIT_S", 0.0)
                with pytest.raises(StoreUnusable, match=r"other programs have kept its tables in use.*Start it again"):
                    await HubStore.open(url)
            opening = asyncio.create_task(HubStore.open(url))
            await waits_for_a_lock(watcher)
            for table in ("retailers", "connections", "events"):
                await older.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - see above
            assert not opening.done()
            await older.commit()
            store = await opening
            assert await versions(store) == NEWEST
            await store.close()
        await engine.dispose()


@contextlib.asynccontextmanager
async def hub_on(url: str, folder: Path, webhooks: Webhooks | None = None) -> AsyncIterator[RunningHub]:
    with use_databases(lambda _: url):
        file = hub_file(folder, webhooks=webhooks)
    async with run_hub(file) as hub:
        yield hub


@pytest.mark.parametrize("commit", [OLD[0], "ea67529"])
@pytest.mark.parametrize("kind", BOTH)
async def test_a_hub_that_was_upgraded_takes_writes_by_the_key_that_its_retailer_has_and_signs_by_the_old_secret(
    commit: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A file of 25 November opened, `/readyz` was 200, and each write was 503 for ever."""
    with laid_out(commit, kind, tmp_path, request) as (url, token):
        async with hub_on(url, tmp_path) as hub:
            async with hub.http.get("/readyz") as ready:
                assert ready.status == 200
            headers = {"Authorization": f"Bearer {token}"}
            async with hub.http.post("/v1/brands", json={"id": "lune", "name": "Lune"}, headers=headers) as made:
                assert made.status == 201, await made.text()
            async with hub.http.post("/v1/api_keys", json={"label": "till"}, headers=headers) as made:
                assert made.status == 201, await made.text()
            async with hub.hub.store.reading() as tx:
                kept = await tx.scalar(select(endpoints.c.secret).where(endpoints.c.id == "ep-old"))
            assert kept is not None
            assert SECRET not in kept, "it is sealed now"
            assert HubKeyPair.load(tmp_path / "hub").unseal(kept, "ep-old") == SECRET


@pytest.mark.parametrize("commit", [OLD[0], "d03b350e"])
@pytest.mark.parametrize("kind", BOTH)
async def test_an_endpoint_of_a_sandbox_that_an_older_hub_made_gets_nothing_but_a_challenge_until_it_has_answered_that(
    commit: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """It counted as one that had answered, and got its events."""
    receiver = shared_receiver()
    with laid_out(commit, kind, tmp_path, request) as (url, _):
        engine = create_async_engine(url)
        async with engine.begin() as tx:
            await tx.execute(
                text("UPDATE endpoints SET sandbox = TRUE, enabled = TRUE, url = :url"), {"url": f"{receiver.url}/mute"}
            )
            await tx.execute(text("UPDATE messages SET state = 'waiting', due = created"))
        await engine.dispose()
        async with hub_on(url, tmp_path, webhooks=TEST_WEBHOOKS) as hub:
            (challenge,) = await receiver.until(1, "/mute")
            assert challenge.said["type"] == "webhook_endpoint.challenge"
            async with hub.hub.store.reading() as tx:
                kept = (await tx.execute(select(endpoints.c.challenge, endpoints.c.seq))).one()
                due = await tx.scalar(select(messages.c.due).where(messages.c.id == "msg-old"))
            assert kept.challenge == challenge.id
            assert due is not None, "what waited since then waits"
        assert {one.id for one in receiver.heard("/mute")} == {challenge.id}
        async with hub_on(url, tmp_path, webhooks=TEST_WEBHOOKS) as hub, hub.hub.store.reading() as tx:
            assert await tx.scalar(select(endpoints.c.challenge)) == challenge.id, "no start makes another one"


@pytest.mark.parametrize("kind", BOTH)
async def test_a_delivery_of_an_older_hub_is_found_by_its_parcel_carrier_and_window(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    window = {"start": "2026-11-26T14:00:00+01:00", "end": "2026-11-26T16:00:00+01:00"}
    promise = {"carrier": "DHL Paket", "window": window, "parcels": ["AB1", "AB2"], "collect": ["CD3"]}
    with laid_out("2d30ab9", kind, tmp_path, request) as (url, _):
        engine = create_async_engine(url)
        async with engine.begin() as tx:
            await tx.execute(text("UPDATE deliveries SET promise = :promise"), {"promise": json.dumps(promise)})
        await engine.dispose()
        store = await HubStore.open(url)
        async with store.reading() as tx:
            row = (await tx.execute(select(deliveries))).one()
            parcels = (await tx.scalars(select(delivery_parcels.c.parcel).filter_by(retailer=row.retailer))).all()
        await store.close()
    assert (row.carrier_id, row.window_start) == ("dhl", datetime(2026, 11, 26, 13, tzinfo=UTC))
    assert (row.metadata, row.retailer_name, row.missing_parcels) == (None, None, None), "unknown stays unknown"
    assert sorted(parcels) == ["AB1", "AB2", "CD3"]


@pytest.mark.parametrize("kind", BOTH)
async def test_a_database_from_before_is_refused_at_the_start_in_words_and_left_as_it_is(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with laid_out(BEFORE, kind, tmp_path, request) as (url, _):
        for _again in range(2):
            with pytest.raises(StoreUnusable, match=r"lacks .*brands\.sandbox.*Restore a whole copy"):
                async with hub_on(url, tmp_path):
                    pass
        if kind == "sqlite":
            with contextlib.closing(sqlite3.connect(tmp_path / "hub" / "hub.sqlite3")) as connection:
                there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            assert "shares" not in there


@pytest.mark.parametrize("kind", BOTH)
async def test_a_database_of_a_version_that_is_unknown_here_is_refused_in_words_and_left_as_it_is(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    set_revision = "UPDATE alembic_version SET version_num ="
    with laid_out("ea67529", kind, tmp_path, request) as (url, _):
        for change, said in (
            ("UPDATE about SET value = '9000'", "newer hub.*version 9000 of its tables.*Install that hub again"),
            ("UPDATE about SET value = 'two'", "'two', which no hub writes. Restore a whole copy"),
            ("UPDATE about SET value = '1'", ""),
            (f"{set_revision} '0999'", "newer hub.*version 999 of its tables"),
            (f"{set_revision} 'two'", "'two', which no hub writes. Restore a whole copy"),
            (f"{set_revision} '{newest_revision()}'", ""),
            ("INSERT INTO alembic_version VALUES ('0001')", "which no hub writes. Restore a whole copy"),
        ):
            engine = create_async_engine(url)
            async with engine.begin() as tx:
                await tx.execute(text(change))
            await engine.dispose()
            if not said:
                await (await HubStore.open(url)).close()
                continue
            with pytest.raises(StoreUnusable, match=said):
                await HubStore.open(url)
            async with engine.connect() as tx:
                there = await tx.run_sync(lambda connection: inspect(connection).has_table("shares"))
            await engine.dispose()
            assert there == ("alembic_version" in change), "what is refused is not changed"


@pytest.mark.parametrize("kind", BOTH)
async def test_a_damaged_database_is_refused_in_words_that_name_what_is_damaged(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with laid_out("c6eb6a7d", kind, tmp_path, request) as (url, _):
        engine = create_async_engine(url)
        async with engine.begin() as tx:
            await tx.execute(text("DROP TABLE attempts"))
        with pytest.raises(StoreUnusable, match=r"attempts.*changed by hand.*Restore a whole copy"):
            await HubStore.open(url)
        if kind == "postgresql":  # it lets no row name one that is not there
            return
        async with engine.begin() as tx:
            await tx.execute(text("CREATE TABLE attempts (message, number, result, status, excerpt, milliseconds, at)"))
            await tx.execute(text("UPDATE jobs SET home = 'home-gone'"))
        await engine.dispose()
        with pytest.raises(StoreUnusable, match=r"table jobs names rows that are not there: .*Restore a whole copy"):
            await HubStore.open(url)
    (tmp_path / "hub" / "hub.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnusable, match=r"cannot be used: .*not a database"):
        await HubStore.open(url)


@pytest.mark.parametrize("kind", BOTH)
async def test_readyz_fails_with_an_older_databases_version_and_not_with_that_of_a_newer_hub_beside_it(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with laid_out("c6eb6a7d", kind, tmp_path, request) as (url, _):
        async with hub_on(url, tmp_path) as hub:
            for revision, status in (("0007", 503), ("0999", 200), (newest_revision(), 200)):
                async with hub.hub.store.writing() as tx:
                    await tx.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))  # noqa: S608 - see above
                async with hub.http.get("/readyz") as ready:
                    assert ready.status == status, revision


@pytest.mark.parametrize("kind", BOTH)
async def test_a_column_that_is_gone_is_a_true_500_and_readyz_fails_until_it_is_back(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with laid_out("2d30ab9", kind, tmp_path, request) as (url, token):
        async with hub_on(url, tmp_path) as hub:

            async def write() -> int:
                headers = {"Authorization": f"Bearer {token}"}
                async with hub.http.post("/v1/brands", json={"id": "lune", "name": "Lune"}, headers=headers) as made:
                    return made.status

            async def ready() -> int:
                async with hub.http.get("/readyz") as answer:
                    return answer.status

            async def change(statement: str) -> None:
                async with hub.hub.store.writing() as tx:
                    await tx.execute(text(statement))

            await change("ALTER TABLE brands RENAME COLUMN keys_version TO elsewhere")
            assert await write() == 500, "nothing that passes by itself: not 503"
            assert await ready() == 503
            await change("ALTER TABLE brands RENAME COLUMN elsewhere TO keys_version")
            assert await ready() == 200
            assert await write() == 201


def shape(connection: Connection) -> dict[tuple[str, str], dict[str, object]]:
    """Each column by table and name: whether a row may leave it out, and its type."""
    found = inspect(connection).get_multi_columns()
    return {
        (table, column["name"]): {
            "may_be_left_out": column["nullable"] or column["default"] is not None or bool(column.get("autoincrement")),
            "type": str(column["type"]),
        }
        for (_, table), columns in found.items()
        for column in columns
    }


def unique_columns(connection: Connection) -> set[tuple[str, frozenset[str]]]:
    """What may stand in one row of a table only."""
    inspected = inspect(connection)
    found = set()
    for table in inspected.get_table_names():
        uniques: list[Any] = [*inspected.get_unique_constraints(table)]
        uniques += [index for index in inspected.get_indexes(table) if index["unique"]]
        found |= {(table, frozenset(each["column_names"])) for each in uniques}
    return found


# It made room for encrypted secrets, before two processes of different releases could share a database.
BEFORE_THE_RULE = ["0002 changes endpoints.old_secret", "0002 changes endpoints.secret"]


def upgraded_by_steps(connection: Connection) -> list[str]:
    """Bring a database of the oldest release up to date, revision by revision; what an older process would miss."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / "alembic"))
    config.attributes["connection"] = connection
    first, *later = reversed([one.revision for one in ScriptDirectory.from_config(config).walk_revisions()])
    command.stamp(config, first)
    wrong = []
    for revision in later:
        columns, uniques = shape(connection), unique_columns(connection)
        command.upgrade(config, revision)
        after, tables = shape(connection), {table for table, _ in columns}
        wrong += [f"{revision} takes {'.'.join(one)} away" for one in columns.keys() - after.keys()]
        wrong += [
            f"{revision} changes {'.'.join(one)}" for one in columns.keys() & after.keys() if after[one] != columns[one]
        ]
        wrong += [
            f"{revision} wants {'.'.join(one)} in each row"
            for one in after.keys() - columns.keys()
            if one[0] in tables and not after[one]["may_be_left_out"]
        ]
        wrong += [f"{revision} lets {what} stand once only" for what in unique_columns(connection) - uniques
                  if what[0] in tables]  # fmt: skip
    return sorted(wrong)


@pytest.mark.parametrize("kind", BOTH)
async def test_each_revision_only_adds_so_that_a_process_of_the_release_before_goes_on(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with laid_out(OLD[0], kind, tmp_path, request) as (url, _):
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            assert await connection.run_sync(upgraded_by_steps) == BEFORE_THE_RULE
        await engine.dispose()
