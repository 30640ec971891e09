from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import api_keys
from gateway.hub.http.authentication import REMEMBER_PERIOD, RememberedCallers
from tests.hubs import hub_file, run_hub
from tests.webhookhouse import ManualWallClock


async def test_a_key_is_remembered_for_a_second_and_forgotten_at_once_where_it_is_revoked(tmp_path: Path) -> None:
    wall, file = ManualWallClock(), hub_file(tmp_path)
    async with run_hub(file, wall=wall) as hub:
        retailer, other = await hub.retailer(), await hub.retailer()

        async def status(headers: dict[str, str]) -> int:
            async with hub.http.get("/v1/brands", headers=headers) as answer:
                return answer.status

        revoked = update(api_keys).values(revoked=hub.hub.now())
        assert [await status(one.headers) for one in (retailer, other)] == [200, 200]
        async with hub.hub.store.writing() as tx:
            await tx.execute(revoked.where(api_keys.c.retailer == retailer.id))
        assert [await status(one.headers) for one in (retailer, other)] == [401, 200], "by this process: at once"
        beside = await HubStore.open(file.database)
        async with beside.writing() as tx:
            await tx.execute(revoked.where(api_keys.c.retailer == other.id))
        await beside.close()
        wall.ahead += REMEMBER_PERIOD / timedelta(seconds=1)
        assert await status(other.headers) == 401, "by another one: after a second"


async def test_a_valid_key_is_looked_up_once_a_second(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    async with run_hub(file) as hub:
        retailer, now = await hub.retailer(), hub.hub.now()
        callers, authorization = RememberedCallers(hub.hub.store), retailer.headers["Authorization"]
        known = await callers.find(authorization, now)
        assert known is not None
        assert known.retailer == retailer.id
        beside = await HubStore.open(file.database)
        async with beside.writing() as tx:
            await tx.execute(update(api_keys).values(revoked=now))
        await beside.close()
        assert await callers.find(authorization, now) == known, "the database is not asked again in that second"
        assert await callers.find(authorization, now + REMEMBER_PERIOD) is None
