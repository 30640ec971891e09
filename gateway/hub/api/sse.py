"""Streams events to clients as Server-Sent Events (HTML Living Standard, 9.2), each with its event id.

A stream reads the stored events after its position, in the order of the retailer's own numbers, and waits. So a client
that reconnects with `Last-Event-ID` to any hub misses nothing, and a slow client delays nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Annotated, Any
from weakref import WeakSet

import structlog
from aiohttp import web
from pydantic import Field, JsonValue, StringConstraints
from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.api.rows import owned_by
from gateway.hub.database.store import UNAVAILABLE_ERRORS, HubStore
from gateway.hub.database.tables import api_keys, events
from gateway.hub.deliveries.events import EventType
from gateway.hub.http.operation import ApiCaller, Model
from gateway.hub.http.problem import ApiProblem, Code

log = structlog.get_logger(__name__)

MAX_STREAMS_PER_RETAILER = 10  # streams of one retailer
HEARTBEAT_INTERVAL_S = 15.0  # a proxy closes a connection that is silent for longer
POLL_INTERVAL_S = 0.5  # for events that another hub stored
MAX_EVENTS_PER_READ = 100
_MAX_RETAILERS_PER_QUERY = 10_000  # others are polled at the next interval


EventId = Annotated[str, StringConstraints(pattern=r"^evt-[a-z2-7]{26}$")]


class Event(Model):
    """Something happened. `seq` rises with each of the retailer's; `about` is the id of what `data` tells of."""

    id: EventId
    seq: Annotated[int, Field(ge=1)]
    type: EventType
    about: Annotated[str, Field(validation_alias="object")]
    at: datetime
    sandbox: bool
    data: dict[str, JsonValue]


class SseStreams:
    """All streams of this process."""

    def __init__(self, store: HubStore, *, now: Callable[[], datetime]) -> None:
        self.store, self.now = store, now
        self.open: WeakSet[EventFollower] = WeakSet()
        self.are_ended = False
        self._poll_now = asyncio.Event()
        self._wake_ups: dict[str, asyncio.Event] = {}

    def wake_up_of(self, retailer: str) -> asyncio.Event:
        """Return the event that is set at the retailer's next event or at the end; take it before you read."""
        return self._wake_ups.setdefault(retailer, asyncio.Event())

    def poll_now(self) -> None:
        """Look for new events at once."""
        self._poll_now.set()

    def follow(self, caller: ApiCaller, after: int, types: frozenset[str], seconds: float) -> "EventFollower":
        """Follow a retailer's events.

        Raises:
            ApiProblem: the retailer has the maximum number of streams.
        """
        if sum(follower.caller.retailer == caller.retailer for follower in self.open) >= MAX_STREAMS_PER_RETAILER:
            raise ApiProblem(
                Code.RATE_LIMITED,
                f"At most {MAX_STREAMS_PER_RETAILER} streams at a time: end one first.",
                headers={"Retry-After": "5"},
            )
        follower = EventFollower(self, caller, after, types, seconds)
        self.open.add(follower)
        return follower

    async def run(self) -> None:
        """Poll while streams are open, until cancelled, and wake the streams of retailers with new events."""
        known: dict[str, int] = {}
        while True:
            try:
                async with asyncio.timeout(POLL_INTERVAL_S if self.open else None):
                    await self._poll_now.wait()
            except TimeoutError:
                pass
            self._poll_now.clear()
            try:
                newest = await self._newest_numbers()
            except UNAVAILABLE_ERRORS as error:
                log.error("news_unread", why=str(error).splitlines()[0])
                continue
            self._wake(retailer for retailer, seq in newest.items() if seq > known.get(retailer, 0))
            known = newest
            followed = self._followed_retailers()
            self._wake_ups = {retailer: wake_up for retailer, wake_up in self._wake_ups.items() if retailer in followed}

    async def _newest_numbers(self) -> dict[str, int]:
        """Return the newest event number of each retailer that has a stream."""
        following = sorted(self._followed_retailers())[:_MAX_RETAILERS_PER_QUERY]
        newest = select(events.c.retailer, func.max(events.c.seq)).where(events.c.retailer.in_(following))
        async with self.store.reading() as tx:
            return dict((await tx.execute(newest.group_by(events.c.retailer))).tuples().all())

    def _followed_retailers(self) -> set[str]:
        return {follower.caller.retailer for follower in self.open}

    async def end(self, _app: web.Application) -> None:
        """End each stream; its client reconnects to another hub, or to this one after its restart."""
        self.are_ended = True
        self._wake(list(self._wake_ups))

    def _wake(self, retailers: Iterable[str]) -> None:
        """Wake the waiting streams; each takes its event before it reads, so it misses none."""
        for retailer in retailers:
            wake_up = self._wake_ups.pop(retailer, None)
            if wake_up is not None:
                wake_up.set()


class EventFollower:
    """One stream."""

    def __init__(
        self, streams: SseStreams, caller: ApiCaller, after: int, types: frozenset[str], seconds: float
    ) -> None:
        self._streams, self.caller, self._types = streams, caller, types
        self._after, self._seconds = after, seconds

    def close(self) -> None:
        """Stop counting this stream."""
        self._streams.open.discard(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield each event as one message, and a comment as heartbeat."""
        time = asyncio.get_running_loop().time
        until, streams = time() + self._seconds, self._streams
        streams.poll_now()
        yield b"retry: 2000\n\n"
        while True:
            news = streams.wake_up_of(self.caller.retailer)
            try:
                async with streams.store.reading() as tx:
                    counts = await self._is_key_valid(tx)
                    batch = await self._read_events(tx) if counts else []
            except UNAVAILABLE_ERRORS as error:  # the response has begun, so it cannot become a problem
                log.error("stream_unread", why=str(error).splitlines()[0])
                return
            for event in batch:
                self._after = event.seq
                yield f"id: {event.id}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()
            if not counts or streams.are_ended:
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

    async def _is_key_valid(self, tx: AsyncConnection) -> bool:
        """Return whether the API key of the stream is still valid."""
        alive = or_(api_keys.c.expires.is_(None), api_keys.c.expires > self._streams.now())
        valid = select(api_keys.c.id).where(api_keys.c.id == self.caller.key, api_keys.c.revoked.is_(None), alive)
        return await tx.scalar(valid) is not None

    async def _read_events(self, tx: AsyncConnection) -> list[Event]:
        query = select_events(self.caller, self._after, self._types).limit(MAX_EVENTS_PER_READ)
        return [event_of(row) for row in await tx.execute(query)]


def select_events(caller: ApiCaller, seq: int, types: frozenset[str]) -> Select[Any]:
    """Select the caller's events after number `seq`, of these types (empty: all), oldest first."""
    query = select(events).where(owned_by(caller, events), events.c.seq > seq).order_by(events.c.seq)
    return query.where(events.c.type.in_(types)) if types else query


def event_of(row: Row[Any]) -> Event:
    """Return the event of a stored row."""
    return Event.model_validate(row, from_attributes=True, strict=False)
