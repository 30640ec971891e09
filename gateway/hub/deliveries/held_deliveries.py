"""Sends held deliveries once the home permits the brand, and ends those that wait in vain.

The store says what is due, so the next start continues what a killed hub began.
"""

import asyncio
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import State
from gateway.hub.database.store import StoreUnavailable, log_unavailable
from gateway.hub.database.tables import connections, deliveries, delivery_versions
from gateway.hub.deliveries.orders import MessageTooLarge, is_name_taken, release, set_state
from gateway.hub.worker import WorkerContext
from gateway.system.containment import RowQuarantine

CHECK_INTERVAL_S = 1.0
MAX_DELIVERIES_PER_CHECK = 50


class HeldDeliveries:
    """Releases held deliveries, one worker in each process, and wakes the workers that send.

    A delivery that raises an unexpected error is set aside, and all others are released.
    """

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._set_aside = RowQuarantine(monotonic=context.monotonic)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            with log_unavailable("held_not_sent"):
                while await self.run_due():
                    self._context.wake_ups.jobs()
                    self._context.wake_ups.messages()

    async def run_due(self) -> bool:
        """Handle the due deliveries, and return whether there were any."""
        now = self._context.now()
        due = (
            select(
                deliveries,
                connections.c.state.label("standing"),
                connections.c.home.label("let_in"),
                connections.c.terms.label("given"),
            )
            .join(connections, connections.c.id == deliveries.c.connection)
            .where(deliveries.c.held, or_(connections.c.state != "pending", deliveries.c.window_end <= now))
            .where(deliveries.c.id.not_in(self._set_aside.rows()))
            .limit(MAX_DELIVERIES_PER_CHECK)
        )
        async with self._context.store.reading() as tx:  # usually there is nothing, so the writer is not needed
            ids = [row.id for row in (await tx.execute(due)).all()]
        locked = due.with_for_update(of=deliveries, key_share=True, skip_locked=True)
        for delivery in ids:  # each in its own transaction, so that one failure does not affect others
            with self._context.containment.piece("held deliveries", delivery, foreseen=(StoreUnavailable,)) as piece:
                async with self._context.store.writing() as tx:
                    row = (await tx.execute(locked.where(deliveries.c.id == delivery))).one_or_none()
                    if row is not None:
                        await self._release_or_end(tx, row, now)
            if piece.fault is None:
                self._set_aside.done(delivery)
            else:
                await self._refuse(delivery, now)
        return bool(ids)

    async def _refuse(self, delivery: str, now: datetime) -> None:
        """Refuse a delivery that cannot be handled, and notify its retailer; set it aside if that fails too."""
        with self._context.containment.piece("held deliveries", delivery, foreseen=(StoreUnavailable,)) as piece:
            async with self._context.store.writing() as tx:
                row = (await tx.execute(select(deliveries).where(deliveries.c.id == delivery))).one_or_none()
                if row is not None and row.held:
                    await set_state(tx, row, State.REFUSED, "malformed", now)
        if piece.fault is not None:
            self._set_aside.add(delivery)

    async def _release_or_end(self, tx: AsyncConnection, row: Row[Any], now: datetime) -> None:
        state, reason = State.REFUSED, None
        if row.window_end <= now:
            state = State.EXPIRED
        elif row.standing != "granted" or row.let_in is None:
            reason = "brand_not_permitted"
        elif await is_name_taken(tx, row, row.let_in):
            reason = "already_offered"
        elif not await _may_be_sent(tx, row):
            reason = "hub_signed_not_permitted"
        else:
            try:
                await release(self._context.transaction(tx, now), row, row.let_in)
            except MessageTooLarge:  # checked at the announcement since some release; older versions end here
                reason = "malformed"
            else:
                return
        await set_state(tx, row, state, reason, now)


async def _may_be_sent(tx: AsyncConnection, row: Row[Any]) -> bool:
    """Return whether the home's terms allow it: without the brand's signature only if they allow the hub's."""
    signed = (delivery_versions.c.delivery == row.id, delivery_versions.c.token.is_not(None))
    if await tx.scalar(select(delivery_versions.c.version).where(*signed).limit(1)) is not None:
        return True
    return row.given is not None and bool(row.given.get("hub_signed", False))
