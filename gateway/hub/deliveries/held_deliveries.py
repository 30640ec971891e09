"""Sends held deliveries once the home permits the brand, and ends those that wait in vain."""

import asyncio
from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import State
from gateway.hub.database.store import log_unavailable
from gateway.hub.database.tables import connections, deliveries, delivery_versions
from gateway.hub.deliveries.orders import MessageTooLarge, is_name_taken, release, set_state
from gateway.hub.http.operation import HubTransaction
from gateway.hub.worker import DueRows, WorkerContext

CHECK_INTERVAL_S = 1.0
MAX_DELIVERIES_PER_CHECK = 50


class HeldDeliveries:
    """Releases held deliveries, one worker in each process, and wakes the workers that send."""

    def __init__(self, context: WorkerContext) -> None:
        self._context, self._rows = context, DueRows(context, "held deliveries", deliveries)

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
        )
        count, _ = await self._rows.work(
            due, _release_or_end, at_most=MAX_DELIVERIES_PER_CHECK, on_fault=_refuse_unusable
        )
        return count > 0


async def _refuse_unusable(hub: HubTransaction, row: Row[Any]) -> None:
    if row.held:
        await set_state(hub.tx, row, State.REFUSED, "malformed", hub.now)


async def _release_or_end(hub: HubTransaction, row: Row[Any]) -> None:
    state, reason = State.REFUSED, None
    if row.window_end <= hub.now:
        state = State.EXPIRED
    elif row.standing != "granted" or row.let_in is None:
        reason = "brand_not_permitted"
    elif await is_name_taken(hub.tx, row, row.let_in):
        reason = "already_offered"
    elif not await _may_be_sent(hub.tx, row):
        reason = "hub_signed_not_permitted"
    else:
        try:
            await release(hub, row, row.let_in)
        except MessageTooLarge:  # checked at the announcement since some release; older versions end here
            reason = "malformed"
        else:
            return
    await set_state(hub.tx, row, state, reason, hub.now)


async def _may_be_sent(tx: AsyncConnection, row: Row[Any]) -> bool:
    """Return whether the home's terms allow it: without the brand's signature only if they allow the hub's."""
    signed = (delivery_versions.c.delivery == row.id, delivery_versions.c.token.is_not(None))
    if await tx.scalar(select(delivery_versions.c.version).where(*signed).limit(1)) is not None:
        return True
    return row.given is not None and bool(row.given.get("hub_signed", False))
