"""Makes partitions for the coming months, and drops those that are too old. On SQLite there is nothing to do.

Each change waits at most a second for its lock, because other statements wait behind it. If it does not get the lock
the caller tries again an hour later.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy import text

from gateway.domain.frozen import Frozen
from gateway.hub.database.partitions import (
    EVENTS,
    HOME_EVENTS,
    PARTITION_SETTINGS,
    DividedTable,
    micros,
    month_of,
    months_from,
    name_of,
    next_month,
)
from gateway.hub.database.store import HubStore, log_unavailable
from gateway.hub.database.transaction import Transaction

log = structlog.get_logger(__name__)

INTERVAL_S = 3600.0
_LOCK_ID = 0x70657273  # of the advisory lock while partitions are made or dropped; no other program uses it
_LOCK_TIMEOUT = "1s"
_END = re.compile(r"TO \('(\d+)'\)", re.ASCII)
_PARTITIONS = """
SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bound
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid WHERE inhparent = '{table}'::regclass
"""


class Partition(Frozen):
    """A partition of a table. `end`: its first later instant in microseconds; None: of `..._other`."""

    name: str
    end: int | None


async def partitions_of(tx: Transaction, table: DividedTable) -> list[Partition]:
    """Return the partitions of a table."""
    rows = (await tx.execute(text(_PARTITIONS.format(table=table.name)))).all()
    ends = {row.name: _END.search(row.bound) for row in rows}
    return [Partition(name=name, end=None if end is None else int(end[1])) for name, end in ends.items()]


def cutoff(store: HubStore, before: datetime) -> datetime:
    """Return the instant before which rows are too old; PostgreSQL keeps rows until their whole month is."""
    return before if store.has_one_writer else month_of(before)


async def make_months(store: HubStore, now: datetime) -> int:
    """Make the partitions of the current month and those ahead that are missing, and return how many that were."""
    if store.has_one_writer:
        return 0
    made = 0
    for table in (EVENTS, HOME_EVENTS):
        async with store.reading() as tx:
            known = await partitions_of(tx, table)
        names, ends = {one.name for one in known}, [one.end for one in known if one.name.endswith("_before")]
        for month in months_from(month_of(now), now):
            if name_of(table, month) not in names and not any(end is not None and micros(month) < end for end in ends):
                made += await _make_month(store, table, month)
    return made


async def _make_month(store: HubStore, table: DividedTable, month: datetime) -> bool:
    name, begin, end = name_of(table, month), micros(month), micros(next_month(month))
    async with store.writing() as tx:
        await _lock(tx)
        if name in {one.name for one in await partitions_of(tx, table)}:  # another process has made it
            return False
        inside = f"at >= {begin} AND at < {end}"
        moved = f"DELETE FROM {table.name}_other WHERE {inside} RETURNING *"  # noqa: S608 - names and numbers
        for statement in (
            f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL) WITH ({PARTITION_SETTINGS})",
            f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved",  # noqa: S608 - the same
            f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})",
        ):
            await tx.execute(text(statement))
    return True


async def run(store: HubStore, now: Callable[[], datetime]) -> None:
    """Make months each hour until cancelled; if the database is unavailable, an hour later."""
    while True:
        with log_unavailable("months_not_made"):
            if made := await make_months(store, now()):
                log.info("months_made", partitions=made)
        await asyncio.sleep(INTERVAL_S)


async def drop_months(store: HubStore, table: DividedTable, before: datetime) -> int:
    """Drop the partitions whose rows are all older than an instant, and return how many.

    A partition of events stays while a webhook's log names one of them. The newest event of each home stays.
    """
    if store.has_one_writer:
        return 0
    dropped = 0
    async with store.reading() as tx:
        known = await partitions_of(tx, table)
    for one in sorted(known, key=lambda each: each.name):
        if one.end is not None and one.end <= micros(before):
            with log_unavailable("month_not_dropped"):  # perhaps its lock was not free in time
                dropped += await _drop(store, table, one.name)
    return dropped


_IS_NAMED = "SELECT 1 FROM messages JOIN {part} AS old ON old.id = messages.event LIMIT 1"
_NEWEST_OF_HOMES = """
SELECT home, max(seq) AS seq FROM {part} AS old GROUP BY home
HAVING NOT EXISTS (SELECT FROM home_events AS later WHERE later.home = old.home AND later.seq > max(old.seq))
"""


async def _drop(store: HubStore, table: DividedTable, part: str) -> bool:
    keep = None
    async with store.reading() as tx:
        if table is EVENTS and (await tx.execute(text(_IS_NAMED.format(part=part)))).first() is not None:
            return False
        if table is HOME_EVENTS:
            keep = (await tx.execute(text(_NEWEST_OF_HOMES.format(part=part)))).all()
    async with store.writing() as tx:
        await _lock(tx)
        if part not in {one.name for one in await partitions_of(tx, table)}:
            return False
        await tx.execute(text(f"ALTER TABLE {table.name} DETACH PARTITION {part}"))
        for row in keep or ():  # into `..._other`
            kept = text(f"INSERT INTO {table.name} SELECT * FROM {part} WHERE home = :home AND seq = :seq")  # noqa: S608 - names
            await tx.execute(kept.bindparams(home=row.home, seq=row.seq))
        await tx.execute(text(f"DROP TABLE {part}"))
    return True


async def _lock(tx: Transaction) -> None:
    await tx.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    await tx.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_ID})"))
