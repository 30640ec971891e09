"""The SDK has what the hub's OpenAPI document has."""

import json
from functools import cache

import pytest

from gateway.hub.sdk import Client, operations
from gateway.hub.sdk.events import parse_event, parse_webhook_body
from gateway.hub.sdk.models import DeliveryEventData, DeliveryState, OtherEvent, OtherMessage
from tests.api_documents import api_document
from tests.sdk_source import FOLDER, make_sources

OLD = "these files are older than the document: run `make sdk`"


@cache
def sources() -> dict[str, str]:
    return make_sources(api_document())


@pytest.mark.parametrize("name", ["models.py", "operations.py", "methods.py"])
def test_the_sdk_is_made_of_the_document_that_the_hub_serves_now(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == sources()[name], OLD


def test_both_clients_have_every_operation_with_its_description() -> None:
    described = {
        entry["operationId"]: entry["description"]
        for methods in api_document()["paths"].values()
        for entry in methods.values()
    }
    assert len(described) > 40
    with Client("https://hub.example") as hub:
        for name in described.keys() - {"followEvents"}:  # written by hand
            method = getattr(hub, "".join(f"_{char.lower()}" if char.isupper() else char for char in name))
            assert method.__doc__.split() == described[name].split()


def test_a_later_hub_s_values_fields_and_events_are_kept_and_break_nothing() -> None:
    later = {
        "id": "evt-1", "seq": 7, "type": "parcel.weighed", "about": "dlv-1", "at": "2027-01-01T00:00:00Z",
        "sandbox": False, "request": None, "data": {"grams": 120}, "scale": "SC-9",
    }  # fmt: skip
    event = parse_event(json.dumps(later).encode())
    assert isinstance(event, OtherEvent)
    assert (event.type, event.data, event.model_extra) == ("parcel.weighed", {"grams": 120}, {"scale": "SC-9"})
    assert json.loads(event.model_dump_json()) == later
    sent = later | {"timestamp": later["at"], "event": "evt-1", "previous": 6}
    message = parse_webhook_body(json.dumps(sent).encode())
    assert isinstance(message, OtherMessage)
    assert message.previous == 6
    known = dict.fromkeys(("id", "connection", "brand", "name", "order_id"), "a") | {"version": 1, "missing": 0}
    fields = dict.fromkeys(DeliveryEventData.model_fields) | known | {"metadata": {}, "state": "levitating"}
    assert DeliveryEventData.model_validate(fields).state == "levitating"
    assert DeliveryEventData.model_validate(fields | {"state": "delivered"}).state is DeliveryState.DELIVERED


def test_a_path_cannot_be_left_by_an_id() -> None:
    assert operations.read_delivery("../api_keys?x=1").path == "/v1/deliveries/..%2Fapi_keys%3Fx%3D1"
