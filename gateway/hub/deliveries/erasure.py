"""Erases what the hub stores about a customer: the reference of a connection, and everything that belongs to it.

An erasure first ends the connections, removes the customer's data from them and lists them in `erasures`, in one
transaction. The rest follows in small transactions, which any hub process continues after a crash: deliveries with
versions, parcels, jobs and courier pages, the contents of events, webhook messages with their attempts, the home's
signed events, stored answers, and what the box stated to the brand. What is in the home stays there: it is the
household's own.

Each event keeps its number, so a retailer's events still have no gap.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import DBAPIError

from gateway.domain.frozen import Frozen
from gateway.hub.database.revocations import RevocationKind, record_revocation
from gateway.hub.database.store import HubStore, log_unavailable, new_id
from gateway.hub.database.tables import (
    attempts,
    brand_messages,
    connections,
    courier_pages,
    deliveries,
    delivery_versions,
    erasures,
    events,
    home_events,
    homes,
    idempotency,
    jobs,
    messages,
)
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries.box_statements import STATEMENTS
from gateway.hub.deliveries.connections import ASK_WINDOW
from gateway.hub.deliveries.events import EventType
from gateway.hub.deliveries.orders import IS_OPEN
from gateway.hub.deliveries.removal import delete_deliveries
from gateway.hub.worker import DueRows, DueStep, WorkerContext
from gateway.protocol.box_hub import JobKind
from gateway.protocol.consent_request import parse_consent

REPORT_PERIOD: Final = timedelta(days=1)
"""How long after its window a home may still report on a delivery: until then an open one is on its way."""

INTERVAL_S: Final = 1.0
BATCH_DELIVERIES, BATCH_EVENTS, BATCH_ROWS = 50, 500, 1_000  # of one transaction
LOOK_AGAIN: Final = timedelta(seconds=30)
"""After this time every transaction that began before the erasure has ended."""

_OPEN_STATES = ("pending", "granted")
_OVER_STATES = ("refused", "revoked", "expired", "ended")


class ErasureCause(StrEnum):
    """Who asked for an erasure. The journal lists none of the hub's own retention, which the hub repeats by itself."""

    RETAILER = auto()
    OPERATOR = auto()
    RETENTION = auto()


