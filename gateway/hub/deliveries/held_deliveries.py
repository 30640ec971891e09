"""Sends held deliveries once the home permits the brand, and ends those that wait in vain."""

from typing import Any

from sqlalchemy import Row, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import State
from gateway.hub.database.tables import connections, deliveries, delivery_versions
from gateway.hub.deliveries.orders import MessageTooLarge, is_name_taken, release, set_state
from gateway.hub.http.operation import HubTransaction
from gateway.hub.worker import DueRows, DueStep, WorkerContext


def held_deliveries(context: WorkerContext) -> DueRows:
    """Return the worker of one process, which releases held deliveries."""
    facts = (
        connections.c.state.label("standing"), connections.c.home.label("let_in"), connections.c.terms.label("given"),
    )  # fmt: skip
    held = (
        select(deliveries, *facts).join(connections, connections.c.id == deliveries.c.connection)
        .where(deliveries.c.held)
    )  # fmt: skip

    def wake_up() -> None:
        context.wake_ups.jobs()
        context.wake_ups.messages()

    step = DueStep(
        due=lambda now: held.where(or_(connections.c.state != "pending", deliveries.c.window_end <= now)),
        perform=_release_or_end, on_fault=_refuse_unusable, wake_up=wake_up,
    )  # fmt: skip
    return DueRows(context, "held deliveries", deliveries, (step,), max_rows=50)


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
