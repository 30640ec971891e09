"""Deletes what the hub has kept long enough: events, deliveries with all that belongs to them, jobs, responses.

Of connections that ended long ago it erases what they say of a customer.

Each transaction deletes a few rows, so that SQLite's only writer is free soon and PostgreSQL holds no lock for long.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

import structlog
from sqlalchemy import bindparam, delete, exists, select, tuple_, update

from gateway.hub.database import months
from gateway.hub.database.partitions import EVENTS
from gateway.hub.database.store import HubStore, log_unavailable
from gateway.hub.database.tables import (
    connections,
    deliveries,
    events,
    idempotency,
    jobs,
    messages,
)
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import erasure
from gateway.hub.deliveries.removal import delete_deliveries

log = structlog.get_logger(__name__)

BATCH_ROWS = 200
INTERVAL_S = 3600.0
_PAUSE_S = 0.05  # between two batches: others write meanwhile
_RESPONSE_KEYS = (idempotency.c.retailer, idempotency.c.key)
_OLD_RESPONSES = select(*_RESPONSE_KEYS).where(idempotency.c.created < bindparam("before")).limit(BATCH_ROWS)
_DELETE_RESPONSES = delete(idempotency).where(
    tuple_(*_RESPONSE_KEYS).in_(_OLD_RESPONSES.with_for_update(skip_locked=True))
)


@dataclass(frozen=True)
class Retention:
    """How long after its end each of them is kept."""

    deliveries: timedelta
    jobs: timedelta
    events: timedelta
    responses: timedelta  # by Idempotency-Key
    connections: timedelta

    async def run(self, store: HubStore, now: Callable[[], datetime]) -> None:
        """Delete each hour until cancelled; if the database is unavailable, an hour later."""
        while True:
            with log_unavailable("retention_stopped"):
                await self.sweep(store, now())
            await asyncio.sleep(INTERVAL_S)

    async def sweep(self, store: HubStore, now: datetime) -> dict[str, int]:
        """Delete all that is too old, and return how many rows of each table."""
        steps: dict[str, tuple[timedelta, Callable[[Transaction, datetime], Awaitable[int]]]] = {
            "events": (self.events, _delete_events),  # before the deliveries that they are about
            "deliveries": (self.deliveries, _delete_deliveries),
            "jobs": (self.jobs, _delete_jobs),
            "responses": (self.responses, _delete_responses),
            "connections": (self.connections, erasure.begin_for_ended(now, BATCH_ROWS)),
        }
        deleted = {"months": await months.drop_months(store, EVENTS, now - self.events)}
        for table, (kept, delete_some) in steps.items():
            deleted[table] = 0
            before = months.cutoff(store, now - kept) if table == EVENTS.name else now - kept
            while True:
                async with store.writing() as tx:
                    count = await delete_some(tx, before)
                deleted[table] += count
                if count < BATCH_ROWS:
                    break
                await asyncio.sleep(_PAUSE_S)
        if any(deleted.values()):
            log.info("retention", **deleted)
        return deleted


async def _delete_deliveries(tx: Transaction, before: datetime) -> int:
    """Delete deliveries whose window ended, and whose last change was, before this."""
    old = (deliveries.c.window_end < before, deliveries.c.changed < before)
    # The condition names `held`, which is the index's first column
    oldest = select(deliveries.c.id).where(deliveries.c.held.in_((False, True)), *old)
    gone = (await tx.scalars(oldest.order_by(deliveries.c.window_end).limit(BATCH_ROWS))).all()
    await _note_events_left(tx, gone)
    await delete_deliveries(tx, gone)
    return len(gone)


async def _note_events_left(tx: Transaction, gone: Sequence[str]) -> None:
    """Note at its connection that a delivery's events are kept longer than the delivery: an erasure looks for them."""
    left = exists().where(events.c.object == deliveries.c.id)
    theirs = select(deliveries.c.connection).where(deliveries.c.id.in_(gone), left)
    await tx.execute(update(connections).where(connections.c.id.in_(theirs)).values(events_left=True))


async def _delete_jobs(tx: Transaction, before: datetime) -> int:
    """Delete jobs without a delivery that expired before this; a delivery's jobs are a part of its proof."""
    old = (jobs.c.delivery.is_(None), jobs.c.expires < before, jobs.c.due.is_(None))
    gone = (await tx.scalars(select(jobs.c.id).where(*old).order_by(jobs.c.expires).limit(BATCH_ROWS))).all()
    if gone:
        await tx.execute(delete(jobs).where(jobs.c.id.in_(gone)))
    return len(gone)


async def _delete_events(tx: Transaction, before: datetime) -> int:
    """Delete the oldest events that were before this; the first that a webhook waits for ends it."""
    oldest = select(events.c.number, events.c.id, events.c.at).order_by(events.c.number).limit(BATCH_ROWS)
    old = list(takewhile(lambda row: row.at < before, (await tx.execute(oldest)).all()))
    if not old:
        return 0
    awaited = select(messages.c.event).where(messages.c.event.in_([row.id for row in old]))
    waits = set((await tx.scalars(awaited)).all())
    gone = [row.number for row in takewhile(lambda row: row.id not in waits, old)]
    if gone:
        await tx.execute(delete(events).where(events.c.number.in_(gone)))
    return len(gone)


async def _delete_responses(tx: Transaction, before: datetime) -> int:
    """Delete responses of requests that were before this."""
    return (await tx.execute(_DELETE_RESPONSES, {"before": before})).rowcount
