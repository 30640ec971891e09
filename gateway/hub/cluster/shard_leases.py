"""Assigns shards of homes to hub processes by leases; another process takes over an expired lease.

Each process renews in the store the lease of the shard that it serves. A shard whose lease has expired for
`SHARD_LEASE` is unserved. A process that has served its own shard for as long takes over one such shard, under that
shard's name, so that only one process serves it. Homes repeat what was not acknowledged meanwhile. The process to which
the shard belongs asks nobody: it takes the shard back, and the other one releases it at its next check. Until then both
displace each other at the broker, for some seconds.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Update, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.hub.boxes.authority import AuthorityUnusable
from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.config import ShardAssignment
from gateway.hub.database.store import log_unavailable
from gateway.hub.database.tables import shares
from gateway.hub.worker import WorkerContext

log = structlog.get_logger(__name__)

SHARD_LEASE = timedelta(seconds=30)
CHECK_INTERVAL_S = 2.0


@dataclass
class ShardLeases:
    """The leases of one process. `connect(share)` makes the broker connection of another process's shard."""

    context: WorkerContext
    assignment: ShardAssignment
    connect: Callable[[ShardAssignment], HubBrokerConnection]
    _is_started: bool = False
    _own_since: datetime | None = None  # since when the own connection is up
    # Other processes' shards that this process serves
    _held: dict[int, tuple[HubBrokerConnection, asyncio.Task[None]]] = field(default_factory=dict)

    async def run(self, own_connection: HubBrokerConnection) -> None:
        """Check regularly until cancelled, then release the shards that were taken over."""
        try:
            while True:
                with log_unavailable("shares_not_looked_at", AuthorityUnusable):  # the connections stay
                    await self.check(own_connection)
                await asyncio.sleep(CHECK_INTERVAL_S)
        finally:
            tasks = [task for _, task in self._held.values()]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def check(self, own_connection: HubBrokerConnection) -> None:
        """Renew the leases, release those that another process took back, take over shards without a process."""
        now = self.context.now()
        if not own_connection.is_connected:
            self._own_since = None
        elif self._own_since is None or self._own_since > now:
            self._own_since = now
        await self._ensure_rows(now)
        async with self.context.store.writing() as tx:
            if own_connection.is_connected or not self._is_started:
                await tx.execute(
                    _lease_update(self.assignment.number).values(holder=self.assignment.number, until=now + SHARD_LEASE)
                )
                self._is_started = True
            for number, (connection, task) in tuple(self._held.items()):
                until = now + SHARD_LEASE if connection.is_connected else shares.c.until
                mine = _lease_update(number).where(shares.c.holder == self.assignment.number)
                if task.done() or not (await tx.execute(mine.values(until=until))).rowcount:
                    log.info("share_let_go", share=number)
                    del self._held[number]
                    task.cancel()
            late = select(shares.c.number).where(shares.c.until < now, shares.c.number <= self.assignment.of)
            unheard = [number for number in (await tx.execute(late)).scalars() if number not in self._held]
            taken = None
            if unheard and self._own_since is not None and now - self._own_since >= SHARD_LEASE:
                theirs = _lease_update(unheard[0]).where(shares.c.until < now)
                if (await tx.execute(theirs.values(holder=self.assignment.number, until=now + SHARD_LEASE))).rowcount:
                    taken = unheard[0]
        self.context.metrics.unheld_shards.set(len(unheard) - (taken is not None))
        if taken is not None:
            log.warning("share_taken_over", share=taken, why="its own process has not been heard of")
            connection = self.connect(ShardAssignment(number=taken, of=self.assignment.of))
            self._held[taken] = connection, asyncio.create_task(connection.run(), name=f"share {taken}")

    async def _ensure_rows(self, now: datetime) -> None:
        """Make a row for each shard; a shard that no process served yet becomes unserved only later."""
        async with self.context.store.reading() as tx:
            known = set((await tx.execute(select(shares.c.number))).scalars())
        for number in set(range(1, self.assignment.of + 1)) - known:
            try:
                async with self.context.store.writing() as tx:
                    await tx.execute(insert(shares).values(number=number, holder=number, until=now + SHARD_LEASE))
            except IntegrityError:  # another process was first
                continue


def _lease_update(number: int) -> Update:
    return update(shares).where(shares.c.number == number)
