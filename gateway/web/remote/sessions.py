"""The household's browsers, as the line to a hub knows them: their orders taken, their questions answered."""

import asyncio
import secrets
from collections.abc import Callable

import structlog

from gateway.protocol.box_hub import Asked, Job, Receipt
from gateway.protocol.browser_envelope import LARGEST_DOWN, LARGEST_UP, Keys, seal, unseal
from gateway.storage import StoreFailed
from gateway.storage.browsers import EnrolledBrowser
from gateway.system.containment import Containment
from gateway.web.remote.actions import Deeds
from gateway.web.remote.orders import AGAIN, Orders, keys_of
from gateway.web.remote.queries import Answers
from gateway.web.server.changes import Changes
from gateway.web.server.context import Box

log = structlog.get_logger(__name__)

KEPT = 64  # browsers whose keys are remembered: agreeing on them takes a while


class Household:
    """One for the box. `home`: the house's name at the hub; `changes` tells that it has changed."""

    def __init__(
        self, box: Box, changes: Changes, *, home: str, reached: Callable[[str], None] = lambda _point: None,
        contained: Containment | None = None,
    ) -> None:  # fmt: skip
        self._browsers, self._home = box.store.browsers, home
        self._orders = Orders(
            store=box.store, clock=box.clock, home=home, deeds=Deeds(box), reached=reached, contained=contained
        )
        self._answers = Answers(box, changes)
        self._keys: dict[bytes, Keys] = {}

    async def run(self) -> None:
        """Do what was ordered, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._orders.run(), name="orders")
            group.create_task(self._end(), name="orders: browsers that end")

    async def _end(self) -> None:
        """Where all browsers are to end, have it on the disk; none of them counts meanwhile."""
        told = False
        while self._browsers.ending:
            try:
                await self._browsers.ended()
            except StoreFailed as failure:
                if not told:
                    log.error("browsers_not_ended", why=str(failure), todo="make room: until then none is enrolled")
                told = True
                await asyncio.sleep(AGAIN)

    async def take(self, job: Job) -> Receipt:
        """Take an order in.

        Raises:
            StoreFailed: the disk did not take it.
        """
        return await self._orders.take(job)

    async def ask(self, asked: Asked) -> str | None:
        """Answer a question, sealed for who asked; None: it is no question of one of the household's browsers."""
        one = self._browsers.browser(asked.browser)
        if one is None or one.home != self._home:
            return None
        keys = self._of(one)
        opened = unseal(keys.up, one.id, asked.sealed.encode(), largest=LARGEST_UP)
        answer = None if opened is None or opened.raw else await self._answers.answer(one, opened.text)
        if answer is None:
            return None
        text, raw = answer
        if len(text) + len(raw) >= LARGEST_DOWN:
            text, raw = self._answers.refusal(opened.text if opened is not None else b"", "too_much"), b""
        return seal(keys.down, one.id, text, raw, random=secrets.token_bytes)

    def _of(self, one: EnrolledBrowser) -> Keys:
        """Agree on the keys once; a browser that was enrolled anew has others."""
        found = self._keys.get(one.own)
        if found is None or found.browser != one.id:
            if len(self._keys) >= KEPT:
                self._keys.clear()
            found = self._keys[one.own] = keys_of(one)
        return found
