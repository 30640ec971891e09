"""Jobs kept in the store as a hub keeps them, without HTTP: by another hub, or while all were away."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select

from gateway.hub.database.store import HubStore, new_id
from gateway.hub.database.tables import connections, deliveries
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import jobs
from gateway.protocol.box_hub import JobKind
from tests.scale.enrolling import HomeFleet

_INSERT_DELIVERY = insert(deliveries)


@dataclass
class JobWriter:
    """Keeps them. `kept`: when each delivery's transaction was whole (monotonic), by its name."""

    store: HubStore
    fleet: HomeFleet
    kept: dict[str, float] = field(default_factory=dict)
    _let_in: dict[str, Row[Any]] = field(default_factory=dict)

    async def together(self, names: Sequence[str]) -> None:
        """Keep all of them in one transaction."""
        async with self.store.writing() as tx:
            for number, name in enumerate(names):
                await self._insert_one(tx, number, name)
        self.kept |= dict.fromkeys(names, time.monotonic())

    async def steadily(self, names: Sequence[str], rate: float) -> None:
        """Keep `rate` a second, each in a transaction of its own. Whoever is late does not make the next one late."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, name in enumerate(names):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                group.create_task(self._write_one(number, name))

    async def _write_one(self, number: int, name: str) -> None:
        async with self.store.writing() as tx:
            await self._insert_one(tx, number, name)
        self.kept[name] = time.monotonic()

    async def _insert_one(self, tx: Transaction, number: int, name: str) -> None:
        if not self._let_in:
            self._let_in = {row.home: row for row in await tx.execute(select(connections))}
        home, id_, now = self.fleet.homes[number % len(self.fleet.homes)].home, new_id("dlv"), datetime.now(UTC)
        con = self._let_in[home]
        made = {
            "id": id_, "retailer": con.retailer, "connection": con.id, "home": home, "brand": con.brand, "name": name,
            "version": 1, "promise": {}, "hub_signed": True, "state": "scheduled", "missing": 0, "seq": 0,
            "created": now, "changed": now, "window_end": now + timedelta(hours=1),
        }  # fmt: skip
        await tx.execute(_INSERT_DELIVERY, made)
        await jobs.enqueue(tx, home, JobKind.HUB_DELIVERY, _token(con.brand, name), now=now, delivery=id_)


def _token(brand: str, name: str) -> bytes:
    said = {"iss": "hub", "brand": brand, "delivery": {"id": name, "version": 1}}
    return b"e30." + urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=") + b".c2ln"
