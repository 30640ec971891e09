"""A peer for the hub with homes: `hub_peer.py`, which also sends each delivery to its home and stores what comes back.

A receipt, an event and a hello are a transaction each, durable, statement by statement; no signature is verified and
nothing is sent again. `python -m tests.bench.dispatch_peer PORT URL BROKER_PORT`
"""

import asyncio
import json
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from secrets import token_hex

import aiomqtt
import asyncpg
from aiohttp import web

from tests.bench.hub_peer import PostgreSQLPeer, SQLitePeer, announce

Database = SQLitePeer | PostgreSQLPeer

_RECEIVED = "UPDATE jobs SET received = $1, due = NULL WHERE delivery = $2"
_HEARD = "UPDATE homes SET there = TRUE, heard = $1 WHERE id = $2"
_NEWEST = "SELECT seq, token FROM home_events WHERE home = $1 ORDER BY seq DESC LIMIT 1"
_FIND = "SELECT id, retailer, state FROM deliveries WHERE brand = $1 AND home = $2 AND name = $3"
_HOME_EVENT = "INSERT INTO home_events (home, seq, token, delivery, at) VALUES ($1, $2, $3, $4, $5)"
_STATE = "UPDATE deliveries SET state = $1, answered = $2, seq = $3, changed = $4 WHERE id = $5"
_COUNT = "UPDATE retailers SET told = told + 1 WHERE id = $1 RETURNING told"
_EVENT = (
    "INSERT INTO events (id, retailer, type, object, data, sandbox, seq, at)"
    " VALUES ($1, $2, 'delivery.changed', $3, $4, FALSE, $5, $6)"
)
_BRAND = "SELECT brand, home FROM connections WHERE id = $1"


async def dispatch(database: Database, broker: aiomqtt.Client, request: web.Request) -> web.Response:
    """Store a delivery, and send it to its home."""
    body, answer = await request.json(), await announce(database, request)
    delivery = json.loads(answer.body if isinstance(answer.body, bytes) else b"")["id"]
    async with database.transaction() as tx:
        [(brand, home)] = await tx.fetch(_BRAND, body["connection"])
    said = {"iss": "hub", "brand": brand,
            "delivery": {**body["delivery"], "id": request.headers["Idempotency-Key"], "version": 1}}  # fmt: skip
    token = f"e30.{urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip('=')}.c2ln"
    job = {"job": f"job-{delivery[4:]}", "kind": "hub_delivery", "token": token}
    await broker.publish(f"dn/{home}/jobs", json.dumps(job), qos=1)
    return answer


async def hear(database: Database, broker: aiomqtt.Client, message: aiomqtt.Message) -> None:
    """Store what a home says, and acknowledge its events."""
    _, _, home, channel = message.topic.value.split("/")
    payload, now = bytes(message.payload), time.time_ns() // 1000
    if channel == "status":
        async with database.transaction() as tx:
            await tx.fetch(_RECEIVED, now, f"dlv-{json.loads(payload)['job'][4:]}")
        return
    if channel == "hello":
        async with database.transaction() as tx:
            await tx.fetch(_HEARD, now, home)
            newest = await tx.fetch(_NEWEST, home)
        seq, head = (newest[0][0], sha256(newest[0][1]).hexdigest()) if newest else (0, "0" * 64)
    else:
        part = payload.split(b".")[1]
        event = json.loads(urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
        seq, head, result = event["seq"], sha256(payload).hexdigest(), event["result"]
        async with database.transaction() as tx:
            newest = await tx.fetch(_NEWEST, home)
            if (newest[0][0] if newest else 0) + 1 == seq:
                [(delivery, retailer, _)] = await tx.fetch(_FIND, result["brand"], home, result["delivery"])
                await tx.fetch(_HOME_EVENT, home, seq, payload, delivery, now)
                await tx.fetch(_STATE, result["state"], result["version"], seq, now, delivery)
                [(told,)] = await tx.fetch(_COUNT, retailer)
                told_of = json.dumps({"id": delivery, **result})
                await tx.fetch(_EVENT, f"evt-{token_hex(13)}", retailer, delivery, told_of, told, now)
    await broker.publish(f"dn/{home}/ack", json.dumps({"seq": seq, "head": head}))


async def serve(port: int, url: str, broker_port: int) -> None:
    """Serve until killed."""
    async with (
        asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=0) as pool,  # connects when it is used
        aiomqtt.Client("127.0.0.1", broker_port, protocol=aiomqtt.ProtocolVersion.V5, identifier="peer") as broker,
    ):
        database = SQLitePeer(url.partition("///")[2]) if url.startswith("sqlite") else PostgreSQLPeer(pool)
        app = web.Application()
        app.router.add_post("/v1/deliveries", lambda request: dispatch(database, broker, request))
        serving = asyncio.create_task(
            web._run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)  # noqa: SLF001 - in this loop
        )
        await broker.subscribe("up/+/+/+", qos=1)
        async for message in broker.messages:
            await hear(database, broker, message)
        await serving


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
