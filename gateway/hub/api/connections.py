"""Manages connections: a retailer requests permission from a home, and the home grants or denies it.

A retailer asks once, with bounds, and no answer is a no. The person who opens the consent page chooses the home by its
support code. The home decides, never the hub.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, Row, and_, insert, or_, select, true, update

from gateway.domain.delivery.promise import Id, Instant
from gateway.hub.api.brands import check_not_ended, signature_refused, verify_statement
from gateway.hub.api.delivery_models import ConnectionId
from gateway.hub.api.rows import PageParameters, find_owned, newest_page
from gateway.hub.database.store import new_id, new_secret
from gateway.hub.database.tables import brands, connections, homes
from gateway.hub.deliveries import availability, box_statements
from gateway.hub.deliveries import connections as connection_store
from gateway.hub.deliveries.connections import ANSWER_PERIOD
from gateway.hub.http.authentication import secret_digest
from gateway.hub.http.operation import ApiParameters, Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.box_statement import StatedAddress
from gateway.protocol.brand_statement import MAX_CLOCK_SKEW_S, MAX_REQUEST_LIFETIME_S, ConsentStatement, EndStatement
from gateway.protocol.consent_request import AskedTerms, CompactJws, Label, ShortJws

State = Literal["pending", "granted", "refused", "revoked", "expired", "ended"]
ReturnUrl = Annotated[
    str,
    StringConstraints(
        max_length=400, pattern=r"^https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
    ),
]

CONNECTIONS = OperationGroup("Connections")


class ConnectionFilter(PageParameters):
    """Only the connections in this state, or of this customer: `reference` as you named him."""

    state: State | None = None
    reference: Label | None = None


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
    it. Both exist while the connection is granted. `address`: what the owner chose to tell you of the home's
    address, its postcode or a word of his own, in the box's own signed statement (`readBox`); null: nothing.
    `version` rises with each decision of the home. `expires`: the end of the time in which the home may answer; no
    answer is a no.
    """

    id: ConnectionId
    state: State
    brand: Id
    asked: AskedTerms
    terms: availability.GivenTerms | None
    address: StatedAddress | None = None
    version: int
    home: str | None
    reference: str | None
    return_url: str | None
    sandbox: bool
    created: datetime
    expires: datetime
    decided: datetime | None


class MadeConnection(Connection):
    """A new connection. `consent_url` is for the customer only, and never shown again."""

    consent_url: str


class Connections(Model):
    """A page of the retailer's connections, newest first. `next` is the cursor of the following page."""

    data: tuple[Connection, ...]
    next: str | None


class AvailabilityQuery(ApiParameters):
    """The time from `start` up to but not including `end`, at most seven days.

    Without `entrance` any entrance, without `place` any place.
    """

    start: Instant
    end: Instant
    entrance: Id | None = None
    place: Id | None = None


class Span(Model):
    """From `start` up to, not including, `end`."""

    start: datetime
    end: datetime


class Availability(Model):
    """Whether the home's terms allow the whole span, `why` not, and the parts that days and hours allow.

    It does not say whether somebody is home or an entrance is ready.
    """

    possible: bool
    why: availability.ImpossibleReason | None
    windows: Annotated[tuple[Span, ...], Field(max_length=availability.MAX_WINDOWS)]


class BoxDescription(Model):
    """What the box of a home understands, as it states it to your brand: the hub cannot promise for it.

    `delivery`: the versions of a delivery order. `needs`: the optional features of version 2. `entrances`: those that
    each entrance of yours understands. `token`: the statement, a compact JWS (`typ: perron-box+jwt`) under the box's
    `key` (Ed25519, a JWK's `x`), which also signs the accounts of proofs. Until `expires` it counts.
    """

    home: Id
    brand: Id
    delivery: tuple[int, ...]
    needs: tuple[str, ...]
    entrances: dict[str, tuple[str, ...]]
    expires: datetime
    token: str
    key: str