class DeliveriesOpen(Exception):  # noqa: N818 - it says what is the matter
    """Deliveries are on their way, so nothing is erased; `ids` are theirs, a few of them."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(", ".join(ids))
        self.ids = ids


class ErasureCount(Frozen):
    """What an erasure of some connections would erase."""

    connections: int
    deliveries: int
    versions: int
    jobs: int
    events: int
    messages: int
    home_events: int
    courier_pages: int
    brand_messages: int


def of_customer(
    retailer: str, *, sandbox: bool, reference: str | None = None, connection: str | None = None
) -> Select[Any]:
    """Select the ids of a retailer's connections that are not erased: of a customer's reference, or the one named."""
    named = connections.c.reference == reference if connection is None else connections.c.id == connection
    mine = (connections.c.retailer == retailer, connections.c.sandbox.is_(sandbox), connections.c.erased.is_(None))
    return select(connections.c.id).where(*mine, named).order_by(connections.c.id)


async def begin(  # noqa: PLR0913 - the columns of an erasure
    tx: Transaction, retailer: str, ids: Sequence[str], cause: ErasureCause, now: datetime, *, sandbox: bool
) -> str:
    """Begin to erase these connections of a retailer, and return the erasure's id.

    Raises:
        DeliveriesOpen: nothing was changed.
    """
    locked = select(connections.c.id).where(connections.c.id.in_(ids)).order_by(connections.c.id)
    await tx.execute(locked.with_for_update())  # waits for each announcement that has not ended yet
    if on_their_way := await deliveries_on_their_way(tx, ids, now):
        raise DeliveriesOpen(on_their_way)
    id_ = new_id("era")
    await _insert(tx, {"id": id_, "retailer": retailer, "sandbox": sandbox, "connections": list(ids)}, cause, now)
    if cause is not ErasureCause.RETENTION and not sandbox:
        detail = {"retailer": retailer, "connections": list(ids)}
        await record_revocation(tx, RevocationKind.ERASURE, id_, now, detail=detail)
    return id_


async def begin_again(tx: Transaction, id_: str, detail: Mapping[str, Any], at: datetime, now: datetime) -> None:
    """Begin again an erasure that the journal lists, in a database that is older than the erasure."""
    known = select(erasures.c.id).where(erasures.c.id == id_)
    theirs = select(connections.c.id).where(
        connections.c.id.in_(detail["connections"]), connections.c.retailer == detail["retailer"]
    )
    ids = sorted((await tx.scalars(theirs)).all())
    if ids and await tx.scalar(known) is None:
        columns = {"id": id_, "retailer": detail["retailer"], "sandbox": False, "connections": ids}
        await _insert(tx, columns, ErasureCause.OPERATOR, now, created=at)


async def _insert(
    tx: Transaction, columns: dict[str, Any], cause: ErasureCause, now: datetime, created: datetime | None = None
) -> None:
    these = connections.c.id.in_(columns["connections"])
    open_ = update(connections).where(these, connections.c.state.in_(_OPEN_STATES))
    await tx.execute(open_.values(state="ended", decided=now))  # a worker informs the home
    forgotten = {"reference": None, "terms": None, "return_url": None, "signed": None, "end_signed": None}
    await tx.execute(update(connections).where(these).values(**forgotten, erased=now))
    asked = select(connections.c.id, connections.c.asked).where(these)
    for row in (await tx.execute(asked)).all():
        only = {"carriers": row.asked["carriers"]}
        await tx.execute(update(connections).where(connections.c.id == row.id).values(asked=only))
    await tx.execute(
        insert(erasures).values(**columns, cause=cause, deliveries=0, seq=0, created=created or now, due=now)
    )


async def deliveries_on_their_way(tx: Transaction, ids: Sequence[str], now: datetime) -> Sequence[str]:
    """Return ids of the connections' deliveries that are on their way, at most ten."""
    late = deliveries.c.window_end > now - REPORT_PERIOD
    open_ = select(deliveries.c.id).where(deliveries.c.connection.in_(ids), IS_OPEN, late)
    return (await tx.scalars(open_.order_by(deliveries.c.id).limit(10))).all()


def begin_for_ended(now: datetime, limit: int) -> Callable[[Transaction, datetime], Awaitable[int]]:
    """Return what begins erasures of connections that ended before an instant and have no delivery any more."""

    async def begin_some(tx: Transaction, before: datetime) -> int:
        over = func.coalesce(connections.c.decided, connections.c.expires) < before
        ended = and_(connections.c.state.in_(_OVER_STATES), over, connections.c.erased.is_(None))
        unused = ~exists().where(deliveries.c.connection == connections.c.id)
        some = select(connections).where(ended, unused).order_by(connections.c.id).limit(limit)
        # Another hub process sweeps at the same moment
        rows = (await tx.execute(some.with_for_update(of=connections, skip_locked=True))).all()
        for row in rows:
            await begin(tx, row.retailer, [row.id], ErasureCause.RETENTION, now, sandbox=row.sandbox)
        return len(rows)

    return begin_some


async def count(tx: Transaction, ids: Sequence[str]) -> ErasureCount:
    """Count what an erasure of these connections would erase."""
    mine = select(deliveries.c.id).where(deliveries.c.connection.in_(ids))
    about = or_(events.c.object.in_(ids), events.c.object.in_(mine))
    told = select(events.c.id).where(about)
    counted: dict[str, ColumnElement[bool]] = {
        "deliveries": deliveries.c.connection.in_(ids), "versions": delivery_versions.c.delivery.in_(mine),
        "jobs": jobs.c.delivery.in_(mine), "events": about, "messages": messages.c.event.in_(told),
        "home_events": home_events.c.delivery.in_(mine), "courier_pages": courier_pages.c.delivery.in_(mine),
        "brand_messages": brand_messages.c.connection.in_(ids),
    }  # fmt: skip
    found = {name: await tx.scalar(select(func.count()).where(which)) or 0 for name, which in counted.items()}
    return ErasureCount(connections=len(ids), **found)


