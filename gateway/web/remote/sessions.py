"""Connects remote browsers to the hub's connection: takes their orders and answers their queries."""

import asyncio
import secrets
from collections.abc import Callable

import structlog

from gateway.protocol.box_hub import Job, JobReceipt, SealedQuery
from gateway.protocol.browser_envelope import MAX_DOWN_BYTES, MAX_UP_BYTES, EnvelopeKeys, decrypt, encrypt
from gateway.storage import StoreFailed
from gateway.storage.browsers import EnrolledBrowser
from gateway.system.containment import Containment
from gateway.web.remote.actions import OrderExecutor
from gateway.web.remote.orders import STORE_RETRY_DELAY_S, OrderQueue, browser_keys
from gateway.web.remote.queries import QueryService
from gateway.web.server.changes import ChangeNotifier
from gateway.web.server.context import GatewayServices

log = structlog.get_logger(__name__)

MAX_CACHED_KEYS = 64  # browsers whose keys are remembered: agreeing on them takes a while


class RemoteSessions:
    """One for the box. `home`: the house's name at the hub; `changes` tells that it has changed."""

    def __init__(
        self,
        box: GatewayServices,
        changes: ChangeNotifier,
        *,
        home: str,
        reached: Callable[[str], None] = lambda _point: None,
        contained: Containment | None = None,
    ) -> None:
        self._browsers, self._home = box.store.browsers, home
        self._orders = OrderQueue(
            store=box.store, clock=box.clock, home=home, deeds=OrderExecutor(box), reached=reached, contained=contained
        )
        self._queries = QueryService(box, changes)
        self._keys: dict[bytes, EnvelopeKeys] = {}

    async def run(self) -> None:
        """Do what was ordered, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._orders.run(), name="orders")
            group.create_task(self._store_ended_browsers(), name="orders: browsers that end")

    async def _store_ended_browsers(self) -> None:
        """Where all browsers are to end, have it on the disk; none of them counts meanwhile."""
        told = False
        while self._browsers.ending:
            try:
                await self._browsers.ended()
            except StoreFailed as failure:
                if not told:
                    log.error("browsers_not_ended", why=str(failure), todo="make room: until then none is enrolled")
                told = True
                await asyncio.sleep(STORE_RETRY_DELAY_S)

    async def take(self, job: Job) -> JobReceipt:
        """Take an order in.

        Raises:
            StoreFailed: the disk did not take it.
        """
        return await self._orders.take(job)

    async def ask(self, asked: SealedQuery) -> str | None:
        """Answer a question, sealed for who asked; None: it is no question of one of the household's browsers."""
        one = self._browsers.browser(asked.browser)
        if one is None or one.home != self._home:
            return None
        keys = self._keys_of(one)
        opened = decrypt(keys.up, one.id, asked.sealed.encode(), largest=MAX_UP_BYTES)
        answer = None if opened is None or opened.raw else await self._queries.answer(one, opened.text)
        if answer is None:
            return None
        text, raw = answer
        if len(text) + len(raw) >= MAX_DOWN_BYTES:
            text, raw = self._queries.refusal(opened.text if opened is not None else b"", "too_much"), b""
        return encrypt(keys.down, one.id, text, raw, random=secrets.token_bytes)

    def _keys_of(self, one: EnrolledBrowser) -> EnvelopeKeys:
        """Agree on the keys once; a browser that was enrolled anew has others."""
        found = self._keys.get(one.own)
        if found is None or found.browser != one.id:
            if len(self._keys) >= MAX_CACHED_KEYS:
                self._keys.clear()
            found = self._keys[one.own] = browser_keys(one)
        return found
