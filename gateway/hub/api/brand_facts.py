"""Forwards a brand's query for its own facts in a home and its comment on them, and serves the home's signed answer."""

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Row

from gateway.domain.delivery.promise import Digest, Id
from gateway.domain.now import Now
from gateway.hub.api.brands import active_keys, signature_refused
from gateway.hub.api.delivery_models import ConnectionId
from gateway.hub.api.rows import find_owned
from gateway.hub.database.tables import connections
from gateway.hub.deliveries import brand_messages
from gateway.hub.deliveries.connections import state_of
from gateway.hub.http.operation import Model, OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.box_hub import Token
from gateway.protocol.brand_messages import (
    BrandFacts,
    CommentClaims,
    FactsClaims,
    FactsQuery,
    verify_brand_message,
    verify_facts,
)
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import RejectedMessage


class SignedBrandMessage(Model):
    """The brand's message: a compact JWS under the brand's key. The hub forwards it byte for byte.

    Its header is `{alg: Ed25519, kid, typ}` and its payload `{iss, aud, iat, nbf, exp, jti}`, for a comment also
    `comment`: `iss` is the brand, `aud` the home. It is valid for at most 31 days. `typ` is `perron-facts-query+jwt` of
    a query, and `perron-brand-comment+jwt` of a comment.
    """

    token: Token


class BrandMessageState(Model):
    """The state of a message: `waiting` until the home has answered. `code`: why the home refused it.

    Sending the same bytes again returns the current state.
    """

    message: brand_messages.MessageKind
    token_sha256: Digest
    state: Literal["waiting", "accepted", "refused"]
    code: str | None
    created: datetime
    answered: datetime | None


class StatedFacts(Model):
    """What your brand did in a home, in the statement of its box: counts and times, nothing about a person.

    `token`: the statement, a compact JWS (`typ: perron-brand-facts+jwt`) under the box's `key` (Ed25519, a JWK's `x`),
    which also signs the accounts of proofs; the other members are its content. `answers`: the `jti` of your query. The
    hub can change neither, if you verify the token. `comment`: your newest one. `at`: the time of the statement.
    """

    home: Id
    brand: Id
    at: datetime
    facts: BrandFacts
    comment: str | None
    answers: str | None
    token: str
    key: str


BRAND_FACTS = OperationGroup("Facts")
_REFUSES = {Code.NOT_CONNECTED, Code.SIGNATURE_REFUSED}


@BRAND_FACTS.add("POST", "/v1/connections/{connection}/facts", "askFacts", statuses=(202, 200), refuses=_REFUSES)
async def ask(call: RequestContext, connection: ConnectionId, body: SignedBrandMessage) -> Response[BrandMessageState]:
    """Query a home for what your brand did there. The event `connection.answered` reports the home's answer."""
    return await _send(call, connection, "facts", FactsQuery, body)


@BRAND_FACTS.add("POST", "/v1/connections/{connection}/comment", "sendComment", statuses=(202, 200), refuses=_REFUSES)
async def comment(
    call: RequestContext, connection: ConnectionId, body: SignedBrandMessage
) -> Response[BrandMessageState]:
    """Comment on what your brand did in a home. The household sees it beside the facts; a later comment replaces it."""
    return await _send(call, connection, "comment", CommentClaims, body)


@BRAND_FACTS.add("GET", "/v1/connections/{connection}/facts", "readFacts")
async def read(call: RequestContext, connection: ConnectionId) -> StatedFacts:
    """Read the facts with which a home answered the newest query."""
    row = await find_owned(call, connections, connection)
    found = None
    if state_of(row, call.now) == "granted":
        found = await brand_messages.newest_facts(call.tx, row.id)
    claims = None if found is None else verify_facts(found.facts.encode(), PublicKey.from_text(found.key))
    if found is None or not isinstance(claims, FactsClaims):
        raise ApiProblem(Code.NOT_FOUND, "The home has not answered a query for facts: send one (askFacts).")
    return StatedFacts(
        home=claims.iss, brand=claims.sub, at=datetime.fromtimestamp(claims.iat, UTC), facts=claims.facts,
        comment=claims.comment, answers=claims.answers, token=found.facts, key=found.key,
    )  # fmt: skip


async def _send(
    call: RequestContext, connection: str, kind: brand_messages.MessageKind,
    model: type[FactsQuery | CommentClaims], body: SignedBrandMessage,
) -> Response[BrandMessageState]:  # fmt: skip
    row, token = await find_owned(call, connections, connection, lock=True), body.token.encode()
    if state_of(row, call.now) != "granted" or row.home is None:
        raise ApiProblem(Code.NOT_CONNECTED, f"The connection is {state_of(row, call.now)}.")
    known = await brand_messages.find(call.tx, row.id, token)
    if known is not None:
        return Response(_state_of(known), status=200)
    now = Now(utc=call.now, trusted=True, mono=0.0)
    claims = verify_brand_message(token, await active_keys(call, row.brand), box=row.home, now=now)
    if isinstance(claims, RejectedMessage):
        raise signature_refused("token", claims.why)
    if not isinstance(claims, model):
        raise signature_refused("token", "it is a message of another type")
    if await brand_messages.is_exhausted(call, row):
        most = brand_messages.MAX_PER_WINDOW
        raise ApiProblem(
            Code.RATE_LIMITED, f"You may send one home {most} of these messages a day.",
            headers={"Retry-After": str(int(brand_messages.WINDOW.total_seconds()))},
        )  # fmt: skip
    return Response(_state_of(await brand_messages.send(call, row, kind, token)))


def _state_of(row: Row[Any]) -> BrandMessageState:
    return BrandMessageState(
        message=row.kind, token_sha256=row.sha256, state=row.state, code=row.code, created=row.created,
        answered=row.answered,
    )  # fmt: skip