@CONNECTIONS.add(
    "POST", "/v1/connections", "createConnection", statuses=(201,), location=True,
    refuses={Code.CONFLICT, Code.SIGNATURE_REFUSED},
    links=links_to(
        "connection", "readConnection", "readAvailability", "readBox", "askFacts", "readFacts", "endConnection"
    ),
)  # fmt: skip
async def create(call: RequestContext, body: NewConnection) -> Response[MadeConnection]:
    """Ask a home to let a brand in."""
    if body.asked.expires is not None and body.asked.expires <= call.now:
        raise ApiProblem(Code.CONFLICT, "`asked.expires` is over already.")
    missing = ApiProblem(Code.CONFLICT, "There is no such brand, or it is not yours: make it first.")
    brand = await find_owned(call, brands, body.brand, missing=missing)
    check_not_ended(brand)
    if body.signed is not None:
        await _check_signature(call, body, body.signed, brand.name)
    secret, id_ = new_secret(), new_id("con")
    row = await call.tx.execute(
        insert(connections).returning(*connections.c).values(
            id=id_, retailer=brand.retailer, brand=brand.id, sandbox=brand.sandbox, state="pending", version=0,
            asked=body.asked.model_dump(mode="json"), signed=body.signed, reference=body.reference,
            return_url=body.return_url, consent_sha256=secret_digest(secret), tries=0, keys_sent=0, created=call.now,
            expires=call.now + ANSWER_PERIOD,
        )
    )  # fmt: skip
    connection = _from_row(row.one(), call.now)
    answer = MadeConnection(**dict(connection), consent_url=f"{call.url}/connect/{secret}")
    return Response(answer, headers={"Location": f"/v1/connections/{id_}"})


async def _check_signature(call: RequestContext, body: NewConnection, token: str, name: str) -> None:
    reason = "it is not signed by a key of the brand that counts, for this hub"
    statement = await verify_statement(call, body.brand, ConsentStatement, "signed", token, reason)
    if (statement.asked, statement.name) != (body.asked, name):
        raise signature_refused("signed", "it asks for something else, or under another name")
    seconds, latest = call.now.timestamp(), statement.iat + MAX_REQUEST_LIFETIME_S
    if not seconds < statement.exp <= latest or statement.iat > seconds + MAX_CLOCK_SKEW_S:
        raise signature_refused("signed", "it lives until `exp`, at most 31 days after `iat`, and both are about now")


@CONNECTIONS.add("GET", "/v1/connections", "listConnections")
async def list_(call: RequestContext, query: ConnectionFilter) -> Connections:
    """List the connections."""
    named = true() if query.reference is None else connections.c.reference == query.reference
    rows, next_ = await newest_page(call, connections, query, _in_state(query.state, call.now), named)
    addresses = await _addresses(call, rows)
    data = tuple(_from_row(row, call.now, addresses.get(row.id)) for row in rows)
    return Connections(data=data, next=next_)


@CONNECTIONS.add("GET", "/v1/connections/{connection}", "readConnection")
async def read(call: RequestContext, connection: ConnectionId) -> Connection:
    """Read one connection."""
    row = await find_owned(call, connections, connection)
    return _from_row(row, call.now, (await _addresses(call, [row])).get(row.id))


@CONNECTIONS.add(
    "POST", "/v1/connections/{connection}/end", "endConnection", optional_body=True, refuses={Code.SIGNATURE_REFUSED}
)
async def end(call: RequestContext, connection: ConnectionId, body: Ending) -> Connection:
    """End a connection. No new delivery is announced under it. Ending it again changes nothing."""
    row = await find_owned(call, connections, connection)
    if connection_store.state_of(row, call.now) in {"pending", "granted"}:
        if body.signed is not None:
            reason = "it is not this connection's end, signed by a key of the brand that counts"
            statement = await verify_statement(call, row.brand, EndStatement, "signed", body.signed, reason)
            if statement.connection != row.id:
                raise signature_refused("signed", reason)
        new = {"state": "ended", "decided": call.now, "end_signed": body.signed}  # a background job informs the home
        ended = update(connections).where(connections.c.id == row.id).values(**new).returning(*connections.c)
        row = (await call.tx.execute(ended)).one()
    return _from_row(row, call.now)


