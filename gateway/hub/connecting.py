"""What follows by itself: questions that nobody answered end, and homes hear of a brand's new keys.

The store says what is to do, so a hub that dies in the middle goes on with it at its next start, and several hubs of a
cluster share it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Select, and_, select
from sqlalchemy.exc import DBAPIError

from gateway.hub.api.operation import Bells
from gateway.hub.connections import Pen, expire, send_keys
from gateway.hub.store import Store
from gateway.hub.tables import brands, connections

log = structlog.get_logger(__name__)

LOOK = 2.0  # seconds between two looks
BATCH = 100  # connections of one transaction


class Connecting:
    """One a process."""

    def __init__(self, store: Store, *, pen: Pen, now: Callable[[], datetime], bells: Bells) -> None:
        self._store, self._pen, self._now, self._bells = store, pen, now, bells

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                while await self.look():
                    pass
            except (DBAPIError, OSError) as error:
                log.error("connections_not_looked_at", why=str(error).splitlines()[0])

    async def look(self) -> bool:
        """Do what is due, one batch; whether anything was."""
        now = self._now()
        unanswered = _unanswered(now)
        uninformed = _uninformed()
        async with self._store.reading() as tx:  # the rule: nothing to do, so no writer waits
            found = [(await tx.execute(asked.limit(1))).first() for asked in (unanswered, uninformed)]
        if not any(found):
            return False
        async with self._store.writing() as tx:
            ended = (
                await tx.execute(
                    unanswered.limit(BATCH).with_for_update(of=connections, key_share=True, skip_locked=True)
                )
            ).all()
            for row in ended:
                await expire(tx, row, now)
            behind = (
                await tx.execute(
                    uninformed.limit(BATCH).with_for_update(of=connections, key_share=True, skip_locked=True)
                )
            ).all()
            for row in behind:
                await send_keys(tx, row, self._pen, now)
        if ended:
            self._bells.messages()
        if behind:
            self._bells.jobs()
        return bool(ended or behind)


def _unanswered(now: datetime) -> Select[Any]:
    return select(connections).where(connections.c.state == "pending", connections.c.expires <= now)


def _uninformed() -> Select[Any]:
    """Connections whose home was told, or has let in, a brand that has changed its keys since."""
    same = and_(brands.c.id == connections.c.brand, brands.c.sandbox == connections.c.sandbox)
    return (
        select(connections)
        .join(brands, same)
        .where(connections.c.state == "granted", connections.c.keys_sent < brands.c.keys_version)
    )
