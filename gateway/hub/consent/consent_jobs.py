"""Background jobs of connections: expire unanswered requests, and inform homes of a brand's keys and ends.

The store says what is due, so the next start continues what a killed hub began, and several hubs of a cluster share the
work.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Row, Select, and_, select
from sqlalchemy.exc import DBAPIError

from gateway.hub.database.store import StoreUnavailable, log_unavailable
from gateway.hub.database.tables import brands, connections
from gateway.hub.deliveries.connections import expire_connection, send_end, send_keys
from gateway.hub.http.operation import HubTransaction
from gateway.hub.worker import WorkerContext
from gateway.system.containment import RowQuarantine

CHECK_INTERVAL_S = 2.0
# The home may still permit the brand, so it must know revoked keys.
KEY_UPDATE_STATES = ("pending", "granted", "refused", "revoked")
MAX_CONNECTIONS_PER_CHECK = 100


class ConsentJobs:
    """Runs the jobs of one process; a connection that raises an unexpected error is set aside."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._set_aside = RowQuarantine(monotonic=context.monotonic)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            with log_unavailable("connections_not_looked_at", DBAPIError):
                while await self.run_due():
                    pass

    async def run_due(self) -> bool:
        """Run one batch of due jobs, and return whether there were any."""
        now, wake_ups = self._context.now(), self._context.wake_ups
        known = select(connections).where(connections.c.home.is_not(None))
        brand = and_(brands.c.id == connections.c.brand, brands.c.sandbox == connections.c.sandbox)
        expired = select(connections).where(connections.c.state == "pending", connections.c.expires <= now)
        outdated = known.join(brands, brand).where(
            connections.c.state.in_(KEY_UPDATE_STATES), connections.c.keys_sent < brands.c.keys_version
        )
        ended = known.where(connections.c.state == "ended", connections.c.end_told.is_(False))
        steps = (
            ("expire", expired, lambda hub, row: expire_connection(hub.tx, row, hub.now), wake_ups.messages),
            ("send keys", outdated, send_keys, wake_ups.jobs),
            ("tell end", ended, send_end, wake_ups.jobs),
        )
        return any([await self._run_step(*step) for step in steps])

    async def _run_step(
        self,
        step: str,
        due: Select[Any],
        perform: Callable[[HubTransaction, Row[Any]], Awaitable[None]],
        wake_up: Callable[[], None],
    ) -> bool:
        open_ = due.where(connections.c.id.not_in(self._set_aside.rows()))
        async with self._context.store.reading() as tx:  # usually there is nothing, so the writer is not needed
            ids = [row.id for row in (await tx.execute(open_.limit(MAX_CONNECTIONS_PER_CHECK))).all()]
        locked = due.with_for_update(of=connections, key_share=True, skip_locked=True)
        worked = False
        for id_ in ids:  # each in its own transaction, so that one failure does not affect others
            with self._context.containment.piece("connections", f"{id_} {step}", foreseen=(StoreUnavailable,)) as piece:
                async with self._context.store.writing() as tx:
                    row = (await tx.execute(locked.where(connections.c.id == id_))).one_or_none()
                    if row is not None:  # otherwise another hub has done it
                        await perform(self._context.transaction(tx, self._context.now()), row)
            if piece.fault is None:
                worked = True
                self._set_aside.done(id_)
            else:
                self._set_aside.add(id_)
        if worked:
            wake_up()
        return bool(ids)
