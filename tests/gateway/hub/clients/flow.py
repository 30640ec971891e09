"""The whole way of a retailer with the client that openapi-python-client makes: HUB RECEIVER NAME.

It prints what the test compares with what the hub keeps.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx
from perron_hub_client import AuthenticatedClient, Client
from perron_hub_client.api.brands import create_brand
from perron_hub_client.api.connections import create_connection, read_availability, read_connection
from perron_hub_client.api.deliveries import (
    cancel_delivery,
    change_delivery,
    create_delivery,
    read_delivery,
    read_proof,
    read_timeline,
)
from perron_hub_client.api.events import list_events
from perron_hub_client.api.sandbox import create_sandbox
from perron_hub_client.api.webhooks import (
    create_webhook_endpoint,
    list_webhook_messages,
    read_webhook_endpoint,
    replay_webhook_message,
)
from perron_hub_client.models import (
    Availability,
    Brand,
    Cancellation,
    Connection,
    ConnectionState,
    CreatedConnection,
    CreatedDelivery,
    Delivery,
    DeliveryOrderChange,
    DeliveryState,
    Events,
    NewAskedTerms,
    NewBrand,
    NewConnection,
    NewDeliveryOrder,
    NewPlainDelivery,
    NewWebhookEndpoint,
    NewWindow,
    PlainDeliveryChange,
    Problem,
    Proof,
    Sandbox,
    Timeline,
    WebhookEndpoint,
    WebhookEndpointWithSecret,
    WebhookMessage,
    WebhookMessages,
    WebhookMessageState,
)
from perron_hub_client.types import UNSET, Unset

hub, receiver, name = sys.argv[1:]
Value = TypeVar("Value")


def good(answer: object, expected: type[Value]) -> Value:
    """Return an answer that is no problem."""
    assert isinstance(answer, expected), answer
    return answer


def until(read: Callable[[], Value], fits: Callable[[Value], bool]) -> Value:
    """Return what `read` returns once it fits."""
    for _ in range(300):
        if fits(value := read()):
            return value
        time.sleep(0.1)
    raise TimeoutError(name)


def hours(first: int, last: int) -> NewWindow:
    """Return a window of tomorrow."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return NewWindow(start=tomorrow + timedelta(hours=first), end=tomorrow + timedelta(hours=last))


sandbox = good(create_sandbox.sync(client=Client(hub)), Sandbox)
client = AuthenticatedClient(hub, token=sandbox.api_key)
brand = good(create_brand.sync(client=client, body=NewBrand(id=name, name=f"Maison {name}")), Brand)
wanted = NewConnection(brand=brand.id, asked=NewAskedTerms(carriers=["Colissimo"], hub_signed=True))
asked = good(create_connection.sync(client=client, body=wanted), CreatedConnection)
httpx.post(asked.consent_url, data={"code": sandbox.support_code}, follow_redirects=True).raise_for_status()
connection = until(
    lambda: good(read_connection.sync(asked.id, client=client), Connection),
    lambda one: one.state is ConnectionState.GRANTED,
)

made_endpoint = create_webhook_endpoint.sync(client=client, body=NewWebhookEndpoint(url=f"{receiver}/ok/{name}"))
endpoint = good(made_endpoint, WebhookEndpointWithSecret).id
until(lambda: good(read_webhook_endpoint.sync(endpoint, client=client), WebhookEndpoint), lambda one: one.verified)

window = hours(0, 2)
available = read_availability.sync(
    connection.id, client=client, start=window.start, end=window.end, entrance="garage", place="shelf"
)


def read(id_: str) -> Delivery:
    """Return how a delivery stands."""
    return good(read_delivery.sync(id_, client=client), Delivery)


def announce(promise: NewDeliveryOrder, **more: str | Unset) -> CreatedDelivery:
    """Announce a delivery."""
    body = NewPlainDelivery(connection=connection.id, delivery=promise)
    return good(create_delivery.sync(client=client, body=body, **more), CreatedDelivery)


def change(id_: str, new: DeliveryOrderChange) -> Delivery:
    """DeliveryOrderChange a delivery."""
    return good(change_delivery.sync(id_, client=client, body=PlainDeliveryChange(delivery=new)), Delivery)


first = NewDeliveryOrder(name=f"{name}-1", entrance="garage", place="shelf", carrier="Colissimo", window=window)
made = announce(first, idempotency_key=f"{name}-1")
again = create_delivery.sync_detailed(
    client=client, body=NewPlainDelivery(connection=connection.id, delivery=first), idempotency_key=f"{name}-1"
)
labelled = change(made.id, DeliveryOrderChange(parcels=["SANDBOX-WAITS"]))
scheduled = until(
    lambda: read(made.id), lambda one: one.state is DeliveryState.SCHEDULED and one.answered == labelled.version
)
changed = change(made.id, DeliveryOrderChange(window=hours(1, 4)))
until(lambda: read(made.id), lambda one: one.answered == changed.version)
good(cancel_delivery.sync(made.id, client=client, body=Cancellation()), Delivery)
cancelled = until(lambda: read(made.id), lambda one: one.state is DeliveryState.CANCELLED)

second = announce(
    NewDeliveryOrder(entrance="garage", place="shelf", carrier="Colissimo", window=window, parcels=["8L20524752032"])
)
delivered = until(lambda: read(second.id), lambda one: one.state is DeliveryState.DELIVERED)
proof = until(lambda: read_proof.sync(second.id, client=client), lambda one: isinstance(one, Proof))
timeline = good(read_timeline.sync(second.id, client=client), Timeline)

events: list[int] = []
cursor: str | None = None
while True:
    page = good(list_events.sync(client=client, limit=5, cursor=cursor or UNSET), Events)
    events += [event.seq for event in page.data]
    cursor = page.next_
    if cursor is None:
        break

log = until(
    lambda: good(list_webhook_messages.sync(endpoint, client=client, limit=100), WebhookMessages),
    lambda page: {one.state for one in page.data} == {WebhookMessageState.DELIVERED},
)
message = log.data[0].id
good(replay_webhook_message.sync(endpoint, message, client=client), WebhookMessage)

missing = good(read_delivery.sync("dlv-none", client=client), Problem)
sys.stdout.write(
    json.dumps(
        {
            "possible": good(available, Availability).possible,
            "states": [made.state, scheduled.state, cancelled.state, delivered.state],
            "versions": [made.version, labelled.version, changed.version],
            "repeated": good(again.parsed, CreatedDelivery).id == made.id
            and again.headers["Idempotent-Replayed"] == "true",
            "parcels": good(proof, Proof).parcels,
            "timeline": [step.state for step in timeline.data],
            "events": events,
            "replayed": message,
            "problem": missing.code,
        }
    )
)
