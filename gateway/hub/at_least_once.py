"""Queues in the hub's tables whose items are sent at least once: jobs to homes, and webhook messages to endpoints.

The database decides what is sent. A queue is a table with an instant in each row, at which the row is due. A process
that *takes* due rows moves their instants ahead in the same statement, so no other process takes them until then. If
the process is killed, or the receiver does not confirm, the row is due again at that instant. So nothing is lost, and
something may be sent twice: a receiver recognises it by its id. What the process learns of a row later is stored only
if nobody has moved the row's instant meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from prometheus_client import Gauge
from sqlalchemy import Column, ColumnElement, Integer, Row, bindparam, case, select, update

from gateway.domain.frozen import Frozen
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import InstantColumn
from gateway.system.backoff import Backoff, RetrySchedule

NOW = bindparam("now", type_=InstantColumn)
UNTIL = bindparam("until", type_=InstantColumn)  # to which a process moves the instant of the rows that it takes
NOTHING: Mapping[str, Any] = MappingProxyType({})
FREE_AT = bindparam("free_at", type_=InstantColumn)  # from which a row that was given back is due


def next_due(retries: RetrySchedule, attempts: Column[int]) -> ColumnElement[Any]:
    """Return the instant of an item's next attempt, computed by the database; `attempts`: those before this one."""
    each = [bindparam(f"after_{number}", type_=InstantColumn) for number in range(len(retries.delays_s))]
    return case(*((attempts == number, instant) for number, instant in enumerate(each[:-1])), else_=each[-1])


def retry_instants(retries: RetrySchedule, now: datetime, *, chance: float) -> dict[str, datetime]:
    """Return the values of `next_due`'s parameters."""
    numbers = range(len(retries.delays_s))
    return {f"after_{number}": now + retries.delay(number + 1, chance=chance) for number in numbers}


class LeasedQueue:
    """The rows of one table that are taken when they are due.

    `due` is the column of the instant, `ready` what else must hold of a row, `order` which is taken first. Taking a row
    moves it to `until` and stores `taken`; the process gets the columns `returning` with their new values. Giving it
    back moves it to `free_at` and stores `given_back`. `waits`: giving a row back waits while another transaction locks
    it.
    """

    def __init__(  # noqa: PLR0913 - the parts of two statements
        self, due: Column[datetime], *, ready: Sequence[ColumnElement[bool]], order: Sequence[ColumnElement[Any]],
        returning: Sequence[ColumnElement[Any]], until: ColumnElement[Any] = UNTIL, taken: Mapping[str, Any] = NOTHING,
        free_at: ColumnElement[Any] = FREE_AT, given_back: Mapping[str, Any] = NOTHING, waits: bool = True,
    ) -> None:  # fmt: skip
        table = due.table
        rows = select(table.c.id).where(due <= NOW, *ready).order_by(*order).limit(bindparam("most", type_=Integer))
        # A WITH is evaluated once; within IN (...) the limit could apply again for each row.
        chosen = rows.with_for_update(key_share=True, skip_locked=True, of=table).cte("due_now")
        take = update(table).where(table.c.id.in_(select(chosen.c.id))).values({due.name: until, **taken})
        mine = select(table.c.id).where(table.c.id == bindparam("row"), due == UNTIL)
        mine = mine.with_for_update(key_share=True, skip_locked=not waits)
        self._select_due, self.take_due = rows, take.returning(*returning)
        self._give_back = (
            update(table).where(table.c.id == mine.scalar_subquery()).values({due.name: free_at, **given_back})
        )

    async def take(self, store: HubStore, *, now: datetime, most: int, **values: object) -> Sequence[Row[Any]]:
        """Take at most `most` due rows that no other process holds. `values`: parameters of the queue's expressions."""
        params = {"now": now, "most": most, **values}
        if store.has_one_writer:  # usually nothing is due, so the writer is not needed
            async with store.reading() as tx:
                if (await tx.execute(self._select_due, {**params, "most": 1})).first() is None:
                    return ()
        async with store.writing() as tx:
            # PostgreSQL keeps a statement's plan. A plan from when the table had few rows would read all rows for each
            # row once there are thousands (2 s).
            return (await tx.execute_replanned(self.take_due, params)).all()

    async def give_back(self, store: HubStore, rows: Sequence[Mapping[str, object]]) -> None:
        """Give rows back, each with `row` (its id), `until`, and the parameters of the queue's expressions.

        A row that was moved meanwhile stays as it is.
        """
        if rows:
            await store.execute_once(self._give_back, rows)


async def pull_back(
    store: HubStore, due: Column[datetime], now: datetime, max_ahead: timedelta, *conditions: ColumnElement[bool]
) -> int:
    """Make rows due now that are due further ahead than `max_ahead`, and return how many.

    A clock that ran ahead and was set back moved them there.
    """
    late = update(due.table).where(due > now + max_ahead, *conditions)
    return await store.change_any(late.values({due.name: now}))


class Backlog(Frozen):
    """The waiting items of a queue: how many, when the oldest was made, and when the most overdue one was due."""

    count: int
    oldest: datetime | None
    overdue_since: datetime | None

    def show(self, now: datetime, *, count: Gauge, oldest: Gauge, lag: Gauge) -> None:
        """Set the metrics of a queue."""
        count.set(self.count)
        for gauge, since in ((oldest, self.oldest), (lag, self.overdue_since)):
            gauge.set(0 if since is None else max(0, (now - since).total_seconds()))


class QueueLoop:
    """Looks for due rows: at once when it is woken, and at intervals for what another process stored.

    After it found something it looks again after `poll.first_s`, then at growing intervals up to `poll.max_s`.
    `gather_s` collects several wake-ups for one look.
    """

    def __init__(self, poll: Backoff, *, gather_s: float) -> None:
        self._poll, self._gather_s = poll, gather_s
        self._is_woken = asyncio.Event()

    def wake_up(self) -> None:
        """Look at once."""
        self._is_woken.set()

    async def run(
        self, look: Callable[[], Awaitable[bool]], errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Call `look`, which returns whether it found something, until cancelled; `errors` logs what it may raise."""
        pause = self._poll.max_s
        while True:
            self._is_woken.clear()
            with errors():
                if await look():
                    pause = self._poll.first_s
            try:
                async with asyncio.timeout(pause):
                    await self._is_woken.wait()
            except TimeoutError:
                pause = self._poll.next_s(pause)
            else:
                await asyncio.sleep(self._gather_s)
