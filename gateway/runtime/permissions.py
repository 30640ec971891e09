"""Applies the owner's decisions on brands and their keys, and stores the requests of brands that come by a hub.

Pages and orders from a browser away from home use this service; the caller checks the person's rights. Each method
returns None once the decision is stored and in force, or the reason why it failed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from gateway.domain.delivery.permission import PermissionStatus, PermissionTerms
from gateway.protocol.consent_request import parse_consent
from gateway.protocol.consent_verification import REASON_NOT_YET_VALID, verify_consent
from gateway.storage.consent_requests import ConsentIntakeResult
from gateway.storage.models import StoreFailed
from gateway.storage.store import Store
from gateway.system.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class PermissionService:
    """The permission service of the box. `by` is always a person's id."""

    store: Store
    clock: Clock
    on_change: Callable[[str], None]  # gets a brand whose permission or keys changed
    notify_owner: Callable[[ConsentIntakeResult], None]  # gets a request that waits for a decision

    async def decide(  # noqa: PLR0913 - what the person saw and decided
        self,
        brand: str,
        standing: PermissionStatus,
        by: str,
        *,
        terms: PermissionTerms | None = None,
        ask: str | None = None,  # the digest of the request that the person saw; no other is granted
        version: int | None = None,  # of the permission that the person saw: later decisions are not undone
    ) -> str | None:
        """Grant a brand these terms, refuse it, or revoke its permission, also for deliveries that it has announced."""
        brands, now = self.store.brands, self.clock.now()
        decision = brands.decide(brand, standing, now, terms=terms, by=by, ask=ask, version=version)
        return await self._store_change(brand, decision)

    async def decide_key(self, brand: str, kid: str, standing: Literal["approved", "refused"], by: str) -> str | None:
        """Accept a brand's new key beside its other keys, or refuse it for good."""
        decision = self.store.brands.decide_key(brand, kid, standing, self.clock.now(), by=by)
        return await self._store_change(brand, decision)

    async def forget(self, brand: str, by: str) -> str | None:
        """Forget a brand that is neither in the house file nor granted: it may ask again, with another key."""
        return await self._store_change(brand, self.store.brands.forget(brand, self.clock.now(), by=by))

    async def _store_change(self, brand: str, change: Awaitable[object]) -> str | None:
        try:
            await change
        except StoreFailed as failure:
            return f"not stored: {failure}"
        except LookupError as failure:
            return str(failure.args[0])
        self.on_change(brand)
        return None

    async def accept_message(self, token: bytes, *, home: str, hub: str) -> str | None:
        """Store a brand's message from a hub; return None once it is stored. StoreFailed: the disk did not store it.

        Otherwise return why it never will be stored, or `REASON_NOT_YET_VALID`. `home`: this house's name at the hub,
        whose address is `hub`.
        """
        request, now = parse_consent(token), self.clock.now()
        if not now.trusted:
            return REASON_NOT_YET_VALID
        recognised = None if request is None else self.store.brands.recognised_keys(request.brand, now)
        verified = verify_consent(request, home=home, hub=hub, known_keys=recognised, utc=now.utc)
        if isinstance(verified, str):
            return verified
        result = await self.store.brands.store_message(verified, now)
        if verified.withdrawn:
            self.on_change(verified.brand)
        if result.message is not None:
            self.notify_owner(result)
        return result.why
