"""Takes the orders of the household's browsers that come by the hub: each looked at, kept, said to be kept, then done.

The hub may hold an order back, send it twice, later, in another order, or any number of times: an order's number counts
once, and none below the newest counts any more. What lets somebody in counts only while the box knows the time; what
takes access away counts also where it does not, and a stop also where nothing can be stored.
"""

import asyncio
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Callable
from typing import Final

import structlog

from gateway.protocol import browser_token
from gateway.protocol.box_hub import Job, Receipt
from gateway.protocol.browser_envelope import LARGEST_UP, Jwk, Keys, Sealed, keys, private_key, unseal
from gateway.protocol.browser_messages import Order, Stop
from gateway.protocol.browser_token import Untrue
from gateway.protocol.strict_json import loads
from gateway.storage import Store, StoreFailed
from gateway.storage.browsers import EnrolledBrowser, KeptOrder
from gateway.system.clock import Clock
from gateway.system.containment import Containment
from gateway.web.remote.actions import Deeds, Stopping, allowed, stopped

log = structlog.get_logger(__name__)

OVERTAKEN: Final = "overtaken"
CLOCK_UNTRUSTED: Final = "clock_untrusted"
NOT_ALLOWED: Final = "not_allowed"
FAILED: Final = "failed"
TOLD_AGAIN = 60.0  # seconds between two lines about orders that are refused
AGAIN = 5.0  # seconds until a disk that took nothing is tried again


