"""Deletes sandboxes: each when it expires, and an idle one when another needs its place.

A deletion first locks the sandboxes' homes, and then skips each retailer that another transaction uses. So it waits for
the robot, which locks a home before it notifies its retailer, and no two of them wait for each other.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, select

from gateway.hub.database import tables
from gateway.hub.database.tables import brand_keys, brands, endpoints, events, homes, retailers
from gateway.hub.database.transaction import Transaction

MIN_IDLE_BEFORE_EVICTION = timedelta(days=1)  # without an event, before another sandbox may replace it
MAX_EVICTION_TRIES = 5  # idle sandboxes that are tried: the oldest may just be used again


async def evict_idle(tx: Transaction, now: datetime) -> bool:
    """Delete the oldest sandbox without an event for a day, and return whether there was one.

    So one client that makes the maximum number cannot keep others from having one. One that another transaction uses at
    this moment is idle no longer.
    """
    lately = exists().where(events.c.retailer == retailers.c.id, events.c.at > now - MIN_IDLE_BEFORE_EVICTION)
    is_idle = (retailers.c.ends.is_not(None), retailers.c.created <= now - MIN_IDLE_BEFORE_EVICTION, ~lately)
    oldest = select(retailers.c.id).where(*is_idle).order_by(retailers.c.ends).limit(MAX_EVICTION_TRIES)
    for retailer in (await tx.scalars(oldest)).all():
        if await _delete_unused(tx, [retailer], *is_idle):
            return True
    return False


async def delete_expired(tx: Transaction, now: datetime, *, at_most: int = 20) -> int:
    """Delete expired sandboxes with everything in them, and return how many."""
    is_expired = retailers.c.ends <= now
    expired = (await tx.scalars(select(retailers.c.id).where(is_expired).limit(at_most))).all()
    return await _delete_unused(tx, expired, is_expired) if expired else 0


async def _delete_unused(tx: Transaction, sandboxes: Sequence[str], *is_over: ColumnElement[bool]) -> int:
    """Delete those of these sandboxes that still are over and that no other transaction uses; return how many."""
    theirs = select(homes.c.id).where(homes.c.retailer.in_(sandboxes), homes.c.sandbox).order_by(homes.c.id)
    await tx.execute(theirs.with_for_update())
    unused = select(retailers.c.id).where(retailers.c.id.in_(sandboxes), *is_over)
    over = (await tx.scalars(unused.with_for_update(skip_locked=True))).all()
    if not over:
        return 0
    gone = (await tx.scalars(select(homes.c.id).where(homes.c.retailer.in_(over), homes.c.sandbox))).all()
    own = select(endpoints.c.id).where(endpoints.c.retailer.in_(over))
    sent = select(tables.messages.c.id).where(tables.messages.c.endpoint.in_(own))
    their_deliveries = select(tables.deliveries.c.id).where(tables.deliveries.c.retailer.in_(over))
    named = select(brands.c.id).where(brands.c.retailer.in_(over), brands.c.sandbox)
    await tx.execute(delete(brand_keys).where(brand_keys.c.sandbox, brand_keys.c.brand.in_(named)))
    for column, values in (
        (tables.attempts.c.message, sent), (tables.messages.c.endpoint, own), (endpoints.c.retailer, over),
        (events.c.retailer, over), (tables.jobs.c.home, gone), (tables.home_events.c.home, gone),
        (tables.delivery_versions.c.delivery, their_deliveries), (tables.delivery_parcels.c.retailer, over),
        (tables.deliveries.c.retailer, over),
        (tables.brand_messages.c.home, gone), (tables.connections.c.retailer, over), (homes.c.id, gone),
        (brands.c.retailer, over), (tables.api_keys.c.retailer, over), (tables.idempotency.c.retailer, over),
        (tables.erasures.c.retailer, over),
        (retailers.c.id, over),
    ):  # fmt: skip
        await tx.execute(delete(column.table).where(column.in_(values)))
    return len(over)
