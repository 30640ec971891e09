# Made from the hub's OpenAPI document by `make sdk`: do not edit.
"""The request of each operation of the API: a function that returns it."""

from datetime import datetime
from typing import Literal
from urllib.parse import quote

from .events import parse_event
from .models import (
    ApiKey,
    ApiKeys,
    ArrivalNotice,
    Availability,
    AvailabilityBatch,
    AvailabilityBatchResult,
    BoxDescription,
    Brand,
    BrandKey,
    BrandKeys,
    BrandMessageState,
    Brands,
    Cancellation,
    Carriers,
    Connection,
    ConnectionEnd,
    Connections,
    CreatedApiKey,
    CreatedConnection,
    CreatedDelivery,
    Deliveries,
    Delivery,
    DeliveryBatch,
    DeliveryBatchResult,
    DeliveryChange,
    DeliveryState,
    DeliveryWithCourierCode,
    Erasure,
    Erasures,
    Event,
    Events,
    HubKey,
    MoreTimeRequest,
    NewApiKey,
    NewBrand,
    NewBrandKey,
    NewConnection,
    NewDelivery,
    NewErasure,
    NewWebhookEndpoint,
    Proof,
    Sandbox,
    SignedBrandMessage,
    StatedFacts,
    Timeline,
    WebhookEndpoint,
    WebhookEndpointChange,
    WebhookEndpoints,
    WebhookEndpointWithSecret,
    WebhookMessage,
    WebhookMessages,
    WebhookReplay,
    WebhookReplayResult,
)
from .request import ApiRequest


def _segment(value: str) -> str:
    return quote(value, safe="")


def _nothing(_body: bytes) -> None:
    return None


