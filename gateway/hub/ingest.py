"""Takes in what boxes say, home by home, in its order; what is kept is acknowledged.

The home that a topic names is believed: the broker lets nobody else speak there. One that floods fills its own queue
and no other's; what does not fit is dropped, for a box says again what it is owed an answer to. So is what the database
does not take, and what is beyond the home's ration.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_never

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery.promise import Wire
from gateway.hub import box_events
from gateway.hub.box_events import Kept, Outcome
from gateway.hub.home_limits import HomeRations, Retention
from gateway.hub.metrics import Tally
from gateway.hub.operation import Bells
from gateway.hub.store import Store, StoreSilent
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.box_hub import Hello, Receipt, What, ack_topic, speaker
from gateway.protocol.strict_json import loads
from gateway.system.containment import Containment

log = structlog.get_logger(__name__)

W = TypeVar("W", bound=Wire)

WORKERS = 4  # homes that are heard at once
TOGETHER = 0.01  # seconds that a home's first word waits for its next, where no other home waits
OF_ONE_HOME = 64  # words of one home that may wait
OF_ALL = 20_000  # and of all of them
TOLD_AGAIN = timedelta(minutes=1)  # between two lines about one home that says what is not true


@dataclass(slots=True)
class _Home:
    """One home that has spoken."""

    words: deque[tuple[What, bytes]] = field(default_factory=deque)
    busy: bool = False


@dataclass(slots=True)
class _Said:
    """What came of a home's words, to be told once it is on the disk."""

    ack: bool = False
    hello: bool = False
    ended: bool = False
    outcomes: list[Outcome] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    key: str | None = None
    there: bool = True
    unread: int = 0
    over: int = 0  # events beyond the home's ration
    events: int = 0  # that were kept, and their bytes
    octets: int = 0


