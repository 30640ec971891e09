"""A share of the homes' words whose process is away is heard by another one, until its own is back.

Each process tells the store, again and again, that it hears its share; what was not told for `LEASE` is unheard.
Whoever hears its own, and has for as long, takes one over, in the name of that share, so that it is heard once. What
was said in between, homes say again. The process whose share it is asks nobody: it takes it back, and whoever had it
lets go at its next look. Until then both throw each other off the broker, for some seconds.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Update, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.hub.authority import AuthorityUnusable
from gateway.hub.config import Share
from gateway.hub.metrics import Tally
from gateway.hub.mqtt import Line
from gateway.hub.store import UNAVAILABLE, Store
from gateway.hub.tables import shares

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)
LOOK = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class _Held:
    """Another's share that is heard here."""

    line: Line
    task: asyncio.Task[None]


class Shares:
    """One a process. `line(share)` makes the line of another's share, under that one's name."""

    def __init__(
        self, share: Share, store: Store, *, now: Callable[[], datetime], line: Callable[[Share], Line], tally: Tally
    ) -> None:
        self._share, self._store, self._now, self._line, self._tally = share, store, now, line, tally
        self._begun = False
        self._up: datetime | None = None  # since when our own line is there
        self._held: dict[int, _Held] = {}

    async def run(self, own: Line) -> None:
        """Look again and again until cancelled; what was taken over is let go."""
        try:
            while True:
                try:
                    await self.look(own)
                except (*UNAVAILABLE, AuthorityUnusable) as error:  # what is heard is heard on
                    log.error("shares_not_looked_at", why=str(error).partition("\n")[0])
                await asyncio.sleep(LOOK)
        finally:
            tasks = [held.task for held in self._held.values()]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def look(self, own: Line) -> None:
        """Tell what is heard here, let go what was taken back, take over what nobody hears."""
        now = self._now()
        if not own.there:
            self._up = None
        elif self._up is None or self._up > now:
            self._up = now
        await self._known(now)
        async with self._store.writing() as tx:
            if own.there or not self._begun:
                await tx.execute(_of(self._share.number).values(holder=self._share.number, until=now + LEASE))
                self._begun = True
            for number, held in tuple(self._held.items()):
                until = now + LEASE if held.line.there else shares.c.until
                mine = _of(number).where(shares.c.holder == self._share.number)
                if held.task.done() or not (await tx.execute(mine.values(until=until))).rowcount:
                    log.info("share_let_go", share=number)
                    self._held.pop(number).task.cancel()
            late = select(shares.c.number).where(shares.c.until < now, shares.c.number <= self._share.of)
            unheard = [number for number in (await tx.execute(late)).scalars() if number not in self._held]
            taken = None
            if unheard and self._up is not None and now - self._up >= LEASE:
                theirs = _of(unheard[0]).where(shares.c.until < now)
                if (await tx.execute(theirs.values(holder=self._share.number, until=now + LEASE))).rowcount:
                    taken = unheard[0]
        self._tally.unheard.set(len(unheard) - (taken is not None))
        if taken is not None:
            log.warning("share_taken_over", share=taken, why="its own process has not been heard of")
            line = self._line(Share(number=taken, of=self._share.of))
            self._held[taken] = _Held(line, asyncio.create_task(line.run(), name=f"share {taken}"))

    async def _known(self, now: datetime) -> None:
        """Have a row for each share; one that never began is unheard a while from now on, not before."""
        async with self._store.reading() as tx:
            known = set((await tx.execute(select(shares.c.number))).scalars())
        for number in set(range(1, self._share.of + 1)) - known:
            try:
                async with self._store.writing() as tx:
                    await tx.execute(insert(shares).values(number=number, holder=number, until=now + LEASE))
            except IntegrityError:  # another process was first
                continue


def _of(number: int) -> Update:
    return update(shares).where(shares.c.number == number)
