import asyncio
import json
import os
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import insert

from gateway.domain.delivery.barcodes import courier_token_digest, new_courier_token
from gateway.hub.api.carriers import CARRIERS
from gateway.hub.api.delivery_models import Change, Delivery, NewPromise
from gateway.hub.api.openapi import HOMES, RETAILERS
from gateway.hub.api.openapi_schemas import SCHEMA_PATH, references, subschemas
from gateway.hub.database.tables import browsers
from gateway.hub.deliveries.events import EventType
from gateway.hub.http.operation import Deprecation
from gateway.protocol.browser_envelope import Jwk, private_scalar
from gateway.protocol.keys import BoxKey
from gateway.system.clock import machine_time
from tests.announcing import connected_home
from tests.api_documents import Document, api_document, merged_document, mistakes
from tests.boxes import connected_to_broker, insert_home
from tests.hubs import RunningHub, broker_account, homes_broker, hub_file, run_hub
from tests.joins import with_boxes
from tests.mosquitto import Mosquitto
from tests.remotebrowser import RemoteBrowser
from tests.sandboxes import create_sandbox
from tests.waiting import wait_until

HERE = Path(__file__).parent
HOME = "home-1"
SCHEMA_NAMES = """
AccountLine AccountLineKind AccountStatement AddressKind ApiKey ApiKeys ArrivalNotice AskedTerms
Availability AvailabilityBatch AvailabilityBatchResult AvailabilityItemResult AvailabilityQuestion
BoxDescription Brand BrandFacts BrandKey BrandKeys BrandMessageState Brands CancelStatus
Cancellation Carrier Carriers CollectResult Connection ConnectionAnsweredData
ConnectionAnsweredEvent ConnectionAnsweredMessage ConnectionDecidedEvent ConnectionDecidedMessage
ConnectionEnd ConnectionErasure Connections CourierCode CreatedApiKey CreatedConnection
CreatedDelivery CustomerErasure Deliveries Delivery DeliveryBatch DeliveryBatchResult
DeliveryChange DeliveryChangedEvent DeliveryChangedMessage DeliveryCreatedEvent
DeliveryCreatedMessage DeliveryEventData DeliveryItem DeliveryItemResult DeliveryMetadataChange
DeliveryOrderChange DeliveryState DeliveryWithCourierCode DoorResult Erasure ErasureCause Erasures
Event EventErasedData EventErasedEvent EventType Events ExpectedAddress FoodProfile GrantedTerms
HomeAnswer HubKey ImpossibleReason ItemColdChain LabelRule MoreTimeRequest MoreTimeStatus
NewApiKey NewAskedTerms NewBrand NewBrandKey NewConnection NewDelivery NewDeliveryItem
NewDeliveryOrder NewErasure NewExpectedAddress NewParcelSize NewPlainDelivery NewSignedDelivery
NewWebhookEndpoint NewWindow ParcelSize PingData PingEvent PingMessage PlainDeliveryChange Problem
ProblemError Proof Sandbox SignedAccount SignedBrandMessage SignedDeliveryChange SignedOrder
SimulatedEntrance StatedAddress StatedFacts TimeSpan Timeline TimelineStep WebhookAttempt
WebhookEndpoint WebhookEndpointChallengeData WebhookEndpointChallengeEvent
WebhookEndpointChallengeMessage WebhookEndpointChange WebhookEndpointDisabledData
WebhookEndpointDisabledEvent WebhookEndpointDisabledMessage WebhookEndpointWithSecret
WebhookEndpoints WebhookMessage WebhookMessages WebhookReplay WebhookReplayResult Window
"""
"""A class behind one of them may be renamed in the code: `PUBLIC_NAMES` in gateway/hub/api/openapi.py."""

EXAMPLES = 10  # of each operation and phase


DOCUMENTS = {path: api_document(path) for path in (RETAILERS.path, HOMES.path)}


@pytest.fixture(params=DOCUMENTS)
def each(request: pytest.FixtureRequest) -> Document:
    """Each of the hub's documents."""
    return DOCUMENTS[request.param]


@pytest.fixture
def document() -> Document:
    """The document for retailers."""
    return DOCUMENTS["/openapi.json"]


async def test_a_hub_serves_a_document_for_retailers_and_one_for_boxes_and_households(tmp_path: Path) -> None:
    file = with_boxes(tmp_path).model_copy(update={"sandbox": True})
    async with run_hub(file) as hub:
        for path in DOCUMENTS:
            async with hub.http.get(path) as answer:
                assert await answer.json() == api_document(path, url=hub.url)


