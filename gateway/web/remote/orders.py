"""Receives the orders of remote browsers: verifies, stores, acknowledges and then performs each.

The hub may delay, repeat or reorder orders: an order's number counts once, and none below the newest counts. An order
that lets somebody in counts only while the box has a trusted clock; one that takes access away always counts, and a
stop counts even where nothing can be stored.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import structlog

from gateway.protocol import browser_envelope as envelope
from gateway.protocol import browser_token
from gateway.protocol.box_hub import Job, JobReceipt
from gateway.protocol.browser_messages import Order, StopOrder
from gateway.protocol.browser_token import TokenRejection
from gateway.protocol.jws import kid_of
from gateway.storage.browsers import EnrolledBrowser, StoredOrder
from gateway.storage.models import StoreFailed
from gateway.storage.shares import GuestBrowser
from gateway.system.containment import Containment
from gateway.web.remote.actions import OrderExecutor, StopResults, is_allowed, wait_stopped
from gateway.web.server.context import GatewayServices

log = structlog.get_logger(__name__)

OVERTAKEN: Final = "overtaken"
CLOCK_UNTRUSTED: Final = "clock_untrusted"
NOT_ALLOWED: Final = "not_allowed"
FAILED: Final = "failed"
REFUSAL_LOG_INTERVAL_S = 60.0  # seconds between two log lines about refused orders
STORE_RETRY_DELAY_S = 5.0  # seconds until the next attempt on a full disk


@lru_cache(maxsize=64)
def browser_keys(browser: EnrolledBrowser | GuestBrowser) -> envelope.EnvelopeKeys:
    """Derive the keys between the box and a browser. Cached, since it takes time."""
    if isinstance(browser, GuestBrowser):
        return envelope.keys_from_secret(browser.secret, home=browser.home, browser=browser.id)
    own, agree = envelope.load_private_key(browser.own), envelope.Jwk.model_validate_json(browser.agree)
    return envelope.derive_keys(own, agree, home=browser.home, browser=browser.id)


class OrderQueue:
    """The orders of all remote browsers.

    `home` is the home's name at the hub; `crash_point` is called with the name of each point at which the process may
    end.
    """

    def __init__(
        self, services: GatewayServices, *, home: str, crash_point: Callable[[str], None], containment: Containment
    ) -> None:
        self._browsers, self._clock, self._home = services.store.browsers, services.clock, home
        self._executor, self._crash_point, self._containment = OrderExecutor(services), crash_point, containment
        self._refusal_logged_mono = float("-inf")
        self._stop_orders: asyncio.Queue[tuple[StoredOrder, StopResults | None]] = asyncio.Queue()
        self._other_orders: asyncio.Queue[tuple[StoredOrder, StopResults | None]] = asyncio.Queue()
        self._queued_orders: set[tuple[str, int]] = set()  # orders whose end is not stored yet
        self._finished_orders: asyncio.Queue[tuple[StoredOrder, str | None]] = asyncio.Queue()

    async def run(self) -> None:
        """Perform the stored orders until cancelled, first those of a killed process. Stops do not wait for others."""
        for order in self._browsers.unfinished_orders():
            self._enqueue(order)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._perform(self._stop_orders), name="orders: stop")
            group.create_task(self._perform(self._other_orders), name="orders")
            group.create_task(self._store_finished(), name="orders: done")

    async def _perform(self, orders: asyncio.Queue[tuple[StoredOrder, StopResults | None]]) -> None:
        """Perform one order after the other; of a stop, which is active already, await the results."""
        while True:
            order, stopping = await orders.get()
            reason: str | None = FAILED  # stored too, so that no restart repeats the order
            with self._containment.piece("orders", _order_name(order)):
                reason = await (self._execute(order) if stopping is None else wait_stopped(stopping))
            log.info("ordered_from_afar", browser=order.browser, number=order.number, why=reason)
            self._crash_point("order-done")
            self._finished_orders.put_nowait((order, reason))

    async def _store_finished(self) -> None:
        """Store what was done once the disk accepts it; until then a restart would do it again."""
        while True:
            order, reason = await self._finished_orders.get()
            with self._containment.piece("orders", _order_name(order)):
                try:
                    await self._browsers.finish_order(order, reason, self._clock.now())
                    self._queued_orders.discard((order.browser, order.number))
                except StoreFailed as failure:
                    log.warning("order_not_noted", why=str(failure))
                    self._finished_orders.put_nowait((order, reason))
                    await asyncio.sleep(STORE_RETRY_DELAY_S)

    async def accept_job(self, job: Job) -> JobReceipt:
        """Accept an order; a receipt "received" means that the order is on the disk.

        Raises:
            StoreFailed: the disk did not take it. A stop is active all the same.
        """
        reason = await self._accept_token(job.token.encode())
        if reason is not None:
            self._log_refusal(str(reason))
            return JobReceipt(job=job.job, state="refused", why=str(reason))
        return JobReceipt(job=job.job, state="received")

    def _log_refusal(self, reason: str) -> None:
        """Log a refusal at most once a minute, so that no hub can fill the disk."""
        mono = self._clock.now().mono
        if mono - self._refusal_logged_mono >= REFUSAL_LOG_INTERVAL_S:
            self._refusal_logged_mono = mono
            log.warning("order_refused", why=reason)

    async def _accept_token(self, token: bytes) -> str | None:
        opened = self._open_order(token)
        if not isinstance(opened, tuple):
            return opened
        browser, content, order = opened
        before = self._browsers.order(browser.id, order.number)
        if before is not None and before.signed == content.text:
            return None  # a repetition: its receipt was lost
        reason = self._objection_to(browser, order)
        if reason is not None:
            return reason
        # A stop is active from this instant, like one that is pressed at home, even if it is never stored.
        stopping = self._executor.stop(order.order, browser.person.id) if isinstance(order.order, StopOrder) else None
        stored = await self._browsers.add_order(browser.id, order.number, content.text, self._clock.now())
        if stored is None:
            return OVERTAKEN
        self._crash_point("order-kept")
        if stopping is not None:
            self._stop_orders.put_nowait((stored, stopping))
        else:
            self._enqueue(stored)
        return None

    def _enqueue(self, order: StoredOrder) -> None:
        """Queue an order once, also one that was stored while the loop began."""
        if (order.browser, order.number) not in self._queued_orders:
            self._queued_orders.add((order.browser, order.number))
            self._other_orders.put_nowait((order, None))

    def _open_order(self, token: bytes) -> tuple[EnrolledBrowser, envelope.EnvelopeContent, Order] | str:
        id_ = kid_of(token)
        browser = None if id_ is None else self._browsers.browser(id_)
        if browser is None or browser.home != self._home:
            return TokenRejection.UNKNOWN_BROWSER
        content = envelope.decrypt(browser_keys(browser).up, browser.id, token, largest=envelope.MAX_UP_BYTES)
        if content is None or content.raw:
            return TokenRejection.MALFORMED
        order = _verify_order(browser, content.text)
        return order if isinstance(order, TokenRejection) else (browser, content, order)

    def _objection_to(self, browser: EnrolledBrowser, order: Order) -> str | None:
        if order.number <= browser.number:
            return OVERTAKEN
        if not is_allowed(browser.person.role, order.order.do):
            return NOT_ALLOWED
        return self._time_error(order)

    def _time_error(self, order: Order) -> str | None:
        """Return why an order comes too early or too late, or that the clock cannot tell; None: it counts."""
        now = self._clock.now()
        if now.trusted:
            return browser_token.validity_error(order, now.utc.timestamp())
        return CLOCK_UNTRUSTED if order.gives else None

    async def _execute(self, order: StoredOrder) -> str | None:
        """Perform a stored order, with the rights that its person has now; None, or why it was not done."""
        browser = self._browsers.browser(order.browser)
        if browser is None:  # it has ended, and its orders with it
            return TokenRejection.UNKNOWN_BROWSER
        verified = _verify_order(browser, order.signed)
        if isinstance(verified, TokenRejection):  # an earlier release accepted and stored it
            return verified
        if not is_allowed(browser.person.role, verified.order.do):
            return NOT_ALLOWED
        late = self._time_error(verified) if verified.gives else None  # others count however late they are
        return late or await self._executor.execute(verified.order, browser.person.id)


def _verify_order(browser: EnrolledBrowser, signed: bytes) -> Order | TokenRejection:
    key = envelope.Jwk.model_validate_json(browser.sign)
    return browser_token.verify_order(signed, key, browser=browser.id, home=browser.home)


def _order_name(order: StoredOrder) -> str:
    return f"{order.browser} {order.number}"
