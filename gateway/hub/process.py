"""The hub, built: every part is made here, handed to the others, and run in one TaskGroup."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from gateway.ending import until_told
from gateway.hub.api import apikeys, deliveries, happenings, sight
from gateway.hub.api.homes import BrokerAt, Homes
from gateway.hub.api.operation import Bells, Operation
from gateway.hub.authority import Authority
from gateway.hub.broker import Keeper
from gateway.hub.dispatcher import Dispatcher
from gateway.hub.file import HubFile
from gateway.hub.held import Held
from gateway.hub.ingest import Ingest
from gateway.hub.line import Line
from gateway.hub.ownkey import OwnKey
from gateway.hub.site import Site
from gateway.hub.store import Store
from gateway.hub.streams import Streams
from gateway.hub.tally import Tally

OPERATIONS = (*apikeys.OPERATIONS, *deliveries.OPERATIONS, *sight.OPERATIONS, *happenings.OPERATIONS)
"""All of the API, in the order of its document."""


class Hub:
    """One hub. `wall` are seconds since 1970. `site`, `store`, `key` and `line` are there once it is `open`."""

    site: Site
    store: Store
    key: OwnKey
    held: Held
    line: Line | None

    def __init__(self, file: HubFile, *, wall: Callable[[], float] = time.time, signals: bool = True) -> None:
        self._file, self._wall, self._signals = file, wall, signals
        self.open = asyncio.Event()

    def now(self) -> datetime:
        """The hub's time. It decides no door: windows are the house's."""
        return datetime.fromtimestamp(self._wall(), UTC)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            StoreUnusable: the database cannot be used.
            KeyUnusable: its own key cannot.
            OSError: address, port, certificate or folder cannot be had.
            AuthorityUnusable: the hub's authority is not what it was.
        """
        self._file.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.store = await Store.open(self._file.database)
        try:
            self._streams = Streams(self.store, now=self.now)
            self.key = OwnKey.at(self._file.folder)
            registry = CollectorRegistry()
            tally = Tally(registry)
            self._dispatcher = Dispatcher(self.store, now=self.now, tally=tally)
            bells = Bells(jobs=self._dispatcher.ring, messages=self._streams.ring)
            self.held = Held(self.store, key=self.key, now=self.now, bells=bells)
            self._ring_homes(bells, tally)
            self.site = Site(
                self._file, (*OPERATIONS, *self._boxes()), store=self.store, now=self.now, wall=self._wall,
                registry=registry, ready=self._ready, bells=bells, key=self.key, streams=self._streams,
            )  # fmt: skip
            await self.site.open()
            try:
                async with until_told(signals=self._signals), asyncio.TaskGroup() as group:
                    for name, work in self._work().items():
                        group.create_task(work, name=name)
                    self.open.set()
            finally:
                await self.site.close()
        finally:
            await self.store.close()

    def _boxes(self) -> tuple[Operation, ...]:
        """What lets boxes in, where the hub's file says how they reach its broker."""
        self._keeper: Keeper | None = None
        boxes = self._file.boxes
        if boxes is None:
            return ()
        authority = Authority.at(self._file.folder, now=self.now())
        self._keeper = Keeper(self._file, boxes, self.store, authority, monotonic=time.monotonic)
        return Homes(authority, BrokerAt(host=boxes.host, port=boxes.port)).operations()

    def ring(self) -> None:
        """There is something for a home: kept by somebody who is no call of the API."""
        self._dispatcher.ring()

    def _ring_homes(self, bells: Bells, tally: Tally) -> None:
        """Build the line to the homes, where there is a broker at which they are."""
        self._ingest = Ingest(
            self.store, now=self.now, say=self._say, bells=bells, tally=tally,
        )  # fmt: skip
        self.line = None if self._file.broker is None else Line(
            self._file.broker, heard=self._ingest.heard, up=self._dispatcher.ring, tally=tally, monotonic=time.monotonic
        )  # fmt: skip

    def _say(self, topic: str, payload: bytes) -> None:
        if self.line is not None:
            self.line.say(topic, payload)

    def _ready(self) -> dict[str, bool]:
        return {} if self.line is None else {"broker": self.line.there}

    def _work(self) -> dict[str, Coroutine[Any, Any, None]]:
        homes = {} if self.line is None else {
            "line": self.line.run(), "dispatcher": self._dispatcher.run(self.line), "ingest": self._ingest.run(),
        }  # fmt: skip
        keeper = {} if self._keeper is None else {"broker files": self._keeper.run(self.now)}
        own = {"api": _until_cancelled(), "streams": self._streams.run(), "held": self.held.run()}
        return {**own, **keeper, **homes}


async def _until_cancelled() -> None:
    """The site serves by itself; the group waits here."""
    await asyncio.get_running_loop().create_future()
