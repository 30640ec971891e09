"""Stores which homes are connected, and corrects it when the hub's MQTT session is re-established.

A box that disconnected while no hub was connected sent its last will to nobody. So the hub sends each home that counts
as connected an acknowledgement, which every box accepts at any time, and the broker's answer tells whether a box
received it.

At its start a hub sends it to every home that it ever heard of. It may have been restored from an older copy, and a box
that stayed connected believes that all its events are stored. A box that learns of fewer sends the rest again.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.boxes.box_events import acknowledgement, newest_event
from gateway.hub.boxes.mqtt import HubBrokerConnection, has_no_subscriber
from gateway.hub.database.store import UNAVAILABLE_ERRORS, HubStore, finish_despite_cancel
from gateway.hub.database.tables import homes
from gateway.hub.worker import WorkerContext
from gateway.mqtt.packets import NotSent
from gateway.protocol.box_hub import down_topic

log = structlog.get_logger(__name__)

MAX_HOMES_PER_CHECK = 50
RETRY_DELAY_S = 5.0  # after an error of the database

_ONLINE_HOMES = (homes.c.there, homes.c.revoked.is_(None))
_KNOWN_HOMES = (homes.c.heard.is_not(None), homes.c.revoked.is_(None), homes.c.sandbox.is_(False))


async def count_online(tx: AsyncConnection) -> int:
    """Return how many homes count as connected."""
    return await tx.scalar(select(func.count()).select_from(homes).where(*_ONLINE_HOMES)) or 0


async def set_offline(store: HubStore, names: Sequence[str], since: datetime) -> None:
    """Store that these homes are not connected, unless one has sent a message since then."""
    silent = or_(homes.c.heard.is_(None), homes.c.heard < since)
    await store.execute_once(update(homes).where(homes.c.id.in_(names), silent).values(there=False))


async def acknowledgement_of(tx: AsyncConnection, row: Row[Any]) -> bytes:
    """Return the acknowledgement of a home's stored events, which its box accepts at any time."""
    return acknowledgement(row, *await newest_event(tx, row.id))


class HomePresence:
    """Checks which homes are connected, one in each process.

    Call `on_connected` after each connect. `on_unsubscribed` is called with each home that counted as connected and is
    not.
    """

    def __init__(self, context: WorkerContext, *, on_unsubscribed: Callable[[str], None]) -> None:
        self._store, self._now, self._metrics = context.store, context.now, context.metrics
        self._on_unsubscribed = on_unsubscribed
        self._reconnected, self._is_started = asyncio.Event(), False

    def on_connected(self) -> None:
        """Check every home again that counts as connected: last wills may have been missed."""
        self._reconnected.set()

    async def run(self, connection: HubBrokerConnection) -> None:
        """Work until cancelled."""
        while True:
            await self._reconnected.wait()
            self._reconnected.clear()
            try:
                await self._recheck_homes(connection)
            except UNAVAILABLE_ERRORS as error:
                log.error("homes_not_counted", why=str(error).splitlines()[0])
                await asyncio.sleep(RETRY_DELAY_S)
                self._reconnected.set()

    async def _recheck_homes(self, connection: HubBrokerConnection) -> None:
        last = ""
        while page := await finish_despite_cancel(self._page(last)):
            last, asked_at = page[-1][0].id, self._now()
            answers = await asyncio.gather(*(connection.publish(down_topic(row.id, "ack"), ack) for row, ack in page))
            if any(isinstance(answer, NotSent) or answer.code is None for answer in answers):
                return  # the connection is lost; it starts again after the next connect
            gone = [row for (row, _), answer in zip(page, answers, strict=True) if has_no_subscriber(answer)]
            if gone:
                await finish_despite_cancel(set_offline(self._store, [row.id for row in gone], asked_at))
                log.info("homes_went_unheard", count=len(gone))
            for row in gone:
                if row.there:
                    self._on_unsubscribed(row.id)
        self._is_started = True
        async with self._store.reading() as tx:
            self._metrics.connected.set(await count_online(tx))

    async def _page(self, last: str) -> Sequence[tuple[Row[Any], bytes]]:
        conditions = _ONLINE_HOMES if self._is_started else _KNOWN_HOMES
        later = select(homes.c.id, homes.c.support_code, homes.c.there).where(*conditions, homes.c.id > last)
        async with self._store.reading() as tx:
            rows = (await tx.execute(later.order_by(homes.c.id).limit(MAX_HOMES_PER_CHECK))).all()
            return [(row, await acknowledgement_of(tx, row)) for row in rows]
