"""Sends what was held for a permission as soon as the home has let the brand in, and ends what it waited for in vain.

The store says what is to do, so a hub that dies in the middle goes on with it at its next start.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.delivery.promise import State
from gateway.hub.api.operation import Bells, Signer
from gateway.hub.deliveries import Pen, TooLarge, release, stand, taken
from gateway.hub.store import UNAVAILABLE, Store
from gateway.hub.tables import connections, deliveries

log = structlog.get_logger(__name__)

LOOK = 1.0  # seconds between two looks
BATCH = 50


class Held:
    """One a process. The `bells` are rung when something was sent or told."""

    def __init__(self, store: Store, *, key: Signer, now: Callable[[], datetime], bells: Bells) -> None:
        self._store, self._key, self._now, self._bells = store, key, now, bells

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                while await self.look():
                    self._bells.jobs()
                    self._bells.messages()
            except UNAVAILABLE as error:
                log.error("held_not_sent", why=str(error).splitlines()[0])

    async def look(self) -> bool:
        """Do what is due; whether anything was."""
        now = self._now()
        asked = (
            select(deliveries, connections.c.state.label("standing"), connections.c.home.label("let_in"))
            .join(connections, connections.c.id == deliveries.c.connection)
            .where(deliveries.c.held, or_(connections.c.state != "pending", deliveries.c.window_end <= now))
            .limit(BATCH)
        )
        async with self._store.reading() as tx:  # the rule: nothing to do, so nothing is held up by it
            if (await tx.execute(asked)).first() is None:
                return False
        async with self._store.writing() as tx:
            rows = (await tx.execute(asked.with_for_update(of=deliveries, key_share=True, skip_locked=True))).all()
            for row in rows:
                await self._one(tx, row, now)
        return bool(rows)

    async def _one(self, tx: AsyncConnection, row: Row[Any], now: datetime) -> None:
        if row.window_end <= now:
            await stand(tx, row, State.EXPIRED, None, now)
        elif row.standing == "granted" and row.let_in is not None:
            if await taken(tx, row, row.let_in):
                await stand(tx, row, State.REFUSED, "already_offered", now)
                return
            try:
                await release(Pen(tx, self._key, now), row, row.let_in)
            except TooLarge:  # looked at when it was announced; a version from before that must end too
                await stand(tx, row, State.REFUSED, "malformed", now)
        else:
            await stand(tx, row, State.REFUSED, "brand_not_permitted", now)