@CONNECTIONS.add("GET", "/v1/connections/{connection}/availability", "readAvailability")
async def read_availability(call: RequestContext, connection: ConnectionId, query: AvailabilityQuery) -> Availability:
    """Ask whether a home can take a delivery."""
    row = await find_owned(call, connections, connection)
    report = await call.tx.scalar(select(homes.c.said).where(homes.c.id == row.home, homes.c.revoked.is_(None)))
    return availability_of(
        row, report, query.start, query.end, query.entrance, place=query.place, now=call.now, where="query"
    )


def availability_of(  # noqa: PLR0913 - the question and the known facts
    row: Row[Any],
    report: Mapping[str, Any] | None,
    start: datetime,
    end: datetime,
    entrance: str | None,
    *,
    place: str | None,
    now: datetime,
    where: Literal["query", "body"],
) -> Availability:
    """Return whether a connection's home takes a delivery in this time; `report`: what the home said of itself.

    Raises an `ApiProblem` about the `end` in this part of the request if the time is too long.
    """
    if not start < end <= start + availability.MAX_WINDOW:
        reason = "`end` lies after `start`, at most 7 days."
        raise ApiProblem.at("end" if where == "query" else "/end", "window", reason, where=where, detail=reason)
    terms = connection_store.terms_of(row) if connection_store.state_of(row, now) == "granted" else None
    result = availability.check_availability(
        None if report is None else terms, start, end, entrance, zone=availability.zone_of(report or {}), now=now,
        place=place, places=(row.terms or {}).get("entrance_places"),
    )  # fmt: skip
    windows = tuple(Span(start=begin, end=until) for begin, until in result.windows)
    return Availability(possible=result.why is None, why=result.why, windows=windows)


@CONNECTIONS.add("GET", "/v1/connections/{connection}/box", "readBox")
async def read_box(call: RequestContext, connection: ConnectionId) -> BoxDescription:
    """Read what a home's box understands, in its own signed words."""
    row = await find_owned(call, connections, connection)
    found = None
    if connection_store.state_of(row, call.now) == "granted":
        this = select(homes).where(homes.c.id == row.home, homes.c.revoked.is_(None))
        home = (await call.tx.execute(this)).one_or_none()
        found = None if home is None else box_statements.statement_of(home, row.brand, call.now)
    if found is None:
        raise ApiProblem(Code.NOT_FOUND, "The box has stated nothing that counts now: it understands version 1.")
    stated = found.statement
    return BoxDescription(
        home=stated.iss, brand=stated.sub, delivery=stated.speaks.delivery, needs=stated.speaks.needs,
        entrances=stated.entrances, expires=datetime.fromtimestamp(stated.exp, UTC), token=found.token, key=found.key,
    )  # fmt: skip


def _in_state(state: State | None, now: datetime) -> ColumnElement[bool]:
    is_late = and_(connections.c.state == "pending", connections.c.expires <= now)  # its state is stored later
    match state:
        case None:
            return true()
        case "expired":
            return or_(connections.c.state == state, is_late)
        case _:
            return and_(connections.c.state == state, ~is_late)


async def _addresses(call: RequestContext, rows: Sequence[Row[Any]]) -> dict[str, StatedAddress]:
    """Return what the owners told of their homes' addresses, by the ids of the granted connections."""
    granted = [row for row in rows if row.home and connection_store.state_of(row, call.now) == "granted"]
    if not granted:
        return {}
    wanted = select(homes).where(homes.c.id.in_({row.home for row in granted}), homes.c.revoked.is_(None))
    known = {home.id: home for home in await call.tx.execute(wanted)}
    stated = {row.id: box_statements.address_of(known.get(row.home), row.brand, call.now) for row in granted}
    return {id_: address for id_, address in stated.items() if address is not None}


def _from_row(row: Row[Any], now: datetime, address: StatedAddress | None = None) -> Connection:
    connection = Connection.model_validate_json(json.dumps(connection_store.connection_view(row, now)))
    return connection.model_copy(update={"address": address})
