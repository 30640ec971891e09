"""Manages connections: a retailer requests permission from a home, and the home grants or denies it.

Asked once, within bounds; silence is no. Whose home it is says whoever opens the consent page, by the home's support
code; yes or no says the home, never the hub.
"""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import StringConstraints
from sqlalchemy import ColumnElement, Row, and_, insert, select

from gateway.domain.delivery.promise import Id
from gateway.hub.api import brands
from gateway.hub.api.pagination import PageParameters, decode_cursor, encode_cursor, rows_after
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import connections
from gateway.hub.deliveries import connections as kept
from gateway.hub.deliveries.connections import ANSWER_PERIOD, GivenTerms
from gateway.hub.http.authentication import new_secret
from gateway.hub.http.authentication import secret_digest as digest_of
from gateway.hub.http.operation import (
    ApiAccess,
    ApiOperation,
    ApiParameters,
    Model,
    OperationLink,
    RequestContext,
    Response,
)
from gateway.hub.http.problem import ApiProblem, Code, Detail
from gateway.protocol.brand_statement import (
    MAX_CLOCK_SKEW_S,
    MAX_REQUEST_LIFETIME_S,
    ConsentStatement,
    EndStatement,
    verify_brand_statement,
)
from gateway.protocol.consent_request import COMPACT_RULE, AskedTerms, CompactJws, Label, ShortJws, is_compact

State = Literal["pending", "granted", "refused", "revoked", "expired", "ended"]
ConnectionId = Annotated[str, StringConstraints(pattern=r"^con-[a-z2-7]{26}$")]
ReturnUrl = Annotated[
    str,
    StringConstraints(
        max_length=400, pattern=r"^https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
    ),
]


class ConnectionPath(ApiParameters):
    """Which connection."""

    connection: ConnectionId


class ConnectionFilter(PageParameters):
    """Those in one state only."""

    state: State | None = None


class NewConnection(Model):
    """A request to a home. `reference`: your name for the customer. `return_url`: where the page leads back.

    `signed`: the request under the brand's key, for homes that do not know the brand yet: a compact JWS with header
    `{alg: Ed25519, kid, typ: perron-ask+jwt}` and payload `{iss, hub, iat, exp, jti, name, asked}`. `iss` is the
    brand, `hub` the hub's address, `name` the brand's name at this hub, `asked` the same as in this object. Header
    and payload are JSON without spaces between the tokens.
    """

    brand: Id
    asked: AskedTerms
    reference: Label | None = None
    return_url: ReturnUrl | None = None
    signed: CompactJws | None = None


class Ending(Model):
    """The end of a connection. Without `signed` the home knows only from the hub that the brand wants it.

    `signed`: a compact JWS under the brand's key with header `{alg: Ed25519, kid, typ: perron-end+jwt}` and payload
    `{iss, hub, iat, connection}`, both JSON without spaces between the tokens.
    """

    signed: ShortJws | None = None


class Connection(Model):
    """A brand's request to a home, and the home's answer.

    `terms`: what the home granted, at most what was `asked`. `home`: the `aud` of messages that the brand signs for
    it. Both exist while the connection is granted. `version` rises with each decision of the home. `expires`: the
    end of the time in which the home may answer; no answer is a no.
    """

    id: ConnectionId
    state: State
    brand: Id
    asked: AskedTerms
    terms: GivenTerms | None
    version: int
    home: str | None
    reference: str | None
    return_url: str | None
    sandbox: bool
    created: datetime
    expires: datetime
    decided: datetime | None


M = TypeVar("M", bound=Connection)


class MadeConnection(Connection):
    """A new connection. `consent_url` is for the customer only, and never shown again."""

    consent_url: str


class Connections(Model):
    """A page of the retailer's connections, newest first. `next` is the cursor of the following page."""

    data: tuple[Connection, ...]
    next: str | None


async def create(call: RequestContext) -> Response:
    """Ask."""
    asked, who = call.of(NewConnection), call.who
    if asked.asked.expires is not None and asked.asked.expires <= call.now:
        raise ApiProblem(Code.CONFLICT, "`asked.expires` is over already.")
    try:
        await brands.find_brand(call, asked.brand)
    except ApiProblem as problem:
        raise ApiProblem(Code.CONFLICT, "There is no such brand, or it is not yours: make it first.") from problem
    if asked.signed is not None:
        await _check_signature(call, asked)
    secret, id_ = new_secret(), new_id("con")
    await call.tx.execute(
        insert(connections).values(
            id=id_, retailer=who.retailer, brand=asked.brand, sandbox=who.sandbox, state="pending", version=0,
            asked=asked.asked.model_dump(mode="json"), signed=asked.signed, reference=asked.reference,
            return_url=asked.return_url, consent_sha256=digest_of(secret), tries=0, keys_sent=0, created=call.now,
            expires=call.now + ANSWER_PERIOD,
        )
    )  # fmt: skip
    told = kept.connection_view(await find_connection(call, id_), call.now)
    made = _parse_stored(MadeConnection, {**told, "consent_url": f"{call.url}/connect/{secret}"})
    return Response(status=201, body=made, headers={"Location": f"/v1/connections/{id_}"})