class Ingest:
    """One a process. `say(topic, payload)` puts an acknowledgement on the line."""

    def __init__(  # noqa: PLR0913 - what it works with, named one by one
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        say: Callable[[str, bytes], None],
        bells: Bells,
        tally: Tally,
        contained: Containment,
        rations: HomeRations,
        retention: Retention,
    ) -> None:
        self._rations, self._retention = rations, retention
        self._store, self._now, self._say, self._bells, self._tally = store, now, say, bells, tally
        self._contained = contained
        self._homes: dict[str, _Home] = {}
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._waiting = 0
        self._told: dict[tuple[str, str], datetime] = {}

    def heard(self, incoming: InboundMessage) -> None:
        """A word of a box. A stored copy is old news."""
        spoken = speaker(incoming.topic)
        if spoken is None or incoming.retain:
            return
        name, what = spoken
        home = self._homes.setdefault(name, _Home())
        if len(home.words) >= OF_ONE_HOME or self._waiting >= OF_ALL:
            self._tally.dropped.labels("full").inc()
            self._complain(name, "home_floods", todo="`perron hub-revoke`, if it goes on")
        else:
            home.words.append((what, incoming.payload))
            self._waiting += 1
        if home.words and not home.busy:
            home.busy = True
            self._ready.put_nowait(name)
        elif not home.words and not home.busy:
            del self._homes[name]

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"ingest {number}")

    async def _work(self) -> None:
        while True:
            name = await self._ready.get()
            if self._ready.empty():  # a receipt and the event of the same job come one after the other
                await asyncio.sleep(TOGETHER)
            home = self._homes[name]
            words = tuple(home.words)
            home.words.clear()
            self._waiting -= len(words)
            await self._kept(name, words)
            if home.words:
                self._ready.put_nowait(name)
            else:
                del self._homes[name]

    async def _kept(self, name: str, words: tuple[tuple[What, bytes], ...]) -> None:
        """Keep a home's words: all in one transaction, or one by one where that raises an unforeseen error.

        An event that raises one is kept without what follows from it: the home's next events need it as their
        predecessor. Any other word is dropped, and so is all that the store does not take now: the box sends again
        what it has no answer to.
        """
        try:
            with self._contained.piece("ingest", name, foreseen=(StoreSilent,)) as piece:
                await self._take(name, words)
            if piece.fault is None:
                return
            for word in words:
                with self._contained.piece("ingest", f"{name} {word[0]}", foreseen=(StoreSilent,)) as piece:
                    await self._take(name, (word,))
                if piece.fault is not None and word[0] == "evt":
                    item = f"{name} evt without effects"
                    with self._contained.piece("ingest", item, foreseen=(StoreSilent,)) as piece:
                        await self._take(name, (word,), effects=False)
                if piece.fault is not None:
                    self._tally.dropped.labels("set_aside").inc()
        except StoreSilent as error:
            self._tally.dropped.labels("store").inc(len(words))
            log.error("words_not_kept", why=str(error).splitlines()[0])
            await asyncio.sleep(1)

    async def _take(self, name: str, words: tuple[tuple[What, bytes], ...], *, effects: bool = True) -> None:
        """Keep all that a home has said since it was heard last, in one transaction."""
        said, kept = _Said(), None
        async with self._store.writing() as tx:
            row = await box_events.home_of(tx, name)
            if row is not None:
                kept = await self._keep(tx, row, words, said, effects=effects)
        if row is None or kept is None:
            if all(what == "gone" for what, _ in words):
                return  # it was revoked, and cut off
            self._tally.dropped.labels("stranger").inc(len(words))
            self._complain(name, "home_unknown", why="no home of this name, or it was revoked")
            return
        self._tally.connected.inc(said.there - row.there)
        if said.events:
            self._rations.spend(name, said.events, said.octets)
        if said.ack:
            ack = kept.ack.model_copy(update={"support": row.support_code})
            self._say(ack_topic(name), ack.model_dump_json().encode())
        self._tell(name, said)

    async def _keep(
        self, tx: AsyncConnection, row: Row[Any], words: tuple[tuple[What, bytes], ...], said: _Said, *, effects: bool
    ) -> Kept:
        now, kept = self._now(), await box_events.kept_of(tx, row.id)
        last_hello = max((at for at, (what, _) in enumerate(words) if what == "hello"), default=-1)
        for at, (what, payload) in enumerate(words):
            match what:
                case "hello" if at == last_hello:
                    hello = _read(Hello, payload)
                    if hello is None:
                        said.unread += 1
                        continue
                    said.key = await box_events.begun(tx, row, hello, now)
                    row = await box_events.home_of(tx, row.id) or row
                    said.ack = said.hello = True
                case "status":
                    receipt = _read(Receipt, payload)
                    if receipt is None:
                        said.unread += 1
                        continue
                    ended = await box_events.received(tx, row, receipt, now)
                    said.receipts += [] if ended is None else [ended]
                case "evt" if not self._rations.allows(row.id, said.events, said.octets):
                    said.over += 1  # not acknowledged: the box says it again
                case "evt":
                    outcome = await box_events.happened(tx, row, kept, payload, now, effects=effects)
                    said.outcomes.append(outcome)
                    if outcome is Outcome.KEPT:
                        said.events, said.octets = said.events + 1, said.octets + len(payload)
                        await self._retention.prune(tx, row.id, kept.seq)
                    said.ack |= outcome.acknowledged
                case "hello" | "gone":
                    pass
                case _:
                    assert_never(what)
        said.there = words[-1][0] != "gone"
        if said.there != row.there:
            await box_events.went(tx, row.id, there=said.there)
        return kept

    def _tell(self, name: str, said: _Said) -> None:
        """Ring, count, and tell whoever runs the hub what is not as it should be."""
        if said.hello or said.receipts:  # behind a job that was received another may have waited
            self._bells.jobs()
        if Outcome.KEPT in said.outcomes or "refused" in said.receipts:
            self._bells.messages()
        for outcome in said.outcomes:
            self._tally.events.labels(outcome.value).inc()
        for ended in said.receipts:
            self._tally.ended.labels(ended).inc()
        if said.unread:
            self._tally.dropped.labels("unreadable").inc(said.unread)
            self._complain(name, "words_unreadable", count=said.unread)
        if said.over:
            self._tally.dropped.labels("ration").inc(said.over)
            if self._rations.exceeds(name):
                log.error("home_over_ration", home=name, todo="limits.home_events; `perron hub-revoke`, if it goes on")
        if said.key is not None:
            log.warning("box_key_followed", home=name, key=said.key)
        untrue = sorted({str(outcome) for outcome in said.outcomes if not outcome.acknowledged})
        if untrue:
            self._complain(name, "events_refused", why=untrue)

    def _complain(self, name: str, what: str, **more: object) -> None:
        """Tell each thing once a minute for each home: nobody may fill the disk with it."""
        now, key = self._now(), (name, what)
        if len(self._told) > OF_ALL:
            self._told.clear()
        if now - self._told.get(key, now - 2 * TOLD_AGAIN) >= TOLD_AGAIN:
            self._told[key] = now
            log.error(what, home=name, **more)


def _read(model: type[W], payload: bytes) -> W | None:
    """Read a word; None: it is none."""
    try:
        loads(payload)
        return model.model_validate_json(payload)
    except ValueError:  # a ValidationError is one
        return None
