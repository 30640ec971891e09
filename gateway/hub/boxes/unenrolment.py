"""Ends a home at the hub, when the operator revokes it or the home leaves.

Every function is called inside the caller's transaction.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import State
from gateway.hub.database.tables import certificates, claims, connections, deliveries, homes, jobs
from gateway.hub.deliveries.connections import on_decision
from gateway.hub.deliveries.orders import set_state
from gateway.protocol.box_hub import PermissionDecision
from gateway.protocol.delivery_state import FINAL_STATES


async def revoke_certificates(tx: AsyncConnection, home: str, now: datetime) -> bool:
    """Let none of a home's certificates count from now on, and no claim by which it would join anew. False: no home."""
    done = await tx.execute(update(homes).where(homes.c.id == home).values(revoked=now))
    counts = (certificates.c.home == home) & certificates.c.ended.is_(None)
    await tx.execute(update(certificates).where(counts).values(ended=now))
    open_ = (claims.c.home == home) & (claims.c.expires > now)
    await tx.execute(update(claims).where(open_).values(expires=now))
    return done.rowcount > 0


async def end_home(tx: AsyncConnection, home: Row[Any], now: datetime) -> None:
    """End what retailers had at a home that leaves, and tell them: the home itself will never say it.

    What the home had no time to withdraw is refused: a hub says no good news of its own.
    """
    mine = (jobs.c.home == home.id, jobs.c.due.is_not(None))
    await tx.execute(update(jobs).where(*mine).values(due=None, leased=None, refused="the home has left"))
    open_ = select(connections.c.brand, connections.c.version).where(
        connections.c.home == home.id, connections.c.state.in_(("pending", "granted"))
    )
    for row in (await tx.execute(open_)).all():
        await on_decision(
            tx, home, PermissionDecision(brand=row.brand, version=row.version + 1, standing="revoked"), now
        )
    over = [str(state) for state in FINAL_STATES]
    promised = select(deliveries).where(
        deliveries.c.home == home.id, deliveries.c.held.is_(False), deliveries.c.state.not_in(over)
    )
    for delivery in (await tx.execute(promised.with_for_update())).all():
        await set_state(tx, delivery, State.REFUSED, "brand_not_permitted", now)
