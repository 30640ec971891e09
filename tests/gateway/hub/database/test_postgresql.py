"""A hub on PostgreSQL whose server dies, freezes and comes back, and two hubs on one of them."""

import asyncio
import contextlib
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

from gateway.hub.config import HubFile
from gateway.hub.database.postgresql import MAX_CONNECTIONS, POOL_TIMEOUT_S
from gateway.hub.database.store import HubStore, StoreUnavailable
from gateway.hub.database.tables import messages, retailers
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.deliveries.events import EventType, emit
from gateway.hub.signing_key import KEY_FILE_NAME
from gateway.protocol.box_hub import JobKind
from gateway.protocol.keys import BoxKey
from tests.announcing import connected_home
from tests.boxes import connected_to_broker, insert_home
from tests.hubs import RunningHub, broker_account, homes_broker, hub_file, run_hub, use_databases
from tests.postgresql import PostgreSQL, postgresql
from tests.receiver import run_receiver
from tests.waiting import assert_stays, wait_until
from tests.webhookhouse import TEST_WEBHOOKS, delivery_row

pytestmark = pytest.mark.slow
SILENCE_S = 1.0  # seconds; the hub's own tasks have asked the silent server by then
WITHIN = 60.0  # seconds, on a machine that has much else to do


@pytest.fixture
def mortal() -> Any:  # noqa: ANN401 - an iterator of one
    """A server that the test may kill."""
    with postgresql() as one:
        yield one


def on(server: PostgreSQL, folder: Path, url: str | None = None) -> HubFile:
    """A hub of its own folder and address on this server."""
    folder.mkdir(exist_ok=True)
    with use_databases(lambda _: url or server.url("perron")):
        return hub_file(folder, webhooks=TEST_WEBHOOKS)


async def ready(hub: RunningHub) -> bool:
    async with hub.http.get("/readyz") as answer:
        return answer.status == 200


async def until_ready(hub: RunningHub) -> None:
    await wait_until(lambda: ready(hub), within=WITHIN)


async def test_what_was_acknowledged_outlives_the_death_of_postgresql_and_the_hub_goes_on(
    mortal: PostgreSQL, tmp_path: Path
) -> None:
    with run_receiver(tmp_path) as receiver:
        async with run_hub(on(mortal, tmp_path)) as hub:
            home = await connected_home(hub)
            endpoint = {"url": f"{receiver.url}/ok"}
            assert (await home.ask("POST", "/v1/webhook_endpoints", endpoint))[0] == 201
            acknowledged: list[str] = []
            refused: list[dict[str, Any]] = []
            over = asyncio.Event()

            async def announce(number: int) -> None:
                """Announce it until it is taken, as a retailer does."""
                body = {"connection": home.connection, "delivery": home.promise(parcels=[f"XY{number:09}FR"])}
                headers = {**home.headers, "Idempotency-Key": f"order-{number}"}
                async with asyncio.timeout(WITHIN):
                    while True:
                        status, said = await home.ask("POST", "/v1/deliveries", body, headers=headers)
                        if status == 201:
                            acknowledged.append(said["id"])
                            return
                        refused.append(said)
                        await asyncio.sleep(0.1)

            async def shop(first: int) -> None:
                number = first
                while not over.is_set():
                    await announce(number)
                    number += 10

            async with asyncio.TaskGroup() as group:
                for first in range(4):
                    group.create_task(shop(first))
                await wait_until(lambda: acknowledged, within=WITHIN)
                await asyncio.to_thread(mortal.stop, SIGKILL)
                before = len(acknowledged)
                await wait_until(lambda: refused, within=WITHIN)
                assert not await ready(hub)
                await asyncio.to_thread(mortal.start)
                await until_ready(hub)
                await wait_until(lambda: len(acknowledged) > before, within=WITHIN)
                over.set()
            assert 0 < before < len(acknowledged), "it went on before and after"
            assert refused, "it was noticed in between"
            assert {(one["status"], one["code"]) for one in refused} == {(503, "unavailable")}
            kept = mortal.ask("perron", "SELECT id FROM deliveries").split()
            assert sorted(kept) == sorted(acknowledged), "each that was acknowledged, and none twice"
            async with asyncio.timeout(WITHIN):
                while {one.said["data"]["id"] for one in receiver.heard()} < set(acknowledged):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)


