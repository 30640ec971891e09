"""Stores which homes are connected, and disconnects those whose subscription was lost, so that they connect again.

A box that disconnected while no hub was connected sent its last will to nobody. So after each connect the hub sends
each home that counts as connected an acknowledgement, which every box accepts at any time, and the broker's answer
tells whether a box received it. At its start a hub, which may have been restored from an older copy, sends it to every
home that it ever heard of: a box that learns of fewer stored events sends the rest again.

A broker can lose a box's subscriptions and keep its connection (a cluster did after a partition). Then the box counts
as connected, but the broker reports no subscriber for its jobs, and the box itself checks only every quarter of an
hour. So the hub probes such a suspect again a moment later. If it still has no subscription, a session under its id
takes over its connection for an instant; otherwise it gets its jobs at once. A broker seldom loses the subscriptions of
only one box, so the first one that is found has all connected homes checked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row, func, or_, select, update

from gateway.hub.boxes.box_events import acknowledgement, newest_event
from gateway.hub.boxes.mqtt import HubBrokerConnection, has_no_subscriber
from gateway.hub.database.store import log_unavailable
from gateway.hub.database.tables import homes, jobs
from gateway.hub.database.transaction import Transaction, finish_despite_cancel
from gateway.hub.worker import WorkerContext
from gateway.mqtt.packets import NotSent
from gateway.protocol.box_hub import down_topic
from gateway.system.text import error_line

log = structlog.get_logger(__name__)

MAX_HOMES_PER_CHECK = 50
RETRY_DELAY_S = 5.0  # after an error of the database
RECHECK_DELAY_S = 5.0  # of a suspect; the homes of a lost node have reconnected by then
MIN_DISCONNECT_INTERVAL_S = 60.0  # for one home
MAX_TRIES = 3  # to disconnect a home while no node is reachable
MAX_SUSPECTS = 5_000  # for others the box's own check helps
SUSPECTS_INTERVAL_S = 0.1  # each check disconnects one home at most, to spare a restarting cluster

_ONLINE_HOMES = (homes.c.there, homes.c.revoked.is_(None))
_KNOWN_HOMES = (homes.c.heard.is_not(None), homes.c.revoked.is_(None), homes.c.sandbox.is_(False))


async def count_online(tx: Transaction) -> int:
    """Return how many homes count as connected."""
    return await tx.scalar(select(func.count()).select_from(homes).where(*_ONLINE_HOMES)) or 0


@dataclass(slots=True)
class _Suspect:
    """A home that seemed to have no subscription. `due` is in monotonic seconds."""

    since: datetime
    due: float
    tries: int = 0


class HomePresence:
    """Checks which homes are connected, one in each process.

    Call `on_connected` after each connect. `disconnect(home, now)` ends a home's connection and returns False if the
    broker cannot be reached.
    """

    def __init__(self, context: WorkerContext, *, disconnect: Callable[[str, datetime], Awaitable[bool]]) -> None:
        self._context, self._store, self._disconnect = context, context.store, disconnect
        self._must_check_all, self._is_started = asyncio.Event(), False
        self._suspects: dict[str, _Suspect] = {}
        self._disconnected_at: dict[str, float] = {}  # monotonic seconds
        self._others_checked_at = -MIN_DISCONNECT_INTERVAL_S

    def on_connected(self) -> None:
        """Check every home again that counts as connected: last wills may have been missed."""
        self._must_check_all.set()

    def suspect(self, home: str) -> None:
        """Note a home that counts as connected and has no subscriber at the broker."""
        if home not in self._suspects and len(self._suspects) < MAX_SUSPECTS:
            due = self._context.monotonic() + RECHECK_DELAY_S
            if home in self._disconnected_at:
                due = max(due, self._disconnected_at[home] + MIN_DISCONNECT_INTERVAL_S)
            self._suspects[home] = _Suspect(self._context.now(), due)

    async def run(self, connection: HubBrokerConnection) -> None:
        """Check all homes after each connect, until cancelled."""
        while True:
            await self._must_check_all.wait()
            self._must_check_all.clear()
            try:
                await self._check_all(connection)
            except OSError as error:
                log.error("homes_not_counted", why=error_line(error))
                await asyncio.sleep(RETRY_DELAY_S)
                self._must_check_all.set()

    async def run_suspects(self, connection: HubBrokerConnection) -> None:
        """Check the suspects regularly until cancelled."""
        while True:
            await asyncio.sleep(SUSPECTS_INTERVAL_S)
            with log_unavailable("deaf_homes_not_looked_at"):
                if connection.is_connected:
                    await self.check_suspects(connection)

    async def check_suspects(self, connection: HubBrokerConnection) -> str | None:
        """Probe the suspects that are due until one is disconnected, and return that one."""
        mono = self._context.monotonic()
        self._disconnected_at = {
            home: at for home, at in self._disconnected_at.items() if mono - at < MIN_DISCONNECT_INTERVAL_S
        }
        for home, suspect in [(home, suspect) for home, suspect in self._suspects.items() if suspect.due <= mono]:
            match await self._is_subscribed(connection, home, suspect.since):
                case None:
                    suspect.due = mono + RECHECK_DELAY_S
                case True:
                    del self._suspects[home]
                    parked = update(jobs).where(jobs.c.home == home, jobs.c.parked, jobs.c.due.is_not(None))
                    await self._store.execute_once(parked.values(due=self._context.now(), parked=False))
                    self._context.wake_ups.jobs()
                case False if await self._try_disconnecting(home):
                    del self._suspects[home]
                    self._disconnected_at[home] = mono
                    await self._set_offline([home], suspect.since)
                    self._context.metrics.unsubscribed.inc()
                    log.warning("deaf_home_cut_off", home=home)
                    if mono - self._others_checked_at >= MIN_DISCONNECT_INTERVAL_S:
                        self._others_checked_at = mono
                        self.on_connected()
                    return home
                case _:
                    suspect.tries, suspect.due = suspect.tries + 1, mono + MIN_DISCONNECT_INTERVAL_S
                    if suspect.tries >= MAX_TRIES:
                        del self._suspects[home]
        return None

    async def _is_subscribed(self, connection: HubBrokerConnection, home: str, since: datetime) -> bool | None:
        """Return whether the home is subscribed, or has connected again or ended; None: the broker does not answer."""
        async with self._store.reading() as tx:
            mine = (homes.c.id == home, homes.c.revoked.is_(None), or_(homes.c.heard.is_(None), homes.c.heard < since))
            row = (await tx.execute(select(homes.c.id, homes.c.support_code).where(*mine))).one_or_none()
            if row is None:
                return True
            ack = acknowledgement(row, *await newest_event(tx, home))
        answer = await connection.publish(down_topic(home, "ack"), ack)
        if isinstance(answer, NotSent) or answer.code is None:
            return None
        return not has_no_subscriber(answer)

    async def _try_disconnecting(self, home: str) -> bool:
        try:
            return await self._disconnect(home, self._context.now())
        except OSError as error:  # a full disk, or foreign broker files: other homes do not wait
            log.warning("deaf_home_not_cut_off", home=home, why=str(error))
            return False

    async def _check_all(self, connection: HubBrokerConnection) -> None:
        last = ""
        while page := await finish_despite_cancel(self._page(last)):
            last, asked_at = page[-1][0].id, self._context.now()
            answers = await asyncio.gather(*(connection.publish(down_topic(row.id, "ack"), ack) for row, ack in page))
            if any(isinstance(answer, NotSent) or answer.code is None for answer in answers):
                return  # the connection is lost; it starts again after the next connect
            gone = [row for (row, _), answer in zip(page, answers, strict=True) if has_no_subscriber(answer)]
            if gone:
                await finish_despite_cancel(self._set_offline([row.id for row in gone], asked_at))
                log.info("homes_went_unheard", count=len(gone))
            for row in gone:
                if row.there:
                    self.suspect(row.id)
        self._is_started = True
        async with self._store.reading() as tx:
            self._context.metrics.connected.set(await count_online(tx))

    async def _page(self, last: str) -> Sequence[tuple[Row[Any], bytes]]:
        conditions = _ONLINE_HOMES if self._is_started else _KNOWN_HOMES
        later = select(homes.c.id, homes.c.support_code, homes.c.there).where(*conditions, homes.c.id > last)
        async with self._store.reading() as tx:
            rows = (await tx.execute(later.order_by(homes.c.id).limit(MAX_HOMES_PER_CHECK))).all()
            return [(row, acknowledgement(row, *await newest_event(tx, row.id))) for row in rows]

    async def _set_offline(self, names: Sequence[str], since: datetime) -> None:
        """Store that these homes are not connected, unless one has sent a message since then."""
        silent = or_(homes.c.heard.is_(None), homes.c.heard < since)
        await self._store.execute_once(update(homes).where(homes.c.id.in_(names), silent).values(there=False))
