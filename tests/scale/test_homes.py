"""The simulated homes are homes: a hub that knows nothing of them has its deliveries taken, once each."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import deliveries, home_events
from gateway.protocol.box_hub import Job, JobKind
from tests.hubs import broker_account, hub_file, run_hub
from tests.mosquitto import mosquitto
from tests.scale.driving import LoadDriver
from tests.scale.enrolling import HomeFleet, enrol
from tests.scale.homes import HomesBroker, ScaleHomes
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
ACCESS = "user hub\ntopic write dn/#\ntopic read up/#\n\npattern write up/+/%u/#\npattern read dn/%u/#\n"


async def test_every_delivery_is_acted_on_once_and_told_also_when_the_broker_dies_and_jobs_come_twice(
    tmp_path: Path,
) -> None:
    file = hub_file(tmp_path)
    file.folder.mkdir()
    store = await HubStore.open(file.database)
    fleet = await enrol(store, 5, now=datetime.now(UTC), folder=tmp_path)
    await store.close()
    fleet.write(tmp_path / "fleet.json")
    accounts = dict.fromkeys(("hub", *(one.home for one in fleet.homes)), "secret")
    async with mosquitto(accounts, ACCESS) as broker:
        file = file.model_copy(update={"broker": broker_account(broker, tmp_path)})
        at = HomesBroker([("127.0.0.1", broker.port)], password="secret")  # noqa: S106 - the test's
        homes = ScaleHomes(HomeFleet.read(tmp_path / "fleet.json").homes, at)
        async with run_hub(file) as hub, asyncio.TaskGroup() as group:
            playing = group.create_task(homes.run(rate=100))
            await wait_until(lambda: homes.count().there == 5)
            driver = LoadDriver((file.url,), fleet, window=timedelta(hours=2))
            await driver.send(10)
            await broker.kill()
            await driver.send(10)
            await broker.start()
            await wait_until(lambda: homes.count().acts == 20)
            for home in homes.homes:  # what was taken comes again
                home.take(Job(job="job-x", kind=JobKind.HUB_DELIVERY, token=home.newest))
            await wait_until(lambda: homes.count().waiting == 0)
            now = homes.count()
            assert (now.acts, now.double, now.there) == (20, 0, 5)
            async with hub.hub.store.reading() as tx:
                states = set(await tx.scalars(select(deliveries.c.state)))
                kept = await tx.scalar(select(func.count()).select_from(home_events))
            assert states == {"scheduled"}
            assert kept == 20
            assert set(homes.seen) == set(driver.made)
            playing.cancel()
