"""Reads deliveries: one, a list, the timeline of one, and its proof."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy import and_, or_, select

from gateway.domain.delivery.promise import State, Version
from gateway.hub.api.api_keys import Label
from gateway.hub.api.deliveries import delivery_of, find_delivery
from gateway.hub.api.delivery_models import ConnectionId, Deliveries, Delivery, DeliveryPath
from gateway.hub.api.rows import PageParameters, decode_cursor, encode_cursor, owned_by, split_page
from gateway.hub.database.tables import (
    brand_keys,
    connections,
    deliveries,
    delivery_versions,
    events,
    home_events,
    jobs,
)
from gateway.hub.deliveries.evidence import (
    Evidence,
    SignedMessage,
    has_valid_signature,
    missing_parcels_of,
    parse_account,
)
from gateway.hub.http.operation import Model, OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.jws import kid_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MAX_ACCOUNTS = 100  # in one proof, the newest

DELIVERY_QUERIES = OperationGroup("Deliveries")

_ITEM_PATH = "/v1/deliveries/{delivery_id}"


class DeliveryFilter(PageParameters):
    """Which deliveries to list; `reference` is the connection's, the retailer's own name for the customer."""

    state: State | None = None
    connection: ConnectionId | None = None
    reference: Label | None = None


class Answer(Model):
    """The home's answer to one version that it refused."""

    version: Version | None
    accepted: bool
    code: str | None


class Step(Model):
    """The state of a delivery from `at` on, as the hub learned it. `answer`: the version that the home refused then."""

    at: datetime
    state: State
    reason: str | None
    missing: int
    house: str | None
    version: Version
    answer: Answer | None = None


class Timeline(Model):
    """A page of a delivery's steps, oldest first."""

    data: Annotated[tuple[Step, ...], Field(max_length=100)]
    next: str | None


_STEP_FIELDS = tuple(name for name in Step.model_fields if name != "at")


@DELIVERY_QUERIES.get("/v1/deliveries", "listDeliveries", query=DeliveryFilter, answers={200: Deliveries})
async def list_(call: RequestContext) -> Response:
    """List deliveries, newest first."""
    asked = call.part(DeliveryFilter)
    query = select(deliveries).where(owned_by(call, deliveries))
    if asked.state is not None:
        query = query.where(deliveries.c.state == asked.state)
    if asked.connection is not None:
        query = query.where(deliveries.c.connection == asked.connection)
    if asked.reference is not None:
        query = query.join(connections, connections.c.id == deliveries.c.connection)
        query = query.where(connections.c.reference == asked.reference)
    if asked.cursor is not None:
        micros, id_ = decode_cursor(asked.cursor, int, str)
        at = _EPOCH + int(micros) * _MICROSECOND
        older = and_(deliveries.c.created == at, deliveries.c.id < id_)
        query = query.where(or_(deliveries.c.created < at, older))
    query = query.order_by(deliveries.c.created.desc(), deliveries.c.id.desc()).limit(asked.limit + 1)
    rows = (await call.tx.execute(query)).all()
    page, more = split_page(rows, asked)
    next_ = encode_cursor((page[-1].created - _EPOCH) // _MICROSECOND, page[-1].id) if more else None
    return Response(Deliveries(data=tuple(map(delivery_of, page)), next=next_))


@DELIVERY_QUERIES.get(_ITEM_PATH, "readDelivery", path_model=DeliveryPath, answers={200: Delivery})
async def read(call: RequestContext) -> Response:
    """Read one delivery."""
    return Response(delivery_of(await find_delivery(call)))


@DELIVERY_QUERIES.get(
    f"{_ITEM_PATH}/timeline", "readTimeline", path_model=DeliveryPath, query=PageParameters, answers={200: Timeline}
)
async def timeline(call: RequestContext) -> Response:
    """Read the states that a delivery went through."""
    row, asked = await find_delivery(call), call.part(PageParameters)
    query = select(events).where(events.c.object == row.id, events.c.retailer == row.retailer)
    if asked.cursor is not None:
        query = query.where(events.c.seq > decode_cursor(asked.cursor, int)[0])
    rows = (await call.tx.execute(query.order_by(events.c.seq).limit(asked.limit + 1))).all()
    page, more = split_page(rows, asked)
    steps = tuple(
        Step.model_validate({"at": one.at, **{name: one.data.get(name) for name in _STEP_FIELDS}}, strict=False)
        for one in page
        if "state" in one.data
    )
    return Response(Timeline(data=steps, next=encode_cursor(page[-1].seq) if more else None))


@DELIVERY_QUERIES.get(f"{_ITEM_PATH}/proof", "readProof", path_model=DeliveryPath, answers={200: Evidence})
async def proof(call: RequestContext) -> Response:
    """Read the home's signed account of how it ended.

    With it comes the order that the account is about.
    """
    row = await find_delivery(call)
    asked = select(home_events.c.token, home_events.c.key).where(home_events.c.delivery == row.id)
    said = await call.tx.execute(asked.order_by(home_events.c.seq))
    accounts = [
        one for event in said if event.key is not None and (one := parse_account(event.token, event.key)) is not None
    ]
    if not accounts:
        raise ApiProblem(
            Code.NOT_FOUND,
            "There is no proof: the home has not given its account of how it ended, or it is no longer kept.",
        )
    version = accounts[-1].statement.version
    mine_too = (delivery_versions.c.delivery == row.id, delivery_versions.c.version == version)
    promise = await call.tx.scalar(select(delivery_versions.c.promise).where(*mine_too))
    sent = select(jobs.c.token).where(jobs.c.delivery == row.id).order_by(jobs.c.created)
    messages = [await _message_of(call, token) for token in (await call.tx.scalars(sent)).all()]
    stands = promise or row.promise
    found = {**stands, "home": row.home, "brand": row.brand, "name": row.name, "accounts": accounts[-MAX_ACCOUNTS:],
             "messages": [one for one in messages if one is not None],
             "missing_parcels": missing_parcels_of(stands["parcels"], accounts[-1])}  # fmt: skip
    evidence = {name: found[name] for name in Evidence.model_fields}
    return Response(Evidence.model_validate(evidence, strict=False))


async def _message_of(call: RequestContext, token: bytes) -> SignedMessage | None:
    """Return a message with the key under which it was signed, or None if the hub no longer has that key."""
    kid = kid_of(token)
    keys = await call.tx.scalars(select(brand_keys.c.x).where(brand_keys.c.kid == kid))
    # In the sandbox another retailer may have a key of that name
    known = [call.signer.x] if kid == call.signer.kid else list(keys)
    found = (SignedMessage(key=key, token=token.decode()) for key in known)
    return next((message for message in found if has_valid_signature(message)), None)
