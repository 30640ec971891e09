"""Background jobs of connections: expire unanswered requests, and inform homes of a brand's keys and ends.

The store says what is due, so the next start continues what a killed hub began, and several hubs of a cluster share the
work.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, assert_never

import structlog
from sqlalchemy import Select, and_, select
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
        self._store, self._writer, self._now, self._wake_ups, self._containment = (
            store,
            writer,
            now,
            wake_ups,
            containment,
        )
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
        now = self._now()
        due: dict[ConsentStep, Select[Any]] = {
            "expire": _select_expired(now), "send keys": _select_keys_outdated(), "tell end": _select_end_unsent(),
        }  # fmt: skip
        worked: set[ConsentStep] = set()
        found = False
        for step, asked in due.items():
            open_ = asked.where(connections.c.id.not_in(self._set_aside.rows()))
            async with self._store.reading() as tx:  # usually there is nothing, so the writer is not needed
                ids = [row.id for row in (await tx.execute(open_.limit(MAX_CONNECTIONS_PER_CHECK))).all()]
            found = found or bool(ids)
            for id_ in ids:  # each in its own transaction, so that one failure does not affect others
                with self._containment.piece("connections", f"{id_} {step}", foreseen=(StoreUnavailable,)) as piece:
                    async with self._store.writing() as tx:
                        await self._take_step(tx, step, asked.where(connections.c.id == id_), now)
                if piece.fault is None:
                    worked.add(step)
                    self._set_aside.done(id_)
                else:
                    self._set_aside.add(id_)
        if "expire" in worked:
            self._wake_ups.messages()
        if worked & {"send keys", "tell end"}:
            self._wake_ups.jobs()
        return found

    async def _take_step(self, tx: AsyncConnection, step: ConsentStep, asked: Select[Any], now: datetime) -> None:
        """Run one job of one connection if it is still due; another hub may have run it."""
        locked = asked.with_for_update(of=connections, key_share=True, skip_locked=True)
        row = (await tx.execute(locked)).one_or_none()
        if row is None:
            return
        match step:
            case "expire":
                await expire_connection(tx, row, now)
            case "send keys":
                await send_keys(tx, row, self._writer, now)
            case "tell end":
                await send_end(tx, row, self._writer, now)
            case _:
                assert_never(step)


def _select_expired(now: datetime) -> Select[Any]:
    return select(connections).where(connections.c.state == "pending", connections.c.expires <= now)


def _select_keys_outdated() -> Select[Any]:
    """Select connections whose home was informed of the brand, or permits it, before its keys changed."""
    same = and_(brands.c.id == connections.c.brand, brands.c.sandbox == connections.c.sandbox)
    return (
        select(connections)
        .join(brands, same)
        .where(connections.c.state.in_(KEY_UPDATE_STATES), connections.c.keys_sent < brands.c.keys_version)
        .where(connections.c.home.is_not(None))
    )


def _select_end_unsent() -> Select[Any]:
    """Select connections that their retailer ended and whose home was not informed."""
    return select(connections).where(
        connections.c.state == "ended", connections.c.end_told.is_(False), connections.c.home.is_not(None)
    )
