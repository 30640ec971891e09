"""What retailers are told: numbered events, and a message of each for every webhook that wants it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.store import new_id
from gateway.hub.tables import endpoints, events, messages, retailers


class Type(StrEnum):
    """What an event is about. A delivery's state and a permission's standing are in its data."""

    CONNECTION_DECIDED = "connection.decided"
    DELIVERY_CREATED = "delivery.created"
    DELIVERY_CHANGED = "delivery.changed"
    DELIVERY_PROOF = "delivery.proof"
    ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    PING = "ping"


async def tell(  # noqa: PLR0913 - an event's own columns
    tx: AsyncConnection,
    retailer: str,
    type_: Type,
    about: str,
    data: Mapping[str, Any],
    *,
    sandbox: bool,
    now: datetime,
    only: str | None = None,
) -> str:
    """Tell a retailer something, in the transaction in which it becomes true; the event's id.

    Its `seq` is one more than that of the retailer's event before it, without a hole. `only`: to this endpoint alone,
    whatever it wants. Ring `Bells.messages` when the transaction is whole.
    """
    # The retailer's row is the lock by which his events are numbered one after the other.
    counted = update(retailers).where(retailers.c.id == retailer).values(told=retailers.c.told + 1)
    id_, seq = new_id("evt"), (await tx.execute(counted.returning(retailers.c.told))).scalar_one()
    await tx.execute(
        insert(events).values(
            id=id_, retailer=retailer, type=type_, object=about, data=dict(data), sandbox=sandbox, seq=seq, at=now
        )
    )
    wanting = select(endpoints.c.id, endpoints.c.types, endpoints.c.seq).where(
        endpoints.c.retailer == retailer, endpoints.c.sandbox == sandbox, endpoints.c.enabled
    )
    for endpoint in await tx.execute(wanting if only is None else wanting.where(endpoints.c.id == only)):
        if only is not None or not endpoint.types or type_ in endpoint.types:
            await tx.execute(
                insert(messages).values(
                    id=new_id("msg"), endpoint=endpoint.id, event=id_, seq=seq, previous=endpoint.seq, attempts=0,
                    tries=0, state="waiting", created=now, begun=now, due=now,
                )
            )  # fmt: skip
            await tx.execute(update(endpoints).where(endpoints.c.id == endpoint.id).values(seq=seq))
    return id_
