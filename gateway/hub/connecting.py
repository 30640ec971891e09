"""What follows by itself: questions that nobody answered end, homes hear of a brand's keys, and of what it ended.

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
from gateway.hub.connections import Pen, expire, send_keys, tell_end
from gateway.hub.store import Store
from gateway.hub.tables import brands, connections

log = structlog.get_logger(__name__)

LOOK = 2.0  # seconds between two looks
TOLD_KEYS = ("pending", "granted", "refused", "revoked")  # a home may yet let it in: what was taken back must be known
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
        uninformed, ended_untold = _uninformed(), _ended_untold()
        async with self._store.reading() as tx:  # the rule: nothing to do, so no writer waits
            found = [(await tx.execute(asked.limit(1))).first() for asked in (unanswered, uninformed, ended_untold)]
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
            over = (await tx.execute(ended_untold.limit(BATCH).with_for_update(of=connections, skip_locked=True))).all()
            for row in over:
                await tell_end(tx, row, self._pen, now)
        if ended:
            self._bells.messages()
        if behind or over:
            self._bells.jobs()
        return bool(ended or behind or over)


def _unanswered(now: datetime) -> Select[Any]:
    return select(connections).where(connections.c.state == "pending", connections.c.expires <= now)


def _uninformed() -> Select[Any]:
    """Connections whose home was told, or has let in, a brand that has changed its keys since."""
    same = and_(brands.c.id == connections.c.brand, brands.c.sandbox == connections.c.sandbox)
    return (
        select(connections)
        .join(brands, same)
        .where(connections.c.state.in_(TOLD_KEYS), connections.c.keys_sent < brands.c.keys_version)
        .where(connections.c.home.is_not(None))
    )


def _ended_untold() -> Select[Any]:
    """Connections that their retailer ended, and of which the home was not told."""
    return select(connections).where(
        connections.c.state == "ended", connections.c.end_told.is_(False), connections.c.home.is_not(None)
    )
