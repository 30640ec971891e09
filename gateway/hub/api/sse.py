"""Streams events to clients as Server-Sent Events (HTML Living Standard, 9.2), each with its event id.

A stream reads the stored events after its position, in the order of the retailer's own numbers, and waits. So a client
that reconnects with `Last-Event-ID` to any hub misses nothing, and a slow client delays nobody.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select

from gateway.hub.api.rows import owned_by
from gateway.hub.database.store import HubStore, log_unavailable
from gateway.hub.database.tables import api_keys, events, retailers
from gateway.hub.deliveries.events import Event, event_of
from gateway.hub.http.operation import ApiCaller
from gateway.hub.http.problem import ApiProblem, Code

MAX_STREAMS_PER_RETAILER = 10  # streams of one retailer
HEARTBEAT_INTERVAL_S = 15.0  # a proxy closes a connection that is silent for longer
POLL_INTERVAL_S = 0.5  # for events that another hub stored
MAX_EVENTS_PER_READ = 100
_MAX_RETAILERS_PER_QUERY = 10_000  # others are polled at the next interval


class SseStreams:
    """All streams of this process."""

    def __init__(self, store: HubStore, *, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now
        self._open_streams: Counter[str] = Counter()  # of each retailer
        self._are_ended = False
        self._poll_now = asyncio.Event()
        self._wake_ups: dict[str, asyncio.Event] = {}  # set at the retailer's next event or at the end

    def poll_now(self) -> None:
        """Look for new events at once, if a stream is open."""
        if self._open_streams:
            self._poll_now.set()

    async def follow(
        self, caller: ApiCaller, after: int, types: frozenset[str], seconds: float
    ) -> AsyncGenerator[bytes, None]:
        """Yield each event of a retailer after number `after` as one message, and a comment as heartbeat.

        Only events of these types (empty: all), for so many seconds. A stream too many raises `ApiProblem` at once.
        """
        if self._open_streams[caller.retailer] >= MAX_STREAMS_PER_RETAILER:
            detail = f"At most {MAX_STREAMS_PER_RETAILER} streams at a time: end one first."
            raise ApiProblem(Code.RATE_LIMITED, detail, headers={"Retry-After": "5"})
        self._open_streams[caller.retailer] += 1
        time = asyncio.get_running_loop().time
        until = time() + seconds
        try:
            self.poll_now()
            yield b"retry: 2000\n\n"
            while True:
                news = self._wake_ups.setdefault(caller.retailer, asyncio.Event())  # taken before the events are read
                batch = await self._read_events(caller, after, types)
                for event in batch or ():
                    after = event.seq
                    yield f"id: {event.id}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()
                if batch is None or self._are_ended:
                    return
                left = until - time()
                if len(batch) == MAX_EVENTS_PER_READ:
                    continue
                if left <= 0:
                    return
                try:
                    async with asyncio.timeout(min(HEARTBEAT_INTERVAL_S, left)):
                        await news.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._open_streams[caller.retailer] -= 1
            self._open_streams += Counter()  # removes zero counts

    async def _read_events(self, caller: ApiCaller, after: int, types: frozenset[str]) -> list[Event] | None:
        """Return the next events, or None if the stream ends: its key is not valid any more, or the store fails."""
        alive = or_(api_keys.c.expires.is_(None), api_keys.c.expires > self._now())
        valid = (
            select(api_keys.c.id).join(retailers, retailers.c.id == api_keys.c.retailer)
            .where(api_keys.c.id == caller.key, api_keys.c.revoked.is_(None), retailers.c.suspended.is_(None), alive)
        )  # fmt: skip
        with log_unavailable("stream_unread"):  # the response has begun, so it cannot become a problem
            async with self._store.reading() as tx:
                if await tx.scalar(valid) is not None:
                    rows = await tx.execute(select_events(caller, after, types).limit(MAX_EVENTS_PER_READ))
                    return [event_of(row) for row in rows]
        return None

    async def run(self) -> None:
        """Poll while streams are open, until cancelled, and wake the streams of retailers with new events."""
        known: dict[str, int] = {}
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL_S if self._open_streams else None):
                    await self._poll_now.wait()
            self._poll_now.clear()
            if not self._open_streams:
                known, self._wake_ups = {}, {}
                continue
            with log_unavailable("news_unread"):
                newest = await self._newest_numbers()
                self._wake(retailer for retailer, seq in newest.items() if seq > known.get(retailer, 0))
                known = newest
                self._wake_ups = {
                    retailer: wake_up for retailer, wake_up in self._wake_ups.items() if retailer in self._open_streams
                }

    async def _newest_numbers(self) -> dict[str, int]:
        following = sorted(self._open_streams)[:_MAX_RETAILERS_PER_QUERY]
        newest = select(retailers.c.id, retailers.c.told).where(retailers.c.id.in_(following))
        async with self._store.reading() as tx:
            return dict((await tx.execute(newest)).tuples().all())

    def end(self) -> None:
        """End each stream; its client reconnects to another hub, or to this one after its restart."""
        self._are_ended = True
        self._wake(list(self._wake_ups))

    def _wake(self, retailers: Iterable[str]) -> None:
        for retailer in retailers:
            wake_up = self._wake_ups.pop(retailer, None)
            if wake_up is not None:
                wake_up.set()


def select_events(caller: ApiCaller, seq: int, types: frozenset[str]) -> Select[Any]:
    """Select the caller's events after number `seq`, of these types (empty: all), oldest first."""
    query = select(events).where(owned_by(caller, events), events.c.seq > seq).order_by(events.c.seq)
    return query.where(events.c.type.in_(types)) if types else query
