"""A hub that may send to this machine, a retailer's server and a retailer, for tests of webhooks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Row

from gateway.hub.config import Webhooks
from gateway.hub.deliveries.events import EventType, emit
from gateway.system.guarded_http import Lookup
from tests.hubs import RetailerAccess, RunningHub, hub_file, run_hub, unknown_names
from tests.receiver import WebhookReceiver, shared_receiver

TEST_WEBHOOKS = Webhooks(private=True, plain=True)


def delivery_row(retailer: str, *, sandbox: bool, id_: str = "dlv-1") -> Row[Any]:
    """Return what an event needs of a delivery's row."""
    return cast("Row[Any]", SimpleNamespace(id=id_, retailer=retailer, sandbox=sandbox))


class ManualWallClock:
    """The hub's time, which a test moves on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class WebhookHouse:
    """A hub, a receiver, a retailer."""

    def __init__(
        self, hub: RunningHub, receiver: WebhookReceiver, retailer: RetailerAccess, wall: ManualWallClock
    ) -> None:
        self.hub, self.receiver, self.retailer, self.wall = hub, receiver, retailer, wall

    async def ask(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        async with self.hub.http.request(
            method, f"/v1/webhook_endpoints{path}", headers=self.retailer.headers, json=body
        ) as answer:
            said = await answer.text()
            assert answer.status == status, said
            return json.loads(said) if said else None

    async def endpoint(self, path: str = "/ok", **more: object) -> Any:  # noqa: ANN401 - JSON
        url = path if path.startswith("http") else self.receiver.url + path
        return await self.ask("POST", "", {"url": url, **more}, status=201)

    async def tell(self, count: int = 1) -> None:
        async with self.hub.hub.store.writing() as tx:
            for number in range(count):
                data = {"id": "dlv-1", "number": number}
                row = delivery_row(self.retailer.id, sandbox=False)
                await emit(tx, row, EventType.DELIVERY_CHANGED, data, self.hub.hub.now())
        self.hub.hub.wake_ups.messages()

    def later(self, seconds: float) -> None:
        self.wall.ahead += seconds
        self.hub.hub.wake_ups.messages()

    async def log(self, endpoint: Any) -> list[Any]:  # noqa: ANN401 - JSON
        return list((await self.ask("GET", f"/{endpoint['id']}/messages?limit=100"))["data"])

    async def until(self, endpoint: Any, fits: Callable[[list[Any]], bool]) -> list[Any]:  # noqa: ANN401 - JSON
        async with asyncio.timeout(15):
            while not fits(found := await self.log(endpoint)):  # noqa: ASYNC110 - the store is asked as a retailer does
                await asyncio.sleep(0.04)
        return found

    async def settled(self, endpoint: Any) -> list[Any]:  # noqa: ANN401 - JSON
        return await self.until(endpoint, lambda log: bool(log) and all(one["attempts_made"] for one in log))


@asynccontextmanager
async def webhook_house(
    folder: Path,
    webhooks: Webhooks = TEST_WEBHOOKS,
    *,
    lookup: Lookup = unknown_names,
    receiver: WebhookReceiver | None = None,
) -> AsyncIterator[WebhookHouse]:
    """A hub that may send to this machine, and a receiver: the shared one unless another is given."""
    wall = ManualWallClock()
    async with run_hub(hub_file(folder, webhooks=webhooks), wall=wall, lookup=lookup) as hub:
        yield WebhookHouse(hub, receiver or shared_receiver(), await hub.retailer(), wall)
