"""Limits the events that the hub stores for one home: rate, bytes, number and age.

Without limits one home wrote 3.4 MB/s of signed events. The hub does not acknowledge an event beyond the rate. The box
sends an unacknowledged event again, so that a box that was offline for days loses nothing.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, func, select

from gateway.hub.database import months
from gateway.hub.database.partitions import HOME_EVENTS
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import home_events
from gateway.hub.database.transaction import Transaction

HOUR_S = 3600.0
MAX_HOMES = 20_000  # whose budgets are remembered; a full one need not be
PRUNE_INTERVAL_EVENTS = 100  # so many more than the limit may be stored
SWEEP_INTERVAL_S = 3600.0
SWEEP_BATCH_ROWS = 500  # of one transaction, so that SQLite's only writer is free soon


@dataclass(slots=True)
class _Budget:
    """What is left of one home's limit, as of `refilled_at` (monotonic seconds)."""

    events: float
    byte_count: float
    refilled_at: float
    is_exceeded: bool = False


class HomeRateLimits:
    """Limits events and bytes of each home; one hour's worth may come at once. `monotonic` returns seconds."""

    def __init__(self, events: int, byte_count: int, *, monotonic: Callable[[], float]) -> None:
        self._events, self._byte_limit, self._monotonic = events, byte_count, monotonic
        self._homes: dict[str, _Budget] = {}  # the longest unused first

    def allows(self, home: str, events: int, byte_count: int) -> bool:
        """Return whether one more event may be stored after so many events and bytes of the current batch."""
        left = self._budget_of(home)
        return events < left.events and byte_count < left.byte_count

    def spend(self, home: str, events: int, byte_count: int) -> None:
        """Count stored events and bytes."""
        left = self._budget_of(home)
        left.events, left.byte_count = left.events - events, left.byte_count - byte_count
        self._homes.pop(home, None)
        self._homes[home] = left
        while len(self._homes) > MAX_HOMES:
            del self._homes[next(iter(self._homes))]

    def note_exceeded(self, home: str) -> bool:
        """Note that a home exceeded its limit; return True the first time since half of it was available."""
        left = self._homes[home] = self._budget_of(home)
        first, left.is_exceeded = not left.is_exceeded, True
        return first

    def _budget_of(self, home: str) -> _Budget:
        now = self._monotonic()
        left = self._homes.get(home) or _Budget(self._events, self._byte_limit, now)
        share = (now - left.refilled_at) / HOUR_S
        left.events = min(self._events, left.events + self._events * share)
        left.byte_count = min(self._byte_limit, left.byte_count + self._byte_limit * share)
        left.refilled_at = now
        if left.events >= self._events / 2 and left.byte_count >= self._byte_limit / 2:
            left.is_exceeded = False
        return left


_DELETE_OLDEST = delete(home_events).where(
    home_events.c.home == bindparam("whose"), home_events.c.seq <= bindparam("last")
)
_later_events = home_events.alias("later")
_SELECT_NEWEST = (
    select(func.max(_later_events.c.seq)).where(_later_events.c.home == home_events.c.home).scalar_subquery()
)
_SELECT_TOO_OLD = (
    select(home_events.c.home, home_events.c.seq)
    .where(home_events.c.at < bindparam("before"), home_events.c.seq < _SELECT_NEWEST)
    .order_by(home_events.c.at)
    .limit(SWEEP_BATCH_ROWS)
)
_DELETE_EVENT = delete(home_events).where(
    home_events.c.home == bindparam("whose"), home_events.c.seq == bindparam("number")
)


@dataclass(frozen=True)
class EventRetention:
    """Deletes old events: at most `max_events` of one home stay, none older than `max_age`.

    A home's newest event always stays, because the next one must follow from it.
    """

    max_events: int
    max_age: timedelta

    async def prune(self, tx: Transaction, home: str, seq: int) -> None:
        """Delete the oldest events of a home whose newest is `seq`, once per hundred events."""
        if seq % PRUNE_INTERVAL_EVENTS == 0 and seq > self.max_events:
            await tx.execute(_DELETE_OLDEST, {"whose": home, "last": seq - self.max_events})

    async def sweep(self, store: HubStore, now: datetime) -> int:
        """Delete the events of all homes that are too old, and return how many."""
        gone, before = 0, months.cutoff(store, now - self.max_age)
        await months.drop_months(store, HOME_EVENTS, before)
        while True:
            async with store.writing() as tx:
                rows = (await tx.execute(_SELECT_TOO_OLD, {"before": before})).all()
                if rows:
                    await tx.execute(_DELETE_EVENT, [{"whose": row.home, "number": row.seq} for row in rows])
            gone += len(rows)
            if len(rows) < SWEEP_BATCH_ROWS:
                return gone

    async def run(self, store: HubStore, now: Callable[[], datetime]) -> None:
        """Sweep each hour until cancelled; if the database is unavailable, an hour later."""
        while True:
            with contextlib.suppress(OSError):
                await self.sweep(store, now())
            await asyncio.sleep(SWEEP_INTERVAL_S)
