"""Deletes deliveries with all that belongs to them. The caller owns the transaction."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select, update

from gateway.hub.database.tables import (
    courier_pages,
    deliveries,
    delivery_parcels,
    delivery_versions,
    home_events,
    jobs,
)
from gateway.hub.database.transaction import Transaction
from gateway.protocol.box_hub import token_digest

_WITH_A_DELIVERY = (delivery_parcels, delivery_versions, courier_pages, jobs)
_FORGET_HOME_EVENT = (
    update(home_events)
    .where(home_events.c.home == bindparam("whose"), home_events.c.seq == bindparam("number"))
    .values(token=b"", sha256=bindparam("digest"), key=None, delivery=None)
)


async def delete_deliveries(tx: Transaction, gone: Sequence[str]) -> None:
    """Delete these deliveries with all that belongs to them but their retailer's events.

    Of a home's signed events about them only the digests stay, because the home's next event names the one before it.
    """
    if not gone:
        return
    mine = select(home_events.c.home, home_events.c.seq, home_events.c.token).where(home_events.c.delivery.in_(gone))
    forgotten = [
        {"whose": row.home, "number": row.seq, "digest": token_digest(row.token)} for row in await tx.execute(mine)
    ]
    await tx.execute(_FORGET_HOME_EVENT, forgotten)
    for table in _WITH_A_DELIVERY:
        await tx.execute(delete(table).where(table.c.delivery.in_(gone)))
    await tx.execute(delete(deliveries).where(deliveries.c.id.in_(gone)))