async def _check_signature(call: RequestContext, asked: NewConnection) -> None:
    """Refuse what homes would.

    Raises:
        Problem: it is not this question, or not signed by the brand.
    """
    brand = await brands.find_brand(call, asked.brand)
    word = verify_brand_statement(
        asked.signed or "", ConsentStatement, await brands.active_keys(call, brand.id), hub=call.url
    )
    if word is None:
        raise _signature_refused("it is not signed by a key of the brand that counts, for this hub")
    if not is_compact(asked.signed or ""):
        raise _signature_refused(COMPACT_RULE)
    said, seconds = word[0], call.now.timestamp()
    if (said.asked, said.name) != (asked.asked, brand.name):
        raise _signature_refused("it asks for something else, or under another name")
    if not seconds < said.exp <= said.iat + MAX_REQUEST_LIFETIME_S or said.iat > seconds + MAX_CLOCK_SKEW_S:
        raise _signature_refused("it lives until `exp`, at most 31 days after `iat`, and both are about now")


def _signature_refused(why: str) -> ApiProblem:
    at = Detail(pointer="/signed", where="body", code="signed", detail=why)
    return ApiProblem(Code.SIGNATURE_REFUSED, f"{why[0].upper()}{why[1:]}.", errors=[at])


async def list_(call: RequestContext) -> Response:
    """List them, a page at a time."""
    page = call.of(ConnectionFilter)
    asked = select(connections).where(_owned_by_caller(call), _in_state(page.state, call.now))
    asked = asked.order_by(connections.c.created.desc(), connections.c.id.desc())
    if page.cursor is not None:
        id_ = decode_cursor(page.cursor, str)[0]
        found = select(connections.c.created, connections.c.id).where(connections.c.id == id_, _owned_by_caller(call))
        last = (await call.tx.execute(found)).one_or_none()
        if last is None:
            raise ApiProblem(Code.BAD_CURSOR)
        asked = asked.where(rows_after(connections, last.created, last.id))
    rows = (await call.tx.execute(asked.limit(page.limit + 1))).all()
    shown = rows[: page.limit]
    more = encode_cursor(shown[-1].id) if len(rows) > page.limit else None
    return Response(status=200, body=Connections(data=tuple(_from_row(row, call.now) for row in shown), next=more))


async def read(call: RequestContext) -> Response:
    """Tell of one."""
    return Response(
        status=200, body=_from_row(await find_connection(call, call.of(ConnectionPath).connection), call.now)
    )


async def end(call: RequestContext) -> Response:
    """Want no more of it: nothing new is delivered under it. Said again it changes nothing."""
    row = await find_connection(call, call.of(ConnectionPath).connection)
    if kept.state_of(row, call.now) in {"pending", "granted"}:
        signed = call.of(Ending).signed
        if signed is not None:
            word = verify_brand_statement(signed, EndStatement, await brands.active_keys(call, row.brand), hub=call.url)
            if word is None or word[0].connection != row.id:
                raise _signature_refused("it is not this connection's end, signed by a key of the brand that counts")
            if not is_compact(signed):
                raise _signature_refused(COMPACT_RULE)
        await kept.end_connection(call.tx, row, signed, call.now)
        row = await find_connection(call, row.id)
    return Response(status=200, body=_from_row(row, call.now))


async def find_connection(call: RequestContext, id_: str) -> Row[Any]:
    """The caller's connection of this name.

    Raises:
        Problem: he has none.
    """
    row = (
        await call.tx.execute(select(connections).where(_owned_by_caller(call), connections.c.id == id_))
    ).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND)
    return row


def _owned_by_caller(call: RequestContext) -> ColumnElement[bool]:
    return and_(connections.c.retailer == call.who.retailer, connections.c.sandbox == call.who.sandbox)


def _in_state(state: State | None, now: datetime) -> ColumnElement[bool]:
    match state:
        case None:
            return connections.c.id.is_not(None)
        case "expired":
            return kept.is_expired(now)
        case "pending":
            return and_(connections.c.state == "pending", connections.c.expires > now)
        case _:
            return connections.c.state == state


def _from_row(row: Row[Any], now: datetime) -> Connection:
    return _parse_stored(Connection, kept.connection_view(row, now))


def _parse_stored(model: type[M], said: dict[str, Any]) -> M:
    return model.model_validate_json(json.dumps(said))


_LINK_PARAMETERS = {"connection": "$response.body#/id"}
_TAG = "Connections"
OPERATIONS = (
    ApiOperation(
        name="createConnection",
        method="POST",
        path="/v1/connections",
        tag=_TAG,
        handler=create,
        summary="Ask a home to let a brand in",
        body=NewConnection,
        answers={201: MadeConnection},
        refuses=frozenset({Code.CONFLICT, Code.SIGNATURE_REFUSED}),
        links=tuple(
            OperationLink(operation=name, parameters=_LINK_PARAMETERS)
            for name in ("readConnection", "readAvailability", "endConnection")
        ),
    ),
    ApiOperation(
        name="listConnections",
        method="GET",
        path="/v1/connections",
        tag=_TAG,
        handler=list_,
        right=ApiAccess.READ,
        summary="List the connections",
        query=ConnectionFilter,
        answers={200: Connections},
        refuses=frozenset({Code.BAD_CURSOR}),
    ),
    ApiOperation(
        name="readConnection",
        method="GET",
        path="/v1/connections/{connection}",
        tag=_TAG,
        handler=read,
        right=ApiAccess.READ,
        summary="Read one connection",
        path_model=ConnectionPath,
        answers={200: Connection},
    ),
    ApiOperation(
        name="endConnection",
        method="POST",
        path="/v1/connections/{connection}/end",
        tag=_TAG,
        handler=end,
        summary="End a connection",
        path_model=ConnectionPath,
        body=Ending,
        bare=True,
        answers={200: Connection},
        refuses=frozenset({Code.SIGNATURE_REFUSED}),
    ),
)
