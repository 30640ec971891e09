"""Manages connections: a retailer requests permission from a home, and the home grants or denies it.

A retailer asks once, with bounds, and no answer is a no. The person who opens the consent page chooses the home by its
support code. The home decides, never the hub.
"""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import StringConstraints
from sqlalchemy import ColumnElement, Row, and_, insert

from gateway.domain.delivery.promise import Id
from gateway.hub.api.brands import active_keys, signature_refused
from gateway.hub.api.rows import PageParameters, find_owned, newest_page
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import brands, connections
from gateway.hub.deliveries import connections as kept
from gateway.hub.deliveries.availability import GivenTerms
from gateway.hub.deliveries.connections import ANSWER_PERIOD
from gateway.hub.http.authentication import new_secret
from gateway.hub.http.authentication import secret_digest as digest_of
from gateway.hub.http.operation import ApiParameters, Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code
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

CONNECTIONS = OperationGroup("Connections")


class ConnectionPath(ApiParameters):
    """The connection that the path names."""

    connection: ConnectionId


class ConnectionFilter(PageParameters):
    """Only the connections in this state."""

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


@CONNECTIONS.post(
    "/v1/connections",
    "createConnection",
    body=NewConnection,
    answers={201: MadeConnection},
    refuses={Code.CONFLICT, Code.SIGNATURE_REFUSED},
    links=links_to("connection", "readConnection", "readAvailability", "endConnection"),
)
async def create(call: RequestContext) -> Response:
    """Ask a home to let a brand in."""
    asked, who = call.part(NewConnection), call.caller
    if asked.asked.expires is not None and asked.asked.expires <= call.now:
        raise ApiProblem(Code.CONFLICT, "`asked.expires` is over already.")
    try:
        await find_owned(call, brands, asked.brand)
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
    told = kept.connection_view(await find_owned(call, connections, id_), call.now)
    made = _parse_stored(MadeConnection, {**told, "consent_url": f"{call.url}/connect/{secret}"})
    return Response(made, status=201, headers={"Location": f"/v1/connections/{id_}"})


async def _check_signature(call: RequestContext, asked: NewConnection) -> None:
    """Refuse a signed request that homes would refuse.

    Raises:
        ApiProblem: it is a different request, or the brand did not sign it.
    """
    brand = await find_owned(call, brands, asked.brand)
    word = verify_brand_statement(asked.signed or "", ConsentStatement, await active_keys(call, brand.id), hub=call.url)
    if word is None:
        raise signature_refused("signed", "it is not signed by a key of the brand that counts, for this hub")
    if not is_compact(asked.signed or ""):
        raise signature_refused("signed", COMPACT_RULE)
    said, seconds = word[0], call.now.timestamp()
    if (said.asked, said.name) != (asked.asked, brand.name):
        raise signature_refused("signed", "it asks for something else, or under another name")
    if not seconds < said.exp <= said.iat + MAX_REQUEST_LIFETIME_S or said.iat > seconds + MAX_CLOCK_SKEW_S:
        raise signature_refused("signed", "it lives until `exp`, at most 31 days after `iat`, and both are about now")


@CONNECTIONS.get("/v1/connections", "listConnections", query=ConnectionFilter, answers={200: Connections})
async def list_(call: RequestContext) -> Response:
    """List the connections."""
    asked = call.part(ConnectionFilter)
    rows, next_ = await newest_page(call, connections, asked, _in_state(asked.state, call.now))
    return Response(Connections(data=tuple(_from_row(row, call.now) for row in rows), next=next_))


@CONNECTIONS.get("/v1/connections/{connection}", "readConnection", path_model=ConnectionPath, answers={200: Connection})
async def read(call: RequestContext) -> Response:
    """Read one connection."""
    return Response(
        status=200, body=_from_row(await find_owned(call, connections, call.part(ConnectionPath).connection), call.now)
    )


@CONNECTIONS.post(
    "/v1/connections/{connection}/end",
    "endConnection",
    path_model=ConnectionPath,
    body=Ending,
    optional_body=True,
    answers={200: Connection},
    refuses={Code.SIGNATURE_REFUSED},
)
async def end(call: RequestContext) -> Response:
    """End a connection.

    No new delivery is announced under it. Ending it again changes nothing.
    """
    row = await find_owned(call, connections, call.part(ConnectionPath).connection)
    if kept.state_of(row, call.now) in {"pending", "granted"}:
        signed = call.part(Ending).signed
        if signed is not None:
            word = verify_brand_statement(signed, EndStatement, await active_keys(call, row.brand), hub=call.url)
            if word is None or word[0].connection != row.id:
                why = "it is not this connection's end, signed by a key of the brand that counts"
                raise signature_refused("signed", why)
            if not is_compact(signed):
                raise signature_refused("signed", COMPACT_RULE)
        await kept.end_connection(call.tx, row, signed, call.now)
        row = await find_owned(call, connections, row.id)
    return Response(_from_row(row, call.now))


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