def create_api_key(body: NewApiKey, *, idempotency_key: str | None = None) -> ApiRequest[CreatedApiKey]:
    """Make an API key. With a key of a sandbox the new key is one of the sandbox too."""
    return ApiRequest(
        method="POST",
        path="/v1/api_keys",
        read=CreatedApiKey.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_api_keys() -> ApiRequest[ApiKeys]:
    """List the valid API keys."""
    return ApiRequest(method="GET", path="/v1/api_keys", read=ApiKeys.model_validate_json)


def read_api_key(key_id: str) -> ApiRequest[ApiKey]:
    """Read one API key."""
    return ApiRequest(method="GET", path=f"/v1/api_keys/{_segment(key_id)}", read=ApiKey.model_validate_json)


def revoke_api_key(key_id: str) -> ApiRequest[None]:
    """Revoke an API key. It ends at once; a key may revoke itself."""
    return ApiRequest(method="DELETE", path=f"/v1/api_keys/{_segment(key_id)}", read=_nothing)


def create_brand(body: NewBrand, *, idempotency_key: str | None = None) -> ApiRequest[Brand]:
    """Make a brand. With a key of a sandbox the brand is one of the sandbox."""
    return ApiRequest(
        method="POST",
        path="/v1/brands",
        read=Brand.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_brands(*, limit: int | None = None, cursor: str | None = None) -> ApiRequest[Brands]:
    """List the brands."""
    return ApiRequest(
        method="GET", path="/v1/brands", read=Brands.model_validate_json, query={"limit": limit, "cursor": cursor}
    )


def read_brand(brand: str) -> ApiRequest[Brand]:
    """Read one brand."""
    return ApiRequest(method="GET", path=f"/v1/brands/{_segment(brand)}", read=Brand.model_validate_json)


def add_brand_key(brand: str, body: NewBrandKey, *, idempotency_key: str | None = None) -> ApiRequest[BrandKey]:
    """Enrol a key of a brand. Homes that permit the brand are informed of it."""
    return ApiRequest(
        method="POST",
        path=f"/v1/brands/{_segment(brand)}/keys",
        read=BrandKey.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_brand_keys(brand: str) -> ApiRequest[BrandKeys]:
    """List the keys of a brand."""
    return ApiRequest(method="GET", path=f"/v1/brands/{_segment(brand)}/keys", read=BrandKeys.model_validate_json)


def revoke_brand_key(brand: str, kid: str, *, idempotency_key: str | None = None) -> ApiRequest[BrandKey]:
    """Revoke a key of a brand. Revoking it again changes nothing."""
    return ApiRequest(
        method="POST",
        path=f"/v1/brands/{_segment(brand)}/keys/{_segment(kid)}/revoke",
        read=BrandKey.model_validate_json,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def create_connection(body: NewConnection, *, idempotency_key: str | None = None) -> ApiRequest[CreatedConnection]:
    """Ask a home to let a brand in."""
    return ApiRequest(
        method="POST",
        path="/v1/connections",
        read=CreatedConnection.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_connections(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    state: Literal["pending", "granted", "refused", "revoked", "expired", "ended"] | None = None,
    reference: str | None = None,
) -> ApiRequest[Connections]:
    """List the connections."""
    return ApiRequest(
        method="GET",
        path="/v1/connections",
        read=Connections.model_validate_json,
        query={"limit": limit, "cursor": cursor, "state": state, "reference": reference},
    )


def read_connection(connection: str) -> ApiRequest[Connection]:
    """Read one connection."""
    return ApiRequest(method="GET", path=f"/v1/connections/{_segment(connection)}", read=Connection.model_validate_json)


def end_connection(
    connection: str, body: ConnectionEnd | None = None, *, idempotency_key: str | None = None
) -> ApiRequest[Connection]:
    """End a connection. No new delivery is announced under it. Ending it again changes nothing."""
    return ApiRequest(
        method="POST",
        path=f"/v1/connections/{_segment(connection)}/end",
        read=Connection.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def read_availability(
    connection: str, *, start: datetime, end: datetime, entrance: str | None = None, place: str | None = None
) -> ApiRequest[Availability]:
    """Ask whether a home can take a delivery."""
    return ApiRequest(
        method="GET",
        path=f"/v1/connections/{_segment(connection)}/availability",
        read=Availability.model_validate_json,
        query={"start": start, "end": end, "entrance": entrance, "place": place},
    )


def read_box(connection: str) -> ApiRequest[BoxDescription]:
    """Read what a home's box understands, in its own signed words."""
    return ApiRequest(
        method="GET", path=f"/v1/connections/{_segment(connection)}/box", read=BoxDescription.model_validate_json
    )


def ask_facts(
    connection: str, body: SignedBrandMessage, *, idempotency_key: str | None = None
) -> ApiRequest[BrandMessageState]:
    """Query a home for what your brand did there. The event `connection.answered` reports the home's answer."""
    return ApiRequest(
        method="POST",
        path=f"/v1/connections/{_segment(connection)}/facts",
        read=BrandMessageState.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def read_facts(connection: str) -> ApiRequest[StatedFacts]:
    """Read the facts with which a home answered the newest query."""
    return ApiRequest(
        method="GET", path=f"/v1/connections/{_segment(connection)}/facts", read=StatedFacts.model_validate_json
    )


def send_comment(
    connection: str, body: SignedBrandMessage, *, idempotency_key: str | None = None
) -> ApiRequest[BrandMessageState]:
    """Comment on what your brand did in a home. The household sees it beside the facts; a later comment replaces it."""
    return ApiRequest(
        method="POST",
        path=f"/v1/connections/{_segment(connection)}/comment",
        read=BrandMessageState.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def create_delivery(body: NewDelivery, *, idempotency_key: str | None = None) -> ApiRequest[CreatedDelivery]:
    """Announce a delivery. The hub sends it to the home if the home permits the brand, and holds it otherwise."""
    return ApiRequest(
        method="POST",
        path="/v1/deliveries",
        read=CreatedDelivery.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_deliveries(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    state: DeliveryState | None = None,
    connection: str | None = None,
    reference: str | None = None,
    name: str | None = None,
    parcel: str | None = None,
    brand: str | None = None,
    carrier: str | None = None,
    window_after: datetime | None = None,
    window_before: datetime | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> ApiRequest[Deliveries]:
    """List deliveries, newest first."""
    return ApiRequest(
        method="GET",
        path="/v1/deliveries",
        read=Deliveries.model_validate_json,
        query={
            "limit": limit,
            "cursor": cursor,
            "state": state,
            "connection": connection,
            "reference": reference,
            "name": name,
            "parcel": parcel,
            "brand": brand,
            "carrier": carrier,
            "window_after": window_after,
            "window_before": window_before,
            "created_after": created_after,
            "created_before": created_before,
        },
    )


def change_delivery(delivery_id: str, body: DeliveryChange) -> ApiRequest[Delivery]:
    """Change a delivery. The home decides whether the new version still counts."""
    return ApiRequest(
        method="PATCH", path=f"/v1/deliveries/{_segment(delivery_id)}", read=Delivery.model_validate_json, body=body
    )


def read_delivery(delivery_id: str) -> ApiRequest[Delivery]:
    """Read one delivery."""
    return ApiRequest(method="GET", path=f"/v1/deliveries/{_segment(delivery_id)}", read=Delivery.model_validate_json)


def cancel_delivery(
    delivery_id: str, body: Cancellation | None = None, *, idempotency_key: str | None = None
) -> ApiRequest[Delivery]:
    """Cancel a delivery. If a home knows the delivery, that home decides whether the cancel is in time.

    `cancel` in the answer says how that stands: `requested` until the home has answered, and then `accepted` or
    `too_late`, which an event tells too.
    """
    return ApiRequest(
        method="POST",
        path=f"/v1/deliveries/{_segment(delivery_id)}/cancel",
        read=Delivery.model_validate_json,
        body=body or Cancellation(),
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def ask_more_time(
    delivery_id: str, body: MoreTimeRequest | None = None, *, idempotency_key: str | None = None
) -> ApiRequest[Delivery]:
    """Ask the household for half an hour more, because the courier is late.

    It can be asked from the start of the window until two hours after its end, and answers once. `more_time` in the
    delivery and its events tells what became of it; until then nothing opens after the window.
    """
    return ApiRequest(
        method="POST",
        path=f"/v1/deliveries/{_segment(delivery_id)}/more_time",
        read=Delivery.model_validate_json,
        body=body or MoreTimeRequest(),
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def read_timeline(delivery_id: str, *, limit: int | None = None, cursor: str | None = None) -> ApiRequest[Timeline]:
    """Read the states that a delivery went through."""
    return ApiRequest(
        method="GET",
        path=f"/v1/deliveries/{_segment(delivery_id)}/timeline",
        read=Timeline.model_validate_json,
        query={"limit": limit, "cursor": cursor},
    )


def read_proof(delivery_id: str) -> ApiRequest[Proof]:
    """Read the home's signed account of how it ended. With it comes the order that the account is about."""
    return ApiRequest(
        method="GET", path=f"/v1/deliveries/{_segment(delivery_id)}/proof", read=Proof.model_validate_json
    )


def create_deliveries(body: DeliveryBatch, *, idempotency_key: str | None = None) -> ApiRequest[DeliveryBatchResult]:
    """Announce up to 100 deliveries. Each item has its own result, and one that is refused does not stop the others.

    The answer is 200 whatever became of the items. Each item counts against the limit of writes.
    """
    return ApiRequest(
        method="POST",
        path="/v1/delivery_batches",
        read=DeliveryBatchResult.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def read_availabilities(body: AvailabilityBatch) -> ApiRequest[AvailabilityBatchResult]:
    """Ask for up to 100 connections whether their homes can take a delivery, such as at the checkout.

    Each question counts against the limit of reads.
    """
    return ApiRequest(
        method="POST",
        path="/v1/availability",
        read=AvailabilityBatchResult.model_validate_json,
        body=body,
        only_reads=True,
    )


def make_courier_code(delivery_id: str, *, idempotency_key: str | None = None) -> ApiRequest[DeliveryWithCourierCode]:
    """Make a new one-time code for the courier, in place of an earlier one.

    The hub writes the code's digest into a new version of the order, and returns the code once: its text, a QR code,
    and a link to a page for the courier. From the home's answer on an earlier code opens nothing.
    """
    return ApiRequest(
        method="POST",
        path=f"/v1/deliveries/{_segment(delivery_id)}/courier",
        read=DeliveryWithCourierCode.model_validate_json,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def announce_arrival(
    delivery_id: str, body: ArrivalNotice, *, idempotency_key: str | None = None
) -> ApiRequest[Delivery]:
    """Tell the home that the courier is on his way, or when he expects to be there.

    It decides nothing at the door. The household gets at most three messages about a delivery. The home is sent a
    change of at least five minutes, and at most twenty messages about a delivery; `eta` in the delivery is always the
    newest.
    """
    return ApiRequest(
        method="POST",
        path=f"/v1/deliveries/{_segment(delivery_id)}/arrival",
        read=Delivery.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_events(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    after: str | None = None,
    types: str | None = None,
    order: Literal["oldest", "newest"] | None = None,
) -> ApiRequest[Events]:
    """List events, oldest first. With `order=newest` the newest is the first."""
    return ApiRequest(
        method="GET",
        path="/v1/events",
        read=Events.model_validate_json,
        query={"limit": limit, "cursor": cursor, "after": after, "types": types, "order": order},
    )


def read_event(event_id: str) -> ApiRequest[Event]:
    """Read one event."""
    return ApiRequest(method="GET", path=f"/v1/events/{_segment(event_id)}", read=parse_event)


def read_hub_key() -> ApiRequest[HubKey]:
    """Read the hub's own key."""
    return ApiRequest(method="GET", path="/v1/hub_key", read=HubKey.model_validate_json)


def list_carriers() -> ApiRequest[Carriers]:
    """List the carriers.

    A delivery, a permission and a filter may name a carrier by its id or by any of its names: all are the same carrier.
    """
    return ApiRequest(method="GET", path="/v1/carriers", read=Carriers.model_validate_json)


def create_webhook_endpoint(
    body: NewWebhookEndpoint, *, idempotency_key: str | None = None
) -> ApiRequest[WebhookEndpointWithSecret]:
    """Make a webhook endpoint. An endpoint of a sandbox must answer a challenge before it gets other messages."""
    return ApiRequest(
        method="POST",
        path="/v1/webhook_endpoints",
        read=WebhookEndpointWithSecret.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_webhook_endpoints() -> ApiRequest[WebhookEndpoints]:
    """List the webhook endpoints."""
    return ApiRequest(method="GET", path="/v1/webhook_endpoints", read=WebhookEndpoints.model_validate_json)


def read_webhook_endpoint(endpoint_id: str) -> ApiRequest[WebhookEndpoint]:
    """Read one webhook endpoint."""
    return ApiRequest(
        method="GET", path=f"/v1/webhook_endpoints/{_segment(endpoint_id)}", read=WebhookEndpoint.model_validate_json
    )


def change_webhook_endpoint(endpoint_id: str, body: WebhookEndpointChange | None = None) -> ApiRequest[WebhookEndpoint]:
    """Change a webhook endpoint, switch it off or on.

    With another address, or when it is switched on, its failures are forgotten.
    """
    return ApiRequest(
        method="PATCH",
        path=f"/v1/webhook_endpoints/{_segment(endpoint_id)}",
        read=WebhookEndpoint.model_validate_json,
        body=body or WebhookEndpointChange(),
    )


def delete_webhook_endpoint(endpoint_id: str) -> ApiRequest[None]:
    """Delete a webhook endpoint and its log. Its waiting messages are deleted too."""
    return ApiRequest(method="DELETE", path=f"/v1/webhook_endpoints/{_segment(endpoint_id)}", read=_nothing)


def rotate_webhook_secret(
    endpoint_id: str, *, idempotency_key: str | None = None
) -> ApiRequest[WebhookEndpointWithSecret]:
    """Give a webhook endpoint a new secret. For 24 hours each message is signed with the old and the new secret."""
    return ApiRequest(
        method="POST",
        path=f"/v1/webhook_endpoints/{_segment(endpoint_id)}/rotate",
        read=WebhookEndpointWithSecret.model_validate_json,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def test_webhook_endpoint(endpoint_id: str, *, idempotency_key: str | None = None) -> ApiRequest[WebhookMessage]:
    """Send a ping to a webhook endpoint. No other endpoint gets it."""
    return ApiRequest(
        method="POST",
        path=f"/v1/webhook_endpoints/{_segment(endpoint_id)}/test",
        read=WebhookMessage.model_validate_json,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_webhook_messages(
    endpoint_id: str, *, limit: int | None = None, cursor: str | None = None
) -> ApiRequest[WebhookMessages]:
    """List what was sent to a webhook endpoint. Waiting messages too, newest first."""
    return ApiRequest(
        method="GET",
        path=f"/v1/webhook_endpoints/{_segment(endpoint_id)}/messages",
        read=WebhookMessages.model_validate_json,
        query={"limit": limit, "cursor": cursor},
    )


def replay_webhook_message(
    endpoint_id: str, message_id: str, *, idempotency_key: str | None = None
) -> ApiRequest[WebhookMessage]:
    """Send one message again. It keeps its id."""
    return ApiRequest(
        method="POST",
        path=f"/v1/webhook_endpoints/{_segment(endpoint_id)}/messages/{_segment(message_id)}/replay",
        read=WebhookMessage.model_validate_json,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def replay_webhook_events(
    endpoint_id: str, body: WebhookReplay | None = None, *, idempotency_key: str | None = None
) -> ApiRequest[WebhookReplayResult]:
    """Send events again, since a time or a number. Messages keep their ids; events that had no message here get one."""
    return ApiRequest(
        method="POST",
        path=f"/v1/webhook_endpoints/{_segment(endpoint_id)}/replay",
        read=WebhookReplayResult.model_validate_json,
        body=body or WebhookReplay(),
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def create_erasure(body: NewErasure, *, idempotency_key: str | None = None) -> ApiRequest[Erasure]:
    """Erase what the hub stores about a customer: connections, deliveries, the contents of events and messages.

    The connections end. While a delivery is on its way, the hub refuses (409): cancel the delivery, or wait for its
    end. An event of type `event.erased` with the same `seq` replaces each event. The home keeps its own data.
    """
    return ApiRequest(
        method="POST",
        path="/v1/erasures",
        read=Erasure.model_validate_json,
        body=body,
        takes_idempotency_key=True,
        idempotency_key=idempotency_key,
    )


def list_erasures(*, limit: int | None = None, cursor: str | None = None) -> ApiRequest[Erasures]:
    """List the erasures."""
    return ApiRequest(
        method="GET", path="/v1/erasures", read=Erasures.model_validate_json, query={"limit": limit, "cursor": cursor}
    )


def read_erasure(erasure_id: str) -> ApiRequest[Erasure]:
    """Read one erasure."""
    return ApiRequest(method="GET", path=f"/v1/erasures/{_segment(erasure_id)}", read=Erasure.model_validate_json)


def create_sandbox() -> ApiRequest[Sandbox]:
    """Get a sandbox, without a key."""
    return ApiRequest(method="POST", path="/v1/sandbox", read=Sandbox.model_validate_json)
