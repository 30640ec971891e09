"""Gives keepers their codes: on a phone, which signs in once by a link of the owner, or on a card, which is shown once.

A keeper has no account and no role. The session of a phone gives access only to the keeper's own page, and ends with
its code. The box does not store the code: the phone keeps it in a cookie.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta

from gateway.config.keepers import KeeperSection
from gateway.domain.delivery.barcodes import (
    COURIER_TOKEN_BYTES,
    ParcelCode,
    courier_token_digest,
    courier_token_value,
    new_courier_token,
    normalise,
)
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now
from gateway.storage.keepers import KeeperLink, StoredKeeperCode
from gateway.storage.store import Store
from gateway.web.auth.link_access import LAST_USE_INTERVAL, LINK_LIFETIME
from gateway.web.auth.session_age import EarliestClock
from gateway.web.auth.tokens import COOKIE_BYTES, LINK_BYTES, SecretToken, find_by_token, new_id

COOKIE_LIFETIME = timedelta(days=400)  # the longest time that browsers keep a cookie; each view of the page renews it


class SignedInKeeper(Frozen):
    """A keeper whose phone is signed in. `withdrawn`: the code no longer counts, but the keeper still has the key."""

    code: str  # its id, no secret
    keeper: str
    name: str
    withdrawn: bool


class PhoneSecrets(Frozen):
    """What a phone keeps: its session, and the code that it shows."""

    session: SecretToken
    code: str


class KeeperAccess:
    """The codes of the keepers of one box. `has_key` returns whether a keeper has a key of the home now."""

    def __init__(
        self,
        store: Store,
        keepers: Mapping[str, KeeperSection],
        clock: EarliestClock,
        *,
        has_key: Callable[[str], bool],
    ) -> None:
        self._codes, self._keepers, self._clock, self._has_key = store.keepers, keepers, clock, has_key

    async def make_link(self, keeper: str, now: Now, *, by: str) -> SecretToken | None:
        """Make a link, which is shown only once; None: the keeper has too many codes. KeyError: no such keeper."""
        self._keepers[keeper]
        token = SecretToken.new(LINK_BYTES)
        link = KeeperLink(id=token.id, secret=token.digest, keeper=keeper, by=by, made=self._clock.read(now))
        return token if await self._codes.add_link(link, now, lives=LINK_LIFETIME) else None

    def link(self, token: str, now: Now) -> KeeperLink | None:
        """Return the link of a token; None: it was used, is too old, or its keeper is no longer in the house file."""
        row = find_by_token(token, self._codes.link)
        if row is None:
            return None
        is_over = self._clock.latest(now, row.made) - row.made >= LINK_LIFETIME
        return None if is_over or row.keeper not in self._keepers else row

    async def redeem(self, token: str, now: Now, *, browser: str | None) -> PhoneSecrets | None:
        """Give a phone a new code by a link; None: the link is not valid."""
        link = self.link(token, now)
        if link is None:
            return None
        session, secret = SecretToken.new(COOKIE_BYTES), secrets.token_bytes(COURIER_TOKEN_BYTES)
        code = self._new_code(session.id, link.keeper, secret, now, by=link.by)
        code = replace(code, session=session.digest, browser=browser)
        made = PhoneSecrets(session=session, code=new_courier_token(secret))
        return made if await self._codes.redeem_link(link.id, code, now) else None

    async def make_card(self, keeper: str, now: Now, *, by: str, replaces: str | None = None) -> str | None:
        """Make the code of a card, which is shown only once; None: the keeper has too many codes.

        `replaces` is the id of a code of this keeper, which is withdrawn. KeyError: no such keeper.
        """
        self._keepers[keeper]
        secret = secrets.token_bytes(COURIER_TOKEN_BYTES)
        code = self._new_code(new_id(), keeper, secret, now, by=by)
        return new_courier_token(secret) if await self._codes.add_code(code, now, replaces=replaces) else None

    def _new_code(self, ident: str, keeper: str, secret: bytes, now: Now, *, by: str) -> StoredKeeperCode:
        """Return a code as it is on a card; that of a phone has a session too."""
        digest, at = bytes.fromhex(courier_token_digest(secret)), self._clock.read(now)
        return StoredKeeperCode(
            id=ident, keeper=keeper, code=digest, session=None, browser=None, by=by, made=at, seen=at
        )

    def find(self, cookie: str | None, now: Now) -> SignedInKeeper | None:
        """Return the keeper of a cookie, and store the time of use; None: it signs nobody in.

        A withdrawn code gives access only while its keeper has the key: the page then shows when the key has to be
        back.
        """
        secret = SecretToken.parse(cookie)
        row = None if secret is None else self._codes.code(secret.id)
        if secret is None or row is None or row.session is None or not secret.matches(row.session):
            return None
        known, withdrawn = self._keepers.get(row.keeper), row.withdrawn is not None
        if known is None or (withdrawn and not self._has_key(row.keeper)):
            return None
        at = self._clock.latest(now, row.seen)
        if at - row.seen >= LAST_USE_INTERVAL:
            self._codes.touch_code(row.id, at)
        return SignedInKeeper(code=row.id, keeper=row.keeper, name=known.name, withdrawn=withdrawn)

    def own_code(self, who: SignedInKeeper, cookie: str | None) -> str | None:
        """Return the code that a phone keeps, if it belongs to its keeper and counts; else None."""
        row, kept = self._codes.code(who.code), normalise(cookie or "")
        if row is None or row.withdrawn is not None or not isinstance(kept, ParcelCode):
            return None
        return cookie if hmac.compare_digest(kept.value, courier_token_value(row.code.hex())) else None
