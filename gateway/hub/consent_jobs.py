"""What follows by itself: questions that nobody answered end, homes hear of a brand's keys, and of what it ended.

The store says what is to do, so a hub that dies in the middle goes on with it at its next start, and several hubs of a
cluster share it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, assert_never

import structlog
from sqlalchemy import Select, and_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.connections import Pen, expire, send_keys, tell_end
from gateway.hub.operation import Bells
from gateway.hub.store import Store, StoreSilent
from gateway.hub.tables import brands, connections
from gateway.system.containment import Containment, SetAside

log = structlog.get_logger(__name__)

LOOK = 2.0  # seconds between two looks
TOLD_KEYS = ("pending", "granted", "refused", "revoked")  # a home may yet let it in: what was taken back must be known
BATCH = 100  # connections of one look

Step = Literal["expire", "send keys", "tell end"]


class Connecting:
    """One a process. A connection that raises an unforeseen error is set aside, and all others go on."""

    def __init__(  # noqa: PLR0913 - what it works with, named one by one
        self, store: Store, *, pen: Pen, now: Callable[[], datetime], bells: Bells, contained: Containment,
        monotonic: Callable[[], float],
    ) -> None:  # fmt: skip
        self._store, self._pen, self._now, self._bells, self._contained = store, pen, now, bells, contained
        self._aside = SetAside(monotonic=monotonic)

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
        due: dict[Step, Select[Any]] = {
            "expire": _unanswered(now), "send keys": _uninformed(), "tell end": _ended_untold(),
        }  # fmt: skip
        worked: set[Step] = set()
        found = False
        for step, asked in due.items():
            open_ = asked.where(connections.c.id.not_in(self._aside.rows()))
            async with self._store.reading() as tx:  # the rule: nothing to do, so no writer waits
                ids = [row.id for row in (await tx.execute(open_.limit(BATCH))).all()]
            found = found or bool(ids)
            for id_ in ids:  # each in a transaction of its own: one that fails takes no other with it
                with self._contained.piece("connections", f"{id_} {step}", foreseen=(StoreSilent,)) as piece:
                    async with self._store.writing() as tx:
                        await self._one(tx, step, asked.where(connections.c.id == id_), now)
                if piece.fault is None:
                    worked.add(step)
                    self._aside.done(id_)
                else:
                    self._aside.add(id_)
        if "expire" in worked:
            self._bells.messages()
        if worked & {"send keys", "tell end"}:
            self._bells.jobs()
        return found

    async def _one(self, tx: AsyncConnection, step: Step, asked: Select[Any], now: datetime) -> None:
        """Take one step for one connection, if it is still due; another hub may have taken it."""
        locked = asked.with_for_update(of=connections, key_share=True, skip_locked=True)
        row = (await tx.execute(locked)).one_or_none()
        if row is None:
            return
        match step:
            case "expire":
                await expire(tx, row, now)
            case "send keys":
                await send_keys(tx, row, self._pen, now)
            case "tell end":
                await tell_end(tx, row, self._pen, now)
            case _:
                assert_never(step)


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
