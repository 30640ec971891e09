"""PostgreSQL's tables of events are divided by month: an older database keeps each row, and old months are dropped."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.hub.boxes.box_events import EventOutcome
from gateway.hub.boxes.home_limits import EventRetention
from gateway.hub.database import months
from gateway.hub.database.partitions import EVENTS, HOME_EVENTS, month_of, name_of, next_month
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import home_events
from gateway.hub.deliveries.retention import Retention
from tests.announcing import connected_home
from tests.gateway.hub.database.test_migrations import laid_out
from tests.hubs import hub_file, run_hub, use_databases
from tests.postgresql import PostgreSQL
from tests.webhookhouse import ManualWallClock

pytestmark = pytest.mark.slow

YEAR = timedelta(days=365)
KEPT = Retention(deliveries=2 * YEAR, jobs=YEAR, events=timedelta(days=40), connections=2 * YEAR, responses=YEAR)
ROWS = 20_000
OLDER = """
INSERT INTO events (id, retailer, type, object, data, sandbox, seq, at)
  SELECT 'evt-' || n, (SELECT id FROM retailers LIMIT 1), 'ping', 'ep-' || n, '{{"a": 1}}', false, n + 1000,
    {last} - ({rows} - n)::bigint * 3600000000 FROM generate_series(1, {rows}) n;
INSERT INTO home_events (home, seq, token, at)
  SELECT (SELECT id FROM homes LIMIT 1), n + 1000, ('a.b.' || n)::bytea, {last} - ({rows} - n)::bigint * 3600000000
  FROM generate_series(1, {rows}) n;
"""
DIGESTS = """
SELECT (SELECT md5(string_agg(e::text, ';' ORDER BY number)) FROM
         (SELECT number, id, retailer, type, object, data::text, sandbox, seq, at FROM events) e),
       (SELECT md5(string_agg(h::text, ';' ORDER BY home, seq)) FROM (SELECT home, seq, token, at FROM home_events) h)
"""
NAMED = """
SET session_replication_role = replica;
INSERT INTO events (id, retailer, type, object, data, sandbox, seq, at)
  VALUES ('evt-1', 'ret-1', 'ping', 'ep-1', '{{}}', false, 1, {at});
INSERT INTO messages (id, endpoint, event, seq, previous, attempts, tries, state, created, begun)
  VALUES ('msg-1', 'ep-1', 'evt-1', 1, 0, 1, 1, 'delivered', {at}, {at});
"""
SPREAD = """
SET session_replication_role = replica;
INSERT INTO events (id, retailer, type, object, data, sandbox, seq, at)
  SELECT 'evt-' || n, 'ret-' || n % 50, 'ping', 'ep-1', '{{}}', false, n, {at} + n::bigint * 400000000
  FROM generate_series(1, 20000) n;