def browser_of(token: bytes) -> str | None:
    """For which browser's keys an envelope says that it is sealed; None: it is no envelope."""
    head = token.partition(b".")[0]
    try:
        said = loads(urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except (Error, ValueError):
        return None
    kid = said.get("kid") if isinstance(said, dict) else None
    return kid if isinstance(kid, str) else None


def keys_of(one: EnrolledBrowser) -> Keys:
    """The keys between the box and a browser."""
    return keys(private_key(one.own), Jwk.model_validate_json(one.agree), home=one.home, browser=one.id)


class Orders:
    """One for the box. `home`: its name at the hub. `reached` as of the gateway's."""

    def __init__(  # noqa: PLR0913 - what it works with, named one by one
        self, *, store: Store, clock: Clock, home: str, deeds: Deeds, reached: Callable[[str], None] = lambda _: None,
        contained: Containment | None = None,
    ) -> None:  # fmt: skip
        self._contained = contained or Containment()
        self._browsers, self._clock, self._home, self._deeds = store.browsers, clock, home, deeds
        self._reached = reached
        self._complained = float("-inf")
        self._stops: asyncio.Queue[tuple[KeptOrder, Stopping]] = asyncio.Queue()
        self._others: asyncio.Queue[KeptOrder] = asyncio.Queue()
        self._queued: set[tuple[str, int]] = set()  # orders that are not noted as done yet
        self._done: asyncio.Queue[tuple[KeptOrder, str | None]] = asyncio.Queue()

    async def run(self) -> None:
        """Do what is kept until cancelled, first what a process that was killed did not. No stop waits for the rest."""
        for order in self._browsers.to_do():
            self._queue(order)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stop(), name="orders: stop")
            group.create_task(self._work(), name="orders")
            group.create_task(self._note(), name="orders: done")

    async def _work(self) -> None:
        while True:
            order = await self._others.get()
            with self._contained.piece("orders", _name(order)) as piece:
                await self._do(order)
            if piece.fault is not None:
                self._ended(order, FAILED)  # noted, so that no start does it again

    async def _stop(self) -> None:
        """See what became of stops: they hold already."""
        while True:
            order, stopping = await self._stops.get()
            why: str | None = FAILED
            with self._contained.piece("orders", _name(order)):
                why = await stopped(stopping)
            self._ended(order, why)

    async def _note(self) -> None:
        """Note what was done, once the disk takes it: until then it would be done again after a restart."""
        while True:
            order, why = await self._done.get()
            with self._contained.piece("orders", _name(order)):
                await self._noted(order, why)

    async def _noted(self, order: KeptOrder, why: str | None) -> None:
        while True:
            try:
                await self._browsers.became(order, why, self._clock.now())
                self._queued.discard((order.browser, order.number))
            except StoreFailed as failure:
                log.warning("order_not_noted", why=str(failure))
                await asyncio.sleep(AGAIN)
            else:
                return

    async def take(self, job: Job) -> Receipt:
        """Take an order in; what is said to be received is on the disk.

        Raises:
            StoreFailed: the disk did not take it. A stop holds all the same.
        """
        why = await self._taken(job.token.encode())
        if why is not None:
            self._complain(str(why))
            return Receipt(job=job.job, state="refused", why=str(why))
        return Receipt(job=job.job, state="received")

    def _complain(self, why: str) -> None:
        """Tell it once a minute: no hub may fill the disk with it."""
        mono = self._clock.now().mono
        if mono - self._complained >= TOLD_AGAIN:
            self._complained = mono
            log.warning("order_refused", why=why)

    async def _taken(self, token: bytes) -> str | None:
        found = self._opened(token)
        if not isinstance(found, tuple):
            return found
        one, sealed, said = found
        before = self._browsers.order(one.id, said.number)
        if before is not None and before.signed == sealed.text:
            return None  # its receipt was lost
        why = self._objection(one, said)
        if why is not None:
            return why
        # A stop counts from this instant, as one that is pressed at home does: before it is stored, and if it never is.
        stopping = self._deeds.stop(said.order, one.person.id) if isinstance(said.order, Stop) else None
        kept = await self._browsers.keep(one.id, said.number, sealed.text, self._clock.now())
        if kept is None:
            return OVERTAKEN
        self._reached("order-kept")
        if stopping is not None:
            self._stops.put_nowait((kept, stopping))
        else:
            self._queue(kept)
        return None

    def _queue(self, order: KeptOrder) -> None:
        """Have an order done once, also where it was kept in the very moment in which the loop began."""
        if (order.browser, order.number) not in self._queued:
            self._queued.add((order.browser, order.number))
            self._others.put_nowait(order)

    def _opened(self, token: bytes) -> tuple[EnrolledBrowser, Sealed, Order] | str:
        """Open and believe an order, or say why not."""
        name = browser_of(token)
        one = None if name is None else self._browsers.browser(name)
        if one is None or one.home != self._home:
            return Untrue.UNKNOWN_BROWSER
        sealed = unseal(keys_of(one).up, one.id, token, largest=LARGEST_UP)
        if sealed is None or sealed.raw:
            return Untrue.MALFORMED
        said = browser_token.order(sealed.text, Jwk.model_validate_json(one.sign), browser=one.id, home=self._home)
        return said if isinstance(said, Untrue) else (one, sealed, said)

    def _objection(self, one: EnrolledBrowser, said: Order) -> str | None:
        """Why an order that is believed does not count now; None: it does."""
        now = self._clock.now()
        if said.number <= one.number:
            return OVERTAKEN
        if not allowed(one.person.role, said.order.do):
            return NOT_ALLOWED
        if now.trusted:
            return browser_token.in_time(said, now.utc.timestamp())
        return CLOCK_UNTRUSTED if said.order.gives else None

    async def _do(self, order: KeptOrder) -> None:
        """Do what is kept, with the rights that its person has now."""
        one = self._browsers.browser(order.browser)
        if one is None:
            return  # the browser has ended meanwhile, and its orders with it
        said = self._read(one, order)
        if isinstance(said, Untrue):  # kept by an earlier release that read it otherwise
            self._ended(order, said)
            return
        why: str | None = NOT_ALLOWED
        if allowed(one.person.role, said.order.do):
            why = self._too_late(said) or await self._deeds.do(said.order, one.person.id)
        self._ended(order, why)

    def _ended(self, order: KeptOrder, why: str | None) -> None:
        log.info("ordered_from_afar", browser=order.browser, number=order.number, why=why)
        self._reached("order-done")
        self._done.put_nowait((order, why))

    def _read(self, one: EnrolledBrowser, order: KeptOrder) -> Order | Untrue:
        return browser_token.order(order.signed, Jwk.model_validate_json(one.sign), browser=one.id, home=one.home)

    def _too_late(self, said: Order) -> str | None:
        """What lets somebody in is not done late by a box that was away in between; what keeps out is."""
        now = self._clock.now()
        if not said.order.gives:
            return None
        return browser_token.in_time(said, now.utc.timestamp()) if now.trusted else CLOCK_UNTRUSTED


def _name(order: KeptOrder) -> str:
    return f"{order.browser} {order.number}"