async def test_a_postgresql_that_says_nothing_makes_nobody_wait_long_and_is_used_again_as_soon_as_it_speaks(
    mortal: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONNECT_TIMEOUT_S", "STATEMENT_TIMEOUT_S", "POOL_TIMEOUT_S"):
        monkeypatch.setattr(f"gateway.hub.database.postgresql.{name}", 0.5)
    monkeypatch.setattr("gateway.hub.database.store.READINESS_TIMEOUT_S", 0.5)
    async with run_hub(on(mortal, tmp_path)) as hub:
        home = await connected_home(hub)
        await home.announce()
        with mortal.frozen():
            begun = time.monotonic()
            assert not await ready(hub)
            status, said = await home.ask(
                "POST", "/v1/deliveries", {"connection": home.connection, "delivery": home.promise()}
            )
            assert (status, said["code"]) == (503, "unavailable")
            assert time.monotonic() - begun < 20
        await until_ready(hub)
        await home.announce(parcels=["XY000000002FR"])


async def test_a_hub_ends_soon_though_its_postgresql_says_nothing(
    mortal: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONNECT_TIMEOUT_S", "STATEMENT_TIMEOUT_S", "POOL_TIMEOUT_S"):
        monkeypatch.setattr(f"gateway.hub.database.postgresql.{name}", 0.5)
    monkeypatch.setattr("gateway.hub.database.store.CLOSE_TIMEOUT_S", 0.5)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(run_hub(on(mortal, tmp_path)))
        stack.enter_context(mortal.frozen())
        await asyncio.sleep(SILENCE_S)
        begun = time.monotonic()
        await stack.aclose()
    assert time.monotonic() - begun < 20


@contextlib.asynccontextmanager
async def two(server: PostgreSQL, url: str, folder: Path) -> AsyncIterator[tuple[RunningHub, RunningHub, Any]]:
    """Two hubs on one database and one broker."""
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(homes_broker("hub-2", "home-1"))
        both: list[HubFile] = []
        hubs: list[RunningHub] = []
        for name in ("hub", "hub-2"):
            file = on(server, folder / name, url).model_copy(update={"broker": broker_account(broker, folder, name)})
            if both:  # all hubs of one address have one key
                file.folder.mkdir(mode=0o700)
                shutil.copy(both[0].folder / KEY_FILE_NAME, file.folder / KEY_FILE_NAME)
            both.append(file)
            hubs.append(await stack.enter_async_context(run_hub(file)))
        yield hubs[0], hubs[1], broker


async def test_two_hubs_on_one_postgresql_ring_each_job_once_and_send_each_message_once(
    server: PostgreSQL, tmp_path: Path
) -> None:
    url = server.database("two", like="perron")
    count = 60
    with run_receiver(tmp_path) as receiver:
        async with (
            two(server, url, tmp_path) as (one, other, broker),
            connected_to_broker("home-1", broker, tmp_path) as there,
        ):
            retailer = await one.retailer()
            async with one.hub.store.writing() as tx:
                await insert_home(tx, "home-1", BoxKey.generate().public)
            for path in ("/ok", "/slow/0.01"):
                async with one.http.post(
                    "/v1/webhook_endpoints", headers=retailer.headers, json={"url": receiver.url + path}
                ) as answer:
                    assert answer.status == 201

            async def write(hub: RunningHub, first: int) -> None:
                for number in range(first, count, 2):
                    async with hub.hub.store.writing() as tx:
                        now = hub.hub.now()
                        await job_store.enqueue(tx, "home-1", JobKind.CONNECT, b"a.b.%d" % number, now=now)
                        data = {"id": "dlv-1", "number": number}
                        row = delivery_row(retailer.id, sandbox=False)
                        await emit(tx, row, EventType.DELIVERY_CHANGED, data, now)
                    hub.hub.wake_ups.jobs()
                    hub.hub.wake_ups.messages()

            rung: Counter[str] = Counter()

            async def take() -> None:
                while True:
                    job = await there.jobs.get()
                    rung[job.job] += 1
                    await there.has(job)

            taking = asyncio.create_task(take())
            await asyncio.gather(write(one, 0), write(other, 1))
            async with asyncio.timeout(WITHIN):
                while len(rung) < count or await waiting(one.hub.store):  # noqa: ASYNC110 - the database is asked
                    await asyncio.sleep(0.05)
            await assert_stays(lambda: set(rung.values()) == {1}, 1.5, "a job was rung by both")
            taking.cancel()
            heard = Counter((told.path, told.id) for told in receiver.heard())
            assert len(heard) == 2 * count
            assert set(heard.values()) == {1}, "no message was sent by both"
            for path in ("/ok", "/slow/0.01"):
                numbers = [told.said["data"]["number"] for told in receiver.heard() if told.path == path]
                assert sorted(numbers) == list(range(count))


async def waiting(store: HubStore) -> int:
    async with store.reading() as tx:
        return len((await tx.execute(select(messages.c.id).where(messages.c.due.is_not(None)))).all())


async def test_hubs_that_begin_at_once_on_an_empty_database_all_begin(server: PostgreSQL) -> None:
    url = server.database("empty")
    stores = await asyncio.gather(*(HubStore.open(url) for _ in range(4)))
    for store in stores:
        assert await store.is_healthy()
        await store.close()


_OF_STORE = "SELECT pid FROM pg_stat_activity WHERE datname = 'kept' AND backend_type = 'client backend'"


async def test_a_transaction_uses_the_connection_of_the_one_before_and_another_if_the_server_has_ended_it(
    server: PostgreSQL,
) -> None:
    store = await HubStore.open(server.database("kept"))
    asked = select(func.pg_backend_pid())

    async def pid() -> int:
        async with store.writing() as tx:
            return int(await tx.scalar(asked) or 0)

    async def waits(seconds: float) -> int:
        async with store.writing() as tx:
            await asyncio.sleep(seconds)
            return int(await tx.scalar(asked) or 0)

    first = await pid()
    assert {await pid() for _ in range(10)} == {first}
    server.ask("postgres", f"SELECT pg_terminate_backend({first}, 5000)")
    await asyncio.sleep(0.1)  # the event loop learns of it
    second = await pid()
    assert second != first
    at_once = await asyncio.gather(*(waits(0.05) for _ in range(MAX_CONNECTIONS + 30)))  # some of them wait for others
    assert len(set(at_once)) == MAX_CONNECTIONS
    assert await pid() in at_once
    await store.close()
    await wait_until(lambda: server.ask("postgres", _OF_STORE) == "")


async def test_a_connection_that_was_idle_for_long_is_closed_instead_of_used(
    server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.database.postgresql.MAX_IDLE_S", 0.2)
    store = await HubStore.open(server.database("idle"))

    async def pid() -> int:
        async with store.writing() as tx:
            return int(await tx.scalar(select(func.pg_backend_pid())) or 0)

    first = await pid()
    await asyncio.sleep(0.3)
    second = await pid()
    assert second != first
    await wait_until(lambda: server.ask("postgres", _OF_STORE.replace("kept", "idle")) == str(second))
    await store.close()


async def test_after_a_transaction_that_was_cancelled_or_failed_the_next_one_begins_anew(
    server: PostgreSQL,
) -> None:
    store = await HubStore.open(server.database("kept_2"))

    async def hangs() -> None:
        async with store.writing() as tx:
            await tx.scalar(select(func.pg_sleep(60)))

    async def fails() -> None:
        async with store.writing() as tx:
            await tx.execute(insert(retailers).values(id="ret-a", name="a", created=datetime.now(UTC)))
            await tx.execute(text("SELECT 1 / 0"))

    task = asyncio.create_task(hangs())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(DBAPIError, match="division by zero"):
        await fails()
    async with asyncio.timeout(WITHIN), store.writing() as tx:
        assert await tx.scalar(select(func.count()).select_from(retailers)) == 0
    await store.close()


async def test_who_waits_gets_the_first_connection_that_becomes_free(server: PostgreSQL) -> None:
    store = await HubStore.open(server.database("kept_3"))
    may_end, one_may_end, begun = asyncio.Event(), asyncio.Event(), 0

    async def holds(until: asyncio.Event) -> None:
        nonlocal begun
        async with store.writing() as tx:
            await tx.scalar(select(func.pg_backend_pid()))
            begun += 1
            await until.wait()

    tasks = [asyncio.create_task(holds(may_end)) for _ in range(MAX_CONNECTIONS - 1)]
    tasks.append(asyncio.create_task(holds(one_may_end)))
    await wait_until(lambda: begun == MAX_CONNECTIONS)
    tasks.append(asyncio.create_task(holds(one_may_end)))
    await asyncio.sleep(0.05)
    assert begun == MAX_CONNECTIONS
    one_may_end.set()
    await wait_until(lambda: begun == MAX_CONNECTIONS + 1, within=POOL_TIMEOUT_S / 2)
    may_end.set()
    await asyncio.gather(*tasks)
    await store.close()


async def test_a_server_that_became_read_only_is_unavailable_and_the_next_connection_is_to_another(
    server: PostgreSQL,
) -> None:
    """As after a failover, where the same name leads to another server."""
    store = await HubStore.open(server.database("kept_4"))

    async def write(name: str) -> None:
        async with store.writing() as tx:
            await tx.execute(insert(retailers).values(id=f"ret-{name}", name=name, created=datetime.now(UTC)))

    await write("a")
    server.ask("postgres", "ALTER DATABASE kept_4 SET default_transaction_read_only = on")
    server.ask("postgres", "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'kept_4'")
    await asyncio.sleep(0.1)  # the event loop learns of it
    with pytest.raises(StoreUnavailable, match="read-only"):
        await write("b")
    server.ask("postgres", "ALTER DATABASE kept_4 RESET default_transaction_read_only")
    await write("b")
    await store.close()


async def test_a_url_that_names_no_driver_is_one_too(server: PostgreSQL) -> None:
    store = await HubStore.open(server.database("kept_5").replace("postgresql+asyncpg://", "postgresql://"))
    async with store.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(retailers)) == 0
    await store.close()
