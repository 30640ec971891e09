"""The plans of PostgreSQL for what a hub asks all the time: of a full database, and of tables that fill in a moment."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.hub.boxes.dispatcher import JobDispatcher
from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.config import HubFile
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import GROWING_TABLES
from gateway.mqtt.packets import Acknowledgement
from gateway.protocol.box_hub import Job
from tests.announcing import connected_home
from tests.boxes import worker_context
from tests.hubs import hub_file, run_hub, use_databases
from tests.postgresql import PostgreSQL
from tests.receiver import run_receiver
from tests.waiting import wait_until
from tests.webhookhouse import TEST_WEBHOOKS

pytestmark = pytest.mark.slow

# One retailer's year: a million jobs, five hundred of them due now, and what belongs to them
FILL = """
SET session_replication_role = replica;
CREATE FUNCTION i(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT translate(lpad(n::text, 26, '0'), '0189', 'abcd') $$;
INSERT INTO deliveries (id, retailer, connection, home, brand, name, version, promise, hub_signed, sandbox, held, state,
    untold, missing, arrivals, seq, carrier_id, created, changed, window_start, window_end)
  SELECT 'dlv-' || i(n), '{retailer}', 'con-' || i(n % 5000), 'home-' || i(n % 5000), 'brand-f' || n % 50,
    'order-' || n, 1, (SELECT promise FROM deliveries LIMIT 1), false, false, false,
    CASE WHEN n % 100 = 0 THEN 'scheduled' ELSE 'delivered' END, false, 0, 0, 1, 'dhl',
    {at} + n, {at} + n, {at} + n, {at} + n
  FROM generate_series(1, 50000) n;
INSERT INTO delivery_parcels SELECT 'dlv-' || i(n), 'PARCEL' || n, '{retailer}' FROM generate_series(1, 50000) n;
INSERT INTO delivery_versions (delivery, version, refused, created)
  SELECT 'dlv-' || i(n), 1, false, n FROM generate_series(1, 50000) n;
INSERT INTO jobs (id, home, kind, token, sha256, delivery, attempts, parked, created, due, received, expires)
  SELECT 'job-f' || n, 'home-' || i(n % 5000), 'delivery', ('a.b.' || n)::bytea, 'sha' || n, 'dlv-' || i(n % 50000), 0,
    false, n,
    CASE WHEN n <= 500 THEN n END, CASE WHEN n > 500 THEN n END, 9000000000000000
  FROM generate_series(1, 1000000) n;
INSERT INTO home_events (home, seq, token, delivery, at)
  SELECT 'home-' || i(n % 5000), n, 'x', 'dlv-' || i(n), 1900000000000000 + n
  FROM generate_series(1, 50000) n;
INSERT INTO events (id, retailer, type, object, data, sandbox, seq, at)
  SELECT 'evt-' || i(n), '{retailer}', 'delivery.changed', 'dlv-' || i(n), '{{}}', false, n + 1000,
    {at} + n % 4 * {month} FROM generate_series(1, 50000) n;
UPDATE retailers SET told = 60000 WHERE id = '{retailer}';
INSERT INTO messages (id, endpoint, event, seq, previous, attempts, tries, state, created, begun)
  SELECT 'msg-' || i(n), 'ep-' || i(n % 50), 'evt-' || i(n), n, n - 1, 1, 1, 'delivered', 1900000000000000 + n, n
  FROM generate_series(1, 50000) n;
INSERT INTO attempts (message, number, result, milliseconds, at)
  SELECT 'msg-' || i(n), 1, 'accepted', 5, {at} + n FROM generate_series(1, 50000) n;
INSERT INTO idempotency (retailer, key, fingerprint, status, created)
  SELECT '{retailer}', 'key-' || n, 'x', 201, 1900000000000000 + n FROM generate_series(1, 50000) n;
"""
MONTH = 30 * 86_400 * 1_000_000
AT = int(time.time()) * 1_000_000  # as a number of the tables
EXPLAINED = ("session_preload_libraries = auto_explain", "auto_explain.log_min_duration = 0",
             "auto_explain.log_nested_statements = on", "auto_explain.log_format = json")  # fmt: skip


class PublishedJobs:
    """A connection to a broker that takes everything."""

    is_connected = True

    def __init__(self) -> None:
        self.sent: list[Job] = []

    async def publish(self, _topic: str, payload: bytes) -> Acknowledgement:
        self.sent.append(Job.model_validate_json(payload))
        return Acknowledgement(code=0, seconds=0.0)


@contextlib.asynccontextmanager
async def dispatched(store: HubStore, looks: int = 0) -> AsyncIterator[PublishedJobs]:
    """A dispatcher at work, which has looked so often already."""
    published, dispatcher = PublishedJobs(), JobDispatcher(worker_context(store))
    task = asyncio.create_task(dispatcher.run(cast("HubBrokerConnection", published)))
    try:
        for _ in range(looks):
            dispatcher.wake_up()
            await asyncio.sleep(0.05)
        yield published
    finally:
        task.cancel()
        await asyncio.wait({task})


def on(server: PostgreSQL, folder: Path, name: str) -> HubFile:
    with use_databases(lambda _: server.url(name)):
        return hub_file(folder, webhooks=TEST_WEBHOOKS)


def plans(log: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that auto_explain logged, with its plan."""
    for found in re.finditer(r"plan:\n((?:\t.*\n)+)", log):
        plan = json.loads(found[1])
        yield plan["Query Text"], plan["Plan"]


def scanned(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads from end to end."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from scanned(part)


async def test_of_a_million_jobs_no_statement_of_a_hub_reads_a_whole_table(server: PostgreSQL, tmp_path: Path) -> None:
    server.database("full", like="perron")
    with run_receiver(tmp_path) as receiver:
        async with run_hub(on(server, tmp_path / "one", "full")) as hub:
            home = await connected_home(hub)
            assert (await home.ask("POST", "/v1/webhook_endpoints", {"url": f"{receiver.url}/ok"}))[0] == 201
            await home.announce()
        server.ask("full", FILL.format(retailer=home.retailer.id, at=AT, month=MONTH))
        # A table that is analysed while it is empty is read whole until it was analysed again, after a thousand changes
        filled = "SELECT string_agg(relname, ', ') FROM pg_stat_user_tables WHERE n_live_tup > 1000"
        server.ask("full", f"ANALYZE {server.ask('full', filled)}")
        assert int(server.ask("full", "SELECT count(*) FROM jobs")) > 1_000_000
        for setting in EXPLAINED:
            server.ask("full", f'ALTER DATABASE "full" SET {setting}')
        log = server.folder / "log"
        before = log.stat().st_size
        async with run_hub(on(server, tmp_path / "one", "full")) as hub:
            home.hub = hub
            for number in range(8):  # after five a statement has the plan that it keeps
                made = await home.announce(parcels=[f"XY{number:09}FR"])
                await home.stands(made, "visiting")
                for path in (f"/v1/deliveries/{made['id']}", f"/v1/deliveries/{made['id']}/timeline"):
                    assert (await home.ask("GET", path))[0] == 200
                for query in (
                    "deliveries", "deliveries?name=order-77", "deliveries?parcel=PARCEL77", "deliveries?brand=brand-f7",
                    "deliveries?state=scheduled", "deliveries?carrier=DHL", "events", "connections",
                    f"events?after=evt-{'a' * 23}b{'a' * 2}", "webhook_endpoints",
                ):  # fmt: skip
                    status, answer = await home.ask("GET", f"/v1/{query}")
                    assert status == 200, (query, answer)
            await wait_until(lambda: len(receiver.heard()) >= 8, within=60)
            async with dispatched(hub.hub.store) as published:
                await wait_until(lambda: len(published.sent) >= 200, within=60)
        server.ask("full", "SELECT pg_reload_conf()")
    with log.open(encoding="utf-8", errors="replace") as text:
        text.seek(before)
        found = list(plans(text.read()))
    queries = " ".join(query for query, _ in found)
    for table in ("jobs", "home_events", "events", "messages", "attempts", "deliveries", "delivery_parcels"):
        assert table in queries, "the hub asked for it"
    whole = {(table, query) for query, plan in found for table in scanned(plan) if table.startswith(GROWING_TABLES)}
    assert whole == set()


@pytest.mark.parametrize("known", [0, 3, 20_000])
async def test_jobs_that_come_at_once_are_not_read_over_and_over_whatever_postgresql_knew_of_their_table(
    server: PostgreSQL, known: int
) -> None:
    """With a plan of a table of three rows, and 3,000 jobs, each job was looked up among all: 9 million rows, 13 s."""
    name = f"burst{known}"
    server.database(name, like="perron")
    store = await HubStore.open(server.url(name))
    job = """
        SET session_replication_role = replica;
        INSERT INTO homes (id, shard, sandbox, support_code, box_key, said, joined, there)
          VALUES ('home-1', 0, false, 'x', 'y', '{{}}', 1, true) ON CONFLICT DO NOTHING;
        INSERT INTO jobs (id, home, kind, token, sha256, delivery, attempts, parked, created, due, received, expires)
        SELECT 'job-{kind}' || n, 'home-1', 'delivery', ('a.b.' || repeat('x', 700))::bytea, 'sha',
          'dlv-' || n, 0, false, n, {due}, {received}, 9000000000000000 FROM generate_series(1, {count}) n
    """
    server.ask(name, job.format(kind="old", due="NULL::bigint", received="1", count=known))
    if known:
        server.ask(name, "VACUUM ANALYZE jobs")
    async with dispatched(store, looks=8) as published:  # after five the statement has the plan that it keeps
        server.ask(name, job.format(kind="new", due="n", received="NULL::bigint", count=3000))
        await wait_until(lambda: len(published.sent) >= 3000, within=15)
    await store.close()
    read = int(server.ask(name, "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'jobs'"))
    server.drop(name)
    assert read < 600_000, "not each job for each job"
