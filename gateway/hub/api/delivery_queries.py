"""Reads deliveries: one, a list, the timeline of one, and its proof."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy import and_, or_, select

from gateway.domain.delivery.promise import State, Version
from gateway.hub.api.api_keys import Label
from gateway.hub.api.deliveries import delivery_of, find_delivery
from gateway.hub.api.delivery_models import ConnectionId, Deliveries, Delivery, DeliveryId
from gateway.hub.api.rows import PageParameters, decode_cursor, encode_cursor, owned_by, read_page
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
from gateway.hub.http.operation import Model, OperationGroup, RequestContext
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


@DELIVERY_QUERIES.add("GET", "/v1/deliveries", "listDeliveries")
async def list_(call: RequestContext, query: DeliveryFilter) -> Deliveries:
    """List deliveries, newest first."""
    created, id_ = deliveries.c.created, deliveries.c.id
    rows = select(deliveries).where(owned_by(call.caller, deliveries)).order_by(created.desc(), id_.desc())
    if query.state is not None:
        rows = rows.where(deliveries.c.state == query.state)
    if query.connection is not None:
        rows = rows.where(deliveries.c.connection == query.connection)
    if query.reference is not None:
        rows = rows.join(connections, connections.c.id == deliveries.c.connection)
        rows = rows.where(connections.c.reference == query.reference)
    if query.cursor is not None:
        micros, last_id = decode_cursor(query.cursor, int, str)
        at = _EPOCH + int(micros) * _MICROSECOND
        rows = rows.where(or_(created < at, and_(created == at, id_ < last_id)))
    page, more = await read_page(call, rows, query)
    next_ = encode_cursor((page[-1].created - _EPOCH) // _MICROSECOND, page[-1].id) if more else None
    return Deliveries(data=tuple(map(delivery_of, page)), next=next_)


@DELIVERY_QUERIES.add("GET", _ITEM_PATH, "readDelivery")
async def read(call: RequestContext, delivery_id: DeliveryId) -> Delivery:
    """Read one delivery."""
    return delivery_of(await find_delivery(call, delivery_id))


@DELIVERY_QUERIES.add("GET", f"{_ITEM_PATH}/timeline", "readTimeline")
async def timeline(call: RequestContext, delivery_id: DeliveryId, query: PageParameters) -> Timeline:
    """Read the states that a delivery went through."""
    row = await find_delivery(call, delivery_id)
    rows = select(events).where(events.c.object == row.id, events.c.retailer == row.retailer).order_by(events.c.seq)
    if query.cursor is not None:
        rows = rows.where(events.c.seq > decode_cursor(query.cursor, int)[0])
    page, more = await read_page(call, rows, query)
    steps = tuple(
        Step.model_validate({"at": event.at, **{name: event.data.get(name) for name in _STEP_FIELDS}}, strict=False)
        for event in page
        if "state" in event.data
    )
    return Timeline(data=steps, next=encode_cursor(page[-1].seq) if more else None)


@DELIVERY_QUERIES.add("GET", f"{_ITEM_PATH}/proof", "readProof")
async def proof(call: RequestContext, delivery_id: DeliveryId) -> Evidence:
    """Read the home's signed account of how it ended. With it comes the order that the account is about."""
    row = await find_delivery(call, delivery_id)
    signed = (home_events.c.delivery == row.id, home_events.c.key.is_not(None))
    reports = select(home_events.c.token, home_events.c.key).where(*signed).order_by(home_events.c.seq)
    parsed = [parse_account(event.token, event.key) for event in await call.tx.execute(reports)]
    accounts = [account for account in parsed if account is not None]
    if not accounts:
        raise ApiProblem(
            Code.NOT_FOUND,
            "There is no proof: the home has not given its account of how it ended, or it is no longer kept.",
        )
    version = accounts[-1].statement.version
    same_version = (delivery_versions.c.delivery == row.id, delivery_versions.c.version == version)
    promise = await call.tx.scalar(select(delivery_versions.c.promise).where(*same_version)) or row.promise
    sent = select(jobs.c.token).where(jobs.c.delivery == row.id).order_by(jobs.c.created)
    messages = [await _message_of(call, token) for token in (await call.tx.scalars(sent)).all()]
    facts = {**promise, "home": row.home, "brand": row.brand, "name": row.name, "accounts": accounts[-MAX_ACCOUNTS:],
             "messages": [message for message in messages if message is not None],
             "missing_parcels": missing_parcels_of(promise["parcels"], accounts[-1])}  # fmt: skip
    return Evidence.model_validate({name: facts[name] for name in Evidence.model_fields}, strict=False)


async def _message_of(call: RequestContext, token: bytes) -> SignedMessage | None:
    """Return a message with the key under which it was signed, or None if the hub no longer has that key."""
    kid = kid_of(token)
    keys = [call.signer.x]
    if kid != call.signer.kid:  # in the sandbox another retailer may have a key of that name
        keys = list(await call.tx.scalars(select(brand_keys.c.x).where(brand_keys.c.kid == kid)))
    messages = (SignedMessage(key=key, token=token.decode()) for key in keys)
    return next((message for message in messages if has_valid_signature(message)), None)
