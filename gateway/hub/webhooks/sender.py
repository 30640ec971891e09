"""Sends what waits: one task for each endpoint whose turn it is.

Who answers soon is served in lanes of its own, who fails or is slow in others, a sandbox in others again: so however
many hang, they hold up each other and nobody else. A lane sends one message after the other, by `seq`; only where more
is due than one batch, some at once. A turn ends with its lease, and who was served longest ago is next.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.exc import DBAPIError

from gateway.hub.store import Store
from gateway.hub.webhooks import queue
from gateway.hub.webhooks.connection import Connections, Lookup, by_machine
from gateway.hub.webhooks.queue import Lane, Parcel, Turn, Unseal
from gateway.hub.webhooks.retry import SLOW, Answer, Result
from gateway.hub.webhooks.ssrf import Allowed, HostLimit
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

SERVED: Mapping[Lane, int] = MappingProxyType({Lane.GOOD: 32, Lane.POOR: 16, Lane.SANDBOX: 16})  # endpoints at once
BATCH = 20  # messages of one that are read at once
AT_ONCE = 4  # of one that does not keep up
LOOK = 1.0  # seconds after which the store is asked without a bell: what is due again, what another hub was told
COUNT = 15.0  # seconds between two counts of what waits
SWEEP = timedelta(hours=1)


class Sender:
    """All webhooks of a hub. `seconds` counts, from anywhere; `most`: tries of one message, in 24 hours at least.

    `sandbox_posts`: how many all sandboxes together send to one host in a minute.
    """

    def __init__(  # noqa: PLR0913 - what it needs, named one by one
        self,
        store: Store,
        *,
        allowed: Allowed,
        unseal: Unseal,
        most: int,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
        registry: CollectorRegistry,
        lookup: Lookup = by_machine,
        timeout: float,
        sandbox_posts: int,
        contained: Containment,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._contained, self._hosts = contained, HostLimit(sandbox_posts)
        self._store, self._most, self._now, self._seconds, self._chance = store, most, now, seconds, chance
        self._connections = Connections(allowed, seconds=seconds, lookup=lookup, timeout=timeout)
        self._unseal = unseal
        self._longest = timedelta(seconds=timeout)
        self._bell = asyncio.Event()
        self._busy = dict.fromkeys(Lane, 0)
        self._sent = Counter("perron_webhooks_sent", "Messages that a receiver has taken.", registry=registry)
        self._failed = Counter("perron_webhooks_failed", "Tries that failed.", ["result"], registry=registry)
        self._waiting = Gauge("perron_webhooks_waiting", "Messages that wait, of all hubs.", registry=registry)

    def ring(self) -> None:
        """Say that there is something to send."""
        self._bell.set()

    async def run(self) -> None:
        """Send until cancelled. A store that fails is asked again: nothing is lost by waiting."""
        async with self._connections, asyncio.TaskGroup() as lanes:
            lanes.create_task(self._keep_house())
            if self._store.one_writer:
                await self._take_back()
            while True:
                self._bell.clear()
                for turn in await self._claimed():
                    self._busy[turn.lane] += 1
                    lanes.create_task(self._served_alone(turn))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._bell.wait(), LOOK)

    async def _take_back(self) -> None:
        with self._patience():
            async with self._store.writing() as tx:
                await queue.take_back(tx, self._now())

    async def _claimed(self) -> Sequence[Turn]:
        room = {lane: most - self._busy[lane] for lane, most in SERVED.items()}
        with self._patience():
            if any(room.values()) and await self._any():
                async with self._store.writing() as tx:
                    return await queue.claim(tx, self._now(), room)
        return ()

    async def _any(self) -> bool:
        """Whether anything is due: most of the time there is nothing, and no need for the writer's turn."""
        async with self._store.reading() as tx:
            return await queue.any_due(tx, self._now())

    async def _served_alone(self, turn: Turn) -> None:
        """Serve one endpoint; what nobody foresaw there is its own, and it rests before its next turn."""
        with self._contained.piece("webhooks", turn.endpoint) as piece:
            await self._lane(turn)
        if piece.fault is not None:
            with self._contained.piece("webhooks", turn.endpoint):
                await self._give_back(turn, self._now() + queue.REST)

    async def _lane(self, turn: Turn) -> None:
        ill: datetime | None = None
        try:
            with self._patience():
                while ill is None and self._lasts(turn):
                    async with self._store.writing() as tx:
                        most = 1 if turn.short else BATCH
                        batch = await queue.due(tx, turn, self._now(), most=most, unseal=self._unseal)
                    if not batch:
                        return
                    wait = self._wait(turn, batch[0])
                    if wait > 0:
                        ill = self._now() + timedelta(seconds=wait)
                        break
                    ill = await self._served(turn, batch)
                    if turn.short:
                        break
            await self._give_back(turn, ill or self._now())
        finally:
            self._busy[turn.lane] -= 1
            self._bell.set()

    def _wait(self, turn: Turn, parcel: Parcel) -> float:
        """Seconds until a sandbox may send to this host; 0: now, and this one is counted."""
        if turn.lane is not Lane.SANDBOX:
            return 0.0
        return self._hosts.wait(urlsplit(parcel.url).hostname or "", self._seconds())

    async def _give_back(self, turn: Turn, now: datetime) -> None:
        """Let another have the turn, as soon as the store takes it: else nobody has it until its lease runs out."""
        given = False
        while not given:
            with self._patience():
                async with self._store.writing() as tx:
                    await queue.give_back(tx, turn, now)
                given = True
            if not given and not self._lasts(turn):
                return
            await asyncio.sleep(0 if given else LOOK)

    async def _served(self, turn: Turn, batch: Sequence[Parcel]) -> datetime | None:
        """Send a batch while all goes well and the turn lasts; since when it does not."""
        left, ill = list(reversed(batch)), None

        async def one_after_the_other() -> None:
            nonlocal ill
            while left and ill is None and self._lasts(turn):
                ill = await self._posted(left.pop()) or ill

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE if len(batch) == BATCH else 1):
                group.create_task(one_after_the_other())
        return ill

    async def _posted(self, parcel: Parcel) -> datetime | None:
        """Send one and write what became of it; when that was, if it was not good."""
        answer = Answer(result=Result.NOT_SENT, seconds=0.0)
        with self._contained.piece("webhooks", parcel.letter.message):
            body = parcel.letter.body()
            answer = await self._connections.post(
                parcel.url, body, parcel.letter.headers(body, self._now()), challenge=parcel.challenge
            )
        if answer.taken:
            self._sent.inc()
        else:
            self._failed.labels(answer.result).inc()
        now, kept = self._now(), False
        with self._patience():
            async with self._store.writing() as tx:
                await queue.ended(tx, parcel, answer, now, most=self._most, chance=self._chance())
            kept = True
        return None if kept and answer.taken and answer.seconds < SLOW else now

    def _lasts(self, turn: Turn) -> bool:
        return self._now() + self._longest < turn.until

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, OSError) as error:
            log.warning("webhooks_wait_for_the_store", why=str(error).splitlines()[0])

    async def _keep_house(self) -> None:
        swept: datetime | None = None
        while True:
            now = self._now()
            with self._patience():
                async with self._store.reading() as tx:
                    self._waiting.set(await queue.waiting(tx))
                async with self._store.writing() as tx:
                    if (found := await queue.set_right(tx, now)) > 0:
                        log.warning("clock_went_back", messages=found)
                if swept is None or now - swept >= SWEEP:
                    async with self._store.writing() as tx:
                        swept = None if await queue.sweep(tx, now) else now
            await asyncio.sleep(COUNT)
