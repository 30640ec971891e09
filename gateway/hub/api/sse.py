"""Streams events to clients as Server-Sent Events (HTML Living Standard, 9.2), each with its event id.

A stream reads what the store has behind its place, in the order of the retailer's own numbers, and waits: so a reader
that comes back with `Last-Event-ID` misses nothing, to whichever hub, and one that is slow holds up nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from weakref import WeakSet

import structlog
from aiohttp import web
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.api.event_payload import Event
from gateway.hub.database.store import UNAVAILABLE_ERRORS, HubStore
from gateway.hub.database.tables import api_keys, events
from gateway.hub.http.operation import ApiCaller
from gateway.hub.http.problem import ApiProblem, Code

log = structlog.get_logger(__name__)

MAX_STREAMS_PER_RETAILER = 10  # streams of one retailer
HEARTBEAT_INTERVAL_S = 15.0  # seconds of silence at most: a proxy on the way takes a longer one for death
POLL_INTERVAL_S = 0.5  # seconds between two looks for what another hub has told
MAX_EVENTS_PER_READ = 100
_MAX_RETAILERS_PER_QUERY = 10_000  # retailers that are followed at once: more of them hear in the next beat


class SseStreams:
    """All streams of this process."""

    def __init__(self, store: HubStore, *, now: Callable[[], datetime]) -> None:
        self.store, self.now = store, now
        self.open: WeakSet[EventFollower] = WeakSet()
        self.are_ended = False
        self._poll_now = asyncio.Event()
        self._wake_ups: dict[str, asyncio.Event] = {}

    def wake_up_of(self, retailer: str) -> asyncio.Event:
        """What is rung once when this retailer has been told something, or all ends: take it before you read."""
        return self._wake_ups.setdefault(retailer, asyncio.Event())

    def poll_now(self) -> None:
        """Something may have been told."""
        self._poll_now.set()

    def follow(self, caller: ApiCaller, *, after: int, types: frozenset[str], seconds: float) -> "EventFollower":
        """Follow a retailer's events.

        Raises:
            ApiProblem: he does it often enough.
        """
        if sum(one.caller.retailer == caller.retailer for one in self.open) >= MAX_STREAMS_PER_RETAILER:
            raise ApiProblem(
                Code.RATE_LIMITED,
                f"At most {MAX_STREAMS_PER_RETAILER} streams at a time: end one first.",
                headers={"Retry-After": "5"},
            )
        found = EventFollower(self, caller, after, types, seconds)
        self.open.add(found)
        return found

    async def run(self) -> None:
        """Look for news while anybody follows, until cancelled. Who is told nothing is not woken by what others are."""
        known: dict[str, int] = {}
        while True:
            try:
                async with asyncio.timeout(POLL_INTERVAL_S if self.open else None):
                    await self._poll_now.wait()
            except TimeoutError:
                pass
            self._poll_now.clear()
            try:
                found = await self._newest_numbers()
            except UNAVAILABLE_ERRORS as error:
                log.error("news_unread", why=str(error).splitlines()[0])
                continue
            self._wake(retailer for retailer, seq in found.items() if seq > known.get(retailer, 0))
            known = found
            followed = self._followed_retailers()
            self._wake_ups = {retailer: bell for retailer, bell in self._wake_ups.items() if retailer in followed}

    async def _newest_numbers(self) -> dict[str, int]:
        """How far each retailer that anybody follows has been told."""
        following = sorted(self._followed_retailers())[:_MAX_RETAILERS_PER_QUERY]
        asked = select(events.c.retailer, func.max(events.c.seq)).where(events.c.retailer.in_(following))
        async with self.store.reading() as tx:
            return dict((await tx.execute(asked.group_by(events.c.retailer))).tuples().all())

    def _followed_retailers(self) -> set[str]:
        return {one.caller.retailer for one in self.open}

    async def end(self, _app: web.Application) -> None:
        """End every stream: its reader comes back to whoever serves then."""
        self.are_ended = True
        self._wake(list(self._wake_ups))

    def _wake(self, retailers: Iterable[str]) -> None:
        """Wake whoever waits: each takes the bell before it reads, so nothing falls between."""
        for retailer in retailers:
            bell = self._wake_ups.pop(retailer, None)
            if bell is not None:
                bell.set()


class EventFollower:
    """One stream."""

    def __init__(
        self, streams: SseStreams, caller: ApiCaller, after: int, types: frozenset[str], seconds: float
    ) -> None:
        self._streams, self.caller, self._types = streams, caller, types
        self._after, self._seconds = after, seconds

    def close(self) -> None:
        """It is over."""
        self._streams.open.discard(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give each event as one message, and a comment where it is quiet."""
        time = asyncio.get_running_loop().time
        until, streams = time() + self._seconds, self._streams
        streams.poll_now()
        yield b"retry: 2000\n\n"
        while True:
            news = streams.wake_up_of(self.caller.retailer)
            try:
                async with streams.store.reading() as tx:
                    counts = await self._is_key_valid(tx)
                    found = await self._read_events(tx) if counts else []
            except UNAVAILABLE_ERRORS as error:  # the answer has begun: it cannot become a problem any more
                log.error("stream_unread", why=str(error).splitlines()[0])
                return
            for event in found:
                self._after = event.seq
                yield f"id: {event.id}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()
            if not counts or streams.are_ended:
                return
            left = until - time()
            if len(found) == MAX_EVENTS_PER_READ:
                continue
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(HEARTBEAT_INTERVAL_S, left)):
                    await news.wait()
            except TimeoutError:
                yield b": still here\n\n"

    async def _is_key_valid(self, tx: AsyncConnection) -> bool:
        """Whether the key still counts under which the stream was begun."""
        alive = or_(api_keys.c.expires.is_(None), api_keys.c.expires > self._streams.now())
        asked = select(api_keys.c.id).where(api_keys.c.id == self.caller.key, api_keys.c.revoked.is_(None), alive)
        return await tx.scalar(asked) is not None

    async def _read_events(self, tx: AsyncConnection) -> list[Event]:
        return await read_events(tx, self.caller, self._after, self._types, limit=MAX_EVENTS_PER_READ)


def visible_events(caller: ApiCaller) -> ColumnElement[bool]:
    """The events that a caller may see."""
    return and_(events.c.retailer == caller.retailer, events.c.sandbox == caller.sandbox)


async def read_events(
    tx: AsyncConnection, caller: ApiCaller, seq: int, types: frozenset[str], *, limit: int
) -> list[Event]:
    """Read so many of a caller's events behind number `seq`, oldest first."""
    asked = select(events).where(visible_events(caller), events.c.seq > seq)
    if types:
        asked = asked.where(events.c.type.in_(types))
    rows = await tx.execute(asked.order_by(events.c.seq).limit(limit))
    return [Event.of(row) for row in rows]