@dataclass
class ErasureWorker:
    """Continues what is to be erased, one in each process."""

    context: WorkerContext

    def __post_init__(self) -> None:
        step = DueStep(
            due=lambda now: select(erasures).where(
                erasures.c.due <= now, or_(erasures.c.done.is_(None), erasures.c.id.in_(self._overwritten))
            ),
            perform=lambda hub, row: erase_some(hub.tx, row, hub.now), wake_up=lambda: None,
        )  # fmt: skip
        self._rows = DueRows(self.context, "erasures", erasures, (step,), max_rows=20)
        self._overwritten: frozenset[str] = frozenset()  # erasures whose last step is due

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            with log_unavailable("erasures_wait", DBAPIError):
                await self._overwrite_erased()
                while await self._rows.run_due():
                    pass

    async def _overwrite_erased(self) -> None:
        """Overwrite what was erased. The last step follows, so a crash between both repeats this."""
        erased = select(erasures.c.id, erasures.c.done, erasures.c.due)
        erased = erased.where(erasures.c.due <= self.context.now(), erasures.c.done.is_not(None))
        async with self.context.store.reading() as tx:
            rows = (await tx.execute(erased)).all()
        # What is due later than that was overwritten before, and only waits for its home.
        if any(row.due <= row.done + LOOK_AGAIN and row.id not in self._overwritten for row in rows):
            await self.context.store.overwrite_deleted()
        self._overwritten = frozenset(row.id for row in rows)


async def finish(store: HubStore, now: datetime) -> None:
    """Erase all that is not erased yet, such as before a hub answers requests. The last steps are the worker's."""
    while True:
        async with store.writing() as tx:
            due = select(erasures).where(erasures.c.due <= now, erasures.c.done.is_(None)).limit(1).with_for_update()
            row = (await tx.execute(due)).one_or_none()
            if row is None:
                return
            await erase_some(tx, row, now)


async def erase_some(tx: Transaction, row: Row[Any], now: datetime) -> None:
    """Do the next step of an erasure, and note when another is due."""
    this = update(erasures).where(erasures.c.id == row.id)
    mine = select(deliveries.c.id).where(deliveries.c.connection.in_(row.connections))
    found = (await tx.scalars(mine.order_by(deliveries.c.id).limit(BATCH_DELIVERIES))).all()
    if await _erase_events(tx, row, found or row.connections):
        await tx.execute(this.values(done=None))  # a transaction that began before the erasure has added them
        return
    if found:
        await _erase_answers(tx, row, [*found, *row.connections])
        await delete_deliveries(tx, found)
        await tx.execute(this.values(deliveries=erasures.c.deliveries + len(found), done=None))
        return
    if row.done is None:
        if (seq := await _erase_older_events(tx, row)) is not None:
            await tx.execute(this.values(seq=seq))
            return
        await _erase_answers(tx, row, row.connections)
        for connection in await _connections_of(tx, row):
            await _erase_messages_to_home(tx, connection)
        await tx.execute(this.values(done=now, due=now + LOOK_AGAIN))
        return
    later = [await _forget_home(tx, connection, now) for connection in await _connections_of(tx, row)]
    await tx.execute(this.values(due=min((at for at in later if at is not None), default=None)))


async def _connections_of(tx: Transaction, row: Row[Any]) -> Sequence[Row[Any]]:
    these = select(connections).where(connections.c.id.in_(row.connections)).order_by(connections.c.id)
    return (await tx.execute(these.with_for_update(key_share=True))).all()


async def _erase_events(tx: Transaction, row: Row[Any], about: Sequence[str]) -> bool:
    """Erase some events about these objects, with their webhook messages; return whether any was there."""
    told = select(events.c.number, events.c.id).where(events.c.object.in_(about), events.c.retailer == row.retailer)
    found = (await tx.execute(told.limit(BATCH_EVENTS))).all()
    await _blank_events(tx, row, found)
    return bool(found)