def test_the_documents_are_openapi_3_1(each: Document) -> None:
    OpenAPIV31SpecValidator(each).validate()
    assert each["openapi"] == "3.1.0"


def test_the_names_of_schemas_stay_for_those_who_generate_clients_of_them(document: Document) -> None:
    assert sorted(document["components"]["schemas"]) == SCHEMA_NAMES.split()


def test_a_retailer_s_document_has_no_operation_of_boxes_and_households() -> None:
    tags = {path: {tag for one in operations(found) for tag in one["tags"]} for path, found in DOCUMENTS.items()}
    assert tags["/openapi-homes.json"] == {"Homes", "Household"}
    assert not tags["/openapi.json"] & tags["/openapi-homes.json"]
    assert "browser" not in DOCUMENTS["/openapi.json"]["components"]["securitySchemes"]


def test_each_operation_is_described_under_a_described_tag_and_says_whether_it_needs_a_key(each: Document) -> None:
    assert each["info"]["description"]
    assert each["info"]["contact"]
    described = {tag["name"] for tag in each["tags"] if tag["description"]}
    for operation in operations(each):
        assert set(operation["tags"]) <= described
        assert operation["description"]
        assert isinstance(operation["security"], list), "an empty list: it needs no key"


def test_a_request_s_schema_refuses_unknown_fields_and_no_answer_s_does(each: Document) -> None:
    for name, part in objects(each, of_requests(each)):
        assert part["additionalProperties"] is False, name
    for name, part in objects(each, of_answers(each)):
        assert part.get("additionalProperties") is not False, name


def test_a_field_of_a_request_that_may_be_left_out_has_no_default_by_which_generators_require_it(
    each: Document,
) -> None:
    for name, part in objects(each, of_requests(each) | of_answers(each)):
        assert [field for field, schema in part["properties"].items() if "default" in schema] == [], name


def test_an_answer_s_schema_requires_each_field_that_the_hub_always_sends(document: Document) -> None:
    partial = {
        name
        for name, part in objects(document, of_answers(document))
        if set(part["properties"]) - set(part["required"])
    }
    assert partial == {"DeliveryEventData", "Problem"}, "of these the hub leaves out members without a value"


def test_no_schema_has_a_title_of_which_a_generator_makes_the_name_of_a_type(each: Document) -> None:
    titles = [name for name in schemas_of(each) for part in subschemas(schemas_of(each)[name]) if "title" in part]
    assert titles == []


def test_a_body_that_has_several_kinds_is_one_schema_a_kind(document: Document) -> None:
    schemas = schemas_of(document)
    for name, field in {"NewDelivery": "delivery", "DeliveryChange": "delivery"}.items():
        kinds = [schemas[reference.removeprefix(SCHEMA_PATH)] for reference in references_of(schemas[name]["oneOf"])]
        required = [frozenset(kind["required"]) for kind in kinds]
        assert len(set(required)) == len(kinds), "so one body is of one kind"
        assert sum(field in kind["properties"] for kind in kinds) == 1


def test_each_type_of_event_has_a_payload_of_its_own_in_lists_and_in_webhooks(document: Document) -> None:
    schemas = schemas_of(document)
    sent = {str(kind) for kind in EventType} - {"delivery.proof"}  # no hub has ever sent it
    event = schemas["Event"]
    assert event["discriminator"]["propertyName"] == "type"
    assert set(event["discriminator"]["mapping"]) == sent
    assert set(document["webhooks"]) == sent - {"event.erased"}, "it stands in the place of another one"
    for kind, webhook in document["webhooks"].items():
        body = webhook["post"]["requestBody"]["content"]["application/json"]["schema"]
        for reference in (body["$ref"], event["discriminator"]["mapping"][kind]):
            of_kind = schemas[reference.removeprefix(SCHEMA_PATH)]
            assert of_kind["properties"]["type"]["const"] == kind
            assert "$ref" in of_kind["properties"]["data"], "which is typed"


def test_a_stream_is_text_and_no_json(document: Document) -> None:
    good = document["paths"]["/v1/events/stream"]["get"]["responses"]["200"]
    assert {kind: content["schema"] for kind, content in good["content"].items()} == {
        "text/event-stream": {"type": "string"}
    }


