"""Describes each type of event, what its `data` contains, and the webhook message that brings it, for the document.

The hub stores an event's JSON as it sent it, so these models describe stored JSON and validate nothing. A test compares
them with real events.
"""

from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from gateway.domain.delivery import promise
from gateway.domain.delivery.result import CollectResult, DoorResult
from gateway.hub.api.connections import Connection
from gateway.hub.api.delivery_models import Answer, ColdChain, ConnectionId, DeliveryId, Name
from gateway.hub.api.erasures import ErasureId
from gateway.hub.api.openapi_schemas import SCHEMA_PATH, Schema
from gateway.hub.api.webhook_endpoints import EndpointId
from gateway.hub.deliveries.events import EventType
from gateway.hub.deliveries.orders import CancelStatus
from gateway.hub.http.operation import Model

_ABSENT_FIELD: Any = Field(default=None)  # of a member that is left out, and never null


class ConnectionAnsweredData(Model):
    """A home's answer to your query for facts or to your comment. `code`: why the home refused it; null: it did not.

    `token_sha256` is the SHA-256 of the message that you sent, and `message` says which kind it is.
    """

    id: ConnectionId
    brand: promise.Id
    message: Literal["facts", "comment"]
    token_sha256: promise.Digest
    accepted: bool
    code: str | None


class DeliveryEventData(Model):
    """A delivery as it was at the event; each field means what it means in the delivery (`Delivery`).

    `answer` is there if the event reports that the home refused a version of the order.
    """

    id: DeliveryId
    connection: ConnectionId
    brand: promise.Id
    version: promise.Version
    answered: promise.Version | None
    state: promise.State
    reason: str | None
    missing: int
    missing_parcels: tuple[str, ...] | None
    house: DoorResult | None
    custody: Literal["receiver", "household"] | None
    moved_to: promise.Id | None
    more_time: promise.TimeAnswer | None
    collected: CollectResult | None
    cold_chain: ColdChain
    cancel: CancelStatus | None
    on_the_way: datetime | None
    eta: datetime | None
    name: Name
    order_id: promise.Id
    metadata: dict[str, str]
    answer: Answer = _ABSENT_FIELD


class EndpointDisabledData(Model):
    """Which of your webhook endpoints the hub disabled, and why."""

    id: EndpointId
    disabled: Literal["gone", "failing", "unverified"]


class EndpointChallengeData(Model):
    """The text that the receiver sends back in its answer, as `{"challenge": "..."}`."""

    id: EndpointId
    challenge: str


class EventErasedData(Model):
    """The erasure that erased the event."""

    id: ErasureId


class PingData(Model):
    """The webhook endpoint that you asked the hub to test."""

    id: EndpointId


class EventDescription(NamedTuple):
    """The document's description of one type of event. `data`: the model of the event's `data`."""

    kind: EventType
    name: str
    summary: str
    data: type[BaseModel]
    has_message: bool = True  # a webhook may bring it

    @property
    def schema_name(self) -> str:
        """The name of the event's schema."""
        return f"{self.name}Event"

    @property
    def message_name(self) -> str:
        """The name of the schema of a webhook's body that brings it."""
        return f"{self.name}Message"


EVENT_DESCRIPTIONS = (
    EventDescription(
        EventType.CONNECTION_DECIDED, "ConnectionDecided",
        "A home granted, refused or revoked a connection, or changed its terms.", Connection,
    ),
    EventDescription(
        EventType.CONNECTION_ANSWERED, "ConnectionAnswered",
        "A home answered your query for facts, or your comment.", ConnectionAnsweredData,
    ),
    EventDescription(
        EventType.DELIVERY_CREATED, "DeliveryCreated", "You announced a delivery.", DeliveryEventData
    ),
    EventDescription(
        EventType.DELIVERY_CHANGED, "DeliveryChanged",
        "You changed a delivery, or its home reported something about it.", DeliveryEventData,
    ),
    EventDescription(
        EventType.ENDPOINT_CHALLENGE, "WebhookEndpointChallenge",
        "The receiver of a sandbox's endpoint must send back a text before it gets other messages.",
        EndpointChallengeData,
    ),
    EventDescription(
        EventType.ENDPOINT_DISABLED, "WebhookEndpointDisabled",
        "The hub disabled one of your webhook endpoints; the others get this event.", EndpointDisabledData,
    ),
    EventDescription(
        EventType.EVENT_ERASED, "EventErased", "Replaces an event about a customer whose data was erased.",
        EventErasedData, has_message=False,
    ),
    EventDescription(EventType.PING, "Ping", "You asked the hub to test a webhook endpoint.", PingData),
)  # fmt: skip
"""Every type of event that the hub stores."""

EVENT_DATA_MODELS = tuple({event.data: None for event in EVENT_DESCRIPTIONS})

_MESSAGE_FIELDS: Schema = {
    "timestamp": {"type": "string", "format": "date-time", "description": "The same as `at`."},
    "event": {"type": "string", "description": "The same as `id`."},
    "previous": {
        "type": "integer", "format": "int64",
        "description": "The `seq` of the message before this one to the same endpoint; 0: this is the first.",
    },
}  # fmt: skip
_MESSAGE_HEADERS = {
    "webhook-id": "The id of the message: the same at each try and at a replay.",
    "webhook-timestamp": "Seconds since 1970 of this try.",
    "webhook-signature": "The signatures, separated by spaces; there are two while a secret is replaced.",
}


def event_schemas(event: Schema, data_names: Mapping[type[BaseModel], str]) -> dict[str, Schema]:
    """Return the schemas of all types of events, of the choice of them, and of webhook messages.

    `event`: the schema of an event of any type. `data_names`: the names of the schemas of the models of `data`.
    """
    found: dict[str, Schema] = {}
    for each in EVENT_DESCRIPTIONS:
        one = deepcopy(event)
        one["description"] = each.summary
        one["properties"] |= {
            "type": {"type": "string", "const": each.kind.value},
            "data": {"$ref": SCHEMA_PATH + data_names[each.data]},
        }
        found[each.schema_name] = one
        if each.has_message:
            found[each.message_name] = deepcopy(one)
            found[each.message_name]["properties"] |= deepcopy(_MESSAGE_FIELDS)
    references = {each.kind.value: SCHEMA_PATH + each.schema_name for each in EVENT_DESCRIPTIONS}
    found["Event"] = {
        "description": f"{event['description']}\n\n{_UNKNOWN_TYPE}",
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "type", "mapping": references},
    }
    return found


_UNKNOWN_TYPE = (
    "`type` says which of these it is. A later release of the hub may add types: name the ones that you want in"
    " `types`, or ignore those that you do not know."
)


def webhooks() -> Schema:
    """Return the document's `webhooks`: the messages that the hub sends, by type of event."""
    return {each.kind.value: {"post": _webhook(each)} for each in EVENT_DESCRIPTIONS if each.has_message}


def _webhook(event: EventDescription) -> Schema:
    parameters = [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in _MESSAGE_HEADERS.items()
    ]
    body = {"schema": {"$ref": SCHEMA_PATH + event.message_name}}
    description = (
        f"{event.summary} The message is signed as Standard Webhooks 1.0 says: verify the signature over the bytes of"
        " the body with your endpoint's secret before you read it."
    )
    return {
        "operationId": f"on{event.name}", "tags": ["Webhook messages"], "summary": event.summary.rstrip("."),
        "description": description, "security": [], "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "2XX": {"description": "You have the message; the hub does not send it again."},
            "4XX": {"description": "The hub sends it again later; after 410 it disables the endpoint instead."},
        },
    }  # fmt: skip