ANALYZE events;
"""
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(home_)?events_' ORDER BY 1"


def micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def window_after(at: datetime) -> dict[str, str]:
    return {"start": (at + timedelta(days=1)).isoformat(), "end": (at + timedelta(days=1, hours=2)).isoformat()}


def rows(server: PostgreSQL, name: str, table: str) -> int:
    return int(server.ask(name, f"SELECT count(*) FROM {table}"))  # noqa: S608 - a table's name


async def test_an_older_database_is_divided_without_losing_or_copying_a_row(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server: PostgreSQL = request.getfixturevalue("server")
    with laid_out("c6eb6a7d", "postgresql", tmp_path, request) as (url, token):
        name, now = "oldc6eb6a7d", datetime.now(UTC)
        server.ask(name, OLDER.format(rows=ROWS, last=micros(now)))
        before = server.ask(name, DIGESTS)
        files = server.ask(name, "SELECT pg_relation_filenode('events'), pg_relation_filenode('home_events')")
        newest = int(server.ask(name, "SELECT max(number) FROM events"))
        await (await HubStore.open(url)).close()
        assert server.ask(name, DIGESTS) == before
        same = "SELECT pg_relation_filenode('events_before'), pg_relation_filenode('home_events_before')"
        assert server.ask(name, same) == files, "the files are the same ones"
        first = next_month(month_of(now))
        ahead = {name_of(table, month) for table in (EVENTS, HOME_EVENTS) for month in (first, next_month(first))}
        assert ahead < set(server.ask(name, TABLES).split())
        with use_databases(lambda _: url):
            file = hub_file(tmp_path)
        async with run_hub(file) as hub:
            headers = {"Authorization": f"Bearer {token}"}
            body = {"url": "https://shop.example/hooks"}
            async with hub.http.post("/v1/webhook_endpoints", json=body, headers=headers) as made:
                endpoint = await made.json()
            async with hub.http.post(f"/v1/webhook_endpoints/{endpoint['id']}/test", headers=headers) as made:
                assert made.status == 202, await made.text()
        assert int(server.ask(name, "SELECT max(number) FROM events_before")) == newest + 1, "the numbers go on"
        server.ask(name, "DELETE FROM attempts; DELETE FROM messages; DELETE FROM events WHERE type <> 'ping'")
        kept = Retention(deliveries=YEAR, jobs=YEAR, events=timedelta(days=300), connections=YEAR, responses=YEAR)
        store = await HubStore.open(url)
        await kept.sweep(store, now)
        left = rows(server, name, "events")
        assert ROWS * 0.3 < left < ROWS * 0.45, "of the part from before, rows that are too old are deleted"
        await kept.sweep(store, now + YEAR)
        await store.close()
        assert "events_before" not in server.ask(name, TABLES).split()
        assert "home_events_before" in server.ask(name, TABLES).split(), "each by its own time"


async def test_months_are_made_ahead_and_dropped_whole_and_no_home_loses_its_place(
    tmp_path: Path, server: PostgreSQL
) -> None:
    server.database("months", like="perron")
    with use_databases(lambda _: server.url("months")):
        file = hub_file(tmp_path)
    wall = ManualWallClock()
    async with run_hub(file, wall=wall) as hub:
        talking, silent = await connected_home(hub), await connected_home(hub)
        begin = month_of(hub.hub.now())
        for home in (talking, silent):
            await home.stands(await home.announce(), "visiting")
        wall.ahead += 3600 * 24 * 150  # in five months, for which there is no partition yet
        now = hub.hub.now()
        made = await talking.announce(parcels=["XY000000009FR"], window=window_after(now))
        await talking.stands(made, "visiting")
        assert rows(server, "months", "events_other") == 2, "what is beyond is stored too"
        other = await HubStore.open(server.url("months"))
        counts = await asyncio.gather(*(months.make_months(store, now) for store in (hub.hub.store, other) * 2))
        await other.close()
        assert sum(counts) > 0
        assert rows(server, "months", "events_other") == 0
        assert rows(server, "months", name_of(EVENTS, month_of(now))) == 2, "it has moved"
        assert await months.make_months(hub.hub.store, now) == 0

        swept = await KEPT.sweep(hub.hub.store, now)
        assert (swept["months"] >= 1, swept["events"]) == (True, 0), "no row was deleted"
        await EventRetention(max_events=1000, max_age=timedelta(days=40)).sweep(hub.hub.store, now)
        left = set(server.ask("months", TABLES).split())
        assert not {name_of(EVENTS, begin), name_of(HOME_EVENTS, begin)} & left
        listed = (await talking.ask("GET", "/v1/events"))[1]["data"]
        assert [one["seq"] for one in listed] == [3, 4]
        async with hub.hub.store.reading() as tx:
            kept = (await tx.execute(select(home_events.c.home, home_events.c.seq))).all()
        assert sorted(map(tuple, kept)) == sorted([(talking.id, 2), (silent.id, 1)])
        assert rows(server, "months", "home_events_other") == 1
        wall.ahead += 60
        made = await silent.announce(parcels=["XY000000008FR"], window=window_after(now))
        assert await silent.stands(made, "visiting") is EventOutcome.KEPT, "and goes on in its chain"
    server.drop("months")


async def test_a_month_whose_events_a_log_of_webhooks_names_stays(server: PostgreSQL) -> None:
    server.database("named", like="perron")
    store = await HubStore.open(server.url("named"))
    at, now = micros(datetime.now(UTC)), datetime.now(UTC) + timedelta(days=90)
    server.ask("named", NAMED.format(at=at))
    for left in (1, 0):
        await months.drop_months(store, EVENTS, now - timedelta(days=10))
        assert rows(server, "named", "events") == left
        server.ask("named", "DELETE FROM messages")
    await store.close()
    server.drop("named")


async def test_a_list_reads_the_index_of_each_month_and_what_is_too_old_is_looked_for_in_old_months_only(
    server: PostgreSQL,
) -> None:
    server.database("pruned", like="perron")
    now = datetime.now(UTC)
    server.ask("pruned", SPREAD.format(at=micros(now)))  # three months
    listed = server.ask(
        "pruned", "EXPLAIN SELECT * FROM events WHERE retailer = 'ret-7' AND seq > 5 ORDER BY seq LIMIT 9"
    )
    later = name_of(EVENTS, next_month(month_of(now)))
    assert f"Index Scan using {later}_retailer_seq_idx" in listed, listed
    old = server.ask("pruned", f"EXPLAIN SELECT home, seq FROM home_events WHERE at < {micros(now)}")  # noqa: S608 - a number
    assert name_of(HOME_EVENTS, next_month(month_of(now))) not in old, old
    server.drop("pruned")
