"""Erases what a hub stores about a customer of a retailer. A hub that runs, or its next start, finishes it."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from gateway.domain.frozen import Frozen
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import erasures, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import erasure
from gateway.hub.deliveries.erasure import DeliveriesOpen, ErasureCause, ErasureCount
from gateway.hub.operation.retailers import NotFound, NotPossible


class Customer(Frozen):
    """Whose data is meant: a retailer's connections with this reference, or the one connection."""

    retailer: str
    reference: str | None = None
    connection: str | None = None


class ErasureOutcome(Frozen):
    """A complete erasure."""

    id: str
    deliveries: int


async def count(store: HubStore, customer: Customer, now: datetime) -> tuple[ErasureCount, tuple[str, ...]]:
    """Return what an erasure would erase, and ids of deliveries that are on their way, which prevent it."""
    async with store.reading() as tx:
        ids, _ = await _connections_of(tx, customer)
        return await erasure.count(tx, ids), tuple(await erasure.deliveries_on_their_way(tx, ids, now))


async def erase(store: HubStore, customer: Customer, now: datetime, progress: Callable[[int], None]) -> ErasureOutcome:
    """Erase all of it; `progress` is called with the number of deliveries that are erased so far.

    It may end at any instant: a hub continues. Raises `NotFound` or `NotPossible`; then nothing was changed.
    """
    async with store.writing() as tx:
        ids, sandbox = await _connections_of(tx, customer)
        try:
            id_ = await erasure.begin(tx, customer.retailer, ids, ErasureCause.OPERATOR, now, sandbox=sandbox)
        except DeliveriesOpen as error:
            todo = "Have the retailer cancel them, or wait for their end"
            raise NotPossible(f"Deliveries are on their way ({error}). {todo}.") from error
    this = select(erasures).where(erasures.c.id == id_)
    while True:
        async with store.writing() as tx:
            row = (await tx.execute(this.with_for_update())).one()
            progress(row.deliveries)
            if row.done is not None:
                break
            await erasure.erase_some(tx, row, now)
    await store.overwrite_deleted()
    return ErasureOutcome(id=id_, deliveries=row.deliveries)


async def _connections_of(tx: Transaction, customer: Customer) -> tuple[list[str], bool]:
    known = select(retailers.c.ends).where(retailers.c.id == customer.retailer)
    row = (await tx.execute(known)).one_or_none()
    if row is None:
        raise NotFound(f"The hub knows no retailer {customer.retailer!r}.")
    sandbox = row.ends is not None
    named = {"reference": customer.reference, "connection": customer.connection}
    ids = list((await tx.scalars(erasure.of_customer(customer.retailer, sandbox=sandbox, **named))).all())
    if not ids:
        raise NotFound("The retailer has no such connection, or its data was erased before.")
    return ids, sandbox
