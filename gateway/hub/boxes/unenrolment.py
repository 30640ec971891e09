"""Ends a home at the hub, when the operator revokes it or the home leaves.

The caller owns the transaction of each function.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from gateway.hub.database.revocations import RevocationKind, end_certificates, record_revocation
from gateway.hub.database.tables import brand_messages, claims, connections, deliveries, homes, jobs
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries.connections import on_decision
from gateway.hub.deliveries.orders import refuse_open
from gateway.protocol.box_hub import PermissionDecision


async def revoke_certificates(tx: Transaction, home: str, now: datetime) -> bool:
    """Revoke a home's certificates and unused claims; return False if there is no such home."""
    done = await tx.execute(update(homes).where(homes.c.id == home).values(revoked=now))
    await end_certificates(tx, home, now)
    await tx.execute(update(claims).filter_by(home=home).where(claims.c.expires > now).values(expires=now))
    if done.rowcount == 0:
        return False
    await record_revocation(tx, RevocationKind.HOME, home, now)
    return True


async def end_home(tx: Transaction, home: Row[Any], now: datetime) -> None:
    """End the connections and deliveries of a home that leaves, notify their retailers, and forget its brands' facts.

    The home will no longer report anything. The hub never reports good news itself, so it refuses what the home did not
    complete.
    """
    waiting = update(jobs).filter_by(home=home.id).where(jobs.c.due.is_not(None))
    await tx.execute(waiting.values(due=None, refused="the home has left"))
    await tx.execute(delete(brand_messages).where(brand_messages.c.home == home.id))
    open_ = select(connections.c.brand, connections.c.version).where(
        connections.c.home == home.id, connections.c.state.in_(("pending", "granted"))
    )
    for row in (await tx.execute(open_)).all():
        await on_decision(
            tx, home, PermissionDecision(brand=row.brand, version=row.version + 1, standing="revoked"), now
        )
    await refuse_open(tx, now, deliveries.c.home == home.id, deliveries.c.held.is_(False))
