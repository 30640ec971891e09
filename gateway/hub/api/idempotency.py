"""Stores responses by Idempotency-Key for a day: a repeated request gets the same response.

Some responses contain a secret that the hub otherwise stores only as a digest (an API key, a consent page's address).
So the stored response is encrypted under the secret of the caller's API key: a copy of the database without that key
reveals nothing. Another API key is another caller, even of the same retailer.
"""

import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Response
from sqlalchemy import and_, bindparam, delete, insert, select

from gateway.domain.frozen import Frozen
from gateway.hub.database.tables import idempotency
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.operation import ApiCaller, HouseholdBrowser
from gateway.hub.http.problem import ApiProblem, Code

RETENTION_PERIOD = timedelta(hours=24)
REPLAYED_HEADER = "Idempotent-Replayed"  # of a response that was stored
_NONCE_BYTES = 12
_ERASED = "It was done, but its answer was erased together with a customer's data. Look up what it made."
_OBJECT = re.compile(r"(?:con|dlv)-[a-z2-7]{26}", re.ASCII)  # what an erasure looks for
_BATCH = "/v1/delivery_batches"  # whose answers are about many

_THIS_KEY = and_(idempotency.c.retailer == bindparam("whose"), idempotency.c.key == bindparam("named"))
_SELECT_RESPONSE = select(idempotency).where(_THIS_KEY)
_DELETE_KEY = delete(idempotency).where(_THIS_KEY)
_INSERT_RESPONSE = insert(idempotency)


class IdempotentRequest(Frozen):
    """A request that may be repeated. `authorization` is the header that authenticated it."""

    caller: ApiCaller | HouseholdBrowser
    key: str
    authorization: str
    method: str
    path: str
    body: bytes

    @property
    def owner(self) -> str:
        """The owner of the Idempotency-Key; boxes choose their browsers' ids, so the id alone is not unique."""
        if isinstance(self.caller, ApiCaller):
            return self.caller.retailer
        return sha256(f"{self.caller.home}/{self.caller.browser}".encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """The digest of what must be the same in a repeated request."""
        requester = self.caller.key if isinstance(self.caller, ApiCaller) else self.owner
        whole = (requester.encode(), self.method.encode(), self.path.encode(), self.body)
        return sha256(b"\n".join(whole)).hexdigest()

    def about(self, location: str) -> str | None:
        """The connection or delivery that the answer is about; empty: another object; None: unknown."""
        if self.path == _BATCH:
            return None
        found = _OBJECT.search(location) or _OBJECT.search(self.path)
        return "" if found is None else found[0]

    @property
    def cipher(self) -> AESGCM:
        """The cipher of the stored response; its secret has 128 random bits, so no slow key derivation is needed.

        A browser sends another token each time, and its responses contain only what its home has encrypted for it.
        """
        secret = self.authorization.rpartition(" ")[2] if isinstance(self.caller, ApiCaller) else self.owner
        return AESGCM(sha256(b"perron-kept-answer\n" + secret.encode()).digest())

    @property
    def context(self) -> bytes:
        """The authenticated data that bind a stored response to its owner and key."""
        return f"{self.owner}\n{self.key}".encode()


async def stored_response(tx: Transaction, request: IdempotentRequest, now: datetime) -> Response | None:
    """Return the stored response of this key, or None.

    A key that was used with another request is refused (`ApiProblem`), and one whose response was erased.
    """
    this = {"whose": request.owner, "named": request.key}
    row = (await tx.execute(_SELECT_RESPONSE, this)).one_or_none()
    if row is None:
        return None
    if row.created < now - RETENTION_PERIOD:
        await tx.execute(_DELETE_KEY, this)
        return None
    if row.fingerprint != request.fingerprint:
        raise ApiProblem(Code.IDEMPOTENCY_KEY_REUSED)
    if row.body is None:
        raise ApiProblem(Code.IDEMPOTENCY_KEY_REUSED, _ERASED)
    try:
        body = request.cipher.decrypt(row.body[:_NONCE_BYTES], row.body[_NONCE_BYTES:], request.context)
    except InvalidTag as error:
        raise ApiProblem(Code.IDEMPOTENCY_KEY_REUSED) from error
    return Response(body, status_code=row.status, headers={**row.headers, REPLAYED_HEADER: "true"})


async def store_response(tx: Transaction, request: IdempotentRequest, response: Response, now: datetime) -> None:
    """Store the response under its key. Of two at the same time one raises IntegrityError, and changes nothing."""
    nonce, body = secrets.token_bytes(_NONCE_BYTES), bytes(response.body)
    sealed = nonce + request.cipher.encrypt(nonce, body, request.context)
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    values = {"retailer": request.owner, "key": request.key, "fingerprint": request.fingerprint, "created": now,
              "status": response.status_code, "headers": headers, "body": sealed,
              "about": request.about(headers.get("location", ""))}  # fmt: skip
    await tx.execute_later(_INSERT_RESPONSE, values)
