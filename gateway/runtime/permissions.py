"""Whom the house lets in: the owner's word on brands and on their new keys, and what brands ask by a hub.

Whoever asks for a person (a page, an order from his browser far away) comes through here; the rights are the caller's
to look at. Each answers None once it is on the disk and counts, or why it was not done.
"""

from collections.abc import Awaitable, Callable

import structlog

from gateway.domain.delivery.permission import Standing, Terms
from gateway.protocol.consent_request import understood
from gateway.protocol.consent_verification import NOT_YET, read
from gateway.storage import Store, StoreFailed
from gateway.storage.consent_requests import Noted
from gateway.system.clock import Clock

log = structlog.get_logger(__name__)


class Letting:
    """One for the box. `changed(brand)`: its permission or keys changed; `tell` tells the owner what waits for him."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        changed: Callable[[str], None],
        tell: Callable[[Noted], None],
    ) -> None:
        self._store, self._clock = store, clock
        self._changed, self._tell = changed, tell

    # -- the owner; `by` is the person's id

    async def permit(
        self, brand: str, terms: Terms, by: str, *, ask: str | None = None, version: int | None = None
    ) -> str | None:
        """Let a brand in under these terms. `ask`: the digest of the question that he saw: no other is permitted.

        `version`: of the permission that he saw: nothing that was decided since is undone.
        """
        return await self._decided(brand, Standing.GRANTED, terms, by, ask=ask, version=version)

    async def refuse(self, brand: str, by: str) -> str | None:
        """Do not let a brand in."""
        return await self._decided(brand, Standing.REFUSED, None, by)

    async def revoke(self, brand: str, by: str) -> str | None:
        """Let a brand in no longer, also not with what it has announced."""
        return await self._decided(brand, Standing.REVOKED, None, by)

    async def approve_key(self, brand: str, kid: str, by: str) -> str | None:
        """Let a brand's new key count, beside those that it has."""
        return await self._done(brand, self._store.brands.approve_key(brand, kid, self._clock.now(), by=by))

    async def refuse_key(self, brand: str, kid: str, by: str) -> str | None:
        """Let a brand's new key never count."""
        return await self._done(brand, self._store.brands.refuse_key(brand, kid, self._clock.now(), by=by))

    async def forget(self, brand: str, by: str) -> str | None:
        """Forget a brand that the house file does not know and that is not let in: it may ask anew, by another key."""
        return await self._done(brand, self._store.brands.forget(brand, self._clock.now(), by=by))

    async def _decided(  # noqa: PLR0913 - what is decided, on what, and who decides
        self,
        brand: str,
        standing: Standing,
        terms: Terms | None,
        by: str,
        *,
        ask: str | None = None,
        version: int | None = None,
    ) -> str | None:
        now = self._clock.now()
        deciding = self._store.brands.decide(brand, standing, terms, now, by=by, ask=ask, version=version)
        return await self._done(brand, deciding)

    async def _done(self, brand: str, work: Awaitable[object]) -> str | None:
        try:
            await work
        except StoreFailed as failure:
            return f"not stored: {failure}"
        except LookupError as failure:
            return str(failure.args[0])
        self._changed(brand)
        return None

    # -- what brands say by a hub

    async def asked(self, token: bytes, *, home: str, hub: str) -> str | None:
        """Take in what a hub brought for a brand; None: it is on the disk, else why it never will be (or `NOT_YET`).

        `home`: this house's name at the hub, whose address is `hub`.

        Raises:
            StoreFailed: the disk did not take it.
        """
        asking, now = understood(token), self._clock.now()
        if not now.trusted:
            return NOT_YET
        recognised = None if asking is None else self._store.brands.recognised(asking.brand, now)
        heard = read(asking, home=home, hub=hub, recognised=recognised, utc=now.utc)
        if isinstance(heard, str):
            return heard
        noted = await self._store.brands.asked(heard, now)
        if heard.withdrawn:
            self._changed(heard.brand)
        if noted.message is not None:
            self._tell(noted)
        return noted.why
