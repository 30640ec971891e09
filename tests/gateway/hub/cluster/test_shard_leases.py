"""Whose words are heard by whom while processes come and go; with a real node in tests/scale/with_two_hubs.py."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry

from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.cluster.shard_leases import SHARD_LEASE, ShardLeases
from gateway.hub.config import ShardAssignment
from gateway.hub.database.store import HubStore
from gateway.hub.metrics import HubMetrics
from tests.boxes import NOW, worker_context
from tests.hubs import database


class FakeConnection:
    """A line that is there as long as it is run."""

    def __init__(self) -> None:
        self.is_connected = True

    async def run(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.is_connected = False


class Process:
    """One of a cluster's processes, and which shares of others it hears."""

    def __init__(self, office: "Office", number: int) -> None:
        self.own, self.lines, self.registry = FakeConnection(), dict[int, FakeConnection](), CollectorRegistry()
        self.shares = ShardLeases(
            worker_context(office.store, now=lambda: office.now, metrics=HubMetrics(self.registry)),
            ShardAssignment(number=number, of=3), connect=self._line,
        )  # fmt: skip

    def _line(self, share: ShardAssignment) -> HubBrokerConnection:
        self.lines[share.number] = FakeConnection()
        return cast("HubBrokerConnection", self.lines[share.number])

    async def looks(self) -> list[int]:
        """Look once; the others' shares that it hears."""
        await self.shares.check(cast("HubBrokerConnection", self.own))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return sorted(number for number, line in self.lines.items() if line.is_connected)

    @property
    def unheard(self) -> float | None:
        return self.registry.get_sample_value("perron_shares_unheard")


class Office:
    def __init__(self, store: HubStore) -> None:
        self.store = store
        self.now: datetime = NOW
        self.processes = [Process(self, number) for number in (1, 2, 3)]

    async def goes_on(self, *numbers: int, step: timedelta = SHARD_LEASE / 2) -> list[list[int]]:
        """Time passes, and these look; what each hears of the others."""
        self.now += step
        return [await self.processes[number - 1].looks() for number in numbers]


@contextlib.asynccontextmanager
async def office(folder: Path) -> AsyncIterator[Office]:
    store = await HubStore.open(database(folder))
    try:
        yield Office(store)
    finally:
        await store.close()


async def test_a_share_whose_process_is_away_is_heard_by_one_other_until_it_is_back(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        for _ in range(4):
            assert await here.goes_on(1, 2, 3) == [[], [], []]
        assert await here.goes_on(1, 2) == [[], []], "it may only be restarted"
        await here.goes_on(1, 2)
        assert here.processes[0].unheard == 0
        assert await here.goes_on(1, 2) == [[3], []]
        for _ in range(3):
            assert await here.goes_on(1, 2) == [[3], []]
        here.processes[2] = Process(here, 3)
        assert await here.goes_on(3, 1, 2) == [[], [], []], "its own process has it back at once"
        assert await here.goes_on(1, 2, 3) == [[], [], []]


async def test_a_process_that_does_not_hear_its_own_takes_nothing_over_and_loses_its_own(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        for _ in range(3):
            await here.goes_on(1, 2, 3)
        here.processes[0].own.is_connected = here.processes[1].own.is_connected = False
        await here.goes_on(1, 2)
        await here.goes_on(1, 2)
        assert await here.goes_on(1, 2) == [[], []]
        assert here.processes[0].unheard == 3
        here.processes[0].own.is_connected = True
        assert await here.goes_on(1) == [[]], "everybody may be on the way back"
        await here.goes_on(1)
        assert await here.goes_on(1) == [[2, 3]] or await here.goes_on(1) == [[2, 3]], "one after the other"
        assert here.processes[0].unheard == 0


async def test_whoever_dies_with_another_s_share_loses_it_to_the_next(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        for _ in range(3):
            await here.goes_on(1, 2)  # the third never began
        assert await here.goes_on(1, 2) == [[3], []]
        for _ in range(3):
            await here.goes_on(2)
        found = (await here.goes_on(2))[0]
        assert found == [1, 3] or (await here.goes_on(2))[0] == [1, 3]
