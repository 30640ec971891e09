"""Authenticates a caller by an API key (128-bit secret, stored as SHA-256) or by a browser's token."""

import asyncio
import hmac
import re
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import bindparam, select

from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import api_keys, browsers, homes, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.operation import ApiAccess, ApiCaller, HouseholdBrowser, RetailerLimits
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.browser_messages import BrowserTokenClaims
from gateway.protocol.browser_token import read_unverified, verify_token

REMEMBER_PERIOD = timedelta(seconds=1)  # after which a key that another process has revoked is refused
MAX_REMEMBERED = 10_000  # API keys
LIST_PERIOD = timedelta(seconds=10)  # in which many guesses cost the database one query

_BEARER = re.compile(r"[Bb]earer (key-[a-z2-7]{26})_([a-z2-7]{26})", re.ASCII)
_SELECT_KEY = (
    select(api_keys, retailers.c.suspended, retailers.c.writes, retailers.c.reads, retailers.c.writes_a_day)
    .join(retailers, retailers.c.id == api_keys.c.retailer)
    .where(api_keys.c.id == bindparam("key"))
)
_SELECT_LIST = select(api_keys.c.id, api_keys.c.sha256).where(api_keys.c.revoked.is_(None))


def secret_digest(secret: str) -> bytes:
    """Return the stored digest of a secret; it has 128 random bits, so no slow hash is needed."""
    return sha256(secret.encode(errors="replace")).digest()


async def authenticate_caller(tx: Transaction, authorization: str, now: datetime) -> ApiCaller | None:
    """Return the caller of a valid API key, or None; it compares in constant time, also for an unknown key.

    Raises:
        ApiProblem: the key is valid, and the operator has suspended its retailer.
    """
    bearer = _BEARER.fullmatch(authorization)
    if bearer is None:
        return None
    row = (await tx.execute(_SELECT_KEY, {"key": bearer[1]})).one_or_none()
    is_same = hmac.compare_digest(secret_digest(bearer[2]), bytes(32) if row is None else row.sha256)
    if row is None or not is_same or row.revoked is not None or (row.expires is not None and row.expires <= now):
        return None
    if row.suspended is not None:
        raise ApiProblem(Code.RETAILER_SUSPENDED)
    limits = RetailerLimits(writes=row.writes, reads=row.reads, writes_a_day=row.writes_a_day)
    return ApiCaller(
        retailer=row.retailer, key=row.id, right=ApiAccess(row.right), sandbox=row.sandbox, limits=limits,
        carrier=row.carrier,
    )  # fmt: skip


class RememberedCallers:
    """Remembers for a moment to whom a valid API key belongs. It forgets at once a key that this process revokes.

    It also lists the keys that are not revoked (`lists`), for addresses that have sent too many requests.
    """

    def __init__(self, store: HubStore) -> None:
        self._store = store
        self._known: dict[bytes, tuple[ApiCaller, datetime]] = {}  # by digest, and since when
        self._forgotten = 0  # times
        self._list: dict[str, bytes] = {}  # the digest of the secret by the key's id
        self._listed: datetime | None = None  # when the list was read; None: it is out of date
        self._list_lock = asyncio.Lock()
        store.after_change(api_keys, self._forget)

    async def find(self, authorization: str, now: datetime) -> ApiCaller | None:
        """Return the caller of a valid API key, or None; it raises what `authenticate_caller` raises."""
        digest = secret_digest(authorization)
        known = self._known.get(digest)
        if known is not None and timedelta() <= now - known[1] < REMEMBER_PERIOD:
            return known[0]
        before = self._forgotten
        async with self._store.reading() as tx:
            caller = await authenticate_caller(tx, authorization, now)
        if caller is not None and before == self._forgotten:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[digest] = (caller, now)
        return caller

    async def lists(self, authorization: str, now: datetime) -> bool:
        """Return whether this is a key of the list, which is at most `LIST_PERIOD` old.

        A guess costs no query, so a flood of guesses neither loads the database nor blocks valid keys. A listed key may
        be expired or just revoked: only `find` says whose key it is.
        """
        bearer = _BEARER.fullmatch(authorization)
        if bearer is None:
            return False
        async with self._list_lock:
            if self._listed is None or not timedelta() <= now - self._listed < LIST_PERIOD:
                self._listed = now  # before the query: a key that is made meanwhile makes it None again
                async with self._store.reading() as tx:
                    self._list = {row.id: row.sha256 for row in (await tx.execute(_SELECT_LIST)).all()}
        return hmac.compare_digest(secret_digest(bearer[2]), self._list.get(bearer[1], bytes(32)))

    def _forget(self) -> None:
        self._forgotten += 1
        self._known.clear()
        self._listed = None


async def authenticate_browser(tx: Transaction, authorization: str, url: str, now: datetime) -> HouseholdBrowser | None:
    """Return the browser that signed this header's token for this hub, or None."""
    scheme, _, text = authorization.partition(" ")
    token = text.encode(errors="replace")
    claims = read_unverified(token) if scheme.lower() == "bearer" else None
    if claims is None:
        return None
    mine = (browsers.c.home == claims.sub, browsers.c.id == claims.iss, homes.c.revoked.is_(None))
    row = (await tx.execute(select(browsers.c.sign).join(homes, homes.c.id == browsers.c.home).where(*mine))).first()
    if row is None or row.sign is None:
        return None
    verified = verify_token(token, Jwk.model_validate(row.sign), audience=url, seconds=now.timestamp())
    return HouseholdBrowser(home=claims.sub, browser=claims.iss) if isinstance(verified, BrowserTokenClaims) else None


async def unenrolment_notice(tx: Transaction, authorization: str) -> str | None:
    """Return the last message of the home to a browser that ended, which only the browser can decrypt, or None.

    The browser's key is deleted, so any client that knows the browser's random id gets the message.
    """
    claims = read_unverified(authorization.partition(" ")[2].encode(errors="replace"))
    if claims is None:
        return None
    notice = select(browsers.c.farewell).where(browsers.c.home == claims.sub, browsers.c.id == claims.iss)
    return (await tx.execute(notice)).scalar_one_or_none()
