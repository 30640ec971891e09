"""Two hubs with a share each, one real RabbitMQ node and PostgreSQL: one of the hubs goes away and comes back.

Run by `make test-scale`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.domain.delivery.promise import State
from gateway.hub.cluster import shard_leases
from gateway.hub.config import HubFile, Listen, ShardAssignment
from gateway.hub.database.tables import shares as table
from gateway.hub.process import HubProcess
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.box_hub import shard_of
from tests.boxes import EventJournal, make_result
from tests.hubs import RunningHub, run_hub
from tests.postgresql import postgresql
from tests.scale.with_one_node import (
    TIMEOUT_S,
    JoinedBox,
    NodePlace,
    packages,
    publish,
    rabbit_file,
    run_node,
    wait_until_connected,
    wait_until_stored,
)

__all__ = ["packages"]  # a fixture


@pytest.fixture
async def hubs(tmp_path: Path) -> AsyncIterator[tuple[NodePlace, HubFile]]:
    """A node, and the files of two hubs; the second asks to be asked elsewhere."""
    with postgresql() as server:
        plain = rabbit_file(tmp_path)
        file = plain.model_copy(update={"store": server.url("perron"), "share": ShardAssignment(number=1, of=2)})
        second = file.model_copy(update={
            "share": ShardAssignment(number=2, of=2), "listen": Listen(port=free_port()),
        })  # fmt: skip
        async with run_node(file, tmp_path) as place:
            yield place, second


async def join_second(place: NodePlace, hub: RunningHub) -> JoinedBox:
    """A box whose home's words are the second hub's to hear."""
    for number in range(64):
        one = await place.joined(hub, f"box-{number}")
        if shard_of(one.home) in ShardAssignment(number=2, of=2).shards:
            return one
    raise AssertionError("no home of that share")


async def wait_for_share(hub: HubProcess, number: int) -> None:
    """Wait until this hub hears the second's share."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            async with hub.store.reading() as tx:
                if await tx.scalar(select(table.c.holder).where(table.c.number == 2)) == number:
                    return
            await asyncio.sleep(0.1)


async def test_what_a_home_says_is_heard_by_another_hub_while_its_own_is_away_and_by_its_own_when_it_is_back(
    hubs: tuple[NodePlace, HubFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_leases, "SHARD_LEASE", timedelta(seconds=3))
    monkeypatch.setattr(shard_leases, "CHECK_INTERVAL_S", 0.5)
    place, second = hubs
    async with run_hub(place.file) as hub, contextlib.AsyncExitStack() as lines:
        await wait_until_connected(hub)
        one = await join_second(place, hub)
        journal = EventJournal(one.home, one.box.key)
        events = [journal.add(make_result("lune", f"d-{number}", State.DELIVERED)) for number in range(3)]
        line = await lines.enter_async_context(one.line())
        async with run_hub(second) as own:
            await wait_until_connected(own)
            await publish(line, one.topic("evt"), events[0])
            await wait_until_stored(hub.hub, one.home, 1)
        assert await publish(line, one.topic("evt"), events[1]) == 0, "the cluster keeps it"
        await wait_for_share(hub.hub, 1)
        await wait_until_stored(hub.hub, one.home, 2)
        async with hub.http.get("/metrics") as answer:
            assert "perron_shares_unheard 0.0" in await answer.text()
        async with run_hub(second) as own:
            await wait_until_connected(own)
            await wait_for_share(hub.hub, 2)
            await asyncio.sleep(2)
            assert own.hub.broker_connection is not None
            assert own.hub.broker_connection.is_connected, "nobody throws it out"
            await publish(line, one.topic("evt"), events[2])
            await wait_until_stored(hub.hub, one.home, 3)
            await wait_for_share(hub.hub, 2)
