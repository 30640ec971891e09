"""The hub's API keeps what docs/retailer/versioning.md promises to clients of the released document.

`python -m tests.gateway.hub.api.test_compatibility` writes the current document down as the released one. Do it at a
release of Perron, and never to make a test pass.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from tests.api_documents import Document, api_document

pytest.importorskip("jsoncompat", reason="jsoncompat needs Python 3.12")

from tests.gateway.hub.api.compatibility import breaks, without_words

RELEASED = Path(__file__).with_name("released-openapi.json")

Change = Callable[[Document, Document], object]  # of a document and its schemas


def _without_field(_document: Document, schemas: Document) -> None:
    del schemas["Delivery"]["properties"]["order_id"]
    schemas["Delivery"]["required"].remove("order_id")


def _with_required_field(_document: Document, schemas: Document) -> None:
    schemas["NewDeliveryOrder"]["properties"]["floor"] = {"type": "string"}
    schemas["NewDeliveryOrder"]["required"].append("floor")


def _with_required_parameter(document: Document, _schemas: Document) -> None:
    shop = {"name": "shop", "in": "query", "required": True, "schema": {"type": "string"}}
    document["paths"]["/v1/deliveries"]["get"]["parameters"].append(shop)


def _without_event_field(_document: Document, schemas: Document) -> None:
    del schemas["DeliveryEventData"]["properties"]["state"]
    schemas["DeliveryEventData"]["required"].remove("state")


BREAKING: dict[str, Change] = {
    "a field of an answer is removed": _without_field,
    "a request needs a new field": _with_required_field,
    "a request needs a new parameter": _with_required_parameter,
    "a field of a webhook's payload is removed": _without_event_field,
    "a value of a request's field is refused": lambda _, schemas: schemas["NewApiKey"]["properties"]["right"].update(
        enum=["full", "read"]
    ),
    "an answer has a new value": lambda _, schemas: schemas["DeliveryState"]["enum"].append("lost"),
    "a text of a request may be less long": lambda _, schemas: schemas["NewWebhookEndpoint"]["properties"][
        "url"
    ].update(maxLength=100),
    "a field of an answer may be missing": lambda _, schemas: schemas["Delivery"]["required"].remove("order_id"),
    "a field of an answer has another type": lambda _, schemas: schemas["Delivery"]["properties"].update(
        missing={"type": "string"}
    ),
    "a field of an answer may be null": lambda _, schemas: schemas["Delivery"]["properties"].update(
        missing={"anyOf": [{"type": "integer"}, {"type": "null"}]}
    ),
    "an operation is removed": lambda document, _: document["paths"].pop("/v1/carriers"),
    "a parameter is removed": lambda document, _: document["paths"]["/v1/deliveries"]["get"]["parameters"].pop(),
    "a good answer has another status": lambda document, _: document["paths"]["/v1/brands"]["post"]["responses"].pop(
        "201"
    ),
    "a webhook is removed": lambda document, _: document["webhooks"].pop("ping"),
    "a body may not be left out any more": lambda document, _: document["paths"]["/v1/connections/{connection}/end"][
        "post"
    ]["requestBody"].update(required=True),
    "a header that is always sent is removed": lambda document, _: document["paths"]["/v1/brands"]["post"]["responses"][
        "201"
    ]["headers"].pop("Location"),
}


def _with_event_type(document: Document, schemas: Document) -> None:
    schemas["NewsEvent"] = {**deepcopy(schemas["PingEvent"])}
    schemas["NewsEvent"]["properties"]["type"] = {"type": "string", "const": "news"}
    schemas["Event"]["oneOf"].append({"$ref": "#/components/schemas/NewsEvent"})
    schemas["Event"]["discriminator"]["mapping"]["news"] = "#/components/schemas/NewsEvent"
    document["webhooks"]["news"] = deepcopy(document["webhooks"]["ping"])


def _with_answer_field(_document: Document, schemas: Document) -> None:
    schemas["Delivery"]["properties"]["floor"] = {"type": "string"}
    schemas["Delivery"]["required"].append("floor")


def _with_parameter(document: Document, _schemas: Document) -> None:
    shop = {"name": "shop", "in": "query", "required": False, "schema": {"type": "string"}}
    document["paths"]["/v1/deliveries"]["get"]["parameters"].append(shop)


ADDITIONS: dict[str, Change] = {
    "an answer has a new field": _with_answer_field,
    "a request may have a new field": lambda _, schemas: schemas["NewDeliveryOrder"]["properties"].update(
        floor={"type": "string"}
    ),
    "a request may have a new parameter": _with_parameter,
    "a field of a request takes a new value": lambda _, schemas: schemas["NewApiKey"]["properties"]["right"][
        "enum"
    ].append("audit"),
    "a text of a request may be longer": lambda _, schemas: schemas["NewWebhookEndpoint"]["properties"]["url"].update(
        maxLength=4000
    ),
    "there is a new operation": lambda document, _: document["paths"].update(
        {"/v1/news": deepcopy(document["paths"]["/v1/carriers"])}
    ),
    "there is a new type of event": _with_event_type,
    "something is described in other words": lambda _, schemas: schemas["Delivery"].update(description="A parcel."),
    "there is a new code of problems": lambda _, schemas: schemas["Problem"]["properties"]["code"][
        "x-extensible-enum"
    ].append("new"),
}


def changed(change: Change) -> Document:
    document = deepcopy(api_document())
    change(document, document["components"]["schemas"])
    return document


UNPROVEN: dict[str, str] = {
    "GET /v1/events query": "the pattern of `types` also allows event.erased",
    "GET /v1/events/stream query": "the same",
}
"""Changes that jsoncompat cannot judge, such as a pattern that allows more: by their place, why no client breaks."""


def test_each_client_of_the_released_document_still_works() -> None:
    released: Document = json.loads(RELEASED.read_text(encoding="utf-8"))
    found = dict(line.split(": ", 1) for line in breaks(released, api_document()))
    assert {place: why for place, why in found.items() if place not in UNPROVEN} == {}
    assert UNPROVEN.keys() <= found.keys(), "what is no longer found is taken off"


@pytest.mark.parametrize("change", BREAKING)
def test_a_change_that_breaks_a_client_is_found(change: str) -> None:
    assert list(breaks(api_document(), changed(BREAKING[change]))) != []


@pytest.mark.parametrize("change", ADDITIONS)
def test_an_addition_breaks_no_client(change: str) -> None:
    assert list(breaks(api_document(), changed(ADDITIONS[change]))) == []


if __name__ == "__main__":
    RELEASED.write_text(json.dumps(without_words(api_document()), indent=1, sort_keys=True) + "\n", encoding="utf-8")
