"""Background jobs of connections: expire unanswered requests, and inform homes of a brand's keys and ends.

The store says what is due, so the next start continues what a killed hub began, and several hubs of a cluster share the
work.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, assert_never

import structlog
from sqlalchemy import Row, Select, and_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.database.store import HubStore, StoreUnavailable
from gateway.hub.database.tables import brands, connections
from gateway.hub.deliveries.connections import ConsentWriter, expire_connection, send_end, send_keys
from gateway.hub.http.operation import WakeUps
from gateway.system.containment import Containment, RowQuarantine

log = structlog.get_logger(__name__)

CHECK_INTERVAL_S = 2.0
KEY_UPDATE_STATES = (
    "pending",
    "granted",
    "refused",
    "revoked",
)  # the home may still permit the brand, so it must know revoked keys
MAX_CONNECTIONS_PER_CHECK = 100

ConsentStep = Literal["expire", "send keys", "tell end"]


class ConsentJobs:
    """Runs the jobs of one process; a connection that raises an unexpected error is set aside."""

    def __init__(  # noqa: PLR0913 - its collaborators, one argument each
        self,
        store: HubStore,
        *,
        writer: ConsentWriter,
        now: Callable[[], datetime],
        wake_ups: WakeUps,
        containment: Containment,
        monotonic: Callable[[], float],
    ) -> None:
        self._store, self._writer, self._now, self._wake_ups = store, writer, now, wake_ups
        self._containment = containment
        self._set_aside = RowQuarantine(monotonic=monotonic)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            try:
                while await self.run_due():
                    pass
            except (DBAPIError, OSError) as error:
                log.error("connections_not_looked_at", why=str(error).splitlines()[0])

    async def run_due(self) -> bool:
        """Run one batch of due jobs, and return whether there were any."""
        found = [await self._run_step(step, self._now()) for step in ("expire", "send keys", "tell end")]
        return any(found)

    async def _run_step(self, step: ConsentStep, now: datetime) -> bool:
        due = _select_due(step, now)
        open_ = due.where(connections.c.id.not_in(self._set_aside.rows()))
        async with self._store.reading() as tx:  # usually there is nothing, so the writer is not needed
            ids = [row.id for row in (await tx.execute(open_.limit(MAX_CONNECTIONS_PER_CHECK))).all()]
        locked = due.with_for_update(of=connections, key_share=True, skip_locked=True)
        worked = False
        for id_ in ids:  # each in its own transaction, so that one failure does not affect others
            with self._containment.piece("connections", f"{id_} {step}", foreseen=(StoreUnavailable,)) as piece:
                async with self._store.writing() as tx:
                    row = (await tx.execute(locked.where(connections.c.id == id_))).one_or_none()
                    if row is not None:  # otherwise another hub has done it
                        await self._take_step(tx, step, row, now)
            if piece.fault is None:
                worked = True
                self._set_aside.done(id_)
            else:
                self._set_aside.add(id_)
        if worked:
            (self._wake_ups.messages if step == "expire" else self._wake_ups.jobs)()
        return bool(ids)

    async def _take_step(self, tx: AsyncConnection, step: ConsentStep, row: Row[Any], now: datetime) -> None:
        match step:
            case "expire":
                await expire_connection(tx, row, now)
            case "send keys":
                await send_keys(tx, row, self._writer, now)
            case "tell end":
                await send_end(tx, row, self._writer, now)
            case _:
                assert_never(step)


def _select_due(step: ConsentStep, now: datetime) -> Select[Any]:
    """Select the connections for which this step is due."""
    home_known = select(connections).where(connections.c.home.is_not(None))
    match step:
        case "expire":
            return select(connections).where(connections.c.state == "pending", connections.c.expires <= now)
        case "send keys":  # their home was informed of the brand, or permits it, before its keys changed
            same = and_(brands.c.id == connections.c.brand, brands.c.sandbox == connections.c.sandbox)
            outdated = (connections.c.state.in_(KEY_UPDATE_STATES), connections.c.keys_sent < brands.c.keys_version)
            return home_known.join(brands, same).where(*outdated)
        case "tell end":  # their retailer ended them, and their home was not informed
            return home_known.where(connections.c.state == "ended", connections.c.end_told.is_(False))
        case _:
            assert_never(step)
