"""Background jobs of connections: expire unanswered requests, and inform homes of a brand's keys and ends."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, and_, select
from sqlalchemy.exc import DBAPIError

from gateway.hub.database.store import log_unavailable
from gateway.hub.database.tables import brands, connections
from gateway.hub.deliveries.connections import ANSWERED_STATES, expire_connection, send_end, send_keys
from gateway.hub.worker import DueRows, Perform, WorkerContext

CHECK_INTERVAL_S = 2.0
MAX_CONNECTIONS_PER_CHECK = 100


class ConsentJobs:
    """Runs the jobs of one process."""

    def __init__(self, context: WorkerContext) -> None:
        self._context, self._rows = context, DueRows(context, "connections", connections)

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
            connections.c.state.in_(ANSWERED_STATES), connections.c.keys_sent < brands.c.keys_version
        )
        ended = known.where(connections.c.state == "ended", connections.c.end_told.is_(False))
        steps: tuple[tuple[str, Select[Any], Perform, Callable[[], None]], ...] = (
            ("expire", expired, lambda hub, row: expire_connection(hub.tx, row, hub.now), wake_ups.messages),
            ("send keys", outdated, send_keys, wake_ups.jobs),
            ("tell end", ended, send_end, wake_ups.jobs),
        )
        is_any_due = False
        for name, due, perform, wake_up in steps:
            count, worked = await self._rows.work(due, perform, at_most=MAX_CONNECTIONS_PER_CHECK, step=name)
            is_any_due |= count > 0
            if worked:
                wake_up()
        return is_any_due
