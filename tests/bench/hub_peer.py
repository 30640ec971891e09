"""A peer for the hub: few lines that store what an announcement stores, statement by statement, durably.

It stores as many rows, columns and bytes as the hub, checks the same foreign keys, and answers with as many bytes. It
has no rules: no validation, limits, encryption or signature, and it never fails well.
`python -m tests.bench.hub_peer PORT URL` works on the hub's own database, whose URL is SQLAlchemy's.
"""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import asyncpg
from aiohttp import web

_KEY = "SELECT retailer FROM api_keys WHERE id = $1"
_CONNECTION = "SELECT brand, home FROM connections WHERE id = $1"
_DELIVERY = (
    "INSERT INTO deliveries (id, retailer, connection, home, brand, name, version, promise, hub_signed, sandbox, held,"
    " state, untold, missing, arrivals, seq, carrier_id, created, changed, window_start, window_end) VALUES ($1, $2,"
    " $3, $4, $5, $6, 1, $7, TRUE, FALSE, FALSE, 'awaiting_permission', FALSE, 0, 0, 0, $9, $8, $8, $8, $8)"
)
_PARCEL = "INSERT INTO delivery_parcels (delivery, parcel, retailer) VALUES ($1, $2, $3)"
_VERSION = "INSERT INTO delivery_versions (delivery, version, promise, refused, created) VALUES ($1, 1, $2, FALSE, $3)"
_JOB = (
    "INSERT INTO jobs (id, home, kind, token, sha256, delivery, attempts, parked, created, due, expires)"
    " VALUES ($1, $2, 'hub_delivery', $3, $4, $5, 0, FALSE, $6, $6, $6)"
)
_COUNT = "UPDATE retailers SET told = told + 1 WHERE id = $1 RETURNING told"
_EVENT = (
    "INSERT INTO events (id, retailer, type, object, data, request, sandbox, seq, at)"
    " VALUES ($1, $2, 'delivery.created', $3, $4, 'req-aaaaaaaaaaaaaaaa', FALSE, $5, $6)"
)
_ANSWER = (
    "INSERT INTO idempotency (retailer, key, fingerprint, created, status, headers, body)"
    " VALUES ($1, $2, $3, $4, 201, $5, $6)"
)
_DIGEST, _TOKEN = "f" * 64, b"t" * 700
# What the hub says of a new delivery beside the order itself, in an event and in an answer
_EVENT_FACTS = dict.fromkeys(
    ("answered", "reason", "missing_parcels", "house", "custody", "moved_to", "more_time", "collected", "cold_chain",
     "cancel", "on_the_way", "eta"),
) | {"version": 1, "state": "awaiting_permission", "missing": 0, "metadata": {}}  # fmt: skip
_FACTS = _EVENT_FACTS | dict.fromkeys(
    ("courier_sha256", "max_celsius", "needs", "min_celsius", "items", "entrances", "dimensions", "label_rules",
     "collect", "holder", "yes_each", "expected_address", "info", "courier"),
) | {"hub_signed": True, "sandbox": False}  # fmt: skip


class SQLitePeer:
    """One connection, which one request at a time uses; it commits in a thread."""

    def __init__(self, file: str) -> None:
        self._database, self._turn = (
            sqlite3.connect(file, isolation_level=None, check_same_thread=False),
            asyncio.Lock(),
        )
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("PRAGMA foreign_keys=ON")

    async def fetch(self, statement: str, *values: Any) -> Sequence[Any]:  # noqa: ANN401 - columns of many kinds
        """Execute one statement in place."""
        return self._database.execute(statement.replace("$", "?"), values).fetchall()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["SQLitePeer"]:
        """Begin and commit."""
        async with self._turn:
            self._database.execute("BEGIN IMMEDIATE")
            yield self
            await asyncio.to_thread(self._database.execute, "COMMIT")


class PostgreSQLPeer:
    """A pool of connections."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"]:
        """Begin and commit."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection


async def announce(database: SQLitePeer | PostgreSQLPeer, request: web.Request) -> web.Response:
    """Store a delivery with its version, job and event, and the answer under its Idempotency-Key."""
    body, now = await request.json(), time.time_ns() // 1000
    named, answered = body["delivery"].pop("name"), request.headers["Idempotency-Key"]
    order, delivery = body["delivery"], f"dlv-{token_hex(13)}"
    promise, at = json.dumps({**order, "courier_sha256": None, "max_celsius": None}), order["window"]["start"]
    async with database.transaction() as tx:
        [(retailer,)] = await tx.fetch(_KEY, request.headers["Authorization"][7:37])
        [(brand, home)] = await tx.fetch(_CONNECTION, body["connection"])
        names = {"id": delivery, "connection": body["connection"], "brand": brand, "name": named, "order_id": named}
        carrier = order["carrier"].lower()
        await tx.fetch(_DELIVERY, delivery, retailer, body["connection"], home, brand, named, promise, now, carrier)
        for parcel in order["parcels"]:
            await tx.fetch(_PARCEL, delivery, parcel, retailer)
        await tx.fetch(_VERSION, delivery, promise, now)
        await tx.fetch(_JOB, f"job-{token_hex(13)}", home, _TOKEN, _DIGEST, delivery, now)
        [(told,)] = await tx.fetch(_COUNT, retailer)
        data = json.dumps({**names, **_EVENT_FACTS})
        await tx.fetch(_EVENT, f"evt-{token_hex(13)}", retailer, delivery, data, told, now)
        said = json.dumps({**names, **_FACTS, **order, "created": at, "changed": at}, separators=(",", ":"))
        headers = json.dumps({"location": f"/v1/deliveries/{delivery}", "content-type": "application/json"})
        await tx.fetch(_ANSWER, retailer, answered, _DIGEST, now, headers, said.encode())
    return web.Response(body=said.encode(), status=201, content_type="application/json")


async def serve(port: int, url: str) -> None:
    """Serve until killed."""
    async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=0) as pool:  # connects when it is used
        database = SQLitePeer(url.partition("///")[2]) if url.startswith("sqlite") else PostgreSQLPeer(pool)
        app = web.Application()
        app.router.add_post("/v1/deliveries", lambda request: announce(database, request))
        await web._run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)  # noqa: SLF001 - in this loop


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