def test_what_the_documents_say_of_headers_is_what_the_hub_sends(document: Document) -> None:
    created = document["paths"]["/v1/deliveries"]["post"]["responses"]
    assert set(created["201"]["headers"]) == {
        "Request-Id", "RateLimit-Policy", "RateLimit", "Location", "Idempotent-Replayed",
    }  # fmt: skip
    assert {"Retry-After", "RateLimit"} <= set(created["429"]["headers"])
    assert "WWW-Authenticate" in created["401"]["headers"]


def test_each_operation_says_that_an_address_may_send_too_many_requests(each: Document) -> None:
    operations = [operation for path in each["paths"].values() for operation in path.values()]
    assert [one["operationId"] for one in operations if "429" not in one["responses"]] == []


def examples_of(content: Document) -> list[tuple[Document, Any]]:
    """Each example in the content of a body or an answer, with its schema."""
    return [(kind["schema"], one["value"]) for kind in content.values() for one in kind.get("examples", {}).values()]


def test_each_body_and_each_answer_has_examples_that_fit_it(document: Document) -> None:
    for entry in [*operations(document), *(methods["post"] for methods in document["webhooks"].values())]:
        good = [answer for status, answer in entry["responses"].items() if status < "3" and "content" in answer]
        for part in [*good, *([entry["requestBody"]] if "requestBody" in entry else [])]:
            examples = examples_of(part["content"])
            assert examples, entry["operationId"]
            for schema, value in examples:
                assert mistakes(document, schema, value) == [], entry["operationId"]


def test_each_kind_of_a_body_has_an_example(document: Document) -> None:
    for path, method in (("/v1/deliveries", "post"), ("/v1/deliveries/{delivery_id}", "patch")):
        content = document["paths"][path][method]["requestBody"]["content"]
        (kinds,) = [schemas_of(document)[name]["oneOf"] for name in references(content["application/json"]["schema"])]
        for kind in kinds:
            assert any(mistakes(document, kind, value) == [] for _, value in examples_of(content)), kind


async def test_an_example_of_a_request_is_one_that_a_hub_takes(tmp_path: Path, document: Document) -> None:
    """A hub's own answers are compared with their schemas by schemathesis; here its examples are sent."""
    file = hub_file(tmp_path).model_copy(update={"sandbox": True})
    async with run_hub(file) as hub:
        sandbox = await create_sandbox(hub)
        known = {"connection": sandbox.said["connection"]}
        for path in (
            "/v1/api_keys",
            "/v1/brands",
            "/v1/deliveries",
            "/v1/connections",
            "/v1/availability",
            "/v1/webhook_endpoints",
        ):
            entry = document["paths"][path]["post"]
            expected = min(entry["responses"])
            for schema, value in examples_of(entry["requestBody"]["content"]):
                if "token" in value:
                    continue  # which no brand signed
                body = json.loads(json.dumps({**value, **known} if "connection" in value else value))
                status, answer = await sandbox.ask("POST", path, _ahead(body))
                assert str(status) in {expected, "201"}, (path, answer)
                assert mistakes(document, schema, value) == []
                content = entry["responses"][str(status)]["content"]["application/json"]
                assert mistakes(document, content["schema"], answer) == [], path
        _, page = await sandbox.ask("GET", "/v1/events?limit=100")
        assert {"delivery.created", "webhook_endpoint.challenge"} <= {event["type"] for event in page["data"]}
        assert mistakes(document, {"$ref": f"{SCHEMA_PATH}Events"}, page) == []


