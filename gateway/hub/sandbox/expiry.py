"""Deletes sandboxes: each when it expires, and an idle one when another needs its place."""

from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

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

MIN_IDLE_BEFORE_EVICTION = timedelta(days=1)  # without an event, before another sandbox may replace it


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
