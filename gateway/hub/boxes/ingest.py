"""Receives the events of boxes, in order for each home, and acknowledges what is stored.

The topic names the home, and the broker lets no other client publish there. A home that floods fills only its own
queue. What does not fit, what the database does not accept and what exceeds the home's limit is dropped: a box repeats
each message that was not acknowledged.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

import structlog
from sqlalchemy import bindparam, update
from sqlalchemy.exc import IntegrityError

from gateway.hub.boxes.box_events import EventOutcome, HomeTransaction, acknowledgement
from gateway.hub.boxes.home_limits import EventRetention, HomeRateLimits
from gateway.hub.boxes.mqtt import parse_message
from gateway.hub.database.store import StoreUnavailable
from gateway.hub.database.tables import homes
from gateway.hub.worker import WorkerContext
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.box_hub import (
    EVENT_FORMAT,
    Hello,
    HubSpeaks,
    JobReceipt,
    UplinkChannel,
    down_topic,
    home_of_topic,
)
from gateway.protocol.box_statement import is_statement
from gateway.system.text import error_line
from gateway.system.token_bucket import TokenBuckets

log = structlog.get_logger(__name__)

MAX_WORKERS = 4  # homes that are handled at once
GATHER_DELAY_S = 0.01  # for which a home's message waits for the next, if no other home waits
MAX_WAITING_PER_HOME = 64  # messages
MAX_WAITING_MESSAGES = 20_000  # of all homes
LOGS_PER_SECOND = 1 / 60  # lines about one thing that is wrong with one home
_SPEAKS = HubSpeaks(events=EVENT_FORMAT).model_dump_json().encode()
BoxMessages = tuple[tuple[UplinkChannel, bytes], ...]  # each with its payload
_UPDATE_ONLINE = update(homes).where(homes.c.id == bindparam("name"))


@dataclass(slots=True)
class _BatchResult:
    has_hello: bool = False
    outcomes: list[EventOutcome] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    key: str | None = None
    is_online: bool = True
    unreadable: int = 0
    beyond_limit: int = 0  # events beyond the home's limit
    byte_count: int = 0  # of the stored events

    @property
    def events(self) -> int:
        return self.outcomes.count(EventOutcome.KEPT)


@dataclass
class Ingest:
    """Stores the messages of boxes, one in each process. `publish(topic, payload)` sends an acknowledgement."""

    context: WorkerContext
    publish: Callable[[str, bytes], None]
    rate_limits: HomeRateLimits
    retention: EventRetention
    # With waiting or handled messages
    _homes: dict[str, deque[tuple[UplinkChannel, bytes]]] = field(default_factory=dict)
    _ready: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    _waiting: int = 0
    _log_rate: TokenBuckets = field(default_factory=lambda: TokenBuckets(LOGS_PER_SECOND, 1.0, MAX_WAITING_MESSAGES))

    def on_message(self, incoming: InboundMessage) -> None:
        """Queue a message of a box; a retained message is old and is ignored."""
        sender = home_of_topic(incoming.topic)
        if sender is None or incoming.retain:
            return
        name, channel = sender
        if len(self._homes.get(name, ())) >= MAX_WAITING_PER_HOME or self._waiting >= MAX_WAITING_MESSAGES:
            self.context.metrics.dropped.labels("full").inc()
            self._log_rarely(name, "home_floods", todo="`perron hub-revoke`, if it goes on")
            return
        if name not in self._homes:
            self._homes[name] = deque()
            self._ready.put_nowait(name)
        self._homes[name].append((channel, incoming.payload))
        self._waiting += 1

    def __post_init__(self) -> None:
        self.context.metrics.ingest_waiting.set_function(lambda: self._waiting)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(MAX_WORKERS):
                group.create_task(self._work(), name=f"ingest {number}")

    async def _work(self) -> None:
        while True:
            name = await self._ready.get()
            if self._ready.empty():  # a receipt and the event of the same job come together
                await asyncio.sleep(GATHER_DELAY_S)
            waiting = self._homes[name]
            messages = tuple(waiting)
            waiting.clear()
            self._waiting -= len(messages)
            await self._store_contained(name, messages)
            if waiting:
                self._ready.put_nowait(name)
            else:
                del self._homes[name]

    async def _store_contained(self, name: str, messages: BoxMessages) -> None:
        """Store a home's messages in one transaction, or one by one if that raises an unexpected error.

        An event that raises one is stored without its effects, because the home's next events need it as predecessor.
        Any other message is dropped, and so is all that the database does not accept now: the box repeats what was not
        acknowledged.
        """
        try:
            if await self._try_storing(name, name, messages):
                return
            for message in messages:
                is_stored = await self._try_storing(f"{name} {message[0]}", name, (message,))
                if not is_stored and message[0] == "evt":
                    is_stored = await self._try_storing(f"{name} evt without effects", name, (message,), effects=False)
                if not is_stored:
                    self.context.metrics.dropped.labels("set_aside").inc()
        except StoreUnavailable as error:
            self.context.metrics.dropped.labels("store").inc(len(messages))
            log.error("words_not_kept", why=error_line(error))
            await asyncio.sleep(1)

    async def _try_storing(self, item: str, name: str, messages: BoxMessages, *, effects: bool = True) -> bool:
        with self.context.containment.piece("ingest", item, foreseen=(StoreUnavailable,)) as piece:
            try:
                await self._store_batch(name, messages, effects=effects)
            except IntegrityError:  # another process has stored one of the events at this moment
                await self._store_batch(name, messages, effects=effects)
        return piece.fault is None

    async def _store_batch(self, name: str, messages: BoxMessages, *, effects: bool) -> None:
        result = _BatchResult()
        async with self.context.store.writing() as tx:
            box = await HomeTransaction.begin(tx, name, self.context.now())
            if box is not None:
                await self._store_messages(box, messages, result, effects=effects)
        if box is None:
            if all(channel == "gone" for channel, _ in messages):
                return  # it was revoked and disconnected
            self.context.metrics.dropped.labels("stranger").inc(len(messages))
            self._log_rarely(name, "home_unknown", why="no home of this name, or it was revoked")
            return
        self.context.metrics.connected.inc(result.is_online - box.home.there)
        if result.events:
            self.rate_limits.spend(name, result.events, result.byte_count)
        if result.has_hello:  # before the acknowledgement, after which the box sends its events
            self.publish(down_topic(name, "speaks"), _SPEAKS)
        if result.has_hello or any(outcome.acknowledged for outcome in result.outcomes):
            self.publish(down_topic(name, "ack"), acknowledgement(box.home, box.seq, box.head))
        self._report(name, result)

    async def _store_messages(
        self, box: HomeTransaction, messages: BoxMessages, result: _BatchResult, *, effects: bool
    ) -> None:
        last_hello = max((place for place, (channel, _) in enumerate(messages) if channel == "hello"), default=-1)
        for place, (channel, payload) in enumerate(messages):
            match channel:
                case "hello" if place == last_hello:
                    if (hello := parse_message(Hello, payload)) is None:
                        result.unreadable += 1
                        continue
                    result.key = await box.on_hello(hello)
                    result.has_hello = True
                case "status":
                    if (receipt := parse_message(JobReceipt, payload)) is None:
                        result.unreadable += 1
                        continue
                    ended = await box.on_receipt(receipt)
                    result.receipts += [] if ended is None else [ended]
                case "evt" if not self.rate_limits.allows(box.home.id, result.events, result.byte_count):
                    result.beyond_limit += 1  # not acknowledged, so the box repeats it
                case "evt" if is_statement(payload):
                    outcome = await box.on_statement(payload)
                    result.outcomes.append(outcome)
                    result.byte_count += len(payload) if outcome is EventOutcome.KEPT else 0
                case "evt":
                    outcome = await box.on_event(payload, effects=effects)
                    result.outcomes.append(outcome)
                    if outcome is EventOutcome.KEPT:
                        result.byte_count += len(payload)
                        await self.retention.prune(box.tx, box.home.id, box.seq)
                case "hello" | "gone":
                    pass
                case _:
                    assert_never(channel)
        result.is_online = messages[-1][0] != "gone"
        if result.is_online != box.home.there:
            await box.tx.execute(_UPDATE_ONLINE, {"name": box.home.id, "there": result.is_online})

    def _report(self, name: str, result: _BatchResult) -> None:
        if result.has_hello or result.receipts:  # another job may have waited for the received one
            self.context.wake_ups.jobs()
        if EventOutcome.KEPT in result.outcomes or "refused" in result.receipts:
            self.context.wake_ups.messages()
        for outcome in result.outcomes:
            self.context.metrics.events.labels(outcome.value).inc()
        for ended in result.receipts:
            self.context.metrics.ended.labels(ended).inc()
        if result.unreadable:
            self.context.metrics.dropped.labels("unreadable").inc(result.unreadable)
            self._log_rarely(name, "words_unreadable", count=result.unreadable)
        if result.beyond_limit:
            self.context.metrics.dropped.labels("ration").inc(result.beyond_limit)
            if self.rate_limits.note_exceeded(name):
                log.error("home_over_ration", home=name, todo="limits.home_events; `perron hub-revoke`, if it goes on")
        if result.key is not None:
            log.warning("box_key_followed", home=name, key=result.key)
        refusals = sorted({str(outcome) for outcome in result.outcomes if not outcome.acknowledged})
        if refusals:
            self._log_rarely(name, "events_refused", why=refusals)

    def _log_rarely(self, name: str, event: str, **more: object) -> None:
        """Log each thing once a minute for each home, so that no home fills the disk."""
        if self._log_rate.take(f"{name} {event}", self.context.monotonic()):
            log.error(event, home=name, **more)
