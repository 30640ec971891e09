"""Who calls: by an API key (a name and a secret of 128 bits, of which the SHA-256 is kept), or by a browser's token."""

import hmac
import re
import secrets
from base64 import b32encode
from datetime import datetime
from hashlib import sha256

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.operation import Caller, Member, Right
from gateway.hub.tables import api_keys, browsers, homes
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.browser_messages import Token
from gateway.protocol.browser_token import believed, named

_BEARER = re.compile(r"[Bb]earer (key-[a-z2-7]{26})_([a-z2-7]{26})", re.ASCII)
_NOBODY = bytes(32)
_KEY = select(api_keys).where(api_keys.c.id == bindparam("key"))


def new_secret() -> str:
    """Make the secret half of a key: 128 random bits in small letters and digits."""
    return b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def kept(secret: str) -> bytes:
    """What is kept of a secret. It has 128 random bits, so nothing slow is needed."""
    return sha256(secret.encode()).digest()


async def caller_of(tx: AsyncConnection, authorization: str, now: datetime) -> Caller | None:
    """Tell whose key a request carries; None: none that counts. Compared in constant time, also where there is none."""
    found = _BEARER.fullmatch(authorization)
    if found is None:
        return None
    row = (await tx.execute(_KEY, {"key": found[1]})).one_or_none()
    right = hmac.compare_digest(kept(found[2]), _NOBODY if row is None else row.sha256)
    if row is None or not right or row.revoked is not None or (row.expires is not None and row.expires <= now):
        return None
    return Caller(retailer=row.retailer, key=row.id, right=Right(row.right), sandbox=row.sandbox)


async def member_of(tx: AsyncConnection, authorization: str, url: str, now: datetime) -> Member | None:
    """Which browser of which home signed this header's token for this hub; None: none that counts."""
    scheme, _, written = authorization.partition(" ")
    token = written.encode(errors="replace")
    said = named(token) if scheme.lower() == "bearer" else None
    if said is None:
        return None
    mine = (browsers.c.home == said.sub, browsers.c.id == said.iss, homes.c.revoked.is_(None))
    row = (await tx.execute(select(browsers.c.sign).join(homes, homes.c.id == browsers.c.home).where(*mine))).first()
    if row is None or row.sign is None:
        return None
    found = believed(token, Jwk.model_validate(row.sign), audience=url, seconds=now.timestamp())
    return Member(home=said.sub, browser=said.iss) if isinstance(found, Token) else None


async def farewell_to(tx: AsyncConnection, authorization: str) -> str | None:
    """What the home of a browser that has ended has to say to it, and nobody else can open; None: nothing.

    Its key is forgotten, so this goes to whoever knows its random name.
    """
    said = named(authorization.partition(" ")[2].encode(errors="replace"))
    if said is None:
        return None
    query = select(browsers.c.farewell).where(browsers.c.home == said.sub, browsers.c.id == said.iss)
    return (await tx.execute(query)).scalar_one_or_none()
