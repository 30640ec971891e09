"""The hub's process: killed, ended under load, without its broker, and on a disk that is full."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from gateway.hub.admin import create_retailer
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import brands, idempotency
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.keys import BoxKey
from tests.boxes import connected_to_broker, insert_home
from tests.forkserver import ForkedProcess, fork_server
from tests.hubs import broker_account, homes_broker, hub_file, run_hub
from tests.mosquitto import Mosquitto
from tests.smalldisk import fill, small_disk
from tests.waiting import assert_stays

pytestmark = pytest.mark.slow

LONG = 30.0


@dataclass
class Process:
    """`perron hub`, and what its store holds."""

    folder: Path
    url: str
    store: HubStore
    process: ForkedProcess | None = None

    async def begins(self) -> None:
        with (self.folder / "hub.log").open("ab") as log:
            self.process = fork_server().start(["-m", "gateway", "hub", "--config", str(self.folder / "hub.yaml")], log)
        await until(self, "ready", 200)

    async def ends(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(LONG):
            return await self.process.wait()

    async def connected(self) -> float:
        async with aiohttp.ClientSession(self.url) as http, http.get("/metrics") as answer:
            line = next(one for one in (await answer.text()).splitlines() if one.startswith("perron_homes_connected "))
            return float(line.split()[1])

    async def ready(self) -> tuple[int, Any]:
        try:
            async with aiohttp.ClientSession(self.url) as http, http.get("/readyz") as answer:
                return answer.status, await answer.json()
        except aiohttp.ClientError:
            return 0, {}


async def until(hub: Process, what: str, wanted: float) -> None:
    found: object = None
    try:
        async with asyncio.timeout(LONG):
            while True:
                found = await hub.connected() if what == "connected" else (await hub.ready())[0]
                if found == wanted:
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{what} is {found}, not {wanted}") from None


@asynccontextmanager
async def process(folder: Path, broker: Mosquitto, *homes: str) -> AsyncIterator[Process]:
    port, line = free_port(), broker_account(broker, folder)
    (folder / "hub.yaml").write_text(
        f"url: http://127.0.0.1:{port}\nfolder: hub\nlisten: {{port: {port}}}\nsandbox: false\n"
        f"limits: {{writes: 10000, reads: 10000}}\n"
        f"broker: {{port: {line.port}, password_file: {line.password_file}}}\n"
    )
    (folder / "hub").mkdir(mode=0o700)
    store = await HubStore.open(f"sqlite+aiosqlite:///{folder / 'hub' / 'hub.sqlite3'}")
    hub = Process(folder, f"http://127.0.0.1:{port}", store)
    try:
        async with store.writing() as tx:
            for home in homes:
                await insert_home(tx, home, BoxKey.generate().public)
        await hub.begins()
        yield hub
    finally:
        with contextlib.suppress(ProcessLookupError):
            await hub.ends(signal.SIGKILL)
        await store.close()


async def test_a_hub_that_was_killed_counts_the_homes_that_are_there_and_no_other(tmp_path: Path) -> None:
    async with homes_broker("home-1", "home-2") as broker, process(tmp_path, broker, "home-1", "home-2") as hub:  # noqa: SIM117 - the last one goes first
        async with connected_to_broker("home-1", broker, tmp_path) as one:
            async with connected_to_broker("home-2", broker, tmp_path) as two:
                await one.hello()
                await two.hello()
                await until(hub, "connected", 2)
                await hub.ends(signal.SIGKILL)
            await hub.begins()  # the one has gone meanwhile, and nobody heard it; the other says nothing
            await until(hub, "connected", 1)
            await one.say("gone", b"{}")
            await until(hub, "connected", 0)
            await one.hello()
            await until(hub, "connected", 1)


async def test_the_hub_says_that_it_is_not_ready_while_its_broker_is_away(tmp_path: Path) -> None:
    async with homes_broker("home-1") as broker, process(tmp_path, broker, "home-1") as hub:
        assert hub.process is not None
        hub.process.send_signal(signal.SIGHUP)  # as a hook of certbot does; it does not end the hub
        await broker.kill()
        await until(hub, "ready", 503)
        assert (await hub.ready())[1] == {"store": True, "broker": False}
        await broker.start()
        await until(hub, "ready", 200)


async def test_a_hub_that_is_told_to_end_ends_at_once_and_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    async with homes_broker("home-1") as broker, process(tmp_path, broker, "home-1") as hub:
        _, token = await create_retailer(hub.store, "Maison Lune", now=datetime.now(UTC))
        acknowledged: list[str] = []

        async def shop(number: int, http: aiohttp.ClientSession) -> None:
            for turn in range(10_000):
                id_ = f"brand-{number}-{turn}"
                try:
                    async with http.post("/v1/brands", json={"id": id_, "name": "B"}) as answer:
                        if answer.status == 201:
                            acknowledged.append(id_)
                        elif answer.status < 500:
                            raise AssertionError(await answer.text())
                except aiohttp.ClientError:
                    return

        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(hub.url, headers=headers) as http:
            work = [asyncio.create_task(shop(number, http)) for number in range(8)]
            while len(acknowledged) < 40:  # noqa: ASYNC110 - it is others who ask
                await asyncio.sleep(0.02)
            began = time.monotonic()
            assert await hub.ends() == 0
            took = time.monotonic() - began
            await asyncio.gather(*work)
        assert took < 10, took
        async with hub.store.reading() as tx:
            kept = set((await tx.execute(select(brands.c.id))).scalars())
            half = (await tx.execute(select(idempotency.c.key).where(idempotency.c.status.is_(None)))).all()
        assert set(acknowledged) <= kept
        assert half == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", "8m") as place:
        yield place


async def test_on_a_full_disk_the_hub_refuses_in_words_and_goes_on_when_there_is_room(
    small: Path, tmp_path: Path
) -> None:
    async with (
        homes_broker("home-1") as broker,
        run_hub(hub_file(small, broker=broker_account(broker, tmp_path))) as hub,
    ):
        retailer = await hub.retailer()
        async with hub.hub.store.writing() as tx:
            await insert_home(tx, "home-1", BoxKey.generate().public, now=hub.hub.now())

        async def brand(id_: str) -> tuple[int, str]:
            body = {"id": id_, "name": "Lune"}
            async with hub.http.post("/v1/brands", json=body, headers=retailer.headers) as answer:
                said = await answer.json()
                return answer.status, said.get("code", "")

        assert (await brand("before"))[0] == 201
        ballast = fill(small)
        refused = [await brand(f"full-{number}") for number in range(3)]
        assert set(refused) == {(503, "unavailable")}, refused
        async with connected_to_broker("home-1", broker, tmp_path) as one:
            await one.hello()
            await assert_stays(one.acks.empty, 2.5, "what is not on the disk was acknowledged")
            async with hub.http.get("/readyz") as answer:
                assert (answer.status, (await answer.json())["store"]) == (503, False)
            async with hub.http.get("/v1/brands", headers=retailer.headers) as answer:
                assert answer.status == 200, "what is there can be read"
            ballast.unlink()
            await one.hello()
            async with asyncio.timeout(LONG):
                await one.acks.get()
        assert (await brand("after"))[0] == 201
        async with asyncio.timeout(LONG):
            while True:
                async with hub.http.get("/readyz") as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.2)
        async with hub.http.get("/v1/brands", headers=retailer.headers) as answer:
            assert {one["id"] for one in (await answer.json())["data"]} == {"before", "after"}
