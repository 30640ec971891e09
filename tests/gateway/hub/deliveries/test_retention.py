"""What the hub deletes when it was kept long enough, and what it keeps."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, update

from gateway.hub.database.tables import (
    deliveries,
    delivery_parcels,
    delivery_versions,
    events,
    home_events,
    jobs,
    messages,
)
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.deliveries.retention import Retention
from gateway.protocol.box_hub import JobKind
from tests.announcing import ConnectedHome, connected_home
from tests.hubs import RunningHub, hub_file, run_hub

KEPT = Retention(
    deliveries=timedelta(days=100), jobs=timedelta(days=10), events=timedelta(days=200), responses=timedelta(days=1),
    connections=timedelta(days=900),
)  # fmt: skip
NOTHING = {"months": 0, "deliveries": 0, "jobs": 0, "events": 0, "responses": 0, "connections": 0}


async def rows(hub: RunningHub) -> dict[str, int]:
    async with hub.hub.store.reading() as tx:
        tables = (deliveries, delivery_parcels, delivery_versions, events, home_events, jobs, messages)
        return {table.name: await tx.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


async def order_of_household(home: ConnectedHome, hub: RunningHub) -> None:
    async with hub.hub.store.writing() as tx:
        await job_store.enqueue(
            tx, home.id, JobKind.OWNER, b"a.b.c", now=hub.hub.now(), browser="brw-1", lifetime=timedelta(minutes=1)
        )
        over = hub.hub.now() + timedelta(minutes=1)  # those of the deliveries too
        await tx.execute(update(jobs).values(due=None, received=hub.hub.now(), expires=over))


async def test_each_kind_of_data_is_deleted_after_its_own_time_and_not_a_day_before(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        for number in range(5):
            made = await home.announce(parcels=[f"XY{number:09}FR"])
            await home.stands(made, "visiting")
        await order_of_household(home, hub)
        store, now, before = hub.hub.store, hub.hub.now(), await rows(hub)
        assert before["deliveries"] == before["home_events"] == before["events"] // 2 == 5
        assert before["jobs"] == 6

        assert await KEPT.sweep(store, now + timedelta(days=9)) == NOTHING
        assert await rows(hub) == before

        assert await KEPT.sweep(store, now + timedelta(days=11)) == {**NOTHING, "jobs": 1}
        assert (await rows(hub))["jobs"] == 5, "those of deliveries are a part of their proofs"

        assert (await KEPT.sweep(store, now + timedelta(days=99)))["deliveries"] == 0
        gone = await KEPT.sweep(store, now + timedelta(days=110))
        assert gone == {**NOTHING, "deliveries": 5}
        assert await rows(hub) == {
            "deliveries": 0, "delivery_parcels": 0, "delivery_versions": 0, "events": 10, "home_events": 5, "jobs": 0,
            "messages": 0,
        }  # fmt: skip

        assert (await KEPT.sweep(store, now + timedelta(days=201)))["events"] == 10
        new = await home.announce(parcels=["XY000000009FR"])
        assert await home.stands(new, "visiting"), "and the home goes on in its chain"
