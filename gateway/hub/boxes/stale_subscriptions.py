"""Detects connected homes whose subscription was lost, and disconnects them so that they connect again.

A broker can lose a box's subscriptions and keep its connection (a cluster did after a partition). Then the box
publishes, so it counts as connected, but the broker reports for each of its jobs that there is no subscriber. The box
itself checks only every quarter of an hour. So the hub probes such a home again a moment later, when boxes that were
just connecting or leaving have done so. If it still has no subscription, a session under its id takes over its
connection for an instant. A home that is not connected loses nothing by that. A home that has its subscription gets its
jobs at once, not at the next slow sweep. A broker seldom loses the subscriptions of only one box, so the first one that
is found has all connected homes checked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import or_, select, update

from gateway.hub.boxes.mqtt import HubBrokerConnection, has_no_subscriber
from gateway.hub.boxes.presence import acknowledgement_of, set_offline
from gateway.hub.database.store import log_unavailable
from gateway.hub.database.tables import homes, jobs
from gateway.hub.worker import WorkerContext
from gateway.mqtt.packets import NotSent
from gateway.protocol.box_hub import down_topic

log = structlog.get_logger(__name__)

RECHECK_DELAY_S = 5.0  # the homes of a lost node have reconnected by then
MIN_DISCONNECT_INTERVAL_S = 60.0  # for one home
MAX_TRIES = 3  # to disconnect a home while no node is reachable
MAX_SUSPECTS = 5_000  # for others the box's own check helps
CHECK_INTERVAL_S = 0.1  # each check disconnects one home at most, to spare a restarting cluster


@dataclass(slots=True)
class _SuspectHome:
    """A home that seemed to have no subscription. `due` is in monotonic seconds."""

    since: datetime
    due: float
    tries: int = 0


@dataclass
class StaleSubscriptions:
    """Checks suspected homes, one in each process.

    `disconnect(home, now)` ends a home's connection and returns False if the broker cannot be reached.
    `check_others` checks all connected homes.
    """

    context: WorkerContext
    disconnect: Callable[[str, datetime], Awaitable[bool]]
    check_others: Callable[[], None]
    _others_checked_at: float = -MIN_DISCONNECT_INTERVAL_S
    _suspects: dict[str, _SuspectHome] = field(default_factory=dict)
    _disconnected_at: dict[str, float] = field(default_factory=dict)  # monotonic seconds

    def suspect(self, home: str) -> None:
        """Note a home that counts as connected and has no subscriber at the broker."""
        if home not in self._suspects and len(self._suspects) < MAX_SUSPECTS:
            due = self.context.monotonic() + RECHECK_DELAY_S
            if home in self._disconnected_at:
                due = max(due, self._disconnected_at[home] + MIN_DISCONNECT_INTERVAL_S)
            self._suspects[home] = _SuspectHome(self.context.now(), due)

    async def run(self, connection: HubBrokerConnection) -> None:
        """Check regularly until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            with log_unavailable("deaf_homes_not_looked_at"):
                if connection.is_connected:
                    await self.check(connection)

    async def check(self, connection: HubBrokerConnection) -> str | None:
        """Probe the suspected homes that are due until one is disconnected, and return that one."""
        mono = self.context.monotonic()
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
                    due = parked.values(due=self.context.now(), parked=False, leased=None)
                    await self.context.store.execute_once(due)
                    self.context.wake_ups.jobs()
                case False if await self._disconnect_home(home):
                    del self._suspects[home]
                    self._disconnected_at[home] = mono
                    await set_offline(self.context.store, [home], suspect.since)
                    self.context.metrics.unsubscribed.inc()
                    log.warning("deaf_home_cut_off", home=home)
                    if mono - self._others_checked_at >= MIN_DISCONNECT_INTERVAL_S:
                        self._others_checked_at = mono
                        self.check_others()
                    return home
                case _:
                    suspect.tries, suspect.due = suspect.tries + 1, mono + MIN_DISCONNECT_INTERVAL_S
                    if suspect.tries >= MAX_TRIES:
                        del self._suspects[home]
        return None

    async def _is_subscribed(self, connection: HubBrokerConnection, home: str, since: datetime) -> bool | None:
        """Return whether the home is subscribed, or has connected again or ended; None: the broker does not answer."""
        async with self.context.store.reading() as tx:
            mine = (homes.c.id == home, homes.c.revoked.is_(None), or_(homes.c.heard.is_(None), homes.c.heard < since))
            row = (await tx.execute(select(homes.c.id, homes.c.support_code).where(*mine))).one_or_none()
            if row is None:
                return True
            ack = await acknowledgement_of(tx, row)
        answer = await connection.publish(down_topic(home, "ack"), ack)
        if isinstance(answer, NotSent) or answer.code is None:
            return None
        return not has_no_subscriber(answer)

    async def _disconnect_home(self, home: str) -> bool:
        try:
            return await self.disconnect(home, self.context.now())
        except OSError as error:  # a full disk, or foreign broker files: other homes do not wait
            log.warning("deaf_home_not_cut_off", home=home, why=str(error))
            return False
