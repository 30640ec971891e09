"""Two processes of one hub on one PostgreSQL: each is replaced while retailers go on, and nothing fails or is lost."""

import asyncio
import contextlib
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select, text

from gateway.hub.admin import create_retailer
from gateway.hub.database.store import HubStore, StoreUnusable
from gateway.hub.database.tables import brands
from gateway.hub.http.request_record import REQUEST_ID_HEADER
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.forkserver import ForkedProcess, fork_server
from tests.hubs import broker_account, copied, homes_broker
from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.slow

LONG = 40.0
PUBLIC = "hub.example"  # what a load balancer is called; it passes the name on


@dataclass
class HubPart:
    """One of the processes."""

    folder: Path
    name: str
    port: int = field(default_factory=free_port)
    process: ForkedProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write(self, database: str, broker: str) -> None:
        """`broker`: its line in the file; the second process has none."""
        (self.folder / f"{self.name}.yaml").write_text(
            f"url: http://{PUBLIC}\nfolder: hub\nstore: {database}\nsandbox: false\n{broker}"
            f"listen: {{port: {self.port}, behind_proxy: true}}\nlimits: {{writes: 10000, reads: 10000}}\n"
        )

    async def begin(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = fork_server().start(
                ["-m", "gateway", "hub", "--config", str(self.folder / f"{self.name}.yaml")], log
            )
        async with asyncio.timeout(LONG):
            while not await self.is_ready():  # noqa: ASYNC110 - a process of its own
                await asyncio.sleep(0.1)

    async def is_ready(self) -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(LONG):
            return await self.process.wait()


@dataclass
class Balancer:
    """A client that asks the processes in turn, and the next one where no connection is to be had."""

    parts: list[HubPart]
    tokens: list[str]
    turn: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    acknowledged: list[str] = field(default_factory=list)

    async def post(self, http: aiohttp.ClientSession, token: str, brand: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": brand, "Host": PUBLIC}
        async with asyncio.timeout(LONG):
            while True:
                part = self.parts[self.turn % len(self.parts)]
                self.turn += 1
                try:
                    body = {"id": brand, "name": "B"}
                    async with http.post(f"{part.url}/v1/brands", json=body, headers=headers) as answer:
                        said = await answer.text()
                        assert REQUEST_ID_HEADER in answer.headers
                        self.answers[answer.status] += 1
                        assert answer.status == 201, said
                        self.acknowledged.append(brand)
                        return
                except aiohttp.ClientConnectionError:  # no answer: the same key makes it safe to ask the next one
                    self.refused += 1
                    await asyncio.sleep(0.01)

    async def shop(self, number: int) -> None:
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as http:
            for turn in range(100_000):
                token = self.tokens[(turn * 4 + number) % len(self.tokens)]  # a retailer may have some brands only
                await self.post(http, token, f"brand-{number}-{turn}")
                await asyncio.sleep(0.02)


async def test_each_of_two_processes_is_replaced_while_requests_go_on_and_none_fails_or_is_lost(
    tmp_path: Path, server: PostgreSQL
) -> None:
    server.database("replaced", like="perron")
    database = server.url("replaced")
    copied(database)
    async with homes_broker("home-1") as broker, contextlib.AsyncExitStack() as stack:
        line = broker_account(broker, tmp_path)
        first, second = HubPart(tmp_path, "first"), HubPart(tmp_path, "second")
        first.write(database, f"broker: {{port: {line.port}, password_file: {line.password_file}}}\n")
        second.write(database, "")
        store = await HubStore.open(database)
        stack.push_async_callback(store.close)
        for part in (first, second):
            await part.begin()
            stack.push_async_callback(part.end, signal.SIGKILL)
        now = datetime.now(UTC)
        tokens = [(await create_retailer(store, f"Shop {number}", now=now))[1] for number in range(100)]
        balancer = Balancer([first, second], tokens)
        shops = [asyncio.create_task(balancer.shop(number)) for number in range(4)]

        async def more(count: int) -> None:
            until = len(balancer.acknowledged) + count
            async with asyncio.timeout(LONG):
                while len(balancer.acknowledged) < until:
                    assert not any(shop.done() for shop in shops), [
                        str(shop.exception())[:900] for shop in shops if shop.done()
                    ]
                    await asyncio.sleep(0.02)

        await more(20)
        for part in (second, first):  # as a package's upgrade does it: one, and when that is ready the other
            assert await part.end() == 0
            await more(20)
            await part.begin()
            await more(20)
        for shop in shops:
            shop.cancel()
        await asyncio.gather(*shops, return_exceptions=True)
        assert set(balancer.answers) == {201}
        assert balancer.refused > 0, "while a process was away, its turn went to the other one"
        async with store.reading() as tx:
            kept = set((await tx.execute(select(brands.c.id))).scalars())
        assert len(balancer.acknowledged) == len(set(balancer.acknowledged))
        assert set(balancer.acknowledged) <= kept

        # A release that only adds to the tables: who runs goes on, and only a start with the older release is refused
        async with store.writing() as tx:
            await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert await first.is_ready()
        assert await second.is_ready()
        with pytest.raises(StoreUnusable, match="newer hub"):
            await HubStore.open(database)
