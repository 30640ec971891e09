"""Connects remote browsers to the hub's connection: takes their orders and answers their queries."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress

import structlog

from gateway.protocol.box_hub import SealedQuery
from gateway.protocol.browser_envelope import MAX_UP_BYTES, decrypt, encrypt
from gateway.storage.models import StoreFailed
from gateway.system.changes import ChangeNotifier
from gateway.system.containment import Containment
from gateway.web.remote.orders import STORE_RETRY_DELAY_S, OrderQueue, browser_keys
from gateway.web.remote.queries import QueryService
from gateway.web.server.context import GatewayServices

SHARES_CHECK_INTERVAL_S = 30.0  # seconds

log = structlog.get_logger(__name__)


class RemoteSessions:
    """The remote browsers of one box, and those of shared links.

    `home` is its name at the hub; `changes` notifies of changes of the home.
    """

    def __init__(
        self,
        services: GatewayServices,
        changes: ChangeNotifier,
        *,
        home: str,
        crash_point: Callable[[str], None] = lambda _point: None,
        containment: Containment | None = None,
    ) -> None:
        self._browsers, self._accounts, self._clock = services.store.browsers, services.store.accounts, services.clock
        self._home = home
        self._orders = OrderQueue(
            services, home=home, crash_point=crash_point, containment=containment or Containment()
        )
        self.accept_job = self._orders.accept_job
        self._queries = QueryService(services, changes)

    async def run(self) -> None:
        """Perform orders until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._orders.run(), name="orders")
            group.create_task(self._store_ended_browsers(), name="orders: browsers that end")
            group.create_task(self._end_expired_shares(), name="shares that end")

    async def _end_expired_shares(self) -> None:
        """Delete the shares whose time is over, so that the hub is told of the end of their browsers."""
        while True:
            now = self._clock.now()
            if now.trusted and self._accounts.has_expired_shares(now.utc):
                with suppress(StoreFailed):  # the box refuses their browsers all the same
                    await self._accounts.end_expired_shares(now)
            await asyncio.sleep(SHARES_CHECK_INTERVAL_S)

    async def _store_ended_browsers(self) -> None:
        """Where all browsers end, store it once the disk accepts it; none of them counts meanwhile."""
        logged = False
        while self._browsers.is_ending:
            try:
                await self._browsers.finish_ending()
            except StoreFailed as failure:
                if not logged:
                    log.error("browsers_not_ended", why=str(failure), todo="make room: until then none is enrolled")
                logged = True
                await asyncio.sleep(STORE_RETRY_DELAY_S)

    async def answer_query(self, query: SealedQuery) -> str | None:
        """Answer a query, sealed for its browser; None: it is from no enrolled browser and no shared link."""
        browser = self._browsers.browser(query.browser) or self._browsers.guest(query.browser)
        if browser is None or browser.home != self._home:
            return None
        keys = browser_keys(browser)
        opened = decrypt(keys.up, browser.id, query.sealed.encode(), largest=MAX_UP_BYTES)
        if opened is None or opened.raw:
            return None
        answer = await self._queries.answer(browser, opened.text)
        return None if answer is None else encrypt(keys.down, browser.id, *answer, random=secrets.token_bytes)