async def test_a_deprecated_operation_says_so_in_the_document_and_in_each_good_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (route,) = CARRIERS
    old = Deprecation(since=datetime(2027, 1, 1, tzinfo=UTC), ends=datetime(2029, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(route.endpoint, "operation", replace(route.operation, deprecated=old))
    monkeypatch.setattr(route, "deprecated", True)
    async with run_hub(hub_file(tmp_path)) as hub:
        async with hub.http.get("/v1/carriers") as answer:
            assert answer.headers["Deprecation"] == "@1798761600"
            assert answer.headers["Sunset"] == "Mon, 01 Jan 2029 00:00:00 GMT"
        async with hub.http.get("/v1/hub_key") as answer:
            assert not {"Deprecation", "Sunset"} & set(answer.headers)
        async with hub.http.get("/openapi.json") as answer:
            document = await answer.json()
    entry = document["paths"]["/v1/carriers"]["get"]
    assert entry["deprecated"] is True
    assert {"Deprecation", "Sunset"} <= set(entry["responses"]["200"]["headers"])


def _ahead(body: Document) -> Document:
    """Return the body with its windows in the days to come."""
    start = machine_time() + timedelta(days=1)
    times = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
    for part in (body.get("delivery", {}).get("window", {}), *body.get("items", ())):
        part.update(times if "start" in part else {})
    return body


def operations(document: Document) -> list[Document]:
    return [one for methods in document["paths"].values() for one in methods.values()]


def schemas_of(document: Document) -> dict[str, Document]:
    schemas: dict[str, Document] = document["components"]["schemas"]
    return schemas


def references_of(part: object) -> list[str]:
    return [SCHEMA_PATH + name for name in references(part)]


def reached(document: Document, parts: Iterable[object]) -> set[str]:
    schemas, found = schemas_of(document), set[str]()
    waiting = [name for part in parts for name in references(part)]
    while waiting:
        name = waiting.pop()
        if name in schemas and name not in found:
            found.add(name)
            waiting += references(schemas[name])
    return found


def of_requests(document: Document) -> set[str]:
    return reached(document, (one.get("requestBody") for one in operations(document)))


def of_answers(document: Document) -> set[str]:
    return reached(document, (*(one["responses"] for one in operations(document)), document.get("webhooks")))


def objects(document: Document, names: Iterable[str]) -> list[tuple[str, Document]]:
    """Each object among these schemas, with the name of the schema that it is in."""
    return [(name, part) for name in names for part in subschemas(schemas_of(document)[name]) if "properties" in part]


async def answering(stack: AsyncExitStack, hub: RunningHub, broker: Mosquitto, folder: Path) -> dict[str, str]:
    """A home whose box answers whatever it is asked; how a browser of its household signs."""
    one = RemoteBrowser(browser=f"brw-{1:032x}", home=HOME, hub=hub.url)
    async with hub.hub.store.writing() as tx:
        await insert_home(tx, HOME, BoxKey.generate().public)
        sign = Jwk.of(one.sign.public_key()).model_dump()
        await tx.execute(insert(browsers).values(home=HOME, id=one.browser, sign=sign, told=hub.hub.now()))
    there = await stack.enter_async_context(connected_to_broker(HOME, broker, folder))

    async def answer() -> None:
        while True:
            there.answers(await there.asked.get(), "h..i.c.t")

    task = asyncio.create_task(answer())
    stack.callback(task.cancel)
    await wait_until(lambda: hub.hub.broker_connection is not None and hub.hub.broker_connection.is_connected)
    return {"browser": one.browser, "home": HOME, "hub": hub.url, "key": private_scalar(one.sign).hex()}


def document_with_stream(hub: RunningHub) -> Document:
    """Return one document of all that a hub serves, in which the stream is what schemathesis reads of it: messages."""
    whole = deepcopy(merged_document(url=hub.url))
    fields = {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}}
    message = {"type": "object", "required": [*fields], "properties": fields}
    stream = whole["paths"]["/v1/events/stream"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    stream["schema"] = message
    return whole


@pytest.mark.slow
async def test_the_api_does_what_its_document_says_whatever_is_sent(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(homes_broker(HOME))
        file = with_boxes(tmp_path).model_copy(update={"broker": broker_account(broker, tmp_path)})
        hub = await stack.enter_async_context(run_hub(file))
        home = await connected_home(hub)
        whole = tmp_path / "whole.json"
        whole.write_text(json.dumps(document_with_stream(hub)))
        browser = await answering(stack, hub, broker, tmp_path)
        asked = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            "run", str(whole), "--url", hub.url,
            "--max-examples", str(EXAMPLES), "--seed", "7", "--continue-on-failure",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[3]}", "SCHEMATHESIS_HOOKS": "drawn",
                 "PERRON_KEY": home.retailer.token, "PERRON_CONNECTION": home.connection,
                 "PERRON_BROWSER": json.dumps(browser)},
        )  # fmt: skip
        said, _ = await asked.communicate()
    assert asked.returncode == 0, said.decode()[-6000:]


def test_the_api_s_own_document_tells_the_same_of_the_courier_s_code() -> None:
    secret = bytes(range(16))
    for model in (NewPromise, Change, Delivery):
        told = model.model_json_schema()["properties"]["courier_sha256"]
        assert told["examples"] == [courier_token_digest(secret)]
        assert f"`{new_courier_token(secret)}`" in told["description"]
        assert "`courier_code_missing`" in told["description"]