async def _blank_events(tx: Transaction, row: Row[Any], found: Sequence[Row[Any]]) -> None:
    if not found:
        return
    sent = select(messages.c.id).where(messages.c.event.in_([event.id for event in found]))
    await tx.execute(sent.with_for_update())  # so that no sender adds an attempt now
    await tx.execute(delete(attempts).where(attempts.c.message.in_(sent)))
    await tx.execute(delete(messages).where(messages.c.event.in_([event.id for event in found])))
    blank = {"type": EventType.EVENT_ERASED, "object": row.id, "data": {"id": row.id}, "request": None}
    await tx.execute(update(events).where(events.c.number.in_([event.number for event in found])).values(**blank))


async def _erase_older_events(tx: Transaction, row: Row[Any]) -> int | None:
    """Erase events whose deliveries are already deleted, so that only the events' data names the connection.

    Return the number of the last event that was examined, or None at the end.
    """
    left = select(connections.c.id).where(connections.c.id.in_(row.connections), connections.c.events_left)
    if await tx.scalar(left.limit(1)) is None:
        return None
    mine = (events.c.retailer == row.retailer, events.c.seq > row.seq)
    page = select(events.c.number, events.c.id, events.c.seq, events.c.data).where(*mine)
    found = (await tx.execute(page.order_by(events.c.seq).limit(BATCH_ROWS))).all()
    await _blank_events(tx, row, [event for event in found if event.data.get("connection") in row.connections])
    return found[-1].seq if found else None


async def _erase_answers(tx: Transaction, row: Row[Any], about: Sequence[str]) -> None:
    """Delete the stored answers about these objects, and the contents of those whose objects the hub does not know.

    The keys of the latter stay for a day, because a repeated batch would announce other customers' deliveries again.
    """
    mine = idempotency.c.retailer == row.retailer
    await tx.execute(delete(idempotency).where(mine, idempotency.c.about.in_(about)))
    unknown = update(idempotency).where(mine, idempotency.c.about.is_(None), idempotency.c.body.is_not(None))
    await tx.execute(unknown.values(headers=None, body=None))


async def _erase_messages_to_home(tx: Transaction, connection: Row[Any]) -> None:
    """Delete a connection's messages to its home, but not its end, and what the home said to the brand."""
    sent = select(brand_messages.c.sha256).where(brand_messages.c.connection == connection.id)
    digests = (await tx.scalars(sent)).all()
    await tx.execute(delete(jobs).where(jobs.c.home == connection.home, jobs.c.sha256.in_(digests)))
    await tx.execute(delete(brand_messages).where(brand_messages.c.connection == connection.id))
    asked = select(jobs.c.id, jobs.c.token).where(jobs.c.home == connection.home, jobs.c.kind == JobKind.CONNECT)
    requests = {job.id: parse_consent(job.token) for job in (await tx.execute(asked)).all()}
    gone = [job for job, request in requests.items() if request is not None and request.connection == connection.id]
    await tx.execute(delete(jobs).where(jobs.c.id.in_(gone)))
    others = select(connections.c.id).where(
        connections.c.home == connection.home, connections.c.brand == connection.brand,
        connections.c.sandbox.is_(connection.sandbox), connections.c.erased.is_(None),
    )  # fmt: skip
    if connection.home is None or await tx.scalar(others.limit(1)) is not None:
        return
    of_home = select(homes.c.said).where(homes.c.id == connection.home).with_for_update(key_share=True)
    said = await tx.scalar(of_home) or {}
    kept = {brand: token for brand, token in said.get(STATEMENTS, {}).items() if brand != connection.brand}
    if STATEMENTS in said:
        changed = update(homes).where(homes.c.id == connection.home)
        await tx.execute(changed.values(said={**said, STATEMENTS: kept}))


async def _forget_home(tx: Transaction, connection: Row[Any], now: datetime) -> datetime | None:
    """Remove the home's id from a connection and return None, or return when that will be possible.

    The home must have been informed of the end first. For a day the row counts for the limit of requests.
    """
    if connection.home is None:
        return None
    if connection.state == "ended" and not connection.end_told:
        return now + LOOK_AGAIN
    if connection.created > now - ASK_WINDOW:
        until: datetime = connection.created + ASK_WINDOW
        return until
    await tx.execute(update(connections).where(connections.c.id == connection.id).values(home=None))
    return None
