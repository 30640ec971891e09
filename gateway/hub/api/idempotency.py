"""Answers kept by their Idempotency-Key: the same request again gets the same answer, for a day.

Some answers tell a secret that the hub itself keeps as a digest only (an API key, a consent page's address). So what is
kept of an answer is encrypted under the secret of the API key that it was for: whoever has a copy of the database, and
no key, reads none. Another API key is another asker, also of the same retailer.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import assert_never

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import and_, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.operation import Caller, Member
from gateway.hub.problem import Code, Problem
from gateway.hub.tables import idempotency

KEPT = timedelta(hours=24)
_SWEPT = 20  # old ones that go with each new one
_NONCE = 12  # bytes

_THIS = and_(idempotency.c.retailer == bindparam("whose"), idempotency.c.key == bindparam("named"))
_KEPT = select(idempotency).where(_THIS)
_GONE = delete(idempotency).where(_THIS)
_TAKEN = insert(idempotency)
_ANSWERED = update(idempotency).where(_THIS)
_OLD = (
    select(idempotency.c.retailer, idempotency.c.key)
    .where(idempotency.c.created < bindparam("before"))
    .limit(_SWEPT)
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request that may come again. `authorization`: the header by which it was let in."""

    caller: Caller | Member
    key: str
    authorization: str
    method: str
    path: str
    body: bytes

    @property
    def whose(self) -> str:
        """Whose the Idempotency-Key is. Boxes name their browsers themselves, so that name alone is not enough."""
        match self.caller:
            case Caller():
                return self.caller.retailer
            case Member():
                return sha256(f"{self.caller.home}/{self.caller.browser}".encode()).hexdigest()
            case _:
                assert_never(self.caller)

    @property
    def fingerprint(self) -> str:
        """What has to be the same."""
        asker = self.caller.key if isinstance(self.caller, Caller) else self.whose
        whole = (asker.encode(), self.method.encode(), self.path.encode(), self.body)
        return sha256(b"\n".join(whole)).hexdigest()

    @property
    def cipher(self) -> AESGCM:
        """Made of the API key's 128 random bits, so nothing slow is needed.

        A browser shows another token each time, and is told nothing that its home has not encrypted for it.
        """
        secret = self.authorization.rpartition(" ")[2] if isinstance(self.caller, Caller) else self.whose
        return AESGCM(sha256(b"perron-kept-answer\n" + secret.encode()).digest())

    @property
    def context(self) -> bytes:
        """To what a kept answer belongs."""
        return f"{self.whose}\n{self.key}".encode()


async def before(tx: AsyncConnection, asked: Question, now: datetime) -> web.Response | None:
    """Give the answer that this key had; else take the key, which a second request then waits for.

    Raises:
        Problem: the key came before with another request.
    """
    this = {"whose": asked.whose, "named": asked.key}
    row = (await tx.execute(_KEPT, this)).one_or_none()
    if row is not None and row.created < now - KEPT:
        await tx.execute(_GONE, this)
        row = None
    if row is None:
        await _sweep(tx, now)
        taken = {"retailer": asked.whose, "key": asked.key, "fingerprint": asked.fingerprint, "created": now}
        await tx.execute(_TAKEN, taken)
        return None
    if row.fingerprint != asked.fingerprint:
        raise Problem(Code.IDEMPOTENCY_KEY_REUSED)
    try:
        body = asked.cipher.decrypt(row.body[:_NONCE], row.body[_NONCE:], asked.context)
    except InvalidTag as error:
        raise Problem(Code.IDEMPOTENCY_KEY_REUSED) from error
    return web.Response(body=body, status=row.status, headers={**row.headers, "Idempotent-Replayed": "true"})


async def keep(tx: AsyncConnection, asked: Question, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Keep what is answered."""
    nonce = secrets.token_bytes(_NONCE)
    kept = nonce + asked.cipher.encrypt(nonce, body, asked.context)
    this = {"whose": asked.whose, "named": asked.key}
    await tx.execute(_ANSWERED, {**this, "status": status, "headers": dict(headers), "body": kept})


async def _sweep(tx: AsyncConnection, now: datetime) -> None:
    for retailer, key in (await tx.execute(_OLD, {"before": now - KEPT})).all():
        await tx.execute(_GONE, {"whose": retailer, "named": key})
