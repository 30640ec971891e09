"""Stores numbered events for retailers, and a message of each for every subscribed webhook."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, JsonValue, StringConstraints
from sqlalchemy import ColumnElement, Row, and_, bindparam, exists, insert, select, update

from gateway.hub.database.store import new_row_id
from gateway.hub.database.tables import endpoints, events, messages, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.operation import Model

# The lock of the retailer's row serialises the numbers of its events.
_UPDATE_EVENT_COUNT = (
    update(retailers)
    .where(retailers.c.id == bindparam("whose"))
    .values(told=retailers.c.told + 1)
    .returning(retailers.c.told)
)
_INSERT_EVENT = insert(events)
_COUNTED = _UPDATE_EVENT_COUNT.cte("counted")
_EVENT_COLUMNS = ("id", "retailer", "type", "object", "data", "request", "sandbox", "at")
_INSERT_COUNTED_EVENT = insert(events).from_select(
    [*_EVENT_COLUMNS, "seq"],
    select(*(bindparam(f"new_{name}", type_=events.c[name].type) for name in _EVENT_COLUMNS), _COUNTED.c.told),
)


def _enabled(retailer: object, sandbox: object) -> ColumnElement[bool]:
    return and_(endpoints.c.retailer == retailer, endpoints.c.sandbox == sandbox, endpoints.c.enabled)


_SELECT_ENDPOINTS = select(endpoints.c.id, endpoints.c.types, endpoints.c.seq).where(
    _enabled(bindparam("whose"), bindparam("sandbox"))
)
_INSERT_MESSAGE = insert(messages)
_UPDATE_ENDPOINT = update(endpoints).where(endpoints.c.id == bindparam("endpoint"))


class EventType(StrEnum):
    """What an event is about. A delivery's state and a permission's standing are in its data."""

    CONNECTION_DECIDED = "connection.decided"
    CONNECTION_ANSWERED = "connection.answered"  # a home answered a brand's query for its facts, or its comment
    DELIVERY_CREATED = "delivery.created"
    DELIVERY_CHANGED = "delivery.changed"
    DELIVERY_PROOF = "delivery.proof"
    EVENT_ERASED = "event.erased"  # in the place of an event about a customer whose data was erased
    ENDPOINT_CHALLENGE = "webhook_endpoint.challenge"
    ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    PING = "ping"


EventId = Annotated[str, StringConstraints(pattern=r"^evt-[a-z2-7]{26}$")]


class Event(Model):
    """Something happened: the one shape of an event, in the list, in the stream and in a webhook's message.

    `seq` rises with each of the retailer's; `about` is the id of what `data` tells of. `request`: the id of the API
    request that caused it (`Request-Id`); null: a home or the hub itself did. What `data` tells of a delivery never
    goes back: neither its `version` nor the `answered` one, nor to the state of an older answer.
    """

    id: EventId
    seq: Annotated[int, Field(ge=1, json_schema_extra={"format": "int64"})]
    type: EventType
    about: Annotated[str, Field(validation_alias="object")]
    at: datetime
    sandbox: bool
    request: str | None = None
    data: dict[str, JsonValue]


def event_of(row: object) -> Event:
    """Return the event of a stored row, or of what has the same attributes."""
    return Event.model_validate(row, from_attributes=True, strict=False)


def has_enabled(retailer: object, sandbox: object) -> ColumnElement[bool]:
    """Return the condition that this retailer has an enabled endpoint, there or in the sandbox."""
    return exists().where(_enabled(retailer, sandbox))


async def lock_retailer(tx: Transaction, retailer: str) -> None:
    """Lock a retailer's row until the transaction ends, which serialises events and changes of endpoints."""
    await tx.execute(select(retailers.c.id).where(retailers.c.id == retailer).with_for_update(key_share=True))


async def emit(  # noqa: PLR0913 - what happened, to what, when
    tx: Transaction, about: Row[Any], type_: EventType, data: dict[str, Any], now: datetime, *,
    only_endpoint: str | None = None, request: str | None = None, has_endpoints: bool = True,
) -> str:  # fmt: skip
    """Store an event about a retailer's row in the transaction that causes it, and return the event's id.

    Its `seq` is one more than that of the retailer's event before it, without a gap. `only_endpoint`: only this
    endpoint gets it, whatever types it wants. `request`: the id of the API request that caused it, if one did.
    `has_endpoints`: false if the caller has read in this transaction that no endpoint is enabled (`has_enabled`). Call
    `WakeUps.messages` after the commit.
    """
    retailer, sandbox, id_ = about.retailer, about.sandbox, new_row_id("evt", now)
    values = {"id": id_, "retailer": retailer, "type": type_, "object": about.id, "data": data, "request": request,
              "sandbox": sandbox, "at": now}  # fmt: skip
    theirs = {"whose": retailer, "sandbox": sandbox}
    if tx.combines_changes and has_endpoints:
        has_endpoints = (await tx.read_beside(_SELECT_ENDPOINTS, theirs)).first() is not None
    if tx.combines_changes and not has_endpoints:
        # So the last statement locks the retailer's row, for whose lock other transactions wait. An endpoint that is
        # made at this moment gets its first message with the next event.
        await tx.execute_later(
            _INSERT_COUNTED_EVENT, {"whose": retailer, **{f"new_{name}": values[name] for name in _EVENT_COLUMNS}}
        )
        return id_
    seq = (await tx.execute(_UPDATE_EVENT_COUNT, {"whose": retailer})).scalar_one()
    await tx.execute_later(_INSERT_EVENT, {**values, "seq": seq})
    enabled = (await tx.execute(_SELECT_ENDPOINTS, theirs)).all() if has_endpoints else ()
    for endpoint in enabled:
        wants_type = not endpoint.types or type_ in endpoint.types
        if endpoint.id == only_endpoint or (only_endpoint is None and wants_type):
            message = {
                "id": new_row_id("msg", now), "endpoint": endpoint.id, "event": id_, "seq": seq,
                "previous": endpoint.seq, "attempts": 0, "tries": 0, "state": "waiting", "created": now, "begun": now,
                "due": now,
            }  # fmt: skip
            await tx.execute(_INSERT_MESSAGE, message)
            await tx.execute(_UPDATE_ENDPOINT, {"endpoint": endpoint.id, "seq": seq})
    return id_
