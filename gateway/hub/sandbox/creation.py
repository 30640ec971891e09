"""Creates sandboxes, and deletes each when it expires."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.database.store import new_id
from gateway.hub.database.tables import (
    api_keys,
    attempts,
    brand_keys,
    brands,
    connections,
    deliveries,
    delivery_versions,
    endpoints,
    events,
    home_events,
    homes,
    idempotency,
    jobs,
    messages,
    retailers,
)
from gateway.hub.http.authentication import new_secret, secret_digest
from gateway.hub.sandbox.home import SANDBOX_ENTRANCES, SANDBOX_TERMS, SANDBOX_ZONE
from gateway.protocol.box_hub import shard_of
from gateway.protocol.support_code import new_support_code

SANDBOX_LIFETIME = timedelta(days=30)
MAX_SANDBOXES = 5_000  # at one time
MIN_IDLE_BEFORE_EVICTION = timedelta(days=1)  # without an event, before another sandbox may replace it


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSandbox:
    """The ids and the API key of a new sandbox."""

    retailer: str
    token: str
    brand: str
    home: str
    support_code: str
    connection: str
    ends: datetime


async def is_full(tx: AsyncConnection) -> bool:
    """Return whether the maximum number of sandboxes exists."""
    count = await tx.scalar(select(func.count()).select_from(retailers).where(retailers.c.ends.is_not(None)))
    return (count or 0) >= MAX_SANDBOXES


async def evict_idle(tx: AsyncConnection, now: datetime) -> bool:
    """Delete the oldest sandbox without an event for a day, and return whether there was one.

    So one client that makes the maximum number cannot keep others from having one.
    """
    lately = exists().where(events.c.retailer == retailers.c.id, events.c.at > now - MIN_IDLE_BEFORE_EVICTION)
    idle = select(retailers.c.id).where(
        retailers.c.ends.is_not(None), retailers.c.created <= now - MIN_IDLE_BEFORE_EVICTION, ~lately
    )
    oldest = await tx.scalar(idle.order_by(retailers.c.ends).limit(1))
    if oldest is None:
        return False
    await tx.execute(update(retailers).where(retailers.c.id == oldest).values(ends=now))
    return await delete_expired(tx, now, at_most=1) > 0


async def create_sandbox(tx: AsyncConnection, box_key: str, now: datetime) -> NewSandbox:
    """Make a retailer with an API key, a brand, a simulated home, and the permission of its owner.

    `box_key` is the public key under which the robot signs.
    """
    key, secret, ends = new_id("key"), new_secret(), now + SANDBOX_LIFETIME
    sandbox = NewSandbox(
        retailer=new_id("ret"), token=f"{key}_{secret}", brand=f"sandbox-{secrets.token_hex(6)}", home=new_id("home"),
        support_code=new_support_code(), connection=new_id("con"), ends=ends,
    )  # fmt: skip
    entrances = [entrance.model_dump(mode="json") for entrance in SANDBOX_ENTRANCES]
    own = {"retailer": sandbox.retailer, "sandbox": True, "created": now}
    for statement in (
        insert(retailers).values(id=sandbox.retailer, name="Sandbox", created=now, ends=ends),
        insert(api_keys).values(
            **own, id=key, sha256=secret_digest(secret), label="sandbox", right="full", expires=ends
        ),
        insert(brands).values(**own, id=sandbox.brand, name="Sandbox"),
        insert(homes).values(
            id=sandbox.home, shard=shard_of(sandbox.home), sandbox=True, support_code=sandbox.support_code,
            box_key=box_key, said={"entrances": entrances, "timezone": str(SANDBOX_ZONE)},
            retailer=sandbox.retailer, joined=now,
        ),
        insert(connections).values(
            **own, id=sandbox.connection, brand=sandbox.brand, home=sandbox.home, state="granted",
            asked=SANDBOX_TERMS, terms=SANDBOX_TERMS, version=1, consent_sha256=secret_digest(new_secret()),
            expires=ends, decided=now,
        ),
    ):  # fmt: skip
        await tx.execute(statement)
    return sandbox


async def delete_expired(tx: AsyncConnection, now: datetime, *, at_most: int = 20) -> int:
    """Delete expired sandboxes with everything in them, and return how many."""
    expired = select(retailers.c.id).where(retailers.c.ends <= now).limit(at_most)
    over = (await tx.scalars(expired.with_for_update(skip_locked=True))).all()
    if not over:
        return 0
    gone = (await tx.scalars(select(homes.c.id).where(homes.c.retailer.in_(over), homes.c.sandbox))).all()
    own = select(endpoints.c.id).where(endpoints.c.retailer.in_(over))
    sent = select(messages.c.id).where(messages.c.endpoint.in_(own))
    their_deliveries = select(deliveries.c.id).where(deliveries.c.retailer.in_(over))
    named = select(brands.c.id).where(brands.c.retailer.in_(over), brands.c.sandbox)
    for statement in (
        delete(attempts).where(attempts.c.message.in_(sent)),
        delete(messages).where(messages.c.endpoint.in_(own)),
        delete(endpoints).where(endpoints.c.retailer.in_(over)),
        delete(events).where(events.c.retailer.in_(over)),
        delete(jobs).where(jobs.c.home.in_(gone)),
        delete(home_events).where(home_events.c.home.in_(gone)),
        delete(delivery_versions).where(delivery_versions.c.delivery.in_(their_deliveries)),
        delete(deliveries).where(deliveries.c.retailer.in_(over)),
        delete(connections).where(connections.c.retailer.in_(over)),
        delete(homes).where(homes.c.id.in_(gone)),
        delete(brand_keys).where(brand_keys.c.sandbox, brand_keys.c.brand.in_(named)),
        delete(brands).where(brands.c.retailer.in_(over)),
        delete(api_keys).where(api_keys.c.retailer.in_(over)),
        delete(idempotency).where(idempotency.c.retailer.in_(over)),
        delete(retailers).where(retailers.c.id.in_(over)),
    ):
        await tx.execute(statement)
    return len(over)
